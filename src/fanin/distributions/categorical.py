"""The categorical distribution: one of several classes."""

from __future__ import annotations

from typing import Any

from fanin._core import dtypes
from fanin._core.errors import ArgumentError
from fanin.distributions import constraints
from fanin.distributions.distribution import shape_of
from fanin.distributions.families import ProbsOrLogits
from fanin.distributions.utils import normalized
from fanin.tensor import no_grad
from fanin.tensor.functions.creation import arange, full
from fanin.tensor.functions.pointwise import clamp
from fanin.tensor.functions.sampling import multinomial
from fanin.tensor.functions.shaping import broadcast_tensors


class Categorical(ProbsOrLogits):
    """The number of a class, 0 to K - 1; given by probs (..., K), which are normalised, or by logits (..., K).

    >>> import fanin as torch
    >>> policy = torch.distributions.Categorical(torch.tensor([0.1, 0.2, 0.7]))
    >>> policy.log_prob(torch.tensor([2, 0]))
    tensor([-0.3567, -2.3026])
    >>> policy.entropy()
    tensor(0.8018)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        name, given = self._give(probs, logits)
        if given.dim() < 1:
            raise ArgumentError(f"`{name}` parameter must be at least one-dimensional.")
        self.__dict__[name] = normalized(given) if probs is None else given / given.sum(-1, keepdim=True)
        self._num_events = given.size(-1)
        super().__init__(given.shape[:-1], validate_args=validate_args)

    @property
    def support(self) -> constraints.Constraint:
        """The numbers 0 to K - 1."""
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def mean(self) -> Any:
        """NaN: numbers of classes have no mean."""
        return full(tuple(self._batch_shape), float("nan"), dtype=self.probs.dtype)

    variance = mean

    @property
    def mode(self) -> Any:
        """The most probable class."""
        return self.probs.argmax(dim=-1)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Return numbers of classes, as int64."""
        shape = shape_of(sample_shape)
        with no_grad():
            draws = multinomial(self.probs.reshape(-1, self._num_events), shape.numel(), True).T
            return draws.reshape(self._extended_shape(shape))

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of a class's probability."""
        self._validate_sample(value)
        index, logits = broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return logits.gather(-1, index[..., :1]).squeeze(-1)

    def entropy(self) -> Any:
        """Return -sum of p log p over the classes."""
        logits = clamp(self.logits, min=dtypes.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Any:
        """Return 0 to K - 1, along a new first dimension."""
        values = arange(self._num_events).view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values
