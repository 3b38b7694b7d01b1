"""The functions that draws are put through: of single numbers, and of rows."""

from __future__ import annotations

import math
from typing import Any

from fanin._core import dtypes
from fanin.distributions import constraints
from fanin.distributions.transform import Transform, wider
from fanin.distributions.utils import sum_rightmost
from fanin.nn.functional import logsigmoid, pad, softplus
from fanin.tensor import Size
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.creation import full_like, ones_like
from fanin.tensor.functions.pointwise import abs, clamp, exp, log, sigmoid, tanh
from fanin.tensor.functions.shaping import broadcast_shapes

# Functions of single numbers ------------------------------------------------------------------------------------------


class _Growing(Transform):
    """A bijection of the real numbers, each by itself, that grows."""

    bijective = True
    domain = constraints.real
    codomain: Any = constraints.real
    sign = 1

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    __hash__ = Transform.__hash__


class ExpTransform(_Growing):
    """y = exp(x).

    >>> import fanin as torch
    >>> from fanin.distributions import transforms as T
    >>> T.ExpTransform()(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """

    codomain = constraints.positive

    def _call(self, x: Any) -> Any:
        return x.exp()

    def _inverse(self, y: Any) -> Any:
        return y.log()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Return log |det dy/dx| for each event."""
        return x


class PowerTransform(Transform):
    """y = x^exponent, for positive x.

    >>> import fanin as torch
    >>> from fanin.distributions import transforms as T
    >>> T.PowerTransform(torch.tensor(2.0))(torch.tensor([1.0, 3.0]))
    tensor([1., 9.])
    """

    bijective = True
    domain = codomain = constraints.positive

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.exponent = exponent

    @property
    def sign(self) -> Any:
        """1 where the function grows, -1 where it falls."""
        return self.exponent.sign()

    def _call(self, x: Any) -> Any:
        return x.pow(self.exponent)

    def _inverse(self, y: Any) -> Any:
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Return log |det dy/dx| for each event."""
        return (self.exponent * y / x).abs().log()


class SigmoidTransform(_Growing):
    """y = 1 / (1 + exp(-x)), kept within (0, 1).

    >>> import fanin as torch
    >>> from fanin.distributions import transforms as T
    >>> T.SigmoidTransform()(torch.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """

    codomain = constraints.unit_interval

    def _call(self, x: Any) -> Any:
        return _inside(sigmoid(x))

    def _inverse(self, y: Any) -> Any:
        y = _inside(y)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Return log |det dy/dx| for each event."""
        return -softplus(-x) - softplus(x)


def _inside(y: Any) -> Any:
    limits = dtypes.finfo(y.dtype)
    return clamp(y, min=limits.tiny, max=1.0 - limits.eps)


class SoftplusTransform(_Growing):
    """y = log(1 + exp(x)).

    >>> import fanin as torch
    >>> from fanin.distributions import transforms as T
    >>> T.SoftplusTransform()(torch.tensor([0.0, 30.0]))
    tensor([ 0.6931, 30.0000])
    """

    codomain = constraints.positive

    def _call(self, x: Any) -> Any:
        return softplus(x)

    def _inverse(self, y: Any) -> Any:
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Return log |det dy/dx| for each event."""
        return -softplus(-x)


