"""Cross-entropy and negative log-likelihood against class numbers, fused: one record forward, one derivative back.

x is (N, C) and the target (N); weight, (C), may be left out. A row counts unless its target is `ignore_index`. With q
the one-hot rows, mixed with a share `label_smoothing` of the even distribution, scaled by the weight, and 0 where a row
does not count:

    loss = -sum_c q_c log softmax(x)_c,        d loss / dx = (sum_c q_c) softmax(x) - q.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import IndexRangeError, ShapeError
from fanin.ops.op import Op, Spec, define
from fanin.ops.reduce import softmax, sum_
from fanin.ops.rules import shape_of
from fanin.ops.shape import reshape


def _counting(target: Any, classes: int, ignore_index: int) -> Any:
    """Return which rows count, None when all do; raise IndexError when a class that counts does not exist."""
    if not target.size:
        return None
    # Negative numbers are large unsigned ones, so that one pass sees both ends.
    plain = not 0 <= ignore_index < classes
    if plain and (target.view(np.uint64) if target.dtype == np.int64 else target).max() < classes:
        return None
    valid = target != ignore_index
    wrong = valid & ((target < 0) | (target >= classes))
    if wrong.any():
        raise IndexRangeError(
            f"Target {target[wrong].flat[0]} is out of bounds.", remedy=f"There are {classes} classes, numbered from 0."
        )
    return valid


# Which rows count, as bools. It raises when it is carried out and a class that counts does not exist.
class_counts: Op = define(
    "class_counts",
    lambda target, *, classes, ignore_index: (
        np.ones(target.shape, np.bool_)
        if (valid := _counting(target, classes, ignore_index)) is None
        else np.asarray(valid)
    ),
    lambda target, **_: Spec(target.shape, np.dtype(np.bool_)),
)


def _chosen(target: Any, valid: Any) -> Any:
    """Return a class that exists for every row."""
    return target if valid is None else np.where(valid, target, 0)


def _class_target(
    target: Any, weight: Any = None, *, classes: int, ignore_index: int, label_smoothing: float, dtype: Any
) -> Any:
    valid = _counting(target, classes, ignore_index)
    q = np.full((target.size, classes), label_smoothing / (classes or 1), dtype)
    q[np.arange(target.size), _chosen(target, valid)] += dtype.type(1 - label_smoothing)
    if weight is not None:
        q *= weight
    if valid is not None:
        q[~valid] = 0
    return q


class_target = define(
    "class_target",
    _class_target,
    lambda target, weight=None, *, classes, dtype, **_: Spec((*target.shape, classes), dtype),
)


def _total(target: Any, weight: Any, ignore_index: int, dtype: Any) -> Any:
    """Return what a mean divides by: the number of rows that count, or the sum of their classes' weights."""
    valid = target != ignore_index
    if weight is None:
        return np.asarray(valid.sum(), dtype)
    return np.asarray(weight[np.where(valid, target, 0)][valid].sum(), dtype)


def _class_divisor(target: Any, weight: Any = None, *, ignore_index: int, dtype: Any) -> Any:
    """Return the total, and 1 where no row counts: the mean of nothing is nan, but its gradient is 0."""
    if not (target != ignore_index).any():
        return np.ones((), dtype)
    return _total(target, weight, ignore_index, dtype)


class_total = define(
    "class_total",
    _class_divisor,
    lambda target, weight=None, *, ignore_index, dtype: Spec((), dtype),
)


def _reduced(loss: Any, target: Any, weight: Any, valid: Any, reduction: str, ignore_index: int) -> Any:
    if valid is not None:
        loss = np.where(valid, loss, loss.dtype.type(0))
    if reduction == "none":
        return loss
    total = np.add.reduce(loss)
    if reduction == "sum":
        return total
    if valid is None and weight is None:
        return np.true_divide(total, loss.size, dtype=loss.dtype)
    return total / _total(target, weight, ignore_index, loss.dtype)


def _spec(x: Spec, target: Spec, weight: Spec | None = None, *, reduction: str, **_: Any) -> Spec:
    if target.shape != x.shape[:1]:
        raise ShapeError(f"Expected input batch_size ({x.shape[0]}) to match target batch_size ({target.shape[0]}).")
    return Spec(target.shape if reduction == "none" else (), x.dtype)


def _shifted(x: Any) -> Any:
    """Return x minus its row maximum, so that no exponential overflows and one of them is 1."""
    return x - np.maximum.reduce(x, axis=1, keepdims=True, initial=None if x.shape[1] else -np.inf)


def _cross_entropy(
    x: Any, target: Any, weight: Any = None, *, reduction: str, ignore_index: int, label_smoothing: float
) -> Any:
    valid = _counting(target, x.shape[1], ignore_index)
    shifted = _shifted(x)
    log_total = np.log(np.add.reduce(np.exp(shifted), axis=1))
    chosen = _chosen(target, valid)
    loss = log_total - shifted[np.arange(len(chosen)), chosen]
    if weight is not None:
        loss *= weight[chosen]
    if label_smoothing:
        spread = log_total[:, None] - shifted
        spread = np.add.reduce(spread if weight is None else spread * weight, axis=1)
        loss = loss * (1 - label_smoothing) + spread * (label_smoothing / x.shape[1])
    return _reduced(loss, target, weight, valid, reduction, ignore_index)


