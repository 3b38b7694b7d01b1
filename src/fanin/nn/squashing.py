"""Activations that level off, and those that pull towards zero."""

from __future__ import annotations

from typing import Any

from fanin.nn import functional as F
from fanin.nn.module import Module


class Softsign(Module):
    """x / (1 + |x|).

    >>> import fanin as torch
    >>> torch.nn.Softsign()(torch.tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])
    """

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.softsign(input)


class Sigmoid(Module):
    """1 / (1 + e^-x).

    >>> import fanin as torch
    >>> torch.nn.Sigmoid()(torch.tensor([0.0]))
    tensor([0.5000])
    """

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.sigmoid(input)


class LogSigmoid(Module):
    """log(1 / (1 + e^-x)), without overflow.

    >>> import fanin as torch
    >>> torch.nn.LogSigmoid()(torch.tensor([0.0]))
    tensor([-0.6931])
    """

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.logsigmoid(input)


class _InPlaceIsSilent(Module):
    """A module that has `inplace` and does not print it."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class Hardsigmoid(_InPlaceIsSilent):
    """relu6(x + 3) / 6.

    Args:
        inplace: write the result into the input.

    >>> import fanin as torch
    >>> torch.nn.Hardsigmoid()(torch.tensor([-4.0, 0.0]))
    tensor([0.0000, 0.5000])
    """

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.hardsigmoid(input, self.inplace)


class Hardswish(_InPlaceIsSilent):
    """x relu6(x + 3) / 6.

    Args:
        inplace: write the result into the input.

    >>> import fanin as torch
    >>> torch.nn.Hardswish()(torch.tensor([0.0, 3.0]))
    tensor([0., 3.])
    """

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.hardswish(input, self.inplace)


class Tanh(Module):
    """(e^x - e^-x) / (e^x + e^-x).

    >>> import fanin as torch
    >>> torch.nn.Tanh()(torch.tensor([0.0]))
    tensor([0.])
    """

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.tanh(input)


class Tanhshrink(Module):
    """x - tanh(x).

    >>> import fanin as torch
    >>> torch.nn.Tanhshrink()(torch.tensor([1.0]))
    tensor([0.2384])
    """

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.tanhshrink(input)


class Hardshrink(Module):
    """x, and 0 in [-lambd, lambd].

    Args:
        lambd: how far from 0 the zeros reach.

    >>> import fanin as torch
    >>> torch.nn.Hardshrink()(torch.tensor([0.3, 1.0]))
    tensor([0., 1.])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"{self.lambd}"


class Softshrink(Module):
    """x moved by lambd towards 0, and 0 in [-lambd, lambd].

    Args:
        lambd: how far from 0 the zeros reach, at least 0.

    >>> import fanin as torch
    >>> torch.nn.Softshrink()(torch.tensor([0.3, 1.0]))
    tensor([0.0000, 0.5000])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"{self.lambd}"
