"""Loops in the wake of a product: an optimiser's rule that comes right after the gradient of a matrix of weights.

Both are cut into the same parts, small enough that what the product writes is still in the cache when the loop reads
it, and one thread does the two of a part: no gradient goes to memory and back, and no barrier stands between them. A
gradient that nobody else reads has memory for one part of each thread, and none for the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fanin.compiler.graph import Value
from fanin.compiler.passes.plan import WHOLE, Group, Plan
from fanin.compiler.passes.products import parts_of, product_work
from fanin.compiler.passes.rows import MAPS
from fanin.compiler.passes.views import is_number

# Of a part's result: half of a second cache, which holds also what the product reads.
WAKE_BYTES = 256 << 10


@dataclass(frozen=True)
class Wake:
    """A product's loop, how many rows of the result a part of both has, and the result that nobody else reads."""

    loop: Group
    rows: int
    passing: Value | None


def wakes(plan: Plan) -> Mapping[int, Wake]:
    """Return the loops that follow a product part by part, by the product's number."""
    found: dict[int, Wake] = {}
    for product, loop in pairwise(plan.groups):
        alike = product.extent == loop.extent and product.level == loop.level and len(product.extent) == 2
        whole = product.on == loop.on == WHOLE
        if product.kind == "product" and loop.kind == "loops" and alike and whole and may_follow(plan, product, loop):
            rows = part_rows(product, len(plan.tiling.lanes))
            found[product.number] = Wake(loop, rows, _passing(plan, product, loop))
    return found


def may_follow(plan: Plan, product: Group, loop: Group) -> bool:
    """Say whether a loop reads the product's result, and of all that it reads only element i for its own.

    What it writes must be nothing that the product reads.
    """
    maps = all(v.op is not None and v.op.name in (*MAPS, "copy") for v in loop.members)
    in_step = all(_in_step(plan, x, loop) for v in loop.members for x in v.inputs)
    follows = set(product.members) & {x for v in loop.members for x in v.inputs if isinstance(x, Value)}
    return maps and in_step and bool(follows) and not _written(plan, loop) & _read(plan, product)


def _in_step(plan: Plan, x: Any, loop: Group) -> bool:
    if not isinstance(x, Value) or is_number(x) or x.size == 1:
        return True
    return plan.refs[x].contiguous and plan.refs[x].offset == 0 and x.shape == loop.extent


def _read(plan: Plan, group: Group) -> set[Any]:
    """Return the memory that a group reads, as values of which it is the home."""
    return {plan.refs[x].base for v in group.members for x in v.inputs if isinstance(x, Value) and not is_number(x)}


def _written(plan: Plan, group: Group) -> set[Any]:
    """Return the memory that a group writes: its results, and the state that they become."""
    homes = [plan.homes[v] for v in group.stored if v in plan.homes]
    return set(group.stored) | {plan.graph.state[i] for kind, i in homes if kind == "state"}


def _passing(plan: Plan, product: Group, loop: Group) -> Value | None:
    """Return the result of a product that only the loop reads."""
    stored = [v for v in product.stored if v not in plan.homes]
    if len(product.stored) != 1 or not stored:
        return None
    (value,) = stored
    others = (group for group in plan.groups if group is not product and group is not loop)
    copied = {plan.refs[v].base for v, _ in plan.copies}
    return None if value in copied or any(value in _read(plan, group) for group in others) else value


def part_rows(product: Group, lanes: int) -> int:
    """Return the rows of a part: those of a thread, or fewer that stay in the cache and divide all where some do."""
    total, value = product.extent[0], product.members[0]
    each = parts_of(total, product_work(value), lanes)[0][1]
    most = min(each, max(1, WAKE_BYTES // max(1, value.shape[-1] * value.itemsize)))
    return next((rows for rows in range(most, most // 2, -1) if total % rows == 0), most)
