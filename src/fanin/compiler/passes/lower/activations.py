"""Activations and their slopes."""

from __future__ import annotations

import math
from typing import Any

from fanin.compiler.passes.lower.rules import lowers
from fanin.ops.activation import sigmoid, tanh
from fanin.ops.arithmetic import (
    copysign,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_or,
    maximum,
    minimum,
    where,
)
from fanin.ops.elementwise import absolute, erf, exp, expm1, log1p

_ROOT_HALF = math.sqrt(0.5)
_ROOT_TWO_OVER_PI = math.sqrt(2 / math.pi)
_CUBIC = 0.044715


def log1p_exp_of_minus_size(x: Any) -> Any:
    """Return log(1 + e^-|x|), in which nothing overflows."""
    return log1p(exp(-absolute(x)))


def limited(x: Any, low: Any, high: Any) -> Any:
    """Return x limited to [low, high]; nan stays."""
    return minimum(maximum(x, low), high)


def like_elements(x: Any, number: float) -> float:
    """Return the number as an element of x's dtype would hold it."""
    return number if x.dtype.kind == "f" else int(number)


# Masks: written as what is dropped, so that a gradient passes where x is nan. -----------------------------------------


@lowers("above")
def above(g: Any, x: Any, *, threshold: float) -> Any:
    """Pass g where x > threshold."""
    return where(less_equal(x, threshold), 0.0, g)


@lowers("between")
def between(g: Any, x: Any, *, low: float, high: float) -> Any:
    """Pass g where low < x < high."""
    return where(logical_or(less_equal(x, low), greater_equal(x, high)), 0.0, g)


@lowers("outside")
def outside(g: Any, x: Any, *, low: float, high: float) -> Any:
    """Pass g where x < low or x > high."""
    return where(logical_and(greater_equal(x, low), less_equal(x, high)), 0.0, g)


@lowers("leaky_gate")
def leaky_gate(g: Any, x: Any, *, slope: float) -> Any:
    """Return g, and slope * g where x is not positive."""
    return where(greater(x, 0), g, g * slope)


# Straight pieces ------------------------------------------------------------------------------------------------------


@lowers("relu")
def relu(x: Any) -> Any:
    """Return max(x, 0)."""
    return maximum(x, 0)


@lowers("hardtanh")
def hardtanh(x: Any, *, low: float, high: float) -> Any:
    """Return x limited to [low, high]."""
    return limited(x, like_elements(x, low), like_elements(x, high))


@lowers("threshold")
def threshold(x: Any, *, threshold: float, value: float) -> Any:
    """Return x where it is above the threshold, else the value."""
    return where(less_equal(x, threshold), like_elements(x, value), x)


@lowers("leaky_relu")
def leaky_relu(x: Any, *, slope: float) -> Any:
    """Return the upper one of two lines; the lower one for a slope above 1."""
    if slope == 0:
        return where(greater(x, 0), x, x * slope)
    return maximum(x, x * slope) if slope <= 1 else minimum(x, x * slope)


@lowers("prelu")
def prelu(x: Any, weight: Any) -> Any:
    """Return x, and weight * x where x is not positive."""
    return where(greater(x, 0), x, x * weight)


@lowers("rrelu_with_noise")
def rrelu(x: Any, noise: Any) -> Any:
    """Return x times its slope."""
    return x * noise


@lowers("hardshrink")
def hard_shrink(x: Any, *, lambd: float) -> Any:
    """Return x outside [-lambd, lambd], else 0."""
    return outside(x, x, low=-lambd, high=lambd)


@lowers("softshrink")
def soft_shrink(x: Any, *, lambd: float) -> Any:
    """Return x moved by lambd towards 0; -0. stays -0."""
    return copysign(x - limited(x, -lambd, lambd), x)


@lowers("hardsigmoid")
def hard_sigmoid(x: Any) -> Any:
    """Return x / 6 + 1 / 2, limited to [0, 1]."""
    return limited(x + 3, 0, 6) / 6


@lowers("hardswish")
def hard_swish(x: Any) -> Any:
    """Return x times its hard sigmoid."""
    return x * limited(x + 3, 0, 6) / 6


@lowers("hardswish_slope")
def hard_swish_slope(x: Any) -> Any:
    """Return 0 up to -3, 1 from 3 on, and x / 3 + 1 / 2 in between."""
    return where(less_equal(x, -3), 0.0, where(less(x, 3), x / 3 + 0.5, 1.0))


# S-shaped -------------------------------------------------------------------------------------------------------------


@lowers("log_sigmoid")
def log_sigmoid(x: Any) -> Any:
    """Return min(x, 0) - log(1 + e^-|x|)."""
    return minimum(x, 0) - log1p_exp_of_minus_size(x)


@lowers("softsign")
def softsign(x: Any) -> Any:
    """Return x / (|x| + 1)."""
    return x / (absolute(x) + 1)


@lowers("tanhshrink")
def tanh_shrink(x: Any) -> Any:
    """Return x - tanh(x)."""
    return x - tanh(x)


# Exponential below zero -----------------------------------------------------------------------------------------------


@lowers("elu", "celu")
def elu(x: Any, *, alpha: float, scale: float, input_scale: float) -> Any:
    """Return scale * (max(x, 0) + alpha * (e^(input_scale * min(x, 0)) - 1))."""
    below, rest = minimum(x, 0), maximum(x, 0)
    below = below if input_scale == 1 else below * input_scale
    return expm1(below) * (alpha * scale) + (rest if scale == 1 else rest * scale)


@lowers("elu_slope")
def elu_slope(x: Any, *, alpha: float, scale: float, input_scale: float) -> Any:
    """Return scale where x > 0, else alpha * scale * input_scale * e^(input_scale * x)."""
    below = minimum(x, 0)
    below = below if input_scale == 1 else below * input_scale
    return where(greater(x, 0), float(scale), exp(below) * (alpha * scale * input_scale))


# Smooth ramps ---------------------------------------------------------------------------------------------------------


@lowers("softplus")
def softplus(x: Any, *, beta: float, threshold: float) -> Any:
    """Return log(1 + e^(beta x)) / beta, and x itself from the threshold on."""
    z = x if beta == 1 else x * beta
    ramp = log1p_exp_of_minus_size(z) + maximum(z, 0)
    return where(greater(z, threshold), x, ramp if beta == 1 else ramp / beta)


@lowers("softplus_slope")
def softplus_slope(x: Any, *, beta: float, threshold: float) -> Any:
    """Return 1 / (1 + e^(-beta x)), and 1 from the threshold on."""
    z = x if beta == 1 else x * beta
    return where(greater(z, threshold), 1.0, sigmoid(z))


@lowers("silu")
def silu(x: Any) -> Any:
    """Return x / (1 + e^-x), through the sigmoid that its slope is made of as well."""
    return x * sigmoid(x)


@lowers("mish")
def mish(x: Any) -> Any:
    """Return x tanh(log(1 + u)) with u = e^x, which is x (u^2 + 2 u) / (u^2 + 2 u + 2); above 20 it is x."""
    u = exp(minimum(x, 20))
    n = (u + 2) * u
    return n / (n + 2) * x


@lowers("gelu")
def gelu(x: Any, *, approximate: str) -> Any:
    """Return x times the normal distribution's function."""
    if approximate == "tanh":
        return (tanh((x * x * _CUBIC + 1) * x * _ROOT_TWO_OVER_PI) + 1) * x * 0.5
    return (erf(x * _ROOT_HALF) + 1) * x * 0.5
