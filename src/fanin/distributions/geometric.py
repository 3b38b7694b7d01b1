"""The geometric distribution."""

from __future__ import annotations

from typing import Any

from fanin._core import dtypes
from fanin.distributions import constraints
from fanin.distributions.families import OfEvents
from fanin.distributions.utils import broadcast_all
from fanin.nn.functional import binary_cross_entropy_with_logits
from fanin.tensor import no_grad
from fanin.tensor.functions.creation import empty, zeros_like


class Geometric(OfEvents):
    """The number of failures before the first success: k = 0, 1, ... with probability (1 - p)^k p.

    >>> import fanin as torch
    >>> torch.distributions.Geometric(torch.tensor([0.5])).log_prob(torch.tensor([2.0]))
    tensor([-2.0794])
    """

    support = constraints.nonnegative_integer

    @property
    def mean(self) -> Any:
        """The mean: 1 / p - 1."""
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Any:
        """The mode: 0."""
        return zeros_like(self.probs)

    @property
    def variance(self) -> Any:
        """The variance: (1 / p - 1) / p."""
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape: Any = ()) -> Any:
        """Return floor(log u / log(1 - p)) with u uniform on (0, 1), without a gradient."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            u = empty(shape, dtype=self.probs.dtype).uniform_(dtypes.finfo(self.probs.dtype).tiny, 1)
            return (u.log() / (-self.probs.expand(shape)).log1p()).floor()

    def log_prob(self, value: Any) -> Any:
        """Return k log(1 - p) + log p."""
        self._validate_sample(value)
        value, probs = broadcast_all(value, self.probs)
        rate = (-probs).log1p().masked_fill((probs == 1) & (value == 0), 0)
        return value * rate + self.probs.log()

    def entropy(self) -> Any:
        """Return the entropy of one trial, divided by p."""
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs
