"""Where every value lives: in memory from outside, or at a fixed place of one arena, allocated before the first step.

Values of different levels share places when their lifetimes do not meet. What a block of rows needs only for itself has
a place for each lane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    lane_bytes: between the copies of the lanes.
    local:      whether the first row in memory is the first of the block, not of the batch.
    stacked:    whether there is one for each step of a run, one after the other.
    part:       whether there is only the part of it that is being worked on.
    """

    source: int
    offset: int = 0
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
    """First fit: a place is taken again when whoever had it is gone."""

    def __init__(self) -> None:
        self.size = 0
        self._taken: list[tuple[int, int, int]] = []  # begin, end, last level

    def take(self, size: int, first: int, last: int) -> int:
        """Return where `size` bytes are free from one level to another."""
        size = -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
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
    lanes = len(plan.tiling.lanes)
    passing = {wake.passing: wake.rows for wake in following.values()}
    for group in plan.groups:
        sums = _partial_sums(group, asked, places)
        for value in group.stored:
            if value in places or value in sums:
                continue
            first, last = group.level, lasts.get(value, group.level)
            if value in passing:
                size = _rounded(value.nbytes // value.shape[0] * passing[value])
                places[value] = Place(0, arena.take(size * lanes, first, last), size, lanes=lanes, part=True)
            elif plan.tiling.streamed and plan.on[value] == ROWS and last == first:
                size = _rounded(value.nbytes // plan.tiling.rows * plan.tiling.block)
                places[value] = Place(0, arena.take(size * lanes, first, last), size, local=True, lanes=lanes)
            elif plan.on[value] == SUM:
                size = _rounded(value.nbytes)
                places[value] = Place(0, arena.take(size * lanes, first, last), size, lanes=lanes)
            else:
                places[value] = Place(0, arena.take(value.nbytes, first, last))
        places.update({product: places[result] for product, result in sums.items()})


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
    lasts: dict[Value, int] = {}
    for group in plan.groups:
        for value in group.members:
            for x in value.inputs:
                if isinstance(x, Value) and not is_number(x):
                    base = plan.refs[x].base
                    lasts[base] = max(lasts.get(base, group.level), group.level)
    end = max((g.level for g in plan.groups), default=0) + 2
    for value, _ in plan.copies:
        lasts[plan.refs[value].base] = end
    return lasts
