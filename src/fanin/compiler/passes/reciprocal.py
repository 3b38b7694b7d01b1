"""A division by a number of the step becomes a product with its reciprocal.

Adam divides every element of a root by the same bias correction: a division takes ten times as long as a product. The
reciprocal is computed once, in double precision, so the result differs by one rounding.
"""

from __future__ import annotations

from fanin.compiler import graph as graphs
from fanin.compiler.graph import Graph, Value
from fanin.ops.arithmetic import multiply
from fanin.ops.elementwise import reciprocal


def with_reciprocals(graph: Graph) -> Graph:
    """Return the graph without divisions by numbers of the step."""
    made: dict[Value, Value] = {}

    def rewrite(value: Value) -> Value:
        if value.op is None or value.op.name != "div" or value.weak or value.dtype.kind != "f":
            return value
        x, number = value.inputs
        if not isinstance(x, Value) or not isinstance(number, Value) or not number.weak:
            return value
        if number not in made:
            made[number] = graphs.apply(reciprocal, (number,), {})
        return graphs.apply(multiply, (x, made[number]), {})

    return graph.rewritten(rewrite)
