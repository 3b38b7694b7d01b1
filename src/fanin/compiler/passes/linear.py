"""What steps of a model that is linear in its parameters have in common, and how such a step is recognised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fanin.compiler.graph import CONSTANT, COUNTED, Value, in_order
from fanin.compiler.passes.rows import MAPS
from fanin.compiler.passes.views import VIEWS, is_number

# Columns up to which the code, which is not a loop over them, is worth the time that it takes to compile.
WIDEST = 16


@dataclass(frozen=True)
class LinearStep:
    """What a step of a linear model is made of.

    order:  names the rows.
    rows:   that they are taken from, (rows, columns).
    weight: a state of as many elements as a row.
    bias:   a state of one element, or None.
    total:  the outputs for the rows, x . w + b.
    sign:   of what changes the weights, 1 or -1.
    """

    order: Value
    rows: Value
    weight: Value
    bias: Value | None
    total: Value
    sign: int

    @property
    def columns(self) -> int:
        """The elements of a row."""
        return self.weight.size

    @property
    def head(self) -> Value:
        """What the other values of a row are made of: its output."""
        return self.total

    @property
    def target(self) -> Any:
        """What the output less the head is: nothing."""
        return None

    def waits(self, x: Any) -> bool:
        """Say whether something depends on the outputs."""
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


def is_data(value: Any) -> bool:
    """Say whether a value is one of the arrays that rows are fetched from."""
    return isinstance(value, Value) and COUNTED in value.attrs


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
