"""A captured step turned into one that fetches its own rows: many steps run without Python in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fanin.compiler.graph import COUNTED, DATA, STANDING, STATE, Graph, Value
from fanin.compiler.native.executable import Executable
from fanin.compiler.native.target import Isa
from fanin.ops.index import take_rows


def gathering(graph: Graph, rows: Sequence[int]) -> Graph:
    """Return the graph with every data leaf replaced by the rows, of a larger array, that an `order` names.

    rows: how many rows each of the arrays has. The order is the one data leaf of the result, the arrays are state,
    after that of the graph. The code is the same for any number of rows.
    """
    batch = next(leaf.shape[0] for leaf in graph.data if leaf.ndim)
    order = Value((batch,), np.int64, role=DATA, name="order")
    arrays, fetched = [], {}
    for leaf, count in zip(graph.data, rows, strict=True):
        whole = Value((count, *leaf.shape[1:]), leaf.dtype, role=STATE, name=leaf.name, attrs={COUNTED: True})
        arrays.append(whole)
        how = {"padding_idx": None, "by_frequency": False}
        fetched[leaf] = Value(leaf.shape, leaf.dtype, op=take_rows, inputs=(whole, order), attrs=how)
    changed = replace(graph, data=(order,), state=(*graph.state, *arrays))
    return _substituted(changed, fetched)


def standing(graph: Graph) -> Graph:
    """Return the graph with data leaves that are the same in every step: all rows at once, in the order they lie in."""
    return _substituted(
        graph,
        {leaf: Value(leaf.shape, leaf.dtype, role=DATA, name=leaf.name, attrs={STANDING: True}) for leaf in graph.data},
    )


def _substituted(graph: Graph, fetched: dict[Value, Value]) -> Graph:
    data = tuple(fetched.get(leaf, leaf) for leaf in graph.data)
    return replace(graph, data=data).rewritten(lambda value: fetched.get(value, value))


class Epochs:
    """Native code for many steps of one batch size.

    graph:   the captured step.
    arrays:  the data, (rows, ...) each, C-contiguous, in the order of the graph's data leaves.
    result:  the number of the output that is kept for every step: the loss.
    whole:   whether every step takes all rows, in the order they lie in: then none are fetched, and no order is needed.
    watched: whether a run ends at a step whose result is not finite.

    Attributes:
        copies: arrays for copies of the state, which whoever runs the epochs may leave for the next.
    """

    def __init__(
        self,
        graph: Graph,
        arrays: Sequence[Any],
        result: int,
        isa: Isa | None = None,
        *,
        whole: bool = False,
        watched: bool = True,
    ) -> None:
        self.batch = next(leaf.shape[0] for leaf in graph.data if leaf.ndim)
        self._own = len(graph.state)
        self.copies: list[Any] = []
        graph = replace(graph, outputs=(graph.outputs[result],))
        self.whole, self.watched = whole, watched
        program = standing(graph) if whole else gathering(graph, [len(array) for array in arrays])
        self.executable = Executable(program, isa, watched=0 if watched else None)
        self.bind_rows(arrays)

    def bind_rows(self, arrays: Sequence[Any]) -> None:
        """Let the data be these arrays, of as many rows as those before."""
        for i, array in enumerate(arrays):
            if self.whole:
                self.executable.bind("data", i, array)
            else:
                self.executable.bind("state", self._own + i, array)

    def bind_order(self, order: Any) -> None:
        """Let the rows of the next steps be those that an order names, int64, batch after batch, C-contiguous."""
        if not self.whole:
            self.executable.bind("data", 0, order)

    def run(self, order: Any, state: Sequence[Any], numbers: Any, threads: int | None = None) -> Any:
        """Take steps, and return the loss of each.

        order:   row numbers, int64, batch after batch, C-contiguous.
        state:   the arrays of the graph's state, C-contiguous; changed in place.
        numbers: (steps, n) float64, C-contiguous: the scalars of each step.
        """
        steps = len(order) // self.batch
        losses = np.empty((steps, *self.executable.graph.outputs[0].shape), self.executable.graph.outputs[0].dtype)
        self.bind_order(order)
        for i, array in enumerate(state):
            self.executable.bind("state", i, array)
        self.executable.bind("output", 0, losses)
        self.executable.run(numbers, steps, threads=threads)
        return losses
