"""The absolute value of a draw around 0: half of a normal or of a Cauchy distribution, as priors of scales."""

from __future__ import annotations

import math
from typing import Any

from fanin.distributions import constraints
from fanin.distributions.cauchy import Cauchy
from fanin.distributions.normal import Normal
from fanin.distributions.transformed_distribution import TransformedDistribution
from fanin.distributions.transforms import AbsTransform
from fanin.tensor.functions.arithmetic import where
from fanin.tensor.functions.creation import full_like, zeros_like


class _Half(TransformedDistribution):
    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative

    def _fold(self, whole: Any, validate_args: bool | None) -> None:
        super().__init__(whole, AbsTransform(), validate_args=validate_args)

    @property
    def scale(self) -> Any:
        """The scale of the whole distribution."""
        return self.base_dist.scale

    @property
    def mode(self) -> Any:
        """The mode: 0."""
        return zeros_like(self.scale)

    def log_prob(self, value: Any) -> Any:
        """Return the log density of the whole distribution, plus log 2; minus infinity below 0."""
        self._validate_sample(value)
        return where(value >= 0, self.base_dist.log_prob(value) + math.log(2), -math.inf)

    def cdf(self, value: Any) -> Any:
        """Return 2 F(x) - 1."""
        self._validate_sample(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, prob: Any) -> Any:
        """Return the whole distribution's value at (1 + p) / 2."""
        return self.base_dist.icdf((prob + 1) / 2)

    def entropy(self) -> Any:
        """Return the whole distribution's entropy, minus log 2."""
        return self.base_dist.entropy() - math.log(2)


class HalfNormal(_Half):
    """The distribution of |x| with x drawn from N(0, scale^2).

    >>> import fanin as torch
    >>> torch.distributions.HalfNormal(1.0).log_prob(torch.tensor([0.0, 1.0]))
    tensor([-0.2258, -0.7258])
    """

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        self._fold(Normal(0, scale, validate_args=False), validate_args)

    @property
    def mean(self) -> Any:
        """The mean: scale sqrt(2 / pi)."""
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Any:
        """The variance: scale^2 (1 - 2 / pi)."""
        return self.scale.pow(2) * (1 - 2 / math.pi)


class HalfCauchy(_Half):
    """The distribution of |x| with x drawn from a Cauchy distribution around 0.

    >>> import fanin as torch
    >>> torch.distributions.HalfCauchy(1.0).log_prob(torch.tensor([0.0, 1.0]))
    tensor([-0.4516, -1.1447])
    """

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        self._fold(Cauchy(0, scale, validate_args=False), validate_args)

    @property
    def mean(self) -> Any:
        """Infinite."""
        return full_like(self.scale, math.inf)

    @property
    def variance(self) -> Any:
        """Infinite."""
        return self.base_dist.variance
