"""Where things are in an order: running extremes, the most frequent, places in a sorted sequence.

All of these are positions or truths, and have no derivative; values are gathered at the positions with one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import ShapeError
from fanin.ops.op import Op, Spec, define

_INT64, _BOOL = np.dtype(np.int64), np.dtype(np.bool_)


def _running_extreme(x: Any, *, dim: int, largest: bool) -> Any:
    reached = x == (np.maximum if largest else np.minimum).accumulate(x, axis=dim)
    if x.dtype.kind == "f":
        reached |= np.isnan(x)
    shape = [-1 if axis == dim else 1 for axis in range(x.ndim)]
    places = np.where(reached, np.arange(x.shape[dim]).reshape(shape), 0)
    return np.maximum.accumulate(places, axis=dim)


# The position of the largest, or smallest, element so far; of the later one among equals.
running_extreme: Op = define("running_extreme", _running_extreme, lambda x, **_: Spec(x.shape, _INT64))


def _most_frequent(x: Any, *, dim: int) -> Any:
    moved = np.moveaxis(x, dim, -1)
    index = np.empty(moved.shape[:-1], np.int64)
    for place in np.ndindex(index.shape):
        row = moved[place]
        found, counts = np.unique(row[row == row], return_counts=True)  # no nan equals another
        index[place] = np.flatnonzero(row == found[counts.argmax()])[-1] if found.size else 0
    return np.expand_dims(index, dim)


# The last position of the most frequent element, the smallest of equally frequent ones; dim stays with size 1.
most_frequent: Op = define(
    "most_frequent",
    _most_frequent,
    lambda x, *, dim: Spec((*x.shape[:dim], 1, *x.shape[dim + 1 :]), _INT64),
)


def _isin_spec(x: Spec, tests: Spec, *, invert: bool) -> Spec:
    return Spec(x.shape, _BOOL)


# Whether each element is among the tests.
isin: Op = define("isin", lambda x, tests, *, invert: np.isin(x, tests, invert=invert), _isin_spec)


def _winners_of(rows: Any, bag_of: Any, counted: Any, *, count: int) -> Any:
    winners = np.full((count, rows.shape[1]), len(rows))
    for bag in range(count):
        members = np.flatnonzero((bag_of == bag) & counted)
        if members.size:
            winners[bag] = members[np.argmax(rows[members], axis=0)]
    return winners


# In each column the row with the largest element of those of a bag that count; the number of rows where none does.
winners_of: Op = define("winners_of", _winners_of, lambda rows, *_, count: Spec((count, rows.shape[1]), _INT64))

# A sorted sequence ----------------------------------------------------------------------------------------------------


def _searchsorted_spec(keys: Spec, values: Spec, *, side: str) -> Spec:
    if keys.ndim != 1 and values.ndim and keys.shape[:-1] != values.shape[:-1]:
        raise ShapeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
            f"tensor and input value tensor must match, but we got boundaries tensor {list(keys.shape)} and input "
            f"value tensor {list(values.shape)}"
        )
    return Spec(values.shape, _INT64)


def _searchsorted(keys: Any, values: Any, *, side: Any) -> Any:
    if keys.ndim == 1 or not values.ndim:
        return np.asarray(np.searchsorted(keys, values, side=side), np.int64)
    _searchsorted_spec(Spec.of(keys), Spec.of(values), side=side)
    found = np.empty(values.shape, np.int64)
    for row in np.ndindex(keys.shape[:-1]):
        found[row] = np.searchsorted(keys[row], values[row], side=side)
    return found


# Where each value would be put into a sorted sequence: before ("left") or behind ("right") equal elements.
searchsorted: Op = define("searchsorted", _searchsorted, _searchsorted_spec)
