"""Rows of a linear model side by side: a value that each row has is a vector, with one lane for each.

There are eight lanes on every machine: results do not depend on the width of its vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fanin.compiler.graph import CONSTANT, COUNTED, SCALAR, Value
from fanin.compiler.native import elementwise
from fanin.compiler.native.frame import Frame, immediate, operand_type
from fanin.compiler.native.lane_shuffles import SQUARE, all_set, gathered, mixed, transposed
from fanin.compiler.native.vector import F64, I64, element_type
from fanin.compiler.passes.linear import LinearStep, bare, is_column
from fanin.compiler.passes.lookahead import LinearRow
from fanin.compiler.passes.views import is_number

WIDTH = SQUARE
HALF = WIDTH // 2
# Sums that are added up side by side, as one waits for the other four times as long as it takes.
CHAINS = 2
_START = I64(0)


class Lanes:
    """Values that some rows have, one in each lane; or of one half of them.

    first: where in the order the first row is named.

    Attributes:
        numbers: of the rows.
    """

    def __init__(self, frame: Frame, model: LinearStep, first: Any = _START) -> None:
        self.f, self.code, self.model = frame, frame.code, model
        order = frame.pointer(model.order)
        self._order = self.code.at(order, first, I64)
        self.numbers = [self.code.load(self.code.at(self._order, I64(k), I64), I64) for k in range(WIDTH)]
        self._fixed: dict[Any, Any] = {}

    def all_exist(self) -> Any:
        """Say whether all rows exist, in all arrays."""
        code = self.code
        limits = [self.f.rows(leaf) for leaf in self.f.plan.graph.state if COUNTED in leaf.attrs]
        least = limits[0]
        for limit in limits[1:]:
            least = code.lesser(limit, least)
        numbers = code.load(self._order, I64, WIDTH)
        return all_set(code, code.compare("<", numbers, code.splat(least, WIDTH), unsigned=True))

    def rows(self) -> list[Any]:
        """Return the addresses of the rows."""
        start, n = self.f.pointer(self.model.rows), I64(self.model.columns)
        return [self.code.at(start, self.code.b.mul(number, n), self._kind) for number in self.numbers]

    def columns(self, rows: list[Any]) -> list[Any]:
        """Return for each column what the rows have there."""
        code, n, kind = self.code, self.model.columns, self._kind
        if n < WIDTH:
            return [gathered(code, [code.at(row, I64(c), kind) for row in rows], kind) for c in range(n)]
        found: list[Any] = []
        while len(found) < n:
            at = min(len(found), n - WIDTH)
            block = transposed(code, [code.load(code.at(row, I64(at), kind), kind, WIDTH) for row in rows])
            found += block[len(found) - at :]
        return found

    def totals(self, columns: list[Any]) -> Any:
        """Return the model's outputs for the rows: products with the weights as they are in memory."""
        code, model, kind = self.code, self.model, self._kind
        weight = self.f.pointer(model.weight)
        sums: list[Any] = [None] * min(CHAINS, len(columns))
        if model.bias is not None:
            sums[0] = code.splat(code.load(self.f.pointer(model.bias), kind), WIDTH)
        for c, column in enumerate(columns):
            number = code.splat(code.load(code.at(weight, I64(c), kind), kind), WIDTH)
            before = sums[c % len(sums)]
            sums[c % len(sums)] = code.mul(number, column) if before is None else code.fma(number, column, before)
        total = sums[0]
        for more in sums[1:]:
            total = code.add(total, more)
        return total

    @property
    def _kind(self) -> Any:
        return element_type(self.model.weight.dtype)

    def halves(self, vector: Any) -> tuple[Any, Any]:
        """Return the first lanes, and the last."""
        low, high = range(HALF), range(HALF, WIDTH)
        return mixed(self.code, vector, vector, low), mixed(self.code, vector, vector, high)

    def product(self, factors: Sequence[Any], found: Any = None, *, known: Any = None, half: int | None = None) -> Any:
        """Return a product, of `found` and more factors."""
        kind, known = self._kind, {} if known is None else known
        for x in factors:
            factor = self._operand(x, kind, known, half)
            found = factor if found is None else self.code.mul(found, factor)
        return found

    def value(self, value: Value, known: dict[Value, Any], half: int | None = None) -> Any:
        """Return a value; `known` holds what it is made of that follows from the output, and keeps more of that."""
        value = bare(value)
        if not self.model.waits(value):
            if value not in self._fixed:
                self._fixed[value] = self._number(value) if is_number(value) else self._computed(value, {}, None)
            found = self._fixed[value]
            return found if half is None else self.halves(found)[half]
        if value not in known:
            known[value] = self._computed(value, known, half)
        return known[value]

    def _operand(self, x: Any, kind: Any, known: dict[Value, Any], half: int | None) -> Any:
        number = immediate(x)
        if number is not None:
            return self.code.const(number, kind, WIDTH if half is None else HALF)
        return self.code.cast(self.value(x, known, half), kind, x.dtype.kind == "u")

    def _computed(self, value: Value, known: dict[Value, Any], half: int | None) -> Any:
        code = self.code
        if value is self.model.total:  # from what is carried on in its place
            return code.add(known[self.model.head], self.value(self.model.target, known, half))
        if is_column(value, self.model.order):
            kind, start = element_type(value.dtype), self.f.pointer(value.inputs[0])
            return gathered(code, [code.at(start, number, kind) for number in self.numbers], kind)
        if value.role == CONSTANT:
            return code.const(immediate(value), element_type(value.dtype), WIDTH)
        assert value.op is not None
        if value.op.name == "cast":
            return elementwise.emit(code, value, [self.value(value.inputs[0], known, half)])
        operands = [self._operand(x, operand_type(value, i), known, half) for i, x in enumerate(value.inputs)]
        return elementwise.emit(code, value, operands)

    def _number(self, x: Any) -> Any:
        """Return the numbers of the steps, in the type in which the host would compute them."""
        if not isinstance(x, Value):
            return self.code.const(x, F64, WIDTH)
        if x.role == CONSTANT:
            return self.code.const(immediate(x), element_type(x.dtype), WIDTH)
        if x.role == SCALAR:
            return self._number_of_step(x)
        if x.op is not None and x.op.name == "cast":
            rounded = self.code.cast(self._number(x.inputs[0]), element_type(x.attrs["dtype"]))
            return self.code.cast(rounded, element_type(x.dtype))
        return elementwise.emit(self.code, x, [self._number(i) for i in x.inputs])

    def _number_of_step(self, x: Value) -> Any:
        if isinstance(self.model, LinearRow):  # each lane is a step, and has but one
            return self.code.load(self.f.numbers, F64, WIDTH)
        return self.code.splat(self.f.scalar(x, F64), WIDTH)


def kept_loss(frame: Frame) -> Value:
    """Return the value that has the place of the one result, the loss."""
    homes = frame.plan.homes
    return next((value for value, home in homes.items() if home == ("output", 0)), frame.plan.graph.outputs[0])
