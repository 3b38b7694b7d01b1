"""Which micro-kernels a product is made of: tiles of registers, panels of columns, blocks for the caches.

A tile is R rows by P registers. Each of its R * P accumulators takes one fused multiply-add for each k, so that a step
takes at least R * P / 2 cycles (two multiply-adds a cycle), (R + P) / 2 (two loads a cycle) and 4 (the latency of a
multiply-add, divided by the chains that are kept apart over K). `plan` takes the P with the least sum of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from fanin.compiler.native.product.shape import ProductShape
from fanin.compiler.native.target import Isa

LATENCY = 4
TALLEST, WIDEST, MOST_CHAINS = 12, 10, 4
CALL_CYCLES = 20
INNER_BLOCK = 384
L1_BYTES, L2_BYTES = 32 * 1024, 256 * 1024
DIRECT_BYTES = 96 * 1024
ONE_MORE_FUNCTION = 1.03


@dataclass(frozen=True)
class Rows:
    """`count` tiles of `height` rows each, from row `first`."""

    first: int
    height: int
    count: int


@dataclass(frozen=True)
class Panels:
    """`count` panels of the same pieces (widths of registers), from column `first`."""

    first: int
    pieces: tuple[int, ...]
    count: int

    @property
    def width(self) -> int:
        """Columns of one panel."""
        return sum(self.pieces)


@dataclass(frozen=True)
class Plan:
    """How a product is computed.

    dot:    whether vectors run along K (else along the columns).
    packed: whether B is copied into panels.
    panels: groups of equal panels.
    cycles: what the model expects, without packing.
    """

    dot: bool
    packed: bool
    panels: tuple[Panels, ...]
    cycles: float


def pieces_of(columns: int, lanes: int) -> list[int]:
    """Split a number of columns into full registers and a tail of powers of two."""
    pieces = [lanes] * (columns // lanes)
    width = lanes // 2
    while width:
        pieces += [width] * bool(columns % lanes & width)
        width //= 2
    return pieces


def tallest(isa: Isa, pieces: int) -> int:
    """Return the most rows of a tile: accumulators, B's (or A's) registers and one more have to fit."""
    spare = 1 if isa.fma else 2
    return max(
        (r for r in range(1, TALLEST + 1) if r * pieces + min(r, pieces) + spare <= isa.registers),
        default=1,
    )


def split_rows(rows: int, most: int) -> list[Rows]:
    """Split rows into tiles whose heights differ by one at most."""
    tiles = -(-rows // most)
    height, higher = divmod(rows, tiles)
    parts = [Rows(0, height + 1, higher), Rows(higher * (height + 1), height, tiles - higher)]
    return [part for part in parts if part.count]


def chains_of(isa: Isa, accumulators: int, steps: int) -> int:
    """Return how many sums over parts of K a tile keeps apart, to hide the latency of adding."""
    chains = 1
    while chains < MOST_CHAINS and accumulators * chains * 2 <= LATENCY * 2 and steps >= 4 * chains:
        chains *= 2
    return chains


def split_columns(columns: int, lanes: int, most: int) -> list[Panels]:
    """Split columns into panels of nearly equal numbers of pieces, `most` or fewer."""
    pieces = pieces_of(columns, lanes)
    panels = -(-len(pieces) // most)
    size, larger = divmod(len(pieces), panels)
    out: list[Panels] = []
    first = taken = 0
    for number in range(panels):
        part = tuple(pieces[taken : taken + size + (number < larger)])
        if out and out[-1].pieces == part:
            out[-1] = Panels(out[-1].first, part, out[-1].count + 1)
        else:
            out.append(Panels(first, part, 1))
        first, taken = first + sum(part), taken + len(part)
    return out


def _tile_cycles(isa: Isa, rows: int, pieces: int, inner: int) -> float:
    chains = chains_of(isa, rows * pieces, inner)
    step = max(rows * pieces / 2, (rows + pieces) / 2, LATENCY / chains)
    return step * inner + CALL_CYCLES + rows * pieces * chains


def _panel_cycles(isa: Isa, shape: ProductShape, panels: list[Panels]) -> float:
    total, functions = 0.0, 0
    for group in panels:
        for part in split_rows(shape.rows, tallest(isa, len(group.pieces))):
            total += group.count * part.count * _tile_cycles(isa, part.height, len(group.pieces), shape.inner)
            functions += 1
    return total * ONE_MORE_FUNCTION**functions


def dot_tile(rows: int, columns: int) -> tuple[int, int]:
    """Return rows and columns of a tile whose vectors run along K: 8 to 12 accumulators."""
    width = min(columns, 8 if rows == 1 else 4)
    return min(rows, {1: 8, 2: 4, 3: 4, 4: 3}.get(width, 1)), width


def _dot_cycles(isa: Isa, shape: ProductShape) -> float:
    """Return the cost of the loops over K, and of about 4 instructions for each accumulator to add its lanes up."""
    rows, columns = dot_tile(shape.rows, shape.columns)
    steps = -(-shape.inner // isa.lanes(shape.dtype))
    tiles = -(-shape.rows // rows) * -(-shape.columns // columns)
    return tiles * (_tile_cycles(isa, rows, columns, steps) + 4 * rows * columns)


def _is_bad_stride(bytes_apart: int) -> bool:
    """Lines so far apart share a few sets of the caches."""
    return bytes_apart >= 1024 and bytes_apart % 1024 == 0


def _lies_well(shape: ProductShape) -> bool:
    """Say whether B can be read where it lies."""
    if not shape.inner or shape.columns == 1 or (shape.inner == 1 and shape.b_column == 1):
        return True
    if shape.b_column != 1:
        return False
    size = shape.dtype.itemsize
    reach = shape.inner * shape.columns * size
    few = shape.rows <= 2 * TALLEST
    return few or (reach <= DIRECT_BYTES and not (_is_bad_stride(shape.b_inner * size) and reach > L1_BYTES))


@lru_cache(maxsize=256)
def plan(isa: Isa, shape: ProductShape) -> Plan:
    """Return the cheapest way for a product that is not empty."""
    lanes = isa.lanes(shape.dtype)
    count = len(pieces_of(shape.columns, lanes))
    choices = [split_columns(shape.columns, lanes, most) for most in range(1, min(count, WIDEST) + 1)]
    cycles, panels = min(((_panel_cycles(isa, shape, panels), panels) for panels in choices), key=lambda pair: pair[0])
    packed = not _lies_well(shape)
    packing = shape.inner * shape.columns * (1.0 if shape.b_column != 1 else 0.3) if packed else 0.0
    along = shape.a_inner == 1 and shape.b_inner == 1
    if along and shape.inner > 1 and _dot_cycles(isa, shape) < cycles + packing:
        return Plan(True, False, (), _dot_cycles(isa, shape))
    return Plan(False, packed, tuple(panels), cycles)


def inner_blocks(inner: int) -> tuple[int, int]:
    """Return how many blocks of K there are, and the size of all but the last."""
    count = max(1, -(-inner // INNER_BLOCK))
    size = -(-inner // (count * 8)) * 8 if count > 1 else inner
    return (-(-inner // size), size) if size else (1, 0)


def row_chunk(height: int, inner_block: int, itemsize: int) -> int:
    """Return how many tiles of A stay in the second cache while all panels pass by."""
    return max(1, L2_BYTES // max(1, height * inner_block * itemsize))


def copies(shape: ProductShape, group: Panels, inner: int) -> bool:
    """Say whether a tile's part of A, whose rows are neighbours, is copied before it meets the panels."""
    return group.count > 1 and 1 < inner <= INNER_BLOCK
