"""How far predictions may go, learned from rows that were held out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEWEST = 20  # rows that stand behind an end of the range: as many as a leaf of LightGBM's trees has at least


def reach(
    predicted: NDArray[np.float64],
    numbers: NDArray[np.float64],
    low: float,
    high: float,
    weights: NDArray[np.float64] | None = None,
) -> tuple[float, float]:
    r"""Return the range that predictions are held to: that of the numbers, or, where rows say so, less.

    The upper end is the mean number of the k rows that are predicted highest,

    .. math:: c = \frac{1}{k} \sum_{i \le k} y_{(i)}, \quad \hat y_{(1)} \ge \hat y_{(2)} \ge \dots

    with the least k, of 20 and more, for which the next row is predicted below it, :math:`\hat y_{(k + 1)} \le c`,
    as isotonic regression levels the end of a curve out. It is taken where it makes the squared error of the held-out
    rows smaller, and the lower end likewise. A network goes on in a straight line beyond its rows: of the three houses
    in ames that are far larger than all others, and were sold for a quarter of what their size suggests, two may be
    among those to be predicted.

    Args:
        predicted: for the held-out rows, by networks that did not learn from them, (rows,).
        numbers: what came, (rows,).
        low, high: the range of all numbers.
        weights: of the rows.

    >>> x = np.arange(100.0)
    >>> reach(x, np.minimum(x, 70.0), 0.0, 99.0)  # what is predicted above 70 comes true no more
    (0.0, 70.0)
    >>> reach(x, x, 0.0, 99.0)
    (0.0, 99.0)
    """
    weights = np.ones(len(numbers)) if weights is None else weights
    top = _end(predicted, numbers, weights)
    bottom = -_end(-predicted, -numbers, weights)
    return max(low, bottom), min(high, top)


def _end(predicted: NDArray[np.float64], numbers: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the upper end; infinity where none makes the error smaller."""
    if len(numbers) <= FEWEST:
        return np.inf
    order = np.argsort(-predicted, kind="stable")
    ahead, came, weight = predicted[order], numbers[order], weights[order]
    means = np.cumsum(weight * came) / np.cumsum(weight)
    # Of the first k rows: the next one is predicted below their mean.
    settled = np.flatnonzero(means[FEWEST - 1 : -1] >= ahead[FEWEST:])
    if not len(settled):
        return np.inf
    end = float(means[FEWEST - 1 + settled[0]])
    held = np.minimum(ahead, end)
    return end if np.sum(weight * (held - came) ** 2) < np.sum(weight * (ahead - came) ** 2) else np.inf
