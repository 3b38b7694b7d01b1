"""Running sums, products and extremes along a dimension, and differences of neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import OperationError, ShapeError
from fanin.ops import arithmetic, reduce
from fanin.ops.index import gather, getitem
from fanin.ops.order import running_extreme
from fanin.ops.rules import wrap_dim
from fanin.tensor import return_types
from fanin.tensor.functions.joining import cat
from fanin.tensor.functions.operands import converted, numpy_names, require_dim, require_tensor, to_out
from fanin.tensor.functions.selecting import along_dim
from fanin.tensor.tape import apply, label, wrap


@numpy_names
def cumsum(input: Any, dim: int, *, dtype: Any = None, out: Any = None) -> Any:
    """Return the running sum along dim; integers and bools add up in int64.

    >>> import fanin as torch
    >>> torch.cumsum(torch.tensor([1, 2, 3]), dim=0)
    tensor([1, 3, 6])
    """
    return _running("cumsum", reduce.cumsum, input, dim, dtype, out)


@numpy_names
def cumprod(input: Any, dim: int, *, dtype: Any = None, out: Any = None) -> Any:
    """Return the running product along dim; integers and bools multiply in int64."""
    return _running("cumprod", reduce.cumprod, input, dim, dtype, out)


def _running(name: str, op: Any, input: Any, dim: Any, dtype: Any, out: Any) -> Any:
    input = converted(require_tensor(name, input), dtype)
    dim = wrap_dim(require_dim(name, dim), input._array.ndim)
    return to_out(out, converted(apply(op, (input,), {"dim": dim}), dtype), name)


@numpy_names
def logcumsumexp(input: Any, dim: int, *, out: Any = None) -> Any:
    """Return the logarithm of the running sum of exp along dim, without overflow."""
    dim = wrap_dim(dim, require_tensor("logcumsumexp", input)._array.ndim)
    if not input._array.ndim:
        return to_out(out, input.clone(), "logcumsumexp")
    return to_out(out, apply(reduce.logcumsumexp, (input,), {"dim": dim}), "logcumsumexp")


@numpy_names
def cummax(input: Any, dim: int, *, out: Any = None) -> Any:
    """Return (values, indices) of the largest element so far along dim, the later one among equals."""
    return _running_extreme("cummax", input, dim, True)


@numpy_names
def cummin(input: Any, dim: int, *, out: Any = None) -> Any:
    """Return (values, indices) of the smallest element so far along dim, the later one among equals."""
    return _running_extreme("cummin", input, dim, False)


def _running_extreme(name: str, input: Any, dim: int, largest: bool) -> Any:
    array = require_tensor(name, input)._array
    dim = wrap_dim(dim, array.ndim)
    kind = getattr(return_types, name)
    if not array.ndim:
        return kind((input.clone(), wrap(np.zeros((), np.int64))))
    indices = apply(running_extreme, (input,), {"dim": dim, "largest": largest})
    values = label(apply(gather, (input, indices), {"dim": dim}), f"{name.capitalize()}Backward0")
    return kind((values, indices))


@numpy_names
def diff(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None, *, out: Any = None) -> Any:
    """Return the differences of neighbours along dim, n times over; prepend and append lengthen the input first.

    >>> import fanin as torch
    >>> torch.diff(torch.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    if not require_tensor("diff", input)._array.ndim:
        raise OperationError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise OperationError(f"order must be non-negative but got {n}")
    dim = wrap_dim(dim, input._array.ndim)
    parts = [x for x in (prepend, input, append) if x is not None]
    result = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, result._array.shape[dim])):
        result = _neighbours(result, dim)
    return to_out(out, result.clone() if result is input else result, "diff")


def _neighbours(x: Any, dim: int) -> Any:
    after = apply(getitem, (x,), {"index": along_dim(dim, slice(1, None))})
    before = apply(getitem, (x,), {"index": along_dim(dim, slice(None, -1))})
    op = arithmetic.logical_xor if x._array.dtype.kind == "b" else arithmetic.subtract
    return apply(op, (after, before), {})


@numpy_names
def trapezoid(y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
    """Return the integral along dim by the trapezoidal rule: the sum of (y[i] + y[i + 1]) / 2 * (x[i + 1] - x[i])."""
    return _areas(y, x, dx, dim).sum(dim)


@numpy_names
def cumulative_trapezoid(y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
    """Return the running integral along dim by the trapezoidal rule."""
    return cumsum(_areas(y, x, dx, dim), dim)


def _areas(y: Any, x: Any, dx: Any, dim: int) -> Any:
    dim = wrap_dim(dim, require_tensor("trapezoid", y)._array.ndim)
    after = apply(getitem, (y,), {"index": along_dim(dim, slice(1, None))})
    before = apply(getitem, (y,), {"index": along_dim(dim, slice(None, -1))})
    if x is None:
        return (after + before) * (0.5 * (1.0 if dx is None else dx))
    if dx is not None:
        raise ShapeError("trapezoid() takes either x or dx, not both")
    steps = diff(x, dim=dim if x._array.ndim > 1 else 0)
    if x._array.ndim == 1:
        steps = steps.reshape([-1 if axis == dim else 1 for axis in range(y._array.ndim)])
    return (after + before) / 2.0 * steps


trapz = trapezoid
