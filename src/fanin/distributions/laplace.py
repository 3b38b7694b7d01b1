"""The Laplace distribution."""

from __future__ import annotations

from typing import Any

from fanin._core import dtypes
from fanin.distributions.families import LocationScale
from fanin.tensor.functions.creation import empty
from fanin.tensor.functions.pointwise import abs, expm1, log, log1p, sign


class Laplace(LocationScale):
    """The Laplace distribution, with density exp(-|x - loc| / scale) / (2 scale).

    >>> import fanin as torch
    >>> torch.distributions.Laplace(0.0, 1.0).log_prob(torch.tensor([0.0, -2.0]))
    tensor([-0.6931, -2.6931])
    """

    @property
    def stddev(self) -> Any:
        """The standard deviation: sqrt(2) scale."""
        return 2**0.5 * self.scale

    @property
    def variance(self) -> Any:
        """The variance: 2 scale^2."""
        return 2 * self.scale.pow(2)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return loc - scale sign(u) log(1 - |u|) with u uniform on (-1, 1): differentiable in loc and scale."""
        low = dtypes.finfo(self.loc.dtype).eps - 1
        u = empty(tuple(self._extended_shape(sample_shape)), dtype=self.loc.dtype).uniform_(low, 1)
        return self.loc - self.scale * u.sign() * log1p(-u.abs())

    def log_prob(self, value: Any) -> Any:
        """Return -log(2 scale) - |x - loc| / scale."""
        self._validate_sample(value)
        return -log(2 * self.scale) - abs(value - self.loc) / self.scale

    def cdf(self, value: Any) -> Any:
        """Return 1/2 - sign(x - loc) (exp(-|x - loc| / scale) - 1) / 2."""
        self._validate_sample(value)
        away = value - self.loc
        return 0.5 - 0.5 * sign(away) * expm1(-abs(away) / self.scale)

    def icdf(self, value: Any) -> Any:
        """Return loc - scale sign(p - 1/2) log(1 - 2 |p - 1/2|)."""
        term = value - 0.5
        return self.loc - self.scale * term.sign() * log1p(-2 * term.abs())

    def entropy(self) -> Any:
        """Return 1 + log(2 scale)."""
        return 1 + log(2 * self.scale)
