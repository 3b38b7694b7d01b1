"""What functions of tensors share: reading the other operand, dimensions and `out=`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentTypeError
from fanin.ops.op import Op
from fanin.ops.rules import wrap_dims
from fanin.tensor.base import TensorBase
from fanin.tensor.operators import operand
from fanin.tensor.tape import apply


def binary(op: Op, input: Any, other: Any, out: Any = None) -> Any:
    """Apply an operation of two values, each a tensor, an array or a number."""
    a, b = operand(input), operand(other)
    for value, given in ((a, input), (b, other)):
        if value is NotImplemented:
            raise ArgumentTypeError(f"{op.name}(): expected a tensor or a number, got {type(given).__name__}")
    result = apply(op, (a, b), {})
    return result if out is None else store_out(out, result)


def store_out(out: Any, result: Any) -> Any:
    """Write a result into the tensor given as `out=`, which takes its shape."""
    if out._array.shape != result._array.shape:
        out._array = np.empty(result._array.shape, out._array.dtype)
    np.copyto(out._array, result._array, casting="unsafe")
    return out


def reduction_dims(input: Any, dim: Any) -> tuple[int, ...]:
    """Return a reduction's dimensions as a tuple counted from the front; all of them for None."""
    return wrap_dims(dim, input._array.ndim)


def is_dim(value: Any) -> bool:
    """Say whether an argument names a dimension (an int, not a bool)."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def require_tensor(function: str, value: Any) -> Any:
    """Return value; raise TypeError unless it is a tensor."""
    if not isinstance(value, TensorBase):
        raise ArgumentTypeError(
            f"{function}(): argument 'input' (position 1) must be Tensor, not {type(value).__name__}; "
            "make one with torch.tensor(...)"
        )
    return value


def require_tensors(function: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """Return values as a tuple; raise TypeError unless all are tensors."""
    if isinstance(values, TensorBase):
        raise ArgumentTypeError(f"{function}(): argument 'tensors' must be tuple of Tensors, not Tensor")
    return tuple(require_tensor(function, v) for v in values)
