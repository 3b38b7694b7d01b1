"""Reductions over dimensions, running sums, and orderings.

`dim` is a tuple of dimensions counted from the front, resolved by the caller; `keepdim` keeps them with size 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fanin._core.dtypes import bool_, category, from_numpy, int64
from fanin._core.errors import DimensionError, DtypeError
from fanin.ops.arithmetic import equal, expand, isnan, logical_and, logical_or, ones_like, where, zeros_like
from fanin.ops.elementwise import cast, exp
from fanin.ops.index import getitem
from fanin.ops.op import Op, Spec, define
from fanin.ops.rules import only_floats, same, shape_of, to_float
from fanin.ops.shape import cat, flip, permute, reshape

Dims = tuple[int, ...]

# NumPy's stubs know `keepdims` only as a literal.
_add: Any = np.add
_multiply: Any = np.multiply


def kept_shape(shape: tuple[int, ...], dim: Dims) -> tuple[int, ...]:
    """Return shape with the reduced dimensions as ones."""
    return tuple(1 if axis in dim else n for axis, n in enumerate(shape))


def reduced_shape(shape: tuple[int, ...], dim: Dims, keepdim: bool) -> tuple[int, ...]:
    """Return the shape of a reduction's result."""
    if keepdim:
        return kept_shape(shape, dim)
    return tuple(n for axis, n in enumerate(shape) if axis not in dim)


def count(shape: tuple[int, ...], dim: Dims) -> int:
    """Return how many elements each result is made of."""
    total = 1
    for axis in dim:
        total *= shape[axis]
    return total


def spread(g: Any, shape: tuple[int, ...], dim: Dims) -> Any:
    """Expand a reduction's gradient back over the reduced dimensions."""
    return expand(reshape(g, kept_shape(shape, dim)), shape)


def _reduced(x: Spec, *, dim: Dims, keepdim: bool = False, **_: Any) -> Spec:
    return Spec(reduced_shape(x.shape, dim, keepdim), x.dtype)


def _sum_spec(x: Spec, *, dim: Dims, keepdim: bool = False) -> Spec:
    dtype = x.dtype if category(x.dtype) == 2 else int64.numpy
    return Spec(reduced_shape(x.shape, dim, keepdim), dtype)


def _integers_as_int64(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    (x,) = inputs
    return (x,) if x.dtype.kind == "f" else (x.astype(np.int64),)


sum_: Op = define(
    "sum",
    lambda x, *, dim, keepdim=False: _add.reduce(x, axis=dim, keepdims=keepdim),
    _sum_spec,
    vjps=(lambda g, out, x, *, dim, keepdim=False: spread(g, shape_of(x), dim),),
    promote=_integers_as_int64,
)


def _mean_spec(x: Spec, *, dim: Dims, keepdim: bool = False) -> Spec:
    if category(x.dtype) != 2:
        raise DtypeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: "
            f"{from_numpy(x.dtype).legacy_name}",
            remedy="Convert with .float() first.",
        )
    return Spec(reduced_shape(x.shape, dim, keepdim), x.dtype)


def _mean(x: Any, *, dim: Dims, keepdim: bool = False) -> Any:
    if x.dtype.kind != "f":
        _mean_spec(Spec.of(x), dim=dim)
    total = _add.reduce(x, axis=dim, keepdims=keepdim)
    return np.true_divide(total, count(x.shape, dim), dtype=x.dtype)


mean: Op = define(
    "mean",
    _mean,
    _mean_spec,
    vjps=(lambda g, out, x, *, dim, keepdim=False: spread(g / count(shape_of(x), dim), shape_of(x), dim),),
)


def _prod_vjp(g: Any, out: Any, x: Any, *, dim: Dims, keepdim: bool = False) -> Any:
    return spread(g, shape_of(x), dim) * others_product(x, dim)


def others_product(x: Any, dim: Dims) -> Any:
    """Return for each element the product of all others over dim, without dividing: zeros among them stay exact."""
    shape = shape_of(x)
    if not dim or count(shape, dim) == 0:
        return ones_like(x)
    order = tuple(axis for axis in range(len(shape)) if axis not in dim) + dim
    moved = permute(x, dims=order)
    flat = reshape(moved, (*moved.shape[: len(shape) - len(dim)], count(shape, dim)))
    last = len(flat.shape) - 1
    before = cumprod(shifted(flat, last, start=1), dim=last)
    after = flip(cumprod(shifted(flip(flat, dims=(last,)), last, start=1), dim=last), dims=(last,))
    return permute(reshape(before * after, moved.shape), dims=tuple(int(i) for i in np.argsort(order)))


