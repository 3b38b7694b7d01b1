"""Python's operators on tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentTypeError
from fanin.ops import arithmetic, elementwise, linalg, power
from fanin.ops.op import Op
from fanin.tensor.base import TensorBase
from fanin.tensor.tape import apply, apply_in_place, wrap

_NUMBERS = (int, float, bool)


def operand(value: Any) -> Any:
    """Return a tensor or Python number for the other side of an operator, or NotImplemented."""
    if isinstance(value, (TensorBase, *_NUMBERS)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return wrap(value)
    return NotImplemented


def _binary(op: Op) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if not isinstance(other, TensorBase):
            other = operand(other)
            if other is NotImplemented:
                return NotImplemented
        return apply(op, (self, other), {})

    return method


def _reflected(op: Op) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        other = operand(other)
        return other if other is NotImplemented else apply(op, (other, self), {})

    return method


def _in_place(op: Op) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        other = operand(other)
        return other if other is NotImplemented else apply_in_place(op, (self, other), {})

    return method


def _comparison(op: Op, otherwise: bool | None) -> Callable[[Any, Any], Any]:
    """Compare by element; with something that is no number, == is False and != is True, as for any object."""

    def method(self: Any, other: Any) -> Any:
        other = operand(other)
        if other is NotImplemented:
            return NotImplemented if otherwise is None else otherwise
        return apply(op, (self, other), {})

    return method


class Operators:
    """The special methods behind + - * / // % ** @ & | ^ ~ << >> and the comparisons."""

    __add__ = _binary(arithmetic.add)
    __radd__ = _reflected(arithmetic.add)
    __iadd__ = _in_place(arithmetic.add)
    __sub__ = _binary(arithmetic.subtract)
    __rsub__ = _reflected(arithmetic.subtract)
    __isub__ = _in_place(arithmetic.subtract)
    __mul__ = _binary(arithmetic.multiply)
    __rmul__ = _reflected(arithmetic.multiply)
    __imul__ = _in_place(arithmetic.multiply)
    __truediv__ = _binary(arithmetic.divide)
    __itruediv__ = _in_place(arithmetic.divide)
    __floordiv__ = _binary(arithmetic.floor_divide)
    __rfloordiv__ = _reflected(arithmetic.floor_divide)
    __ifloordiv__ = _in_place(arithmetic.floor_divide)
    __mod__ = _binary(arithmetic.remainder)
    __rmod__ = _reflected(arithmetic.remainder)
    __imod__ = _in_place(arithmetic.remainder)
    __pow__ = _binary(power.power)
    __rpow__ = _reflected(power.power)
    __ipow__ = _in_place(power.power)
    __and__ = _binary(arithmetic.bitwise_and)
    __rand__ = _reflected(arithmetic.bitwise_and)
    __iand__ = _in_place(arithmetic.bitwise_and)
    __or__ = _binary(arithmetic.bitwise_or)
    __ror__ = _reflected(arithmetic.bitwise_or)
    __ior__ = _in_place(arithmetic.bitwise_or)
    __xor__ = _binary(arithmetic.bitwise_xor)
    __rxor__ = _reflected(arithmetic.bitwise_xor)
    __ixor__ = _in_place(arithmetic.bitwise_xor)
    __lshift__ = _binary(arithmetic.left_shift)
    __rshift__ = _binary(arithmetic.right_shift)
    __rlshift__ = _reflected(arithmetic.left_shift)
    __rrshift__ = _reflected(arithmetic.right_shift)
    __ilshift__ = _in_place(arithmetic.left_shift)
    __irshift__ = _in_place(arithmetic.right_shift)
    __lt__ = _comparison(arithmetic.less, None)
    __le__ = _comparison(arithmetic.less_equal, None)
    __gt__ = _comparison(arithmetic.greater, None)
    __ge__ = _comparison(arithmetic.greater_equal, None)
    __eq__ = _comparison(arithmetic.equal, False)
    __ne__ = _comparison(arithmetic.not_equal, True)
    __hash__ = object.__hash__

    def __rtruediv__(self, other: Any) -> Any:
        # As PyTorch does it, to the last bit: the reciprocal first.
        other = operand(other)
        if other is NotImplemented:
            return other
        return apply(arithmetic.multiply, (apply(elementwise.reciprocal, (self,), {}), other), {})

    def __matmul__(self, other: Any) -> Any:
        return apply(linalg.matmul, (self, other), {}) if isinstance(other, TensorBase) else NotImplemented

    def __rmatmul__(self, other: Any) -> Any:
        if not isinstance(other, np.ndarray):
            return NotImplemented
        return apply(linalg.matmul, (wrap(other), self), {})

    def __neg__(self) -> Any:
        return apply(elementwise.negative, (self,), {})

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return apply(elementwise.absolute, (self,), {})

    def __invert__(self) -> Any:
        if self._array.dtype.kind == "f":  # type: ignore[attr-defined]
            raise ArgumentTypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
        return apply(arithmetic.bitwise_not, (self,), {})
