"""Losses of one number against another, and of the probability of one event, fused: one record forward, one back.

Targets are inputs, not attributes: they change with every batch. `reduction` is "none", "mean" or "sum".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin._core.dtypes import from_numpy
from fanin._core.errors import DtypeError, OperationError, UnsupportedDtypeError
from fanin.ops.activation import log_sigmoid, sigmoid
from fanin.ops.arithmetic import expand, sum_to
from fanin.ops.elementwise import clamp, log, log1p, sign
from fanin.ops.exponentials import log1p_of_fraction
from fanin.ops.op import Spec, define
from fanin.ops.rules import broadcast, broadcast_shape, shape_of, to_common

# Two numbers compared, element by element, and reduced ----------------------------------------------------------------


def _reduced(values: Any, reduction: str) -> Any:
    if reduction == "none":
        return values
    total = np.add.reduce(values, axis=None)
    return total if reduction == "sum" else np.true_divide(total, values.size, dtype=values.dtype)


def _spec(*inputs: Spec, reduction: str, **_: Any) -> Spec:
    spec = broadcast(*inputs)
    return spec if reduction == "none" else Spec((), spec.dtype)


def _floats(name: str) -> Any:
    """Return the promotion to a common floating dtype; numbers that are all whole are refused, as by PyTorch."""

    def promote(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        inputs = to_common(inputs)
        dtype = inputs[0].dtype
        if dtype.kind != "f":
            raise UnsupportedDtypeError(
                f"\"{name}\" not implemented for '{from_numpy(dtype).legacy_name}'",
                remedy="Convert with .float() first.",
            )
        return inputs

    return promote


def _share(g: Any, a: Any, b: Any, reduction: str) -> Any:
    """Return the incoming gradient of every compared pair: one each, or one number for all."""
    if reduction != "mean":
        return g
    return g / (math.prod(broadcast_shape(shape_of(a), shape_of(b))) or math.nan)


def _mse(a: Any, b: Any, *, reduction: str) -> Any:
    difference = a - b
    if reduction == "none":
        return difference * difference
    flat = difference.reshape(-1)
    total = flat.dot(flat)
    return total if reduction == "sum" else total / flat.size if flat.size else flat.dtype.type(np.nan)


def _mse_vjp(g: Any, a: Any, b: Any, reduction: str) -> Any:
    difference = a - b
    if reduction == "none":
        return difference * (g * 2)
    return difference * (g * (2.0 if reduction == "sum" else 2.0 / (math.prod(difference.shape) or math.nan)))


mse = define(
    "mse_loss",
    _mse,
    _spec,
    vjps=(
        lambda g, out, a, b, *, reduction: sum_to(_mse_vjp(g, a, b, reduction), shape_of(a)),
        lambda g, out, a, b, *, reduction: sum_to(-_mse_vjp(g, a, b, reduction), shape_of(b)),
    ),
    reads=None,
    promote=_floats("mse_cpu"),
)


def _l1_spec(a: Spec, b: Spec, *, reduction: str) -> Spec:
    spec = _spec(a, b, reduction=reduction)
    if spec.dtype.kind != "f" and reduction == "mean":
        raise DtypeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: "
            f"{from_numpy(spec.dtype).legacy_name}",
            remedy="Convert with .float() first.",
        )
    return spec


def _l1_promote(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    if any(x.dtype.kind == "b" for x in inputs):
        raise DtypeError("Subtraction, the `-` operator, with a bool tensor is not supported; convert with .float()")
    return to_common(inputs)


l1 = define(
    "l1_loss",
    lambda a, b, *, reduction: _reduced(np.abs(a - b), reduction),
    _l1_spec,
    vjps=(
        lambda g, out, a, b, *, reduction: sum_to(_share(g, a, b, reduction) * sign(a - b), shape_of(a)),
        lambda g, out, a, b, *, reduction: sum_to(_share(g, a, b, reduction) * sign(b - a), shape_of(b)),
    ),
    reads=None,
    promote=_l1_promote,
)


def _huber(a: Any, b: Any, *, reduction: str, delta: float) -> Any:
    difference = a - b
    size = np.abs(difference)
    # With m = min(|x|, delta), m (|x| - m / 2) is both branches at once.
    least = np.minimum(size, delta)
    size -= 0.5 * least
    size *= least
    return _reduced(size, reduction)


def _huber_vjp(g: Any, a: Any, b: Any, reduction: str, delta: float) -> Any:
    return _share(g, a, b, reduction) * clamp(a - b, -delta, delta)


huber = define(
    "huber_loss",
    _huber,
    _spec,
    vjps=(
        lambda g, out, a, b, *, reduction, delta: sum_to(_huber_vjp(g, a, b, reduction, delta), shape_of(a)),
        lambda g, out, a, b, *, reduction, delta: sum_to(_huber_vjp(g, b, a, reduction, delta), shape_of(b)),
    ),
    reads=None,
    promote=_floats("huber_cpu"),
)

# The probability of one event -----------------------------------------------------------------------------------------


def _check_unit_interval(name: str, x: Any, remedy: str) -> None:
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise OperationError(
            f"all elements of {name} should be between 0 and 1",
            remedy=f"They lie between {x.min():g} and {x.max():g}. {remedy}",
        )


def _bce(p: Any, t: Any, *, reduction: str) -> Any:
    _check_unit_interval("input", p, "Apply torch.sigmoid first, or use BCEWithLogitsLoss on the raw outputs.")
    _check_unit_interval("target", t, "Targets are probabilities: labels -1 and 1 become (target + 1) / 2.")
    # Logarithms stop at -100, as PyTorch's do: the loss of a certain, wrong answer is large and not infinite.
    low = p.dtype.type(-100)
    return _reduced((t - 1) * np.maximum(np.log1p(-p), low) - t * np.maximum(np.log(p), low), reduction)


# PyTorch's bound of the denominator, which it keeps in single precision.
_LEAST = float(np.float32(1e-12))


def _bce_vjp_p(g: Any, out: Any, p: Any, t: Any, *, reduction: str) -> Any:
    return sum_to(_share(g, p, t, reduction) * (p - t) / clamp((1 - p) * p, _LEAST, None), shape_of(p))


def _bce_vjp_t(g: Any, out: Any, p: Any, t: Any, *, reduction: str) -> Any:
    # Without the limit of the logarithms, as PyTorch has it.
    full = broadcast_shape(shape_of(p), shape_of(t))
    return sum_to(expand(_share(g, p, t, reduction) * (log1p(-p) - log(p)), full), shape_of(t))


bce = define(
    "binary_cross_entropy",
    _bce,
    _spec,
    vjps=(_bce_vjp_p, _bce_vjp_t),
    reads=None,
    promote=_floats("binary_cross_entropy"),
)


def _bce_logits(x: Any, t: Any, positive: Any = None, *, reduction: str) -> Any:
    # (1 - t) x - (1 + (w - 1) t) log s(x), s the sigmoid: nothing overflows in log s(x) = min(x, 0) - log(1 + e^-|x|).
    rest = log1p_of_fraction(np.exp(-np.abs(x)))
    if positive is None:
        return _reduced(np.maximum(x, 0) - x * t + rest, reduction)
    return _reduced((1 - t) * x + ((positive - 1) * t + 1) * (rest - np.minimum(x, 0)), reduction)


def _bce_logits_vjp_x(g: Any, out: Any, x: Any, t: Any, positive: Any = None, *, reduction: str) -> Any:
    slope = sigmoid(x) - t if positive is None else 1 - t - ((positive - 1) * t + 1) * sigmoid(-x)
    return sum_to(_share(g, x, t, reduction) * slope, shape_of(x))


def _bce_logits_vjp_t(g: Any, out: Any, x: Any, t: Any, positive: Any = None, *, reduction: str) -> Any:
    slope = x if positive is None else x + (positive - 1) * log_sigmoid(x)
    full = broadcast_shape(shape_of(x), shape_of(t))
    return sum_to(expand(-_share(g, x, t, reduction) * slope, full), shape_of(t))


def _bce_logits_vjp_positive(g: Any, out: Any, x: Any, t: Any, positive: Any, *, reduction: str) -> Any:
    return sum_to(-_share(g, x, t, reduction) * t * log_sigmoid(x), shape_of(positive))


bce_with_logits = define(
    "binary_cross_entropy_with_logits",
    _bce_logits,
    _spec,
    vjps=(_bce_logits_vjp_x, _bce_logits_vjp_t, _bce_logits_vjp_positive),
    reads=None,
    promote=_floats("log_sigmoid_cpu"),
)