prod: Op = define(
    "prod",
    lambda x, *, dim, keepdim=False: _multiply.reduce(x, axis=dim, keepdims=keepdim),
    _sum_spec,
    vjps=(_prod_vjp,),
    reads=(0,),
    promote=_integers_as_int64,
)


def _require_elements(name: str, x: Any, dim: Dims) -> None:
    if 0 in x.shape and count(x.shape, dim) == 0 and math.prod(reduced_shape(x.shape, dim, False)) > 0:
        empty = next(axis for axis in dim if not x.shape[axis])
        raise DimensionError(f"{name}(): Expected reduction dim {empty} to have non-zero size, got {list(x.shape)}")


def _extreme(name: str, ufunc: Any) -> Op:
    def evaluate(x: Any, *, dim: Dims, keepdim: bool = False) -> Any:
        _require_elements(name, x, dim)
        if x.size == 0:
            return np.empty(reduced_shape(x.shape, dim, keepdim), x.dtype)
        return ufunc.reduce(x, axis=dim, keepdims=keepdim)

    def infer(x: Spec, *, dim: Dims, keepdim: bool = False) -> Spec:
        _require_elements(name, x, dim)
        return _reduced(x, dim=dim, keepdim=keepdim)

    def vjp(g: Any, out: Any, x: Any, *, dim: Dims, keepdim: bool = False) -> Any:
        # Ties share the gradient equally.
        hits = equal(x, spread(out, shape_of(x), dim))
        weight = cast_hits(hits, x)
        return spread(g, shape_of(x), dim) * weight / sum_(weight, dim=dim, keepdim=True)

    return define(name, evaluate, infer, vjps=(vjp,), reads=(0,), reads_out=True)


def cast_hits(hits: Any, like: Any) -> Any:
    """Return a mask as ones and zeros of the dtype of `like`."""
    return cast(hits, dtype=getattr(like.dtype, "numpy", like.dtype))


amax: Op = _extreme("amax", np.maximum)
amin: Op = _extreme("amin", np.minimum)


def _element_vjp(g: Any, out: Any, x: Any, place: Any) -> Any:
    hits = cast_hits(logical_or(equal(x, out), logical_and(isnan(x), isnan(out))), x)
    return g * (hits / sum_(hits, dim=(0,), keepdim=False))


# The element of a vector at a place: its gradient goes in equal parts to all elements that are equal to it, or nan too.
element_at: Op = define(
    "element_at",
    lambda x, place: np.asarray(x[place]),
    lambda x, place: Spec((), x.dtype),
    vjps=(_element_vjp,),
    reads=(0,),
    reads_out=True,
)


def _position_spec(x: Spec, *, dim: int | None, keepdim: bool = False) -> Spec:
    dims = tuple(range(x.ndim)) if dim is None else ((dim,) if x.ndim else ())
    return Spec(reduced_shape(x.shape, dims, keepdim), int64.numpy)


def _position(name: str, function: Any) -> Op:
    def evaluate(x: Any, *, dim: int | None, keepdim: bool = False) -> Any:
        dims = tuple(range(x.ndim)) if dim is None else ((dim,) if x.ndim else ())
        _require_elements(name, x, dims)
        if x.size == 0:
            return np.empty(reduced_shape(x.shape, dims, keepdim), np.int64)
        return np.asarray(function(x, axis=dim if x.ndim else None, keepdims=keepdim), np.int64)

    return define(name, evaluate, _position_spec)


argmax: Op = _position("argmax", np.argmax)
argmin: Op = _position("argmin", np.argmin)

any_: Op = define(
    "any",
    lambda x, *, dim, keepdim=False: np.logical_or.reduce(x, axis=dim, keepdims=keepdim),
    lambda x, *, dim, keepdim=False: Spec(reduced_shape(x.shape, dim, keepdim), bool_.numpy),
)
all_: Op = define(
    "all",
    lambda x, *, dim, keepdim=False: np.logical_and.reduce(x, axis=dim, keepdims=keepdim),
    lambda x, *, dim, keepdim=False: Spec(reduced_shape(x.shape, dim, keepdim), bool_.numpy),
)


def _var(x: Any, *, dim: Dims, correction: float = 1, keepdim: bool = False) -> Any:
    return _wide_var(x, dim, correction, keepdim).astype(x.dtype)


