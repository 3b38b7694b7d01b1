"""Sorting, the largest and smallest few, medians and quantiles, sets of values, and search in sorted ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import (
    ArgumentTypeError,
    DimensionError,
    DtypeError,
    OperationError,
    ShapeError,
    UnsupportedDtypeError,
)
from fanin.ops import order as order_ops
from fanin.ops import reduce
from fanin.ops.arithmetic import where
from fanin.ops.elementwise import copy
from fanin.ops.index import gather, getitem
from fanin.ops.rules import wrap_dim
from fanin.tensor import return_types
from fanin.tensor.base import TensorBase, known
from fanin.tensor.functions.operands import (
    numpy_names,
    require_dim,
    require_known,
    require_tensor,
    store_out,
    to_out,
)
from fanin.tensor.functions.selecting import along_dim
from fanin.tensor.tape import apply, label, wrap


def _order(input: Any, dim: int, descending: bool) -> Any:
    """Return the positions in sorted order along dim; nan counts as larger than all numbers."""
    return apply(reduce.argsort, (input,), {"dim": dim, "descending": bool(descending)})


def _stretch(order: Any, dim: int, start: int, stop: int) -> Any:
    """Return some of the positions along dim, in memory of their own."""
    part = apply(getitem, (order,), {"index": along_dim(dim, slice(start, stop))})
    return apply(copy, (part,), {"order": "C"})


def _picked(input: Any, dim: int, indices: Any, keepdim: bool, name: str) -> tuple[Any, Any]:
    """Return the values and positions picked along dim; dim is dropped unless kept."""
    if not input._array.ndim:
        return label(input.clone(), name), wrap(np.zeros((), np.int64))
    values = apply(gather, (input, indices), {"dim": dim})
    if not keepdim:
        values, indices = values.squeeze(dim), indices.squeeze(dim)
    return label(values, name), indices


def _named(kind: Any, values: Any, indices: Any, out: Any, function: str) -> Any:
    if out is not None:
        values, indices = store_out(out[0], values, function), store_out(out[1], indices, function)
    return kind((values, indices))


@numpy_names
def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False, *, out: Any = None) -> Any:
    """Return (values, indices) in order along dim; equal elements keep their order.

    >>> import fanin as torch
    >>> torch.sort(torch.tensor([3, 1, 2]))
    torch.return_types.sort(
    values=tensor([1, 2, 3]),
    indices=tensor([1, 2, 0]))
    """
    dim = wrap_dim(require_dim("sort", dim), require_tensor("sort", input)._array.ndim)
    values, indices = _picked(input, dim, _order(input, dim, descending), True, "SortBackward0")
    return _named(return_types.sort, values, indices, out, "sort")


@numpy_names
def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """Return the indices that sort the elements along dim."""
    dim = wrap_dim(dim, require_tensor("argsort", input)._array.ndim)
    return _order(input, dim, descending)


def msort(input: Any) -> Any:
    """Return the elements in ascending order along the first dimension.

    >>> import fanin as torch
    >>> torch.msort(torch.tensor([[3, 1], [2, 4]]))
    tensor([[2, 1],
            [3, 4]])
    """
    return sort(input, 0).values


@numpy_names
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *, out: Any = None) -> Any:
    """Return (values, indices) of the k largest or smallest elements along dim, in order.

    Raises RuntimeError when k is not in 0 .. the size of dim.

    >>> import fanin as torch
    >>> torch.topk(torch.tensor([1.0, 3.0, 2.0]), 2).indices
    tensor([1, 2])
    """
    array = require_tensor("topk", input)._array
    dim, k = wrap_dim(dim, array.ndim), int(k)
    n = array.shape[dim] if array.ndim else 1
    if not 0 <= k <= n:
        raise OperationError("selected index k out of range", remedy=f"k is {k}, and dimension {dim} has {n} elements.")
    order = _order(input, dim, largest)
    chosen = _stretch(order, dim, 0, k) if array.ndim else order
    values, indices = _picked(input, dim, chosen, True, "TopkBackward0")
    return _named(return_types.topk, values, indices, out, "topk")


@numpy_names
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> Any:
    """Return (values, indices) of the k-th smallest elements along dim, counted from 1."""
    array = require_tensor("kthvalue", input)._array
    dim = wrap_dim(dim, array.ndim)
    n = array.shape[dim] if array.ndim else 1
    if not n:
        raise DimensionError(f"kthvalue(): Expected reduction dim {dim} to have non-zero size.")
    if not 1 <= k <= n:
        raise OperationError(
            f"kthvalue(): selected number k out of range for dimension {dim}", remedy=f"k is {k}, the size {n}."
        )
    values, indices = _at(input, dim, _order(input, dim, False), k - 1, keepdim, "KthvalueBackward0")
    return _named(return_types.kthvalue, values, indices, out, "kthvalue")


def _at(input: Any, dim: int, order: Any, rank: int, keepdim: bool, name: str) -> tuple[Any, Any]:
    return _picked(input, dim, _stretch(order, dim, rank, rank + 1) if input._array.ndim else order, keepdim, name)


# The middle -----------------------------------------------------------------------------------------------------------


@numpy_names
def median(input: Any, dim: int | None = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """Return the median, the lower of the two middle elements; with dim, (values, indices) along it. nan wins."""
    return _median(input, dim, keepdim, out, "median", skip_nan=False)


@numpy_names
def nanmedian(input: Any, dim: int | None = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """Return the median of what is not nan; with dim, (values, indices) along it."""
    return _median(input, dim, keepdim, out, "nanmedian", skip_nan=True)


def _median(input: Any, dim: Any, keepdim: bool, out: Any, name: str, *, skip_nan: bool) -> Any:
    array = require_tensor(name, input)._array
    if array.dtype.kind == "b":
        raise UnsupportedDtypeError(f"\"{name}_out_impl\" not implemented for 'Bool'; convert with .int() first")
    if dim is None:
        if not array.size:
            return to_out(
                out, wrap(np.asarray(np.nan, array.dtype) if array.dtype.kind == "f" else np.zeros((), array.dtype))
            )
        row = input.reshape(-1)
        value, place = _middle(row, 0, False, skip_nan, f"{name.capitalize()}Backward0")
        return to_out(out, _shared(row, value, place), name)
    dim = wrap_dim(require_dim(name, dim), array.ndim)
    if array.ndim and not array.shape[dim]:
        raise DimensionError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")
    values, indices = _middle(input, dim, keepdim, skip_nan, f"{name.capitalize()}Backward1")
    return _named(getattr(return_types, name), values, indices, out, name)


def _shared(input: Any, value: Any, place: Any) -> Any:
    """Return the value at a place of a vector; its gradient goes in equal parts to all elements that are equal."""
    if not value._requires_grad:
        return value
    return label(apply(reduce.element_at, (input, place), {}), value._node.name())


def _middle(input: Any, dim: int, keepdim: bool, skip_nan: bool, label_: str) -> tuple[Any, Any]:
    array = input._array
    if not array.ndim:
        return _picked(input, dim, None, keepdim, label_)
    n, order = array.shape[dim], _order(input, dim, False)
    if array.dtype.kind != "f":
        return _at(input, dim, order, (n - 1) // 2, keepdim, label_)
    # Sorted, nan stand last: take the first of them where they win, the middle of the others where they do not.
    missing = input.isnan().sum(dim, keepdim=True)
    if skip_nan:
        rank = ((n - missing - 1) // 2).clamp(min=0)
    else:
        rank = apply(where, (missing > 0, n - missing, wrap(np.full(missing.shape, (n - 1) // 2))), {})
    return _picked(input, dim, apply(gather, (order, rank), {"dim": dim}), keepdim, label_)


@numpy_names
def mode(input: Any, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> Any:
    """Return (values, indices) of the most frequent elements along dim, the smallest of equally frequent ones."""
    array = require_tensor("mode", input)._array
    dim = wrap_dim(dim, array.ndim)
    if array.ndim and not array.shape[dim]:
        raise DimensionError(f"mode(): Expected reduction dim {dim} to have non-zero size.")
    if not array.ndim:
        return _named(return_types.mode, *_picked(input, dim, None, keepdim, "ModeBackward0"), out, "mode")
    chosen = apply(order_ops.most_frequent, (input,), {"dim": dim})
    return _named(return_types.mode, *_picked(input, dim, chosen, keepdim, "ModeBackward0"), out, "mode")


@numpy_names
def quantile(
    input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear", out: Any = None
) -> Any:
    """Return the q-quantiles: the values at position q (n - 1) of the sorted elements, interpolated between two.

    q is a number in [0, 1], or a vector, whose quantiles come along a new first dimension. nan wins.

    >>> import fanin as torch
    >>> torch.quantile(torch.tensor([0.0, 1.0, 2.0, 3.0]), 0.5)
    tensor(1.5000)
    """
    return to_out(out, _quantile(input, q, dim, keepdim, interpolation, "quantile", False), "quantile")


@numpy_names
def nanquantile(
    input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear", out: Any = None
) -> Any:
    """Return the q-quantiles of what is not nan."""
    return to_out(out, _quantile(input, q, dim, keepdim, interpolation, "nanquantile", True), "nanquantile")


_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(input: Any, q: Any, dim: Any, keepdim: bool, method: str, name: str, skip_nan: bool) -> Any:
    levels = _levels(input, q, name)
    if method not in _METHODS:
        raise OperationError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {method}"
        )
    ndim = input._array.ndim
    flat = input.reshape(-1) if dim is None else input if ndim else input.reshape(1)
    axis = 0 if dim is None else wrap_dim(dim, ndim)
    ordered = sort(flat, axis).values
    missing = flat.detach().isnan().sum(axis, keepdim=True)
    n = flat._array.shape[axis]
    each = levels.reshape(-1)
    results = [_level(ordered, axis, each[i], n, missing, method, skip_nan) for i in range(each.numel())]
    results = [_reshaped_result(r, ndim, dim, axis, keepdim) for r in results]
    if not levels._array.ndim:
        return results[0]
    from fanin.tensor.functions.joining import stack

    return stack(results) if results else wrap(np.empty((0, *input._array.shape[1:]), input._array.dtype))


def _levels(input: Any, q: Any, name: str) -> Any:
    array = require_tensor(name, input)._array
    given = q.detach() if isinstance(q, TensorBase) else wrap(np.asarray(q, array.dtype))  # type: ignore[attr-defined]
    levels = given._array
    if not array.size:
        raise OperationError(f"{name}() input tensor must be non-empty")
    if array.dtype not in (np.float32, np.float64):
        raise DtypeError(f"{name}() input tensor must be either float or double dtype", remedy=f"It is {input.dtype}.")
    if levels.ndim > 1:
        raise ShapeError(f"{name}() q must be a scalar or 1D tensor")
    if levels.dtype != array.dtype:
        raise DtypeError(f"{name}() q tensor must be same dtype as the input tensor")
    if levels.size and known(levels) and not ((levels >= 0) & (levels <= 1)).all():
        one = f"must be in the range [0, 1] but got {q}"
        raise OperationError(f"{name}() q {'values must be in the range [0, 1]' if isinstance(q, TensorBase) else one}")
    return given


def _level(ordered: Any, axis: int, level: Any, n: int, missing: Any, method: str, skip_nan: bool) -> Any:
    """Return one quantile along axis, which stays with size 1."""
    if skip_nan:
        place = level * (n - missing - 1).clamp(min=0).to(level.dtype)
    else:  # the last in order is nan where there is one
        place = apply(where, (missing > 0, float(n - 1), level * float(n - 1)), {})
    below, above = place.floor(), place.ceil()
    if method == "nearest":
        below = above = place.round()
    low, high = (_taken(ordered, axis, rank) for rank in (above if method == "higher" else below, above))
    if method in ("lower", "higher", "nearest"):
        return low
    half = wrap(np.full(place.shape, 0.5, place._array.dtype))
    return low.lerp(high, half if method == "midpoint" else place - below)


def _taken(ordered: Any, axis: int, rank: Any) -> Any:
    return apply(gather, (ordered, rank.long()), {"dim": axis})


def _reshaped_result(result: Any, ndim: int, dim: Any, axis: int, keepdim: bool) -> Any:
    if dim is None:
        return result.reshape((1,) * ndim if keepdim else ())
    if not ndim:
        return result.reshape(())
    return result if keepdim else result.squeeze(axis)


# Sets -----------------------------------------------------------------------------------------------------------------


_AS_MANY = "returns as many elements as there are different ones"
_NEIGHBOURS = (
    "Call it outside of the compiled function; or keep the shape: sort, and compare neighbours with x[1:] != x[:-1]."
)


def unique(
    input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Return the different elements in ascending order; on request also where each element went, and how often it came.

    With dim, the different slices along it.

    >>> import fanin as torch
    >>> torch.unique(torch.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    array = require_known("unique", require_tensor("unique", input), _AS_MANY, _NEIGHBOURS)
    axis = None if dim is None else wrap_dim(dim, array.ndim)
    found, inverse, counts = np.unique(array, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)
    inverse = inverse.reshape(array.shape if axis is None else -1)
    return _set_results(found, inverse, counts, return_inverse, return_counts)


def _set_results(found: Any, inverse: Any, counts: Any, with_inverse: bool, with_counts: bool) -> Any:
    extra = ([inverse] if with_inverse else []) + ([counts] if with_counts else [])
    if not extra:
        return wrap(found)
    return (wrap(found), *(wrap(np.asarray(a, np.int64)) for a in extra))


def unique_consecutive(
    input: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Return the elements, or slices along dim, without those that equal the one before.

    >>> import fanin as torch
    >>> torch.unique_consecutive(torch.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    array = require_known("unique_consecutive", require_tensor("unique_consecutive", input), _AS_MANY, _NEIGHBOURS)
    axis = 0 if dim is None else wrap_dim(dim, array.ndim)
    rows = array.reshape(-1) if dim is None else array
    n = rows.shape[axis]
    moved = np.moveaxis(rows, axis, 0).reshape(n, -1)
    new = np.ones(n, np.bool_)
    new[1:] = (moved[1:] != moved[:-1]).any(axis=1)
    starts = np.flatnonzero(new)
    inverse = np.cumsum(new) - 1
    inverse = inverse.reshape(array.shape) if dim is None else inverse
    counts = np.diff(np.append(starts, n))
    return _set_results(np.take(rows, starts, axis=axis), inverse, counts, return_inverse, return_counts)


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Any:
    """Return whether each element is among the test elements.

    >>> import fanin as torch
    >>> torch.isin(torch.tensor([1, 2, 3]), torch.tensor([3, 1]))
    tensor([ True, False,  True])
    """
    for x in (elements, test_elements):
        if not isinstance(x, (TensorBase, int, float)):
            raise ArgumentTypeError(f"isin() takes tensors and numbers, not {type(x).__name__}")
    a, b = (x if isinstance(x, TensorBase) else wrap(np.asarray(x)) for x in (elements, test_elements))
    return apply(order_ops.isin, (a, b), {"invert": bool(invert)})


# Search ---------------------------------------------------------------------------------------------------------------


def searchsorted(
    sorted_sequence: Any,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
    out: Any = None,
) -> Any:
    """Return where each value would be put into a sorted sequence: before equal elements, or behind them when right.

    Sequences of several dimensions are searched row by row.

    >>> import fanin as torch
    >>> torch.searchsorted(torch.tensor([1, 3, 5]), torch.tensor([3, 4]))
    tensor([1, 2])
    """
    if side not in (None, "left", "right"):
        raise OperationError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
    if right and side == "left":
        raise OperationError("torch.searchsorted(): side and right can't be set to opposites")
    keys = sorted_sequence
    if sorter is not None:
        keys = apply(gather, (keys, sorter), {"dim": keys._array.ndim - 1})
    values = input if isinstance(input, TensorBase) else wrap(np.asarray(input))
    found = apply(order_ops.searchsorted, (keys, values), {"side": "right" if right or side == "right" else "left"})
    return to_out(out, found.int() if out_int32 else found, "searchsorted")


def bucketize(input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False, out: Any = None) -> Any:
    """Return the number of the bucket between boundaries that each value falls into.

    >>> import fanin as torch
    >>> torch.bucketize(torch.tensor([0.5, 2.0, 9.0]), torch.tensor([1.0, 2.0]))
    tensor([0, 1, 2])
    """
    if boundaries._array.ndim != 1:
        raise ShapeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries._array.ndim})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right, out=out)
