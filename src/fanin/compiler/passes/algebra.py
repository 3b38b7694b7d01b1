"""Algebra on numbers that keeps every bit: ones, signs, powers of two, choices that are made beforehand.

What would round in another way, or turn -0 into 0, is left alone; only a product of two constant factors one of which
is a power of two may differ, where it overflows on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fanin.compiler.graph import Graph, Value
from fanin.compiler.passes.rewriting import (
    Rewrite,
    is_result_of,
    like,
    number_of,
    once,
    stands_for,
    to_the_end,
    with_number,
)
from fanin.ops.arithmetic import add, multiply, not_equal, subtract, where
from fanin.ops.elementwise import negative

_RULES: dict[str, list[Rewrite]] = {}


def simplify_algebra(graph: Graph) -> Graph:
    """Return the graph with arithmetic on numbers made simpler, where that changes no result."""
    return once(graph, algebra)


def algebra(value: Value) -> Value:
    """Return a simpler value that is the same."""
    if value.op is None or value.weak or value.op.name not in _RULES:
        return value
    return to_the_end(_first, value)


def _first(value: Value) -> Value:
    if value.op is None:
        return value
    for rule in _RULES.get(value.op.name, ()):
        new = rule(value)
        if new is not value:
            return new
    return value


def _of(*names: str) -> Callable[[Rewrite], Rewrite]:
    def enter(rule: Rewrite) -> Rewrite:
        for name in names:
            _RULES.setdefault(name, []).append(rule)
        return rule

    return enter


def is_power_of_two(x: Any) -> bool:
    """Say whether products with x, and with 1 / x, only move the exponent."""
    return isinstance(x, (int, float)) and math.isfinite(x) and x != 0 and _exponent(x) is not None


def _exponent(x: float) -> int | None:
    fraction, exponent = math.frexp(x)
    return exponent if abs(fraction) == 0.5 and -100 < exponent < 100 else None


def _exact_product(a: float, b: float) -> bool:
    """Say whether two factors are one without rounding, and far from the ends of the range."""
    return (is_power_of_two(a) or is_power_of_two(b)) and 1e-30 < abs(a * b) < 1e30


def _swapped(value: Value) -> list[tuple[Any, Any]]:
    a, b = value.inputs
    return [(a, b), (b, a)]


# Products and quotients -----------------------------------------------------------------------------------------------


@_of("mul")
def _one_factor(value: Value) -> Value:
    """Use x * 1 = x, and x * -1 = -x."""
    for x, other in _swapped(value):
        factor = number_of(other)
        if factor is not None and abs(factor) == 1 and stands_for(x, value) and value.dtype.kind in "fi":
            return x if factor == 1 else like(value, negative, (x,))
    return value


@_of("mul")
def _two_factors(value: Value) -> Value:
    """(x * a) * b = x * (a b), if one of them is a power of two."""
    if value.dtype.char not in "fd":
        return value
    for x, other in _swapped(value):
        b = number_of(other)
        if b is None or not is_result_of(x, "mul") or not stands_for(x, value):
            continue
        for inner, factor in _swapped(x):
            a = number_of(factor)
            if a is not None and _exact_product(a, b) and stands_for(inner, value):
                return like(value, multiply, (inner, with_number(factor, a * b)))
    return value


@_of("mul", "div")
def _signs_of_factors(value: Value) -> Value:
    """Use (-a) * (-b) = a * b and (-a) * 2 = a * -2; the same of quotients."""
    a, b = value.inputs
    assert value.op is not None
    if is_result_of(a, "neg") and is_result_of(b, "neg"):
        return like(value, value.op, (a.inputs[0], b.inputs[0]))
    if is_result_of(a, "neg") and number_of(b) is not None and value.dtype.kind == "f":
        return like(value, value.op, (a.inputs[0], with_number(b, -float(number_of(b)))))
    if is_result_of(b, "neg") and number_of(a) is not None and value.dtype.kind == "f":
        return like(value, value.op, (with_number(a, -float(number_of(a))), b.inputs[0]))
    return value


@_of("div")
def _quotient(value: Value) -> Value:
    """Use x / 1 = x, and x / 2 = x * 0.5."""
    x, other = value.inputs
    divisor = number_of(other)
    if divisor is None or value.dtype.char not in "fd" or not isinstance(x, Value):
        return value
    if divisor == 1 and stands_for(x, value):
        return x
    if is_power_of_two(divisor) and x.dtype == value.dtype:
        return like(value, multiply, (x, with_number(other, 1.0 / divisor)))
    return value


# Sums and signs -------------------------------------------------------------------------------------------------------


def _adds_nothing(x: Any, value: Value) -> bool:
    """Say whether x + number is x: -0 of floats, 0 of integers."""
    number = number_of(x)
    if number is None or number != 0:
        return False
    return value.dtype.kind in "iu" or math.copysign(1, number) < 0


@_of("add")
def _sum(value: Value) -> Value:
    """Use x + -0 = x, and a + (-b) = a - b."""
    for x, other in _swapped(value):
        if _adds_nothing(other, value) and stands_for(x, value):
            kept: Value = x
            return kept
        if is_result_of(other, "neg") and value.dtype.kind != "b":
            return like(value, subtract, (x, other.inputs[0]))
    return value


@_of("sub")
def _difference(value: Value) -> Value:
    """Use x - 0 = x, and a - (-b) = a + b."""
    x, other = value.inputs
    number = number_of(other)
    if number is not None and number == 0 and math.copysign(1, number) > 0 and stands_for(x, value):
        kept: Value = x
        return kept
    return like(value, add, (x, other.inputs[0])) if is_result_of(other, "neg") else value


@_of("neg")
def _negative(value: Value) -> Value:
    """-(-x) = x, and -(x * 2) = x * -2."""
    (x,) = value.inputs
    if is_result_of(x, "neg"):
        inner: Value = x.inputs[0]
        return inner
    if value.dtype.kind == "f" and (is_result_of(x, "mul") or is_result_of(x, "div")):
        for i, factor in enumerate(x.inputs):
            if number_of(factor) is not None:
                inputs = list(x.inputs)
                inputs[i] = with_number(factor, -float(number_of(factor)))
                return like(value, x.op, tuple(inputs))
    return value


@_of("abs", "square", "cosh", "cos")
def _even(value: Value) -> Value:
    """|-x| = |x|, and the same of other even functions."""
    (x,) = value.inputs
    assert value.op is not None
    return like(value, value.op, (x.inputs[0],)) if is_result_of(x, "neg") and value.dtype.kind == "f" else value


# Choices, logic, dtypes -----------------------------------------------------------------------------------------------


@_of("where")
def _choice(value: Value) -> Value:
    """Choose beforehand where the condition is known, or both sides are the same."""
    condition, a, b = value.inputs
    known = number_of(condition)
    taken: Value = a if known else b
    if known is not None and stands_for(taken, value):
        return taken
    if a is b and stands_for(a, value):
        either: Value = a
        return either
    if is_result_of(condition, "logical_not"):
        return like(value, where, (condition.inputs[0], b, a))
    return value


@_of("logical_not")
def _negation(value: Value) -> Value:
    """Two negations are none, and not equal is `ne`; not less is no other comparison, for there is nan."""
    (x,) = value.inputs
    if is_result_of(x, "logical_not") and stands_for(x.inputs[0], value):
        inner: Value = x.inputs[0]
        return inner
    return like(value, not_equal, x.inputs) if is_result_of(x, "eq") else value


@_of("cast")
def _cast(value: Value) -> Value:
    """Leave out a cast to the same dtype, and one to a wider dtype and back."""
    (x,) = value.inputs
    if stands_for(x, value):
        kept: Value = x
        return kept
    if is_result_of(x, "cast") and stands_for(x.inputs[0], value) and np.can_cast(value.dtype, x.dtype, "safe"):
        inner: Value = x.inputs[0]
        return inner
    return value