def _wide_var(x: Any, dim: Dims, correction: float, keepdim: bool) -> Any:
    """Return the variance in double precision, in which PyTorch adds up the squares of floats as well.

    So the standard deviation of standardised numbers prints as 1.
    """
    _require_floats(x.dtype)
    n = count(x.shape, dim)
    wide = x.astype(np.float64)
    wide -= _add.reduce(wide, axis=dim, keepdims=True) / (max(n, 1) if n else np.nan)
    squares = _add.reduce(wide * wide, axis=dim, keepdims=keepdim)
    with np.errstate(all="ignore"):
        return np.true_divide(squares, np.float64(max(n - correction, 0)))


def _std(x: Any, *, dim: Dims, correction: float = 1, keepdim: bool = False) -> Any:
    return np.sqrt(_wide_var(x, dim, correction, keepdim)).astype(x.dtype)


def _var_vjp(g: Any, out: Any, x: Any, *, dim: Dims, correction: float = 1, keepdim: bool = False) -> Any:
    scale = 2.0 / max(count(shape_of(x), dim) - correction, 0) if count(shape_of(x), dim) > correction else float("nan")
    return spread(g, shape_of(x), dim) * (x - mean(x, dim=dim, keepdim=True)) * scale


def _var_spec(x: Spec, *, dim: Dims, correction: float = 1, keepdim: bool = False) -> Spec:
    _require_floats(x.dtype)
    return _reduced(x, dim=dim, keepdim=keepdim)


def _require_floats(dtype: np.dtype[Any]) -> None:
    if category(dtype) != 2:
        raise DtypeError("std and var only support floating point and complex dtypes")


var: Op = define("var", _var, _var_spec, vjps=(_var_vjp,), reads=(0,))


def _std_vjp(g: Any, out: Any, x: Any, *, dim: Dims, correction: float = 1, keepdim: bool = False) -> Any:
    # The root has no derivative at 0; PyTorch passes 0 there.
    safe = where(equal(out, 0), ones_like(out), out)
    slope = where(equal(out, 0), zeros_like(out), g / (safe * 2))
    return _var_vjp(slope, out, x, dim=dim, correction=correction, keepdim=keepdim)


std: Op = define(
    "std",
    _std,
    _var_spec,
    vjps=(_std_vjp,),
    reads=(0,),
    reads_out=True,
)

# Running sums and products --------------------------------------------------------------------------------------------


def _running(name: str, function: Callable[..., Any], vjp: Callable[..., Any], **record: Any) -> Op:
    return define(
        name,
        lambda x, *, dim: function(x, axis=dim) if x.ndim else x.copy(),
        lambda x, *, dim: Spec(x.shape, x.dtype if category(x.dtype) == 2 else int64.numpy),
        vjps=(vjp,),
        promote=_integers_as_int64,
        **record,
    )


def _from_the_end(g: Any, dim: int) -> Any:
    return flip(cumsum(flip(g, dims=(dim,)), dim=dim), dims=(dim,)) if len(g.shape) else g


cumsum: Op = _running("cumsum", np.cumsum, lambda g, out, x, *, dim: _from_the_end(g, dim))


def shifted(x: Any, dim: int, start: float) -> Any:
    """Return x moved on by one along dim: `start`, then all elements but the last."""
    n = x.shape[dim]
    lead = (slice(None),) * dim
    first = getitem(x, index=(*lead, slice(0, 1))) * 0 + start
    return cat(first, getitem(x, index=(*lead, slice(0, n - 1))), dim=dim)


def _recurrence(a: Any, x: Any, *, dim: int) -> Any:
    out = np.array(np.broadcast_to(a, x.shape))
    rows, factors = np.moveaxis(out, dim, 0), np.moveaxis(x, dim, 0)
    for i in range(1, len(rows)):
        rows[i] += factors[i] * rows[i - 1]
    return out


def _backward_recurrence(g: Any, x: Any, dim: int) -> Any:
    """Return h with h[i] = g[i] + x[i + 1] * h[i + 1]: what flows back through a recurrence."""
    if not x.shape[dim]:
        return g
    turned = shifted(flip(x, dims=(dim,)), dim, start=0)
    return flip(recurrence(flip(g, dims=(dim,)), turned, dim=dim), dims=(dim,))


# y[0] = a[0], y[i] = a[i] + x[i] * y[i - 1]
recurrence: Op = define(
    "recurrence",
    _recurrence,
    lambda a, x, *, dim: x,
    vjps=(
        lambda g, out, a, x, *, dim: _backward_recurrence(g, x, dim),
        lambda g, out, a, x, *, dim: _backward_recurrence(g, x, dim) * shifted(out, dim, start=0),
    ),
    reads=(1,),
    reads_out=True,
)


