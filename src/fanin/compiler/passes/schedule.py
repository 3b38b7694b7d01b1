"""The order of the work: levels, and which operations share a kernel.

Levels alternate between work on rows (even), which goes through the batch in blocks, and work on whole values (odd).
All that a level reads of another was finished before it. Within a level operations of the same extent are fused into
groups: each group becomes one kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from fanin.compiler.graph import CONSTANT, STATE, Graph, Value
from fanin.compiler.passes.recompute import recomputed
from fanin.compiler.passes.rows import MAPS, REDUCTIONS, batch_rows, row_factors
from fanin.compiler.passes.tiling import Tiling, tiling
from fanin.compiler.passes.views import VIEWS, Ref, is_number, own, views
from fanin.ops.op import Op, Spec

ROWS, SUM, WHOLE = "rows", "sum", "whole"


def _internal(name: str) -> Op:
    """Return an operation of the compiler's own, which is not in the table."""
    return Op(name, lambda *_, **__: None, lambda *_, **__: Spec((), np.dtype(np.float32)))


# The right factor of a product, laid out in panels; and a value copied into other memory.
PACK = _internal("pack")
COPY = _internal("copy")
# The sum over the batch, of the sums that the lanes have made.
TOTAL = _internal("total")
INDEXED = frozenset({"embedding", "gather"})
SCATTERS = frozenset({"scatter_add_zeros", "add_rows"})
PLACES = frozenset({"cat", "put_zeros"})
SUMMED = frozenset({"sum", "amax", "amin", "prod", "any", "all", "matmul", "scatter_add_zeros", "add_rows"})


@dataclass(eq=False)
class Group:
    """Operations that become one kernel.

    kind:    "loops", "product", "place", "scatter", "pack", "host".
    level:   when it runs.
    extent:  the shape that it goes over.
    members: its operations, in order.
    on:      ROWS, SUM or WHOLE.
    """

    kind: str
    level: int
    extent: tuple[int, ...]
    on: str
    members: list[Value] = field(default_factory=list)
    number: int = 0
    # What others read of it, and so has to be stored.
    stored: dict[Value, None] = field(default_factory=dict)
    # Where sums over the last dimensions are read again inside the group: how many dimensions they keep.
    kept: int | None = None


@dataclass
class Plan:
    """What is computed when.

    graph:   lowered; its products have packed factors as a third input.
    refs:    where each value's elements lie.
    factors: of the values that have rows.
    on:      for each operation whether it works on rows, sums over them, or on whole values.
    groups:  the kernels, in the order in which they run.
    homes:   values that are computed right into the memory of a state ("state", i) or an output ("output", k).
    """

    graph: Graph
    refs: dict[Value, Ref]
    factors: dict[Value, int]
    tiling: Tiling
    on: dict[Value, str]
    groups: list[Group]
    homes: dict[Value, tuple[str, int]]
    copies: list[tuple[Value, tuple[str, int]]]


class Machine(Protocol):
    """What the plan has to know of the code that will carry it out."""

    def packed_size(self, product: Value, a: Ref, b: Ref, rows: int) -> int:
        """Return the elements that a product's packed right factor takes; 0 where it is used as it lies."""

    def needs_partial_sums(self, product: Value) -> bool:
        """Say whether a product puts sums over a part of the inner dimension into memory."""

    def has_code(self, value: Value) -> bool:
        """Say whether there is native code for an elementwise operation, or a product, of these types."""


def schedule(graph: Graph, machine: Machine) -> Plan:
    """Plan a lowered graph."""
    rows = batch_rows(graph)
    factors = row_factors(graph, rows)
    cut = tiling(graph, rows, _row_bytes(factors, rows), _summed(graph, factors))
    graph = _with_totals(_with_packs(graph, factors, cut, machine.packed_size), rows, cut)
    graph, copies = recomputed(graph)
    refs = views(graph)
    factors = {v: f for v, f in row_factors(graph, rows).items() if _kind(v, machine) != "host" or not _is_unit(v, refs)}
    on = {v: _works_on(v, factors, cut) for v in graph.values() if _is_unit(v, refs)}
    on.update((v, WHOLE) for v in on if _kind(v, machine) == "host")
    levels = _levels(graph, refs, on)
    _beside_readers(graph, copies, on, levels)
    plan = Plan(graph, refs, factors, cut, on, _groups(graph, refs, on, levels, machine, copies), {}, [])
    _find_homes(plan)
    _add_copies(plan)
    _note_stored(plan, machine)
    return plan


