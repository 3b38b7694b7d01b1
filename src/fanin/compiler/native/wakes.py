"""Loops in the wake of a product: an optimiser's rule that comes right after the gradient of a matrix of weights.

Both are cut into the same parts, small enough that what the product writes is still in the cache when the loop reads
it, and one thread does the two of a part: no gradient goes to memory and back, and no barrier stands between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fanin.compiler.passes.plan import WHOLE, Group
from fanin.compiler.passes.products import parts_of, product_work

# Of a part's result: half of a second cache, which holds also what the product reads.
WAKE_BYTES = 256 << 10


@dataclass(frozen=True)
class Wake:
    """A product's loop, and how many rows of the result a part of both has."""

    loop: Group
    rows: int


def wakes(groups: Sequence[Group], lanes: int, may_follow: Callable[[Group, Group], bool]) -> dict[int, Wake]:
    """Return the loops that follow a product part by part, by the product's number.

    may_follow: says whether a loop is a single one, that reads the product's element i for its own, and writes nothing
                that the product reads.
    """
    found: dict[int, Wake] = {}
    for product, loop in pairwise(groups):
        alike = product.extent == loop.extent and product.level == loop.level and len(product.extent) == 2
        whole = product.on == loop.on == WHOLE
        if product.kind == "product" and loop.kind == "loops" and alike and whole and may_follow(product, loop):
            found[product.number] = Wake(loop, part_rows(product, lanes))
    return found


def part_rows(product: Group, lanes: int) -> int:
    """Return the rows of a part: those of a thread, or fewer that stay in the cache and divide all where some do."""
    total, value = product.extent[0], product.members[0]
    each = parts_of(total, product_work(value), lanes)[0][1]
    most = min(each, max(1, WAKE_BYTES // max(1, value.shape[-1] * value.itemsize)))
    return next((rows for rows in range(most, most // 2, -1) if total % rows == 0), most)
