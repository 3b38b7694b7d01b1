"""Code for some steps of a linear model at once; `passes/lookahead.py` says why that is possible.

One lane of a vector stands for one step. Lane k begins as the product of row k and the old weights, less the target
where the loss takes the difference. Then step after step adds its part to the lanes behind it. One lane spread over all
of them, and a fused multiply-add, are all that a step waits for, besides the derivative of its loss. The lanes are cut
in halves, as within four floats a lane is spread in one cycle, and within eight in four.
"""

from __future__ import annotations

from typing import Any

from fanin.compiler.native.frame import Frame
from fanin.compiler.native.lane_shuffles import all_set, mixed, spread
from fanin.compiler.native.lanes import HALF, WIDTH, Lanes, kept_loss
from fanin.compiler.native.vector import I1, I64, POINTER, element_type, function
from fanin.compiler.passes.lookahead import LinearRow
from fanin.compiler.passes.plan import Plan

# Steps that are taken together.
STEPS = WIDTH


def emit_steps(module: Any, plan: Plan, layout: Any, isa: Any, model: LinearRow) -> Any:
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

    def __init__(self, frame: Frame, model: LinearRow) -> None:
        self.f, self.code, self.model = frame, frame.code, model
        self.kind = element_type(model.weight.dtype)
        self.lanes = Lanes(frame, model)

    def emit(self) -> None:
        """Write the steps, and return from the function."""
        code, model, lanes = self.code, self.model, self.lanes
        with code.b.if_then(code.b.not_(lanes.all_exist()), likely=False):
            code.b.ret(I1(0))
        rows = lanes.rows()
        columns = lanes.columns(rows)
        rate = lanes.product(model.rate, code.const(model.sign, self.kind, STEPS))
        shares = [self._shares(columns, rows[k], rate, k) for k in range(STEPS - 1)]
        heads, changes = list(lanes.halves(lanes.value(model.head, {model.total: lanes.totals(columns)}))), []
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
        code.store(losses, self.f.pointer(kept_loss(self.f)))
        self._change(rows, changes)
        code.b.ret(I1(1))

    # Products -----------------------------------------------------------------------------------------------------

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

    def _all_finite(self, *vectors: Any) -> Any:
        code, found = self.code, None
        for vector in vectors:
            zero = code.cast(code.sub(vector, vector), self.kind)
            found = zero if found is None else code.add(found, zero)
        return all_set(code, code.compare("==", found, code.like(0, found)))

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
