"""Operations that read or write where an index says, and the index that does not exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fanin._core.errors import IndexRangeError, OperationError
from fanin.compiler.graph import Graph, Value, in_order

# Operations whose second input is an index, from 0 up to the size of one dimension.
_BY_ROW = frozenset({"embedding", "read_rows", "add_rows"})
_BY_ELEMENT = frozenset({"gather", "scatter_add_zeros"})
INDEXED = _BY_ROW | _BY_ELEMENT
# Operations that do nothing but look whether the elements of their only input exist.
LOOKING = frozenset({"class_counts", "within"})


class NoSuchElementError(OperationError, IndexRangeError):
    """An index out of range: RuntimeError where elements are gathered or scattered, IndexError in square brackets."""


def check(value: Value, inputs: Sequence[Any]) -> None:
    """Raise IndexError where the index of an operation on arrays is out of range: NumPy would count from the end."""
    place = _place(value)
    if place is None:
        return
    (dim, size), index = place, np.asarray(inputs[1])
    wrong = (index < 0) | (index >= size)
    if wrong.any():
        assert value.op is not None
        kind = IndexRangeError if value.op.name in _BY_ROW else NoSuchElementError
        raise kind(f"index {index[wrong].flat[0]} is out of bounds for dimension {dim} with size {size}")


def _place(value: Value) -> tuple[int, int] | None:
    """Return the dimension that an index counts along, and its size; None for an operation without an index."""
    assert value.op is not None
    name, attrs = value.op.name, value.attrs
    if name in _BY_ROW:
        return 0, attrs["rows"] if "rows" in attrs else value.inputs[0].shape[0]
    if name not in _BY_ELEMENT:
        return None
    shape = attrs["shape"] if "shape" in attrs else value.inputs[0].shape
    return (attrs["dim"], shape[attrs["dim"]]) if shape else None


def any_in(graph: Graph) -> bool:
    """Say whether there is an index in a graph that may be out of range."""
    return any(map(may_be_out_of_range, graph.values()))


def may_be_out_of_range(value: Value) -> bool:
    """Say whether an operation looks for an index that does not exist."""
    return value.op is not None and value.op.name in INDEXED | LOOKING


def named(error: Exception, graph: Graph, data: Sequence[Any], state: Sequence[Any]) -> Exception:
    """Return the error that says which index of a step does not exist; the one given where that is not seen any more.

    Native code notes only that there is one. Indices that depend on what the step has changed are not looked at.
    """
    from fanin.compiler.passes.lower import lower

    lowered = lower(graph)
    changed = {lowered.state[i] for i, _ in lowered.updates}
    for value in lowered.values():
        index = _index(value)
        behind = [] if index is None else in_order([index])
        if index is None or changed.intersection(behind) or any(v.weak for v in behind):
            continue
        try:
            _look(value, _computed(index, lowered, data, state))
        except (IndexRangeError, OperationError) as found:
            return found
    return error


def _index(value: Value) -> Value | None:
    """Return the index that an operation refuses when it is out of range."""
    if value.op is None:
        return None
    number = 0 if value.op.name in LOOKING else 1 if _place(value) is not None else -1
    found = value.inputs[number] if number >= 0 else None
    return found if isinstance(found, Value) else None


def _computed(index: Value, graph: Graph, data: Sequence[Any], state: Sequence[Any]) -> Any:
    from fanin.compiler import numpy_engine

    alone = replace(graph, outputs=(index,), updates=())
    return numpy_engine.run(alone, data, state, [0.0] * len(graph.scalars))[0][0]


def _look(value: Value, index: Any) -> None:
    assert value.op is not None
    if value.op.name in LOOKING:
        value.op.evaluate(index, **value.attrs)
    else:
        check(value, (None, index))
