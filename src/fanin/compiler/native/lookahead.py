"""Code for some steps of a linear model at once; `passes/lookahead.py` says why that is possible.

One lane of a vector stands for one step. Lane k begins as the product of row k and the old weights, less the target
where the loss takes the difference. Then step after step adds its part to the lanes behind it. One lane spread over all
of them, and a fused multiply-add, are all that a step waits for, besides the derivative of its loss. The lanes are cut
in halves, as within four floats a lane is spread in one cycle, and within eight in four.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fanin.compiler.graph import CONSTANT, COUNTED, SCALAR, Value
from fanin.compiler.native import elementwise, ir
from fanin.compiler.native.frame import Frame, immediate, operand_type
from fanin.compiler.native.vector import F64, I1, I64, POINTER, Code, element_type, function
from fanin.compiler.passes.lookahead import Linear, bare, is_column
from fanin.compiler.passes.plan import Plan
from fanin.compiler.passes.views import is_number

# Steps that are taken together, on every machine: results do not depend on the width of its vectors.
STEPS = 8
HALF = STEPS // 2
# Sums that are added up side by side, as one waits for the other four times as long as it takes.
CHAINS = 2
_I32 = ir.IntType(32)


def emit_steps(module: Any, plan: Plan, layout: Any, isa: Any, model: Linear) -> Any:
    """Write `ahead(sources, numbers, step)`: STEPS steps from `step` on; it says whether they were taken.

    Nothing is changed where a row does not exist, or something is not finite: taken one by one, the steps before that
    are as they have to be, and whoever looks for what went wrong finds it where it is.
    """
    made, code = function(module, "ahead", [POINTER, POINTER, I64], isa, result=I1)
    made.attributes.add("alwaysinline")
    sources, numbers, step = made.args
    frame = Frame(code, plan, layout, sources, numbers, step, I64(0), I64(0), I1(1))
    _Steps(frame, model).emit()
    return made


class _Steps:
    """Writes steps of a model, `frame` being that of the first."""

    def __init__(self, frame: Frame, model: Linear) -> None:
        self.f, self.code, self.model = frame, frame.code, model
        self.kind = element_type(model.weight.dtype)
        self.lanes = _Lanes(frame, model)

    def emit(self) -> None:
        """Write the steps, and return from the function."""
        code, model, lanes = self.code, self.model, self.lanes
        with code.b.if_then(code.b.not_(self._all_exist()), likely=False):
            code.b.ret(I1(0))
        rows = self._rows()
        columns = self._columns(rows)
        rate = lanes.product(model.rate, code.const(model.sign, self.kind, STEPS))
        shares = [self._shares(columns, rows[k], rate, k) for k in range(STEPS - 1)]
        heads, changes = list(lanes.halves(self._heads(columns))), []
        for k in range(STEPS):
            half, lane = divmod(k, HALF)
            error = spread(code, lanes.product(model.errors, known={model.head: heads[half]}, half=half), lane, HALF)
            changes.append(code.mul(error, spread(code, rate, k, HALF)))
            for behind in range(half, 2) if k < STEPS - 1 else ():
                heads[behind] = code.fma(error, lanes.halves(shares[k])[behind], heads[behind])
        known = {model.head: mixed(code, heads[0], heads[1], range(STEPS))}
        losses = lanes.value(model.loss, known)
        found = known[model.head], losses, lanes.product((*model.rate, *model.errors), known=known)
        with code.b.if_then(code.b.not_(self._all_finite(*found)), likely=False):
            code.b.ret(I1(0))
        code.store(losses, self.f.pointer(self._kept_loss()))
        self._change(rows, changes)
        code.b.ret(I1(1))

    # Rows ---------------------------------------------------------------------------------------------------------

    def _all_exist(self) -> Any:
        """Say whether all rows exist, in all arrays."""
        code = self.code
        limits = [self.f.rows(leaf) for leaf in self.f.plan.graph.state if COUNTED in leaf.attrs]
        least = limits[0]
        for limit in limits[1:]:
            least = code.lesser(limit, least)
        numbers = code.load(self.f.pointer(self.model.order), I64, STEPS)
        return _all(code, code.compare("<", numbers, code.splat(least, STEPS), unsigned=True))

    def _rows(self) -> list[Any]:
        """Return the addresses of the rows."""
        start, n = self.f.pointer(self.model.rows), I64(self.model.columns)
        return [self.code.at(start, self.code.b.mul(number, n), self.kind) for number in self.lanes.numbers]

    def _columns(self, rows: list[Any]) -> list[Any]:
        """Return for each column what the rows have there, one in each lane."""
        code, n = self.code, self.model.columns
        columns: list[Any] = []
        while len(columns) + STEPS <= n:
            at = I64(len(columns))
            columns += transposed(code, [code.load(code.at(row, at, self.kind), self.kind, STEPS) for row in rows])
        for c in range(len(columns), n):
            columns.append(gathered(code, [code.at(row, I64(c), self.kind) for row in rows], self.kind))
        return columns

    # Products -----------------------------------------------------------------------------------------------------

    def _heads(self, columns: list[Any]) -> Any:
        """Return what is carried on from step to step as the weights give it which there are before the first."""
        code, model = self.code, self.model
        weight = self.f.pointer(model.weight)
        sums: list[Any] = [None] * min(CHAINS, len(columns))
        if model.bias is not None:
            sums[0] = code.splat(code.load(self.f.pointer(model.bias), self.kind), STEPS)
        for c, column in enumerate(columns):
            number = code.splat(code.load(code.at(weight, I64(c), self.kind), self.kind), STEPS)
            before = sums[c % len(sums)]
            sums[c % len(sums)] = code.mul(number, column) if before is None else code.fma(number, column, before)
        total = sums[0]
        for more in sums[1:]:
            total = code.add(total, more)
        return self.lanes.value(model.head, {model.total: total})

    def _shares(self, columns: list[Any], row: Any, rate: Any, k: int) -> Any:
        """Return how much of step k's error the steps behind it change by."""
        code = self.code
        common = None if self.model.bias is None else code.const(1, self.kind, STEPS)
        for c, column in enumerate(columns):
            number = code.splat(code.load(code.at(row, I64(c), self.kind), self.kind), STEPS)
            common = code.mul(number, column) if common is None else code.fma(number, column, common)
        behind = code.lanes(I1, [int(lane > k) for lane in range(STEPS)])
        return code.select(behind, code.mul(common, spread(code, rate, k, STEPS)), code.const(0, self.kind, STEPS))

    # The end ------------------------------------------------------------------------------------------------------

    def _kept_loss(self) -> Value:
        """Return the value that has the place of the loss."""
        homes = self.f.plan.homes
        return next((value for value, home in homes.items() if home == ("output", 0)), self.f.plan.graph.outputs[0])

    def _all_finite(self, *vectors: Any) -> Any:
        code, found = self.code, None
        for vector in vectors:
            zero = code.cast(code.sub(vector, vector), self.kind)
            found = zero if found is None else code.add(found, zero)
        return _all(code, code.compare("==", found, code.like(0, found)))

    def _change(self, rows: list[Any], changes: list[Any]) -> None:
        """Add to the weights and to the bias what the steps change them by, in their sequence."""
        code, model = self.code, self.model
        weight, at = self.f.pointer(model.weight), 0
        while at < model.columns:
            width = next(w for w in (8, 4, 2, 1) if w <= model.columns - at)
            place = code.at(weight, I64(at), self.kind)
            found = code.load(place, self.kind, width)
            for row, change in zip(rows, changes, strict=True):
                part = code.load(code.at(row, I64(at), self.kind), self.kind, width)
                found = code.fma(spread(code, change, 0, width), part, found)
            code.store(found, place)
            at += width
        if model.bias is not None:
            place = self.f.pointer(model.bias)
            found = code.load(place, self.kind)
            for change in changes:
                found = code.add(found, spread(code, change, 0, 1))
            code.store(found, place)


