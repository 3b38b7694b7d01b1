"""All simplifications together, until nothing changes."""

from __future__ import annotations

from fanin.compiler.graph import Graph, Value
from fanin.compiler.passes.algebra import algebra
from fanin.compiler.passes.common import Merger
from fanin.compiler.passes.constants import fold
from fanin.compiler.passes.layouts import layout
from fanin.compiler.passes.rewriting import once, to_the_end

# A walk leaves little to the next one: graphs of whole steps take two or three.
MOST_WALKS = 6


def simplify(graph: Graph) -> Graph:
    """Return a graph that computes the same with fewer operations; what nobody needs is gone.

    Each walk does everything to one value after the other, so that it sees its inputs already simplified.
    """
    for _ in range(MOST_WALKS):
        merger = Merger()
        simpler = once(graph, lambda value, merger=merger: merger(_simplest(value)))  # type: ignore[misc]
        if simpler is graph:
            break
        graph = simpler
    return graph


def _simplest(value: Value) -> Value:
    return to_the_end(_one_step, value)


def _one_step(value: Value) -> Value:
    return algebra(layout(fold(value)))
