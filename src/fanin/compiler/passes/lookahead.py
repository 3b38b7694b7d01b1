"""Steps of one row each of a model that is linear in its parameters: several of them can be taken together.

Such a step reads the weights that the step before it wrote, and so waits for all of it. But what it waits for is one
number. With p = x . w + b the model's output for row x, and s the number that an update is made of,

    w' = w + s x    b' = b + s,

the output for the row after next differs from what the old weights give by as much as the two rows have in common:

    p_k = x_k . w + b + sum over j < k of s_j (x_j . x_k + 1)

(without a bias, without the 1). All products here are of rows and old weights. What is left to be done in sequence is
how s_k follows from p_k, and one product. That is the look-ahead of recursive filters (Parhi and Messerschmitt,
Pipeline interleaving and parallelism in recursive digital filters, 1989), and the kernel form of least mean squares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fanin.compiler.graph import Graph, Value
from fanin.compiler.passes.linear import (
    WIDEST,
    LinearStep,
    bare,
    change_of,
    factors_of,
    is_data,
    is_made_of_rows,
    is_sum_of,
)


@dataclass(frozen=True)
class LinearRow(LinearStep):
    """What a step of a linear model is made of that takes one row.

    factors: the numbers whose product is s, but for the sign.
    loss:    the one result of the step.
    """

    factors: tuple[Any, ...]
    loss: Value

    @cached_property
    def rate(self) -> tuple[Any, ...]:
        """The factors that no step waits for."""
        return tuple(x for x in self.factors if not self.waits(x))

    @cached_property
    def errors(self) -> tuple[Any, ...]:
        """The factors that depend on the output."""
        return tuple(x for x in self.factors if self.waits(x))

    @cached_property
    def head(self) -> Value:
        """What is carried on from step to step: the output, or the one error that is its difference to a target."""
        (error, *others) = self.errors
        return error if not others and self._target_of(error) is not None else self.total

    @property
    def target(self) -> Any:
        """What the output less the head is."""
        return self._target_of(self.head)

    def _target_of(self, error: Value) -> Value | None:
        if error.op is None or error.op.name != "sub" or error.dtype != self.total.dtype:
            return None
        output, target = error.inputs
        fits = bare(output) is self.total and isinstance(target, Value) and not self.waits(target)
        return target if fits and target.dtype == error.dtype else None


def linear_row(graph: Graph, has_code: Callable[[Value], bool]) -> LinearRow | None:
    """Return what a step is made of, if it is one of a linear model that takes a single row; else None.

    Args:
        graph: of a step that fetches its row by number, simplified.
        has_code: whether an elementwise operation has native code.
    """
    if [leaf.shape for leaf in graph.data] != [(1,)] or [value.size for value in graph.outputs] != [1]:
        return None
    found = [pair for value in graph.values() if (pair := _product(value, graph))]
    if len(found) != 1 or len(graph.updates) not in (1, 2) or len(graph.scalars) > 1:
        return None
    dot, row, weight = found[0]
    changed = {graph.state[i]: change_of(new, graph.state[i]) for i, new in graph.updates}
    added = changed.pop(weight, None)
    parts = None if added is None else factors_of(added[1], row)
    if added is None or parts is None or not parts:
        return None
    bias, total = None, dot
    for bias, also in changed.items():
        alone = None if also is None or bias.dtype != weight.dtype else factors_of(also[1], None)
        if alone is None or also is None or also[0] != added[0] or Counter(alone) != Counter(parts):
            return None
        sums = [v for v in graph.values() if is_sum_of(v, dot, bias)]
        if len(sums) != 1:
            return None
        total = sums[0]
    made = LinearRow(graph.data[0], row.inputs[0], weight, bias, total, added[0], tuple(parts), graph.outputs[0])
    is_all = is_made_of_rows([made.loss, *made.factors], total, made.order, has_code)
    return made if is_all and any(map(made.waits, parts)) else None


def _product(value: Value, graph: Graph) -> tuple[Value, Value, Value] | None:
    """Return a product of the row and a state, if a value is that, with these two."""
    inner = value
    if value.op is not None and value.op.name == "sum" and value.size == 1:
        inner = bare(value.inputs[0])
    if inner.op is None or inner.op.name != "mul" or value.size != 1:
        return None
    for row, weight in (inner.inputs, inner.inputs[::-1]):
        row, weight = bare(row), bare(weight)
        if not isinstance(row, Value) or not isinstance(weight, Value) or row.op is None or row.op.name != "embedding":
            continue
        rows, order = row.inputs[:2]
        fits = row.size == weight.size == inner.size <= WIDEST and row.dtype == weight.dtype
        is_row = is_data(rows) and rows.ndim == 2 and order is graph.data[0] and fits and row.dtype.kind == "f"
        if is_row and any(weight is state for state in graph.state) and not is_data(weight):
            return value, row, weight
    return None
