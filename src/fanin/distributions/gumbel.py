"""The Gumbel distribution."""

from __future__ import annotations

import math
from typing import Any

from fanin._core import dtypes
from fanin.distributions import constraints
from fanin.distributions.transformed_distribution import TransformedDistribution
from fanin.distributions.transforms import AffineTransform, ExpTransform
from fanin.distributions.uniform import Uniform
from fanin.distributions.utils import broadcast_all
from fanin.tensor.functions.creation import full_like, ones_like

EULER = 0.577215664901532860606512090082402431


class Gumbel(TransformedDistribution):
    """The Gumbel distribution of largest values, with distribution function exp(-exp(-(x - loc) / scale)).

    >>> import fanin as torch
    >>> torch.distributions.Gumbel(0.0, 1.0).log_prob(torch.tensor([0.0, 1.0]))
    tensor([-1.0000, -1.3679])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        limits = dtypes.finfo(self.loc.dtype)
        below = Uniform(
            full_like(self.loc, limits.tiny), full_like(self.loc, 1 - limits.eps), validate_args=validate_args
        )
        negated = AffineTransform(loc=0, scale=-ones_like(self.scale))
        last = AffineTransform(loc=self.loc, scale=-self.scale)
        super().__init__(below, [ExpTransform().inv, negated, ExpTransform().inv, last], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        return Gumbel(self.loc.expand(batch_shape), self.scale.expand(batch_shape), self._validate_args)

    def log_prob(self, value: Any) -> Any:
        """Return y - exp(y) - log scale with y = (loc - x) / scale."""
        self._validate_sample(value)
        y = (self.loc - value) / self.scale
        return (y - y.exp()) - self.scale.log()

    @property
    def mean(self) -> Any:
        """The mean: loc + 0.5772 scale."""
        return self.loc + self.scale * EULER

    @property
    def mode(self) -> Any:
        """The mode: loc."""
        return self.loc

    @property
    def stddev(self) -> Any:
        """The standard deviation: pi scale / sqrt(6)."""
        return math.pi / math.sqrt(6) * self.scale

    @property
    def variance(self) -> Any:
        """The variance: (pi scale)^2 / 6."""
        return self.stddev.pow(2)

    def entropy(self) -> Any:
        """Return log scale + 1 + 0.5772."""
        return self.scale.log() + (1 + EULER)
