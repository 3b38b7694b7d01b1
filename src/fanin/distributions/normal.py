"""The normal distribution."""

from __future__ import annotations

import math
from typing import Any

from fanin.distributions.families import LocationScale
from fanin.tensor import no_grad
from fanin.tensor.functions.creation import empty
from fanin.tensor.functions.pointwise import erf, erfinv, log
from fanin.tensor.functions.sampling import normal


def standard_normal(shape: Any, dtype: Any) -> Any:
    """Return draws from N(0, 1), which carry no gradient."""
    return empty(tuple(shape), dtype=dtype).normal_()


class Normal(LocationScale):
    """The normal distribution N(loc, scale^2), with density exp(-(x - loc)^2 / (2 scale^2)) / (scale sqrt(2 pi)).

    loc:   the mean, a number or a tensor.
    scale: the standard deviation, positive.

    >>> import fanin as torch
    >>> normal = torch.distributions.Normal(torch.tensor([0.0, 1.0]), 2.0)
    >>> normal
    Normal(loc: torch.Size([2]), scale: torch.Size([2]))
    >>> normal.log_prob(torch.zeros(2))
    tensor([-1.6121, -1.7371])
    """

    @property
    def stddev(self) -> Any:
        """The standard deviation: scale."""
        return self.scale

    @property
    def variance(self) -> Any:
        """The variance: scale^2."""
        return self.scale.pow(2)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Return draws, without a gradient."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return normal(self.loc.expand(shape), self.scale.expand(shape))

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return loc + scale * eps with eps drawn from N(0, 1): differentiable in loc and scale."""
        return self.loc + standard_normal(self._extended_shape(sample_shape), self.loc.dtype) * self.scale

    def log_prob(self, value: Any) -> Any:
        """Return -(x - loc)^2 / (2 scale^2) - log scale - log(2 pi) / 2."""
        self._validate_sample(value)
        return -((value - self.loc) ** 2) / (2 * self.variance) - log(self.scale) - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value: Any) -> Any:
        """Return (1 + erf((x - loc) / (scale sqrt 2))) / 2."""
        self._validate_sample(value)
        return 0.5 * (1 + erf((value - self.loc) * self.scale.reciprocal() / math.sqrt(2)))

    def icdf(self, value: Any) -> Any:
        """Return loc + scale sqrt(2) erfinv(2 p - 1)."""
        return self.loc + self.scale * erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self) -> Any:
        """Return (1 + log(2 pi)) / 2 + log scale."""
        return 0.5 + 0.5 * math.log(2 * math.pi) + log(self.scale)
