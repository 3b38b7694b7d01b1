"""Activations that look along a whole dimension."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentError
from fanin.nn import functional as F
from fanin.nn.module import Module


class GLU(Module):
    """a sigmoid(b), where a and b are the two halves along a dimension.

    Args:
        dim: the dimension that is halved.

    Reference: Y. Dauphin et al., "Language modeling with gated convolutional networks", 2016.

    >>> import fanin as torch
    >>> torch.nn.GLU()(torch.tensor([1.0, 2.0, 0.0, 0.0]))
    tensor([0.5000, 1.0000])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        """Return the values of the function."""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"dim={self.dim}"


class _AlongDim(Module):
    """A function of all values along a dimension."""

    dim: int | None

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("dim", None)

    def extra_repr(self) -> str:
        """Return the dimension."""
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """e^x_i / sum_j e^x_j along a dimension.

    Args:
        dim: the dimension along which the result sums to 1.

    >>> import fanin as torch
    >>> torch.nn.Softmax(dim=0)(torch.tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Any) -> Any:
        """Return the probabilities."""
        return F.softmax(input, self.dim, _stacklevel=5)


class Softmin(_AlongDim):
    """softmax(-x) along a dimension.

    Args:
        dim: the dimension along which the result sums to 1.

    >>> import fanin as torch
    >>> torch.nn.Softmin(dim=0)(torch.tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Any) -> Any:
        """Return the probabilities."""
        return F.softmin(input, self.dim, _stacklevel=5)


class LogSoftmax(_AlongDim):
    """log softmax(x) along a dimension.

    Args:
        dim: the dimension along which the exponentials sum to 1.

    >>> import fanin as torch
    >>> torch.nn.LogSoftmax(dim=0)(torch.tensor([0.0, 0.0]))
    tensor([-0.6931, -0.6931])
    """

    def forward(self, input: Any) -> Any:
        """Return the logarithms of the probabilities."""
        return F.log_softmax(input, self.dim, _stacklevel=5)


class Softmax2d(Module):
    """softmax over the channels at every place.

    Shape: (N, C, H, W) or (C, H, W); the same comes out.

    Raises ValueError for other numbers of dimensions.

    >>> import fanin as torch
    >>> torch.nn.Softmax2d()(torch.zeros(2, 1, 1)).flatten()
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Any) -> Any:
        """Return the probabilities."""
        if input.dim() not in (3, 4):
            raise ArgumentError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return F.softmax(input, -3, _stacklevel=5)
