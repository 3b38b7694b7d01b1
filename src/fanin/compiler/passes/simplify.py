"""All simplifications together, in one walk over the graph."""

from __future__ import annotations

from fanin.compiler.graph import Graph, Value, rebuilt
from fanin.compiler.passes.algebra import algebra
from fanin.compiler.passes.common import Merger
from fanin.compiler.passes.constants import fold
from fanin.compiler.passes.layouts import layout
from fanin.compiler.passes.rewriting import once

# One value takes a few steps. The bound is there for two rules that undo each other, which would be a mistake.
MOST_STEPS = 64


def simplify(graph: Graph) -> Graph:
    """Return a graph that computes the same with fewer operations; what nobody needs is gone.

    Every rule looks at an operation and its inputs alone. So one walk from the inputs to the roots is enough, if a
    value is rewritten until it stays as it is, and so are the values that a rule makes on the way.
    """
    return once(graph, Simplifier())


class Simplifier:
    """Returns for each value the simplest one that is the same; its inputs have to be simplified before."""

    def __init__(self) -> None:
        self._merge = Merger()
        self._final: dict[int, Value] = {}  # by identity, and kept alive for it

    def __call__(self, value: Value) -> Value:
        """Return the simplest value that is the same."""
        for _ in range(MOST_STEPS):
            value = self._on_final_inputs(value)
            new = algebra(layout(fold(value)))
            if new is value:
                break
            if id(new) in self._final:
                return new
            value = new
        value = self._merge(value)
        self._final[id(value)] = value
        return value

    def _on_final_inputs(self, value: Value) -> Value:
        """Simplify the inputs that a rule has just made."""
        final = self._final
        for x in value.inputs:
            if isinstance(x, Value) and id(x) not in final:
                return rebuilt(value, {x: self(x) for x in value.inputs if isinstance(x, Value)})
        return value
