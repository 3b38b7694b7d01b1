"""Permutation importance: how much worse a model gets when the values of one column are shuffled.

L. Breiman, "Random forests", Machine Learning 45 (2001), section 10.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fanin.tabular.evaluation.measures import Floats
from fanin.tabular.evaluation.records import ColumnImportance, Importance
from fanin.tabular.evaluation.tables import column_names, take, with_shuffled

REPEATS, LEAST_REPEATS = 5, 2
WORK = 200_000  # rows that are predicted in all
LEAST_ROWS = 200


def effort(rows: int, columns: int) -> tuple[int, int]:
    """Return how many rows are used, and how often each column is shuffled, to keep the work within bounds.

    >>> effort(1_000, 10), effort(100_000, 10), effort(100_000, 300), effort(100_000, 5_000)
    ((1000, 5), (4000, 5), (333, 2), (200, 2))
    """
    repeats = REPEATS if WORK // (columns * REPEATS) >= min(rows, 500) else LEAST_REPEATS
    return min(rows, max(LEAST_ROWS, WORK // (columns * repeats))), repeats


def permutation_importance(
    X: Any, loss: Callable[[Any, Any], float], measure: str, seed: int, progress: Callable[[str], None]
) -> Importance:
    """Return by how much a loss rises for each column.

    Args:
        X: the held-out table.
        loss: of a table and the numbers of the rows of X that are its rows.
        measure: the loss's name.
        seed: of the rows chosen and the orders.
        progress: told of each column.
    """
    names, rng = column_names(X), np.random.default_rng(seed)
    rows, repeats = effort(len(X), len(names))
    chosen = np.sort(rng.choice(len(X), rows, replace=False))
    table = take(X, chosen)
    before = loss(table, chosen)
    rises = np.empty((len(names), repeats))
    for column, name in enumerate(names):
        progress(f"importance of column {column + 1} of {len(names)}: {name}")
        for repeat in range(repeats):
            rises[column, repeat] = loss(with_shuffled(table, column, rng.permutation(rows)), chosen) - before
    return Importance(measure, rows, repeats, _sorted(names, rises))


def _sorted(names: tuple[str, ...], rises: Floats) -> tuple[ColumnImportance, ...]:
    means, spreads = rises.mean(axis=1), rises.std(axis=1, ddof=1)
    useful = np.maximum(means, 0.0)
    shares = useful / useful.sum() if useful.sum() > 0 else useful
    order = np.argsort(-means, kind="stable")
    return tuple(ColumnImportance(names[i], float(means[i]), float(spreads[i]), float(shares[i])) for i in order)
