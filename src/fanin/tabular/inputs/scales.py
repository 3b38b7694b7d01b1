"""Scales: columns of numbers become columns that a network can start from, missing values 0.

`RobustScale` is RealMLP's: subtract the median, divide by the interquartile range, then bend what is still far out
(Holzmueller, Grinsztajn, Steinwart 2024, arXiv 2407.04491, section 3). `QuantileScale` is TabM's: each value becomes
the normal quantile of its rank (Gorishniy, Kotelnikov, Babenko 2024, arXiv 2410.24210). Both work in float64 and cast
the result, so that whole numbers beyond 2^24, where float32 no longer tells neighbours apart, keep their differences.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import TableError
from fanin.tabular.inputs.summary import Floats, Summary

FARTHEST = 1e6  # the bend is within a millionth of a millionth of 3 there, and squares are far from overflow
STEEPEST = 1e300  # so that the smallest numbers' differences do not divide by 0
CHUNK = 1 << 16  # values scaled at a time: half a MB, which stays in a core's cache over all passes
FEWEST_QUANTILES, MOST_QUANTILES, ROWS_A_QUANTILE = 10, 1000, 30  # TabM's
# Numerators and denominators of AS 241's PPND7, highest power first: within 0.425 of the median, and beyond.
CENTRE = ((59.109374720, 159.29113202, 50.434271938, 3.3871327179), (67.187563600, 78.757757664, 17.895169469, 1.0))
TAIL = ((0.17023821103, 1.3067284816, 2.7568153900, 1.4234372777), (0.12021132975, 0.73700164250, 1.0))


def smooth_clip(values: Floats) -> Floats:
    """X / sqrt(1 + (x / 3)^2): about x near 0, and never beyond +-3, however far out a value lies; in place.

    >>> print(smooth_clip(np.array([0.0, 0.25, 4.0, 1e6])).round(3))
    [0.    0.249 2.4   3.   ]
    """
    bend = values / 3
    bend *= bend
    bend += 1
    values /= np.sqrt(bend, out=bend)
    return values


@dataclass(frozen=True)
class RobustScale:
    """(x - median) / interquartile range, smoothly clipped to +-3; infinite values become the ends, missing ones 0.

    centre, factor: (P,); a factor of 0 for a column whose values do not differ.

    >>> from fanin.tabular.inputs.summary import summarise
    >>> scale = RobustScale.fit(summarise(np.array([[1.0], [2.0], [3.0], [4.0], [500.0]])))
    >>> print(scale.centre, scale.factor, scale(np.array([[3.0], [4.0], [np.inf], [np.nan]])).ravel())
    [3.] [0.5] [0.         0.49319696 3.         0.        ]
    """

    centre: Floats
    factor: Floats

    @classmethod
    def fit(cls, found: Summary) -> RobustScale:
        """Take median and quartiles; half the whole range where the quartiles are equal."""
        low, lower, median, upper, high = found.quartiles
        half = upper / 2 - lower / 2  # halves first: the whole of the largest numbers is infinite
        half = np.where(half > 0, half, high / 4 - low / 4)
        with np.errstate(divide="ignore", over="ignore"):
            # Where half the range is 0 although values differ, these are infinite, or the smallest that there are.
            factor = np.where(found.differs, np.minimum(0.5 / half, STEEPEST), 0.0)
        return cls(median.copy(), factor)

    def __call__(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Scale `values` (rows, P) of any real dtype."""
        scaled = np.empty(values.shape, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for rows in _chunks(*values.shape):
                block = np.subtract(values[rows], self.centre, dtype=np.float64)
                block *= self.factor
                np.copyto(block, 0.0, where=np.isnan(block))
                scaled[rows] = smooth_clip(np.clip(block, -FARTHEST, FARTHEST, out=block))
        return scaled

    def __getitem__(self, columns: NDArray[np.int64] | NDArray[np.bool_]) -> RobustScale:
        """Return the scale of some of the columns."""
        return RobustScale(self.centre[columns], self.factor[columns])

    def to_dict(self) -> dict[str, Any]:
        """Return numbers in lists, as JSON takes them."""
        return {"kind": "robust", "centre": self.centre.tolist(), "factor": self.factor.tolist()}


@dataclass(frozen=True)
class QuantileScale:
    """The normal quantile of a value's rank among the training rows, within +-5.2; missing values become 0.

    quantiles: (K, P), K evenly spaced quantiles of each column. Between two of them the rank is interpolated; a value
    that fills several of them gets the middle of their ranks.
    """

    quantiles: Floats

    @staticmethod
    def count(rows: int) -> int:
        """How many quantiles TabM takes for so many rows.

        >>> QuantileScale.count(50), QuantileScale.count(3000), QuantileScale.count(10**6)
        (10, 100, 1000)
        """
        return max(min(rows // ROWS_A_QUANTILE, MOST_QUANTILES), FEWEST_QUANTILES)

    @classmethod
    def fit(cls, found: Summary) -> QuantileScale:
        """Take the quantiles that were asked of `summarise`."""
        return cls(found.quantiles.copy())

    def __call__(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Scale `values` (rows, P) of any real dtype."""
        scaled = np.empty(values.shape, np.float32)
        for columns in _chunks(values.shape[1], values.shape[0]):
            # Columns as rows of a block of their own: a walk down a wide table meets another page in every row.
            block = np.array(values[:, columns].T, np.float64, order="C")
            for row, quantiles in zip(block, self.quantiles[:, columns].T, strict=True):
                row[:] = _rank(row, quantiles)
            scaled[:, columns] = np.nan_to_num(normal_quantile(block), nan=0.0).T
        return scaled

    def __getitem__(self, columns: NDArray[np.int64] | NDArray[np.bool_]) -> QuantileScale:
        """Return the scale of some of the columns."""
        return QuantileScale(self.quantiles[:, columns])

    def to_dict(self) -> dict[str, Any]:
        """Return numbers in lists, as JSON takes them."""
        return {"kind": "quantile", "quantiles": self.quantiles.tolist()}


Scale = RobustScale | QuantileScale


def scale_from_dict(state: dict[str, Any]) -> Scale:
    """Return the scale whose `to_dict` gave `state`."""
    if state["kind"] == "robust":
        return RobustScale(np.array(state["centre"], np.float64), np.array(state["factor"], np.float64))
    if state["kind"] == "quantile":
        quantiles = np.array(state["quantiles"], np.float64)
        return QuantileScale(quantiles if quantiles.ndim == 2 else quantiles.reshape(len(quantiles), -1))
    raise TableError(f'a saved scale is "robust" or "quantile", not {state["kind"]!r}')


def normal_quantile(ranks: Floats) -> Floats:
    """Return the quantiles of the standard normal distribution at `ranks` in [0, 1], within +-5.2.

    Right to seven digits: algorithm AS 241, PPND7 (Wichura 1988, Applied Statistics 37, 477-484). The error function's
    inverse, which is right to all digits, takes several times as long as all else that is done to a table.

    >>> print(normal_quantile(np.array([0.0, 0.025, 0.5, 1.0])).round(4))
    [-5.1993 -1.96    0.      5.1993]
    """
    off = ranks - 0.5
    bent = 0.180625 - off * off
    quantiles: Floats = off * np.polyval(CENTRE[0], bent) / np.polyval(CENTRE[1], bent)
    tail = np.abs(off) > 0.425
    outer = off[tail]
    depth = np.sqrt(-np.log(np.maximum(0.5 - np.abs(outer), 1e-7))) - 1.6
    quantiles[tail] = np.copysign(np.polyval(TAIL[0], depth) / np.polyval(TAIL[1], depth), outer)
    return quantiles


def _rank(values: Floats, quantiles: Floats) -> Floats:
    """Return where values lie among evenly spaced quantiles, from 0 to 1; nan for nan."""
    ranks = np.linspace(0, 1, len(quantiles))
    upper = np.interp(values, quantiles, ranks)
    if (np.diff(quantiles) > 0).all():
        return upper
    # From the other side a value that fills several quantiles gets the lowest of their ranks.
    lower = -np.interp(-values, -quantiles[::-1], -ranks[::-1])
    return (lower + upper) / 2


def _chunks(lines: int, width: int) -> Iterator[slice]:
    # Eight at least: in an array with columns in one piece, so many neighbours share a line of the cache.
    step = max(8, CHUNK // max(1, width))
    for first in range(0, lines, step):
        yield slice(first, first + step)
