"""A captured step turned into one that fetches its own rows: many steps run without Python in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fanin.compiler.graph import DATA, STATE, Graph, Value
from fanin.compiler.native.executable import Executable
from fanin.compiler.native.target import Isa
from fanin.ops.index import take_rows


def gathering(graph: Graph, rows: Sequence[int]) -> Graph:
    """Return the graph with every data leaf replaced by the rows, of a larger array, that an `order` names.

    rows: how many rows each of the arrays has. The order is the one data leaf of the result, the arrays are state,
    after that of the graph.
    """
    batch = next(leaf.shape[0] for leaf in graph.data if leaf.ndim)
    order = Value((batch,), np.int64, role=DATA, name="order")
    arrays, fetched = [], {}
    for leaf, count in zip(graph.data, rows, strict=True):
        whole = Value((count, *leaf.shape[1:]), leaf.dtype, role=STATE, name=leaf.name)
        arrays.append(whole)
        how = {"padding_idx": None, "by_frequency": False}
        fetched[leaf] = Value(leaf.shape, leaf.dtype, op=take_rows, inputs=(whole, order), attrs=how)
    changed = replace(graph, data=(order,), state=(*graph.state, *arrays))
    return _substituted(changed, fetched)


def _substituted(graph: Graph, fetched: dict[Value, Value]) -> Graph:
    return graph.rewritten(lambda value: fetched.get(value, value))


class Epochs:
    """Native code for many steps of one batch size.

    graph:  the captured step.
    arrays: the data, (rows, ...) each, C-contiguous, in the order of the graph's data leaves.
    result: the number of the output that is kept for every step: the loss.

    Attributes:
        copies: arrays for copies of the state, which whoever runs the epochs may leave for the next.
    """

    def __init__(self, graph: Graph, arrays: Sequence[Any], result: int, isa: Isa | None = None) -> None:
        self.batch = next(leaf.shape[0] for leaf in graph.data if leaf.ndim)
        self._own = len(graph.state)
        self.copies: list[Any] = []
        graph = replace(graph, outputs=(graph.outputs[result],))
        self.executable = Executable(gathering(graph, [len(array) for array in arrays]), isa)
        for i, array in enumerate(arrays):
            self.executable.bind("state", self._own + i, array)

    def run(self, order: Any, state: Sequence[Any], numbers: Any, threads: int | None = None) -> Any:
        """Take steps, and return the loss of each.

        order:   row numbers, int64, batch after batch, C-contiguous.
        state:   the arrays of the graph's state, C-contiguous; changed in place.
        numbers: (steps, n) float64, C-contiguous: the scalars of each step.
        """
        steps = len(order) // self.batch
        losses = np.empty((steps, *self.executable.graph.outputs[0].shape), self.executable.graph.outputs[0].dtype)
        self.executable.bind("data", 0, order)
        for i, array in enumerate(state):
            self.executable.bind("state", i, array)
        self.executable.bind("output", 0, losses)
        self.executable.run(numbers, steps, threads=threads)
        return losses
