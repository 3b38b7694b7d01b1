"""An activation of which each neuron learns how much to take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fanin
from fanin import nn
from fanin._core.errors import ArgumentError
from fanin.nn import functional as F

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "selu": F.selu,
    "mish": F.mish,
    "relu": F.relu,
    "silu": F.silu,
    "gelu": F.gelu,
}


class ParametricActivation(nn.Module):
    r"""A mixture of the identity and an activation, with a learned share for each neuron.

    .. math:: y = x + (f(x) - x)\, \alpha

    Args:
        width: the neurons.
        function: one of selu, mish, relu, silu, gelu.

    Shape: (rows, width), the same comes out. `alpha` is (width,) and starts at 1, the activation alone.

    Raises ValueError for another function.

    D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by default", arXiv 2407.04491, appendix A.

    >>> import fanin as torch
    >>> layer = ParametricActivation(2, "relu")
    >>> layer.alpha.data = torch.tensor([1.0, 0.5])
    >>> layer(torch.tensor([[-2.0, -2.0]])).tolist()
    [[0.0, -1.0]]
    """

    def __init__(self, width: int, function: str) -> None:
        super().__init__()
        if function not in FUNCTIONS:
            raise ArgumentError(f"no activation {function!r}; there are {', '.join(FUNCTIONS)}")
        self.function = function
        self.alpha = nn.Parameter(fanin.ones(width))

    def forward(self, x: Any) -> Any:
        """Return the activations."""
        return x + (FUNCTIONS[self.function](x) - x) * self.alpha

    def extra_repr(self) -> str:
        """Return the activation's name."""
        return f"{len(self.alpha)}, {self.function}"
