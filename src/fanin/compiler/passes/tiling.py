"""How the rows of a batch are shared out: into lanes, which threads take, and into blocks, which stay in the cache.

The partition depends on shapes alone, never on the number of threads: so do the bits of the result.
"""

from __future__ import annotations

from dataclasses import dataclass

from fanin.compiler.graph import Graph

# Below this many floating-point operations, 3 us of one core, a second thread costs more than it brings: a barrier by
# itself takes 0.1 to 0.2 us, but threads do not come to it at the same moment.
WORK_OF_A_LANE = 300_000
MOST_LANES = 64
# A batch whose activations are larger than this is streamed: forward and backward for a block of rows at a time. Then a
# core reads its own activations, not the other's: 256 rows of 50-128-128-128-2 took 455 us on two cores, and 420 so.
WHOLE_BATCH_BYTES = 1 << 20
LEAST_STREAMED_ROWS = 128
BLOCK_BYTES = 160 << 10
# A block reads all weights, which pays for so many rows.
LEAST_BLOCK = 64
MOST_STREAMED_PARAMETERS = 1 << 16


@dataclass(frozen=True)
class Tiling:
    """A partition of the batch.

    rows:     of the batch.
    lanes:    (first row, rows) of each.
    block:    rows at a time.
    streamed: whether sums over the batch are added up block by block, one sum for each lane, instead of in one product
              over the whole batch.
    """

    rows: int
    lanes: tuple[tuple[int, int], ...]
    block: int
    streamed: bool

    def blocks(self, lane: int) -> list[tuple[int, int]]:
        """Return (first row, rows) of each block of a lane."""
        start, count = self.lanes[lane]
        return [(start + at, min(self.block, count - at)) for at in range(0, count, self.block)]


def work_of(graph: Graph) -> int:
    """Return the floating-point operations of the products of one step."""
    total = 0
    for value in graph.values():
        if value.op is not None and value.op.name == "matmul":
            total += 2 * value.size * value.inputs[0].shape[-1]
    return total


def lanes_for(work: int, rows: int) -> int:
    """Return into how many parts a phase's rows are cut."""
    # A lane reads all weights: fewer than 64 rows do not make up for that, but a second lane does from 32 on.
    by_rows = max(min(2, rows // 16), min(4, rows // 64), rows // 1024)
    most = min(MOST_LANES, work // WORK_OF_A_LANE, by_rows)
    return 1 << (max(1, most).bit_length() - 1)


def tiling(graph: Graph, rows: int, row_bytes: int, parameters: int) -> Tiling:
    """Choose the partition of a batch.

    row_bytes:  what one row takes in all values that have rows.
    parameters: how many numbers the sums over the batch have.
    """
    rows = max(rows, 1)
    lanes = lanes_for(work_of(graph), rows)
    large = rows * row_bytes > WHOLE_BATCH_BYTES and rows >= LEAST_STREAMED_ROWS
    streamed = large and parameters <= MOST_STREAMED_PARAMETERS
    each = -(-rows // lanes)
    cut = tuple((at, min(each, rows - at)) for at in range(0, rows, each))
    block = _block(each, max(LEAST_BLOCK, BLOCK_BYTES // max(row_bytes, 1))) if streamed else each
    return Tiling(rows, cut, block, streamed)


def _block(rows: int, most: int) -> int:
    """Return a number of rows of about `most` that divides a lane, where there is one."""
    count = -(-rows * 4 // (most * 5))
    for blocks in range(count, count * 2):
        if rows % blocks == 0:
            return rows // blocks
    return -(-rows // count)
