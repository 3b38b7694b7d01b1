"""Scores of predictions on rows that training did not see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fanin.tabular.columns import Floats, Rows


@dataclass(frozen=True)
class NumberScores:
    """How far predicted numbers are off: R2, root mean square error and mean absolute error."""

    r2: float
    rmse: float
    mae: float


@dataclass(frozen=True)
class ClassScores:
    """Accuracy, log-loss, and per class precision, recall, and rows."""

    accuracy: float
    log_loss: float
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    support: tuple[int, ...]


def score_numbers(predicted: Floats, actual: Floats) -> NumberScores:
    """R2 = 1 - sum (actual - predicted)^2 / sum (actual - mean)^2; nan where all actual values are equal.

    >>> score_numbers(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]))
    NumberScores(r2=0.5, rmse=0.5773502691896257, mae=0.3333333333333333)
    """
    error = predicted - actual
    spread = float(((actual - actual.mean()) ** 2).sum())
    r2 = 1 - float((error**2).sum()) / spread if spread else float("nan")
    return NumberScores(r2, float(np.sqrt((error**2).mean())), float(np.abs(error).mean()))


def score_classes(probabilities: NDArray[np.floating], actual: Rows) -> ClassScores:
    """Score probabilities (rows, classes) against class indices; a probability counts as 1e-15 at least.

    >>> scores = score_classes(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), np.array([0, 1, 1]))
    >>> round(scores.accuracy, 4), round(scores.log_loss, 4), scores.recall
    (0.6667, 0.4149, (1.0, 0.5))
    """
    count = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    hits = np.bincount(actual[predicted == actual], minlength=count)
    said, support = (np.bincount(predicted, minlength=count), np.bincount(actual, minlength=count))
    chosen = probabilities[np.arange(len(actual)), actual].astype(np.float64)
    return ClassScores(
        accuracy=float((predicted == actual).mean()),
        log_loss=float(-np.log(chosen.clip(1e-15, 1)).mean()),
        precision=tuple(_shares(hits, said)),
        recall=tuple(_shares(hits, support)),
        support=tuple(int(rows) for rows in support),
    )


def _shares(part: NDArray[np.integer], whole: NDArray[np.integer]) -> list[float]:
    return [float(some / every) if every else float("nan") for some, every in zip(part, whole, strict=True)]


def softmax(logits: NDArray[np.float32]) -> Floats:
    """Probabilities (rows, classes) of logits, in float64.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]], np.float32)).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    wide = logits.astype(np.float64)
    shifted = np.exp(wide - wide.max(axis=1, keepdims=True))
    probabilities: Floats = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities
