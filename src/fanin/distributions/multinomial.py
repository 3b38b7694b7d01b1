"""The multinomial distribution: counts of several independent categorical draws."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentTypeError
from fanin.distributions import constraints
from fanin.distributions.categorical import Categorical
from fanin.distributions.distribution import shape_of
from fanin.distributions.families import OverClasses
from fanin.distributions.utils import broadcast_all
from fanin.tensor.functions.creation import zeros
from fanin.tensor.functions.pointwise import lgamma


class Multinomial(OverClasses):
    """How often each of K classes comes in total_count draws; given by probs or by logits, as `Categorical`.

    >>> import fanin as torch
    >>> die = torch.distributions.Multinomial(3, torch.ones(2))
    >>> die.log_prob(torch.tensor([3.0, 0.0]))
    tensor(-2.0794)
    """

    def __init__(
        self, total_count: int = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        if not isinstance(total_count, int):
            raise ArgumentTypeError("inhomogeneous total_count is not supported: give one int")
        self.total_count = total_count
        self._hold(Categorical(probs, logits), validate_args)

    @property
    def support(self) -> constraints.Constraint:
        """Counts whose sum is at most total_count."""
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Any:
        """The mean: n p."""
        return self.probs * self.total_count

    @property
    def variance(self) -> Any:
        """The variance of each count: n p (1 - p)."""
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Return counts (..., K), without a gradient."""
        shape = shape_of(sample_shape)
        draws = self._categorical.sample((self.total_count, *shape))
        draws = draws.permute((*range(1, draws.dim()), 0))
        counts = zeros(tuple(self._extended_shape(shape)), dtype=self.probs.dtype)
        return counts.scatter_add_(-1, draws, draws.new_ones(draws.shape).to(counts.dtype))

    def log_prob(self, value: Any) -> Any:
        """Return log(n! / (x_1! ... x_K!)) + the sum of x_k log p_k."""
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        logits = logits.masked_fill((value == 0) & (logits == -float("inf")), 0)
        factorials = lgamma(value.sum(-1) + 1) - lgamma(value + 1).sum(-1)
        return factorials + (logits * value).sum(-1)

    def __repr__(self) -> str:
        return "Multinomial()"
