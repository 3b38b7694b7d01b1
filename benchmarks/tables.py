"""The table estimators' presets beside boosted trees and pytabkit's networks, on public tables: scores, ranks, seconds.

Tables of more than 20,000 rows are cut to `sample(20000, random_state=0)`, split 80 to 20 with random_state=0 (by
class, where there are any), and fitted with defaults, once. penguins and diamonds are in data/, two come with
scikit-learn; --tables names a folder with more (gzipped CSV, the target in the last column or named target). What is
not installed is left out. Beside seconds stand those of the processor: on a machine that is not quiet, these tell more.

    python benchmarks/tables.py --methods fast,default,catboost --only titanic
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from peers.machine import header, table

import fanin

try:
    import pandas
    from sklearn.datasets import load_breast_cancer, load_diabetes
    from sklearn.metrics import accuracy_score, log_loss, root_mean_squared_error
    from sklearn.model_selection import train_test_split

    from fanin.tabular import TabularClassifier, TabularRegressor
except ImportError as error:
    print(f"tables.py is left out: {error}", file=sys.stderr)
    raise SystemExit(0) from None

DATA = Path(__file__).resolve().parents[1] / "data"
MOST_ROWS = 20_000
FEW_CLASSES = 30  # a target with whole numbers and at most so many values is one of classes
SMOKE = ("penguins",), ("fast", "hgb")


@dataclass(frozen=True)
class Split:
    """A table in two parts."""

    name: str
    X: pandas.DataFrame
    y: Any
    X_test: pandas.DataFrame
    y_test: Any
    classes: int


@dataclass(frozen=True)
class Result:
    """What one method did on one table: seconds by the clock and of the processor, and scores by name."""

    table: str
    method: str
    seconds: float
    processor: float
    scores: dict[str, float]


# Methods: each returns (predictions, probabilities or None) for a split -----------------------------------------------


def ours(preset: str) -> Callable[[Split], Any]:
    def run(split: Split) -> Any:
        estimator = (TabularClassifier if split.classes else TabularRegressor)(preset, random_state=0)
        return fitted(estimator, split, split.X, split.X_test)

    return run


def fitted(model: Any, split: Split, X: Any, X_test: Any, **extra: Any) -> Any:
    model.fit(X, split.y, **extra)
    return np.ravel(model.predict(X_test)), model.predict_proba(X_test) if split.classes else None


def categories(split: Split) -> list[str]:
    return [name for name in split.X if not pandas.api.types.is_numeric_dtype(split.X[name])]


def as_categories(split: Split) -> tuple[Any, Any]:
    """Return the frames with the category type, of the levels of the training rows."""
    X, X_test = split.X.copy(), split.X_test.copy()
    for name in categories(split):
        kind = pandas.CategoricalDtype(sorted(X[name].dropna().unique()))
        X[name], X_test[name] = X[name].astype(kind), X_test[name].astype(kind)
    return X, X_test


def hgb(split: Split) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if split.classes else HistGradientBoostingRegressor
    return fitted(kind(random_state=0, categorical_features="from_dtype"), split, *as_categories(split))


def lightgbm(split: Split) -> Any:
    import lightgbm as library

    kind = library.LGBMClassifier if split.classes else library.LGBMRegressor
    return fitted(kind(random_state=0, verbose=-1), split, *as_categories(split))


def catboost(split: Split) -> Any:
    import catboost as library

    names = categories(split)
    X, X_test = (part.fillna(dict.fromkeys(names, "")) for part in (split.X, split.X_test))
    kind = library.CatBoostClassifier if split.classes else library.CatBoostRegressor
    return fitted(kind(random_seed=0, verbose=0, allow_writing_files=False, cat_features=names), split, X, X_test)


def pytabkit(name: str) -> Callable[[Split], Any]:
    def run(split: Split) -> Any:
        from pytabkit import models

        kind = getattr(models, f"{name}_{'Classifier' if split.classes else 'Regressor'}")
        return fitted(kind(random_state=0, device="cpu"), split, split.X, split.X_test, cat_col_names=categories(split))

    return run


METHODS: dict[str, tuple[Callable[[Split], Any], str]] = {
    "fast": (ours("fast"), "fanin"),
    "default": (ours("default"), "fanin"),
    "best": (ours("best"), "fanin"),
    "hgb": (hgb, "sklearn"),
    "lightgbm": (lightgbm, "lightgbm"),
    "catboost": (catboost, "catboost"),
    "realmlp-td": (pytabkit("RealMLP_TD"), "pytabkit"),
    "tabm": (pytabkit("TabM_D"), "pytabkit"),
}


# Tables ---------------------------------------------------------------------------------------------------------------


def frames(folder: Path | None) -> dict[str, Callable[[], pandas.DataFrame]]:
    """Return what reads each table, by name."""
    found: dict[str, Callable[[], pandas.DataFrame]] = {
        "breast_cancer": lambda: load_breast_cancer(as_frame=True).frame,
        "diabetes": lambda: load_diabetes(as_frame=True, scaled=False).frame,
    }
    for place in (DATA, folder):
        for path in sorted(place.glob("*.csv.gz")) if place else ():
            found[path.name.removesuffix(".csv.gz")] = lambda path=path: read(path)
    return found


def read(path: Path) -> pandas.DataFrame:
    return pandas.read_csv(path, keep_default_na=False, na_values=[""])


def split_of(name: str, frame: pandas.DataFrame) -> Split:
    if len(frame) > MOST_ROWS:
        frame = frame.sample(MOST_ROWS, random_state=0)
    target = frame["target"] if "target" in frame else frame[frame.columns[-1]]
    X, y = frame.drop(columns=target.name), target.to_numpy()
    levels = np.unique(y.astype(str))
    is_classes = y.dtype.kind not in "f" and (y.dtype.kind not in "iu" or len(levels) <= FEW_CLASSES)
    y = y.astype(str).astype(object) if is_classes else y.astype(np.float64)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y if is_classes else None)
    return Split(name, X, y, X_test, y_test, len(levels) if is_classes else 0)


def measured(split: Split, name: str) -> Result:
    method, _ = METHODS[name]
    started, processor = time.perf_counter(), time.process_time()
    predicted, probabilities = method(split)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    if split.classes:
        order = np.unique(split.y)
        scores = {
            "accuracy": float(accuracy_score(split.y_test.astype(str), predicted.astype(str))),
            "log-loss": float(log_loss(split.y_test.astype(str), probabilities, labels=order.astype(str))),
        }
    else:
        scores = {"RMSE": float(root_mean_squared_error(split.y_test, predicted))}
    return Result(split.name, name, seconds, processor, scores)


# Report ---------------------------------------------------------------------------------------------------------------


def report(results: list[Result], methods: list[str], markdown: bool) -> None:
    names = list(dict.fromkeys(result.table for result in results))
    found = {(result.table, result.method): result for result in results}
    for score in ("accuracy", "log-loss", "RMSE"):
        tables = [name for name in names if score in found[name, methods[0]].scores]
        if tables:
            cells = [[f"{found[t, m].scores[score]:.4g}" for m in methods] for t in tables]
            rows = [[t, *row] for t, row in zip(tables, cells, strict=True)]
            print(table([[score, *methods], *rows], markdown=markdown), "\n")
    seconds = [[t, *(f"{found[t, m].seconds:.1f} ({found[t, m].processor:.1f})" for m in methods)] for t in names]
    print(table([["seconds (processor)", *methods], *seconds], markdown=markdown), "\n")
    ranks = [ranks_of([found[t, m] for m in methods]) for t in names]
    means = ["by log-loss or RMSE", *(f"{rank:.2f}" for rank in np.mean(ranks, axis=0))]
    print(table([["mean rank", *methods], means], markdown=markdown))


def ranks_of(results: list[Result]) -> Any:
    """Return ranks by log-loss or RMSE, the lower the better; equal ones share theirs."""
    values = np.array([result.scores.get("log-loss", result.scores.get("RMSE")) for result in results])
    return (values[:, None] > values).sum(axis=1) + ((values[:, None] == values).sum(axis=1) + 1) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, help="a folder with more tables")
    parser.add_argument("--only", help="names of tables, separated by commas")
    parser.add_argument("--methods", help=f"of {', '.join(METHODS)}, separated by commas")
    parser.add_argument("--json", type=Path, help="write all results to a file")
    parser.add_argument("--markdown", action="store_true", help="tables for a page")
    parser.add_argument("--smoke", action="store_true", help="one small table, two methods")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    sources = frames(given.tables)
    wanted = given.only.split(",") if given.only else (SMOKE[0] if given.smoke else list(sources))
    asked = given.methods.split(",") if given.methods else (SMOKE[1] if given.smoke else list(METHODS))
    methods = [name for name in asked if find_spec(METHODS[name][1])]
    for name in sorted(set(asked) - set(methods)):
        print(f"{name} is left out: {METHODS[name][1]} is not installed", file=sys.stderr)
    results = []
    for name in wanted:
        split = split_of(name, sources[name]())
        for method in methods:
            results.append(measured(split, method))
            print(results[-1], file=sys.stderr, flush=True)
    if given.json:
        given.json.write_text(json.dumps([asdict(result) for result in results], indent=1))
    packages = dict.fromkeys(METHODS[method][1] for method in methods)
    versions = {name: version("scikit-learn" if name == "sklearn" else name) for name in packages if name != "fanin"}
    print(header("tables.py", {"fanin": fanin.__version__, **versions}), "\n")
    report(results, methods, given.markdown)


if __name__ == "__main__":
    main()
