"""The exponential distribution."""

from __future__ import annotations

from typing import Any

from fanin.distributions import constraints
from fanin.distributions.distribution import Distribution, expanded
from fanin.distributions.utils import broadcast_all
from fanin.tensor.functions.creation import empty, zeros_like
from fanin.tensor.functions.pointwise import exp, log, log1p


class Exponential(Distribution):
    """The exponential distribution on x >= 0, with density rate exp(-rate x).

    >>> import fanin as torch
    >>> torch.distributions.Exponential(2.0).log_prob(torch.tensor([0.0, 1.0]))
    tensor([ 0.6931, -1.3069])
    """

    has_rsample = True
    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        """The mean: 1 / rate."""
        return self.rate.reciprocal()

    stddev = mean

    @property
    def mode(self) -> Any:
        """The mode: 0."""
        return zeros_like(self.rate)

    @property
    def variance(self) -> Any:
        """The variance: 1 / rate^2."""
        return self.rate.pow(-2)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        return expanded(self, batch_shape, rate=self.rate.expand(batch_shape))

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return e / rate with e from the exponential distribution of rate 1: differentiable in rate."""
        return empty(tuple(self._extended_shape(sample_shape)), dtype=self.rate.dtype).exponential_() / self.rate

    def log_prob(self, value: Any) -> Any:
        """Return log rate - rate x."""
        self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value: Any) -> Any:
        """Return 1 - exp(-rate x)."""
        self._validate_sample(value)
        return 1 - exp(-self.rate * value)

    def icdf(self, value: Any) -> Any:
        """Return -log(1 - p) / rate."""
        return -log1p(-value) / self.rate

    def entropy(self) -> Any:
        """Return 1 - log rate."""
        return 1.0 - log(self.rate)
