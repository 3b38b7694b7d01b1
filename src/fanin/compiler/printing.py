"""A graph as a few readable lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin.compiler.graph import CONSTANT, Graph, Value, short_dtype


def text(graph: Graph) -> str:
    """Return one line for each value, leaves first, and what is returned and replaced."""
    names = named(graph)
    lines = [f"{role} {', '.join(_leaf(v, names) for v in leaves)}" for role, leaves in _leaves(graph) if leaves]
    results = [value for value in graph.values() if value.op is not None]
    lines += [f"    {names[value]}: {_type(value)} = {call(value, names)}" for value in results]
    if graph.outputs:
        lines.append(f"return {', '.join(names[v] for v in graph.outputs)}")
    lines += [f"update {names[graph.state[i]]} <- {names[new]}" for i, new in graph.updates]
    return "\n".join(lines)


def _leaves(graph: Graph) -> tuple[tuple[str, tuple[Value, ...]], ...]:
    return ("data", graph.data), ("state", graph.state), ("scalars", graph.scalars)


def named(graph: Graph) -> dict[Value, str]:
    """Return a name for each value: that of a leaf where it has one, numbers for results."""
    names: dict[Value, str] = {}
    taken: set[str] = set()
    for role, leaves in _leaves(graph):
        for i, leaf in enumerate(leaves):
            name = leaf.name or f"{role[0]}{i}"
            names[leaf] = name if name not in taken else f"{name}.{i}"
            taken.add(names[leaf])
    count = 0
    for value in graph.values():
        if value in names:
            continue
        if value.role == CONSTANT and value.size == 1:
            names[value] = f"{value.array.reshape(()).item():g}"
        elif value.role == CONSTANT:
            names[value] = f"const{list(value.shape)}"
        else:
            names[value] = f"%{count}"
            count += 1
    return names


def _leaf(value: Value, names: dict[Value, str]) -> str:
    return f"{names[value]}: {_type(value)}"


def _type(value: Value) -> str:
    return f"{short_dtype(value.dtype)}[{', '.join(map(str, value.shape))}]"


def call(value: Value, names: dict[Value, str]) -> str:
    """Return a value as the call that makes it."""
    assert value.op is not None
    inputs = [names[x] if isinstance(x, Value) else _plain(x) for x in value.inputs]
    attrs = [f"{key}={_plain(attr)}" for key, attr in value.attrs.items()]
    return f"{value.op.name}({', '.join(inputs + attrs)})"


def _plain(x: Any) -> str:
    if isinstance(x, np.ndarray):
        return f"array{list(x.shape)}"
    if isinstance(x, np.dtype):
        return short_dtype(x)
    if isinstance(x, slice):
        return f"{'' if x.start is None else x.start}:{'' if x.stop is None else x.stop}"
    if isinstance(x, tuple):
        return f"({', '.join(map(_plain, x))})"
    return f"{x:g}" if isinstance(x, float) else str(x)
