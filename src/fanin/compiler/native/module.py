"""A plan as one LLVM module: a function for each kernel, one for a step, and the loop over steps.

All threads run the same program. A level of work on rows gives each thread some lanes; one of work on whole values
gives it parts of them; at a barrier the threads wait for each other. Who computes what changes no result, because parts
and lanes are cut by the plan.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from fanin.compiler.graph import Value
from fanin.compiler.native import ir
from fanin.compiler.native.abi import EARLY, ENTRY, EXTRA, LATE, STEP
from fanin.compiler.native.frame import ARGUMENTS, Frame
from fanin.compiler.native.helpers.barrier import emit_barrier
from fanin.compiler.native.helpers.quick import emit_quick
from fanin.compiler.native.ir.parts import parts_of as parts_of_module
from fanin.compiler.native.kernels import emit_group, pack_shape
from fanin.compiler.native.leaving import Exit, emit_exit, late_groups
from fanin.compiler.native.linear_batch import emit_batch
from fanin.compiler.native.lookahead import STEPS, emit_steps
from fanin.compiler.native.loops.nest import Nest
from fanin.compiler.native.memory import Layout
from fanin.compiler.native.product import Products
from fanin.compiler.native.sharing import Sharing
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import I1, I64, POINTER, Code, element_type, function
from fanin.compiler.native.wakes import Wake
from fanin.compiler.passes.linear_batch import LinearBatch
from fanin.compiler.passes.lookahead import LinearRow
from fanin.compiler.passes.plan import Group, Plan
from fanin.compiler.passes.products import parts_of, product_work

# Elements of an elementwise kernel that are worth a thread of their own, and of a part of one.
ELEMENTS_OF_A_PART = 8192
# A product's operations in the time of one on an element in memory.
FLOPS_OF_A_MOVE = 4
# A kernel of so few elements costs no more than its call.
ELEMENTS_INLINED = 32


class Builder:
    """Writes the module of a plan."""

    def __init__(
        self,
        plan: Plan,
        layout: Layout,
        isa: Isa,
        way_out: Exit | None = None,
        model: LinearRow | LinearBatch | None = None,
    ) -> None:
        self.plan, self.layout, self.isa, self.way_out, self.model = plan, layout, isa, way_out, model
        self.module = ir.Module("fanin")
        self.module.triple = isa.triple
        self.products = Products(self.module, isa)
        self.kernels: dict[tuple[int, int | None], Any] = {}
        self.hosted: list[Value] = []
        self.wakes = layout.wakes
        self._late = late_groups(plan, way_out)
        self._followed = {id(wake.loop): wake for wake in self.wakes.values()}

    def build(self) -> str:
        """Return the text of the module."""
        self._write()
        return str(self.module)

    def parts(self) -> list[str]:
        """Return the texts of one or more modules that are the program together."""
        self._write()
        return parts_of_module(self.module) if sys.platform == "linux" else [str(self.module)]

    def _write(self) -> None:
        emit_quick(self.module, self.plan.graph, self.layout, self.isa, self._entry(self._step()))

    @property
    def _is_single(self) -> bool:
        """Whether there is nothing to share: all is done by the first thread."""
        return len(self.plan.tiling.lanes) == 1

    # Kernels ------------------------------------------------------------------------------------------------------

    def kernel(self, group: Group, count: int | None) -> Any:
        """Return the function of a group for parts of a size."""
        key = (id(group), count)
        if key not in self.kernels:
            name = f"kernel{len(self.kernels)}.{group.kind}"
            made, code = function(self.module, name, ARGUMENTS, self.isa)
            if group.kind == "loops" and _size(group.extent) <= ELEMENTS_INLINED:
                made.attributes.add("alwaysinline")
            frame = Frame(code, self.plan, self.layout, *made.args)
            frame.note = LATE if id(group) in self._late else EARLY
            frame.unit = group.extent[-1] if group.kind == "product" else 1
            emit_group(frame, group, self.products, count)
            code.b.ret_void()
            self.kernels[key] = made
        return self.kernels[key]

    def _host(self, code: Code, group: Group, frame: Frame) -> None:
        """Write a call back to the host, which evaluates an operation that has no code with NumPy."""
        number = len(self.hosted)
        self.hosted.append(group.members[0])
        kind = ir.FunctionType(ir.VoidType(), [I64, I64]).as_pointer()
        call = frame.source(len(self.layout.sources) + EXTRA.index("host"), kind)
        code.b.call(call, [I64(number), frame.step])

    # The step -----------------------------------------------------------------------------------------------------

    def _step(self) -> Any:
        """Write `step(sources, numbers, step, thread, threads)`, which returns whether it was left before its end."""
        kinds = [POINTER, POINTER, I64, I64, I64]
        made, code = function(self.module, "step", kinds, self.isa, result=I1)
        sources, numbers, step, self.thread, self.threads = made.args
        frame = Frame(code, self.plan, self.layout, sources, numbers, step, I64(0), I64(0), I1(1))
        for level, groups in groupby(self.plan.groups, key=lambda g: g.level):
            if level % 2 == 0:
                self._rows(frame, list(groups))
            else:
                self._whole(frame, list(groups))
            self._wait(frame)
        code.b.ret(I1(0))
        return made

    def _look(self, frame: Frame, group: Group) -> bool:
        """Write the way out of the step, if this is the group before which it can be left; say whether there is one."""
        if self.way_out is None or group.number != self.way_out.before:
            return False
        if self.way_out.waits:
            self._wait(frame)
        emit_exit(frame, self.way_out)
        return True

    def _wait(self, frame: Frame) -> None:
        code = frame.code
        if self._is_single:
            return
        with code.b.if_then(code.b.icmp_signed(">", self.threads, I64(1))):
            emit_barrier(code, frame.source(len(self.layout.sources) + EXTRA.index("barrier")), self.threads)

    def _call(self, frame: Frame, group: Group, count: int | None, start: Any, lane: Any, first: Any) -> None:
        if group.kind == "host":
            self._host(frame.code, group, frame)
            return
        kernel = self.kernel(group, count)
        frame.code.b.call(kernel, [frame.sources, frame.numbers, frame.step, start, lane, first])

    def _rows(self, frame: Frame, groups: list[Group]) -> None:
        """Write a level of work on rows: each thread takes its lanes, block after block."""
        self._look(frame, groups[0])
        code, cut = frame.code, self.plan.tiling
        lanes = len(cut.lanes)
        low, high = self._share(code, lanes)
        each = cut.lanes[0][1]
        alike = lanes if cut.lanes[-1][1] == each else lanes - 1
        with code.loop(low, _least(code, high, alike), name="lane") as lane:
            self._blocks(frame, groups, each, code.b.mul(lane, I64(each)), lane)
        if alike < lanes:
            mine = code.b.and_(code.b.icmp_signed("<=", low, I64(alike)), code.b.icmp_signed(">", high, I64(alike)))
            with code.b.if_then(mine):
                self._blocks(frame, groups, cut.lanes[-1][1], I64(cut.lanes[-1][0]), I64(alike))

    def _share(self, code: Code, parts: int) -> tuple[Any, Any]:
        """Return the first part of this thread and that of the next."""
        if self._is_single:
            return I64(0), I64(parts)
        at = [
            code.b.sdiv(code.b.mul(t, I64(parts)), self.threads) for t in (self.thread, code.b.add(self.thread, I64(1)))
        ]
        return at[0], at[1]

    def _blocks(self, frame: Frame, groups: list[Group], rows: int, start: Any, lane: Any) -> None:
        code, size = frame.code, min(self.plan.tiling.block, rows)
        whole = rows // size
        if whole > 1:
            with code.loop(0, whole, name="block") as i:
                first = code.b.icmp_signed("==", i, I64(0))
                at = code.b.add(start, code.b.mul(i, I64(size)))
                for group in groups:
                    self._call(frame, group, size, at, lane, first)
        else:
            for group in groups:
                self._call(frame, group, size, start, lane, I1(1))
        if rows > whole * size:
            at = code.b.add(start, I64(whole * size))
            for group in groups:
                self._call(frame, group, rows - whole * size, at, lane, I1(0))

    def _whole(self, frame: Frame, groups: list[Group]) -> None:
        """Write a level of work on whole values, with a barrier before what another thread may have prepared."""
        sharing = Sharing(len(self.plan.tiling.lanes))
        for group in groups:
            if self._look(frame, group):
                sharing.meet()
            if id(group) in self._followed:
                continue
            wake = self.wakes.get(group.number)
            together = [group] if wake is None else [group, wake.loop]
            touched, parts = [self._touched(g) for g in together], list(self._parts(group))
            owner = None
            if len(parts) > 1:
                waits = sharing.share(touched)
            else:
                fixed = 0 if group.kind == "host" else None
                owner, waits = sharing.take(touched, sum(map(_work, together)), fixed)
            if waits:
                self._wait(frame)
            if len(parts) > 1 and wake is not None:
                self._with_wake(frame, group, wake)
                continue
            for number, (start, count) in enumerate(parts):
                with self._taken(frame.code, number, len(parts), owner):
                    if wake is None:
                        self._call(frame, group, count, I64(start), I64(0), I1(1))
                    else:
                        self._part(frame, group, wake, I64(0), group.extent[0])

    def _with_wake(self, frame: Frame, product: Group, wake: Wake) -> None:
        """Write a product and the loop that follows it, part by part."""
        code, total = frame.code, product.extent[0]
        whole, rest = divmod(total, wake.rows)
        low, high = self._share(code, whole + bool(rest))
        with code.loop(low, _least(code, high, whole), name="part") as part:
            self._part(frame, product, wake, code.b.mul(part, I64(wake.rows)), wake.rows)
        if rest:
            with code.b.if_then(code.b.icmp_signed(">", high, I64(whole))):
                self._part(frame, product, wake, I64(whole * wake.rows), rest)

    def _part(self, frame: Frame, product: Group, wake: Wake, first: Any, rows: int) -> None:
        """Write some rows of a product, and of the loop that follows it."""
        code, columns = frame.code, product.extent[1]
        self._call(frame, product, rows, first, self.thread, I1(1))
        self._call(frame, wake.loop, rows * columns, code.b.mul(first, I64(columns)), self.thread, I1(1))

    @contextmanager
    def _taken(self, code: Code, number: int, parts: int, owner: int | None) -> Iterator[None]:
        """Let one of the threads do what is written inside: a part of a group, or all that its owner does."""
        if self._is_single:
            yield
            return
        if owner is not None:
            number, parts = owner, len(self.plan.tiling.lanes)
        turn = code.b.sdiv(code.b.mul(I64(number), self.threads), I64(parts))
        with code.b.if_then(code.b.icmp_signed("==", turn, self.thread)):
            yield

    def _touched(self, group: Group) -> tuple[set[Any], set[Any]]:
        """Return the places that a group reads and those that it writes."""
        read = {self.plan.refs[x].base for v in group.members for x in v.inputs if isinstance(x, Value)}
        places = self.layout.places
        return {places[v] for v in read if v in places}, {places[v] for v in group.stored if v in places}

    def _parts(self, group: Group) -> Iterator[tuple[int, int | None]]:
        """Cut a group's work into parts that threads can do side by side."""
        lanes = len(self.plan.tiling.lanes)
        wake = self.wakes.get(group.number) or self._followed.get(id(group))
        if wake is not None:
            size = 1 if group.kind == "product" else group.extent[1]
            for start in range(0, group.extent[0], wake.rows):
                yield start * size, min(wake.rows, group.extent[0] - start) * size
            return
        if group.kind == "product" and len(group.extent) == 2:
            for start, count in parts_of(group.extent[0], product_work(group.members[0]), lanes):
                yield start, None if count == group.extent[0] else count
            return
        total = _size(group.extent)
        if group.kind == "pack":
            yield from self._panels(group, lanes if total >= 2 * ELEMENTS_OF_A_PART else 1)
            return
        if lanes == 1 or group.kind != "loops" or total < 2 * ELEMENTS_OF_A_PART or not self._is_flat(group):
            yield 0, None
            return
        step = -(-total // lanes // 16) * 16
        for start in range(0, total, step):
            yield start, min(step, total - start)

    def _panels(self, group: Group, lanes: int) -> Iterator[tuple[int, int | None]]:
        """Cut the packing of a factor between its panels."""
        panels = self.products.equal_panels(pack_shape(self.plan, group.members[0]))
        if lanes == 1 or panels < 2 * lanes:
            yield 0, None
            return
        step = -(-panels // lanes)
        for start in range(0, panels, step):
            yield start, min(step, panels - start)

    def _is_flat(self, group: Group) -> bool:
        """Say whether a group is one loop without sums."""
        frame = Frame(Code(ir.IRBuilder(), self.isa), self.plan, self.layout, *[None] * 6)
        nest = Nest(frame, group)
        return len(nest.sizes) == 1 and not nest.reductions

    # The loop over steps ------------------------------------------------------------------------------------------

    def _entry(self, step: Any) -> Any:
        """Write `run(context, thread, threads)`; context: sources, numbers, numbers of a step, first step, steps.

        It ends with the first step that was left before its end.
        """
        made, code = function(self.module, ENTRY, [POINTER, I64, I64], self.isa, internal=False)
        context, thread, threads = made.args
        if self._is_single:
            with code.b.if_then(code.b.icmp_signed("!=", thread, I64(0))):
                code.b.ret_void()
        sources, numbers = (code.load(code.at(context, I64(i), I64), I64) for i in (0, 1))
        sources, numbers = (code.b.inttoptr(p, POINTER) for p in (sources, numbers))
        each, begin, steps = (code.load(code.at(context, I64(i), I64), I64) for i in (2, 3, 4))
        end = code.b.add(begin, steps)

        def numbers_of(i: Any) -> Any:
            return code.at(numbers, code.b.mul(i, each), element_type("f8"))

        single = self._left_over(code, sources, numbers_of, begin, end)
        with single as (low, high), code.loop(low, high, name="step") as i:
            left = code.b.call(step, [sources, numbers_of(i), i, thread, threads])
            if self.way_out is not None:
                with code.b.if_then(left, likely=False):
                    notes = code.at(sources, I64(len(self.layout.sources) + EXTRA.index("notes")), I64)
                    notes = code.b.inttoptr(code.load(notes, I64), POINTER)
                    code.store(i, code.at(notes, I64(STEP), I64))
                    code.b.ret_void()
        code.b.ret_void()
        return made

    @contextmanager
    def _left_over(self, code: Code, sources: Any, numbers_of: Any, begin: Any, end: Any) -> Iterator[tuple[Any, Any]]:
        """Yield the steps that are taken kernel by kernel: all, or those that could not be taken as a whole."""
        if self.model is None:
            yield begin, end
            return
        if isinstance(self.model, LinearRow):
            size, ahead = STEPS, emit_steps(self.module, self.plan, self.layout, self.isa, self.model)
        else:
            size, ahead = 1, emit_batch(self.module, self.plan, self.layout, self.isa, self.model)
        with code.loop(begin, end, size, name="stretch") as first:
            last, low = code.b.add(first, I64(size)), code.variable(first)
            with code.b.if_then(code.b.icmp_signed("<=", last, end)):
                taken = code.b.call(ahead, [sources, numbers_of(first), first])
                code.set(low, code.b.select(taken, last, first))
            yield code.get(low), code.lesser(last, end)


def _least(code: Code, a: Any, n: int) -> Any:
    return code.b.select(code.b.icmp_signed("<", a, I64(n)), a, I64(n))


def _work(group: Group) -> float:
    """Return roughly how long a group takes, in operations on one element."""
    size = _size(group.extent)
    if group.kind == "product":
        return product_work(group.members[0]) / FLOPS_OF_A_MOVE + size
    return float(size * len(group.members))


def _size(shape: tuple[int, ...]) -> int:
    total = 1
    for n in shape:
        total *= n
    return total
