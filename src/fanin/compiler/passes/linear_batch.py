"""Steps of a linear model that take a batch of rows: one walk over the rows is all that they need.

With e the derivative of the loss by the output x . w + b of a row, an update of plain gradient descent is

    w' = w - rate * (sum over the rows of e x)    b' = b - rate * (sum over the rows of e),

and e depends on the row and the old weights alone. So a row can be fetched, multiplied, compared with its target and
added to the sums before the next one is looked at; kernel by kernel, it is copied, read, and read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fanin.compiler.graph import CONSTANT, Graph, Value
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
from fanin.compiler.passes.views import is_number

# As many as there are lanes (native/lanes.py): the last rows are taken together with some before them.
LEAST_ROWS = 8


@dataclass(frozen=True)
class LinearBatch(LinearStep):
    """What a step of a linear model is made of that takes a batch.

    error:  what each row is multiplied by in the sum that changes the weights.
    rate:   the numbers that the sum is multiplied by, but for the sign.
    loss:   of each row.
    summed: the losses' sum.
    result: what is made of that: the one result of the step.
    """

    error: Value
    rate: tuple[Any, ...]
    loss: Value
    summed: Value
    result: Value


def linear_batch(graph: Graph, has_code: Callable[[Value], bool]) -> LinearBatch | None:
    """Return what a step is made of, if it is one of a linear model that takes a batch; else None.

    Args:
        graph: of a step that fetches its rows by number, simplified.
        has_code: whether an elementwise operation has native code.
    """
    if len(graph.data) != 1 or [value.size for value in graph.outputs] != [1] or len(graph.updates) not in (1, 2):
        return None
    order = graph.data[0]
    found = [match for value in graph.values() if (match := _product(value, graph))]
    summed = _sum_behind(graph.outputs[0])
    if len(order.shape) != 1 or order.size < LEAST_ROWS or len(found) != 1 or summed is None:
        return None
    dot, row, weight = found[0]
    changed = {graph.state[i]: change_of(new, graph.state[i]) for i, new in graph.updates}
    change = _change(changed.pop(weight, None), row)
    if change is None:
        return None
    sign, error, rate = change
    bias, total = None, dot
    for bias, added in changed.items():
        also = _change(added, None)
        if also is None or bias.dtype != weight.dtype or also[:2] != change[:2] or Counter(also[2]) != Counter(rate):
            return None
        totals = [value for value in graph.values() if is_sum_of(value, dot, bias)]
        if len(totals) != 1:
            return None
        total = totals[0]
    loss = summed.inputs[0]
    made = LinearBatch(order, row.inputs[0], weight, bias, total, sign, error, rate, loss, summed, graph.outputs[0])
    values = total, error, loss
    fit = all(x.size == order.size and x.dtype == weight.dtype and made.waits(x) for x in values)
    return made if fit and is_made_of_rows([loss, error], total, order, has_code) else None


def _product(value: Value, graph: Graph) -> tuple[Value, Value, Value] | None:
    """Return a product of the rows and a state, if a value is that, with these two."""
    if value.op is None or value.op.name != "matmul" or value.shape != (graph.data[0].size, 1):
        return None
    row, weight = value.inputs[0], bare(value.inputs[1])
    if row.op is None or row.op.name != "embedding" or row.ndim != 2 or row.inputs[1] is not graph.data[0]:
        return None
    fits = is_data(row.inputs[0]) and row.inputs[0].ndim == 2 and weight.size == row.shape[1] <= WIDEST
    is_state = any(weight is state for state in graph.state) and not is_data(weight)
    return (value, row, weight) if fits and is_state and row.dtype == weight.dtype and row.dtype.kind == "f" else None


def _change(added: tuple[int, Any] | None, row: Value | None) -> tuple[int, Value, tuple[Any, ...]] | None:
    """Return sign, error and rate of what is added to a state: a sum of rows, or, without these, one of errors."""
    if added is None:
        return None
    numbers = factors_of(added[1], None, lambda value: _error(value, row) is not None)
    sums = [x for x in numbers or () if _error(x, row) is not None]
    rate = tuple(x for x in numbers or () if _error(x, row) is None)
    error = _error(sums[0], row) if len(sums) == 1 else None
    return (added[0], error, rate) if error is not None and all(map(_is_number, rate)) else None


def _error(value: Any, row: Value | None) -> Value | None:
    """Return what is summed up, after its product with the rows if there are any; None for something else."""
    value = bare(value)
    if not isinstance(value, Value) or value.op is None:
        return None
    if row is None:
        error = bare(value.inputs[0]) if value.op.name == "sum" and value.size == 1 else None
    else:
        is_product = value.op.name == "matmul" and value.inputs[1] is row and value.shape == (1, row.shape[1])
        error = bare(value.inputs[0]) if is_product else None
    return error if isinstance(error, Value) and error.dtype == value.dtype else None


def _is_number(x: Any) -> bool:
    return not isinstance(x, Value) or is_number(x) or (x.role == CONSTANT and x.size == 1)


def _sum_behind(result: Any) -> Value | None:
    """Return the sum that a result is, but for numbers that it is multiplied or divided by."""
    value = bare(result)
    while isinstance(value, Value) and value.op is not None and value.op.name in ("mul", "div", "cast", "neg"):
        behind = [bare(x) for x in value.inputs if not _is_number(x)]
        if len(behind) != 1:
            return None
        value = behind[0]
    is_sum = isinstance(value, Value) and value.op is not None and value.op.name == "sum"
    return value if is_sum else None
