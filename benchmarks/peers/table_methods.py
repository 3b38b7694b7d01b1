"""Who takes part in tables.py, each with its defaults: a method returns (predictions, probabilities or None)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas

from fanin.tabular import TabularClassifier, TabularRegressor
from peers.table_sources import Split

OURS = ("fast", "default", "best")


@dataclass(frozen=True)
class Method:
    """A contender: what it does with a split and a number of threads, the package it needs, whether it is neural."""

    run: Callable[[Split, int], Any]
    package: str
    neural: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether its package is there."""
        return find_spec(self.package) is not None


def _ours(preset: str) -> Callable[[Split, int], Any]:
    def run(split: Split, threads: int) -> Any:
        estimator = (TabularClassifier if split.classes else TabularRegressor)(preset, random_state=0)
        return _fitted(estimator, split, split.X, split.X_test)

    return run


def _fitted(model: Any, split: Split, X: Any, X_test: Any, **extra: Any) -> Any:
    model.fit(X, split.y, **extra)
    return np.ravel(model.predict(X_test)), model.predict_proba(X_test) if split.classes else None


def _prepared(model: Any, split: Split) -> Any:
    """Return a model behind imputation, one-hot encoding and scaling."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    texts = split.categories
    numbers = [name for name in split.X if name not in texts]
    encoded = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"), OneHotEncoder(handle_unknown="ignore")
    )
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers), (encoded, texts), sparse_threshold=0
    )
    return make_pipeline(columns, model)


def linear(split: Split, threads: int) -> Any:
    from sklearn.linear_model import LogisticRegression, RidgeCV

    model = LogisticRegression(max_iter=1000) if split.classes else RidgeCV(np.logspace(-2, 4, 13))
    return _fitted(_prepared(model, split), split, split.X, split.X_test)


def mlp(split: Split, threads: int) -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import StandardScaler

    if split.classes:
        model = _prepared(MLPClassifier(random_state=0), split)
    else:
        model = TransformedTargetRegressor(_prepared(MLPRegressor(random_state=0), split), transformer=StandardScaler())
    return _fitted(model, split, split.X, split.X_test)


def _as_categories(split: Split) -> tuple[Any, Any]:
    """Return the frames with the category type, of the levels of the training rows."""
    X, X_test = split.X.copy(), split.X_test.copy()
    for name in split.categories:
        kind = pandas.CategoricalDtype(sorted(X[name].dropna().unique()))
        X[name], X_test[name] = X[name].astype(kind), X_test[name].astype(kind)
    return X, X_test


def hgb(split: Split, threads: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if split.classes else HistGradientBoostingRegressor
    return _fitted(kind(random_state=0, categorical_features="from_dtype"), split, *_as_categories(split))


def lightgbm(split: Split, threads: int) -> Any:
    import lightgbm as library

    kind = library.LGBMClassifier if split.classes else library.LGBMRegressor
    return _fitted(kind(random_state=0, n_jobs=threads, verbose=-1), split, *_as_categories(split))


def catboost(split: Split, threads: int) -> Any:
    import catboost as library

    names = split.categories
    X, X_test = (part.fillna(dict.fromkeys(names, "")) for part in (split.X, split.X_test))
    kind = library.CatBoostClassifier if split.classes else library.CatBoostRegressor
    model = kind(random_seed=0, thread_count=threads, verbose=0, allow_writing_files=False, cat_features=names)
    return _fitted(model, split, X, X_test)


def _pytabkit(name: str) -> Callable[[Split, int], Any]:
    def run(split: Split, threads: int) -> Any:
        from pytabkit.models.sklearn import sklearn_interfaces

        kind = getattr(sklearn_interfaces, f"{name}_{'Classifier' if split.classes else 'Regressor'}")
        model = kind(random_state=0, device="cpu", n_threads=threads)
        # It refuses a table with missing numbers: they get the mean of the training rows.
        means = split.X.mean(numeric_only=True)
        X, X_test = (part.fillna(means) for part in (split.X, split.X_test))
        return _fitted(model, split, X, X_test, cat_col_names=split.categories)

    return run


METHODS: dict[str, Method] = {
    **{preset: Method(_ours(preset), "fanin", neural=True) for preset in OURS},
    "linear": Method(linear, "sklearn"),
    "sklearn-mlp": Method(mlp, "sklearn", neural=True),
    "hgb": Method(hgb, "sklearn"),
    "lightgbm": Method(lightgbm, "lightgbm"),
    "catboost": Method(catboost, "catboost"),
    "realmlp-td-s": Method(_pytabkit("RealMLP_TD_S"), "pytabkit", neural=True),
    "realmlp-td": Method(_pytabkit("RealMLP_TD"), "pytabkit", neural=True),
    "tabm": Method(_pytabkit("TabM_D"), "pytabkit", neural=True),
}
