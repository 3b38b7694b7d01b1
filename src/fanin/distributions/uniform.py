"""The uniform distribution."""

from __future__ import annotations

from typing import Any

from fanin.distributions import constraints
from fanin.distributions.distribution import Distribution, expanded
from fanin.distributions.utils import broadcast_all
from fanin.tensor.functions.pointwise import log
from fanin.tensor.functions.sampling import rand


class Uniform(Distribution):
    """The uniform distribution on [low, high), with density 1 / (high - low).

    >>> import fanin as torch
    >>> torch.distributions.Uniform(0.0, 4.0).log_prob(torch.tensor([1.0, 3.0]))
    tensor([-1.3863, -1.3863])
    """

    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = broadcast_all(low, high)
        super().__init__(self.low.shape, validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:  # type: ignore[override]
        """Each bound is held against the other."""
        return {"low": constraints.less_than(self.high), "high": constraints.greater_than(self.low)}

    @property
    def support(self) -> constraints.Constraint:
        """The values from low to high."""
        return constraints.interval(self.low, self.high)

    @property
    def mean(self) -> Any:
        """The mean: (low + high) / 2."""
        return (self.high + self.low) / 2

    @property
    def stddev(self) -> Any:
        """The standard deviation: (high - low) / sqrt(12)."""
        return (self.high - self.low) / 12**0.5

    @property
    def variance(self) -> Any:
        """The variance: (high - low)^2 / 12."""
        return (self.high - self.low).pow(2) / 12

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        return expanded(self, batch_shape, low=self.low.expand(batch_shape), high=self.high.expand(batch_shape))

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return low + (high - low) * u with u uniform on [0, 1): differentiable in low and high."""
        u = rand(tuple(self._extended_shape(sample_shape)), dtype=self.low.dtype)
        return self.low + u * (self.high - self.low)

    def log_prob(self, value: Any) -> Any:
        """Return -log(high - low) within [low, high), minus infinity outside."""
        self._validate_sample(value)
        inside = self.low.le(value).type_as(self.low) * self.high.gt(value).type_as(self.low)
        return log(inside) - log(self.high - self.low)

    def cdf(self, value: Any) -> Any:
        """Return (x - low) / (high - low), between 0 and 1."""
        self._validate_sample(value)
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value: Any) -> Any:
        """Return low + p (high - low)."""
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Any:
        """Return log(high - low)."""
        return log(self.high - self.low)
