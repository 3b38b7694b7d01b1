"""The gamma distribution, and chi-squared, one of its kind."""

from __future__ import annotations

from typing import Any

from fanin._core import dtypes
from fanin._core.errors import GraphError
from fanin.distributions import constraints
from fanin.distributions.distribution import Distribution, expanded
from fanin.distributions.utils import broadcast_all
from fanin.random import gamma
from fanin.tensor.functions.arithmetic import xlogy
from fanin.tensor.functions.pointwise import digamma, lgamma, log
from fanin.tensor.functions.sampling import stream_of
from fanin.tensor.grad_mode import is_grad_enabled
from fanin.tensor.tensor import wrap


def standard_gamma(concentration: Any) -> Any:
    """Return draws of the gamma distribution of rate 1 in float64, which carry no gradient.

    Raises RuntimeError where one is asked for.
    """
    if concentration.requires_grad and is_grad_enabled():
        raise GraphError(
            "draws of a gamma distribution have no gradient in fanin",
            remedy="Use sample() with log_prob, or a LogNormal, whose rsample() is differentiable.",
        )
    return wrap(gamma(stream_of(None), concentration.detach()._array))


class Gamma(Distribution):
    """The gamma distribution on x >= 0, with density rate^a x^(a - 1) exp(-rate x) / Gamma(a).

    concentration: a, positive.
    rate:          positive; the inverse of the scale.

    Draws are PyTorch's; `rsample` gives them where the concentration needs no gradient.

    >>> import fanin as torch
    >>> torch.distributions.Gamma(2.0, 1.0).log_prob(torch.tensor([1.0, 3.0]))
    tensor([-1.0000, -1.9014])
    """

    has_rsample = True
    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        """The mean: a / rate."""
        return self.concentration / self.rate

    @property
    def mode(self) -> Any:
        """The mode: (a - 1) / rate, or 0."""
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Any:
        """The variance: a / rate^2."""
        return self.concentration / self.rate.pow(2)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        wide = {name: getattr(self, name).expand(batch_shape) for name in ("concentration", "rate")}
        return expanded(self, batch_shape, **wide)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return draws that are differentiable in rate.

        Raises RuntimeError when a gradient of the concentration is wanted.
        """
        tiny = dtypes.finfo(self.rate.dtype).tiny
        shape = self._extended_shape(sample_shape)
        drawn = standard_gamma(self.concentration.expand(shape)).to(self.rate.dtype)
        return (drawn.clamp(min=tiny) / self.rate.expand(shape)).clamp(min=tiny)

    def log_prob(self, value: Any) -> Any:
        """Return a log rate + (a - 1) log x - rate x - log Gamma(a)."""
        self._validate_sample(value)
        shape, rate = self.concentration, self.rate
        return xlogy(shape, rate) + xlogy(shape - 1, value) - rate * value - lgamma(shape)

    def entropy(self) -> Any:
        """Return a - log rate + log Gamma(a) + (1 - a) digamma(a)."""
        a = self.concentration
        return a - log(self.rate) + lgamma(a) + (1.0 - a) * digamma(a)


class Chi2(Gamma):
    """The distribution of the sum of df squared normal draws: Gamma(df / 2, 1 / 2).

    >>> import fanin as torch
    >>> torch.distributions.Chi2(3.0).mean
    tensor(3.)
    """

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    @property
    def df(self) -> Any:
        """The degrees of freedom."""
        return self.concentration * 2
