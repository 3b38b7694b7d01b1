"""What functions of tensors share: reading operands and dimensions, `out=`, aliases of argument names."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from fanin._core.dtypes import can_cast, from_numpy, python_dtype, to_numpy
from fanin._core.errors import ArgumentTypeError, CaptureError, DtypeError, GraphError
from fanin.ops.elementwise import cast
from fanin.ops.op import Op
from fanin.ops.rules import refuse_overflow, wrap_dims
from fanin.tensor.base import TensorBase, known, move
from fanin.tensor.grad_mode import mode
from fanin.tensor.operators import operand
from fanin.tensor.tape import apply, wrap

_NUMBERS = frozenset((int, float, bool))
Function = TypeVar("Function", bound=Callable[..., Any])


def numpy_names(function: Function) -> Function:
    """Let a function take `axis` for dim and `keepdims` for keepdim, as PyTorch's functions do for users of NumPy.

    The functions that are called most often take them themselves: this costs a tenth of a microsecond.
    """

    @functools.wraps(function)
    def either(*args: Any, **keywords: Any) -> Any:
        if keywords:
            if "axis" in keywords:
                keywords["dim"] = keywords.pop("axis")
            if "keepdims" in keywords:
                keywords["keepdim"] = keywords.pop("keepdims")
        return function(*args, **keywords)

    return either  # type: ignore[return-value]


def unary(op: Op, input: Any, out: Any = None, **attrs: Any) -> Any:
    """Apply an operation of one tensor."""
    if not isinstance(input, TensorBase):
        require_tensor(op.name, input)
    if out is None:
        return apply(op, (input,), attrs)
    return store_out(out, apply(op, (input,), attrs), op.name)


def binary(op: Op, input: Any, other: Any, out: Any = None) -> Any:
    """Apply an operation of two values, each a tensor, an array or a number."""
    if not isinstance(input, TensorBase):
        input = as_operand(op.name, input)
    if not isinstance(other, TensorBase) and other.__class__ not in _NUMBERS:
        other = as_operand(op.name, other)
        if not isinstance(input, TensorBase) and not isinstance(other, TensorBase):
            input = wrap(np.asarray(input, python_dtype(input)))
    if out is None:
        return apply(op, (input, other), {})
    return store_out(out, apply(op, (input, other), {}), op.name)


def binary_of_tensors(op: Op, input: Any, other: Any, out: Any = None) -> Any:
    """Apply an operation of two tensors, which takes no numbers in PyTorch."""
    result = apply(op, (require_tensor(op.name, input), require_tensor(op.name, other, "other")), {})
    return result if out is None else store_out(out, result, op.name)


def as_operand(function: str, value: Any) -> Any:
    """Return a tensor or Python number; raise TypeError for anything else."""
    found = operand(value)
    if found is NotImplemented:
        raise ArgumentTypeError(
            f"{function}(): argument 'other' (position 2) must be Tensor, not {type(value).__name__}",
            remedy="Give a tensor, as torch.tensor(...) makes it, or a number.",
        )
    return found


def require_one_dtype(words: str, first: Any, second: Any) -> None:
    """Raise RuntimeError unless two tensors share a dtype; {0} and {1} in the words stand for the names of theirs."""
    if first.dtype != second.dtype:
        raise DtypeError(
            words.format(first.dtype.legacy_name, second.dtype.legacy_name), remedy="Convert one with .to(dtype)."
        )


def store_out(out: Any, result: Any, function: str = "") -> Any:
    """Write a result into the tensor given as `out=`, which takes its shape.

    Raises RuntimeError when a gradient would be lost, or when the result's dtype cannot be cast to that of `out`.
    """
    if mode.enabled and (result._requires_grad or out._requires_grad):
        raise GraphError(
            f"{function}(): functions with out=... arguments don't support automatic differentiation, but one of the "
            "arguments requires grad. Assign the result instead."
        )
    array, target = result._array, out._array
    if array.dtype != target.dtype and not can_cast(from_numpy(array.dtype), from_numpy(target.dtype)):
        raise DtypeError(
            f"result type {from_numpy(array.dtype).legacy_name} can't be cast to the desired output type "
            f"{from_numpy(target.dtype).legacy_name}"
        )
    if mode.capture is not None and target.shape == array.shape:
        return mode.capture.store(out, array)
    if mode.capture is not None:
        move(out, converted(result, from_numpy(target.dtype))._array)
        return out
    if target.shape != array.shape:
        move(out, np.empty(array.shape, target.dtype))
    np.copyto(out._array, array, casting="unsafe")
    return out


def to_out(out: Any, result: Any, function: str = "") -> Any:
    """Return the result, written into `out` when one was given."""
    return result if out is None else store_out(out, result, function)


def converted(input: Any, dtype: Any) -> Any:
    """Return a tensor in another dtype, itself when it has that one already or dtype is None."""
    if dtype is None:
        return input
    kind = to_numpy(dtype)
    return input if input._array.dtype == kind else apply(cast, (input,), {"dtype": kind})


def reduction_dims(input: Any, dim: Any) -> tuple[int, ...]:
    """Return a reduction's dimensions as a tuple counted from the front; all of them for None."""
    if dim is None:
        return tuple(range(input._array.ndim))
    if not is_dim(dim) and not (isinstance(dim, (tuple, list)) and all(map(is_dim, dim))):
        raise ArgumentTypeError(f"argument 'dim' must be int or tuple of ints, not {type(dim).__name__} {dim!r}")
    return wrap_dims(dim, input._array.ndim)


