"""Quantiles and intervals that cover as many held-out rows as they say."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def upper(scores: NDArray[Any], level: float, weights: NDArray[Any] | None = None) -> float:
    r"""Return the conformal quantile of scores: the smallest that at least ceil((n + 1) level) of them do not exceed.

    With weights, the smallest below which lies the share `level` of all weight, that of a new row (the mean) included.
    Where there are too few rows for that, the largest score is returned.

    A. Angelopoulos, S. Bates, "A gentle introduction to conformal prediction", arXiv 2107.07511, section 1.

    >>> upper(np.arange(1.0, 10.0), 0.5), upper(np.arange(1.0, 10.0), 0.95)
    (5.0, 9.0)
    """
    order = np.argsort(scores, kind="stable")
    held = np.ones(len(scores)) if weights is None else np.asarray(weights, np.float64)
    reached = np.cumsum(held[order])
    wanted = level * (reached[-1] + held.mean())
    place = int(np.searchsorted(reached, wanted - 1e-9 * reached[-1]))
    return float(scores[order[min(place, len(scores) - 1)]])


def quantile(errors: NDArray[Any], level: float, weights: NDArray[Any] | None = None) -> float:
    """Return the conformal quantile of errors from the side on which it leaves fewer of them: above the middle `upper`.

    Between those of the levels q and 1 - q so lie at least 1 - 2 q of new rows, and changed signs change its sign.

    >>> errors = np.arange(1.0, 10.0)
    >>> [quantile(errors, level) for level in (0.25, 0.5, 0.75)], -quantile(-errors, 0.25)
    ([2.0, 5.0, 8.0], 8.0)
    """
    if level > 0.5:
        return upper(errors, level, weights)
    low = -upper(-errors, 1 - level, weights)
    return low if level < 0.5 else (low + upper(errors, level, weights)) / 2


def shifts(
    predicted: NDArray[Any], numbers: NDArray[Any], levels: tuple[float, ...], weights: NDArray[Any] | None = None
) -> NDArray[np.float64]:
    """Return what has to be added to each predicted quantile so that it covers its share of the held-out rows.

    Args:
        predicted: (rows, levels).
        numbers: what came, (rows,).
        levels: of the quantiles.

    >>> numbers = np.arange(1.0, 100.0)
    >>> shifts(np.zeros((99, 2)), numbers, (0.1, 0.9)).tolist()
    [10.0, 90.0]
    """
    errors = numbers[:, None] - predicted
    return np.array([quantile(errors[:, i], level, weights) for i, level in enumerate(levels)])


def widening(
    low: NDArray[Any], high: NDArray[Any], numbers: NDArray[Any], coverage: float, weights: NDArray[Any] | None = None
) -> float:
    """Return by how much intervals have to grow at both ends to cover their share of the held-out rows.

    Y. Romano, E. Patterson, E. Candes, "Conformalized quantile regression", arXiv 1905.03222, eq. 6 to 8.

    >>> widening(np.zeros(99), np.zeros(99), np.arange(1.0, 100.0), 0.9)
    90.0
    """
    return upper(np.maximum(low - numbers, numbers - high), coverage, weights)