def _divided(g: Any, target: Any, weight: Any, valid: Any, reduction: str, ignore_index: int) -> Any:
    """Return the incoming gradient, divided where the loss was."""
    if reduction != "mean":
        return g
    if weight is None and valid is None:
        return g / (len(target) or 1)
    return g / _class_divisor(target, weight, ignore_index=ignore_index, dtype=g.dtype)


def _slope(
    g: Any, x: Any, target: Any, weight: Any = None, *, reduction: str, ignore_index: int, label_smoothing: float
) -> Any:
    out = np.exp(_shifted(x))
    out /= np.add.reduce(out, axis=1, keepdims=True)
    valid = _counting(target, x.shape[1], ignore_index)
    if weight is None and valid is None and not label_smoothing:
        out[np.arange(len(target)), target] -= 1
    else:
        q = _class_target(
            target,
            weight,
            classes=x.shape[1],
            ignore_index=ignore_index,
            label_smoothing=label_smoothing,
            dtype=x.dtype,
        )
        out *= np.add.reduce(q, axis=1, keepdims=True)
        out -= q
    share = _divided(g, target, weight, valid, reduction, ignore_index)
    out *= share[:, None] if reduction == "none" else share
    return out


def _present(target: Any, weight: Any) -> tuple[Any, ...]:
    return (target,) if weight is None else (target, weight)


def _numpy_dtype(x: Any) -> Any:
    return getattr(x.dtype, "numpy", x.dtype)


def _row_share(g: Any, target: Any, weight: Any, reduction: str, ignore_index: int, like: Any) -> Any:
    """Return the incoming gradient of every row: (N, 1), or one number."""
    if reduction == "none":
        return reshape(g, (shape_of(target)[0], 1))
    if reduction == "mean":
        total = class_total(*_present(target, weight), ignore_index=ignore_index, dtype=_numpy_dtype(like))
        return g / total
    return g


def _one_hot(x: Any, target: Any, weight: Any, ignore_index: int, label_smoothing: float) -> Any:
    """Return q, written as an operation."""
    return class_target(
        *_present(target, weight),
        classes=shape_of(x)[1],
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        dtype=_numpy_dtype(x),
    )


def _slope_vjp_grad(
    gg: Any, out: Any, g: Any, x: Any, target: Any, weight: Any = None, *, reduction: str, **options: Any
) -> Any:
    q = _one_hot(x, target, weight, **options)
    unit = softmax(x, dim=1) * sum_(q, dim=(1,), keepdim=True) - q
    if reduction == "none":
        return sum_(gg * unit, dim=(1,))
    one = _row_share(1.0, target, weight, reduction, options["ignore_index"], x)
    return sum_(gg * unit * one, dim=(0, 1))


def _slope_vjp_x(
    gg: Any, out: Any, g: Any, x: Any, target: Any, weight: Any = None, *, reduction: str, **options: Any
) -> Any:
    # The slope is (sum q) share softmax(x) and what does not depend on x; softmax's own derivative does the rest.
    total = sum_(_one_hot(x, target, weight, **options), dim=(1,), keepdim=True)
    incoming = gg * (total * _row_share(g, target, weight, reduction, options["ignore_index"], x))
    p = softmax(x, dim=1)
    return p * (incoming - sum_(incoming * p, dim=(1,), keepdim=True))


cross_entropy_slope = define(
    "cross_entropy_slope",
    _slope,
    lambda g, x, *_, **__: x,
    vjps=(_slope_vjp_grad, _slope_vjp_x),
    reads=None,
)
cross_entropy = define(
    "cross_entropy",
    _cross_entropy,
    _spec,
    vjps=(lambda g, out, *inputs, **options: cross_entropy_slope(g, *inputs, **options),),
    reads=None,
    grad_name="NllLossBackward0",
)


def _nll(x: Any, target: Any, weight: Any = None, *, reduction: str, ignore_index: int) -> Any:
    valid = _counting(target, x.shape[1], ignore_index)
    chosen = _chosen(target, valid)
    loss = -x[np.arange(len(chosen)), chosen]
    if weight is not None:
        loss *= weight[chosen]
    return _reduced(loss, target, weight, valid, reduction, ignore_index)


def _nll_slope(g: Any, target: Any, weight: Any = None, *, classes: int, reduction: str, ignore_index: int) -> Any:
    valid = _counting(target, classes, ignore_index)
    chosen = _chosen(target, valid)
    share = -_divided(g, target, weight, valid, reduction, ignore_index)
    if weight is not None:
        share = share * weight[chosen]
    if valid is not None:
        share = np.where(valid, share, g.dtype.type(0))
    out = np.zeros((len(target), classes), g.dtype)
    out[np.arange(len(target)), chosen] = share
    return out


# The loss is linear in x, and its slope in g: each is the other's derivative.
nll_slope: Op = define(
    "nll_loss_slope",
    _nll_slope,
    lambda g, target, *_, classes, **__: Spec((*target.shape, classes), g.dtype),
    vjps=(lambda gg, out, g, *fixed, classes, **options: nll(gg, *fixed, **options),),
    reads=(1, 2),
)
nll: Op = define(
    "nll_loss",
    _nll,
    _spec,
    vjps=(lambda g, out, x, *fixed, **options: nll_slope(g, *fixed, classes=shape_of(x)[1], **options),),
    reads=(1, 2),
)
