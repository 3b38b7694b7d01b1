"""Which rows a network learns from, and which judge it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import ArgumentError

Rows = NDArray[np.int64]


def hold_out(rows: int, share: float, rng: np.random.Generator, classes: Rows | None = None) -> list[tuple[Rows, Rows]]:
    """Return one pair (rows to learn from, rows to judge by).

    Classes keep their shares; a class of one row is learned from. Both parts have at least one row.

    Raises ValueError for fewer than two rows, or a share outside (0, 1).

    >>> (learned, judged), = hold_out(10, 0.2, np.random.default_rng(0))
    >>> len(learned), len(judged), len({*learned, *judged})
    (8, 2, 10)
    """
    if not 0 < share < 1:
        raise ArgumentError(f"the share of rows that is held out must lie between 0 and 1, not {share}")
    if rows < 2:
        raise ArgumentError(f"a table needs at least 2 rows to learn from, but got n_samples = {rows}, 1 sample")
    dealt = _dealt(rows, rng, classes)
    count = min(rows - 1, max(1, round(rows * share)))
    # Every (1 / share)-th of the rows in order of their classes: each class gives its share, give or take one row.
    places = np.floor((np.arange(count) + 0.5) * rows / count).astype(np.int64)
    judged = np.zeros(rows, bool)
    judged[dealt[places]] = True
    if classes is not None:
        _leave_one(judged, classes)
    if not judged.any():
        judged[dealt[places[:1]]] = True
    return [(np.flatnonzero(~judged), np.flatnonzero(judged))]


def folds(rows: int, count: int, rng: np.random.Generator, classes: Rows | None = None) -> list[tuple[Rows, Rows]]:
    """Return `count` pairs (rows to learn from, rows to judge by), in which each row judges once.

    Classes are dealt out evenly. With fewer rows than folds there are as many folds as rows. All networks learn from
    the same number of rows, so that their steps are compiled once; a row may have to be left out for it.

    >>> parts = folds(10, 3, np.random.default_rng(0))
    >>> [(len(learned), len(judged)) for learned, judged in parts]
    [(6, 4), (6, 3), (6, 3)]
    """
    count = min(count, rows)
    if count < 2:
        raise ArgumentError(f"folds need at least 2 rows and 2 folds, but got n_samples = {rows}, {count} fold")
    number = np.empty(rows, np.int64)
    number[_dealt(rows, rng, classes)] = np.arange(rows) % count
    size = rows - -(-rows // count)
    return [(np.flatnonzero(number != i)[:size], np.flatnonzero(number == i)) for i in range(count)]


def _dealt(rows: int, rng: np.random.Generator, classes: Rows | None) -> Rows:
    """Return the rows in random order, class after class."""
    order = rng.permutation(rows)
    return order if classes is None else order[np.argsort(classes[order], kind="stable")]


def _leave_one(judged: NDArray[np.bool_], classes: Rows) -> None:
    """Take rows of classes that would not be learned at all back from the judges."""
    learned = np.bincount(classes, ~judged, minlength=int(classes.max()) + 1)
    judged &= learned[classes] > 0