class TanhTransform(_Growing):
    """y = tanh(x). Its inverse loses digits near 1: use cache_size=1 where a draw's own density is asked for.

    >>> import fanin as torch
    >>> from fanin.distributions import transforms as T
    >>> T.TanhTransform()(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """

    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x: Any) -> Any:
        return tanh(x)

    def _inverse(self, y: Any) -> Any:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Return log |det dy/dx| for each event."""
        return 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))


class AffineTransform(Transform):
    """y = loc + scale * x.

    event_dim: how many of the last dimensions are one event; the Jacobian sums over them.

    >>> import fanin as torch
    >>> from fanin.distributions import transforms as T
    >>> T.AffineTransform(loc=1.0, scale=2.0)(torch.tensor([0.0, 3.0]))
    tensor([1., 7.])
    """

    bijective = True

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale, self._event_dim = loc, scale, event_dim
        self.domain = self.codomain = wider(constraints.real, event_dim)

    @property
    def event_dim(self) -> int:
        """The dimensions of an event."""
        return self._event_dim

    @property
    def sign(self) -> Any:
        """1 where the function grows, -1 where it falls."""
        if isinstance(self.scale, TensorBase):
            return self.scale.sign()  # type: ignore[attr-defined]
        return 1 if self.scale > 0 else -1 if self.scale < 0 else 0

    def with_cache(self, cache_size: int = 1) -> Transform:
        """Return the same transform with another size of the cache."""
        same = self._cache_size == cache_size
        return self if same else AffineTransform(self.loc, self.scale, self._event_dim, cache_size)

    def _call(self, x: Any) -> Any:
        return self.loc + self.scale * x

    def _inverse(self, y: Any) -> Any:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Return log |det dy/dx| for each event."""
        if isinstance(self.scale, TensorBase):
            each = abs(self.scale).log()
        else:
            each = full_like(x, math.log(math.fabs(self.scale)))
        shape = x.shape
        if self._event_dim:
            each = sum_rightmost(each.expand(shape), self._event_dim)
            shape = shape[: -self._event_dim]
        return each.expand(shape)

    def forward_shape(self, shape: Any) -> Any:
        """Return the shape of y for a shape of x."""
        parts = (p.shape for p in (self.loc, self.scale) if isinstance(p, TensorBase))  # type: ignore[attr-defined]
        return broadcast_shapes(shape, *parts)

    inverse_shape = forward_shape

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AffineTransform):
            return False
        pairs = ((self.loc, other.loc), (self.scale, other.scale))
        return all(bool((a == b).all()) if isinstance(a == b, TensorBase) else a == b for a, b in pairs)

    __hash__ = Transform.__hash__


class AbsTransform(Transform):
    """y = |x|, whose inverse is taken to be y itself.

    >>> import fanin as torch
    >>> from fanin.distributions import transforms as T
    >>> T.AbsTransform()(torch.tensor([-1.5, 2.0]))
    tensor([1.5000, 2.0000])
    """

    domain = constraints.real
    codomain = constraints.positive

    def _call(self, x: Any) -> Any:
        return x.abs()

    def _inverse(self, y: Any) -> Any:
        return y

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AbsTransform)

    __hash__ = Transform.__hash__


# Functions of rows ----------------------------------------------------------------------------------------------------


class SoftmaxTransform(Transform):
    """y = exp(x), divided by the sum over the last dimension; its inverse is the logarithm.

    >>> import fanin as torch
    >>> from fanin.distributions import transforms as T
    >>> T.SoftmaxTransform()(torch.tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """

    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x: Any) -> Any:
        grown = exp(x - x.max(-1, True)[0])
        return grown / grown.sum(-1, True)

    def _inverse(self, y: Any) -> Any:
        return y.log()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SoftmaxTransform)

    __hash__ = Transform.__hash__


class StickBreakingTransform(Transform):
    """A row of K - 1 real numbers as K shares that sum to 1: each takes a part of what the ones before it left.

    >>> import fanin as torch
    >>> from fanin.distributions import transforms as T
    >>> T.StickBreakingTransform()(torch.tensor([0.0, 0.0]))
    tensor([0.3333, 0.3333, 0.3333])
    """

    bijective = True
    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x: Any) -> Any:
        z = _inside(sigmoid(x - _left(x).log()))
        rest = (1 - z).cumprod(-1)
        return pad(z, [0, 1], value=1) * pad(rest, [1, 0], value=1)

    def _inverse(self, y: Any) -> Any:
        shares = y[..., :-1]
        rest = clamp(1 - shares.cumsum(-1), min=dtypes.finfo(y.dtype).tiny)
        return shares.log() - rest.log() + _left(shares).log()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Return log |det dy/dx| for each event."""
        z = x - _left(x).log()
        return (-z + logsigmoid(z) + log(y[..., :-1])).sum(-1)

    def forward_shape(self, shape: Any) -> Any:
        """Return the shape of y for a shape of x."""
        return Size((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: Any) -> Any:
        """Return the shape of x for a shape of y."""
        return Size((*shape[:-1], shape[-1] - 1))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StickBreakingTransform)

    __hash__ = Transform.__hash__


def _left(x: Any) -> Any:
    """Return K - i for the i-th of K - 1 entries: how many shares are still to be made when it is."""
    return x.shape[-1] + 1 - ones_like(x).cumsum(-1)
