"""Constant folding: what depends on no input is computed once, here.

A constant whose elements are all the same is held as one number that is spread (`expand`).
"""

from __future__ import annotations

import numpy as np

from fanin._core.errors import FaninError
from fanin._core.quiet import SILENT, begin_silence, end_silence
from fanin.compiler import numpy_engine
from fanin.compiler.graph import CONSTANT, Graph, Value, constant
from fanin.compiler.passes.rewriting import like, number_of, once, with_number
from fanin.ops.arithmetic import expand_op
from fanin.ops.shape import reshape

# Larger results are computed with each call: they would be stored with the code.
MOST_ELEMENTS = 4096
# A number spread stays one: loops read one number instead of an array.
_KEPT = frozenset({"expand", "random_keep"})


def fold_constants(graph: Graph) -> Graph:
    """Return the graph with everything computed that depends on constants alone."""
    return once(graph, fold)


def fold(value: Value) -> Value:
    """Return the constant that a value always is; the value itself where it is none, or too large to keep."""
    if value.op is None:
        return _as_one_number(value) if value.role == CONSTANT and value.size > 1 else value
    if value.op.name == "sum":
        return _sum_of_one_number(value)
    if value.weak or value.size > MOST_ELEMENTS or value.op.name in _KEPT:
        return value
    for x in value.inputs:
        if isinstance(x, Value) and x.role != CONSTANT:
            return value
    return _computed(value)


def _computed(value: Value) -> Value:
    token = begin_silence(SILENT)
    try:
        array = numpy_engine.evaluate(value, [x.array if isinstance(x, Value) else x for x in value.inputs])
    except FaninError:
        return value  # a division of integers by zero, say: it raises when it is run
    finally:
        end_silence(token)
    return constant(array) if (array.shape, array.dtype) == (value.shape, value.dtype) else value


def _as_one_number(value: Value) -> Value:
    """Return a constant array of equal elements as one number spread. The bits are compared: -0 is not 0."""
    bits = value.array.reshape(-1).view(f"V{value.dtype.itemsize}") if value.dtype.itemsize > 8 else _bits(value.array)
    if not (bits == bits[0]).all():
        return value
    first = constant(value.array.reshape(-1)[0])
    return Value(value.shape, value.dtype, op=expand_op, inputs=(first,), attrs={"shape": value.shape})


def _bits(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1).view(f"u{array.dtype.itemsize}")


def _sum_of_one_number(value: Value) -> Value:
    """Return the sum of a number that is spread: n times the number."""
    (x,) = value.inputs
    if x.op is None or x.op.name != "expand" or x.dtype != value.dtype or value.weak:
        return value if x.role != CONSTANT or value.size > MOST_ELEMENTS else _computed(value)
    number, n = number_of(x.inputs[0]), x.size // value.size if value.size else 0
    if number is None or value.dtype.kind not in "fi":
        return value
    total = number * n
    if value.dtype.kind == "i" and not -(2**63) <= total < 2**63:
        return value
    spread = with_number(reshape(x.inputs[0], ()), total)
    return like(value, expand_op, (spread,), {"shape": value.shape}) if value.shape else spread
