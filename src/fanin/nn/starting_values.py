"""The values that layers start with: PyTorch's draws, in PyTorch's order, from the default generator."""

from __future__ import annotations

import math
from typing import Any

from fanin.random.generator import default_generator
from fanin.random.normals import normal
from fanin.random.uniforms import uniform


def fill_uniform(parameter: Any, low: float, high: float) -> None:
    """Fill with draws from the uniform distribution on [low, high)."""
    array = parameter._array
    array[...] = uniform(default_generator, low, high, array.shape, array.dtype)


def fill_normal(parameter: Any, mean: float = 0.0, std: float = 1.0) -> None:
    """Fill with draws from N(mean, std**2)."""
    array = parameter._array
    array[...] = normal(default_generator, mean, std, array.shape, array.dtype)


def fill_linear(weight: Any, bias: Any) -> None:
    """Fill the weight and the bias of an affine map: both uniform in +-1 / sqrt(fan_in).

    The weight's bound is kaiming_uniform's with a = sqrt(5), in the very expression that PyTorch evaluates, for another
    form of it differs in the last bit: b = sqrt(3) * (sqrt(2 / (1 + a**2)) / sqrt(fan_in)).
    """
    fan_in = weight._array.shape[1]
    if weight._array.size:
        gain = math.sqrt(2.0 / (1 + math.sqrt(5) ** 2))
        bound = math.sqrt(3.0) * (gain / math.sqrt(fan_in))
        fill_uniform(weight, -bound, bound)
    if bias is not None:
        bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
        fill_uniform(bias, -bound, bound)