def is_dim(value: Any) -> bool:
    """Say whether an argument names a dimension (an int, not a bool)."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def require_dim(function: str, dim: Any, name: str = "dim") -> int:
    """Return dim; raise TypeError unless it is an int."""
    if isinstance(dim, TensorBase) and not dim._array.ndim and dim._array.dtype.kind in "iu":
        return int(dim._array)
    if not is_dim(dim):
        raise ArgumentTypeError(f"{function}(): argument '{name}' must be int, not {type(dim).__name__}")
    return int(dim)


def require_tensor(function: str, value: Any, name: str = "input") -> Any:
    """Return value; raise TypeError unless it is a tensor."""
    if not isinstance(value, TensorBase):
        raise ArgumentTypeError(
            f"{function}(): argument '{name}' (position {2 - (name == 'input')}) must be Tensor, not "
            f"{type(value).__name__}",
            remedy="Make one with torch.tensor(...).",
        )
    return value


def require_known(function: str, tensor: Any, what: str, remedy: str) -> Any:
    """Return a tensor's array; raise CaptureError where its numbers, which decide on a shape, come later."""
    array = tensor._array
    if not known(array):
        raise CaptureError(f"{function}() {what}, which is not known in a captured step", remedy=remedy)
    return array


def require_tensors(function: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """Return values as a tuple; raise TypeError unless all are tensors."""
    if isinstance(values, TensorBase):
        raise ArgumentTypeError(f"{function}(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor")
    if not isinstance(values, (tuple, list)):
        raise ArgumentTypeError(
            f"{function}(): argument 'tensors' (position 1) must be tuple of Tensors, not {type(values).__name__}"
        )
    for i, value in enumerate(values):
        if not isinstance(value, TensorBase):
            raise ArgumentTypeError(f"expected Tensor as element {i} in argument 0, but got {type(value).__name__}")
    return tuple(values)


def number(value: Any) -> Any:
    """Return a Python number for a number, a NumPy scalar or a tensor of one element."""
    if isinstance(value, TensorBase):
        return value.item()  # type: ignore[attr-defined]
    return value.item() if isinstance(value, np.generic) else value


def as_tensor_like(value: Any, like: Any) -> Any:
    """Return a tensor as it is, and a number as a zero-dimensional tensor of the dtype of `like`.

    Raises RuntimeError for a number that an integer dtype does not hold.
    """
    if isinstance(value, TensorBase):
        return value
    refuse_overflow([number(value)], like._array.dtype)
    return wrap(np.asarray(value).astype(like._array.dtype))
