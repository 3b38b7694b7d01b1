"""The graph evaluated with NumPy, one operation after the other: the oracle of the native code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fanin._core.quiet import SILENT, begin_silence, end_silence
from fanin.compiler import positions
from fanin.compiler.graph import CONSTANT, Graph, Value


def run(
    graph: Graph, data: Sequence[Any], state: Sequence[Any], scalars: Sequence[float]
) -> tuple[list[Any], list[tuple[int, Any]]]:
    """Return the outputs, and for each state that changes its number and its new array. Nothing is written."""
    held: dict[Value, Any] = {}
    held.update(zip(graph.data, data, strict=True))
    held.update(zip(graph.state, state, strict=True))
    held.update(zip(graph.scalars, map(float, scalars), strict=True))
    token = begin_silence(SILENT)
    try:
        for value in graph.values():
            if value.op is not None:
                held[value] = evaluate(value, [held[x] if isinstance(x, Value) else x for x in value.inputs])
            elif value.role == CONSTANT:
                held[value] = value.array
    finally:
        end_silence(token)
    return [held[v] for v in graph.outputs], [(i, held[v]) for i, v in graph.updates]


def evaluate(value: Value, inputs: list[Any]) -> Any:
    """Return one value from those of its inputs; numbers of the host stay Python floats.

    Raises IndexError for an index out of range.
    """
    assert value.op is not None
    if value.op.name in positions.INDEXED:
        positions.check(value, inputs)
    if value.op.name == "cast" and isinstance(inputs[0], float):
        return np.asarray(inputs[0], value.attrs["dtype"])
    if value.weak:
        out = value.op.evaluate(*[np.asarray(x) if x is not None else None for x in inputs], **value.attrs)
        return float(out) if value.dtype.kind == "f" else np.asarray(out)
    out = value.op.evaluate(*inputs, **value.attrs)
    return out if out.__class__ is np.ndarray else np.asarray(out)
