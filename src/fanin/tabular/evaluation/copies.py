"""Columns that tell the target alone: each is learned from by itself, by a tree, on one half of the held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from fanin.tabular.evaluation.baselines import Flat
from fanin.tabular.evaluation.measures import Floats, balanced_accuracy
from fanin.tabular.evaluation.reading import Held
from fanin.tabular.evaluation.records import Copy
from fanin.tabular.evaluation.tables import column_names, take

ENOUGH = 0.98  # balanced accuracy or R2
MOST_ROWS, LEAST_ROWS, MOST_COLUMNS = 4_000, 40, 500


def copies(held: Held, seed: int) -> tuple[Copy, ...]:
    """Return the columns that alone tell a target on the other half of the rows, the best first.

    Of a wide table the first 500 columns are looked at, of many rows 4,000.
    """
    if len(held) < LEAST_ROWS:
        return ()
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(held))[:MOST_ROWS]
    table = take(held.table, rows)
    flat, names = Flat(table), column_names(table)
    X, half = flat(table), len(rows) // 2
    found = []
    for column, places in list(flat.places().items())[:MOST_COLUMNS]:
        scores = [_alone(X[:, places], target[rows], half, seed) for target in _targets(held)]
        if max(scores) >= ENOUGH:
            found.append(Copy(names[column], max(scores)))
    return tuple(sorted(found, key=lambda each: -each.score))


def _targets(held: Held) -> list[NDArray[Any]]:
    if held.numbers is not None:
        return list(held.numbers.T)
    assert held.classes is not None
    return [held.classes]


def _alone(X: Floats, target: NDArray[Any], half: int, seed: int) -> float:
    """Return how well a tree that has learned from the first half tells the second; 0 if there is nothing to tell."""
    learned, judged = target[:half], target[half:]
    if (learned == learned[0]).all() or (judged == judged[0]).all():
        return 0.0
    classes = target.dtype.kind == "i"
    tree: Any = (DecisionTreeClassifier if classes else DecisionTreeRegressor)(random_state=seed)
    predicted = tree.fit(X[:half], learned).predict(X[half:])
    if classes:
        return balanced_accuracy(judged, predicted == judged, int(target.max()) + 1).value
    return float(r2_score(judged, predicted))
