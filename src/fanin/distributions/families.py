"""What several distributions have in common: a location and a scale; probs or logits; classes that are drawn."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentError, MissingNameError
from fanin.distributions import constraints
from fanin.distributions.distribution import Distribution, expanded
from fanin.distributions.utils import broadcast_all, logits_to_probs, probs_to_logits
from fanin.tensor import Size, enable_grad


class LocationScale(Distribution):
    """A distribution around loc, its mean and mode, that is stretched by scale, a positive number."""

    has_rsample = True
    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        """The mean: loc."""
        return self.loc

    mode = mean

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        return expanded(self, batch_shape, loc=self.loc.expand(batch_shape), scale=self.scale.expand(batch_shape))


class ProbsOrLogits(Distribution):
    """A distribution that is given by probs or by logits; the other one follows when it is asked for.

    is_binary: whether logits are log odds of single probabilities, or logarithms over the last dimension.
    """

    is_binary = False

    def _give(self, probs: Any, logits: Any) -> tuple[str, Any]:
        """Return the name of the one that is given, and itself.

        Raises ValueError unless it is one of the two.
        """
        if (probs is None) == (logits is None):
            raise ArgumentError("Either `probs` or `logits` must be specified, but not both.")
        return ("logits", logits) if probs is None else ("probs", probs)

    def __getattr__(self, name: str) -> Any:
        # With its gradient, also in `sample`.
        other = {"logits": "probs", "probs": "logits"}.get(name)
        if other not in self.__dict__:
            raise MissingNameError(f"'{type(self).__name__}' object has no attribute '{name}'")
        with enable_grad():
            convert = probs_to_logits if name == "logits" else logits_to_probs
            self.__dict__[name] = convert(self.__dict__[other], is_binary=self.is_binary)
        return self.__dict__[name]

    @property
    def param_shape(self) -> Size:
        """The shape of probs or logits."""
        shape: Size = self.__dict__["logits" if "logits" in self.__dict__ else "probs"].size()
        return shape

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        shape = (*batch_shape, *self.param_shape[len(self._batch_shape) :])
        given = {n: self.__dict__[n].expand(shape) for n in ("probs", "logits") if n in self.__dict__}
        return expanded(self, batch_shape, **given)


class OfEvents(ProbsOrLogits):
    """A distribution of events that happen with probability p, given by probs or by logits, log(p / (1 - p))."""

    is_binary = True
    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        name, given = self._give(probs, logits)
        (self.__dict__[name],) = broadcast_all(given)
        super().__init__(self.__dict__[name].shape, validate_args=validate_args)


class OverClasses(Distribution):
    """A distribution over rows (..., K) that comes from draws of a `Categorical`, which it holds as `_categorical`."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    _categorical: Any

    def _hold(self, categorical: Any, validate_args: bool | None) -> None:
        self._categorical = categorical
        super().__init__(categorical.batch_shape, categorical.param_shape[-1:], validate_args=validate_args)

    @property
    def probs(self) -> Any:
        """The probabilities of the classes."""
        return self._categorical.probs

    @property
    def logits(self) -> Any:
        """The logarithms of the probabilities."""
        return self._categorical.logits

    @property
    def param_shape(self) -> Size:
        """The shape of probs or logits."""
        shape: Size = self._categorical.param_shape
        return shape

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        return expanded(self, batch_shape, _categorical=self._categorical.expand(batch_shape))
