"""Dropout as modules: in training they act, in evaluation they pass the input on."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentError
from fanin.nn import functional as F
from fanin.nn.module import Module


class _DropoutNd(Module):
    """What all kinds of dropout share: the probability.

    Args:
        p: the probability, in [0, 1].
        inplace: write the result into the input.

    Raises ValueError when p is outside [0, 1].
    """

    p: float
    inplace: bool

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ArgumentError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """In training, set each element to zero with probability p, and divide the others by 1 - p.

    Args:
        p: the probability of a zero, in [0, 1].
        inplace: write the result into the input.

    Raises ValueError when p is outside [0, 1].

    Reference: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.nn.Dropout(0.5)(torch.ones(4))
    tensor([0., 0., 2., 0.])
    """

    def forward(self, input: Any) -> Any:
        """Return the input with some elements set to zero."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """In training, set whole channels to zero with probability p, and divide the others by 1 - p.

    Args:
        p: the probability of a zero, in [0, 1].
        inplace: write the result into the input.

    Shape: (N, C, L) or (C, L); the same comes out.

    >>> import fanin as torch
    >>> torch.nn.Dropout1d().eval()(torch.ones(1, 2)).shape
    torch.Size([1, 2])
    """

    def forward(self, input: Any) -> Any:
        """Return the input with some channels set to zero."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """In training, set elements to SELU's lower limit with probability p; mean and variance stay as they are.

    Args:
        p: the probability, in [0, 1].
        inplace: accepted and, as in PyTorch, without effect.

    Reference: G. Klambauer et al., "Self-normalizing neural networks", 2017, section "Alpha dropout".

    >>> import fanin as torch
    >>> torch.nn.AlphaDropout().eval()(torch.ones(2))
    tensor([1., 1.])
    """

    def forward(self, input: Any) -> Any:
        """Return the input with some elements set to the limit, scaled and shifted."""
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """Alpha dropout of whole channels.

    Args:
        p: the probability, in [0, 1].
        inplace: accepted and, as in PyTorch, without effect.

    Shape: (N, C, *); the same comes out.

    >>> import fanin as torch
    >>> torch.nn.FeatureAlphaDropout().eval()(torch.ones(1, 2)).shape
    torch.Size([1, 2])
    """

    def forward(self, input: Any) -> Any:
        """Return the input with some channels set to the limit, scaled and shifted."""
        return F.feature_alpha_dropout(input, self.p, self.training)
