"""Independent draws taken together as one event."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentError
from fanin.distributions import constraints
from fanin.distributions.distribution import Distribution, expanded
from fanin.distributions.utils import sum_rightmost


class Independent(Distribution):
    """A distribution whose last batch dimensions count as parts of one event: log_prob sums over them.

    >>> import fanin as torch
    >>> normal = torch.distributions.Normal(torch.zeros(2, 3), torch.ones(2, 3))
    >>> torch.distributions.Independent(normal, 1).log_prob(torch.zeros(2, 3))
    tensor([-2.7568, -2.7568])
    """

    def __init__(
        self, base_distribution: Any, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        if reinterpreted_batch_ndims > len(base_distribution.batch_shape):
            raise ArgumentError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), "
                f"actual {reinterpreted_batch_ndims} vs {len(base_distribution.batch_shape)}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        shape = base_distribution.batch_shape + base_distribution.event_shape
        cut = len(base_distribution.batch_shape) - reinterpreted_batch_ndims
        super().__init__(shape[:cut], shape[cut:], validate_args=validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the distribution below has `rsample`."""
        return bool(self.base_dist.has_rsample)

    @property
    def support(self) -> constraints.Constraint:
        """The support of the distribution below, in every entry of an event."""
        below: constraints.Constraint = self.base_dist.support
        return (
            constraints.independent(below, self.reinterpreted_batch_ndims) if self.reinterpreted_batch_ndims else below
        )

    @property
    def mean(self) -> Any:
        """The mean."""
        return self.base_dist.mean

    @property
    def mode(self) -> Any:
        """The mode."""
        return self.base_dist.mode

    @property
    def variance(self) -> Any:
        """The variance of each entry."""
        return self.base_dist.variance

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        below = self.base_dist.expand((*batch_shape, *self._event_shape[: self.reinterpreted_batch_ndims]))
        return expanded(self, batch_shape, base_dist=below)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Return draws, without a gradient."""
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return draws that are differentiable in the parameters."""
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Any) -> Any:
        """Return the sum of the log densities over an event."""
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Any:
        """Return the sum of the entropies over an event."""
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"
