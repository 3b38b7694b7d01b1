"""What many columns of numbers hold, found by sorting a block of columns at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

BLOCK = 1 << 21  # values sorted at a time: 16 MB in float64, so that a wide table does not need its size once more
QUARTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
# What makes a column one of heavy tails: interquartile ranges from the median, the share of the values that lie beyond,
# and how many different values there are at least.
FAR, FAR_SHARE, MANY = 3, 0.01, 30


@dataclass(frozen=True)
class Summary:
    """Per column (P,): what is missing, whether values differ, and quantiles of the finite values.

    missing:   how many values are missing.
    differs:   whether at least two known values differ, infinite ones included.
    two:       whether the known values are finite and exactly two.
    heavy:     whether of more than 30 values over 1% lie farther from the median than 3 interquartile ranges.
    quartiles: (5, P) lowest value, quartiles and highest value; 0 where no value is finite.
    quantiles: (K, P) evenly spaced quantiles, the lowest and the highest value included; K = 0 unless asked for.
    """

    missing: NDArray[np.int64]
    differs: Flags
    two: Flags
    heavy: Flags
    quartiles: Floats
    quantiles: Floats

    def __getitem__(self, columns: NDArray[np.int64] | Flags) -> Summary:
        """Return some of the columns."""
        return Summary(*(getattr(self, field.name)[..., columns] for field in fields(self)))


def summarise(values: NDArray[np.generic], quantiles: int = 0) -> Summary:
    """Summarise the columns of `values` (rows, P), any real dtype, nan where missing.

    >>> found = summarise(np.array([[1.0, 7.0], [2.0, np.nan], [5.0, 7.0]]))
    >>> print(found.quartiles[:, 0], found.differs, found.missing)
    [1.  1.5 2.  3.5 5. ] [ True False] [0 1]
    """
    probabilities = np.concatenate([QUARTILES, np.linspace(0, 1, quantiles)])
    parts = [_summarise(block, probabilities) for block in _blocks(values)]
    if not parts:
        parts = [_summarise(np.empty((0, 1)), probabilities)]
    return Summary(
        *(np.concatenate([getattr(part, field.name) for part in parts], axis=-1) for field in fields(Summary))
    )


def _blocks(values: NDArray[np.generic]) -> Iterator[Floats]:
    """Yield blocks of columns as rows (columns, rows): new arrays, contiguous, so that a sort runs along memory."""
    rows, columns = values.shape
    width = max(1, BLOCK // max(1, rows))
    for first in range(0, columns, width):
        yield np.array(values[:, first : first + width].T, dtype=np.float64, order="C")


def _summarise(block: Floats, probabilities: Floats) -> Summary:
    rows = block.shape[1]
    infinite = np.isinf(block)
    missing = np.isnan(block).sum(axis=1)
    endless = infinite.any(axis=1)
    # An infinite value has no place in a scale; it differs from whatever is finite, and from that of the other sign.
    opposed = endless & ((block == np.inf).any(axis=1) & (block == -np.inf).any(axis=1))
    block[infinite] = np.nan
    block.sort(axis=1)  # nan to the end
    finite = rows - missing - infinite.sum(axis=1)
    found = _quantiles(block, finite, probabilities)
    lowest, highest = found[0], found[4]
    differs = (lowest < highest) | (endless & (finite > 0)) | opposed
    distinct = _distinct(block, finite)
    two = (distinct == 2) & ~endless
    heavy = (distinct > MANY) & (_far(block, found) > FAR_SHARE * finite)
    return Summary(missing, differs, two, heavy, found[:5], found[5:])


def _far(block: Floats, quartiles: Floats) -> NDArray[np.int64]:
    """Count the values of each row that lie far from its median."""
    with np.errstate(over="ignore"):
        reach = FAR * (quartiles[3] - quartiles[1])
        low, high = quartiles[2] - reach, quartiles[2] + reach
    found: NDArray[np.int64] = ((block < low[:, None]) | (block > high[:, None])).sum(axis=1)
    return found


def _quantiles(ordered: Floats, known: NDArray[np.int64], probabilities: Floats) -> Floats:
    """Interpolate quantiles (K, P) of the first `known` values of each ordered row; 0 where there are none."""
    last = np.maximum(known - 1, 0)
    at = probabilities[:, None] * last
    below = np.floor(at).astype(np.int64)
    column = np.arange(len(ordered))
    low, high = ordered[column, below], ordered[column, np.minimum(below + 1, last)]
    part = at - below
    # Written as a mean of the two, because the difference of the largest numbers is infinite.
    between = np.where(part == 0, low, low * (1 - part) + high * part)
    return np.where(known > 0, np.clip(between, low, high), 0.0)


def _distinct(ordered: Floats, known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the different values among the first `known` of each ordered row; the others are nan."""
    steps = (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1)
    # A nan differs from all before it, another nan included: as many steps as there are, unless all are.
    nans = ordered.shape[1] - known
    distinct: NDArray[np.int64] = np.where(known > 0, steps - nans + 1, 0)
    return distinct


def summarise_counts(values: Floats, counts: NDArray[np.int64]) -> Summary:
    """Summarise columns (K, P) of which each row occurs as often as `counts` (K,) says.

    >>> print(summarise_counts(np.array([[0.0], [1.0]]), np.array([30, 10])).quartiles.ravel())
    [0.   0.   0.   0.25 1.  ]
    """
    order = np.argsort(values, axis=0, kind="stable")
    ends = np.cumsum(counts[order], axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    at = np.array(QUARTILES) * (counts.sum() - 1)
    below = np.floor(at)
    low, high = (_entry(ordered, ends, rank) for rank in (below, np.ceil(at)))
    quartiles = low + (high - low) * (at - below)[:, None]
    differs = quartiles[0] < quartiles[4]
    none = np.zeros(values.shape[1], np.int64)
    return Summary(none, differs, differs, none > 0, quartiles, np.empty((0, values.shape[1])))


def _entry(ordered: Floats, ends: NDArray[np.int64], ranks: Floats) -> Floats:
    """Return for each rank (R,) the value (R, P) that stands there when each is repeated up to its end."""
    row = (ends[None, :, :] <= ranks[:, None, None]).sum(axis=1)
    return np.take_along_axis(ordered, row, axis=0)
