"""Permutation importance: how much worse a model gets when the values of one column are shuffled.

L. Breiman, "Random forests", Machine Learning 45 (2001), section 10.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.tabular.evaluation.measures import Floats
from fanin.tabular.evaluation.records import ColumnImportance, Importance
from fanin.tabular.evaluation.tables import column_names, take, with_shuffled

REPEATS, LEAST_REPEATS = 5, 2
ENOUGH_ROWS, LEAST_ROWS = 500, 200
ROWS, CELLS = (
    100_000,
    10_000_000,
)  # that are predicted in all, at most: seconds with small networks, a minute with large
GROUPS, LEAST_LOOKS = 8, 24  # of columns in a wide table: to begin with, and to look at in all


@dataclass(frozen=True)
class Effort:
    """What importance is measured by.

    looks: how many columns, or groups of columns, are shuffled; fewer than there are columns in a wide table.
    """

    rows: int
    repeats: int
    looks: int


def effort(rows: int, columns: int) -> Effort:
    """Return how many rows are used and how often each column is shuffled, to keep the work within bounds.

    >>> effort(1_000, 10), effort(100_000, 10)
    (Effort(rows=1000, repeats=5, looks=10), Effort(rows=2000, repeats=5, looks=10))
    >>> effort(100_000, 100), effort(100_000, 1000)
    (Effort(rows=500, repeats=2, looks=100), Effort(rows=200, repeats=2, looks=25))
    """
    for repeats, enough in ((REPEATS, ENOUGH_ROWS), (LEAST_REPEATS, LEAST_ROWS)):
        looks = columns * repeats
        possible = min(rows, ROWS // looks, CELLS // (looks * columns))
        if possible >= min(rows, enough):
            return Effort(possible, repeats, columns)
    used = min(rows, LEAST_ROWS)
    looks = max(LEAST_LOOKS, CELLS // (used * columns * LEAST_REPEATS))
    return Effort(used, LEAST_REPEATS, min(looks, columns))


def permutation_importance(
    X: Any, loss: Callable[[Any, Any], float], measure: str, seed: int, progress: Callable[[str], None]
) -> Importance:
    """Return by how much a loss rises for each column; of a wide table, for those that matter most.

    Args:
        X: the held-out table.
        loss: of a table and the numbers of the rows of X that are its rows.
        measure: the loss's name.
        seed: of the rows chosen and the orders.
        progress: told of each column.
    """
    names, rng = column_names(X), np.random.default_rng(seed)
    plan = effort(len(X), len(names))
    chosen = np.sort(rng.choice(len(X), plan.rows, replace=False))
    table = take(X, chosen)
    before = loss(table, chosen)

    def rises(columns: list[int]) -> Floats:
        orders = (rng.permutation(plan.rows) for _ in range(plan.repeats))
        return np.array([loss(with_shuffled(table, columns, order), chosen) - before for order in orders])

    if plan.looks == len(names):
        found = _one_by_one(names, rises, progress)
    else:
        found = _most_important(len(names), plan.looks, rises, progress)
    return Importance(measure, plan.rows, plan.repeats, _sorted(names, found), len(names) - len(found))


def _one_by_one(
    names: tuple[str, ...], rises: Callable[[list[int]], Floats], progress: Callable[[str], None]
) -> dict[int, Floats]:
    found = {}
    for column, name in enumerate(names):
        progress(f"importance of column {column + 1} of {len(names)}: {name}")
        found[column] = rises([column])
    return found


def _most_important(
    columns: int, looks: int, rises: Callable[[list[int]], Floats], progress: Callable[[str], None]
) -> dict[int, Floats]:
    """Return the columns that stand alone once the group that matters most has been halved again and again."""
    found: dict[int, Floats] = {}
    waiting: list[tuple[float, list[int]]] = []
    looked = 0

    def look(group: NDArray[np.int64]) -> None:
        nonlocal looked
        looked += 1
        progress(f"importance, group {looked} of {looks}: {len(group)} of {columns} columns")
        rise = rises(group.tolist())
        if len(group) == 1:
            found[int(group[0])] = rise
        else:
            heapq.heappush(waiting, (-float(rise.mean()), group.tolist()))

    for group in np.array_split(np.arange(columns), GROUPS):
        look(group)
    while waiting and looked + 2 <= looks:
        _, columns_of = heapq.heappop(waiting)
        for half in np.array_split(np.array(columns_of), 2):
            look(half)
    return found


def _sorted(names: tuple[str, ...], found: dict[int, Floats]) -> tuple[ColumnImportance, ...]:
    means = {column: float(rises.mean()) for column, rises in found.items()}
    whole = sum(max(mean, 0.0) for mean in means.values())
    order = sorted(means, key=lambda column: (-means[column], column))
    return tuple(
        ColumnImportance(
            names[column],
            means[column],
            float(found[column].std(ddof=1)),
            max(means[column], 0.0) / whole if whole > 0 else 0.0,
        )
        for column in order
    )
