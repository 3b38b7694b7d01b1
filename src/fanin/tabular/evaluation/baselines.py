"""What a model is compared with: a constant, a linear model, boosted trees; each reads the same tables."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fanin.tabular.evaluation.measures import Floats
from fanin.tabular.evaluation.reading import Held
from fanin.tabular.evaluation.records import Baseline
from fanin.tabular.inputs import Encoder
from fanin.tabular.inputs.sources import Source, assemble
from fanin.tabular.inputs.tables import read_table

CONSTANT, LINEAR, TREES = "constant", "linear model", "boosted trees"
MOST_LEVELS = 254  # boosted trees put every category into a bin of its own, of which they have 255 with the missing one
MOST_ROWS, LEAST_ROWS, WORK = 200_000, 5_000, 2 * 10**8  # of a linear model: rows, and rows x columns x classes
ROUNDS, TREES_IN_ALL = 100, 3_000  # of boosting, which grows a tree for each class in each round


@dataclass(frozen=True)
class Said:
    """What a baseline says of the held-out rows: probabilities (rows, labels), or numbers (rows, targets)."""

    baseline: Baseline
    answer: Floats


class Flat:
    """Turn tables into one array: numbers (nan where missing), then categories as whole numbers from 0 (nan likewise).

    Columns are told apart and read as `Encoder` does for the networks.
    """

    def __init__(self, X: Any) -> None:
        self.encoder = Encoder(max_levels=MOST_LEVELS).fit(X)
        self.levels = [number for number, plan in enumerate(self.encoder.plans) if plan.levels]
        self.numbers = sum(len(plan.parts) for plan in self.encoder.plans)
        self.columns = self.numbers + len(self.levels)

    def places(self) -> dict[int, list[int]]:
        """Return for each column of the table that tells anything where it is in the array."""
        found: dict[int, list[int]] = {}
        ends = np.cumsum([len(plan.parts) for plan in self.encoder.plans])
        for column, plan in enumerate(self.encoder.plans):
            own = [*range(int(ends[column]) - len(plan.parts), int(ends[column]))]
            own += [self.numbers + self.levels.index(column)] if plan.levels else []
            if own:
                found[column] = own
        return found

    def __call__(self, X: Any) -> Floats:
        """Return the rows of a table."""
        table = read_table(X)
        plans = self.encoder.plans
        sources = {number: Source(table, number) for number in range(table.columns)}
        numbers = np.asarray(assemble(table, plans, sources), np.float64)
        codes = [sources[number].indices(plans[number]) - 1.0 for number in self.levels]
        flat = np.concatenate([numbers, *(code[:, None] for code in codes)], axis=1)
        flat[:, self.numbers :][flat[:, self.numbers :] < 0] = np.nan
        return np.where(np.isfinite(flat), flat, np.nan)


def constant(train: Held | None, held: Held) -> Said:
    """Return the answer that looks at no column: the training rows' shares of the classes, or their mean.

    Without training rows it is that of the held-out rows, than which no constant is better.
    """
    source = held if train is None else train
    what = "the shares of the classes" if held.numbers is None else "the mean"
    what += " in the training rows" if train is not None else " in the held-out rows themselves"
    if source.numbers is not None:
        answer = np.tile(np.average(source.numbers, axis=0, weights=source.weights), (len(held), 1))
    else:
        assert source.classes is not None
        counts = np.bincount(source.classes, source.weights, len(held.labels))[: len(held.labels)]
        answer = np.tile(counts / counts.sum(), (len(held), 1))
    return Said(Baseline(CONSTANT, len(source), what), answer)


def linear_model(train: Held, held: Held, flat: Flat, seed: int) -> Said:
    """Return what logistic or ridge regression says: missing numbers are medians and told, categories one-hot."""
    X, chosen = flat(train.table), _some_rows(train, flat, seed)
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore", min_frequency=2)
    columns = ColumnTransformer(
        [("numbers", numbers, [*range(flat.numbers)]), ("levels", one_hot, [*range(flat.numbers, flat.columns)])]
    )
    classes = train.numbers is None
    model = make_pipeline(columns, LogisticRegression(max_iter=300) if classes else Ridge())
    what = "logistic regression" if classes else "ridge regression"
    said = f"{what}: numbers scaled, gaps filled with medians and told, categories one-hot"
    return _fitted(Baseline(LINEAR, len(chosen), said), model, X[chosen], train, chosen, held, flat)


def boosted_trees(train: Held, held: Held, flat: Flat, seed: int) -> Said:
    """Return what scikit-learn's histogram gradient boosting says, with its default settings."""
    X, rows = flat(train.table), np.arange(len(train))
    levels, rounds = [*range(flat.numbers, flat.columns)], int(np.clip(TREES_IN_ALL // _outputs(train), 10, ROUNDS))
    settings = {"categorical_features": levels, "max_iter": rounds, "random_state": seed}
    if train.numbers is None:
        model: Any = HistGradientBoostingClassifier(**settings)
    else:
        model = HistGradientBoostingRegressor(**settings)
        model = MultiOutputRegressor(model) if train.numbers.shape[1] > 1 else model
    what = "scikit-learn's HistGradientBoosting with its default settings, categories as they are"
    what += f", but {rounds} rounds" if rounds < ROUNDS else ""
    return _fitted(Baseline(TREES, len(rows), what), model, X, train, rows, held, flat)


def _some_rows(train: Held, flat: Flat, seed: int) -> NDArray[np.int64]:
    most = int(np.clip(WORK // (2 * flat.columns * _outputs(train)), LEAST_ROWS, MOST_ROWS))
    if len(train) <= most:
        return np.arange(len(train))
    return np.sort(np.random.default_rng(seed).choice(len(train), most, replace=False))


def _outputs(train: Held) -> int:
    """Return how many numbers a model computes for a row: one for each target, or each class if there are several."""
    return train.numbers.shape[1] if train.numbers is not None else (train.known if train.known > 2 else 1)


def _fitted(
    baseline: Baseline, model: Any, X: Floats, train: Held, rows: NDArray[np.int64], held: Held, flat: Flat
) -> Said:
    target = train.classes if train.numbers is None else train.numbers
    assert target is not None
    target = target[rows] if target.ndim == 1 or target.shape[1] > 1 else target[rows, 0]
    weights = {} if train.weights is None else {_weight_of(model): train.weights[rows]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # What is missing or constant in all training rows says nothing, and scikit-learn says so in a warning.
        warnings.simplefilter("ignore", UserWarning)
        model.fit(X, target, **weights)
        judged = flat(held.table)
        if train.numbers is not None:
            return Said(baseline, np.asarray(model.predict(judged), np.float64).reshape(len(judged), -1))
        proba = np.zeros((len(judged), len(held.labels)))
        proba[:, model.classes_] = model.predict_proba(judged)
    return Said(baseline, proba)


def _weight_of(model: Any) -> str:
    """Return by which name `fit` takes the weights of rows."""
    return f"{model.steps[-1][0]}__sample_weight" if hasattr(model, "steps") else "sample_weight"


def doubles(train: Held, held: Held, flat: Flat) -> tuple[float, float]:
    """Return which share of the held-out rows, and of the training rows, is there (once more) in the training rows.

    Rows are the same where all columns and the target are; of a table without columns that tell rows apart, none is.
    """
    if not flat.columns:
        return 0.0, 0.0
    ours, theirs = (_keys(flat(each.table), each) for each in (train, held))
    _, inverse, counts = np.unique(ours, return_inverse=True, return_counts=True)
    return float(np.isin(theirs, ours).mean()), float((counts[inverse] > 1).mean())


def _keys(flat: Floats, held: Held) -> NDArray[np.uint64]:
    """Return a number for each row and its target: the same for the same, and hardly ever for others."""
    target = held.classes if held.numbers is None else held.numbers
    assert target is not None
    both = np.concatenate([flat, target.reshape(len(flat), -1).astype(np.float64)], axis=1) + 0.0  # -0.0 is 0.0
    both[np.isnan(both)] = np.nan  # of nan there are many patterns of bits
    keys = np.zeros(len(both), np.uint64)
    for column in both.T:
        # 2^64 over the golden ratio (Knuth, volume 3, section 6.4); the shift brings high bits down.
        keys = (keys ^ np.ascontiguousarray(column).view(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return keys
