"""The Cauchy distribution."""

from __future__ import annotations

import math
from typing import Any

from fanin.distributions.families import LocationScale
from fanin.tensor.functions.creation import empty, full_like
from fanin.tensor.functions.pointwise import atan, log, tan


class Cauchy(LocationScale):
    """The Cauchy distribution, with density 1 / (pi scale (1 + ((x - loc) / scale)^2)); it has no mean.

    >>> import fanin as torch
    >>> torch.distributions.Cauchy(0.0, 1.0).log_prob(torch.tensor([0.0, 1.0]))
    tensor([-1.1447, -1.8379])
    """

    @property
    def mean(self) -> Any:
        """NaN: the integral does not exist."""
        return full_like(self.loc, math.nan)

    @property
    def mode(self) -> Any:
        """The mode: loc."""
        return self.loc

    @property
    def variance(self) -> Any:
        """Infinite."""
        return full_like(self.loc, math.inf)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return loc + scale * eps with eps drawn from the standard one: differentiable in loc and scale."""
        return self.loc + empty(self._extended_shape(sample_shape), dtype=self.loc.dtype).cauchy_() * self.scale

    def log_prob(self, value: Any) -> Any:
        """Return -log(pi scale) - log(1 + ((x - loc) / scale)^2)."""
        self._validate_sample(value)
        return -math.log(math.pi) - self.scale.log() - (((value - self.loc) / self.scale) ** 2).log1p()

    def cdf(self, value: Any) -> Any:
        """Return arctan((x - loc) / scale) / pi + 1/2."""
        self._validate_sample(value)
        return atan((value - self.loc) / self.scale) / math.pi + 0.5

    def icdf(self, value: Any) -> Any:
        """Return loc + scale tan(pi (p - 1/2))."""
        return tan(math.pi * (value - 0.5)) * self.scale + self.loc

    def entropy(self) -> Any:
        """Return log(4 pi scale)."""
        return math.log(4 * math.pi) + log(self.scale)
