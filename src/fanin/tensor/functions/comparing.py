"""Comparisons, logic and bits: functions without derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core import dtypes
from fanin._core.errors import DtypeError, OperationError
from fanin.ops import arithmetic as ops
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.operands import binary, binary_of_tensors, require_tensor, unary
from fanin.tensor.tape import wrap


def eq(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input == other, element by element.

    >>> import fanin as torch
    >>> torch.eq(torch.tensor([[1, 2], [3, 4]]), torch.tensor([1, 4]))
    tensor([[ True, False],
            [False,  True]])
    """
    return binary(ops.equal, input, other, out)


def ne(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input != other, element by element.

    >>> import fanin as torch
    >>> torch.ne(torch.tensor([1.0, float("nan")]), torch.tensor([1.0, float("nan")]))
    tensor([False,  True])
    """
    return binary(ops.not_equal, input, other, out)


def lt(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input < other, element by element.

    >>> import fanin as torch
    >>> torch.lt(torch.tensor([1, 2, 3]), 2)
    tensor([ True, False, False])
    """
    return binary(ops.less, input, other, out)


def le(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input <= other, element by element.

    >>> import fanin as torch
    >>> torch.le(torch.tensor([1, 2, 3]), 2)
    tensor([ True,  True, False])
    """
    return binary(ops.less_equal, input, other, out)


def gt(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input > other, element by element.

    >>> import fanin as torch
    >>> torch.gt(torch.tensor([1, 2, 3]), 2)
    tensor([False, False,  True])
    """
    return binary(ops.greater, input, other, out)


def ge(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input >= other, element by element.

    >>> import fanin as torch
    >>> torch.ge(torch.tensor([1, 2, 3]), 2)
    tensor([False,  True,  True])
    """
    return binary(ops.greater_equal, input, other, out)


def equal(input: Any, other: Any) -> bool:
    """Say whether two tensors have the same shape and the same elements; different dtypes are promoted before.

    >>> import fanin as torch
    >>> torch.equal(torch.tensor([1, 2]), torch.tensor([1, 2]))
    True
    """
    a, b = require_tensor("equal", input)._array, require_tensor("equal", other, "other")._array
    if a.shape != b.shape:
        return False
    if a.dtype != b.dtype:
        kind = dtypes.promote(a.dtype, b.dtype)
        a, b = a.astype(kind), b.astype(kind)
    return bool((a == b).all())


def logical_and(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return whether both are not 0.

    >>> import fanin as torch
    >>> torch.logical_and(torch.tensor([0, 2, 3]), torch.tensor([True, True, False]))
    tensor([False,  True, False])
    """
    return binary_of_tensors(ops.logical_and, input, other, out)


def logical_or(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return whether at least one is not 0.

    >>> import fanin as torch
    >>> torch.logical_or(torch.tensor([0, 2, 0]), torch.tensor([True, True, False]))
    tensor([ True,  True, False])
    """
    return binary_of_tensors(ops.logical_or, input, other, out)


def logical_xor(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return whether exactly one is not 0.

    >>> import fanin as torch
    >>> torch.logical_xor(torch.tensor([0, 2, 0]), torch.tensor([True, True, False]))
    tensor([ True, False, False])
    """
    return binary_of_tensors(ops.logical_xor, input, other, out)


def logical_not(input: Any, *, out: Any = None) -> Any:
    """Return whether x is 0.

    >>> import fanin as torch
    >>> torch.logical_not(torch.tensor([0.0, -2.0]))
    tensor([ True, False])
    """
    return unary(ops.logical_not, input, out)


def bitwise_and(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the bits that both have.

    >>> import fanin as torch
    >>> torch.bitwise_and(torch.tensor([6, 12]), 5)
    tensor([4, 4])
    """
    return binary(ops.bitwise_and, input, other, out)


def bitwise_or(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the bits that at least one has.

    >>> import fanin as torch
    >>> torch.bitwise_or(torch.tensor([6, 12]), 5)
    tensor([ 7, 13])
    """
    return binary(ops.bitwise_or, input, other, out)


def bitwise_xor(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the bits that exactly one has.

    >>> import fanin as torch
    >>> torch.bitwise_xor(torch.tensor([6, 12]), 5)
    tensor([3, 9])
    """
    return binary(ops.bitwise_xor, input, other, out)


def bitwise_not(input: Any, *, out: Any = None) -> Any:
    """Return all bits turned over; for bools, the negation.

    >>> import fanin as torch
    >>> torch.bitwise_not(torch.tensor([0, 5, -1]))
    tensor([-1, -6,  0])
    """
    return unary(ops.bitwise_not, input, out)


def bitwise_left_shift(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the bits moved up: input * 2 ** other.

    >>> import fanin as torch
    >>> torch.bitwise_left_shift(torch.tensor([1, 3]), torch.tensor([4, 1]))
    tensor([16,  6])
    """
    return binary(ops.left_shift, input, other, out)


def bitwise_right_shift(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the bits moved down, the sign kept: floor(input / 2 ** other).

    >>> import fanin as torch
    >>> torch.bitwise_right_shift(torch.tensor([16, -3]), torch.tensor([2, 1]))
    tensor([ 4, -2])
    """
    return binary(ops.right_shift, input, other, out)


def isnan(input: Any) -> Any:
    """Return whether x is not a number.

    >>> import fanin as torch
    >>> torch.isnan(torch.tensor([1.0, float("nan"), float("inf")]))
    tensor([False,  True, False])
    """
    return unary(ops.isnan, input)


def isinf(input: Any) -> Any:
    """Return whether x is infinite.

    >>> import fanin as torch
    >>> torch.isinf(torch.tensor([1.0, float("nan"), float("-inf")]))
    tensor([False, False,  True])
    """
    return unary(ops.isinf, input)


def isfinite(input: Any) -> Any:
    """Return whether x is neither infinite nor nan.

    >>> import fanin as torch
    >>> torch.isfinite(torch.tensor([1.0, float("nan"), float("-inf")]))
    tensor([ True, False, False])
    """
    return unary(ops.isfinite, input)


def isposinf(input: Any, *, out: Any = None) -> Any:
    """Return whether x is +inf.

    >>> import fanin as torch
    >>> torch.isposinf(torch.tensor([1.0, float("inf"), float("-inf")]))
    tensor([False,  True, False])
    """
    return binary(ops.equal, input, float("inf"), out)


def isneginf(input: Any, *, out: Any = None) -> Any:
    """Return whether x is -inf.

    >>> import fanin as torch
    >>> torch.isneginf(torch.tensor([1.0, float("inf"), float("-inf")]))
    tensor([False, False,  True])
    """
    return binary(ops.equal, input, float("-inf"), out)


def isreal(input: Any) -> Any:
    """Return True everywhere: fanin has no complex numbers.

    >>> import fanin as torch
    >>> torch.isreal(torch.tensor([1.0, float("nan")]))
    tensor([True, True])
    """
    return wrap(np.ones(input._array.shape, np.bool_))


def signbit(input: Any, *, out: Any = None) -> Any:
    """Return whether x is below 0, or is -0.0.

    >>> import fanin as torch
    >>> torch.signbit(torch.tensor([-1.0, -0.0, 0.0]))
    tensor([ True,  True, False])
    """
    return unary(ops.signbit, input, out)


def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Return |input - other| <= atol + rtol * |other|, element by element; equal infinities are close.

    Raises RuntimeError when the dtypes differ or a tolerance is negative.

    >>> import fanin as torch
    >>> torch.isclose(torch.tensor([1.0, 1.0]), torch.tensor([1.000001, 1.001]))
    tensor([ True, False])
    """
    a, b = require_tensor("isclose", input)._array, require_tensor("isclose", other, "other")._array
    if a.dtype != b.dtype:
        raise DtypeError(f"{input.dtype} did not match {other.dtype}: convert one with .to(dtype)")
    if rtol < 0 or atol < 0:
        name, value = ("rtol", rtol) if rtol < 0 else ("atol", atol)
        raise OperationError(f"{name} must be greater than or equal to zero, but got {value}")
    return _close(input.detach(), other.detach(), rtol, atol, equal_nan)


def _close(a: Any, b: Any, rtol: float, atol: float, equal_nan: bool) -> Any:
    kind = a._array.dtype.kind
    if kind in "iu":
        a, b = a.double(), b.double()
    close = a == b
    if kind == "b" or (rtol == 0 and atol == 0 and not equal_nan):
        return close
    if equal_nan:
        close = close | (isnan(a) & isnan(b))
    if rtol == 0 and atol == 0:
        return close
    return close | (isfinite(b) & ((a - b).abs() <= atol + (rtol * b).abs()))


def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Say whether all elements satisfy |input - other| <= atol + rtol * |other|.

    >>> import fanin as torch
    >>> torch.allclose(torch.tensor([1.0]), torch.tensor([1.000001]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan)._array.all())


def is_nonzero(input: Any) -> bool:
    """Say whether a tensor of one element is not 0.

    Raises RuntimeError when there is not exactly one element.

    >>> import fanin as torch
    >>> torch.is_nonzero(torch.tensor([0.0])), torch.is_nonzero(torch.tensor(-2))
    (False, True)
    """
    return bool(require_tensor("is_nonzero", input))


def is_tensor(obj: Any) -> bool:
    """Say whether an object is a tensor.

    >>> import fanin as torch
    >>> torch.is_tensor(torch.tensor(1.0)), torch.is_tensor([1.0])
    (True, False)
    """
    return isinstance(obj, TensorBase)


greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
