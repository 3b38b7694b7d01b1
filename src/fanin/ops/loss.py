"""The losses that most training runs minimise, fused: one record forward, one derivative back.

Targets are inputs, not attributes: they change with every batch. `reduction` is "none", "mean" or "sum".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin._core.dtypes import category
from fanin._core.errors import DtypeError, IndexRangeError, OperationError, ShapeError
from fanin.ops.activation import sigmoid
from fanin.ops.arithmetic import expand, sum_to
from fanin.ops.elementwise import absolute, clamp, exp, log, log1p, sign
from fanin.ops.op import Spec, define
from fanin.ops.reduce import softmax, sum_
from fanin.ops.rules import broadcast, broadcast_shape, shape_of, to_common, to_float
from fanin.ops.shape import reshape

# Two numbers compared, element by element, and reduced ----------------------------------------------------------------


def _reduced(values: Any, reduction: str) -> Any:
    if reduction == "none":
        return values
    total = np.add.reduce(values, axis=None)
    return total if reduction == "sum" else np.true_divide(total, values.size, dtype=values.dtype)


def _pair_spec(a: Spec, b: Spec, *, reduction: str, **_: Any) -> Spec:
    spec = broadcast(a, b)
    if category(spec.dtype) != 2:
        raise DtypeError(f"a loss needs floating dtypes, got {a.dtype} and {b.dtype}; convert with .float()")
    return spec if reduction == "none" else Spec((), spec.dtype)


def _share(g: Any, a: Any, b: Any, reduction: str) -> Any:
    """Return the incoming gradient of every compared pair."""
    if reduction == "none":
        return g
    shape = broadcast_shape(shape_of(a), shape_of(b))
    if reduction == "mean":
        g = g / float(np.prod(shape, dtype=np.float64))
    return expand(g, shape)


def _mse(a: Any, b: Any, *, reduction: str) -> Any:
    difference = a - b
    if reduction == "none":
        return difference * difference
    flat = difference.reshape(-1)
    total = np.dot(flat, flat)
    return total if reduction == "sum" else np.true_divide(total, flat.size, dtype=flat.dtype)


def _mse_vjp(g: Any, a: Any, b: Any, reduction: str) -> Any:
    difference = a - b
    if reduction == "none":
        return difference * (g * 2)
    return difference * (g * (2.0 if reduction == "sum" else 2.0 / (math.prod(difference.shape) or math.nan)))


mse = define(
    "mse_loss",
    _mse,
    _pair_spec,
    vjps=(
        lambda g, out, a, b, *, reduction: sum_to(_mse_vjp(g, a, b, reduction), shape_of(a)),
        lambda g, out, a, b, *, reduction: sum_to(-_mse_vjp(g, a, b, reduction), shape_of(b)),
    ),
    reads=None,
    promote=to_common,
)
l1 = define(
    "l1_loss",
    lambda a, b, *, reduction: _reduced(np.abs(a - b), reduction),
    _pair_spec,
    vjps=(
        lambda g, out, a, b, *, reduction: sum_to(_share(g, a, b, reduction) * sign(a - b), shape_of(a)),
        lambda g, out, a, b, *, reduction: sum_to(_share(g, a, b, reduction) * sign(b - a), shape_of(b)),
    ),
    reads=None,
    promote=to_common,
    grad_name="MeanBackward0",
)


def _huber_values(difference: Any, delta: float) -> Any:
    size = np.abs(difference)
    return np.where(size < delta, 0.5 * difference * difference, delta * (size - 0.5 * delta))


def _huber_slope(difference: Any, delta: float) -> Any:
    return clamp(difference, -delta, delta)


huber = define(
    "huber_loss",
    lambda a, b, *, reduction, delta: _reduced(_huber_values(a - b, delta), reduction),
    _pair_spec,
    vjps=(
        lambda g, out, a, b, *, reduction, delta: sum_to(
            _share(g, a, b, reduction) * _huber_slope(a - b, delta), shape_of(a)
        ),
        lambda g, out, a, b, *, reduction, delta: sum_to(
            _share(g, a, b, reduction) * _huber_slope(b - a, delta), shape_of(b)
        ),
    ),
    reads=None,
    promote=to_common,
)

# Probabilities of one event -------------------------------------------------------------------------------------------


def _check_unit_interval(p: Any) -> None:
    if p.size and not (p.min() >= 0 and p.max() <= 1):
        raise OperationError(
            f"all elements of input should be between 0 and 1, but they lie between {p.min():g} and {p.max():g}; "
            "apply torch.sigmoid first, or use BCEWithLogitsLoss on the raw outputs"
        )


def _bce(p: Any, t: Any) -> Any:
    _check_unit_interval(p)
    # Logarithms stop at -100, as PyTorch's do: the loss of a certain, wrong answer is large and not infinite.
    low = p.dtype.type(-100)
    return (t - 1) * np.maximum(np.log1p(-p), low) - t * np.maximum(np.log(p), low)


_LEAST = 1e-12
bce = define(
    "binary_cross_entropy",
    _bce,
    broadcast,
    vjps=(
        lambda g, out, p, t: g * (p - t) / clamp((1 - p) * p, _LEAST, None),
        lambda g, out, p, t: g * (clamp(log1p(-p), -100.0, None) - clamp(log(p), -100.0, None)),
    ),
    reads=None,
    promote=to_float,
)


def _bce_logits(x: Any, t: Any) -> Any:
    # -t log s(x) - (1 - t) log(1 - s(x)), with s the sigmoid, in a form in which nothing overflows.
    return np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))


bce_with_logits = define(
    "binary_cross_entropy_with_logits",
    _bce_logits,
    broadcast,
    vjps=(
        lambda g, out, x, t: sum_to(g * (sigmoid(x) - t), shape_of(x)),
        lambda g, out, x, t: sum_to(-g * x, shape_of(t)),
    ),
    reads=None,
    promote=to_float,
)


def softplus_of_minus(x: Any) -> Any:
    """Return log(1 + e^-x) = -log sigmoid(x), written in operations, stable at both ends."""
    return log1p(exp(-absolute(x))) - clamp(x, None, 0.0)


# One class of many ----------------------------------------------------------------------------------------------------


def _check_classes(target: Any, classes: int, ignore_index: int) -> Any:
    """Return which rows count; raise IndexError when a class that counts does not exist."""
    valid = target != ignore_index
    wrong = valid & ((target < 0) | (target >= classes))
    if wrong.any():
        raise IndexRangeError(
            f"Target {target[wrong].flat[0]} is out of bounds: there are {classes} classes, numbered from 0"
        )
    return valid


def _class_target(
    target: Any, weight: Any = None, *, classes: int, ignore_index: int, label_smoothing: float, dtype: Any
) -> Any:
    """Return the (N, C) matrix q of the loss -sum_c q_c log p_c, zero in rows that do not count."""
    valid = _check_classes(target, classes, ignore_index)
    q = np.full((target.size, classes), label_smoothing / classes, dtype)
    rows = np.arange(target.size)
    q[rows, np.where(valid, target, 0)] += dtype.type(1 - label_smoothing)
    if weight is not None:
        q *= weight
    q[~valid] = 0
    return q


class_target = define(
    "class_target",
    _class_target,
    lambda target, weight=None, *, classes, dtype, **_: Spec((*target.shape, classes), dtype),
)


def _class_total(target: Any, weight: Any = None, *, ignore_index: int, dtype: Any) -> Any:
    """Return what a mean divides by: the number of rows that count, or the sum of their classes' weights."""
    valid = target != ignore_index
    if weight is None:
        return np.asarray(valid.sum(), dtype)
    return np.asarray(weight[np.where(valid, target, 0)][valid].sum(), dtype)


