"""The Poisson distribution: counts."""

from __future__ import annotations

from typing import Any

from fanin.distributions import constraints
from fanin.distributions.distribution import Distribution, expanded
from fanin.distributions.utils import broadcast_all
from fanin.tensor import no_grad
from fanin.tensor.functions.arithmetic import xlogy
from fanin.tensor.functions.sampling import poisson


class Poisson(Distribution):
    """How many events come where `rate` are expected: probability rate^k exp(-rate) / k!.

    >>> import fanin as torch
    >>> torch.distributions.Poisson(torch.tensor([4.0])).log_prob(torch.tensor([2.0]))
    tensor([-1.9206])
    """

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        """The mean: rate."""
        return self.rate

    variance = mean

    @property
    def mode(self) -> Any:
        """The mode: rate, rounded down."""
        return self.rate.floor()

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        return expanded(self, batch_shape, rate=self.rate.expand(batch_shape))

    def sample(self, sample_shape: Any = ()) -> Any:
        """Return counts, without a gradient."""
        with no_grad():
            return poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Any:
        """Return k log rate - rate - log k!."""
        self._validate_sample(value)
        rate, value = broadcast_all(self.rate, value)
        return xlogy(value, rate) - rate - (value + 1).lgamma()
