"""A product of few columns that sums over many rows is turned: what was a part of a register fills whole ones.

The gradient of the weights of few features, dZ^T X of shape (outputs, features), becomes (X^T dZ)^T. A step of
4-32-16-4 with 10,000 rows takes 889 us instead of 925, on one core (Zen 3).
"""

from __future__ import annotations

from fanin.compiler.graph import Graph, Value
from fanin.compiler.passes.rewriting import is_result_of
from fanin.ops.linalg import matmul
from fanin.ops.shape import permute

# Columns that fill half of a register at most, and rows from which on it costs little that the result is read across.
NARROW, WIDE, MANY_ROWS = 4, 16, 512


def without_narrow_products(graph: Graph) -> Graph:
    """Return the graph with such products turned."""
    return graph.rewritten(lambda value: _turned(value) if _is_narrow(value) else value)


def _is_narrow(value: Value) -> bool:
    if value.op is None or value.op.name != "matmul" or value.ndim != 2:
        return False
    (outputs, features), (a, b) = value.shape, value.inputs
    turned = is_result_of(a, "permute") and a.ndim == 2
    return bool(turned and features <= NARROW and outputs >= WIDE and b.shape[0] >= MANY_ROWS)


def _turned(value: Value) -> Value:
    a, b = value.inputs
    product: Value = matmul(permute(b, dims=(1, 0)), a.inputs[0])
    result: Value = permute(product, dims=(1, 0))
    return result
