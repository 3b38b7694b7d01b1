"""Positions and class numbers that do not exist: native code notes that there was one, and the host says which.

The note is a number beside the arrays of a program, which the host looks at after a run. What is wrong is not read or
written: row 0 stands in, so that nothing outside of the arrays is touched.
"""

from __future__ import annotations

from typing import Any

from fanin.compiler.graph import COUNTED, Value
from fanin.compiler.native import ir
from fanin.compiler.native.frame import Frame
from fanin.compiler.native.loops.access import Access
from fanin.compiler.native.vector import I64, width_of


def checked(frame: Frame, position: Any, access: Access) -> Any:
    """Return a position if there is such a row, else 0; that there was none is noted for the host."""
    code = frame.code
    limit = frame.rows(access.base) if COUNTED in access.base.attrs else I64(access.index_limit)
    inside = code.b.icmp_unsigned("<", position, limit)
    _note_unless(frame, inside)
    return code.b.select(inside, position, I64(0))


def emit(frame: Frame, value: Value, positions: Any) -> Any:
    """Return the result of an operation that looks at all of its positions."""
    assert value.op is not None
    code = frame.code
    wide = code.cast(positions, I64, value.inputs[0].dtype.kind == "u")
    if value.op.name == "class_counts":
        return _class_counts(frame, wide, **value.attrs)
    _note_unless_all(frame, code.compare("<", wide, code.like(value.attrs["size"], wide), unsigned=True))
    return positions


def _class_counts(frame: Frame, target: Any, classes: int, ignore_index: int) -> Any:
    """Return which class numbers are not `ignore_index`; all others have to exist."""
    code = frame.code
    counts = code.compare("!=", target, code.like(ignore_index, target))
    # Negative numbers are large unsigned ones, so that one comparison sees both ends.
    exists = code.compare("<", target, code.like(classes, target), unsigned=True)
    _note_unless_all(frame, code.b.or_(exists, code.b.not_(counts)))
    return counts


def _note_unless_all(frame: Frame, right: Any) -> None:
    width = width_of(right)
    if width > 1:  # one bit of a number for each lane: an instruction on most machines
        bits = ir.IntType(width)
        right = frame.code.b.icmp_unsigned("==", frame.code.b.bitcast(right, bits), bits(2**width - 1))
    _note_unless(frame, right)


def _note_unless(frame: Frame, right: Any) -> None:
    with frame.code.b.if_then(frame.code.b.not_(right), likely=False):
        frame.code.store(I64(1), frame.code.at(frame.source(len(frame.layout.sources)), I64(frame.note), I64))
