"""What each elementwise operation is in instructions. Operands have one type, but for conditions and casts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fanin.compiler.graph import Value
from fanin.compiler.native import ir
from fanin.compiler.native.vector import I1, Code, element_type, is_float, scalar_type
from fanin.compiler.passes.rows import NOTING

Emit = Callable[..., Any]


def _logical(combine: str) -> Emit:
    def emit(code: Code, a: Any, c: Any) -> Any:
        return getattr(code.b, combine)(code.cast(a, I1), code.cast(c, I1))

    return emit


def _comparison(sign: str, unsigned: bool = False) -> Emit:
    return lambda code, a, c: code.compare(sign, a, c, unsigned)


def _chosen(sign: str) -> Emit:
    return lambda code, a, c: code.select(code.compare(sign, a, c, unsigned=True), a, c)


def _bits(combine: str) -> Emit:
    return lambda code, a, c: getattr(code.b, combine)(a, c)


def _sign(code: Code, x: Any) -> Any:
    zero, one = code.like(0, x), code.like(1, x)
    positive = code.select(code.compare(">", x, zero), one, zero)
    return code.select(code.compare("<", x, zero), code.like(-1, x), positive)


def _is_infinite(code: Code, x: Any) -> Any:
    return code.compare("==", code.abs(x), code.like(float("inf"), x)) if is_float(x) else _never(code, x)


def _is_finite(code: Code, x: Any) -> Any:
    return code.compare("<", code.abs(x), code.like(float("inf"), x)) if is_float(x) else code.b.not_(_never(code, x))


def _never(code: Code, x: Any) -> Any:
    return code.compare("!=", x, x)


def _fmax(code: Code, a: Any, c: Any) -> Any:
    return code.select(code.is_nan(c), a, code.greater(a, c))


def _fmin(code: Code, a: Any, c: Any) -> Any:
    return code.select(code.is_nan(c), a, code.lesser(a, c))


def _not(code: Code, x: Any) -> Any:
    return code.b.not_(x)


def _maximum(code: Code, a: Any, c: Any) -> Any:
    # With a number on the right one instruction is enough: a NaN on the left must stay.
    return code.greater(c, a) if _is_number(c) else code.maximum(a, c)


def _minimum(code: Code, a: Any, c: Any) -> Any:
    return code.lesser(c, a) if _is_number(c) else code.minimum(a, c)


def _is_number(c: Any) -> bool:
    """Say whether it is known that floats are not NaN."""
    if not isinstance(c, ir.Constant) or not is_float(c):
        return False
    known = c.constant if isinstance(c.constant, list) else [c.constant or 0.0]
    return not any(map(math.isnan, known))


PLAIN: dict[str, Emit] = {
    "add": lambda code, a, c: code.b.or_(a, c) if scalar_type(a) == I1 else code.add(a, c),
    "sub": lambda code, a, c: code.sub(a, c),
    "mul": lambda code, a, c: code.b.and_(a, c) if scalar_type(a) == I1 else code.mul(a, c),
    "div": lambda code, a, c: code.div(a, c),
    "neg": lambda code, a: code.neg(a),
    "abs": lambda code, a: code.abs(a),
    "sign": _sign,
    "sqrt": lambda code, a: code.sqrt(a),
    "rsqrt": lambda code, a: code.div(code.like(1, a), code.sqrt(a)),
    "reciprocal": lambda code, a: code.div(code.like(1, a), a),
    "square": lambda code, a: code.mul(a, a),
    "maximum": _maximum,
    "minimum": _minimum,
    "fmax": _fmax,
    "fmin": _fmin,
    "eq": _comparison("=="),
    "ne": _comparison("!="),
    "lt": _comparison("<"),
    "le": _comparison("<="),
    "gt": _comparison(">"),
    "ge": _comparison(">="),
    "logical_and": _logical("and_"),
    "logical_or": _logical("or_"),
    "logical_xor": _logical("xor"),
    "logical_not": lambda code, a: code.b.not_(code.cast(a, I1)),
    "bitwise_and": _bits("and_"),
    "bitwise_or": _bits("or_"),
    "bitwise_xor": _bits("xor"),
    "bitwise_not": _not,
    "isnan": lambda code, a: code.is_nan(a) if is_float(a) else _never(code, a),
    "isinf": _is_infinite,
    "isfinite": _is_finite,
    "where": lambda code, mask, a, c: code.select(code.cast(mask, I1), a, c),
}
# What numbers without a sign are treated otherwise by.
UNSIGNED: dict[str, Emit] = {
    **{name: _comparison(sign, unsigned=True) for name, sign in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="))},
    **{name: _chosen(sign) for name, sign in (("maximum", ">"), ("minimum", "<"), ("amax", ">"), ("amin", "<"))},
    "abs": lambda code, a: a,
    "sign": lambda code, a: code.select(code.compare("!=", a, code.like(0, a)), code.like(1, a), code.like(0, a)),
}
# Views that had to be copied, and copies.
_SAME = frozenset({"copy", "total", "reshape", "permute", "expand", "getitem", "flip"})
_FLOAT_ONLY = frozenset({"div", "sqrt", "rsqrt", "reciprocal", "fmax", "fmin"})


def _function(name: str) -> Emit | None:
    from fanin.compiler.native import math

    return math.FUNCTIONS.get(name) or math.BINARY.get(name)


def has_code(value: Value) -> bool:
    """Say whether there is native code for an elementwise operation on these types."""
    assert value.op is not None
    name = value.op.name
    if name in _SAME or name == "cast":
        return not (value.attrs.get("decimals"))
    if name in NOTING:
        return value.inputs[0].dtype.kind in "iu"
    types = [x.dtype.kind for x in value.inputs if isinstance(x, Value)]
    if name in PLAIN:
        return name not in _FLOAT_ONLY or "f" in types
    return _function(name) is not None and "f" in types and not value.attrs


def operand_dtype(value: Value) -> np.dtype[Any]:
    """Return the type in which an elementwise operation, or a reduction, takes its inputs."""
    assert value.op is not None
    masked = value.op.name == "where"
    kinds = [x.dtype for x in value.inputs[masked:] if isinstance(x, Value) and not x.weak]
    found: np.dtype[Any] = np.result_type(*kinds) if len(kinds) > 1 else [*kinds, value.dtype][0]
    return found


def emit(code: Code, value: Value, operands: list[Any]) -> Any:
    """Return the result of an elementwise operation."""
    assert value.op is not None
    name = value.op.name
    if name == "cast":
        source = value.inputs[0]
        unsigned = isinstance(source, Value) and source.dtype.kind == "u"
        return code.cast(operands[0], element_type(value.dtype), unsigned)
    if name in _SAME:
        return operands[0]
    unsigned = name in UNSIGNED and operand_dtype(value).kind == "u"
    function = UNSIGNED[name] if unsigned else PLAIN.get(name) or _function(name)
    assert function is not None, name
    return function(code, *operands)


# How partial results of a reduction are combined.
COMBINE: dict[str, Emit] = {
    "sum": lambda code, a, c: code.add(a, c),
    "prod": lambda code, a, c: code.mul(a, c),
    "amax": lambda code, a, c: code.b.or_(a, c) if scalar_type(a) == I1 else code.maximum(a, c),
    "amin": lambda code, a, c: code.b.and_(a, c) if scalar_type(a) == I1 else code.minimum(a, c),
    "any": lambda code, a, c: code.b.or_(a, c),
    "all": lambda code, a, c: code.b.and_(a, c),
}


def combining(value: Value) -> Emit:
    """Return how two parts of a reduction are combined; of anything else that is summed in parts, added."""
    assert value.op is not None
    name = value.op.name
    return UNSIGNED[name] if name in UNSIGNED and value.dtype.kind == "u" else COMBINE.get(name, COMBINE["sum"])


def start_of(value: Value) -> Any:
    """Return the number that a reduction begins with."""
    assert value.op is not None
    name, kind = value.op.name, value.dtype.kind
    if name not in ("amax", "amin"):
        return {"sum": 0, "prod": 1, "any": 0, "all": 1}[name]
    if kind == "f":
        return float("-inf") if name == "amax" else float("inf")
    low, high = (0, 1) if kind == "b" else (np.iinfo(value.dtype).min, np.iinfo(value.dtype).max)
    return int(low if name == "amax" else high)
