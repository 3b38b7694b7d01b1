"""A product of one row and one column becomes a sum of products, which can be fused with what goes in."""

from __future__ import annotations

from typing import Any

from fanin.compiler.graph import Graph, Value
from fanin.ops.reduce import sum_
from fanin.ops.shape import reshape

LONGEST = 256


def without_tiny_products(graph: Graph) -> Graph:
    """Return the graph with products of 1 x K by K x 1 as sums, up to a K at which a micro-kernel is worth its call."""

    def rewrite(value: Value) -> Any:
        if value.op is None or value.op.name != "matmul" or value.shape != (1, 1):
            return value
        a, b = value.inputs
        inner = a.shape[-1]
        if a.ndim != 2 or b.ndim != 2 or not 0 < inner <= LONGEST:
            return value
        return sum_(a * reshape(b, (1, inner)), dim=(1,), keepdim=True)

    return graph.rewritten(rewrite)
