"""The elementwise chain after a product, inside its micro-kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fanin.compiler.graph import Value
from fanin.compiler.native import elementwise
from fanin.compiler.native.frame import Frame, immediate, operand_type
from fanin.compiler.native.loops.access import Access, aligned
from fanin.compiler.native.product.kernel import Place
from fanin.compiler.native.vector import I64, Code, element_type, width_of
from fanin.compiler.passes.plan import Group
from fanin.compiler.passes.views import dense, is_number


@dataclass(frozen=True)
class Term:
    """One operand of an epilogue.

    kind:  "member" (a result before it, by number), "number" (what is always known), "slot" (a number in the context),
           or "load" (memory, with its pointer and row stride in the context).
    step:  its column stride. moves: whether its row stride is something else than 0.
    """

    kind: str
    what: Any
    element: str
    step: int = 0
    moves: bool = True


@dataclass(frozen=True)
class Line:
    """One operation of an epilogue. stored: where the pointer and the row stride of its memory stand, or None."""

    name: str
    dtype: str
    attrs: tuple[tuple[str, str], ...]
    terms: tuple[Term, ...]
    stored: int | None


class Epilogue:
    """The elementwise chain after a product, emitted for a register of neighbours in a row.

    It runs inside the micro-kernel's function, to which all pointers, strides and numbers it needs go as `context`.
    So layers with the same chain share one function: two epilogues are equal when their lines are. A result of one
    column is turned: it is seen as a row, so that its rows are neighbours.
    """

    def __init__(self, frame: Frame, group: Group) -> None:
        self.frame, self.members = frame, group.members
        self.refs = frame.plan.refs
        self.turned = group.members[0].shape[-1] == 1
        self.context: list[Any] = []
        self._slots: dict[Any, int] = {}
        self._position = {value: i for i, value in enumerate(group.members)}
        self.lines = tuple(self._line(value, group) for value in group.members)

    def __hash__(self) -> int:
        return hash(self.lines)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Epilogue) and self.lines == other.lines

    def _line(self, value: Value, group: Group) -> Line:
        assert value.op is not None
        terms = () if value is group.members[0] else tuple(
            self._term(value, i) for i, x in enumerate(value.inputs) if x is not None
        )  # fmt: skip
        stored = self._memory(self._seen(Access(value, 0, dense(value.shape)))) if value in group.stored else None
        attrs = tuple((key, repr(attr)) for key, attr in value.attrs.items())
        return Line(value.op.name, value.dtype.str, attrs, terms, stored)

    def _term(self, value: Value, i: int) -> Term:
        x = value.inputs[i]
        kind = operand_type(value, i)
        known = immediate(x)
        if known is not None:
            return Term("number", known, str(kind))
        if x in self._position:
            return Term("member", self._position[x], str(kind))
        if is_number(x):
            return Term("slot", self._slot(("number", x, str(kind)), lambda: [self.frame.scalar(x, kind)]), str(kind))
        access = self._seen(aligned(self.refs[x], value.shape))
        return Term("load", self._memory(access), access.base.dtype.str, access.strides[1], access.strides[0] != 0)

    def _seen(self, access: Access) -> Access:
        return Access(access.base, access.offset, access.strides[::-1]) if self.turned else access

    def _memory(self, access: Access) -> int:
        """Return where the pointer of an operand stands in the context; its row stride stands behind it."""

        def make() -> list[Any]:
            pointer = self.frame.pointer(access.base)
            kind = element_type(access.base.dtype)
            return [self.frame.code.at(pointer, I64(access.offset), kind), I64(access.strides[0])]

        return self._slot((access.base, access.offset, access.strides), make)

    def _slot(self, key: Any, make: Callable[[], list[Any]]) -> int:
        if key not in self._slots:
            self._slots[key] = len(self.context)
            self.context.extend(make())
        return self._slots[key]

    def __call__(self, code: Code, acc: Any, place: Place, context: Sequence[Any]) -> None:
        """Compute the chain for one register and store what leaves it."""
        found = [acc]
        width = width_of(acc)
        for value, line in zip(self.members, self.lines, strict=True):
            if value is not self.members[0]:
                operands = [
                    self._operand(code, value, i, term, found, place, context, width)
                    for i, term in enumerate(line.terms)
                ]
                found.append(elementwise.emit(code, value, operands))
        # At the end: a new state may lie where a later operation still reads the old one.
        for value, line, x in zip(self.members, self.lines, found, strict=True):
            if line.stored is not None:
                kind = element_type(value.dtype)
                code.store(x, _address(code, context, line.stored, (1, True), place, kind))

    def _operand(
        self, code: Code, value: Value, i: int, term: Term, found: list[Any], place: Place, context: Any, width: int
    ) -> Any:
        kind = operand_type(value, i)
        if term.kind == "number":
            return code.const(term.what, kind, width)
        if term.kind == "slot":
            return code.splat(context[term.what], width)
        if term.kind == "member":
            x = found[term.what]
        else:
            own = element_type(np.dtype(term.element))
            address = _address(code, context, term.what, (term.step, term.moves), place, own)
            x = _read(code, address, own, term.step, width)
        return x if value.op is not None and value.op.name == "cast" else code.cast(x, kind)


def _address(code: Code, context: Any, slot: int, strides: tuple[int, bool], place: Place, kind: Any) -> Any:
    """Return where an operand lies, whose column stride and whether it has a row stride are known here.

    Only the first row of a tile is found by multiplying; each other one is one addition behind the one before.
    """
    (step, moves), known = strides, place.known
    if (slot, 0) not in known:
        offset = code.b.mul(place.row, context[slot + 1]) if moves else I64(0)
        known[slot, 0] = code.at(context[slot], stepped_by(code, offset, place.column, step), kind)
    row = place.down if moves else 0
    for r in range(1, row + 1):
        if (slot, r) not in known:
            known[slot, r] = code.at(known[slot, r - 1], context[slot + 1], kind)
    return code.at(known[slot, row], I64(place.right * step), kind) if place.right else known[slot, row]


def _read(code: Code, address: Any, kind: Any, step: int, width: int) -> Any:
    if step == 0:
        return code.splat(code.load(address, kind), width)
    if step == 1 or width == 1:
        return code.load(address, kind, width)
    vector = code.const(0, kind, width)
    for lane in range(width):
        one = code.load(code.at(address, I64(lane * step), kind), kind)
        vector = code.b.insert_element(vector, one, I64(lane))
    return vector


def stepped_by(code: Code, offset: Any, i: Any, stride: int) -> Any:
    """Return offset + i * stride."""
    if not stride:
        return offset
    return code.b.add(offset, i if stride == 1 else code.b.mul(i, I64(stride)))
