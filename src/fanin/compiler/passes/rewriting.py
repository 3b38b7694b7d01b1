"""What the passes that simplify have in common: values in place of others, numbers among the inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fanin.compiler.graph import CONSTANT, Graph, Value, constant
from fanin.ops.op import Op

# Given a value whose inputs are simplified, returns it, or an equal one that is simpler.
Rewrite = Callable[[Value], Value]


def like(value: Value, op: Op, inputs: tuple[Any, ...], attrs: Mapping[str, Any] = {}) -> Value:
    """Return another operation that makes a value of the same shape and dtype."""
    return Value(value.shape, value.dtype, op=op, inputs=inputs, attrs=attrs, weak=value.weak)


def is_result_of(x: Any, name: str) -> bool:
    """Say whether x is the result of the operation with this name."""
    return isinstance(x, Value) and x.op is not None and x.op.name == name


def stands_for(x: Any, value: Value) -> bool:
    """Say whether x is a value of the same shape and dtype."""
    return isinstance(x, Value) and x.shape == value.shape and x.dtype == value.dtype and x.weak is value.weak


def number_of(x: Any) -> Any:
    """Return the number that x is: itself, or a constant's only element; None for anything else."""
    if isinstance(x, Value):
        return x.array.reshape(()).item() if x.role == CONSTANT and x.size == 1 else None
    return x if isinstance(x, (int, float)) else None


def with_number(x: Any, number: Any) -> Any:
    """Return another number of the same kind as x: a Python number, or a constant of its shape and dtype."""
    if isinstance(x, Value):
        return constant(np.full(x.shape, number, x.dtype))
    return number


def once(graph: Graph, rewrite: Rewrite) -> Graph:
    """Return the graph rewritten from the inputs to the roots; the same object where nothing changed."""
    changed = False

    def watched(value: Value) -> Value:
        nonlocal changed
        new = rewrite(value)
        changed = changed or new is not value
        return new

    result = graph.rewritten(watched)
    return result if changed else graph


def to_the_end(rewrite: Rewrite, value: Value, most: int = 8) -> Value:
    """Return the value rewritten until it stays as it is."""
    for _ in range(most):
        new = rewrite(value)
        if new is value:
            break
        value = new
    return value


def rewritten_beside(graph: Graph, rewrite: Callable[[Value, Value], Value]) -> Graph:
    """Like Graph.rewritten, for a function that is shown the old value, too."""
    olds = iter(graph.values())
    return graph.rewritten(lambda value: rewrite(value, next(olds)))
