"""Numbers that say more to a reader than the loss: accuracy, mean absolute error, r2 ..."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError, ArgumentTypeError, ShapeError
from fanin.nn import functional as F
from fanin.nn import loss as losses
from fanin.tensor.base import TensorBase

Metric = Callable[[Any, Any], float]

# Losses that tell two classes apart in each output: by whether it lies above 0, or above 1/2.
_OF_LOGITS = (
    losses.BCEWithLogitsLoss,
    losses.SoftMarginLoss,
    losses.HingeEmbeddingLoss,
    losses.MultiLabelSoftMarginLoss,
    F.binary_cross_entropy_with_logits,
    F.soft_margin_loss,
    F.hinge_embedding_loss,
    F.multilabel_soft_margin_loss,
)
_OF_PROBABILITIES = (losses.BCELoss, F.binary_cross_entropy)


def metrics_of(given: Any, loss: Any) -> dict[str, Metric]:
    """Return metrics by name, from names, functions of (outputs, targets), or a dictionary of such functions."""
    if isinstance(given, Mapping):
        return {str(name): _number_of(str(name), metric) for name, metric in given.items()}
    found: dict[str, Metric] = {}
    for metric in [given] if isinstance(given, str) or callable(given) else given:
        if isinstance(metric, str):
            found[metric] = _named(metric, loss)
        elif callable(metric):
            name = getattr(metric, "__name__", type(metric).__name__)
            found[name] = _number_of(name, metric)
        else:
            raise ArgumentTypeError(f"fit: a metric is a name or a function of (outputs, targets), not {metric!r}")
    return found


def _named(name: str, loss: Any) -> Metric:
    if name == "accuracy":
        logits = _is_one_of(loss, _OF_LOGITS)
        threshold, apart = (0.0 if logits else 0.5), logits or _is_one_of(loss, _OF_PROBABILITIES)
        return lambda outputs, targets: accuracy(_array(outputs), _array(targets), threshold, apart)
    if name not in _METRICS:
        raise ArgumentError(
            f"fit: there is no metric named {name!r}; there are accuracy, {', '.join(_METRICS)}",
            remedy="For any other give a function of (outputs, targets) that returns a number.",
        )
    return lambda outputs, targets: _METRICS[name](_array(outputs), _array(targets))


def _is_one_of(loss: Any, known: tuple[Any, ...]) -> bool:
    return any(type(loss) is entry or loss is entry for entry in known)


def _number_of(name: str, metric: Any) -> Metric:
    def number(outputs: Any, targets: Any) -> float:
        value = metric(outputs, targets)
        try:
            return float(value)
        except (TypeError, ValueError, RuntimeError):
            raise ArgumentTypeError(
                f"fit: the metric {name} must return one number, but it returned {type(value).__name__}"
            ) from None

    return number


def _array(values: Any) -> Any:
    if not isinstance(values, TensorBase):
        raise ArgumentTypeError(
            "fit: the metrics that have names take one output and one target, and the model or the data has several",
            remedy="Give a function of (outputs, targets) instead.",
        )
    array = values._array
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def accuracy(outputs: Any, targets: Any, threshold: float, apart: bool = False) -> float:
    """Return the share of rows whose class is right; with `apart`, where every column is a question of its own, of all.

    outputs: (N, C), one column for each class, or (N,) or (N, 1), above the threshold for the second of two classes.
    targets: class numbers (N,), or one column for each class, or 0 and 1 (or -1 and 1) for two classes.
    """
    columns = outputs.shape[1] if outputs.ndim == 2 else 1
    if columns > 1 and targets.ndim == 1:
        return float(np.mean(outputs.argmax(1) == targets))
    _same_shape("accuracy", outputs, targets)
    if columns > 1 and not apart:
        return float(np.mean(outputs.argmax(1) == targets.argmax(1)))
    return float(np.mean((outputs > threshold) == (targets > 0.5)))


def mean_absolute_error(outputs: Any, targets: Any) -> float:
    """Return the mean of |output - target|."""
    _same_shape("mae", outputs, targets)
    return float(np.mean(np.abs(outputs - targets)))


def mean_squared_error(outputs: Any, targets: Any) -> float:
    """Return the mean of (output - target)^2."""
    _same_shape("mse", outputs, targets)
    return float(np.mean((outputs - targets) ** 2))


def root_mean_squared_error(outputs: Any, targets: Any) -> float:
    """Return the square root of the mean squared error."""
    return float(np.sqrt(mean_squared_error(outputs, targets)))


def r2(outputs: Any, targets: Any) -> float:
    """Return 1 - (squared errors) / (squared distances of the targets from their mean), averaged over the columns.

    A column of equal targets counts 1 when it is met exactly, else 0.
    """
    _same_shape("r2", outputs, targets)
    columns = targets.reshape(len(targets), -1)
    errors = np.sum((outputs.reshape(columns.shape) - columns) ** 2, 0)
    spread = np.sum((columns - columns.mean(0)) ** 2, 0)
    explained = np.where(spread > 0, 1 - errors / np.where(spread > 0, spread, 1.0), (errors == 0).astype(float))
    return float(np.mean(explained))


def area_under_curve(outputs: Any, targets: Any) -> float:
    """Return the chance that a row of the second class gets a higher output than one of the first (ties count half).

    outputs: (N,) or (N, 1), or (N, 2) for two classes, of which the difference counts.
    """
    scores = outputs[:, 1] - outputs[:, 0] if outputs.ndim == 2 and outputs.shape[1] == 2 else outputs.reshape(-1)
    positive = targets.reshape(-1) > 0.5
    if len(scores) != len(positive):
        raise ShapeError(f"fit: auc is for two classes, but the outputs have the shape {list(outputs.shape)}")
    ranks = _mean_ranks(scores)
    above, below = int(positive.sum()), int((~positive).sum())
    if not above or not below:
        return float("nan")
    return float((ranks[positive].sum() - above * (above + 1) / 2) / (above * below))


def _mean_ranks(scores: Any) -> Any:
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]


def _same_shape(name: str, outputs: Any, targets: Any) -> None:
    if outputs.shape != targets.shape:
        raise ShapeError(
            f"fit: {name} compares outputs of shape {list(outputs.shape)} with targets of shape {list(targets.shape)}",
            remedy="Give targets in the shape of the outputs: y.reshape(-1, 1) where the model ends with one unit.",
        )


_METRICS: dict[str, Callable[[Any, Any], float]] = {
    "mae": mean_absolute_error,
    "mse": mean_squared_error,
    "rmse": root_mean_squared_error,
    "r2": r2,
    "auc": area_under_curve,
}
