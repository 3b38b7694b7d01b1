"""Shares that sum to 1: the Dirichlet distribution, and Beta for two of them."""

from __future__ import annotations

from typing import Any

from fanin._core import dtypes
from fanin._core.errors import ArgumentError
from fanin.distributions import constraints
from fanin.distributions.distribution import Distribution, expanded
from fanin.distributions.gamma import standard_gamma
from fanin.distributions.utils import broadcast_all
from fanin.tensor.functions.arithmetic import nextafter, xlogy
from fanin.tensor.functions.data import tensor
from fanin.tensor.functions.joining import stack
from fanin.tensor.functions.pointwise import digamma, lgamma


class Dirichlet(Distribution):
    """Rows of K shares, with density proportional to the product of x_k^(a_k - 1).

    concentration: a, positive, of shape (..., K).

    Draws are PyTorch's; `rsample` gives them where the concentration needs no gradient.

    >>> import fanin as torch
    >>> torch.distributions.Dirichlet(torch.ones(3)).log_prob(torch.tensor([0.2, 0.3, 0.5]))
    tensor(0.6931)
    """

    has_rsample = True
    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex

    def __init__(self, concentration: Any, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ArgumentError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Any:
        """The mean: a / sum a."""
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Any:
        """The mode: (a - 1) / sum (a - 1), or the largest share alone where all a are below 1."""
        from fanin.nn.functional import one_hot

        above = (self.concentration - 1).clamp(min=0.0)
        mode = above / above.sum(-1, True)
        at_corner = (self.concentration < 1).all(dim=-1)
        mode[at_corner] = one_hot(mode[at_corner].argmax(dim=-1), above.shape[-1]).to(mode)
        return mode

    @property
    def variance(self) -> Any:
        """The variance of each share: a (s - a) / (s^2 (s + 1)) with s = sum a."""
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        return expanded(self, batch_shape, concentration=self.concentration.expand((*batch_shape, *self._event_shape)))

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return draws: gamma draws, divided by their sum.

        Raises RuntimeError when a gradient of the concentration is wanted.
        """
        kind = self.concentration.dtype
        drawn = standard_gamma(self.concentration.expand(self._extended_shape(sample_shape)))
        below_1 = nextafter(tensor(1.0, dtype=kind), tensor(0.0, dtype=kind)).item()
        return (drawn / drawn.sum(-1, True)).clamp(min=dtypes.finfo(kind).tiny, max=below_1).to(kind)

    def log_prob(self, value: Any) -> Any:
        """Return sum (a - 1) log x + log Gamma(sum a) - sum log Gamma(a)."""
        self._validate_sample(value)
        a = self.concentration
        return xlogy(a - 1.0, value).sum(-1) + lgamma(a.sum(-1)) - lgamma(a).sum(-1)

    def entropy(self) -> Any:
        """Return the expected value of -log_prob."""
        a = self.concentration
        total, count = a.sum(-1), a.shape[-1]
        spread = (count - total) * digamma(total) + ((a - 1.0) * digamma(a)).sum(-1)
        return lgamma(a).sum(-1) - lgamma(total) - spread


class Beta(Distribution):
    """A share between 0 and 1, with density proportional to x^(a - 1) (1 - x)^(b - 1).

    concentration1: a, positive.
    concentration0: b, positive.

    >>> import fanin as torch
    >>> torch.distributions.Beta(2.0, 2.0).log_prob(torch.tensor([0.5]))
    tensor([0.4055])
    """

    has_rsample = True
    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        pair = broadcast_all(concentration1, concentration0)
        self._dirichlet = Dirichlet(stack(pair, -1), validate_args=validate_args)
        super().__init__(self._dirichlet.batch_shape, validate_args=validate_args)

    @property
    def concentration1(self) -> Any:
        """The first parameter, a."""
        return self._dirichlet.concentration[..., 0]

    @property
    def concentration0(self) -> Any:
        """The second parameter, b."""
        return self._dirichlet.concentration[..., 1]

    @property
    def mean(self) -> Any:
        """The mean: a / (a + b)."""
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Any:
        """The mode: (a - 1) / (a + b - 2), or an end of the interval."""
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self) -> Any:
        """The variance: a b / ((a + b)^2 (a + b + 1))."""
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.pow(2) * (total + 1))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        return expanded(self, batch_shape, _dirichlet=self._dirichlet.expand(batch_shape))

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return draws: the first share of a Dirichlet draw."""
        return self._dirichlet.rsample(sample_shape).select(-1, 0)

    def log_prob(self, value: Any) -> Any:
        """Return (a - 1) log x + (b - 1) log(1 - x) - log B(a, b)."""
        self._validate_sample(value)
        return self._dirichlet.log_prob(stack([value, 1.0 - value], -1))

    def entropy(self) -> Any:
        """Return the expected value of -log_prob."""
        return self._dirichlet.entropy()

    def __repr__(self) -> str:
        return "Beta()"
