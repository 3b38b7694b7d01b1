"""Functions that reduce dimensions."""

from __future__ import annotations

from typing import Any

from fanin.ops import reduce
from fanin.tensor.functions.operands import reduction_dims
from fanin.tensor.tape import apply


def sum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, axis: Any = None) -> Any:
    """Return the sum over the dimensions, all of them when dim is None; integers add up in int64."""
    if dtype is not None:
        input = input.to(dtype)
    dims = reduction_dims(input, dim if axis is None else axis)
    return apply(reduce.sum_, (input,), {"dim": dims, "keepdim": keepdim})


def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, axis: Any = None) -> Any:
    """Return the mean over the dimensions, all of them when dim is None.

    Raises RuntimeError for integers: convert with .float() first.
    """
    if dtype is not None:
        input = input.to(dtype)
    dims = reduction_dims(input, dim if axis is None else axis)
    return apply(reduce.mean, (input,), {"dim": dims, "keepdim": keepdim})
