"""The categorical distribution: one of several classes."""

from __future__ import annotations

from typing import Any

from fanin._core import dtypes
from fanin._core.errors import ArgumentError, MissingNameError
from fanin.distributions import constraints
from fanin.distributions.distribution import Distribution, expanded, shape_of
from fanin.distributions.utils import logits_to_probs, normalized, probs_to_logits
from fanin.tensor import Size, enable_grad, no_grad
from fanin.tensor.functions.creation import arange, full
from fanin.tensor.functions.pointwise import clamp
from fanin.tensor.functions.sampling import multinomial
from fanin.tensor.functions.shaping import broadcast_tensors


class Categorical(Distribution):
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
        if (probs is None) == (logits is None):
            raise ArgumentError("Either `probs` or `logits` must be specified, but not both.")
        name, given = ("logits", logits) if probs is None else ("probs", probs)
        if given.dim() < 1:
            raise ArgumentError(f"`{name}` parameter must be at least one-dimensional.")
        self.__dict__[name] = normalized(given) if probs is None else given / given.sum(-1, keepdim=True)
        self._num_events = given.size(-1)
        super().__init__(given.shape[:-1], validate_args=validate_args)

    def __getattr__(self, name: str) -> Any:
        # One of the two is given, the other follows from it when it is asked for; with its gradient, also in `sample`.
        other = {"logits": "probs", "probs": "logits"}.get(name)
        if other not in self.__dict__:
            raise MissingNameError(f"'{type(self).__name__}' object has no attribute '{name}'")
        with enable_grad():
            convert = probs_to_logits if name == "logits" else logits_to_probs
            self.__dict__[name] = convert(self.__dict__[other])
        return self.__dict__[name]

    @property
    def support(self) -> constraints.Constraint:
        """The numbers 0 to K - 1."""
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def param_shape(self) -> Size:
        """The shape of probs or logits."""
        shape: Size = self.__dict__["logits" if "logits" in self.__dict__ else "probs"].size()
        return shape

    @property
    def mean(self) -> Any:
        """NaN: numbers of classes have no mean."""
        return full(tuple(self._batch_shape), float("nan"), dtype=self.probs.dtype)

    variance = mean

    @property
    def mode(self) -> Any:
        """The most probable class."""
        return self.probs.argmax(dim=-1)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        shape = (*batch_shape, self._num_events)
        given = {n: self.__dict__[n].expand(shape) for n in ("probs", "logits") if n in self.__dict__}
        return expanded(self, batch_shape, **given)

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
