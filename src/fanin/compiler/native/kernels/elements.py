"""Loops over the elements of a group, as one nest."""

from __future__ import annotations

from fanin.compiler.native.frame import Frame
from fanin.compiler.native.loops.columns import ColumnNest
from fanin.compiler.passes.plan import ROWS, SUM, Group


def emit_loops(frame: Frame, group: Group, count: int | None) -> None:
    """Write maps and reductions over the same extent."""
    if group.on in (ROWS, SUM) and count is not None:
        factor = group.extent[0] // frame.plan.tiling.rows
        ColumnNest(frame, group, count * factor, factor).emit()
    else:
        ColumnNest(frame, group, chunk=count).emit()
