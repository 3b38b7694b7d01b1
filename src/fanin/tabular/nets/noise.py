"""Dropout that a schedule takes back while training goes on."""

from __future__ import annotations

from typing import Any

import fanin
from fanin import nn
from fanin._core.errors import ArgumentError
from fanin.nn import functional as F


class FadingDropout(nn.Module):
    r"""Dropout whose noise has a strength, a number that lies in memory and may be another at each step.

    .. math:: y = x + s\,(d(x) - x)

    with dropout :math:`d` at probability :math:`p`. The noise has the mean 0 and the variance
    :math:`s^2 x^2 p / (1 - p)`: at :math:`s = 1` it is dropout, at 0 there is none, and in between it has mean and
    variance of dropout with a smaller probability. A compiled step has the probability as a constant, but reads the
    strength; so one program serves the whole schedule.

    Args:
        p: the probability at full strength, in [0, 1).
        strength: a parameter of shape (), which layers may share.

    Shape: any, the same comes out. In evaluation mode the input comes back.

    N. Srivastava et al., "Dropout", 2014, section 10: noise of the same mean and variance works as well.

    >>> import fanin as torch
    >>> layer = FadingDropout(0.5, torch.nn.Parameter(torch.tensor(0.0)))
    >>> layer(torch.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, p: float, strength: Any = None) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ArgumentError(f"the probability of dropout must lie in [0, 1), not {p}")
        self.p = p
        self.strength = nn.Parameter(fanin.tensor(1.0)) if strength is None else strength

    def forward(self, x: Any) -> Any:
        """Return the input with noise."""
        if not self.training or not self.p:
            return x
        return x + (F.dropout(x, self.p) - x) * self.strength

    def extra_repr(self) -> str:
        """Return the probability."""
        return f"p={self.p}"
