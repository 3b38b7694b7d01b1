"""Transforms made of others, and of other shapes."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from typing import Any

from fanin._core.errors import ArgumentError
from fanin.distributions import constraints
from fanin.distributions.transform import Transform, wider
from fanin.distributions.utils import sum_rightmost
from fanin.tensor import Size
from fanin.tensor.functions.creation import zeros_like


class ComposeTransform(Transform):
    """Several transforms, one after the other.

    >>> import fanin as torch
    >>> from fanin.distributions import transforms as T
    >>> t = T.ComposeTransform([T.ExpTransform(), T.AffineTransform(1.0, 2.0)])
    >>> t(torch.tensor([0.0, 1.0]))
    tensor([3.0000, 6.4366])
    >>> t.inv(torch.tensor([3.0]))
    tensor([0.])
    """

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = [part.with_cache(cache_size) for part in parts] if cache_size else list(parts)
        self.bijective = all(part.bijective for part in self.parts)

    @property
    def domain(self) -> Any:
        """The first one's domain, with the dimensions of an event that the parts together ask for."""
        first = self.parts[0].domain if self.parts else constraints.real
        dim = self.parts[-1].codomain.event_dim if self.parts else 0
        for part in reversed(self.parts):
            dim = max(dim + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim)
        return wider(first, dim)

    @property
    def codomain(self) -> Any:
        """The last one's codomain, with the dimensions of an event that the parts together ask for."""
        last = self.parts[-1].codomain if self.parts else constraints.real
        dim = self.parts[0].domain.event_dim if self.parts else 0
        for part in self.parts:
            dim = max(dim + part.codomain.event_dim - part.domain.event_dim, part.codomain.event_dim)
        return wider(last, dim)

    @property
    def inv(self) -> Transform:
        """The inverse, as a transform."""
        return ComposeTransform([part.inv for part in reversed(self.parts)])

    @property
    def sign(self) -> Any:
        """1 where the function grows, -1 where it falls."""
        return functools.reduce(operator.mul, (part.sign for part in self.parts), 1)

    def with_cache(self, cache_size: int = 1) -> Transform:
        """Return the same transform with another size of the cache."""
        return self if self._cache_size == cache_size else ComposeTransform(self.parts, cache_size)

    def __call__(self, x: Any) -> Any:
        """Return y = f(x)."""
        for part in self.parts:
            x = part(x)
        return x

    def _inv_call(self, y: Any) -> Any:
        return self.inv(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Return log |det dy/dx| for each event."""
        if not self.parts:
            return zeros_like(x)
        dim, total = self.domain.event_dim, 0.0
        for i, part in enumerate(self.parts):
            out = part(x) if i + 1 < len(self.parts) else y
            total = total + sum_rightmost(part.log_abs_det_jacobian(x, out), dim - part.domain.event_dim)
            dim += part.codomain.event_dim - part.domain.event_dim
            x = out
        return total

    def forward_shape(self, shape: Any) -> Any:
        """Return the shape of y for a shape of x."""
        return functools.reduce(lambda s, part: part.forward_shape(s), self.parts, shape)

    def inverse_shape(self, shape: Any) -> Any:
        """Return the shape of x for a shape of y."""
        return functools.reduce(lambda s, part: part.inverse_shape(s), reversed(self.parts), shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ComposeTransform) and self.parts == other.parts

    __hash__ = Transform.__hash__

    def __repr__(self) -> str:
        lines = ",\n    ".join(repr(part) for part in self.parts)
        return f"{type(self).__name__}(\n    {lines}\n)"


class IndependentTransform(Transform):
    """A transform whose last batch dimensions count as parts of one event: the Jacobian sums over them.

    >>> import fanin as torch
    >>> from fanin.distributions import transforms as T
    >>> t, x = T.IndependentTransform(T.ExpTransform(), 1), torch.tensor([[1.0, 2.0]])
    >>> t.log_abs_det_jacobian(x, t(x))
    tensor([3.])
    """

    def __init__(self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.base_transform = base_transform.with_cache(cache_size) if cache_size else base_transform
        self.reinterpreted_batch_ndims, self.bijective = reinterpreted_batch_ndims, base_transform.bijective
        self.domain = constraints.independent(base_transform.domain, reinterpreted_batch_ndims)
        self.codomain = constraints.independent(base_transform.codomain, reinterpreted_batch_ndims)

    @property
    def sign(self) -> Any:
        """1 where the function grows, -1 where it falls."""
        return self.base_transform.sign

    def _call(self, x: Any) -> Any:
        return self.base_transform(x)

    def _inverse(self, y: Any) -> Any:
        return self.base_transform._inv_call(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Return log |det dy/dx| for each event."""
        return sum_rightmost(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Any) -> Any:
        """Return the shape of y for a shape of x."""
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        """Return the shape of x for a shape of y."""
        return self.base_transform.inverse_shape(shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


class ReshapeTransform(Transform):
    """The same numbers in another shape of the event.

    >>> import fanin as torch
    >>> from fanin.distributions import transforms as T
    >>> T.ReshapeTransform((4,), (2, 2))(torch.arange(4.0))
    tensor([[0., 1.],
            [2., 3.]])
    """

    bijective = True

    def __init__(self, in_shape: Any, out_shape: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.in_shape, self.out_shape = Size(in_shape), Size(out_shape)
        if math.prod(self.in_shape) != math.prod(self.out_shape):
            raise ArgumentError("in_shape, out_shape have different numbers of elements")
        self.domain = constraints.independent(constraints.real, len(self.in_shape))
        self.codomain = constraints.independent(constraints.real, len(self.out_shape))

    def _call(self, x: Any) -> Any:
        return x.reshape(self.forward_shape(x.shape))

    def _inverse(self, y: Any) -> Any:
        return y.reshape(self.inverse_shape(y.shape))

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Return log |det dy/dx| for each event."""
        return x.new_zeros(x.shape[: x.dim() - len(self.in_shape)])

    def forward_shape(self, shape: Any) -> Any:
        """Return the shape of y for a shape of x."""
        return _in_place_of(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape: Any) -> Any:
        """Return the shape of x for a shape of y."""
        return _in_place_of(shape, self.out_shape, self.in_shape)


def _in_place_of(shape: Any, ending: Any, other: Any) -> Any:
    cut = len(shape) - len(ending)
    if cut < 0:
        raise ArgumentError("Too few dimensions on input")
    if tuple(shape[cut:]) != tuple(ending):
        raise ArgumentError(f"Shape mismatch: expected {Size(shape[cut:])} but got {ending}")
    return Size((*shape[:cut], *other))
