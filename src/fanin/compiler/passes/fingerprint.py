"""A graph as a short text that is equal for equal graphs: what compiled code is kept under."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fanin.compiler.graph import COUNTED, STANDING, Graph, Value


def fingerprint(graph: Graph) -> str:
    """Return a digest of everything in a graph that its code depends on; names do not."""
    numbers: dict[Value, int] = {}
    digest = hashlib.sha256()
    for role, leaves in (("data", graph.data), ("state", graph.state), ("scalars", graph.scalars)):
        for leaf in leaves:
            numbers[leaf] = len(numbers)
            standing = " standing" if STANDING in leaf.attrs else ""
            digest.update(f"{role} {_type(leaf)}{standing}\n".encode())
    for value in graph.values():
        if value not in numbers:
            numbers[value] = len(numbers)
            digest.update(f"{_described(value, numbers)}\n".encode())
    digest.update(f"{[numbers[v] for v in graph.outputs]} {[(i, numbers[v]) for i, v in graph.updates]}".encode())
    return digest.hexdigest()


def _type(value: Value) -> str:
    # A single row has no stride.
    shape = f" counted{value.shape[1:]}" if COUNTED in value.attrs and value.shape[0] > 1 else str(value.shape)
    return f"{value.dtype.str}{shape}{'w' if value.weak else ''}"


def _described(value: Value, numbers: dict[Value, int]) -> str:
    if value.op is None:
        return f"{_type(value)} {value.role} {_plain(value.array)}"
    inputs = [f"%{numbers[x]}" if isinstance(x, Value) else _plain(x) for x in value.inputs]
    return f"{_type(value)} {value.op.name} {inputs} {_plain(value.attrs)}"


def _plain(x: Any) -> str:
    if isinstance(x, np.ndarray):
        return f"{x.dtype.str}{x.shape}{hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()}"
    if isinstance(x, Mapping):
        return str([(key, _plain(x[key])) for key in sorted(x)])
    if isinstance(x, (tuple, list)):
        return str([_plain(y) for y in x])
    return f"{type(x).__name__}:{x!r}"
