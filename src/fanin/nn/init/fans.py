"""What every rule for starting weights is made of: the fans of a weight, and the gain of the function behind it."""

from __future__ import annotations

import math
from typing import Any

from fanin._core.errors import ArgumentError

_LINEAR = frozenset(
    ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid")
)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor by which weights are larger because of the function that follows them.

    A rectifier max(0, z) + a min(0, z) passes on (1 + a^2) / 2 of the second moment of a symmetric z, so the weights'
    standard deviation makes up for it by sqrt(2 / (1 + a^2)): sqrt(2) for ReLU, which passes on one half.

    ==================  ====================
    linear, sigmoid     1
    tanh                5 / 3
    relu                sqrt(2)
    leaky_relu          sqrt(2 / (1 + a^2))
    selu                3 / 4
    ==================  ====================

    The values for tanh and SELU are PyTorch's and come from practice. SELU keeps mean 0 and variance 1 with a gain of 1
    (`lecun_normal_`); 3/4 gives that up for steadier gradients.

    Args:
        nonlinearity: the function's name.
        param: a, the negative slope of leaky_relu; 0.01 when left out.

    Raises:
        ValueError: for another name, or a slope that is no number.

    >>> import fanin as torch
    >>> torch.nn.init.calculate_gain("leaky_relu", 0.2)
    1.3867504905630728

    Reference: K. He et al., "Delving deep into rectifiers", 2015, arXiv 1502.01852, eqs. 8-10 and 15.
    """
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + _negative_slope(param) ** 2))
    if nonlinearity == "selu":
        return 3.0 / 4
    known = (*sorted(_LINEAR), "tanh", "relu", "leaky_relu", "selu")
    raise ArgumentError(f"Unsupported nonlinearity {nonlinearity}", remedy=f"Choose from {', '.join(known)}.")


def _negative_slope(param: Any) -> float:
    if param is None:
        return 0.01
    if isinstance(param, bool) or not isinstance(param, (int, float)):
        raise ArgumentError(f"negative_slope {param} not a valid number")
    return param


def fans_of(tensor: Any) -> tuple[int, int]:
    """Return fan_in and fan_out of a weight (fan_out, fan_in), as `nn.Linear` keeps it; more dimensions multiply both.

    Raises ValueError for fewer than two dimensions.
    """
    if tensor.dim() < 2:
        raise ArgumentError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions",
            remedy=f"The shape is {tuple(tensor.shape)}.",
        )
    fan_out, fan_in, *field = tensor.shape
    return fan_in * math.prod(field), fan_out * math.prod(field)


def fan_of(tensor: Any, mode: str) -> int:
    """Return the fan that a mode names, "fan_in" or "fan_out"; raise ValueError for another mode."""
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    fan_in, fan_out = fans_of(tensor)
    return fan_in if mode == "fan_in" else fan_out