def _class_divisor(target: Any, weight: Any = None, *, ignore_index: int, dtype: Any) -> Any:
    """Return the total, and 1 where no row counts: the mean of nothing is nan, but its gradient is 0."""
    if not (target != ignore_index).any():
        return np.ones((), dtype)
    return _class_total(target, weight, ignore_index=ignore_index, dtype=dtype)


class_total = define(
    "class_total",
    _class_divisor,
    lambda target, weight=None, *, ignore_index, dtype: Spec((), dtype),
)


def _class_spec(x: Spec, target: Spec, weight: Spec | None = None, *, reduction: str, **_: Any) -> Spec:
    if target.shape != x.shape[:1]:
        raise ShapeError(f"Expected input batch_size ({x.shape[0]}) to match target batch_size ({target.shape[0]}).")
    return Spec(target.shape if reduction == "none" else (), x.dtype)


def _reduced_rows(loss: Any, target: Any, weight: Any, reduction: str, ignore_index: int) -> Any:
    if reduction == "none":
        return loss
    total = np.add.reduce(loss)
    if reduction == "sum":
        return total
    return total / _class_total(target, weight, ignore_index=ignore_index, dtype=loss.dtype)


def _row_share(g: Any, target: Any, weight: Any, reduction: str, ignore_index: int, like: Any) -> Any:
    """Return the incoming gradient of every row, as (N, 1)."""
    rows = shape_of(target)[0]
    if reduction == "mean":
        total = class_total(*_present(target, weight), ignore_index=ignore_index, dtype=_numpy_dtype(like))
        g = g / total
    return expand(reshape(g, (rows, 1) if reduction == "none" else (1, 1)), (rows, 1))