def _cumprod_vjp(g: Any, out: Any, x: Any, *, dim: int) -> Any:
    # d/dx[i] = (x[0] ... x[i - 1]) * (g[i] + x[i + 1] g[i + 1] + x[i + 1] x[i + 2] g[i + 2] + ...), without a
    # division, so that zeros are fine.
    if not len(g.shape) or not g.shape[dim]:
        return g
    return _backward_recurrence(g, x, dim) * shifted(out, dim, start=1)


cumprod: Op = _running("cumprod", np.cumprod, _cumprod_vjp, reads=(0,), reads_out=True)


def _logcumsumexp_vjp(g: Any, out: Any, x: Any, *, dim: int) -> Any:
    # d/dx[i] = exp(x[i] - out[i]) * (g[i] + exp(out[i] - out[i + 1]) * (g[i + 1] + ...)): no exponent is above 0.
    steps = exp(shifted(out, dim, start=0) - out)
    return exp(x - out) * _backward_recurrence(g, steps, dim)


logcumsumexp: Op = define(
    "logcumsumexp",
    lambda x, *, dim: np.logaddexp.accumulate(x, axis=dim),
    lambda x, *, dim: x,
    vjps=(_logcumsumexp_vjp,),
    reads=(0,),
    reads_out=True,
    promote=only_floats("logcumsumexp_out_cpu"),
)

# Softmax and its relatives: the maximum is taken out first, so that nothing overflows. --------------------------------


def _logsumexp(x: Any, *, dim: Dims, keepdim: bool = False) -> Any:
    if count(x.shape, dim) == 0:
        return np.full(reduced_shape(x.shape, dim, keepdim), -np.inf, x.dtype)
    top = np.maximum.reduce(x, axis=dim, keepdims=True)
    top = np.where(np.isfinite(top), top, x.dtype.type(0))
    total = np.log(_add.reduce(np.exp(x - top), axis=dim, keepdims=True)) + top
    return total.reshape(reduced_shape(x.shape, dim, keepdim))


logsumexp: Op = define(
    "logsumexp",
    _logsumexp,
    _reduced,
    vjps=(
        lambda g, out, x, *, dim, keepdim=False: spread(g, shape_of(x), dim) * exp(x - spread(out, shape_of(x), dim)),
    ),
    reads=(0,),
    reads_out=True,
    promote=to_float,
)


def _softmax(x: Any, *, dim: int) -> Any:
    if x.size == 0:
        return x.copy()
    axis = dim if x.ndim else None
    e = np.exp(x - np.maximum.reduce(x, axis=axis, keepdims=True))
    e /= _add.reduce(e, axis=axis, keepdims=True)
    return e


def _softmax_vjp(g: Any, out: Any, x: Any, *, dim: int) -> Any:
    dims = (dim,) if len(shape_of(x)) else ()
    return out * (g - sum_(g * out, dim=dims, keepdim=True))


def _log_softmax(x: Any, *, dim: int) -> Any:
    if x.size == 0:
        return x.copy()
    axis = dim if x.ndim else None
    shifted = x - np.maximum.reduce(x, axis=axis, keepdims=True)
    return shifted - np.log(_add.reduce(np.exp(shifted), axis=axis, keepdims=True))


def _log_softmax_vjp(g: Any, out: Any, x: Any, *, dim: int) -> Any:
    dims = (dim,) if len(shape_of(x)) else ()
    return g - exp(out) * sum_(g, dim=dims, keepdim=True)


softmax: Op = define(
    "softmax", _softmax, same, vjps=(_softmax_vjp,), reads_out=True, promote=only_floats("softmax_lastdim_kernel_impl")
)
log_softmax: Op = define(
    "log_softmax",
    _log_softmax,
    same,
    vjps=(_log_softmax_vjp,),
    reads_out=True,
    promote=only_floats("log_softmax_lastdim_kernel_impl"),
)

# Order: the positions are found without derivatives; the values are then gathered with one. ---------------------------


def _argsort(x: Any, *, dim: int, descending: bool = False) -> Any:
    if not x.ndim:
        return np.zeros((), np.int64)
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    # Stable from the top: sort the reversed array upwards, then turn the positions round.
    last = x.shape[dim] - 1
    return last - np.flip(np.argsort(np.flip(x, dim), axis=dim, kind="stable"), dim)


argsort: Op = define("argsort", _argsort, lambda x, *, dim, descending=False: Spec(x.shape, int64.numpy))
