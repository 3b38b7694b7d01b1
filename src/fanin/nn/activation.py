"""Activations as modules."""

from __future__ import annotations

from typing import Any

from fanin.nn import functional as F
from fanin.nn.module import Module


class ReLU(Module):
    """max(0, x), element by element.

    Args:
        inplace: write the result into the input.

    >>> import fanin as torch
    >>> torch.nn.ReLU()(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """Return max(0, x)."""
        return F.relu(input, self.inplace)

    def extra_repr(self) -> str:
        """Say whether it works in place."""
        return "inplace=True" if self.inplace else ""


class Sigmoid(Module):
    """1 / (1 + e^-x), element by element."""

    def forward(self, input: Any) -> Any:
        """Return 1 / (1 + e^-x)."""
        return F.sigmoid(input)


class Tanh(Module):
    """tanh x, element by element."""

    def forward(self, input: Any) -> Any:
        """Return tanh x."""
        return F.tanh(input)