class _Lanes:
    """Values of all steps, one in each lane; or of one half of them.

    numbers: of the rows.
    """

    def __init__(self, frame: Frame, model: Linear) -> None:
        self.f, self.code, self.model = frame, frame.code, model
        order = frame.pointer(model.order)
        self.numbers = [self.code.load(self.code.at(order, I64(k), I64), I64) for k in range(STEPS)]
        self._fixed: dict[Any, Any] = {}

    def halves(self, vector: Any) -> tuple[Any, Any]:
        """Return the first lanes, and the last."""
        low, high = range(HALF), range(HALF, STEPS)
        return mixed(self.code, vector, vector, low), mixed(self.code, vector, vector, high)

    def product(self, factors: Sequence[Any], found: Any = None, *, known: Any = None, half: int | None = None) -> Any:
        """Return a product, of `found` and more factors."""
        kind, known = element_type(self.model.weight.dtype), {} if known is None else known
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
            return self.code.const(number, kind, STEPS if half is None else HALF)
        return self.code.cast(self.value(x, known, half), kind, x.dtype.kind == "u")

    def _computed(self, value: Value, known: dict[Value, Any], half: int | None) -> Any:
        code = self.code
        if value is self.model.total:  # from what is carried on in its place
            return code.add(known[self.model.head], self.value(self.model.target, known, half))
        if is_column(value, self.model.order):
            kind, start = element_type(value.dtype), self.f.pointer(value.inputs[0])
            return gathered(code, [code.at(start, number, kind) for number in self.numbers], kind)
        if value.role == CONSTANT:
            return code.const(immediate(value), element_type(value.dtype), STEPS)
        assert value.op is not None
        if value.op.name == "cast":
            return elementwise.emit(code, value, [self.value(value.inputs[0], known, half)])
        operands = [self._operand(x, operand_type(value, i), known, half) for i, x in enumerate(value.inputs)]
        return elementwise.emit(code, value, operands)

    def _number(self, x: Any) -> Any:
        """Return the numbers of the steps, in the type in which the host would compute them."""
        if not isinstance(x, Value):
            return self.code.const(x, F64, STEPS)
        if x.role == CONSTANT:
            return self.code.const(immediate(x), element_type(x.dtype), STEPS)
        if x.role == SCALAR:
            return self.code.load(self.f.numbers, F64, STEPS)  # the only one that a step has
        if x.op is not None and x.op.name == "cast":
            rounded = self.code.cast(self._number(x.inputs[0]), element_type(x.attrs["dtype"]))
            return self.code.cast(rounded, element_type(x.dtype))
        return elementwise.emit(self.code, x, [self._number(i) for i in x.inputs])


