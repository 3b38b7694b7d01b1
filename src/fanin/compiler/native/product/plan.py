"""Which micro-kernels a product is made of: tiles of registers, panels of columns, blocks for the caches.

A tile is R rows by P registers. Each of its R * P accumulators takes one fused multiply-add for each k, so that a step
takes at least R * P / 2 cycles (two multiply-adds a cycle), (R + P) / 2 (two loads a cycle) and 4 (the latency of a
multiply-add, divided by the chains that are kept apart over K). `plan` takes the tiles with the least sum of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np

from fanin.compiler.native.product.shape import ProductShape
from fanin.compiler.native.target import Isa

# GFLOP/s are of one core of a Zen 3 (AVX2, float32), whose peak of multiply-adds was 102 in the same runs, or, where it
# says so, of a Zen 5 with AVX-512 (peak 252).
LATENCY = 4
# Accumulators are few enough for 16 registers: 6 x 2 is the largest square-like tile. A lower tile of 4 x 2 still keeps
# both units busy (8 accumulators, 4 cycles) as long as B comes from the first cache: 99 at M = 32, N = K = 64.
TALLEST, WIDEST, MOST_CHAINS = 12, 10, 4
# Where A's rows lie apart each has an address of its own, and an x86 processor has 16 registers for addresses. At 500 x
# 192 x 256, AVX-512: 168 in tiles of 10 rows, 240 in tiles of 5.
MOST_APART = 8
CALL_CYCLES = 10
# Steps of K in a round of the loop, a power of two. On a core that shares its instructions with another thread 64 x 128
# x 128 runs at 52 GFLOP/s with one, 73 with two and 75 with four (95, 100 and 98 alone).
STEPS_WRITTEN = 4
# A panel that is larger is read from the second cache for each tile, at about so many bytes a cycle.
L1_PANEL_BYTES = 24 * 1024
L2_BYTES_A_CYCLE = 14
# Partial sums wait in C between blocks of K, in which a panel of two registers stays in the first cache. At 128 x 1024
# x 1024: 78 with blocks of 192, 86 of 264, 87 of 352 and 384, 83 of 512; with AVX-512 245 with blocks of 128, 241 of
# 192, 205 of 256.
INNER_BLOCK = 384
# Rows of A that pass all panels before the next ones come (256 x 128 x 128: 83 with 256 KB, 87 with 48 KB); not fewer,
# since each chunk reads all of B again.
L2_BYTES = 96 * 1024
# B is read where it lies if it is small (rows 50 apart, K = 256: 40; packed: 67) or if packing does not pay.
DIRECT_BYTES = 96 * 1024
DIRECT_INNER = 192
FEW_ROWS = 48
# The copy of A on the stack, with which all of B is multiplied. Weights' gradient at 1024 x 1024 x 128: 59 without, 92
# with it; at 1024 x 784 x 256, beside other processes: 75 with 40 KB, 86 with 96 KB.
COPY_BYTES = 96 * 1024
# A larger B is not packed as a whole, which would take as much memory again: each block of rows packs some panels of a
# block of K into the second cache, and uses them at once. A step of 784-4096-4096-10 with 256 rows takes 136 MB less,
# 2% less time with two threads, and 9% more with one.
BAND_FROM_BYTES = 32 * 1024 * 1024
BAND_BYTES = 96 * 1024
# From this size on B does not stay in the second cache, and each tile fetches a few lines of the next panel: 3% at 128
# x 1024 x 1024 and 256 x 1024 x 784. One line at each step of K, the same one again and again, cost 10% beside others.
AHEAD_BYTES = 1024 * 1024
LINE_BYTES, SETS, WAYS = 64, 64, 8
# Vectors along K: for more rows than these, packing B pays (64 x 256 x 784: 58 along K, 82 packed).
DOT_ROWS, DOT_COLUMNS = 12, 4
# A function costs a few milliseconds to compile, so equal tiles win over the last few percent; they often run faster,
# too (64 x 64 x 32: 16 tiles of 4 rows 99, 9 of 6 and 2 of 5 rows 89).
ONE_MORE_FUNCTION = 1.06


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
    banded: whether it is copied a few panels at a time, where they are used.
    panels: groups of equal panels.
    cycles: what the model expects, without packing.
    """

    dot: bool
    packed: bool
    banded: bool
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


