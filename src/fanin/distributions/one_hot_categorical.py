"""The categorical distribution over rows with a single 1."""

from __future__ import annotations

from typing import Any

from fanin.distributions import constraints
from fanin.distributions.categorical import Categorical
from fanin.distributions.families import OverClasses
from fanin.nn.functional import one_hot


class OneHotCategorical(OverClasses):
    """A row (..., K) with a 1 at the class that was drawn; given by probs or by logits, as `Categorical`.

    >>> import fanin as torch
    >>> torch.distributions.OneHotCategorical(torch.tensor([0.25, 0.75])).log_prob(torch.tensor([0.0, 1.0]))
    tensor(-0.2877)
    """

    support = constraints.one_hot

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._hold(Categorical(probs, logits), validate_args)

    @property
    def mean(self) -> Any:
        """The mean: the probabilities."""
        return self._categorical.probs

    @property
    def mode(self) -> Any:
        """The row of the most probable class."""
        return one_hot(self.probs.argmax(dim=-1), num_classes=self.probs.shape[-1]).to(self.probs)

    @property
    def variance(self) -> Any:
        """The variance of each entry: p (1 - p)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Return rows of zeros with a 1, without a gradient."""
        return one_hot(self._categorical.sample(sample_shape), self._categorical._num_events).to(self.probs.dtype)

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the probability of the class with the 1."""
        self._validate_sample(value)
        return self._categorical.log_prob(value.max(-1)[1])

    def entropy(self) -> Any:
        """Return -sum of p log p over the classes."""
        return self._categorical.entropy()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
