"""A periodic embedding for each numerical column."""

from __future__ import annotations

import math
from typing import Any

import fanin
from fanin import nn


class PeriodicEmbedding(nn.Module):
    r"""Waves of each number, mixed into a few outputs, beside the number itself (PBLD).

    .. math:: h_{pk} = \cos(2\pi x_p w_{kp} + b_{kp}), \quad
        y_{pj} = \sum_k M_{jkp} h_{pk} + c_{jp}, \quad \text{output } (x, y)

    Args:
        columns: how many numbers a row has (P).
        waves: how many waves each number is given (K).
        width: outputs for each number, itself among them; so `mix` makes width - 1.
        deviation: the standard deviation of the frequencies w at the start.

    Shape: (rows, P) to (rows, width P): first the numbers, then all first outputs, all second ones, and so on.
    `frequency` and `phase` are (K, P), `mix` is (width - 1, K, P), `bias` (width - 1, P): numbers lie last, so that
    the vectors of the native code run along the columns.

    Start: w ~ N(0, deviation^2), b ~ U(-pi, pi), M and c ~ U(-1/sqrt(K), 1/sqrt(K)).

    D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by default", arXiv 2407.04491, after Y. Gorishniy et al., "On
    embeddings for numerical features in tabular deep learning", arXiv 2203.05556.

    >>> import fanin as torch
    >>> PeriodicEmbedding(5)(torch.zeros(7, 5)).shape
    torch.Size([7, 20])
    """

    def __init__(self, columns: int, waves: int = 16, width: int = 4, deviation: float = 0.1) -> None:
        super().__init__()
        self.columns, self.width = columns, width
        bound = waves**-0.5
        self.frequency = nn.Parameter(deviation * fanin.randn(waves, columns))
        self.phase = nn.Parameter(_uniform(math.pi, waves, columns))
        self.mix = nn.Parameter(_uniform(bound, width - 1, waves, columns))
        self.bias = nn.Parameter(_uniform(bound, width - 1, columns))

    def forward(self, x: Any) -> Any:
        """Return the numbers and their waves."""
        waves = fanin.cos((2 * math.pi) * x.unsqueeze(1) * self.frequency + self.phase)
        mixed = (waves.unsqueeze(1) * self.mix).sum(2) + self.bias
        return fanin.cat([x, mixed.reshape(-1, (self.width - 1) * self.columns)], dim=1)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"columns={self.columns}, waves={len(self.frequency)}, width={self.width}"


def _uniform(bound: float, *shape: int) -> Any:
    return bound * (2 * fanin.rand(*shape) - 1)