def _with_totals(graph: Graph, rows: int, cut: Tiling) -> Graph:
    """Let what is read of a sum over the batch be the total over the lanes."""
    if not cut.streamed or len(cut.lanes) == 1:
        return graph
    factors = row_factors(graph, rows)

    def rewrite(value: Value, old: Value) -> Value:
        if old.op is None or is_number(old) or _works_on(old, factors, cut) != SUM:
            return value
        return Value(value.shape, value.dtype, op=TOTAL, inputs=(value,))

    return _rewritten(graph, rewrite)


def _kind(value: Value, machine: Machine) -> str:
    return "" if value.op is None else extent_of(value, machine)[0]


def _row_bytes(factors: dict[Value, int], rows: int) -> int:
    return sum(v.nbytes for v in factors if v.op is None or v.op.name not in VIEWS) // max(rows, 1)


def _summed(graph: Graph, factors: dict[Value, int]) -> int:
    return sum(
        v.size
        for v in graph.values()
        if v not in factors and v.op is not None and v.op.name not in VIEWS and any(isinstance(x, Value) and x in factors for x in v.inputs)
    )


def _is_unit(value: Value, refs: dict[Value, Ref]) -> bool:
    return value.op is not None and not is_number(value) and refs[value].base is value


def _with_packs(graph: Graph, factors: dict[Value, int], cut: Tiling, packed_size: Callable[..., int]) -> Graph:
    """Give every product whose right factor is better packed a third input: the factor in panels."""
    refs = views(graph)
    packs: dict[Any, Value] = {}

    def rewrite(value: Value, old: Value) -> Value:
        if value.op is None or value.op.name != "matmul" or min(x.ndim for x in old.inputs) < 2:
            return value
        a, b = old.inputs
        rows = rows_at_once(old, factors, cut)
        size = packed_size(old, refs[a], refs[b], rows)
        if not size:
            return value
        if _works_on(old, factors, cut) == SUM:  # its right factor differs from block to block
            return value if refs[b].strides[-1] == 1 else _copying(value)
        key = (value.inputs[1], rows, size)
        if key not in packs:
            about = {"product": old, "a": refs[a], "rows": rows}
            lead = tuple(n if step else 1 for n, step in zip(b.shape[:-2], refs[b].strides[:-2], strict=True))
            packs[key] = Value((*lead, size), value.dtype, op=PACK, inputs=(value.inputs[1],), attrs=about)
        return Value(value.shape, value.dtype, op=value.op, inputs=(*value.inputs, packs[key]), attrs=value.attrs)

    return _rewritten(graph, rewrite)


def _copying(product: Value) -> Value:
    """Return a product whose right factor is copied, so that its columns are neighbours."""
    a, b = product.inputs
    copy = Value(b.shape, b.dtype, op=COPY, inputs=(b,))
    return Value(product.shape, product.dtype, op=product.op, inputs=(a, copy), attrs=product.attrs)


def rows_at_once(product: Value, factors: dict[Value, int], cut: Tiling) -> int:
    """Return how many rows of a product are computed in one call, of most calls."""
    if product.ndim > 2:
        return int(product.shape[-2])
    if product in factors:
        return min(cut.block, cut.rows) * factors[product]
    return parts_of(product.shape[0], product_work(product), len(cut.lanes))[0][1]


def product_work(product: Value) -> int:
    """Return the floating-point operations of a product."""
    return 2 * product.size * int(product.inputs[0].shape[-1])


# Floating-point operations of a product that are worth sharing between threads.
WORK_OF_A_PRODUCT = 200_000


