"""Functions element by element."""

from __future__ import annotations

from typing import Any

from fanin.ops import arithmetic, elementwise, power
from fanin.tensor.functions.operands import binary
from fanin.tensor.functions.operands import store_out as _store
from fanin.tensor.tape import apply


def add(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """Return input + alpha * other."""
    return binary(arithmetic.add, input, other if alpha == 1 else other * alpha, out)


def sub(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """Return input - alpha * other."""
    return binary(arithmetic.subtract, input, other if alpha == 1 else other * alpha, out)


def mul(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input * other."""
    return binary(arithmetic.multiply, input, other, out)


def exp(input: Any, *, out: Any = None) -> Any:
    """Return e ** x."""
    return _unary(elementwise.exp, input, out)


def log(input: Any, *, out: Any = None) -> Any:
    """Return the natural logarithm of x."""
    return _unary(elementwise.log, input, out)


def sqrt(input: Any, *, out: Any = None) -> Any:
    """Return the square root of x."""
    return _unary(elementwise.sqrt, input, out)


def pow(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """Return input ** exponent."""
    return binary(power.power, input, exponent, out)


def _unary(op: Any, input: Any, out: Any) -> Any:
    result = apply(op, (input,), {})
    return result if out is None else _store(out, result)
