"""Compiled steps that nobody uses at the moment, for the next run of the same step on data of the same size.

A search for good settings, a cross-validation or an ensemble trains networks of one shape again and again: planning
their step and writing its code takes longer than many a run.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from fanin.compiler.graph import CONSTANT, Graph, Value
from fanin.compiler.native.epochs import Epochs
from fanin.compiler.passes.common import attrs_key, number_key

MOST = 8  # idle ones that are kept, each with the memory of its intermediate values
_MOST_BYTES = 1 << 16  # of a constant that is compared by its values
_GRAPHS = 32  # whose identities are remembered
_MOST_COPIED = 1 << 25  # bytes of the copies that idle ones keep: to make small ones anew costs more than to fill them


class Pool:
    """Idle epochs by what tells their graphs apart."""

    def __init__(self) -> None:
        self._idle: list[tuple[Hashable, Epochs]] = []
        self._identities: dict[int, tuple[Graph, Hashable]] = {}
        self.made = 0

    def take(self, graph: Graph, arrays: Sequence[Any], result: int, whole: bool, watched: bool) -> Epochs:
        """Return epochs of a graph on data, used ones where there are any; arguments as of `Epochs`."""
        key = (self._identity(graph), tuple(len(array) for array in arrays), result, whole, watched)
        for position, (other, epochs) in enumerate(self._idle):
            if key[0] is not None and key == other:
                del self._idle[position]
                epochs.bind_rows(arrays)
                return epochs
        self.made += 1
        return Epochs(graph, arrays, result, whole=whole, watched=watched)

    def give(self, graph: Graph, arrays: Sequence[Any], result: int, epochs: Epochs) -> None:
        """Take epochs back that are used no more."""
        key = (self._identity(graph), tuple(len(array) for array in arrays), result, epochs.whole, epochs.watched)
        if key[0] is None:
            return
        epochs.executable.let_go()
        if sum(copy.nbytes for copy in epochs.copies if copy is not None) > _MOST_COPIED:
            epochs.copies = []
        self._idle = [*self._idle, (key, epochs)][-MOST:]

    def _identity(self, graph: Graph) -> Hashable:
        """Return the identity of a graph; those of the graphs seen last are remembered, as each takes 5 ms."""
        if id(graph) not in self._identities:
            while len(self._identities) >= _GRAPHS:
                self._identities.pop(next(iter(self._identities)), None)
            self._identities[id(graph)] = graph, identity(graph)
        return self._identities[id(graph)][1]


def identity(graph: Graph) -> Hashable:
    """Return what two graphs share only when they compute the same; None where that cannot be said."""
    numbers: dict[Value, int] = {}
    listed: list[Hashable] = []
    for leaf in (*graph.data, *graph.state, *graph.scalars):
        numbers[leaf] = len(numbers)
        listed.append((leaf.role, leaf.shape, leaf.dtype.str, leaf.weak))
    for value in graph.values():
        if value in numbers:
            continue
        told = _told(value, numbers)
        if told is None:
            return None
        numbers[value] = len(numbers)
        listed.append(told)
    ends = ([numbers[v] for v in graph.outputs], [(i, numbers[v]) for i, v in graph.updates])
    return tuple(listed), repr(ends)


def _told(value: Value, numbers: dict[Value, int]) -> Hashable:
    if value.op is None:
        if value.role != CONSTANT or value.array.nbytes > _MOST_BYTES:
            return None
        return (CONSTANT, value.shape, value.dtype.str, value.weak, value.array.tobytes())
    attrs = attrs_key(value.attrs)
    if attrs is None:
        return None
    inputs = tuple(numbers[x] if isinstance(x, Value) else number_key(x) for x in value.inputs)
    return (value.op.name, inputs, attrs, value.shape, value.dtype.str, value.weak)


idle = Pool()
