"""The Bernoulli distribution: 0 or 1."""

from __future__ import annotations

from typing import Any

from fanin.distributions import constraints
from fanin.distributions.families import OfEvents
from fanin.distributions.utils import broadcast_all
from fanin.nn.functional import binary_cross_entropy_with_logits
from fanin.tensor import no_grad
from fanin.tensor.functions.arithmetic import where
from fanin.tensor.functions.creation import arange, full_like
from fanin.tensor.functions.sampling import bernoulli


class Bernoulli(OfEvents):
    """1 with probability p, else 0; given by probs or by logits, the log odds log(p / (1 - p)).

    >>> import fanin as torch
    >>> torch.distributions.Bernoulli(torch.tensor([0.5, 0.25])).log_prob(torch.tensor([1.0, 0.0]))
    tensor([-0.6931, -0.2877])
    """

    support = constraints.boolean

    @property
    def mean(self) -> Any:
        """The mean: p."""
        return self.probs

    @property
    def mode(self) -> Any:
        """1 where p > 1/2, 0 where it is less, NaN where it is 1/2."""
        likely = (self.probs >= 0.5).to(self.probs)
        return where(self.probs == 0.5, full_like(likely, float("nan")), likely)

    @property
    def variance(self) -> Any:
        """The variance: p (1 - p)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Return draws of 0 and 1, without a gradient."""
        with no_grad():
            return bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Any:
        """Return x log p + (1 - x) log(1 - p)."""
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Any:
        """Return -p log p - (1 - p) log(1 - p)."""
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Any:
        """Return 0 and 1, along a new first dimension."""
        values = arange(2, dtype=self.probs.dtype).view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values
