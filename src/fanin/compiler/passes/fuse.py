"""Fusion: within a level, operations of the same extent are put into groups, each of which becomes one kernel."""

from __future__ import annotations

from collections.abc import Sequence

from fanin.compiler.graph import Graph, Value
from fanin.compiler.passes.plan import GATHERS, WHOLE, Group, Machine, extent_of, inputs_of, is_reduction
from fanin.compiler.passes.rows import MAPS, REDUCTIONS
from fanin.compiler.passes.views import Ref, is_number


def groups_of(
    graph: Graph,
    refs: dict[Value, Ref],
    on: dict[Value, str],
    levels: dict[Value, int],
    machine: Machine,
    copies: frozenset[Value],
) -> list[Group]:
    """Fuse, greedily and in order: an operation joins the latest group of its inputs that it fits into.

    A map of leaves alone, and one that is computed again for its reader (`copies`), waits for the first operation that
    reads it, and goes where that goes.
    """
    order = {v: i for i, v in enumerate(graph.values())}
    fusion = _Fusion(refs, on, levels, machine, copies)
    for value in sorted(on, key=lambda v: (levels[v], order[v])):
        fusion.add(value)
    fusion.settle()
    return fusion.groups


class _Fusion:
    """The groups so far, and the maps that wait."""

    def __init__(
        self,
        refs: dict[Value, Ref],
        on: dict[Value, str],
        levels: dict[Value, int],
        machine: Machine,
        copies: frozenset[Value],
    ) -> None:
        self.refs, self.on, self.levels, self.machine, self.copies = refs, on, levels, machine, copies
        self.groups: list[Group] = []
        self.home: dict[Value, Group] = {}
        self.waiting: dict[Value, tuple[int, ...]] = {}
        self.level = -1

    def add(self, value: Value) -> None:
        """Place an operation, or let it wait."""
        assert value.op is not None
        if self.levels[value] != self.level:
            self.settle()
            self.level = self.levels[value]
        kind, extent = extent_of(value, self.machine)
        used = inputs_of(value, self.refs)
        ready = [x for x in used if x in self.on and self.levels[x] == self.level]
        waits = value.op.name in (*MAPS, "total") and not ready
        if kind == "loops" and (waits or value in self.copies):
            self.waiting[value] = extent
            return
        self._place(value, kind, extent, self._along(value, kind, extent))

    def settle(self) -> None:
        """Place what waits."""
        for value in list(self.waiting):
            if value in self.waiting:
                extent = self.waiting[value]
                along = self._along(value, "loops", extent)
                self._place(value, "loops", self.waiting.pop(value), along)

    def _along(self, value: Value, kind: str, extent: tuple[int, ...]) -> list[Value]:
        """Return what waits for an operation and can go where it goes, in order; place what waits and cannot."""
        assert value.op is not None
        along: list[Value] = []
        for x in dict.fromkeys(x for x in inputs_of(value, self.refs) if x in self.waiting):
            direct = all(x is y for y in value.inputs if self._shows(y, x))
            if kind == "loops" and direct and self.waiting[x] == extent and value.op.name not in GATHERS:
                along += [*(y for y in self._along(x, kind, extent) if y not in set(along)), x]
            else:
                self._place(x, "loops", self.waiting[x], self._along(x, "loops", self.waiting[x]))
                self.waiting.pop(x, None)
        return [x for x in along if x in self.waiting]

    def _shows(self, x: object, base: Value) -> bool:
        """Say whether an input is another value, or some view of it."""
        return isinstance(x, Value) and not is_number(x) and self.refs[x].base is base

    def _place(self, value: Value, kind: str, extent: tuple[int, ...], along: Sequence[Value] = ()) -> None:
        target = self._fitting((*along, value), extent) if kind == "loops" else None
        if target is None:
            target = Group(kind, self.levels[value], extent, self.on[value], number=len(self.groups))
            self.groups.append(target)
        for x in along:
            self.waiting.pop(x, None)
        for x in (*along, value):
            if x not in self.home:
                target.members.append(x)
                self.home[x] = target

    def _fitting(self, values: Sequence[Value], extent: tuple[int, ...]) -> Group | None:
        last, together = values[-1], set(values)
        used = [x for v in values for x in inputs_of(v, self.refs) if x not in together]
        least = max((self.home[x].number for x in used if x in self.home), default=-1)
        for group in reversed(self.groups):
            if group.number < least or group.level != self.levels[last]:
                return None
            fits = group.extent == extent and all(_may_join(v, group, self.home, self.refs, v is last) for v in values)
            if fits:
                return group
        return None


# A product's result of more bytes is not the place for an optimiser's rule: its rows lie far apart in all the arrays of
# the state, and roots and quotients wait for each other between the multiply-adds. Adam on 256 x 784 of 64 rows: 135 us
# for the product, 237 with the rule in its micro-kernel, 200 in two passes; on 64 x 64 of 32 rows: 6.0 and 4.2.
MOST_EPILOGUE_BYTES = 1 << 13

# Functions that need many registers, which a micro-kernel's accumulators hold: they run faster in a loop of their own.
HEAVY = frozenset(
    "exp exp2 expm1 log log2 log10 log1p sin cos tan tanh sigmoid erf erfc erfcx pow asin acos atan sinh cosh "
    "asinh acosh atanh atan2 fmod remainder floor_divide".split()
)


def _fills_registers(columns: int) -> bool:
    """Say whether most of a row's registers are full: an optimiser's rule costs as much on two elements as on eight."""
    return columns % 8 == 0 or columns >= 32


def _may_join(value: Value, group: Group, home: dict[Value, Group], refs: dict[Value, Ref], reads: bool) -> bool:
    """Say whether an operation can be computed inside a group: what it reads of it, it reads element by element.

    reads: whether it has to read something of a product that it joins.
    """
    assert value.op is not None
    inside = [x for x in value.inputs if isinstance(x, Value) and not is_number(x) and home.get(refs[x].base) is group]
    if group.kind == "product":
        plain = value.op.name in MAPS - HEAVY and len(group.extent) == 2
        if group.on == WHOLE and (value.nbytes > MOST_EPILOGUE_BYTES or not _fills_registers(group.extent[1])):
            return False
        plain = plain and all(x.shape == group.extent and refs[x].base is x for x in inside)
        return plain and (bool(inside) or not reads)
    if group.kind != "loops" or not all(_in_step(x, group, refs) for x in inside):
        return False
    if inside and value.op.name in GATHERS:  # it reads other elements than its own, from memory
        return False
    kept = {_kept(refs[x].base, group) for x in inside if is_reduction(refs[x].base)} | {group.kept} - {None}
    if len(kept) > 1:
        return False
    group.kept = next(iter(kept), None)
    return True


def _kept(reduction: Value, group: Group) -> int:
    return len(group.extent) - len(reduction.attrs["dim"])


def _in_step(x: Value, group: Group, refs: dict[Value, Ref]) -> bool:
    """Say whether element i of x is ready when the group works on element i: a map's result, or a row's sum."""
    base = refs[x].base
    assert base.op is not None
    if base.op.name not in REDUCTIONS:
        return x is base and x.shape == group.extent
    # A sum over the last dimensions, read along the dimensions before them.
    rank, dims = len(group.extent), base.attrs["dim"]
    kept = rank - len(dims)
    if tuple(sorted(dims)) != tuple(range(kept, rank)) or not kept:
        return False
    return x.shape == (*group.extent[:kept], *(1,) * (rank - kept)) and refs[x].offset == 0
