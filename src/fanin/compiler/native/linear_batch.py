"""Code for a step of a linear model in one walk over the rows of a batch; `passes/linear_batch.py` says why that does.

One lane of a vector stands for one row. Each column has a sum in every lane, and so has the bias; the lanes are added
up at the end. Rows that remain are taken together with some that have been there already, which then count nothing.
"""

from __future__ import annotations

from typing import Any

from fanin.compiler.native.frame import Frame
from fanin.compiler.native.lane_shuffles import spread, transposed
from fanin.compiler.native.lanes import WIDTH, Lanes, kept_loss
from fanin.compiler.native.vector import I1, I32, I64, POINTER, element_type, function
from fanin.compiler.passes.linear_batch import LinearBatch
from fanin.compiler.passes.plan import Plan


def emit_batch(module: Any, plan: Plan, layout: Any, isa: Any, model: LinearBatch) -> Any:
    """Write `batch(sources, numbers, step)`: a step; it says whether it was taken.

    Nothing is changed where a row does not exist, or the loss is not finite: the step as it is written kernel by kernel
    does what has to be done then.
    """
    made, code = function(module, "batch", [POINTER, POINTER, I64], isa, result=I1)
    made.attributes.add("alwaysinline")
    sources, numbers, step = made.args
    _Batch(Frame(code, plan, layout, sources, numbers, step, I64(0), I64(0), I1(1)), model).emit()
    return made


class _Batch:
    """Writes a step of a model, and has the sums that it goes along with."""

    def __init__(self, frame: Frame, model: LinearBatch) -> None:
        self.f, self.code, self.model = frame, frame.code, model
        self.kind = element_type(model.weight.dtype)
        none = self.code.const(0, self.kind, WIDTH)
        self._columns = [self.code.variable(none) for _ in range(model.columns)]
        self._errors, self._losses = self.code.variable(none), self.code.variable(none)

    def emit(self) -> None:
        """Write the step, and return from the function."""
        code, model = self.code, self.model
        count = model.order.size
        with code.loop(0, count, WIDTH, name="rows") as first:
            self._take(first, count)
        lanes = Lanes(self.f, model)
        total = code.cast(code.fold(code.get(self._losses), code.add), element_type(model.summed.dtype))
        loss = lanes.value(model.result, {model.summed: code.splat(total, WIDTH)})
        loss = spread(code, loss, 0, 1)
        difference = code.sub(loss, loss)
        with code.b.if_then(code.b.not_(code.compare("==", difference, code.like(0, difference))), likely=False):
            code.b.ret(I1(0))
        code.store(loss, self.f.pointer(kept_loss(self.f)))
        self._change(spread(code, lanes.product(model.rate, code.const(model.sign, self.kind, WIDTH)), 0, 1))
        code.b.ret(I1(1))

    def _take(self, at: Any, count: int) -> None:
        """Add rows to the sums, the last of them where fewer than WIDTH remain."""
        code, model = self.code, self.model
        first = code.lesser(at, I64(count - WIDTH)) if count % WIDTH else at
        lanes = Lanes(self.f, model, first)
        with code.b.if_then(code.b.not_(lanes.all_exist()), likely=False):
            code.b.ret(I1(0))
        columns = lanes.columns(lanes.rows())
        values = {model.total: lanes.totals(columns)}
        error, loss = (code.cast(lanes.value(x, values), self.kind) for x in (model.error, model.loss))
        if count % WIDTH:
            known = code.splat(code.b.trunc(code.b.sub(at, first), I32), WIDTH)
            new = code.compare(">=", code.lanes(I32, range(WIDTH)), known)
            error, loss = (code.select(new, x, code.like(0, x)) for x in (error, loss))
        for place, column in zip(self._columns, columns, strict=True):
            code.set(place, code.fma(error, column, code.get(place)))
        code.set(self._errors, code.add(code.get(self._errors), error))
        code.set(self._losses, code.add(code.get(self._losses), loss))

    def _change(self, rate: Any) -> None:
        """Change the weights and the bias by the sums."""
        code, model = self.code, self.model
        weight, sums = self.f.pointer(model.weight), [code.get(place) for place in self._columns]
        whole = len(sums) // WIDTH * WIDTH
        for at in range(0, whole, WIDTH):
            parts = transposed(code, sums[at : at + WIDTH])
            while len(parts) > 1:
                parts = [code.add(a, c) for a, c in zip(parts[::2], parts[1::2], strict=True)]
            place = code.at(weight, I64(at), self.kind)
            code.store(code.fma(code.splat(rate, WIDTH), parts[0], code.load(place, self.kind, WIDTH)), place)
        places = [(code.at(weight, I64(at), self.kind), sums[at]) for at in range(whole, len(sums))]
        if model.bias is not None:
            places.append((self.f.pointer(model.bias), code.get(self._errors)))
        for place, lanes in places:
            total = code.fold(lanes, code.add)
            code.store(code.fma(rate, total, code.load(place, self.kind)), place)
