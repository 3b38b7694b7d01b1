"""Which rows a network learns from, and which judge it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import ArgumentError

Rows = NDArray[np.int64]
Splits = list[tuple[Rows, Rows]]
_NEARLY = 0.01  # of the rows that may be left out, for one compilation to serve all networks


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


def folds_of(
    cv: Any,
    X: Any,
    target: NDArray[Any],
    rng: np.random.Generator,
    classes: Rows | None = None,
    groups: Any = None,
    kept: Rows | None = None,
) -> Splits:
    """Return the splits that a user has asked for.

    Args:
        cv: how many folds, a splitter of scikit-learn, or pairs of row numbers.
        X, target: the rows, for a splitter that looks at them.
        rng: deals rows out where cv is a number.
        classes: of the rows; folds keep their shares where cv is a number.
        groups: of the rows; where cv is a number, no group is both learned from and judged by.
        kept: the numbers that the rows have in the user's table, to which given pairs refer; None where it is the same.

    Raises ValueError for fewer than two folds, for what yields no splits, and for splits that name no row, or none of
    the table's.
    """
    if isinstance(cv, (bool, str)) or cv is None or not (isinstance(cv, (int, np.integer, Iterable)) or _splits(cv)):
        raise ArgumentError(f"cv must be a number of folds, a splitter of scikit-learn or a list of splits, not {cv!r}")
    rows = len(target)
    if isinstance(cv, (int, np.integer)):
        if cv < 2:
            raise ArgumentError(f"cv must be 2 folds or more, not {cv}")
        if groups is None:
            return folds(rows, int(cv), rng, classes)
        return folds_of_groups(groups, int(cv), rng, classes)
    pairs = cv.split(X, target if classes is None else classes, groups) if _splits(cv) else cv
    found = [(_numbers(learned), _numbers(judged)) for learned, judged in pairs]
    if kept is not None and not _splits(cv):
        found = [(_places(learned, kept), _places(judged, kept)) for learned, judged in found]
    _check(found, rows)
    return _of_one_size(found)


def folds_of_groups(groups: Any, count: int, rng: np.random.Generator, classes: Rows | None = None) -> Splits:
    """Return folds of whole groups, each of which judges once; classes keep their shares as far as groups let them.

    With fewer groups than folds there are as many folds as groups.

    >>> groups = np.array([0, 0, 1, 1, 2, 2])
    >>> sorted(groups[judged].tolist() for _, judged in folds_of_groups(groups, 3, np.random.default_rng(0)))
    [[0, 0], [1, 1], [2, 2]]
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    groups, seed = np.asarray(groups), int(rng.integers(2**31))
    count = min(count, len(np.unique(groups)))
    if count < 2:
        raise ArgumentError("folds of groups need at least 2 groups, but all rows are of 1 group")
    # Stratified folds need as many rows of a class as there are folds.
    even = classes is not None and np.bincount(classes).max() >= count
    splitter = (StratifiedGroupKFold if even else GroupKFold)(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        pairs = splitter.split(np.zeros((len(groups), 1)), classes if even else None, groups)
        found = [(_numbers(learned), _numbers(judged)) for learned, judged in pairs]
    return _of_one_size([pair for pair in found if len(pair[0]) and len(pair[1])])


def hold_out_groups(groups: Any, share: float, rng: np.random.Generator) -> Splits:
    """Return one pair of (rows to learn from, rows to judge by) that have no group in common.

    >>> groups = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    >>> (learned, judged), = hold_out_groups(groups, 0.25, np.random.default_rng(0))
    >>> len(judged), {*groups[learned]} & {*groups[judged]}
    (2, set())
    """
    if not 0 < share < 1:
        raise ArgumentError(f"the share of rows that is held out must lie between 0 and 1, not {share}")
    names, number = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        raise ArgumentError("rows to judge by need a group of their own, but all rows are of 1 group")
    order = rng.permutation(len(names))
    rows = np.cumsum(np.bincount(number)[order])
    # The groups whose rows come nearest to the share, one at least and not all.
    count = 1 + int(np.argmin(np.abs(rows[:-1] - share * len(number))))
    judged = np.isin(number, order[:count])
    return [(np.flatnonzero(~judged), np.flatnonzero(judged))]


def spread(values: NDArray[np.float64], judged: Rows, rows: int) -> NDArray[np.float64]:
    """Return what was predicted for each of all rows: the mean where one was judged several times, NaN where never.

    >>> spread(np.array([[1.0], [2.0], [4.0]]), np.array([2, 0, 2]), 3).ravel().tolist()
    [2.0, nan, 2.5]
    """
    total = np.zeros((rows, values.shape[1]))
    np.add.at(total, judged, values)
    times = np.bincount(judged, minlength=rows)[:, None]
    with np.errstate(invalid="ignore"):
        return np.where(times > 0, total / times, np.nan)


# How splits are looked at and cut -------------------------------------------------------------------------------------


def _splits(cv: Any) -> bool:
    return callable(getattr(cv, "split", None))


def _numbers(rows: Any) -> Rows:
    """Return row numbers; flags of all rows are read as such."""
    found = np.asarray(rows)
    return np.flatnonzero(found) if found.dtype == bool else found.astype(np.int64)


def _places(rows: Rows, kept: Rows) -> Rows:
    """Return where rows of the user's table are among those that are kept; others drop out."""
    places = np.minimum(np.searchsorted(kept, rows), len(kept) - 1)
    found: Rows = places[kept[places] == rows]
    return found


def _check(found: Splits, rows: int) -> None:
    if not found:
        raise ArgumentError("cv yields no splits")
    for number, (learned, judged) in enumerate(found, 1):
        for name, part in (("learns from", learned), ("is judged by", judged)):
            if not len(part):
                raise ArgumentError(f"split {number} of cv {name} no row")
            strange = part[(part < 0) | (part >= rows)]
            if len(strange):
                raise ArgumentError(f"split {number} of cv {name} row {strange[0]}, but the table has {rows} rows")


def _of_one_size(found: Splits) -> Splits:
    """Leave single rows out where that makes all networks learn from as many: their steps are compiled once then."""
    sizes = [len(learned) for learned, _ in found]
    least = min(sizes)
    if max(sizes) - least > max(1, _NEARLY * least) or least < 2:
        return found
    return [(learned[:least], judged) for learned, judged in found]


def _dealt(rows: int, rng: np.random.Generator, classes: Rows | None) -> Rows:
    """Return the rows in random order, class after class."""
    order = rng.permutation(rows)
    return order if classes is None else order[np.argsort(classes[order], kind="stable")]


def _leave_one(judged: NDArray[np.bool_], classes: Rows) -> None:
    """Take rows of classes that would not be learned at all back from the judges."""
    learned = np.bincount(classes, ~judged, minlength=int(classes.max()) + 1)
    judged &= learned[classes] > 0
