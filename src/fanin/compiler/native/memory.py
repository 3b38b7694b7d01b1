"""Where every value lives: in memory from outside, or at a fixed place of one arena, allocated before the first step.

Values of different levels share places when their lifetimes do not meet. What a block of rows needs only for itself has
a place for each lane, and shares it with what comes later in the same level: the less memory a block goes through, the
more of it stays in the first cache (50-128-128-128-2, 256 rows: 4% less time).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from fanin.compiler.graph import CONSTANT, STANDING, Value
from fanin.compiler.native.wakes import Wake, wakes
from fanin.compiler.passes.plan import ROWS, SUM, Group, Plan
from fanin.compiler.passes.views import is_number

ALIGNMENT = 64


@dataclass(frozen=True)
class Place:
    """Where a value lies.

    source:     number of the outside pointer; 0 is the arena.
    offset:     bytes from there.
    size:       bytes of one copy, in the arena.
    lane_bytes: between the copies of the lanes.
    local:      whether the first row in memory is the first of the block, not of the batch.
    stacked:    whether there is one for each step of a run, one after the other.
    part:       whether there is only the part of it that is being worked on.
    """

    source: int
    offset: int = 0
    size: int = 0
    lane_bytes: int = 0
    local: bool = False
    lanes: int = 1
    stacked: bool = False
    part: bool = False


@dataclass(frozen=True)
class Layout:
    """Where everything lies.

    places:  of every value with memory.
    sources: what each outside pointer shows, by number.
    arena:   bytes.
    wakes:   the loops that follow a product part by part, by the product's number.
    """

    places: dict[Value, Place]
    sources: tuple[tuple[str, Any], ...]
    arena: int
    wakes: Mapping[int, Wake]


def lay_out(plan: Plan) -> Layout:
    """Give every value its place."""
    sources: list[tuple[str, Any]] = [("arena", None)]
    places: dict[Value, Place] = {}
    numbers: dict[tuple[str, int], int] = {}
    graph = plan.graph
    for kind, leaves in (("data", graph.data), ("state", graph.state), ("output", graph.outputs)):
        for i, leaf in enumerate(leaves):
            numbers[kind, i] = len(sources)
            sources.append((kind, i))
            if kind != "output":
                places[leaf] = Place(numbers[kind, i], stacked=kind == "data" and STANDING not in leaf.attrs)
    for value in graph.values():
        if value.role == CONSTANT and value not in places:
            places[value] = Place(len(sources))
            sources.append(("constant", value.array))
    for value, home in plan.homes.items():
        places[value] = Place(numbers[home], stacked=home[0] == "output")
    arena, following = _Arena(), wakes(plan)
    _place_results(plan, places, arena, following)
    return Layout(places, tuple(sources), arena.size, following)


class _Arena:
    """First fit: a place is taken again when whoever had it is gone. Times are levels, or groups of one level."""

    def __init__(self) -> None:
        self.size = 0
        self._taken: list[tuple[int, int, int]] = []  # begin, end, last time

    def take(self, size: int, first: int, last: int) -> int:
        """Return where `size` bytes are free from one time to another; no time of before may be asked for later."""
        size = _rounded(size)
        self._taken = sorted(span for span in self._taken if span[2] >= first)
        at = 0
        for begin, end, _ in self._taken:
            if begin - at >= size:
                break
            at = max(at, end)
        self._taken.append((at, at + size, last))
        self.size = max(self.size, at + size)
        return at


def _place_results(plan: Plan, places: dict[Value, Place], arena: _Arena, following: Mapping[int, Wake]) -> None:
    lasts, asked = _last_levels(plan), _asked_for(plan)
    passing = {wake.passing: wake.rows for wake in following.values()}
    for level, members in groupby(plan.groups, key=lambda group: group.level):
        groups = list(members)
        sums = {product: result for group in groups for product, result in _partial_sums(group, asked, places).items()}
        results = [(group, value) for group in groups for value in group.stored if value not in places]
        results = [(group, value) for group, value in results if value not in sums]
        places.update(_of_blocks(plan, [r for r in results if _is_of_a_block(plan, r, lasts)], arena))
        for _, value in results:
            if value not in places:
                places[value] = _place(plan, value, passing.get(value), level, lasts.get(value, level), arena)
        places.update({product: places[result] for product, result in sums.items()})


def _is_of_a_block(plan: Plan, result: tuple[Group, Value], lasts: Mapping[Value, int]) -> bool:
    """Say whether a block of rows needs a result only for itself: nothing of a later level reads it."""
    group, value = result
    return plan.tiling.streamed and plan.on[value] == ROWS and lasts.get(value, group.level) == group.level


def _of_blocks(plan: Plan, results: list[tuple[Group, Value]], arena: _Arena) -> dict[Value, Place]:
    """Place what the blocks of a level need for themselves: each lane has a piece of memory, where all of it lies."""
    if not results:
        return {}
    order = {group.number: at for at, group in enumerate(plan.groups)}
    lasts, piece, found = _lasts(plan, order), _Arena(), {}
    for group, value in results:
        size, first = _rounded(value.nbytes // plan.tiling.rows * plan.tiling.block), order[group.number]
        found[value] = piece.take(size, first, lasts.get(value, first)), size
    level, lanes = results[0][0].level, len(plan.tiling.lanes)
    start = arena.take(piece.size * lanes, level, level)
    return {v: Place(0, start + at, size, piece.size, local=True, lanes=lanes) for v, (at, size) in found.items()}


def _place(plan: Plan, value: Value, part: int | None, first: int, last: int, arena: _Arena) -> Place:
    """Place a result; part: of how many rows there is memory for one part only."""
    lanes = len(plan.tiling.lanes)
    if part is None and plan.on[value] != SUM:
        return Place(0, arena.take(value.nbytes, first, last), _rounded(value.nbytes))
    size = _rounded(value.nbytes if part is None else value.nbytes // value.shape[0] * part)
    return Place(0, arena.take(size * lanes, first, last), size, size, lanes=lanes, part=part is not None)


def _partial_sums(group: Group, asked: set[Value], places: dict[Value, Place]) -> dict[Value, Value]:
    """Return a product that is stored for its own sums alone, with the result in whose place each sum may wait."""
    product = group.members[0]
    if group.kind != "product" or product not in group.stored or product in asked or product in places:
        return {}
    results = [x for x in group.stored if x is not product and x not in places]
    alike = [x for x in results if (x.shape, x.dtype) == (product.shape, product.dtype)]
    return {product: alike[0]} if alike else {}


def _asked_for(plan: Plan) -> set[Value]:
    """Return the values that other groups read than those that compute them."""
    asked = {plan.refs[value].base for value, _ in plan.copies}
    for group in plan.groups:
        own = set(group.members)
        read = {plan.refs[x].base for v in group.members for x in v.inputs if isinstance(x, Value) and not is_number(x)}
        asked |= read - own
    return asked


def _rounded(size: int) -> int:
    return -(-max(size, 1) // ALIGNMENT) * ALIGNMENT


def _last_levels(plan: Plan) -> dict[Value, int]:
    """Return the last level at which each value is read."""
    lasts = _lasts(plan, {group.number: group.level for group in plan.groups})
    end = max((group.level for group in plan.groups), default=0) + 2
    lasts.update((plan.refs[value].base, end) for value, _ in plan.copies)
    return lasts


def _lasts(plan: Plan, times: Mapping[int, int]) -> dict[Value, int]:
    """Return the time of the last group that reads each value.

    times: of each group, by its number.
    """
    lasts: dict[Value, int] = {}
    for group in plan.groups:
        for value in group.members:
            for x in value.inputs:
                if isinstance(x, Value) and not is_number(x):
                    base = plan.refs[x].base
                    lasts[base] = max(lasts.get(base, 0), times[group.number])
    return lasts