def registers_of(columns: int, lanes: int) -> list[int]:
    """Split a number of columns into full registers and one of the rest: 10 in one take 1.5 times 8 and 2."""
    return [lanes] * (columns // lanes) + [columns % lanes] * bool(columns % lanes)


def tallest(isa: Isa, pieces: int, apart: bool) -> int:
    """Return the most rows of a tile: accumulators, B's (or A's) registers and one more have to fit, and addresses."""
    spare = 1 if isa.fma else 2
    most = MOST_APART if apart else TALLEST
    return max(
        (r for r in range(1, most + 1) if r * pieces + min(r, pieces) + spare <= isa.registers),
        default=1,
    )


def split_rows(rows: int, most: int) -> list[Rows]:
    """Split rows into tiles whose heights differ by one at most."""
    tiles = -(-rows // most)
    height, higher = divmod(rows, tiles)
    parts = [Rows(0, height + 1, higher), Rows(higher * (height + 1), height, tiles - higher)]
    return [part for part in parts if part.count]


def best_rows(isa: Isa, shape: ProductShape, pieces: int) -> tuple[float, list[Rows]]:
    """Return the cost for one panel, and the split: into lower but equal tiles where that costs little more."""
    most = min(shape.rows, tallest(isa, pieces, apart=shape.a_row != 1))
    splits = [split_rows(shape.rows, height) for height in range(1, most + 1)]
    return min(((_rows_cycles(isa, parts, pieces, shape.inner), parts) for parts in splits), key=lambda pair: pair[0])


def _rows_cycles(isa: Isa, parts: list[Rows], pieces: int, inner: int) -> float:
    cycles = sum(part.count * _tile_cycles(isa, part.height, pieces, inner) for part in parts)
    return cycles * ONE_MORE_FUNCTION ** len(parts)


def chains_of(isa: Isa, accumulators: int, steps: int) -> int:
    """Return how many sums over parts of K a tile keeps apart, to hide the latency of adding."""
    chains = 1
    while chains < MOST_CHAINS and accumulators * chains * 2 <= LATENCY * 2 and steps >= 4 * chains:
        chains *= 2
    return chains


def side_by_side(isa: Isa, dtype: np.dtype, pieces: tuple[int, ...], inner: int) -> int:
    """Return how many steps of K, a power of two, lie side by side in a register that one step would not fill."""
    width, side = pieces[0], 1
    while 1 < width == sum(pieces) and 2 * side <= inner and 2 * side * width <= isa.lanes(dtype):
        side *= 2
    return side


def split_columns(columns: int, lanes: int, most: int) -> list[Panels]:
    """Split columns into panels of nearly equal numbers of pieces, `most` or fewer."""
    pieces = registers_of(columns, lanes)
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
    if pieces * isa.vector_bytes * min(inner, _most_inner(isa)) > L1_PANEL_BYTES:
        step = max(step, pieces * isa.vector_bytes / L2_BYTES_A_CYCLE)
    return step * inner + CALL_CYCLES + rows * pieces * chains


def _panel_cycles(isa: Isa, shape: ProductShape, panels: list[Panels]) -> float:
    costs = (best_rows(isa, shape, len(g.pieces))[0] * g.count for g in panels)
    return sum(costs) * ONE_MORE_FUNCTION ** len(panels)


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


def _stay(bytes_apart: int, count: int) -> bool:
    """Say whether so many lines, evenly apart, stay in the first cache: powers of two share a few of its sets."""
    lines, rest = divmod(bytes_apart, LINE_BYTES)
    sets = SETS if rest or not lines else SETS // gcd(lines, SETS)
    return min(count, INNER_BLOCK) <= sets * WAYS * 3 // 4


def _lies_well(shape: ProductShape) -> bool:
    """Say whether B can be read where it lies."""
    if not shape.inner or shape.columns == 1 or (shape.inner == 1 and shape.b_column == 1):
        return True
    if shape.b_column != 1:
        return False
    size = shape.dtype.itemsize
    reach = shape.inner * shape.columns * size
    near = reach <= DIRECT_BYTES and shape.inner <= DIRECT_INNER and _stay(shape.b_inner * size, shape.inner)
    return near or shape.rows <= FEW_ROWS


def copies(shape: ProductShape, panels: tuple[Panels, ...]) -> bool:
    """Say whether A, neighbours of which are below each other, is copied chunk by chunk before it meets the panels."""
    if shape.a_row != 1 or shape.a_inner == 1 or shape.rows == 1 or sum(group.count for group in panels) < 3:
        return False
    return not _stay(shape.a_inner * shape.dtype.itemsize, shape.inner)


def _may_dot(shape: ProductShape) -> bool:
    """Say whether vectors can run along K. With many rows and columns, B would come from afar again and again."""
    few = shape.rows <= DOT_ROWS or shape.columns <= DOT_COLUMNS
    return few and shape.a_inner == 1 and shape.b_inner == 1 and shape.inner > 1


@lru_cache(maxsize=256)
def plan(isa: Isa, shape: ProductShape) -> Plan:
    """Return the cheapest way for a product that is not empty."""
    lanes = isa.lanes(shape.dtype)
    count = len(registers_of(shape.columns, lanes))
    choices = [split_columns(shape.columns, lanes, most) for most in range(1, min(count, WIDEST) + 1)]
    cycles, panels = min(((_panel_cycles(isa, shape, panels), panels) for panels in choices), key=lambda pair: pair[0])
    packed = not _lies_well(shape)
    packing = shape.inner * shape.columns * (0.8 if shape.b_column != 1 else 0.4) if packed else 0.0
    if _may_dot(shape) and _dot_cycles(isa, shape) < cycles + packing:
        return Plan(True, False, False, (), _dot_cycles(isa, shape))
    size, inner = shape.dtype.itemsize, inner_blocks(isa, shape.inner)[1]
    fits = all(group.width * inner * size <= BAND_BYTES for group in panels)
    banded = packed and fits and shape.inner * shape.columns * size >= BAND_FROM_BYTES
    return Plan(False, packed and not banded, banded, tuple(panels), cycles)


def _most_inner(isa: Isa) -> int:
    """Return the largest block of K."""
    return min(INNER_BLOCK, L1_PANEL_BYTES // (2 * isa.vector_bytes))


def inner_blocks(isa: Isa, inner: int) -> tuple[int, int]:
    """Return how many blocks of K there are, and the size of all but the last."""
    count = max(1, -(-inner // _most_inner(isa)))
    size = -(-inner // (count * 8)) * 8 if count > 1 else inner
    return (-(-inner // size), size) if size else (1, 0)


def row_chunk(height: int, inner_block: int, itemsize: int, size: int = L2_BYTES) -> int:
    """Return how many tiles of A there are in so many bytes: in the second cache, while all panels pass by."""
    return max(1, size // max(1, height * inner_block * itemsize))


def panels_of_a_band(group: Panels, inner_block: int, itemsize: int) -> int:
    """Return how many panels are packed together."""
    return min(group.count, max(1, BAND_BYTES // (group.width * inner_block * itemsize)))


def tiles_of_a_line(rows: Rows, itemsize: int) -> int:
    """Return how many tiles are copied at once: about those that share a line of A, so that it is fetched once."""
    most = max(1, LINE_BYTES // (rows.height * itemsize))
    return max(n for n in range(1, most + 1) if rows.count % n == 0)
