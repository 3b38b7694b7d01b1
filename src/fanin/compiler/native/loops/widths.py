"""How many registers a loop computes with at a time, side by side.

Some share the constants of a polynomial, and hide the latency of one another. What is left over at the end of a row is
written again, for fewer.
"""

from __future__ import annotations

from collections.abc import Sequence

from fanin.compiler.graph import Value
from fanin.compiler.passes.fuse import HEAVY

# Functions of which four registers fit beside their constants: 10 cycles for 8 floats of exp in place of 11 with two.
# Others lose by it (asinh 110 and 92).
OF_FEW_CONSTANTS = frozenset("exp exp2 expm1 tanh sinh cosh sigmoid".split())


def lanes_of(members: Sequence[Value], register: int, count: int, most: int) -> int:
    """Return the lanes of a step over `count` elements, those of `most` registers or fewer of `register` lanes."""
    two, four = 2 * register, 4 * register
    most = min(most, _registers(members))
    written_more = _times_written(count, four) > _times_written(count, two)
    if most >= 4 and count >= 2 * four and not (written_more and count < 16 * four):
        return four
    return two if most >= 2 and count >= 2 * two else register


def _registers(members: Sequence[Value]) -> int:
    heavy = [v.op.name for v in members if v.op is not None and v.op.name in HEAVY]
    if len(heavy) == 1 and heavy[0] in OF_FEW_CONSTANTS:
        return 4
    # Random words are drawn in lanes twice as wide: 256 rows of 50-128-128-128-2 with dropout 1,150 us, and 960 so.
    draws = any(v.op is not None and v.op.name == "random_keep" for v in members)
    return 2 if heavy or draws else 1


def _times_written(count: int, width: int) -> int:
    """Return how often a body is written for so many elements: for a width, and for each half of it that is left."""
    return (count >= width) + (count % width).bit_count()
