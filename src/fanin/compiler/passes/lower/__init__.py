"""Composite operations rewritten into primitives: what the native engine has code for.

A rule writes an operation with simpler ones, as the record's evaluation does with NumPy: with the same shifts and
limits, so that single precision loses no more digits, and the same values at corners and ties.
"""

from __future__ import annotations

from fanin._core.errors import GraphError
from fanin.compiler.graph import Graph, Value
from fanin.compiler.passes.lower import (
    activations,
    elementwise,
    indexing,
    linear,
    losses,
    normalisation,
    reductions,
    shapes,
)
from fanin.compiler.passes.lower.rules import PRIMITIVES, RULES
from fanin.ops.index import is_basic

__all__ = ["PRIMITIVES", "RULES", "lower", "unsupported"]


def lower(graph: Graph) -> Graph:
    """Return the graph in primitives; what has no rule stays as it is (see `unsupported`)."""
    return graph.rewritten(_lowered)


def _lowered(value: Value) -> Value:
    if value.op is None or value.op.name not in RULES:
        return value
    new = RULES[value.op.name](*value.inputs, **value.attrs)
    if new is None or new.weak is not value.weak:
        return value
    assert isinstance(new, Value)
    if new.shape != value.shape or new.dtype != value.dtype:
        raise GraphError(f"the rule of {value.op.name} makes {new!r} of {value!r}")
    return new


def unsupported(graph: Graph) -> set[str]:
    """Return the names of the operations that are no primitives."""
    return {v.op.name for v in graph.values() if v.op is not None and not is_primitive(v)}


def is_primitive(value: Value) -> bool:
    """Say whether the native engine has code for an operation with these inputs and attributes."""
    assert value.op is not None
    name, attrs = value.op.name, value.attrs
    if name not in PRIMITIVES:
        return False
    if name == "matmul":
        return linear.is_plain_product(*value.inputs)
    if name in ("getitem", "put_zeros"):
        return is_basic(attrs["index"])
    return not (attrs.get("decimals") or attrs.get("by_frequency")) and attrs.get("padding_idx") is None
