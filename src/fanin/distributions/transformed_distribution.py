"""The distribution of a function of a draw."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentError
from fanin.distributions import constraints
from fanin.distributions.distribution import Distribution, expanded
from fanin.distributions.independent import Independent
from fanin.distributions.transforms import ComposeTransform, Transform
from fanin.distributions.utils import sum_rightmost
from fanin.tensor import Size, no_grad


class TransformedDistribution(Distribution):
    """The distribution of y = f(x), with x drawn from another one: log p(y) = log p(x) - log |det df/dx|.

    base_distribution: where x comes from.
    transforms:        one transform or a list, whose first is applied first.

    >>> import fanin as torch
    >>> d = torch.distributions
    >>> squashed = d.TransformedDistribution(d.Normal(torch.zeros(2), 1.0), [d.TanhTransform()])
    >>> squashed.log_prob(torch.tensor([0.0, 0.5]))
    tensor([-0.9189, -0.7821])
    """

    base_dist: Any

    def __init__(self, base_distribution: Any, transforms: Any, validate_args: bool | None = None) -> None:
        self.transforms = _listed(transforms)
        function = ComposeTransform(self.transforms)
        domain, codomain = function.domain.event_dim, function.codomain.event_dim
        shape = base_distribution.batch_shape + base_distribution.event_shape
        if len(shape) < domain:
            raise ArgumentError(
                f"base_distribution needs to have shape with size at least {domain}, but got {Size(shape)}."
            )
        events = len(base_distribution.event_shape)
        result = Size(function.forward_shape(shape))
        below = Size(function.inverse_shape(result))
        if tuple(below) != tuple(shape):
            base_distribution = base_distribution.expand(below[: len(below) - events])
        coupled = domain - events
        self.base_dist = Independent(base_distribution, coupled) if coupled > 0 else base_distribution
        cut = len(result) - max(codomain, events + codomain - domain)
        super().__init__(result[:cut], result[cut:], validate_args=validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the distribution below has `rsample`."""
        return bool(self.base_dist.has_rsample)

    @property
    def support(self) -> Any:
        """The values that the last transform gives."""
        if not self.transforms:
            return self.base_dist.support
        last = self.transforms[-1].codomain
        missing = len(self._event_shape) - last.event_dim
        return constraints.independent(last, missing) if missing > 0 else last

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        shape = Size((*batch_shape, *self._event_shape))
        for transform in reversed(self.transforms):
            shape = transform.inverse_shape(shape)
        kept = len(shape) - len(self.base_dist.event_shape)
        return expanded(self, batch_shape, base_dist=self.base_dist.expand(shape[:kept]))

    def sample(self, sample_shape: Any = ()) -> Any:
        """Return draws, without a gradient."""
        with no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return draws that are differentiable in the parameters of the distribution and of the transforms."""
        return self._forward(self.base_dist.rsample(sample_shape))

    def _forward(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Any) -> Any:
        """Return the log density of x, minus the transforms' log |det|."""
        self._validate_sample(value)
        events, total, y = len(self._event_shape), 0.0, value
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            events += transform.domain.event_dim - transform.codomain.event_dim
            total = total - sum_rightmost(transform.log_abs_det_jacobian(x, y), events - transform.domain.event_dim)
            y = x
        return total + sum_rightmost(self.base_dist.log_prob(y), events - len(self.base_dist.event_shape))

    def cdf(self, value: Any) -> Any:
        """Return the probability of a draw up to a value, for transforms of single numbers."""
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        return self._turned(self.base_dist.cdf(value))

    def icdf(self, value: Any) -> Any:
        """Return the value up to which a draw falls with a probability."""
        return self._forward(self.base_dist.icdf(self._turned(value)))

    def _turned(self, share: Any) -> Any:
        """Return p, or 1 - p where the transforms fall."""
        sign = ComposeTransform(self.transforms).sign
        return share if isinstance(sign, int) and sign == 1 else sign * (share - 0.5) + 0.5


def _listed(transforms: Any) -> list[Transform]:
    if isinstance(transforms, Transform):
        return [transforms]
    if not isinstance(transforms, list):
        raise ArgumentError(f"transforms must be a Transform or list, but was {transforms}")
    if not all(isinstance(transform, Transform) for transform in transforms):
        raise ArgumentError("transforms must be a Transform or a list of Transforms")
    return transforms
