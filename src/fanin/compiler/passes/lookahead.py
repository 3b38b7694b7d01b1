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

from fanin.compiler.graph import CONSTANT, COUNTED, Graph, Value, in_order
from fanin.compiler.passes.rows import MAPS
from fanin.compiler.passes.views import VIEWS, is_number

# Columns up to which the code, which is not a loop over them, is worth the time that it takes to compile.
WIDEST = 16


@dataclass(frozen=True)
class Linear:
    """What a step of a linear model is made of.

    order:   names the row.
    rows:    that it is taken from, (rows, columns).
    weight:  a state of as many elements as a row.
    bias:    a state of one element, or None.
    total:   the output for the row, p.
    factors: the numbers whose product is s, but for the sign.
    sign:    of s, 1 or -1.
    loss:    the one result of the step.
    """

    order: Value
    rows: Value
    weight: Value
    bias: Value | None
    total: Value
    factors: tuple[Any, ...]
    sign: int
    loss: Value

    @property
    def columns(self) -> int:
        """The elements of a row."""
        return self.weight.size

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

    def waits(self, x: Any) -> bool:
        """Say whether something depends on the output."""
        return isinstance(x, Value) and any(value is self.total for value in in_order([x]))


def bare(value: Any) -> Any:
    """Return what a value shows in another shape, all its elements in their order."""
    while isinstance(value, Value) and value.op is not None and value.op.name in VIEWS and not value.weak:
        source = value.inputs[0]
        if not isinstance(source, Value) or source.size != value.size or _reorders(value.op.name, source):
            break
        value = source
    return value


def _reorders(view: str, source: Value) -> bool:
    """Say whether a view may show elements in another order."""
    return (view == "flip" and source.size > 1) or (view == "permute" and max(source.shape, default=1) < source.size)


def is_column(value: Value, order: Value) -> bool:
    """Say whether a value is one number for each row of the data: the target, or its weight."""
    if value.op is None or value.op.name != "embedding" or value.inputs[1] is not order:
        return False
    return is_data(value.inputs[0]) and value.size == order.size


def linear(graph: Graph, has_code: Callable[[Value], bool]) -> Linear | None:
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
    made = Linear(graph.data[0], row.inputs[0], weight, bias, total, tuple(parts), added[0], graph.outputs[0])
    is_all = is_made_of_rows([made.loss, *made.factors], total, made.order, has_code)
    return made if is_all and any(map(made.waits, parts)) else None


def is_data(value: Any) -> bool:
    """Say whether a value is one of the arrays that rows are fetched from."""
    return isinstance(value, Value) and COUNTED in value.attrs


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


def _unrounded(value: Any) -> Any:
    """Return a value before changes of its precision."""
    value = bare(value)
    while isinstance(value, Value) and value.op is not None and value.op.name == "cast" and not is_number(value):
        if {value.dtype.kind, value.inputs[0].dtype.kind} != {"f"}:
            break
        value = bare(value.inputs[0])
    return value


def change_of(new: Value, state: Value) -> tuple[int, Any] | None:
    """Return what is added to a state (1), or taken from it (-1); None where it changes in another way."""
    new = _unrounded(new)
    if new.op is None or new.op.name not in ("add", "sub"):
        return None
    old, change = new.inputs
    if new.op.name == "add" and _unrounded(change) is state:
        old, change = change, old
    return (1 if new.op.name == "add" else -1, change) if _unrounded(old) is state else None


def factors_of(value: Any, row: Value | None, is_whole: Callable[[Value], bool] = lambda _: False) -> list[Any] | None:
    """Return the numbers that a row is multiplied by, or, without a row, that a product is made of.

    is_whole: says whether a value is a factor although it is no number.
    """
    found: list[Any] = []
    rows, open_ = 0, [value]
    while open_:
        value = _unrounded(open_.pop())
        if row is not None and value is row:
            rows += 1
        elif isinstance(value, Value) and value.op is not None and value.op.name == "mul" and not is_number(value):
            open_ += value.inputs
        elif isinstance(value, Value) and value.size != 1 and not is_whole(value):
            return None
        else:
            found.append(value)
    return found if rows == (row is not None) else None


def is_sum_of(value: Value, a: Value, c: Value) -> bool:
    """Say whether a value is the sum of two others, in whatever shape."""
    if value.op is None or value.op.name != "add":
        return False
    x, y = map(bare, value.inputs)
    return (x is a and y is c) or (x is c and y is a)


def is_made_of_rows(values: list[Value], total: Value, order: Value, has_code: Callable[[Value], bool]) -> bool:
    """Say whether values are made of the outputs, of numbers, and of columns of the data alone, row by row."""
    open_, seen = list(values), set()
    while open_:
        value = bare(open_.pop())
        if not isinstance(value, Value) or id(value) in seen or value is total:
            continue
        seen.add(id(value))
        if is_number(value) or is_column(value, order) or (value.role == CONSTANT and value.size == 1):
            continue
        is_map = value.op is not None and value.op.name in MAPS and value.size == total.size
        if not is_map or not has_code(value):
            return False
        open_ += value.inputs
    return True
