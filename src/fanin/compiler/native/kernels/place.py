"""Concatenation, and values placed among zeros: copies into parts of the result."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin.compiler.graph import Value
from fanin.compiler.native.frame import Frame
from fanin.compiler.native.loops.access import Access
from fanin.compiler.native.loops.nest import Nest
from fanin.compiler.passes.plan import COPY, ROWS, Group
from fanin.compiler.passes.views import Ref, dense, whole_index


def emit_place(frame: Frame, group: Group, count: int | None) -> None:
    """Copy the inputs of a concatenation, or one input among zeros, to where they belong."""
    value = group.members[0]
    assert value.op is not None
    if value.op.name == "put_zeros":
        emit_zeros(frame, group, count)
        _copy_into(frame, group, value, value.inputs[0], value.attrs["index"], count)
        return
    at, dim = 0, value.attrs["dim"]
    for x in value.inputs:
        if x.size:
            index = (slice(None),) * dim + (slice(at, at + x.shape[dim]),)
            _copy_into(frame, group, value, x, index, count)
            at += x.shape[dim]


def emit_zeros(frame: Frame, group: Group, count: int | None) -> None:
    """Write zeros over the part of a group's result that this call works on."""
    value = group.members[0]
    zero = Value(value.shape, value.dtype, op=COPY, inputs=(0,))
    _nest_into(frame, group, zero, Access(value, 0, dense(value.shape)), count)


def _copy_into(frame: Frame, group: Group, value: Value, x: Value, index: Any, count: int | None) -> None:
    phantom: Any = np.lib.stride_tricks.as_strided(np.zeros(1, np.int8), value.shape, dense(value.shape))
    part = phantom[whole_index(index)]
    shift = part.__array_interface__["data"][0] - phantom.__array_interface__["data"][0]
    strides = tuple(0 if n == 1 else s for s, n in zip(part.strides, part.shape, strict=True))
    copy = Value(part.shape, value.dtype, op=COPY, inputs=(x,))
    if part.shape != x.shape:
        frame.plan.refs[copy] = frame.plan.refs[x]
    _nest_into(frame, group, copy, Access(value, int(shift), strides), count)


def _nest_into(frame: Frame, group: Group, copy: Value, target: Access, count: int | None) -> None:
    part = Group("loops", group.level, copy.shape, group.on, [copy], stored={copy: None})
    frame.plan.refs.setdefault(copy, Ref(copy, 0, copy.shape, dense(copy.shape)))
    rows = group.on == ROWS and count is not None
    factor = copy.shape[0] // frame.plan.tiling.rows if rows else 1
    nest = PlacedNest(frame, part, (count or 0) * factor if rows else None, factor, target=target)
    nest.emit()


class PlacedNest(Nest):
    """A nest that stores its one result somewhere else than in memory of its own."""

    def __init__(self, frame: Frame, group: Group, part: int | None = None, factor: int = 1, *, target: Access) -> None:
        self.target = target
        super().__init__(frame, group, part, factor)

    def _collect(self) -> None:
        super()._collect()
        self.stores = {self.group.members[0]: self.target}
