"""Student's t distribution."""

from __future__ import annotations

import math
from typing import Any

from fanin.distributions import constraints
from fanin.distributions.distribution import Distribution, expanded
from fanin.distributions.gamma import Chi2
from fanin.distributions.normal import standard_normal
from fanin.distributions.utils import broadcast_all
from fanin.tensor.functions.arithmetic import where
from fanin.tensor.functions.pointwise import digamma, lgamma, log1p, rsqrt


class StudentT(Distribution):
    """Student's t distribution: a normal one with heavy tails, whose likelihood outliers pull on less.

    df:    the degrees of freedom, positive; the fewer, the heavier the tails.
    loc:   the centre.
    scale: positive.

    >>> import fanin as torch
    >>> torch.distributions.StudentT(2.0).log_prob(torch.tensor([0.0, 3.0]))
    tensor([-1.0397, -3.5968])
    """

    has_rsample = True
    arg_constraints = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    support = constraints.real

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        super().__init__(self.df.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        """The mean: loc, for df > 1."""
        return where(self.df > 1, self.loc, math.nan)

    @property
    def mode(self) -> Any:
        """The mode: loc."""
        return self.loc

    @property
    def variance(self) -> Any:
        """The variance: scale^2 df / (df - 2) for df > 2, infinite for df > 1."""
        known = self.scale.pow(2) * self.df / (self.df - 2)
        return where(self.df > 2, known, where(self.df > 1, math.inf, math.nan))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        wide = {name: getattr(self, name).expand(batch_shape) for name in ("df", "loc", "scale")}
        return expanded(self, batch_shape, **wide)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return loc + scale x / sqrt(z / df) with x normal and z chi-squared: differentiable in loc and scale."""
        x = standard_normal(self._extended_shape(sample_shape), self.df.dtype)
        z = Chi2(self.df, validate_args=False).rsample(sample_shape)
        return self.loc + self.scale * (x * rsqrt(z / self.df))

    def log_prob(self, value: Any) -> Any:
        """Return -(df + 1) / 2 log(1 + y^2 / df) minus the logarithm of the integral, with y = (x - loc) / scale."""
        self._validate_sample(value)
        y = (value - self.loc) / self.scale
        integral = (
            self.scale.log()
            + 0.5 * self.df.log()
            + 0.5 * math.log(math.pi)
            + lgamma(0.5 * self.df)
            - lgamma(0.5 * (self.df + 1.0))
        )
        return -0.5 * (self.df + 1.0) * log1p(y**2.0 / self.df) - integral

    def entropy(self) -> Any:
        """Return the expected value of -log_prob."""
        half, more = 0.5 * self.df, 0.5 * (self.df + 1)
        log_beta = lgamma(half) + math.lgamma(0.5) - lgamma(more)
        return self.scale.log() + more * (digamma(more) - digamma(half)) + 0.5 * self.df.log() + log_beta
