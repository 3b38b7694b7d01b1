"""Normalisation layers that look at one sample at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError
from fanin.nn import functional as F
from fanin.nn.module import Module
from fanin.nn.parameter import Parameter
from fanin.tensor.functions.creation import ones, zeros


def _shape(normalized_shape: Any) -> tuple[int, ...]:
    if isinstance(normalized_shape, (int, np.integer)):
        return (int(normalized_shape),)
    return tuple(normalized_shape)


class _Affine(Module):
    """What these layers share: a weight that starts with ones, and a bias that starts with zeros."""

    weight: Any
    bias: Any

    def _set_affine(self, shape: Any, weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        for name, wanted, make in (("weight", weight, ones), ("bias", bias, zeros)):
            parameter = Parameter(make(shape, device=device, dtype=dtype)) if wanted else None
            self.register_parameter(name, parameter)

    def reset_parameters(self) -> None:
        """Set the weight to ones and the bias to zeros."""
        for parameter, value in ((self.weight, 1), (self._parameters.get("bias"), 0)):
            if parameter is not None:
                parameter._array[...] = value


class LayerNorm(_Affine):
    """(x - mean) / sqrt(variance + eps) * weight + bias, the moments over the last dimensions of each sample.

    Args:
        normalized_shape: sizes of the last dimensions; an int for the last one.
        eps: added to the variance.
        elementwise_affine: whether there are weight and bias.
        bias: whether there is a bias, too.

    Shape: (*, *normalized_shape); the same comes out. weight and bias are of normalized_shape.

    Reference: J. L. Ba et al., "Layer normalization", 2016.

    >>> import fanin as torch
    >>> torch.nn.LayerNorm(2)(torch.tensor([[0.0, 2.0]])).detach()
    tensor([[-1.0000,  1.0000]])
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._set_affine(self.normalized_shape, elementwise_affine, elementwise_affine and bias, device, dtype)

    def forward(self, input: Any) -> Any:
        """Return the normalised input."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the settings."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(_Affine):
    """x / sqrt(mean(x^2) + eps) * weight, the mean over the last dimensions of each sample.

    Args:
        normalized_shape: sizes of the last dimensions; an int for the last one.
        eps: added to the mean square; the distance of 1 from the next number when None.
        elementwise_affine: whether there is a weight.

    Shape: (*, *normalized_shape); the same comes out. weight is of normalized_shape.

    Reference: B. Zhang and R. Sennrich, "Root mean square layer normalization", 2019.

    >>> import fanin as torch
    >>> torch.nn.RMSNorm(2)(torch.tensor([[3.0, 3.0]])).detach()
    tensor([[1., 1.]])
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        weight = Parameter(ones(self.normalized_shape, device=device, dtype=dtype)) if elementwise_affine else None
        self.register_parameter("weight", weight)

    def forward(self, input: Any) -> Any:
        """Return the normalised input."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_Affine):
    """(x - mean) / sqrt(variance + eps) * weight + bias, the moments of each group of channels of each sample.

    Args:
        num_groups: into how many groups the channels are divided.
        num_channels: how many there are, C.
        eps: added to the variance.
        affine: whether there are weight and bias.
        bias: whether there is a bias, too.

    Shape: (N, C, *); the same comes out. weight and bias are (C,).

    Raises ValueError when the channels cannot be divided.

    Reference: Y. Wu and K. He, "Group normalization", 2018.

    >>> import fanin as torch
    >>> torch.nn.GroupNorm(2, 4)(torch.tensor([[0.0, 2.0, 5.0, 5.0]])).detach()
    tensor([[-1.0000,  1.0000,  0.0000,  0.0000]])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ArgumentError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self._set_affine(num_channels, affine, affine and bias, device, dtype)

    def forward(self, input: Any) -> Any:
        """Return the normalised input."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the settings."""
        sizes = f"{self.num_groups}, {self.num_channels}"
        return f"{sizes}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"
