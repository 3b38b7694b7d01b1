"""What several rules need: means, masks, constants of a shape, elements by number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin.compiler.graph import Value, constant
from fanin.ops.arithmetic import expand, where
from fanin.ops.elementwise import cast
from fanin.ops.index import add_rows, take_rows
from fanin.ops.reduce import Dims, count, sum_
from fanin.ops.shape import reshape

PLAIN_ROWS: dict[str, Any] = {"padding_idx": None, "by_frequency": False}


def all_dims(x: Any) -> Dims:
    """Return all dimensions of x."""
    return tuple(range(x.ndim))


def total(x: Any, dim: Dims, keepdim: bool = False) -> Any:
    """Return the sum over dim, and x itself where there is nothing to add up."""
    return sum_(x, dim=dim, keepdim=keepdim) if dim else x


def average(x: Any, dim: Dims, keepdim: bool = False) -> Any:
    """Return the sum over dim divided by the number of elements: nan of none."""
    return total(x, dim, keepdim) / float(count(x.shape, dim))


def reduced(x: Any, reduction: str) -> Any:
    """Return a loss's elements as they are, their sum, or their mean."""
    if reduction == "none":
        return x
    return total(x, all_dims(x)) if reduction == "sum" else average(x, all_dims(x))


def full(shape: tuple[int, ...], number: Any, dtype: Any) -> Any:
    """Return a constant of one number repeated."""
    return expand(constant(np.asarray(number, dtype)), shape)


def astype(x: Any, dtype: Any) -> Any:
    """Return x in a dtype."""
    return x if x.dtype == dtype else cast(x, dtype=np.dtype(dtype))


def truth(x: Any) -> Any:
    """Return which elements are not zero, as bools."""
    return x if x.dtype.kind == "b" else x != 0


def zero_unless(mask: Any, x: Any) -> Any:
    """Return x where the mask holds, else 0."""
    return where(mask, x, x.dtype.type(0).item())


def take(x: Any, positions: Any) -> Any:
    """Return the elements of x with these numbers, an array, counted in row-major order."""
    rows = take_rows(reshape(x, (x.size, 1)), constant(positions.reshape(-1).astype(np.int64)), **PLAIN_ROWS)
    return reshape(rows, positions.shape)


def add_up(g: Any, positions: Any, shape: tuple[int, ...]) -> Any:
    """Return zeros with the elements of g added at these positions: the transposed map of `take`."""
    size = math.prod(shape)
    rows = reshape(g, (g.size, 1))
    index = constant(positions.reshape(-1).astype(np.int64))
    return reshape(add_rows(rows, index, rows=size, **PLAIN_ROWS), shape)


def numbers_of(shape: tuple[int, ...]) -> Any:
    """Return each element's number in row-major order, as an array."""
    return np.arange(math.prod(shape)).reshape(shape)


def is_value(x: Any) -> bool:
    """Say whether x is a value, not a number or None."""
    return isinstance(x, Value)
