"""Cheap maps are computed again where they are read, instead of being stored and fetched.

The derivative of ReLU asks whether its result was positive, that of tanh for 1 - y * y. The result y lies in memory
anyway, for the next product reads it; computing one or two instructions anew costs less than a pass through memory, and
masks are dear: packing eight bits into bytes takes longer than making them. (The forward product of a 128 x 128 layer
took 1.8 times as long when its epilogue stored the mask, too.)
"""

from __future__ import annotations

from fanin.compiler.graph import Graph, Value, in_order
from fanin.compiler.passes.views import is_number

CHEAP = frozenset("eq ne lt le gt ge logical_not neg add sub mul square".split())
LONGEST = 3


def recomputed(graph: Graph) -> tuple[Graph, frozenset[Value]]:
    """Return the graph in which every reader of a cheap map has a copy of its own, and those copies."""
    anchors = {x for v in graph.values() if v.op is not None and v.op.name == "matmul" for x in v.inputs[:2]}
    cheap: dict[Value, int] = {}
    for value in graph.values():
        length = _length(value, anchors, cheap)
        if length and length <= LONGEST:
            cheap[value] = length
    kept = set(graph.roots) | anchors
    copies: set[Value] = set()
    done: dict[Value, Value] = {}
    for value in graph.values():
        inputs = tuple(_copied(x, cheap, kept, done, copies) if isinstance(x, Value) else x for x in value.inputs)
        if all(a is b for a, b in zip(inputs, value.inputs, strict=True)):
            done[value] = value
        else:
            done[value] = Value(
                value.shape, value.dtype, op=value.op, inputs=inputs, attrs=value.attrs, weak=value.weak
            )
    roots = tuple(done[v] for v in graph.roots)
    count = len(graph.outputs)
    updates = tuple((i, new) for (i, _), new in zip(graph.updates, roots[count:], strict=True))
    changed = Graph(graph.data, graph.state, graph.scalars, roots[:count], updates, graph.names)
    alive = set(in_order(roots))
    return changed, frozenset(copies & alive)


def _length(value: Value, anchors: set[Value], cheap: dict[Value, int]) -> int:
    """Return how many cheap operations lead from one value in memory to this one; 0 when it is not made that way."""
    if value.op is None or value.op.name not in CHEAP or value.weak or value in anchors:
        return 0
    longest = 0
    for x in value.inputs:
        if not isinstance(x, Value) or is_number(x) or (x.op is None and x.size == 1 and x.array is not None):
            continue
        if x.shape != value.shape or not (x in anchors or x in cheap):
            return 0
        longest = max(longest, 1 + cheap.get(x, 0))
    return longest


def _copied(x: Value, cheap: dict[Value, int], kept: set[Value], done: dict[Value, Value], copies: set[Value]) -> Value:
    if x not in cheap or x in kept:
        return done[x]
    inputs = tuple(_copied(y, cheap, kept, done, copies) if isinstance(y, Value) else y for y in x.inputs)
    copy = Value(x.shape, x.dtype, op=x.op, inputs=inputs, attrs=x.attrs)
    copies.add(copy)
    return copy