# Lanes ----------------------------------------------------------------------------------------------------------------


def mixed(code: Code, a: Any, c: Any, lanes: Iterable[int]) -> Any:
    """Return lanes of two vectors, which are counted through."""
    return code.b.shuffle_vector(a, c, code.lanes(_I32, lanes))


def spread(code: Code, vector: Any, lane: int, width: int) -> Any:
    """Return one lane `width` times."""
    return code.b.extract_element(vector, _I32(lane)) if width == 1 else mixed(code, vector, vector, (lane,) * width)


def gathered(code: Code, places: list[Any], kind: Any) -> Any:
    """Return what lies at these addresses, one in each lane."""
    vector: Any = ir.Constant(ir.VectorType(kind, len(places)), ir.Undefined)
    for k, place in enumerate(places):
        vector = code.b.insert_element(vector, code.load(place, kind), _I32(k))
    return vector


def transposed(code: Code, rows: list[Any]) -> list[Any]:
    """Return the columns of eight rows of eight: pairs, then fours, then halves change their places."""
    low, high = (0, 8, 1, 9, 4, 12, 5, 13), (2, 10, 3, 11, 6, 14, 7, 15)
    pairs = [mixed(code, rows[i], rows[i + 1], mask) for i in (0, 2, 4, 6) for mask in (low, high)]
    low, high = (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)
    fours = [mixed(code, pairs[i], pairs[i + 2], mask) for i in (0, 1, 4, 5) for mask in (low, high)]
    low, high = (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)
    return [mixed(code, fours[i], fours[i + 4], mask) for mask in (low, high) for i in range(4)]


def _all(code: Code, mask: Any) -> Any:
    """Say whether all lanes are set."""
    bits = ir.IntType(mask.type.count)
    return code.b.icmp_unsigned("==", code.b.bitcast(mask, bits), bits(2**mask.type.count - 1))
