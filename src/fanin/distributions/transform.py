"""What all transforms of draws have in common: domain, inverse, Jacobian, and a cache of the last pair."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentError
from fanin.distributions import constraints


class Transform:
    """A function of tensors, with its inverse and the logarithm of its Jacobian's determinant.

    A subclass gives `domain` and `codomain` (constraints), `bijective`, and defines `_call`, `_inverse` and
    `log_abs_det_jacobian`.

    cache_size: 1 to keep the last pair (x, y), so that the inverse of what was just computed is exact and free.

    >>> import fanin as torch
    >>> doubled = torch.distributions.transforms.AffineTransform(1.0, 2.0)
    >>> doubled(torch.tensor([1.0, 2.0])), doubled.inv(torch.tensor([3.0]))
    (tensor([3., 5.]), tensor([1.]))
    """

    bijective = False
    domain: Any
    codomain: Any

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ArgumentError("cache_size must be 0 or 1")
        self._cache_size = cache_size
        self._kept: tuple[Any, Any] = (None, None)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": (None, None)}

    @property
    def event_dim(self) -> int:
        """The dimensions of an event, where those of domain and codomain are equal."""
        if self.domain.event_dim == self.codomain.event_dim:
            return int(self.domain.event_dim)
        raise ArgumentError("Please use either .domain.event_dim or .codomain.event_dim")

    @property
    def inv(self) -> Transform:
        """The inverse, as a transform."""
        return Inverse(self)

    @property
    def sign(self) -> Any:
        """1 where the function grows, -1 where it falls."""
        raise NotImplementedError

    def with_cache(self, cache_size: int = 1) -> Transform:
        """Return the same transform with another size of the cache."""
        if self.__dict__.get("_cache_size") == cache_size:
            return self
        if type(self).__init__ is Transform.__init__:
            return type(self)(cache_size=cache_size)
        raise NotImplementedError(f"{type(self)}.with_cache is not implemented")

    def __call__(self, x: Any) -> Any:
        """Return y = f(x)."""
        return self._remembered(x, 0, self._call)

    def _inv_call(self, y: Any) -> Any:
        return self._remembered(y, 1, self._inverse)

    def _remembered(self, given: Any, place: int, compute: Any) -> Any:
        if not self._cache_size:
            return compute(given)
        if given is not self._kept[place]:
            other = compute(given)
            self._kept = (other, given) if place else (given, other)
        return self._kept[1 - place]

    def _call(self, x: Any) -> Any:
        raise NotImplementedError

    def _inverse(self, y: Any) -> Any:
        raise NotImplementedError

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Return log |det dy/dx| for each event."""
        raise NotImplementedError

    def forward_shape(self, shape: Any) -> Any:
        """Return the shape of y for a shape of x."""
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        """Return the shape of x for a shape of y."""
        return shape

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Inverse(Transform):
    """A transform read backwards."""

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        self._of = transform
        self.domain, self.codomain, self.bijective = transform.codomain, transform.domain, transform.bijective

    @property
    def inv(self) -> Transform:
        """The inverse, as a transform."""
        return self._of

    @property
    def sign(self) -> Any:
        """1 where the function grows, -1 where it falls."""
        return self._of.sign

    def with_cache(self, cache_size: int = 1) -> Transform:
        """Return the same transform with another size of the cache."""
        return self._of.with_cache(cache_size).inv

    def __call__(self, x: Any) -> Any:
        """Return y = f(x)."""
        return self._of._inv_call(x)

    def _inv_call(self, y: Any) -> Any:
        return self._of(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """Return log |det dy/dx| for each event."""
        return -self._of.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Any) -> Any:
        """Return the shape of y for a shape of x."""
        return self._of.inverse_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        """Return the shape of x for a shape of y."""
        return self._of.forward_shape(shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Inverse) and self._of == other._of

    __hash__ = Transform.__hash__

    def __repr__(self) -> str:
        return f"_InverseTransform({self._of!r})"


def wider(constraint: Any, dim: int) -> Any:
    """Return a constraint for events of at least this many dimensions."""
    missing = dim - constraint.event_dim
    return constraints.independent(constraint, missing) if missing > 0 else constraint
