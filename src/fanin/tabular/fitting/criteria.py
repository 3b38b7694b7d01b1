"""What epochs are compared by, on the validation rows: functions of (outputs, targets, weights), the lower the better.

Outputs are what a network returns, as an array: (rows, outputs), or (rows, k, outputs) of members.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Criterion = Callable[[Array, Array, Array | None], float]


def log_probabilities(logits: Array) -> Array:
    """Return log softmax over the last dimension, of members' the log of their mean probability: (rows, classes).

    >>> log_probabilities(np.array([[0.0, 0.0]])).round(4).tolist()
    [[-0.6931, -0.6931]]
    >>> log_probabilities(np.array([[[0.0, 50.0], [50.0, 0.0]]])).round(4).tolist()
    [[-0.6931, -0.6931]]
    """
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    logs: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    if logs.ndim == 2:
        return logs
    top = logs.max(axis=1)
    mean: Array = top + np.log(np.exp(logs - top[:, None]).mean(axis=1))
    return mean


def log_loss(outputs: Array, classes: Array, weights: Array | None = None) -> float:
    """Return the mean of -log p of the right classes.

    >>> round(log_loss(np.zeros((1, 2)), np.array([1])), 4)
    0.6931
    """
    losses = -log_probabilities(outputs)[np.arange(len(classes)), classes]
    return float(np.average(losses, weights=weights))


def squared_error(outputs: Array, numbers: Array, weights: Array | None = None) -> float:
    """Return the mean squared error; of members', that of their mean.

    >>> squared_error(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]]))
    2.0
    """
    means = outputs.mean(axis=1) if outputs.ndim == 3 else outputs
    return float(np.average(((means - numbers) ** 2).mean(axis=1), weights=weights))


def moderate_squared_error(outputs: Array, numbers: Array, weights: Array | None = None) -> float:
    """Return the mean squared error in which the largest hundredth of the rows counts as the largest of the others.

    One row that is unlike all others otherwise decides which epoch is best: on ames, where a house of 600,000 by its
    size was sold for 160,000, the sixth of sixty. With up to 100 rows, one of them is held down.

    >>> moderate_squared_error(np.zeros((3, 1)), np.array([[1.0], [2.0], [100.0]]))
    3.0
    """
    means = outputs.mean(axis=1) if outputs.ndim == 3 else outputs
    squares = ((means - numbers) ** 2).mean(axis=1)
    rank = len(squares) - 1 - -(-len(squares) // 100)
    if rank >= 0:
        squares = np.minimum(squares, np.partition(squares, rank)[rank])
    return float(np.average(squares, weights=weights))


def explained(outputs: Array, numbers: Array, weights: Array | None = None) -> float:
    """Return R2, of several targets the mean of theirs: what a reader is told, while epochs are chosen by others.

    >>> explained(np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [2.0], [3.0]]))
    0.5
    """
    means = outputs.mean(axis=1) if outputs.ndim == 3 else outputs
    centre = np.average(numbers, axis=0, weights=weights)
    errors, spread = (
        np.average((numbers - other) ** 2, axis=0, weights=weights) for other in (means.astype(np.float64), centre)
    )
    return float(np.mean(1 - errors / np.where(spread > 0, spread, np.nan)))


def pinball(levels: tuple[float, ...]) -> Criterion:
    """Return the criterion of quantiles of these levels: the mean of max(q e, (q - 1) e), e = y - output.

    >>> pinball((0.9,))(np.array([[0.0]]), np.array([[2.0]]))
    1.8
    """
    at = np.array(levels)

    def criterion(outputs: Array, numbers: Array, weights: Array | None = None) -> float:
        means = outputs.mean(axis=1) if outputs.ndim == 3 else outputs
        error = numbers - means
        return float(np.average(np.maximum(at * error, (at - 1) * error).mean(axis=1), weights=weights))

    return criterion
