"""Affine layers."""

from __future__ import annotations

import math
from typing import Any

from fanin._core.errors import ArgumentError
from fanin.nn.functional.distance import bilinear
from fanin.nn.functional.linear import linear
from fanin.nn.lazy import LazyModuleMixin
from fanin.nn.module import Module
from fanin.nn.parameter import Parameter, UninitializedParameter
from fanin.nn.starting_values import fill_linear, fill_uniform
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
        self.weight._belongs_to_linear = True  # its rows are units: see optim/mistakes.py
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


class LazyLinear(LazyModuleMixin, Linear):
    """A fully connected layer that takes the number of inputs from the first batch, and becomes a `Linear` then.

    Args:
        out_features: size of each output row.
        bias: whether b is added.

    >>> import fanin as torch
    >>> torch.nn.LazyLinear(3)(torch.ones(2, 5)).shape
    torch.Size([2, 3])
    """

    cls_to_become = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        # Without a bias and of size 0: nothing is drawn yet.
        super().__init__(0, 0, False)
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_features = out_features
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw new starting values, once there is something to draw."""
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Any) -> None:
        """Take the size from the input and draw the starting values."""
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            self.weight.materialize((self.out_features, self.in_features))
            if self.bias is not None:
                self.bias.materialize((self.out_features,))
            self.reset_parameters()
        if self.in_features == 0:
            self.in_features = self.weight.shape[-1]


class Bilinear(Module):
    """A bilinear layer of two inputs: y_k = x1^T A_k x2 + b_k.

    Args:
        in1_features: size of each row of the first input, n1, at least 1.
        in2_features: size of each row of the second input, n2.
        out_features: size of each output row, m.
        bias: whether b is added.

    Shape: (*, n1) and (*, n2) to (*, m). weight is (m, n1, n2), bias (m,). Both start uniform in +-1 / sqrt(n1).

    Raises ValueError for in1_features below 1.

    >>> import fanin as torch
    >>> torch.nn.Bilinear(2, 3, 4)(torch.ones(5, 2), torch.ones(5, 3)).shape
    torch.Size([5, 4])
    """

    weight: Any
    bias: Any

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ArgumentError(f"in1_features must be > 0, but got (in1_features={in1_features})")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(empty((out_features, in1_features, in2_features), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new starting values."""
        bound = 1 / math.sqrt(self.in1_features)
        fill_uniform(self.weight, -bound, bound)
        if self.bias is not None:
            fill_uniform(self.bias, -bound, bound)

    def forward(self, input1: Any, input2: Any) -> Any:
        """Return x1^T A x2 + b."""
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
