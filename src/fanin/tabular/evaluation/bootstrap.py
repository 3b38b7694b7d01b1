"""Intervals of measures: rows are drawn with replacement, the same ones for all measures, which pairs differences.

B. Efron, R. Tibshirani, "An introduction to the bootstrap", 1993, chapters 13 and 16.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from fanin.tabular.evaluation.measures import Floats, Measure

MOST, LEAST = 2000, 200  # resamples
WORK = 10**8  # rows that are drawn in all
AT_ONCE = 2 * 10**6
ENDS = (0.025, 0.975)


def resamples_for(rows: int) -> int:
    """Return how many resamples are drawn: 2,000, for more than 50,000 rows fewer.

    >>> resamples_for(1_000), resamples_for(200_000), resamples_for(10**7)
    (2000, 500, 200)
    """
    return int(np.clip(WORK // max(rows, 1), LEAST, MOST))


def resampled(measures: Sequence[Measure], rows: int, seed: int, weights: Floats | None = None) -> Floats:
    """Return the measures on resamples of the rows, (resamples, measures); a row weighs the same in each of them."""
    rng = np.random.default_rng(seed)
    found = []
    for drawn in _drawn(rows, resamples_for(rows), rng):
        held = drawn if weights is None else drawn * weights
        total = float(rows) if weights is None else held.sum(axis=1, keepdims=True)
        found.append(np.stack([each.finish(held @ each.rows / total) for each in measures], axis=1))
    return np.concatenate(found)


def _drawn(rows: int, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield how often each resample has each row, (some resamples, rows)."""
    some = max(1, AT_ONCE // rows)
    for start in range(0, resamples, some):
        count = min(some, resamples - start)
        drawn = rng.integers(0, rows, (count, rows)) + rows * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows).astype(np.float64)


def interval_of(measure: Measure, drawn: Floats) -> tuple[float, float]:
    """Return the 95% interval of a measure, from its values on resamples.

    percentile: their quantiles.
    basic:      twice the value less these, which sets a bias right.
    wilson:     of a share of the rows, from their number alone: where all rows are right, resamples are, too.
    """
    if measure.interval == "wilson":
        return wilson(measure.value, effective(measure.weights, len(measure.rows)))
    low, high = quantiles(drawn)
    if measure.interval == "basic":
        low, high = 2 * measure.value - high, 2 * measure.value - low
    return float(np.clip(low, *measure.limits)), float(np.clip(high, *measure.limits))


def quantiles(drawn: Floats) -> tuple[float, float]:
    """Return what lies between 2.5% of the values on either side; nan where there are none."""
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, ENDS)
    return float(low), float(high)


def effective(weights: Floats | None, rows: int) -> float:
    r"""Return how many rows of equal weight tell as much of a mean, :math:`(\sum_i w_i)^2 / \sum_i w_i^2`.

    L. Kish, "Survey sampling", 1965, section 11.7.

    >>> effective(None, 3), effective(np.array([1.0, 1.0, 0.0]), 3)
    (3.0, 2.0)
    """
    return float(rows) if weights is None else float(weights.sum() ** 2 / (weights**2).sum())


def wilson(share: float, rows: float) -> tuple[float, float]:
    """Return the 95% interval of a share of so many rows.

    E. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    >>> wilson(0.5, 100)  # doctest: +ELLIPSIS
    (0.4038..., 0.5961...)
    >>> wilson(1.0, 20)  # doctest: +ELLIPSIS
    (0.8388..., 1.0)
    """
    z = float(norm.ppf(ENDS[1]))
    centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    reach = z / (1 + z**2 / rows) * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    return float(centre - reach) if share > 0 else 0.0, float(centre + reach) if share < 1 else 1.0


def lead_of(ours: Floats, theirs: Floats, better: str) -> NDArray[np.float64]:
    """Return by how much we are better."""
    return theirs - ours if better == "lower" else ours - theirs
