"""What a kernel knows: where its operands lie, this step's numbers, and which part of the work it is given.

Every kernel has the same arguments: `sources` (an array of pointers to memory from outside, the arena first), `numbers`
(this step's scalars), `step` (the number of the step, which selects its part of stacked data and outputs), `start` (the
first row, or element), `lane`, and `first` (whether sums begin anew).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fanin.compiler.graph import CONSTANT, SCALAR, Value
from fanin.compiler.native import elementwise
from fanin.compiler.native.abi import EXTRA
from fanin.compiler.native.memory import Layout, Place
from fanin.compiler.native.vector import ARENA, F64, I1, I8, I64, OUTSIDE, POINTER, Code, element_type, like_home
from fanin.compiler.passes.plan import Plan

ARGUMENTS = [POINTER, POINTER, I64, I64, I64, I1]


@dataclass(eq=False)
class Frame:
    """The arguments of a kernel, and what was derived from them so far.

    note: in which of the places for notes an index out of range is noted.
    unit: how many elements of a result there are for one that `start` counts: more where it counts rows.
    """

    code: Code
    plan: Plan
    layout: Layout
    sources: Any
    numbers: Any
    step: Any
    start: Any
    lane: Any
    first: Any
    note: int = field(default=0, init=False)
    unit: int = field(default=1, init=False)

    def __post_init__(self) -> None:
        self._pointers: dict[Any, Any] = {}
        self._scalars: dict[Any, Any] = {}
        self._rows: dict[Value, Any] = {}
        self._numbered = {x: i for i, x in enumerate(self.plan.graph.scalars)}

    def pointer(self, value: Value) -> Any:
        """Return the address of a value's first element (of the whole batch, for a value that has rows)."""
        return self.address(self.layout.places[value], value)

    def address(self, place: Place, value: Value) -> Any:
        """Return the address of a place."""
        key = (place, value.nbytes)
        if key not in self._pointers:
            with self.code.b.goto_entry_block():
                self._pointers[key] = self._address(place, value)
        return self._pointers[key]

    def _address(self, place: Place, value: Value) -> Any:
        b = self.code.b
        pointer = self.source(place.source)
        offset: Any = I64(place.offset)
        if place.stacked:
            offset = b.mul(self.step, I64(value.nbytes))
        if place.lane_bytes:
            offset = b.add(offset, b.mul(self.lane, I64(place.lane_bytes)))
        if place.local:
            offset = b.sub(offset, b.mul(self.start, I64(value.nbytes // self.plan.tiling.rows)))
        if place.part:
            offset = b.sub(offset, b.mul(self.start, I64(self.unit * value.itemsize)))
        return like_home(b.gep(pointer, [offset], source_etype=I8), pointer)

    def source(self, number: int, kind: Any = POINTER) -> Any:
        """Return an outside pointer by number."""
        b = self.code.b
        found = b.load(b.gep(self.sources, [I64(number)], source_etype=POINTER), typ=kind)
        found.home = OUTSIDE if number else ARENA
        return self.code.invariant(found)

    def rows(self, value: Value) -> Any:
        """Return how many rows a state has in this run."""
        if value not in self._rows:
            number = self.layout.sources[self.layout.places[value].source][1]
            with self.code.b.goto_entry_block():
                counts = self.source(len(self.layout.sources) + EXTRA.index("rows"))
                self._rows[value] = self.code.invariant(self.code.load(self.code.at(counts, I64(number), I64), I64))
        return self._rows[value]

    def scalar(self, x: Any, element: Any) -> Any:
        """Return a number of the step, or a Python number, as one element of a type."""
        if not isinstance(x, Value):
            return self.code.const(x, element)
        key = (x, str(element))
        if key not in self._scalars:
            with self.code.b.goto_entry_block():
                self._scalars[key] = self.code.cast(self._number(x), element)
        return self._scalars[key]

    def _number(self, x: Value) -> Any:
        """Return a number of the step in the type in which the host would compute it."""
        if x in self._scalars:
            return self._scalars[x]
        b = self.code.b
        if x.role == SCALAR:
            at = self._numbered[x]
            found = self.code.invariant(b.load(b.gep(self.numbers, [I64(at)], source_etype=F64), typ=F64))
        elif x.role == CONSTANT:
            found = self.code.const(x.array.reshape(()).item(), element_type(x.dtype))
        elif x.op is not None and x.op.name == "cast":
            # The number keeps the type of the host's arithmetic, but is rounded to the one that it is cast to.
            rounded = self.code.cast(self._number(x.inputs[0]), element_type(x.attrs["dtype"]))
            found = self.code.cast(rounded, element_type(x.dtype))
        else:
            found = elementwise.emit(self.code, x, [self._operand(i) for i in x.inputs])
        self._scalars[x] = found
        return found

    def _operand(self, x: Any) -> Any:
        return self._number(x) if isinstance(x, Value) else self.code.const(x, F64)


def immediate(x: Any) -> Any:
    """Return the number that an input always is; None when it is not known before the run."""
    if not isinstance(x, Value):
        return x
    return x.array.reshape(()).item() if x.role == CONSTANT and x.size == 1 else None


def operand_type(value: Value, index: int) -> Any:
    """Return the type in which an elementwise operation takes an input."""
    assert value.op is not None
    if value.op.name == "where" and index == 0:
        return I1
    return element_type(elementwise.operand_dtype(value))
