"""Sums that go where an index says: the gradients of gathered elements and of embeddings."""

from __future__ import annotations

from typing import Any

from fanin.compiler.graph import Value
from fanin.compiler.native import elementwise
from fanin.compiler.native.frame import Frame
from fanin.compiler.native.kernels.place import PlacedNest, emit_zeros
from fanin.compiler.native.loops.access import Access
from fanin.compiler.native.loops.nest import fill
from fanin.compiler.native.loops.noting import checked
from fanin.compiler.native.vector import I64, element_type, width_of
from fanin.compiler.passes.plan import COPY, ROWS, SUM, Group
from fanin.compiler.passes.views import Ref, dense


class ScatterNest(PlacedNest):
    """A nest that adds each element to the place that an index names."""

    def _write(self, access: Access, place: list[Any], x: Any) -> None:
        if access.index is None:
            super()._write(access, place, x)
            return
        if access.index.strides[-1] == 0 and access.strides[-1] == 1:
            self._add(access, place, x)
            return
        for lane in range(width_of(x)):
            at = [*place[:-1], self.code.b.add(place[-1], I64(lane))]
            self._add(access, at, x if width_of(x) == 1 else self.code.b.extract_element(x, I64(lane)))

    def _add(self, access: Access, place: list[Any], x: Any) -> None:
        assert access.index is not None
        kind = element_type(access.base.dtype)
        index_kind = element_type(access.index.base.dtype)
        found = self.code.cast(self.code.load(self._at(access.index, place), index_kind), I64)
        row = self.code.b.mul(checked(self.f, found, access), I64(access.index_step))
        at = self.code.at(self._at(access, place), row, kind)
        self.code.store(elementwise.PLAIN["add"](self.code, self.code.load(at, kind, width_of(x)), x), at)


def emit_scatter(frame: Frame, group: Group, count: int | None) -> None:
    """Add the elements, or rows, of the first input to the places that the second one names."""
    value = group.members[0]
    assert value.op is not None
    refs = frame.plan.refs
    x, where = value.inputs[0], refs[value.inputs[1]]
    steps = dense(value.shape)
    if value.op.name == "add_rows":
        lead = len(where.shape)
        index = Access(where.base, where.offset, where.strides + (0,) * (x.ndim - lead))
        target = Access(value, 0, (0,) * lead + steps[1:], index, steps[0], value.shape[0])
    else:
        dim = value.attrs["dim"]
        index = Access(where.base, where.offset, where.strides)
        kept = tuple(0 if d == dim else s for d, s in enumerate(steps))
        target = Access(value, 0, kept, index, steps[dim], value.shape[dim])
    begin = frame.code.const(0, element_type(value.dtype))
    on_rows = group.on == ROWS and count is not None
    if on_rows:
        emit_zeros(frame, group, count)
    elif group.on == SUM:
        with frame.code.b.if_then(frame.first):
            fill(frame, value, begin)
    else:
        fill(frame, value, begin)
    copy = Value(x.shape, value.dtype, op=COPY, inputs=(x,))
    frame.plan.refs.setdefault(copy, Ref(copy, 0, copy.shape, dense(copy.shape)))
    part = Group("loops", group.level, copy.shape, group.on, [copy], stored={copy: None})
    by_rows = group.on in (ROWS, SUM) and count is not None
    factor = x.shape[0] // frame.plan.tiling.rows if by_rows else 1
    ScatterNest(frame, part, (count or 0) * factor if by_rows else None, factor, target=target).emit()
