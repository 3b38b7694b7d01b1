"""How products are cut into parts, and which of their right factors are packed into panels first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanin.compiler.graph import Graph, Value
from fanin.compiler.passes.levels import works_on
from fanin.compiler.passes.plan import COPY, PACK, SUM
from fanin.compiler.passes.rewriting import rewritten_beside
from fanin.compiler.passes.tiling import Tiling
from fanin.compiler.passes.views import views


def with_packs(graph: Graph, factors: dict[Value, int], cut: Tiling, packed_size: Callable[..., int]) -> Graph:
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
        if works_on(old, factors, cut) == SUM:  # its right factor differs from block to block
            return value if refs[b].strides[-1] == 1 else _copying(value)
        key = (value.inputs[1], rows, size, refs[a].strides[-2] == 1)  # all that the choice of panels rests on
        if key not in packs:
            about = {"product": old, "a": refs[a], "rows": rows}
            lead = tuple(n if step else 1 for n, step in zip(b.shape[:-2], refs[b].strides[:-2], strict=True))
            packs[key] = Value((*lead, size), value.dtype, op=PACK, inputs=(value.inputs[1],), attrs=about)
        return Value(value.shape, value.dtype, op=value.op, inputs=(*value.inputs, packs[key]), attrs=value.attrs)

    return rewritten_beside(graph, rewrite)


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
