"""The activations of a network, each with its derivative, in few passes over the array.

Where a function has a corner, the derivative there is PyTorch's choice. A derivative that is not made of other
operations is an operation of its own (`*_slope`), so that it has a derivative, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fanin._core.dtypes import from_numpy
from fanin._core.errors import DtypeError, UnsupportedDtypeError
from fanin.ops.arithmetic import float_broadcast, sum_to, where, zeros_like
from fanin.ops.elementwise import absolute, erf, exp, float_spec
from fanin.ops.exponentials import expm1_of_negative, log1p_exp_of_minus_size, on_array
from fanin.ops.masks import above, between, choose, outside
from fanin.ops.op import Op, define
from fanin.ops.rules import same, shape_of, to_float
from fanin.ops.special import erf as erf_array

identity = define(
    "identity",
    lambda x: x[...],
    same,
    vjps=(lambda g, out, x: g,),
    view=True,
    grad_name="BackwardHookFunctionBackward",
)


def floats_only(kernel: str) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Return a promotion that refuses what is not floating, in PyTorch's words."""

    def check(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        dtype = inputs[0].dtype
        if dtype.kind != "f":
            name = from_numpy(dtype).legacy_name
            raise UnsupportedDtypeError(
                f"\"{kernel}\" not implemented for '{name}'", remedy="Convert with .float() first."
            )
        return inputs

    return check


def _no_bools(message: str) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    def check(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        if inputs[0].dtype.kind == "b":
            raise DtypeError(message)
        return inputs

    return check


# S-shaped -------------------------------------------------------------------------------------------------------------


def _sigmoid(x: Any) -> Any:
    # e^-x may be infinite, and then the result is 0 as it should be. Through tanh(x / 2) it took twice as long in
    # float64, and lost all digits of small results.
    out = np.negative(x)
    np.exp(out, out=out)
    out += 1
    return np.reciprocal(out, out=out)


sigmoid = define(
    "sigmoid",
    on_array(_sigmoid),
    float_spec,
    vjps=(lambda g, out, x: g * (out * (1 - out)),),
    reads_out=True,
    promote=to_float,
)
tanh = define(
    "tanh",
    np.tanh,
    float_spec,
    vjps=(lambda g, out, x: g * (1 - out * out),),
    reads_out=True,
    promote=to_float,
)


def _log_sigmoid(x: Any) -> Any:
    rest = log1p_exp_of_minus_size(x)
    return np.subtract(np.minimum(x, 0), rest, out=rest)


log_sigmoid = define(
    "log_sigmoid",
    on_array(_log_sigmoid),
    same,
    vjps=(lambda g, out, x: g * sigmoid(-x),),
    reads=(0,),
    promote=floats_only("log_sigmoid_cpu"),
)


def _softsign_vjp(g: Any, out: Any, x: Any) -> Any:
    size = absolute(x) + 1
    return g / (size * size)


softsign = define(
    "softsign",
    lambda x: x / (np.abs(x) + 1),
    float_spec,
    vjps=(_softsign_vjp,),
    reads=(0,),
    promote=lambda inputs: floats_only("abs_cpu")(inputs) if inputs[0].dtype.kind == "b" else to_float(inputs),
    grad_name="DivBackward0",
)
hard_sigmoid = define(
    "hardsigmoid",
    lambda x: np.minimum(np.maximum(x + 3, 0), 6) / x.dtype.type(6),
    same,
    vjps=(lambda g, out, x: between(g, x, low=-3, high=3) / 6,),
    reads=(0,),
    promote=floats_only("hardsigmoid_cpu"),
)

# Straight pieces ------------------------------------------------------------------------------------------------------

relu = define(
    "relu",
    lambda x: np.maximum(x, 0),
    same,
    vjps=(lambda g, out, x: above(g, out, threshold=0),),
    reads_out=True,
    promote=_no_bools("Boolean inputs not supported for relu"),
)


def _hardtanh(x: Any, *, low: float, high: float) -> Any:
    kind = x.dtype.type
    return np.minimum(np.maximum(x, kind(low)), kind(high))


hardtanh = define(
    "hardtanh",
    _hardtanh,
    same,
    vjps=(lambda g, out, x, *, low, high: between(g, x, low=low, high=high),),
    reads=(0,),
    promote=_no_bools("Bool inputs not supported for hardtanh"),
)


def _threshold(x: Any, *, threshold: float, value: float) -> Any:
    kind = x.dtype.type
    return np.where(np.less_equal(x, threshold), kind(value), x)


threshold = define(
    "threshold",
    _threshold,
    same,
    vjps=(lambda g, out, x, *, threshold, value: above(g, x, threshold=threshold),),
    reads=(0,),
    promote=lambda inputs: floats_only("threshold_cpu")(inputs) if inputs[0].dtype.kind == "b" else inputs,
)


def _leaky_relu(x: Any, *, slope: float) -> Any:
    if slope == 0:
        return np.where(x > 0, x, x * slope)
    # The line of slope s lies below the line of slope 1 where x is positive, unless s > 1.
    return np.maximum(x, x * slope) if slope <= 1 else np.minimum(x, x * slope)


def _leaky_gate(g: Any, x: Any, *, slope: float) -> Any:
    return choose(np.greater(x, 0), g, g * slope)


leaky_gate: Op = define(
    "leaky_gate",
    _leaky_gate,
    lambda g, x, *, slope: g,
    vjps=(
        lambda gg, out, g, x, *, slope: leaky_gate(gg, x, slope=slope),
        lambda gg, out, g, x, *, slope: zeros_like(gg),
    ),
    reads=(1,),
    grad_name="LeakyReluBackwardBackward0",
)
leaky_relu = define(
    "leaky_relu",
    _leaky_relu,
    same,
    vjps=(lambda g, out, x, *, slope: leaky_gate(g, x, slope=slope),),
    reads=(0,),
    promote=floats_only("leaky_relu_cpu"),
)
# PReLU: the slope is learned. Where it is shared, its gradient is summed.
prelu = define(
    "prelu",
    lambda x, weight: np.where(x > 0, x, x * weight),
    lambda x, weight: x,
    vjps=(
        lambda g, out, x, weight: where(x > 0, g, g * weight),
        lambda g, out, x, weight: sum_to((g * x) * (x <= 0), shape_of(weight)),
    ),
    reads=(0, 1),
    grad_name="PreluKernelBackward0",
)
# RReLU in training: a random slope for each element that is not positive, 1 for the others; drawn by the caller.
rrelu = define(
    "rrelu_with_noise",
    lambda x, noise: x * noise,
    lambda x, noise: x,
    vjps=(lambda g, out, x, noise: g * noise,),
    reads=(1,),
)
hard_shrink = define(
    "hardshrink",
    lambda x, *, lambd: np.where((x >= -lambd) & (x <= lambd), x.dtype.type(0), x),
    same,
    vjps=(lambda g, out, x, *, lambd: outside(g, x, low=-lambd, high=lambd),),
    reads=(0,),
    promote=floats_only("hardshrink_cpu"),
)
# What is cut off is x limited to [-lambd, lambd].
soft_shrink = define(
    "softshrink",
    lambda x, *, lambd: np.copysign(x - np.minimum(np.maximum(x, -lambd), lambd), x),  # -0. stays -0.
    same,
    vjps=(lambda g, out, x, *, lambd: outside(g, x, low=-lambd, high=lambd),),
    reads=(0,),
    promote=floats_only("softshrink_cpu"),
)


def _tanh_shrink_vjp(g: Any, out: Any, x: Any) -> Any:
    t = tanh(x)
    return g * (t * t)


tanh_shrink = define(
    "tanhshrink",
    lambda x: x - np.tanh(x),
    float_spec,
    vjps=(_tanh_shrink_vjp,),
    reads=(0,),
    promote=lambda inputs: to_float(_no_bools("Subtraction with a bool tensor is not supported")(inputs)),
    grad_name="SubBackward0",
)

# Exponential below zero: scale * (max(x, 0) + alpha * (e^(input_scale * min(x, 0)) - 1)) ------------------------------


def _elu(x: Any, *, alpha: float, scale: float, input_scale: float) -> Any:
    out = np.minimum(x, 0)
    if input_scale != 1:
        out *= input_scale
    out = expm1_of_negative(out)
    out *= alpha * scale
    above = np.maximum(x, 0)
    if scale != 1:
        above *= scale
    out += above
    return out


def _elu_slope(x: Any, *, alpha: float, scale: float, input_scale: float) -> Any:
    out = np.minimum(x, 0)
    out *= input_scale
    np.exp(out, out=out)
    out *= alpha * scale * input_scale
    return choose(np.greater(x, 0), np.full_like(x, scale), out)


elu_slope = define(
    "elu_slope",
    on_array(_elu_slope),
    same,
    vjps=(lambda g, out, x, **numbers: where(x >= 0, zeros_like(g), g * out * numbers["input_scale"]),),
    reads=(0,),
    reads_out=True,
)


def _elu_like(name: str) -> Op:
    return define(
        name,
        on_array(_elu),
        same,
        vjps=(lambda g, out, x, **numbers: g * elu_slope(x, **numbers),),
        reads=(0,),
        promote=floats_only("elu_cpu"),
    )


elu = _elu_like("elu")
celu = _elu_like("celu")

# Smooth ramps ---------------------------------------------------------------------------------------------------------


def _softplus(x: Any, *, beta: float, threshold: float) -> Any:
    z = x * beta if beta != 1 else x
    out = log1p_exp_of_minus_size(z)
    out += np.maximum(z, 0)
    if beta != 1:
        out /= beta
    # From the threshold on PyTorch returns x itself. It is far out, so that hardly an array has such values.
    far = z > threshold
    return np.where(far, x, out) if far.any() else out


def _softplus_slope(x: Any, *, beta: float, threshold: float) -> Any:
    z = x * beta
    return np.where(z > threshold, x.dtype.type(1), _sigmoid(z))


softplus_slope = define(
    "softplus_slope",
    on_array(_softplus_slope),
    same,
    vjps=(lambda g, out, x, *, beta, threshold: g * (out * (1 - out)) * beta,),
    reads_out=True,
)
softplus = define(
    "softplus",
    on_array(_softplus),
    same,
    vjps=(lambda g, out, x, *, beta, threshold: g * softplus_slope(x, beta=beta, threshold=threshold),),
    reads=(0,),
    promote=floats_only("softplus_cpu"),
)


def _silu(x: Any) -> Any:
    out = np.negative(x)
    np.exp(out, out=out)
    out += 1
    return np.divide(x, out, out=out)


def _silu_vjp(g: Any, out: Any, x: Any) -> Any:
    s = sigmoid(x)
    return g * (s * (x * (1 - s) + 1))


silu = define(
    "silu",
    on_array(_silu),
    same,
    vjps=(_silu_vjp,),
    reads=(0,),
    promote=floats_only("silu_cpu"),
)


def _mish(x: Any) -> Any:
    # tanh(log(1 + u)) = (u^2 + 2u) / (u^2 + 2u + 2) with u = e^x; above 20 it is 1 in float64, too.
    u = np.minimum(x, 20)
    np.exp(u, out=u)
    n = u + 2
    n *= u
    np.add(n, 2, out=u)
    n /= u
    n *= x
    return n


def _mish_vjp(g: Any, out: Any, x: Any) -> Any:
    t = tanh(softplus(x, beta=1, threshold=20))
    return g * (t + x * sigmoid(x) * (1 - t * t))


mish = define("mish", on_array(_mish), same, vjps=(_mish_vjp,), reads=(0,), promote=floats_only("mish_cpu"))

_ROOT_HALF = math.sqrt(0.5)
_NORMAL_PEAK = 1 / math.sqrt(2 * math.pi)
_ROOT_TWO_OVER_PI = math.sqrt(2 / math.pi)
_CUBIC = 0.044715


def _gelu(x: Any, *, approximate: str) -> Any:
    if approximate == "tanh":
        out = x * x
        out *= _CUBIC
        out += 1
        out *= x
        out *= _ROOT_TWO_OVER_PI
        np.tanh(out, out=out)
    else:
        out = erf_array(x * _ROOT_HALF)
    out += 1
    out *= x
    out *= 0.5
    return out


def _gelu_vjp(g: Any, out: Any, x: Any, *, approximate: str) -> Any:
    if approximate == "tanh":
        square = x * x
        t = tanh((square * _CUBIC + 1) * x * _ROOT_TWO_OVER_PI)
        slope = (square * (3 * _CUBIC) + 1) * _ROOT_TWO_OVER_PI
        return g * (((1 - t * t) * slope * x + t + 1) * 0.5)
    # Phi(x) + x phi(x), with the normal distribution's function and density.
    return g * ((erf(x * _ROOT_HALF) + 1) * 0.5 + x * exp(x * x * -0.5) * _NORMAL_PEAK)


gelu = define("gelu", on_array(_gelu), same, vjps=(_gelu_vjp,), reads=(0,), promote=floats_only("GeluKernelImpl"))


def _hard_swish(x: Any) -> Any:
    return x * np.minimum(np.maximum(x + 3, 0), 6) / x.dtype.type(6)


def _hard_swish_slope(x: Any) -> Any:
    kind = x.dtype.type
    return np.where(x <= -3, kind(0), np.where(x < 3, x / kind(3) + kind(0.5), kind(1)))


hard_swish_slope = define(
    "hardswish_slope",
    _hard_swish_slope,
    same,
    vjps=(lambda g, out, x: between(g, x, low=-3, high=3) / 3,),
    reads=(0,),
)
hard_swish = define(
    "hardswish",
    _hard_swish,
    same,
    vjps=(lambda g, out, x: g * hard_swish_slope(x),),
    reads=(0,),
    promote=floats_only("hardswish_cpu"),
)

# Sums of exponentials -------------------------------------------------------------------------------------------------


def _share(g: Any, term: Any, other: Any) -> Any:
    # a's part of the sum exp(a) + exp(b), from the difference of both: their logarithm has lost its last digits.
    return sum_to(g / (exp(other - term) + 1), shape_of(term))


logaddexp = define(
    "logaddexp",
    np.logaddexp,
    float_broadcast,
    vjps=(lambda g, out, a, b: _share(g, a, b), lambda g, out, a, b: _share(g, b, a)),
    reads=None,
    promote=to_float,
)
