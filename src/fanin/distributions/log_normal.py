"""The distribution of the exponential of a normal draw."""

from __future__ import annotations

from typing import Any

from fanin.distributions import constraints
from fanin.distributions.distribution import Distribution, expanded
from fanin.distributions.normal import Normal


class LogNormal(Distribution):
    """The distribution of exp(z) with z drawn from N(loc, scale^2).

    >>> import fanin as torch
    >>> torch.distributions.LogNormal(torch.tensor([0.0]), torch.tensor([1.0])).mean
    tensor([1.6487])
    """

    has_rsample = True
    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.base_dist = Normal(loc, scale, validate_args=validate_args)
        super().__init__(self.base_dist.batch_shape, validate_args=validate_args)

    support = constraints.positive

    @property
    def loc(self) -> Any:
        """The mean of the logarithm."""
        return self.base_dist.loc

    @property
    def scale(self) -> Any:
        """The standard deviation of the logarithm."""
        return self.base_dist.scale

    @property
    def mean(self) -> Any:
        """The mean: exp(loc + scale^2 / 2)."""
        return (self.loc + self.scale.pow(2) / 2).exp()

    @property
    def mode(self) -> Any:
        """The mode: exp(loc - scale^2)."""
        return (self.loc - self.scale.square()).exp()

    @property
    def variance(self) -> Any:
        """The variance: (exp(scale^2) - 1) exp(2 loc + scale^2)."""
        square = self.scale.pow(2)
        return square.expm1() * (2 * self.loc + square).exp()

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        return expanded(self, batch_shape, base_dist=self.base_dist.expand(batch_shape))

    def sample(self, sample_shape: Any = ()) -> Any:
        """Return draws, without a gradient."""
        return self.base_dist.sample(sample_shape).exp()

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return draws that are differentiable in loc and scale."""
        return self.base_dist.rsample(sample_shape).exp()

    def log_prob(self, value: Any) -> Any:
        """Return the normal log density of log x, minus log x."""
        self._validate_sample(value)
        x = value.log()
        return self.base_dist.log_prob(x) - x

    def cdf(self, value: Any) -> Any:
        """Return the probability of a draw up to a value."""
        self._validate_sample(value)
        return self.base_dist.cdf(value.log())

    def entropy(self) -> Any:
        """Return the entropy of the logarithm, plus loc."""
        return self.base_dist.entropy() + self.loc

    def __repr__(self) -> str:
        return "LogNormal()"
