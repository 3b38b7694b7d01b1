"""A linear layer in the NTK parametrisation."""

from __future__ import annotations

from typing import Any

import fanin
from fanin import nn


class NTKLinear(nn.Module):
    r"""A linear layer whose weights start at size 1, with their scale in the formula.

    .. math:: y = \frac{x W}{\sqrt{n}} + b

    with :math:`n` inputs. Adam's steps have the size of the rate whatever the weights' size is, so that the factor
    makes one rate fit layers of all widths.

    Args:
        in_features: n.
        out_features: the outputs.

    Shape: (rows, in_features) to (rows, out_features). `weight` is (in_features, out_features), N(0, 1) until
    `start_from_data` looks at data; `bias` is (out_features,) and starts at 0.

    A. Jacot, F. Gabriel, C. Hongler, "Neural tangent kernel: convergence and generalization in neural networks", 2018.

    >>> import fanin as torch
    >>> layer = NTKLinear(4, 2)
    >>> _ = torch.nn.init.ones_(layer.weight)
    >>> layer(torch.ones(1, 4)).tolist()
    [[2.0, 2.0]]
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.scale = in_features**-0.5
        self.weight = nn.Parameter(fanin.randn(in_features, out_features))
        self.bias = nn.Parameter(fanin.zeros(out_features))

    def forward(self, x: Any) -> Any:
        """Return the outputs."""
        return (x @ self.weight) * self.scale + self.bias

    def extra_repr(self) -> str:
        """Return the widths."""
        return f"in_features={self.in_features}, out_features={self.out_features}"
