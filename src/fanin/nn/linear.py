"""Affine layers."""

from __future__ import annotations

from typing import Any

from fanin.nn.functional.linear import linear
from fanin.nn.module import Module
from fanin.nn.parameter import Parameter
from fanin.nn.starting_values import fill_linear
from fanin.tensor.functions.creation import empty


class Identity(Module):
    """Return the input, whatever the arguments are.

    >>> import fanin as torch
    >>> torch.nn.Identity(54, unused=1)(torch.tensor([1.0]))
    tensor([1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """Return the input."""
        return input


class Linear(Module):
    """A fully connected layer: y = x W^T + b.

    Args:
        in_features: size of each input row, n.
        out_features: size of each output row, m.
        bias: whether b is added.

    Shape: (*, n) to (*, m). weight is (m, n), bias (m,). Both start uniform in +-1 / sqrt(n).

    >>> import fanin as torch
    >>> layer = torch.nn.Linear(3, 2)
    >>> layer(torch.ones(5, 3)).shape
    torch.Size([5, 2])
    """

    in_features: int
    out_features: int
    weight: Any
    bias: Any

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty((out_features, in_features), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new starting values."""
        fill_linear(self.weight, self.bias)

    def forward(self, input: Any) -> Any:
        """Return x W^T + b."""
        # Straight from the dictionary where Module keeps it: `self.weight` would look in three other places first.
        held = self._parameters
        if "weight" in held and "bias" in held:
            return linear(input, held["weight"], held["bias"])
        return linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
