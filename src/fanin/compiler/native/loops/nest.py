"""Loops over the elements of a group: maps and reductions fused into one nest.

Dimensions that all operands step through evenly are merged, so most nests are one or two loops; the innermost goes by
whole registers, then by halves of one down to single elements. Sums over the innermost dimensions are kept in
registers, others are added up in memory. A group that reads its own row sums goes through each row several times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fanin.compiler.graph import Value
from fanin.compiler.native import elementwise
from fanin.compiler.native.frame import Frame, immediate, operand_type
from fanin.compiler.native.loops import noting
from fanin.compiler.native.loops.access import Access, Strides, aligned, gathered
from fanin.compiler.native.loops.widths import lanes_of
from fanin.compiler.native.vector import I8, I64, element_type, width_of
from fanin.compiler.passes.plan import GATHERS, ROWS, SUM, Group, passes_of
from fanin.compiler.passes.rows import NOTING, REDUCTIONS
from fanin.compiler.passes.views import dense, is_number


@dataclass
class Reduction:
    """One reduction of a nest.

    scope:   the number of loops around its running value.
    running: where that is kept, by its width.
    begun:   the widths at which something was added.
    """

    value: Value
    target: Access
    reduced: tuple[bool, ...]
    scope: int = 0
    running: dict[int, Any] = field(default_factory=dict)
    begun: set[int] = field(default_factory=set)


class Nest:
    """Emits one group for the part of its first dimension that a frame is given.

    part:   elements of the first dimension in one call, None for all of them.
    factor: how many elements of the first dimension one step of the frame's `start` is.
    chunk:  of a nest that is a single loop, the elements in one call; `start` counts elements then.
    """

    def __init__(
        self, frame: Frame, group: Group, part: int | None = None, factor: int = 1, chunk: int | None = None
    ) -> None:
        self.f, self.code, self.group = frame, frame.code, group
        self.refs = frame.plan.refs
        self.extent = group.extent
        self.loads: dict[tuple[Value, int], Access] = {}
        self.stores: dict[Value, Access] = {}
        self.reductions: dict[Value, Reduction] = {}
        self.drawn: dict[Value, Access] = {}
        self._collect()
        self.passes = passes_of(group, self.refs)
        self.part, self.factor = part or 0, factor
        self._merge(part, factor)
        if chunk is not None:
            self.sizes, self.has_start, self.start_factor = [chunk], True, 1
        self.memo: dict[Any, Any] = {}
        self._once = False  # whether what is written runs once in the innermost loop's place

    # What is read and written -------------------------------------------------------------------------------------

    def _collect(self) -> None:
        members = set(self.group.members)
        for value in self.group.members:
            assert value.op is not None
            if value.op.name in REDUCTIONS:
                self.reductions[value] = self._reduction(value)
            elif value in self.group.stored:
                self.stores[value] = Access(value, 0, dense(self.extent))
            if value.op.name in GATHERS:
                self.loads[value, 0] = gathered(value, self.refs)
                continue
            for i, x in enumerate(value.inputs):
                if isinstance(x, Value) and not is_number(x) and immediate(x) is None:
                    ref = self.refs[x]
                    if ref.base in members and (x is ref.base or ref.base in self.reductions):
                        continue
                    self.loads[value, i] = aligned(ref, self.extent)
            if value.op.name == "random_keep":
                self.drawn[value] = Access(value, 0, dense(self.extent))

    def _reduction(self, value: Value) -> Reduction:
        dims = value.attrs["dim"]
        reduced = tuple(d in dims for d in range(len(self.extent)))
        kept = dense(tuple(1 if r else n for n, r in zip(self.extent, reduced, strict=True)))
        return Reduction(value, Access(value, 0, kept), reduced)

    # Dimensions ---------------------------------------------------------------------------------------------------

    def _accesses(self) -> list[Access]:
        found = [*self.loads.values(), *self.stores.values(), *self.drawn.values()]
        found += [r.target for r in self.reductions.values()]
        return found + [a.index for a in found if a.index is not None]

    def _merge(self, part: int | None, factor: int) -> None:
        """Merge neighbouring dimensions that every operand steps through evenly."""
        extent = self.extent or (1,)
        if not self.extent:
            for access in self._accesses():
                access.strides = (0,)
            for r in self.reductions.values():
                r.reduced = (False,)
        sizes = [part if part is not None and d == 0 else n for d, n in enumerate(extent)]
        dims = [d for d, n in enumerate(extent) if n != 1 or (d == 0 and part is not None and extent[0] != 1)]
        dims = dims or [len(extent) - 1]
        runs: list[list[int]] = []
        for d in dims:
            if runs and self._even(runs[-1][-1], d, extent):
                runs[-1].append(d)
            else:
                runs.append([d])
        self.sizes = [_product(sizes[d] for d in run) for run in runs]
        self.has_start = part is not None and 0 in runs[0]
        self.start_factor = factor * _product(extent[d] for d in runs[0][1:]) if self.has_start else 1
        for access in self._accesses():
            access.strides = tuple(access.strides[run[-1]] for run in runs)
        for r in self.reductions.values():
            r.reduced = tuple(r.reduced[run[-1]] for run in runs)
            trailing = next((i for i, flag in enumerate(reversed(r.reduced)) if not flag), len(r.reduced))
            r.scope = len(r.reduced) - trailing
        kept = self.group.kept
        self.split = len(self.sizes) - 1 if kept is None else sum(1 for run in runs if run[-1] < kept)

    def _even(self, d: int, following: int, extent: tuple[int, ...]) -> bool:
        n = extent[following]
        if any(r.reduced[d] != r.reduced[following] for r in self.reductions.values()):
            return False
        return all(a.strides[d] == a.strides[following] * n for a in self._accesses())

    # Emission -----------------------------------------------------------------------------------------------------

    def emit(self) -> None:
        """Write the nest at the end of the current block."""
        self._prepare_sums()
        self._level(0, [], self.group.members)

    def _prepare_sums(self) -> None:
        """Let sums that are added up in memory begin with their first value, when this is the first part."""
        for r in self.reductions.values():
            if not self._in_memory(r):
                continue
            if self.has_start and self.f.plan.on[r.value] == ROWS:  # sums of these rows, which no other part adds to
                each = r.value.size // self.extent[0]
                first = self.code.b.mul(self.f.start, I64(self.factor * each))
                fill(self.f, r.value, self._begin(r), first, self.part * each)
                continue
            with self.code.b.if_then(self.f.first):
                fill(self.f, r.value, self._begin(r))

    def _in_memory(self, r: Reduction) -> bool:
        """Say whether a sum's outer dimensions are summed, too, so that parts of it meet in memory."""
        return any(r.reduced[: r.scope])

    def _begin(self, r: Reduction) -> Any:
        return self.code.const(elementwise.start_of(r.value), element_type(r.value.dtype))

    def _level(self, depth: int, place: list[Any], members: Sequence[Value]) -> None:
        """Write the loops from `depth` on; `place` holds the counters of those outside."""
        if depth == self.split and depth < len(self.sizes):
            for number in range(1 + max(self.passes[v] for v in members)):
                self._loops(depth, place, [v for v in members if self.passes[v] == number])
        else:
            self._loops(depth, place, members)

    def _loops(self, depth: int, place: list[Any], members: Sequence[Value]) -> None:
        here = set(members)
        opened = [r for v, r in self.reductions.items() if v in here and r.scope == depth]
        for r in opened:
            self._open(r)
        before = self.memo
        self.memo = dict(before)
        self._hoist(depth, place, members)
        if depth == len(self.sizes) - 1:
            self._innermost(place, members)
        else:
            with self.code.loop(self._low(depth), self._high(depth)) as i:
                self._level(depth + 1, [*place, i], members)
        self.memo = before
        for r in opened:
            self._close(r, place)

    def _low(self, depth: int) -> Any:
        if depth or not self.has_start:
            return I64(0)
        return self.code.b.mul(self.f.start, I64(self.start_factor))

    def _high(self, depth: int) -> Any:
        if depth or not self.has_start:
            return I64(self.sizes[depth])
        return self.code.b.add(self._low(0), I64(self.sizes[0]))

    def _innermost(self, place: list[Any], members: Sequence[Value]) -> None:
        depth = len(self.sizes) - 1
        low, count = self._low(depth), self.sizes[depth]
        width = self._width(members, count)
        at = 0
        while count - at > 0:
            steps = (count - at) // width
            if steps > 1:
                end = self.code.b.add(low, I64(at + steps * width))
                with self.code.loop(self.code.b.add(low, I64(at)), end, width) as i:
                    self._body([*place, i], members, width)
            elif steps:
                self._once = True
                self._body([*place, self.code.b.add(low, I64(at))], members, width)
                self._once = False
            at += steps * width
            width //= 2

    def _width(self, members: Sequence[Value], count: int, most: int = 4) -> int:
        """Return the lanes of a step over so many elements: `most` registers or fewer of the widest type in it."""
        sizes = [
            int(x.dtype.itemsize)
            for v in members
            for x in (v, *_operands(v))
            if isinstance(x, Value) and not is_number(x)
        ]
        wide = [n for n in sizes if n > 1] or [4]
        register = self.code.isa.vector_bytes // max(wide)
        return lanes_of(members, register, count, most)

    def _body(self, place: list[Any], members: Sequence[Value], width: int) -> None:
        outer = self.memo
        self.memo = dict(outer)
        finished: list[Value] = []
        for value in members:
            if value in self.reductions:
                self._add_up(self.reductions[value], self._input(value, 0, place, width), place)
            else:
                self.memo[value] = self._compute(value, place, width)
                if value in self.stores:
                    finished.append(value)
        # At the end: a new state may lie where a later operation still reads the old one.
        for value in finished:
            self._write(self.stores[value], place, self.memo[value])
        self.memo = outer

    # Values -------------------------------------------------------------------------------------------------------

    def _compute(self, value: Value, place: list[Any], width: int) -> Any:
        assert value.op is not None
        if value.op.name in GATHERS:
            return self._read(self.loads[value, 0], element_type(value.dtype), place, width)
        if value.op.name == "random_keep":
            return self._random(value, place, width)
        operands = [
            self._input(value, i, place, width) for i in range(len(value.inputs)) if value.inputs[i] is not None
        ]
        if value.op.name in NOTING:
            return noting.emit(self.f, value, operands[0])
        return elementwise.emit(self.code, value, operands)

    def _input(self, value: Value, i: int, place: list[Any], width: int) -> Any:
        assert value.op is not None
        x = value.inputs[i]
        kind = operand_type(value, i)
        known = immediate(x)
        if known is not None:
            return self.code.const(known, kind, width)
        if is_number(x):
            return self.code.splat(self.f.scalar(x, kind), width)
        if (value, i) in self.loads:
            own = element_type(x.dtype)
            read = self._read(self.loads[value, i], own, place, width)
            if value.op.name == "total":
                read = self._over_lanes(x, self.loads[value, i], read, place)
            return self._as(read, kind, value, width, x)
        base = self.refs[x].base
        if base in self.memo:
            return self._as(self.memo[base], kind, value, width, x)
        earlier = self._read(self.stores[base], element_type(base.dtype), place, width)  # of an earlier pass
        return self._as(earlier, kind, value, width, x)

    def _over_lanes(self, x: Value, access: Access, read: Any, place: list[Any]) -> Any:
        """Return what the first lane has made of a sum, combined with what the others have."""
        combine = elementwise.combining(x)
        home, kind = self.f.layout.places[x], element_type(x.dtype)
        first = self._at(access, place)
        for lane in range(1, home.lanes):
            at = self.code.at(first, I64(lane * home.lane_bytes), I8)
            read = combine(self.code, read, self.code.load(at, kind, width_of(read)))
        return read

    def _as(self, found: Any, kind: Any, value: Value, width: int, x: Value) -> Any:
        if width_of(found) != width:
            found = self.code.splat(found, width)
        assert value.op is not None
        return found if value.op.name == "cast" else self.code.cast(found, kind, x.dtype.kind == "u")

    def _random(self, value: Value, place: list[Any], width: int) -> Any:
        from fanin.compiler.native.random_keep import keep_mask

        key = self.f.pointer(self.refs[value.inputs[0]].base)
        seed = self.code.load(key, I64)
        # Every step of a run draws anew; between runs the host counts on.
        step = self.code.b.add(self.code.load(self.code.at(key, I64(1), I64), I64), self.f.step)
        aligned = self._keeps_fours(self.drawn[value])
        options = {"p_keep": value.attrs["p_keep"], "stream": value.attrs["stream"], "aligned": aligned}

        def draw(where: list[Any], lanes: int) -> Any:
            return keep_mask(self.code, seed, step, self._offset(self.drawn[value], where), lanes, **options)

        if self.drawn[value].strides[-1] == 1 and width % 4 == 0:
            return draw(place, width)
        return draw(place, 1) if width == 1 else self._lane_by_lane(lambda at: draw(at, 1), place, width)

    def _keeps_fours(self, access: Access) -> bool:
        """Say whether steps of several lanes begin at a multiple of four elements, wherever the frame starts."""
        starts_anywhere = self.has_start and len(self.sizes) == 1 and self.start_factor % 4
        return not starts_anywhere and all(stride % 4 == 0 for stride in (access.offset, *access.strides[:-1]))

    def _hoist(self, depth: int, place: list[Any], members: Sequence[Value]) -> None:
        """Read what does not change in the loops from here on."""
        here = set(members)
        for (value, _), access in self.loads.items():
            if value in here and access.index is None and _depth(access.strides) == depth and access.strides[-1] == 0:
                kind = element_type(access.base.dtype)
                key = (access.base, access.offset, access.strides)
                if key not in self.memo:
                    self.memo[key] = self.code.load(self._at(access, place), kind)
            index = access.index
            if value in here and index is not None and _depth(index.strides) == depth and index.strides[-1] == 0:
                self.memo["row", id(access)] = self._row(access, place)

    # Memory -------------------------------------------------------------------------------------------------------

    def _offset(self, access: Access, place: list[Any]) -> Any:
        total = I64(access.offset)
        for i, stride in zip(place, access.strides, strict=False):
            if stride:
                total = self.code.b.add(total, self.code.b.mul(i, I64(stride)) if stride != 1 else i)
        return total

    def _at(self, access: Access, place: list[Any]) -> Any:
        return self.code.at(self.f.pointer(access.base), self._offset(access, place), element_type(access.base.dtype))

    def _read(self, access: Access, kind: Any, place: list[Any], width: int) -> Any:
        if access.index is not None:
            return self._read_indexed(access, kind, place, width)
        if access.strides[-1] == 0:
            key = (access.base, access.offset, access.strides)
            single = self.memo.get(key)
            return self.code.splat(self.code.load(self._at(access, place), kind) if single is None else single, width)
        if access.strides[-1] == 1 or width == 1:
            return self.code.load(self._at(access, place), kind, width)
        return self._lane_by_lane(lambda at: self.code.load(self._at(access, at), kind), place, width)

    def _read_indexed(self, access: Access, kind: Any, place: list[Any], width: int) -> Any:
        assert access.index is not None
        if access.index.strides[-1] == 0 and access.strides[-1] in (0, 1):
            at = self._at(access, place)
            row = self.memo.get(("row", id(access)))
            found = self.code.at(at, self._row(access, place) if row is None else row, kind)
            if access.strides[-1] == 1:
                return self.code.load(found, kind, width)
            return self.code.splat(self.code.load(found, kind), width)

        def one(where: list[Any]) -> Any:
            row = self.code.b.mul(self._position(access, where), I64(access.index_step))
            return self.code.load(self.code.at(self._at(access, where), row, kind), kind)

        return one(place) if width == 1 else self._lane_by_lane(one, place, width)

    def _row(self, access: Access, place: list[Any]) -> Any:
        """Return the offset of the row that an index names."""
        return self.code.b.mul(self._position(access, place), I64(access.index_step))

    def _position(self, access: Access, place: list[Any]) -> Any:
        """Return which row is read; one that does not exist is noted, and row 0 read in its place."""
        assert access.index is not None
        kind = element_type(access.index.base.dtype)
        found = self.code.cast(self.code.load(self._at(access.index, place), kind), I64)
        return noting.checked(self.f, found, access)

    def _lane_by_lane(self, one: Callable[[list[Any]], Any], place: list[Any], width: int) -> Any:
        """Return a vector whose lanes are read one after the other."""
        vector = None
        for lane in range(width):
            x = one([*place[:-1], self.code.b.add(place[-1], I64(lane))])
            if vector is None:
                vector = self.code.const(0, x.type, width)
            vector = self.code.b.insert_element(vector, x, I64(lane))
        return vector

    def _write(self, access: Access, place: list[Any], x: Any) -> None:
        width = width_of(x)
        if access.strides[-1] == 1 or width == 1:
            self.code.store(x, self._at(access, place))
            return
        for lane in range(width):
            at = [*place[:-1], self.code.b.add(place[-1], I64(lane))]
            self.code.store(self.code.b.extract_element(x, I64(lane)), self._at(access, at))

    # Reductions ---------------------------------------------------------------------------------------------------

    def _combine(self, r: Reduction) -> Callable[[Any, Any], Any]:
        combine = elementwise.combining(r.value)
        return lambda a, c: combine(self.code, a, c)

    def _open(self, r: Reduction) -> None:
        r.running, r.begun = {}, set()
        if r.scope < len(self.sizes):
            start = self._begin(r)
            for width in {1, self._width([r.value], 0)}:
                wide = self.code.const(start.constant, start.type, width)
                r.running[width] = self.code.variable(wide)
                self.code.set(r.running[width], wide)

    def _add_up(self, r: Reduction, x: Any, place: list[Any]) -> None:
        combine, width = self._combine(r), width_of(x)
        x = self.code.cast(x, element_type(r.value.dtype))
        if r.scope == len(self.sizes):
            if self._in_memory(r):
                self._meet(r, x, place)
            else:  # nothing is summed
                self._write(r.target, place, x)
                self.memo[r.value] = x
            return
        if width not in r.running:
            x, width = self.code.fold(x, combine), 1
        is_first = self._once and r.scope == len(self.sizes) - 1 and width not in r.begun
        self.code.set(r.running[width], x if is_first else combine(self.code.get(r.running[width]), x))
        r.begun.add(width)

    def _meet(self, r: Reduction, x: Any, place: list[Any]) -> None:
        """Combine a part with what memory holds."""
        held = self._read(r.target, element_type(r.value.dtype), place, width_of(x))
        self._write(r.target, place, self._combine(r)(held, x))

    def _close(self, r: Reduction, place: list[Any]) -> None:
        if r.scope == len(self.sizes):
            return
        combine = self._combine(r)
        parts = [self.code.fold(self.code.get(v), combine) for width, v in r.running.items() if width in r.begun]
        total = parts[0] if len(parts) == 1 else combine(*parts)
        full = [*place, *[I64(0)] * (len(self.sizes) - len(place))]
        if self._in_memory(r):
            self._meet(r, total, full)
        elif self.f.plan.on[r.value] == SUM and r.scope == 0:
            self._begin_or_meet(r, total, full)
        else:
            if r.value in self.group.stored:
                self._write(r.target, full, total)
            self.memo[r.value] = total

    def _begin_or_meet(self, r: Reduction, total: Any, place: list[Any]) -> None:
        with self.code.b.if_else(self.f.first) as (begin, meet):
            with begin:
                self._write(r.target, place, total)
            with meet:
                self._meet(r, total, place)


def fill(frame: Frame, value: Value, number: Any, first: Any = None, count: int | None = None) -> None:
    """Write one number over a whole value, or over `count` elements from the one called `first`."""
    code, kind = frame.code, element_type(value.dtype)
    width = code.isa.vector_bytes // max(value.dtype.itemsize, 1)
    pointer = frame.pointer(value) if first is None else code.at(frame.pointer(value), first, kind)
    size = value.size if count is None else count
    whole = size // width * width
    if whole:
        with code.loop(0, whole, width) as i:
            code.store(code.const(number.constant, kind, width), code.at(pointer, i, kind))
    if whole < size:
        with code.loop(whole, size) as i:
            code.store(number, code.at(pointer, i, kind))


def _operands(value: Value) -> Sequence[Any]:
    """Return what an operation computes with: row numbers are none of it."""
    assert value.op is not None
    return value.inputs[:1] if value.op.name in GATHERS else value.inputs


def _depth(strides: Strides) -> int:
    return max((i + 1 for i, s in enumerate(strides) if s), default=0)


def _product(numbers: Any) -> int:
    total = 1
    for n in numbers:
        total *= n
    return total