def parts_of(total: int, work: int, lanes: int) -> list[tuple[int, int]]:
    """Cut the rows of a product that is no part of the work on rows: (first, rows) of each part."""
    if lanes == 1 or work < WORK_OF_A_PRODUCT or total < 2 * lanes:
        return [(0, total)]
    step = -(-total // lanes)
    return [(at, min(step, total - at)) for at in range(0, total, step)]


def _rewritten(graph: Graph, rewrite: Callable[[Value, Value], Value]) -> Graph:
    """Like Graph.rewritten, for a function that is shown the old value, too."""
    olds = iter(graph.values())
    return graph.rewritten(lambda value: rewrite(value, next(olds)))


def _works_on(value: Value, factors: dict[Value, int], cut: Tiling) -> str:
    if value in factors:
        return ROWS
    assert value.op is not None
    if cut.streamed and value.op.name in SUMMED:
        with_rows = [x for x in value.inputs if isinstance(x, Value) and _shows_rows(x, factors)]
        if with_rows and _sums_over_rows(value, factors):
            return SUM
    return WHOLE


def _shows_rows(value: Value, factors: dict[Value, int]) -> bool:
    """Say whether a value has rows, or is the transposed of one that has."""
    if value in factors:
        return True
    return value.op is not None and value.op.name == "permute" and value.inputs[0] in factors


def _sums_over_rows(value: Value, factors: dict[Value, int]) -> bool:
    assert value.op is not None
    if value.op.name in REDUCTIONS:
        return value.inputs[0] in factors and 0 in value.attrs["dim"]
    if value.op.name == "matmul":
        a, b = value.inputs[:2]
        turned = a.op is not None and a.op.name == "permute" and a.attrs["dims"] == (1, 0) and a.inputs[0] in factors
        return turned and b in factors and value.ndim == 2
    return all(isinstance(x, Value) and x in factors for x in value.inputs[:2]) and value.attrs.get("dim", 0) == 0


def _levels(graph: Graph, refs: dict[Value, Ref], on: dict[Value, str]) -> dict[Value, int]:
    levels: dict[Value, int] = {}
    for value in graph.values():
        if value not in on:
            continue
        earliest = -1 if on[value] == WHOLE else 0
        for x in inputs_of(value, refs):
            if x in levels:
                together = on[x] == WHOLE if on[value] == WHOLE else on[x] == ROWS
                earliest = max(earliest, levels[x] + (0 if together else 1))
        parity = 1 if on[value] == WHOLE else 0
        levels[value] = earliest + ((earliest % 2) ^ parity)
    _delay(graph, refs, on, levels)
    return levels


def _delay(graph: Graph, refs: dict[Value, Ref], on: dict[Value, str], levels: dict[Value, int]) -> None:
    """Move work on whole values to the level that needs it first, where it can be fused."""
    latest: dict[Value, int] = {}
    for value in reversed(graph.values()):
        if value not in on:
            continue
        if on[value] == WHOLE:
            levels[value] = max(levels[value], latest.get(value, levels[value]))
        for x in inputs_of(value, refs):
            late = levels[value] if on[value] == WHOLE else levels[value] - 1
            latest[x] = min(late, latest.get(x, late))


def _beside_readers(
    graph: Graph, copies: frozenset[Value], on: dict[Value, str], levels: dict[Value, int]
) -> None:
    """Move maps that are computed again for one reader to its level."""
    for value in reversed(graph.values()):
        for x in value.inputs:
            if isinstance(x, Value) and x in copies and on.get(x) == on.get(value) == ROWS:
                levels[x] = levels[value]


def inputs_of(value: Value, refs: dict[Value, Ref]) -> list[Value]:
    """Return the values with memory that an operation reads."""
    found: list[Value] = []
    for x in value.inputs:
        if isinstance(x, Value):
            found.extend(_bases(x, refs))
    return found


def _bases(x: Value, refs: dict[Value, Ref]) -> list[Value]:
    return [] if is_number(x) else [refs[x].base]


def extent_of(value: Value, machine: Machine) -> tuple[str, tuple[int, ...]]:
    """Return the kind of group that an operation begins, and the shape that it goes over."""
    assert value.op is not None
    name = value.op.name
    if name == "pack":
        return "pack", value.shape
    if not value.size or not machine.has_code(value):
        return "host", value.shape
    if name == "matmul":
        return "product", value.shape
    if name in REDUCTIONS or name in VIEWS:  # a view that has to be copied goes over the elements of its input
        return "loops", value.inputs[0].shape
    if name in SCATTERS:
        return "scatter", value.inputs[0].shape
    return ("place" if name in PLACES else "loops"), value.shape


def _groups(
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
        along: list[Value] = []
        for x in dict.fromkeys(x for x in inputs_of(value, self.refs) if x in self.waiting):
            direct = any(x is y for y in value.inputs)
            if kind == "loops" and direct and self.waiting[x] == extent and value.op.name not in INDEXED:
                along += [*(y for y in self._along(x, kind, extent) if y not in set(along)), x]
            else:
                self._place(x, "loops", self.waiting[x], self._along(x, "loops", self.waiting[x]))
                self.waiting.pop(x, None)
        return along

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


# A product's result of more bytes is not the place for an optimiser's rule: its rows lie pages apart in all the arrays
# of the state, and going through those in sequence is quicker (1024 x 1024: 3.6 ms against 2.3 in two passes).
MOST_EPILOGUE_BYTES = 1 << 20


# Functions that need many registers, which a micro-kernel's accumulators hold: they run faster in a loop of their own.
HEAVY = frozenset(
    "exp exp2 expm1 log log2 log10 log1p sin cos tan tanh sigmoid erf erfc pow asin acos atan sinh cosh asinh acosh atanh "
    "atan2 fmod remainder floor_divide".split()
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
    if inside and value.op.name in INDEXED:  # it reads other elements than its own, from memory
        return False
    kept = {_kept(refs[x].base, group) for x in inside if _is_reduction(refs[x].base)} | {group.kept} - {None}
    if len(kept) > 1:
        return False
    group.kept = next(iter(kept), None)
    return True


def _is_reduction(value: Value) -> bool:
    return value.op is not None and value.op.name in REDUCTIONS


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


# Where results go -----------------------------------------------------------------------------------------------------


def _find_homes(plan: Plan) -> None:
    """Let new state and outputs be computed where they belong, if nobody reads the old state later."""
    group_of = {v: g for g in plan.groups for v in g.members}
    for i, new in plan.graph.updates:
        old = plan.graph.state[i]
        if new is old:
            continue
        if new in group_of and new not in plan.homes and new.dtype == old.dtype and _old_is_done(plan, old, new, group_of):
            plan.homes[new] = ("state", i)
        else:
            plan.copies.append((new, ("state", i)))
    for k, value in enumerate(plan.graph.outputs):
        if value in group_of and value not in plan.homes and group_of[value].kind != "pack":
            plan.homes[value] = ("output", k)
        else:
            plan.copies.append((value, ("output", k)))


def _old_is_done(plan: Plan, old: Value, new: Value, group_of: dict[Value, Group]) -> bool:
    """Say whether the old state can be overwritten when the new one is computed."""
    group = group_of[new]
    if group.on == SUM and plan.tiling.streamed:
        return False
    if any(plan.refs[root].base is old for root in plan.graph.roots):
        return False
    for value, reader in group_of.items():
        for x in value.inputs:
            if not isinstance(x, Value) or is_number(x) or plan.refs[x].base is not old:
                continue
            if reader.number > group.number or (reader is group and not _reads_in_step(plan, value, x, group)):
                return False
            if reader.level == group.level and reader is not group and group.on == ROWS:
                return False
    return group.kind in ("loops", "product") and new.shape == group.extent


def _reads_in_step(plan: Plan, value: Value, x: Value, group: Group) -> bool:
    assert value.op is not None
    if value.op.name in ("matmul", *INDEXED):
        return False
    return plan.refs[x].contiguous and x.shape == group.extent and value.op.name in (*MAPS, "copy")


def _add_copies(plan: Plan) -> None:
    """Copy to their places, at the end, what could not be computed there."""
    level = max((g.level for g in plan.groups), default=-1) + 2
    level += 1 - level % 2
    for value, home in plan.copies:
        if plan.refs[value].base.role == STATE:  # which may be overwritten by another of these copies
            value = _copied(plan, value, value.dtype, level)
        leaf = plan.graph.state[home[1]] if home[0] == "state" else value
        plan.homes[_copied(plan, value, leaf.dtype, level + 2)] = home


def _copied(plan: Plan, value: Value, dtype: Any, level: int) -> Value:
    copy = Value(value.shape, dtype, op=COPY, inputs=(value,))
    plan.refs[copy], plan.on[copy] = own(copy), WHOLE
    group = Group("loops", level, copy.shape, WHOLE, [copy], len(plan.groups))
    plan.groups.append(group)
    plan.groups.sort(key=lambda g: g.level)
    return copy


def passes_of(group: Group, refs: dict[Value, Ref]) -> dict[Value, int]:
    """Number the passes over a row: what reads a row's sum comes one pass after it."""
    passes: dict[Value, int] = {}
    for value in group.members:
        at = 0
        for x in value.inputs:
            base = refs[x].base if isinstance(x, Value) and not is_number(x) else None
            if base in passes and _is_reduction(base):
                at = max(at, passes[base] + 1)
            elif base in passes and base is x:
                at = max(at, passes[base])
        passes[value] = at
    return passes


def _note_stored(plan: Plan, machine: Machine) -> None:
    """Note which results leave their group: others read them, through a view, or they are new state or output."""
    group_of = {v: g for g in plan.groups for v in g.members}
    needed = set(plan.homes)
    for group in plan.groups:
        passes = passes_of(group, plan.refs)
        for value in group.members:
            needed.update(_read_from_memory(plan, value, group, group_of, passes))
    for value, group in group_of.items():
        assert value.op is not None
        partial = value.op.name == "matmul" and machine.needs_partial_sums(value)
        if value in needed or partial or group.kind not in ("loops", "product"):
            group.stored[value] = None


def _read_from_memory(
    plan: Plan, value: Value, group: Group, group_of: dict[Value, Group], passes: dict[Value, int]
) -> list[Value]:
    """Return the values that an operation cannot read from registers."""
    found = []
    for x in value.inputs:
        if not isinstance(x, Value) or is_number(x):
            continue
        base = plan.refs[x].base
        if group_of.get(base) is not group or group.kind not in ("loops", "product"):
            found.append(base)
        elif not _is_reduction(base) and (base is not x or passes[base] < passes[value]):
            found.append(base)
    return found


__all__ = ["CONSTANT", "COPY", "PACK", "STATE", "Group", "Machine", "Plan", "extent_of", "inputs_of", "schedule"]
