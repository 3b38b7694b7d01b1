"""What an update is called with while it is written down: values that are not known yet."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import numpy as np

from fanin.ops import arithmetic, elementwise, power
from fanin.ops.op import Op


class Untraceable(Exception):
    """The update does something that is not a straight line of elementwise operations."""


@dataclass(frozen=True)
class Ref:
    """A value of the program: of the parameter's shape, or (`host`) one number a step."""

    index: int
    host: bool = False


class Notes(Protocol):
    """Where what is done with symbols is noted."""

    def operation(self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        """Note an operation and return the symbol of its result."""

    def call(self, function: Any, *inputs: Any) -> Any:
        """Note the call of a function and return the symbol of its result."""


class Symbol:
    """A value that is not known yet; operations and operators on it are noted."""

    __slots__ = ("notes", "ref")
    __array_ufunc__ = None  # np functions called on a symbol raise, instead of building arrays of objects
    __hash__ = object.__hash__

    def __init__(self, notes: Notes, ref: Ref) -> None:
        self.notes = notes
        self.ref = ref

    def _apply_operation(self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        return self.notes.operation(op, inputs, attrs)

    def __bool__(self) -> NoReturn:
        raise Untraceable("a branch on a value; make it an entry of hyper that is True or False")

    def __eq__(self, other: object) -> Any:
        return arithmetic.equal(self, other)

    def __ne__(self, other: object) -> Any:
        return arithmetic.not_equal(self, other)

    def __neg__(self) -> Any:
        return elementwise.negative(self)

    def __abs__(self) -> Any:
        return elementwise.absolute(self)


class Value(Symbol):
    """An array of the parameter's shape, or a mask of that shape; its operators are the operations that tensors use."""

    __slots__ = ("dtype",)

    def __init__(self, notes: Notes, ref: Ref, dtype: np.dtype[Any]) -> None:
        super().__init__(notes, ref)
        self.dtype = dtype

    def _reflected(self, op: Op, other: Any) -> Any:
        return self.notes.operation(op, (other, self), {})

    def __add__(self, other: Any) -> Any:
        return arithmetic.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return self._reflected(arithmetic.add, other)

    def __sub__(self, other: Any) -> Any:
        return arithmetic.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._reflected(arithmetic.subtract, other)

    def __mul__(self, other: Any) -> Any:
        return arithmetic.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._reflected(arithmetic.multiply, other)

    def __truediv__(self, other: Any) -> Any:
        return arithmetic.divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._reflected(arithmetic.divide, other)

    def __pow__(self, other: Any) -> Any:
        return power.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return self._reflected(power.power, other)

    def __lt__(self, other: Any) -> Any:
        return arithmetic.less(self, other)

    def __le__(self, other: Any) -> Any:
        return arithmetic.less_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return arithmetic.greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return arithmetic.greater_equal(self, other)


class Number(Symbol):
    """A number that is known at each step; arithmetic among numbers is done on the host, in double precision."""

    __slots__ = ()

    def _hosted(self, function: Any, a: Any, b: Any) -> Any:
        if isinstance(a, Value) or isinstance(b, Value):
            return NotImplemented
        return self.notes.call(function, a, b)

    def __add__(self, other: Any) -> Any:
        return self._hosted(operator.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return self._hosted(operator.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return self._hosted(operator.sub, self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._hosted(operator.sub, other, self)

    def __mul__(self, other: Any) -> Any:
        return self._hosted(operator.mul, self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._hosted(operator.mul, other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._hosted(operator.truediv, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._hosted(operator.truediv, other, self)

    def __pow__(self, other: Any) -> Any:
        return self._hosted(operator.pow, self, other)

    def __rpow__(self, other: Any) -> Any:
        return self._hosted(operator.pow, other, self)
