"""The base of all distributions: shapes, checks, and what every distribution can be asked."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.distributions.constraints import Constraint, _Dependent
from fanin.tensor import Size, no_grad
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.pointwise import exp
from fanin.tensor.grad_mode import mode


class Distribution:
    """A distribution, or a batch of independent ones.

    batch_shape:   the shape of the batch, which follows from the parameters.
    event_shape:   the shape of one draw.
    validate_args: whether parameters and values are checked; on unless `set_default_validate_args(False)`.

    Draws have shape sample_shape + batch_shape + event_shape, log densities sample_shape + batch_shape.
    """

    has_rsample = False
    arg_constraints: ClassVar[dict[str, Constraint]] = {}
    _validate_args = True

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args and mode.capture is None:
            self._check_parameters()

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Set whether parameters and values are checked where nothing is said."""
        if value not in (True, False):
            raise ArgumentError(f"validate_args must be True or False, got {value!r}")
        Distribution._validate_args = value

    def _check_parameters(self) -> None:
        for name, constraint in self.arg_constraints.items():
            if isinstance(constraint, _Dependent):
                continue
            if name not in self.__dict__ and not isinstance(getattr(type(self), name, None), property):
                continue  # follows from another parameter when it is asked for
            value = getattr(self, name)
            if not bool(constraint.check(value).all()):
                raise ArgumentError(
                    f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution "
                    f"{self!r} to satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    def _validate_sample(self, value: Any) -> None:
        if not self._validate_args:
            return
        if not isinstance(value, TensorBase):
            raise ArgumentError("The value argument to log_prob must be a Tensor")
        expected, actual = self._batch_shape + self._event_shape, value.shape  # type: ignore[attr-defined]
        events = len(self._event_shape)
        if events and tuple(actual[len(actual) - events :]) != tuple(self._event_shape):
            raise ArgumentError(
                f"The right-most size of value must match event_shape: {actual} vs {self._event_shape}."
            )
        for i, j in zip(reversed(actual), reversed(expected), strict=False):
            if i != 1 and j != 1 and i != j:
                raise ArgumentError(f"Value is not broadcastable with batch_shape+event_shape: {actual} vs {expected}.")
        support = None if mode.capture is not None else self.support
        if support is not None and not bool(support.check(value).all()):
            raise ArgumentError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(actual)}) to be within the support "
                f"({support!r}) of the distribution {self!r}, but found invalid values:\n{value}"
            )

    # Shapes -----------------------------------------------------------------------------------------------------------

    @property
    def batch_shape(self) -> Size:
        """The shape of the batch."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one draw."""
        return self._event_shape

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch.

        >>> import fanin as torch
        >>> torch.distributions.Normal(0.0, 1.0).expand((3,)).batch_shape
        torch.Size([3])
        """
        _missing(self, "expand")

    # What may be asked ------------------------------------------------------------------------------------------------

    @property
    def support(self) -> Constraint | None:
        """Where the density is positive."""
        return None

    @property
    def mean(self) -> Any:
        """The expected value."""
        _missing(self, "mean")

    @property
    def mode(self) -> Any:
        """The value of largest density."""
        _missing(self, "mode")

    @property
    def variance(self) -> Any:
        """The expected square of the distance to the mean."""
        _missing(self, "variance")

    @property
    def stddev(self) -> Any:
        """The square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Any:
        """Return draws of shape sample_shape + batch_shape + event_shape, without a gradient."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return draws that are differentiable functions of the parameters."""
        _missing(self, "rsample")

    def sample_n(self, n: int) -> Any:
        """Return n draws; `sample((n,))` is today's form."""
        return self.sample((n,))

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the density, or of the probability, at a value."""
        _missing(self, "log_prob")

    def cdf(self, value: Any) -> Any:
        """Return the probability of a draw up to a value."""
        _missing(self, "cdf")

    def icdf(self, value: Any) -> Any:
        """Return the value up to which a draw falls with a probability."""
        _missing(self, "icdf")

    def entropy(self) -> Any:
        """Return the expected value of -log_prob, in nats, for each distribution of the batch."""
        _missing(self, "entropy")

    def perplexity(self) -> Any:
        """Return the exponential of the entropy."""
        return exp(self.entropy())

    def enumerate_support(self, expand: bool = True) -> Any:
        """Return all values that a draw can take, along a new first dimension."""
        _missing(self, "enumerate_support")

    def __repr__(self) -> str:
        shown = {name: self.__dict__[name] for name in self.arg_constraints if name in self.__dict__}
        parts = (f"{name}: {value if value.numel() == 1 else value.size()}" for name, value in shown.items())
        return f"{type(self).__name__}({', '.join(parts)})"


def shape_of(sample_shape: Any) -> Size:
    """Return a sample shape as a Size; TypeError for a bare number."""
    if isinstance(sample_shape, int):
        raise ArgumentTypeError(f"sample_shape must be a tuple such as ({sample_shape},), not int")
    return Size(sample_shape)


def expanded(old: Distribution, batch_shape: Any, **parameters: Any) -> Any:
    """Return a distribution of the same class with these parameters, which are not checked again."""
    new = object.__new__(type(old))
    new.__dict__.update(old.__dict__, _batch_shape=Size(batch_shape), **parameters)
    return new


def _missing(distribution: Any, name: str) -> NoReturn:
    raise NotImplementedError(f"{type(distribution).__name__} has no {name}")
