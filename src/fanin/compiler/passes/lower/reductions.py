"""Means, spreads, softmax and its relatives, positions of extremes, norms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin.compiler.graph import constant
from fanin.compiler.passes.lower.common import all_dims, astype, average, full, total, truth
from fanin.compiler.passes.lower.rules import lowers
from fanin.ops.arithmetic import equal, isfinite, isnan, logical_or, not_equal, where
from fanin.ops.elementwise import absolute, exp, log, sqrt
from fanin.ops.index import gather
from fanin.ops.power import power
from fanin.ops.reduce import Dims, all_, amax, amin, any_, count, reduced_shape
from fanin.ops.shape import reshape


@lowers("sum_to")
def sum_to(x: Any, *, shape: tuple[int, ...]) -> Any:
    """Sum over what broadcasting added or stretched."""
    lead = x.ndim - len(shape)
    stretched = tuple(i + lead for i, n in enumerate(shape) if n == 1 and x.shape[i + lead] != 1)
    return reshape(astype(total(x, (*range(lead), *stretched)), x.dtype), shape)


@lowers("mean")
def mean(x: Any, *, dim: Dims, keepdim: bool = False) -> Any:
    """Return the sum divided by the number of elements."""
    return average(x, dim, keepdim)


@lowers("element_at")
def element_at(x: Any, place: Any) -> Any:
    """Return the element at a place."""
    return reshape(gather(x, reshape(place, (1,)), dim=0), ())


@lowers("var")
def var(x: Any, *, dim: Dims, correction: float = 1, keepdim: bool = False) -> Any:
    """Return the variance, in double precision until the end."""
    return astype(_wide_var(x, dim, correction, keepdim), x.dtype)


@lowers("std")
def std(x: Any, *, dim: Dims, correction: float = 1, keepdim: bool = False) -> Any:
    """Return the root of the variance."""
    return astype(sqrt(_wide_var(x, dim, correction, keepdim)), x.dtype)


def _wide_var(x: Any, dim: Dims, correction: float, keepdim: bool) -> Any:
    wide = astype(x, np.dtype(np.float64))
    rest = wide - average(wide, dim, keepdim=True)
    return total(rest * rest, dim, keepdim) / float(max(count(x.shape, dim) - correction, 0))


# Softmax and its relatives: the maximum is taken out first, so that nothing overflows. --------------------------------


def exp_of_shifted(x: Any, dims: Dims) -> tuple[Any, Any]:
    """Return x minus its maximum over dims, and e to that power."""
    shifted = x - amax(x, dim=dims, keepdim=True) if dims else x - x
    return shifted, exp(shifted)


def _one_dim(x: Any, dim: int) -> Dims:
    return (dim,) if x.ndim else ()


@lowers("softmax")
def softmax(x: Any, *, dim: int) -> Any:
    """Return e^x divided by the sum over dim."""
    if not x.size:
        return x
    _, e = exp_of_shifted(x, _one_dim(x, dim))
    return e / total(e, _one_dim(x, dim), keepdim=True)


@lowers("log_softmax")
def log_softmax(x: Any, *, dim: int) -> Any:
    """Return x minus the logarithm of the sum of e^x over dim."""
    if not x.size:
        return x
    shifted, e = exp_of_shifted(x, _one_dim(x, dim))
    return shifted - log(total(e, _one_dim(x, dim), keepdim=True))


@lowers("logsumexp")
def logsumexp(x: Any, *, dim: Dims, keepdim: bool = False) -> Any:
    """Return the logarithm of the sum of e^x over dim."""
    shape = reduced_shape(x.shape, dim, keepdim)
    if count(x.shape, dim) == 0:
        return full(shape, -math.inf, x.dtype)
    top = amax(x, dim=dim, keepdim=True) if dim else x
    top = where(isfinite(top), top, 0.0)
    return reshape(log(total(exp(x - top), dim, keepdim=True)) + top, shape)


# Positions, truth, norms ----------------------------------------------------------------------------------------------


@lowers("argmax")
def argmax(x: Any, *, dim: int | None, keepdim: bool = False) -> Any:
    """Return where the largest element is first found."""
    return _position(x, amax, dim, keepdim)


@lowers("argmin")
def argmin(x: Any, *, dim: int | None, keepdim: bool = False) -> Any:
    """Return where the smallest element is first found."""
    return _position(x, amin, dim, keepdim)


def _position(x: Any, extreme: Any, dim: int | None, keepdim: bool) -> Any:
    dims = all_dims(x) if dim is None else _one_dim(x, dim)
    shape = reduced_shape(x.shape, dims, keepdim)
    if not x.size or not dims:
        return full(shape, 0, np.int64)
    hits = equal(x, extreme(x, dim=dims, keepdim=True))
    if x.dtype.kind == "f":
        hits = logical_or(hits, isnan(x))  # nan is larger, and smaller, than everything
    n = count(x.shape, dims)
    here = np.arange(n).reshape(tuple(size if axis in dims else 1 for axis, size in enumerate(x.shape)))
    return reshape(amin(where(hits, constant(here), n), dim=dims, keepdim=True), shape)


@lowers("any")
def any_true(x: Any, *, dim: Dims, keepdim: bool = False) -> Any:
    """Reduce bools."""
    return None if x.dtype.kind == "b" else any_(truth(x), dim=dim, keepdim=keepdim)


@lowers("all")
def all_true(x: Any, *, dim: Dims, keepdim: bool = False) -> Any:
    """Reduce bools."""
    return None if x.dtype.kind == "b" else all_(truth(x), dim=dim, keepdim=keepdim)


@lowers("norm")
def norm(x: Any, *, p: float, dim: Dims, keepdim: bool = False) -> Any:
    """Return (sum |x|^p)^(1 / p), its limits, and the number of elements that are not 0."""
    if p in (math.inf, -math.inf):
        return (amax if p > 0 else amin)(absolute(x), dim=dim, keepdim=keepdim)
    if p == 0:
        return total(astype(not_equal(x, 0), x.dtype), dim, keepdim)
    if p == 1:
        return total(absolute(x), dim, keepdim)
    if p == 2:
        return sqrt(total(x * x, dim, keepdim))
    return power(total(power(absolute(x), float(p)), dim, keepdim), 1.0 / p)
