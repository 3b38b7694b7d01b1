"""Reductions over dimensions, running sums, and orderings.

`dim` is a tuple of dimensions counted from the front, resolved by the caller; `keepdim` keeps them with size 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fanin._core.dtypes import bool_, category, int64
from fanin._core.errors import DimensionError, DtypeError
from fanin.ops import rules
from fanin.ops.arithmetic import equal, expand, ones_like, where, zeros_like
from fanin.ops.elementwise import cast, exp
from fanin.ops.op import Op, Spec, define
from fanin.ops.rules import shape_of, to_float
from fanin.ops.shape import flip, reshape

Dims = tuple[int, ...]


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


sum_ = define(
    "sum",
    lambda x, *, dim, keepdim=False: np.add.reduce(x, axis=dim, keepdims=keepdim),
    _sum_spec,
    vjps=(lambda g, out, x, *, dim, keepdim=False: spread(g, shape_of(x), dim),),
    promote=_integers_as_int64,
)


def _mean_spec(x: Spec, *, dim: Dims, keepdim: bool = False) -> Spec:
    if category(x.dtype) != 2:
        raise DtypeError(
            f"mean(): could not infer output dtype. Input dtype must be a floating point dtype. Got: {x.dtype}; "
            "convert with .float() first"
        )
    return Spec(reduced_shape(x.shape, dim, keepdim), x.dtype)


def _mean(x: Any, *, dim: Dims, keepdim: bool = False) -> Any:
    if x.dtype.kind != "f":
        _mean_spec(Spec.of(x), dim=dim)
    total = np.add.reduce(x, axis=dim, keepdims=keepdim)
    return np.true_divide(total, count(x.shape, dim), dtype=x.dtype)


mean = define(
    "mean",
    _mean,
    _mean_spec,
    vjps=(lambda g, out, x, *, dim, keepdim=False: spread(g / count(shape_of(x), dim), shape_of(x), dim),),
)


def _prod_others(x: Any, dim: int) -> Any:
    # The product of all others, without dividing: zeros among the factors stay exact.
    ones = np.ones_like(np.take(x, [0], axis=dim))
    before = np.cumprod(np.concatenate([ones, _drop(x, dim, last=True)], axis=dim), axis=dim)
    after = np.cumprod(np.concatenate([ones, np.flip(_drop(x, dim, last=False), dim)], axis=dim), axis=dim)
    return before * np.flip(after, dim)


def _drop(x: Any, dim: int, *, last: bool) -> Any:
    part = slice(None, -1) if last else slice(1, None)
    return x[(slice(None),) * dim + (part,)]


def _prod_vjp(g: Any, out: Any, x: Any, *, dim: Dims, keepdim: bool = False) -> Any:
    return spread(g, shape_of(x), dim) * others_product(x, dim=dim)


def _others_product(x: Any, *, dim: Dims) -> Any:
    if x.size == 0 or not dim:
        return np.ones_like(x)
    rest = tuple(axis for axis in range(x.ndim) if axis not in dim)
    order = rest + dim
    moved = x.transpose(order)
    flat = moved.reshape(moved.shape[: len(rest)] + (-1,))
    return _prod_others(flat, len(rest)).reshape(moved.shape).transpose(np.argsort(order))


def _others_vjp(g: Any, out: Any, x: Any, *, dim: Dims) -> Any:
    # d/dx_j sum_i g_i prod_{k != i} x_k = sum_{i != j} g_i prod_{k != i, j} x_k, by the quotient form.
    total = prod(x, dim=dim, keepdim=True)
    inner = sum_(g * (total / x), dim=dim, keepdim=True)
    return (inner - g * (total / x)) / x


others_product = define("others_product", _others_product, lambda x, *, dim: x, vjps=(_others_vjp,), reads=(0,))
prod = define(
    "prod",
    lambda x, *, dim, keepdim=False: np.multiply.reduce(x, axis=dim, keepdims=keepdim),
    _sum_spec,
    vjps=(_prod_vjp,),
    reads=(0,),
    promote=_integers_as_int64,
)


def _require_elements(name: str, x: Any, dim: Dims) -> None:
    if count(x.shape, dim) == 0 and int(np.prod(reduced_shape(x.shape, dim, False))) > 0:
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


amax = _extreme("amax", np.maximum)
amin = _extreme("amin", np.minimum)


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


argmax = _position("argmax", np.argmax)
argmin = _position("argmin", np.argmin)

any_ = define(
    "any",
    lambda x, *, dim, keepdim=False: np.logical_or.reduce(x, axis=dim, keepdims=keepdim),
    lambda x, *, dim, keepdim=False: Spec(reduced_shape(x.shape, dim, keepdim), bool_.numpy),
)
all_ = define(
    "all",
    lambda x, *, dim, keepdim=False: np.logical_and.reduce(x, axis=dim, keepdims=keepdim),
    lambda x, *, dim, keepdim=False: Spec(reduced_shape(x.shape, dim, keepdim), bool_.numpy),
)


def _var(x: Any, *, dim: Dims, correction: float = 1, keepdim: bool = False) -> Any:
    n = count(x.shape, dim)
    centred = x - np.true_divide(np.add.reduce(x, axis=dim, keepdims=True), max(n, 1) if n else np.nan, dtype=x.dtype)
    squares = np.add.reduce(centred * centred, axis=dim, keepdims=keepdim)
    with np.errstate(all="ignore"):
        return np.true_divide(squares, x.dtype.type(max(n - correction, 0)), dtype=x.dtype)


def _var_vjp(g: Any, out: Any, x: Any, *, dim: Dims, correction: float = 1, keepdim: bool = False) -> Any:
    scale = 2.0 / max(count(shape_of(x), dim) - correction, 0) if count(shape_of(x), dim) > correction else float("nan")
    return spread(g, shape_of(x), dim) * (x - mean(x, dim=dim, keepdim=True)) * scale


def _var_spec(x: Spec, *, dim: Dims, correction: float = 1, keepdim: bool = False) -> Spec:
    if category(x.dtype) != 2:
        raise DtypeError("std and var only support floating point and complex dtypes")
    return _reduced(x, dim=dim, keepdim=keepdim)


var = define("var", _var, _var_spec, vjps=(_var_vjp,), reads=(0,))


def _std_vjp(g: Any, out: Any, x: Any, *, dim: Dims, correction: float = 1, keepdim: bool = False) -> Any:
    # The root has no derivative at 0; PyTorch passes 0 there.
    safe = where(equal(out, 0), ones_like(out), out)
    slope = where(equal(out, 0), zeros_like(out), g / (safe * 2))
    return _var_vjp(slope, out, x, dim=dim, correction=correction, keepdim=keepdim)


std = define(
    "std",
    lambda x, *, dim, correction=1, keepdim=False: np.sqrt(_var(x, dim=dim, correction=correction, keepdim=keepdim)),
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


cumsum = _running("cumsum", np.cumsum, lambda g, out, x, *, dim: _from_the_end(g, dim))
cumprod = _running(
    "cumprod",
    np.cumprod,
    lambda g, out, x, *, dim: _from_the_end(g * out, dim) / x,
    reads=(0,),
    reads_out=True,
)

# Softmax and its relatives: the maximum is taken out first, so that nothing overflows. ---------------------------------


def _logsumexp(x: Any, *, dim: Dims, keepdim: bool = False) -> Any:
    if count(x.shape, dim) == 0:
        return np.full(reduced_shape(x.shape, dim, keepdim), -np.inf, x.dtype)
    top = np.maximum.reduce(x, axis=dim, keepdims=True)
    top = np.where(np.isfinite(top), top, x.dtype.type(0))
    total = np.log(np.add.reduce(np.exp(x - top), axis=dim, keepdims=True)) + top
    return total.reshape(reduced_shape(x.shape, dim, keepdim))


logsumexp = define(
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
    e /= np.add.reduce(e, axis=axis, keepdims=True)
    return e


def _softmax_vjp(g: Any, out: Any, x: Any, *, dim: int) -> Any:
    dims = (dim,) if len(shape_of(x)) else ()
    return out * (g - sum_(g * out, dim=dims, keepdim=True))


def _log_softmax(x: Any, *, dim: int) -> Any:
    if x.size == 0:
        return x.copy()
    axis = dim if x.ndim else None
    shifted = x - np.maximum.reduce(x, axis=axis, keepdims=True)
    return shifted - np.log(np.add.reduce(np.exp(shifted), axis=axis, keepdims=True))


def _log_softmax_vjp(g: Any, out: Any, x: Any, *, dim: int) -> Any:
    dims = (dim,) if len(shape_of(x)) else ()
    return g - exp(out) * sum_(g, dim=dims, keepdim=True)


def _like_softmax(x: Spec, *, dim: int) -> Spec:
    rules.require_float("softmax", x)
    return x


softmax = define("softmax", _softmax, _like_softmax, vjps=(_softmax_vjp,), reads_out=True)
log_softmax = define("log_softmax", _log_softmax, _like_softmax, vjps=(_log_softmax_vjp,), reads_out=True)

# Order: the positions are found without derivatives; the values are then gathered with one. ----------------------------


def _argsort(x: Any, *, dim: int, descending: bool = False) -> Any:
    if not x.ndim:
        return np.zeros((), np.int64)
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    # Stable from the top: sort the reversed array upwards, then turn the positions round.
    last = x.shape[dim] - 1
    return last - np.flip(np.argsort(np.flip(x, dim), axis=dim, kind="stable"), dim)


argsort = define("argsort", _argsort, lambda x, *, dim, descending=False: Spec(x.shape, int64.numpy))