def _present(target: Any, weight: Any) -> tuple[Any, ...]:
    return (target,) if weight is None else (target, weight)


def _numpy_dtype(x: Any) -> Any:
    return getattr(x.dtype, "numpy", x.dtype)


def _shifted(x: Any) -> tuple[Any, Any]:
    """Return x minus its row maximum, and the logarithm of the sum of exponentials of that."""
    shifted = x - np.maximum.reduce(x, axis=1, keepdims=True, initial=None if x.shape[1] else -np.inf)
    return shifted, np.log(np.add.reduce(np.exp(shifted), axis=1))


def _cross_entropy(
    x: Any, target: Any, weight: Any = None, *, reduction: str, ignore_index: int, label_smoothing: float
) -> Any:
    valid = _check_classes(target, x.shape[1], ignore_index)
    shifted, log_total = _shifted(x)
    chosen = np.where(valid, target, 0)
    loss = log_total - shifted[np.arange(len(chosen)), chosen]
    if weight is not None:
        loss = loss * weight[chosen]
    if label_smoothing:
        spread = log_total[:, None] - shifted
        spread = np.add.reduce(spread if weight is None else spread * weight, axis=1)
        loss = loss * (1 - label_smoothing) + spread * (label_smoothing / x.shape[1])
    loss = np.where(valid, loss, x.dtype.type(0))
    return _reduced_rows(loss, target, weight, reduction, ignore_index)


def _cross_entropy_vjp(
    g: Any,
    out: Any,
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
) -> Any:
    # d/dx of -sum_c q_c log softmax(x)_c is (sum_c q_c) softmax(x) - q.
    q = class_target(
        *_present(target, weight),
        classes=shape_of(x)[1],
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        dtype=_numpy_dtype(x),
    )
    total = sum_(q, dim=(1,), keepdim=True)
    share = _row_share(g, target, weight, reduction, ignore_index, x)
    return (softmax(x, dim=1) * total - q) * share


cross_entropy = define(
    "cross_entropy",
    _cross_entropy,
    _class_spec,
    vjps=(_cross_entropy_vjp,),
    reads=None,
    grad_name="NllLossBackward0",
)


def _nll(x: Any, target: Any, weight: Any = None, *, reduction: str, ignore_index: int) -> Any:
    valid = _check_classes(target, x.shape[1], ignore_index)
    chosen = np.where(valid, target, 0)
    loss = -x[np.arange(len(chosen)), chosen]
    if weight is not None:
        loss = loss * weight[chosen]
    loss = np.where(valid, loss, x.dtype.type(0))
    return _reduced_rows(loss, target, weight, reduction, ignore_index)


def _nll_vjp(
    g: Any, out: Any, x: Any, target: Any, weight: Any = None, *, reduction: str, ignore_index: int
) -> Any:
    q = class_target(
        *_present(target, weight),
        classes=shape_of(x)[1],
        ignore_index=ignore_index,
        label_smoothing=0.0,
        dtype=_numpy_dtype(x),
    )
    return -q * _row_share(g, target, weight, reduction, ignore_index, x)


nll = define("nll_loss", _nll, _class_spec, vjps=(_nll_vjp,), reads=(1, 2))
