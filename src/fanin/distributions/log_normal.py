"""The distribution of the exponential of a normal draw."""

from __future__ import annotations

from typing import Any

from fanin.distributions import constraints
from fanin.distributions.normal import Normal
from fanin.distributions.transformed_distribution import TransformedDistribution
from fanin.distributions.transforms import ExpTransform


class LogNormal(TransformedDistribution):
    """The distribution of exp(z) with z drawn from N(loc, scale^2).

    >>> import fanin as torch
    >>> torch.distributions.LogNormal(torch.tensor([0.0]), torch.tensor([1.0])).mean
    tensor([1.6487])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.positive

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        below = Normal(loc, scale, validate_args=validate_args)
        super().__init__(below, ExpTransform(), validate_args=validate_args)

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

    def entropy(self) -> Any:
        """Return the entropy of the logarithm, plus loc."""
        return self.base_dist.entropy() + self.loc
