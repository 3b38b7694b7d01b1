"""The values that layers start with: PyTorch's draws, in PyTorch's order, from the default generator."""

from __future__ import annotations

import math
from typing import Any

from fanin.nn.init.filling import normal_ as fill_normal
from fanin.nn.init.filling import uniform_ as fill_uniform
from fanin.nn.init.variance import kaiming_uniform_

__all__ = ["fill_linear", "fill_normal", "fill_uniform"]


def fill_linear(weight: Any, bias: Any) -> None:
    """Fill the weight and the bias of an affine map: both uniform in +-1 / sqrt(fan_in).

    For the weight that is `kaiming_uniform_` with a = sqrt(5): b = sqrt(3) * (sqrt(2 / (1 + a^2)) / sqrt(fan_in)).
    """
    kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        fan_in = weight._array.shape[1]
        bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
        fill_uniform(bias, -bound, bound)
