"""B copied into panels: [panel][K][columns of the panel], so that a micro-kernel reads it in one stream.

A transposed 64 x 64 takes 0.07 ns an element (its product with 32 rows 0.65), 1024 x 1024 0.3 to 0.4, bound by memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from fanin.compiler.native import ir
from fanin.compiler.native.product.kernel import repeated
from fanin.compiler.native.product.plan import pieces_of
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import I32, I64, POINTER, Code, element_type, function

# Source, its strides over K and the columns, target, its stride over K, K.
_ARGUMENTS = [POINTER, I64, I64, POINTER, I64, I64]


def emit_copy(module: ir.Module, isa: Isa, name: str, dtype: np.dtype, pieces: tuple[int, ...]) -> Any:
    """Write the function that copies a panel whose columns are neighbours already."""
    made, code = function(module, name, _ARGUMENTS, isa)
    made.attributes.add("noinline")
    source, step, _, target, width, inner = made.args
    element = element_type(dtype)
    with repeated(code, inner, 1, [source, target]) as (_, carried):
        line, out = carried
        for start, piece in zip([0, *accumulate(pieces)], pieces, strict=False):
            code.store(code.load(code.at(line, I64(start), element), element, piece), code.at(out, I64(start), element))
        carried[:] = [code.at(line, step, element), code.at(out, width, element)]
    code.b.ret_void()
    return made


def emit_rows(module: ir.Module, isa: Isa, name: str, dtype: np.dtype, height: int, tiles: int) -> Any:
    """Write the function that copies tiles of A's rows, neighbours of which are below each other, to [tile][K][height].

    Its arguments are the source, its stride over K, an unused one, the target, its stride over tiles, and K.
    """
    made, code = function(module, name, _ARGUMENTS, isa)
    made.attributes.add("noinline")
    source, step, _, target, next_tile, inner = made.args
    element = element_type(dtype)
    pieces = pieces_of(height, isa.lanes(dtype))
    outs = [code.at(target, code.b.mul(next_tile, I64(tile)), element) for tile in range(tiles)]
    with repeated(code, inner, 1, [source, *outs]) as (_, carried):
        line = carried[0]
        for tile, out in enumerate(carried[1:]):
            for start, piece in zip([0, *accumulate(pieces)], pieces, strict=False):
                held = code.load(code.at(line, I64(tile * height + start), element), element, piece)
                code.store(held, code.at(out, I64(start), element))
        carried[:] = [code.at(line, step, element), *(code.at(out, I64(height), element) for out in carried[1:])]
    code.b.ret_void()
    return made


@dataclass(frozen=True)
class Turn:
    """What a function that turns columns is made for.

    width:   how many columns.
    squares: whether K reaches the width, so that squares of width * width are transposed in registers.
    rest:    whether something of K is left beside them.
    """

    dtype: np.dtype
    width: int
    squares: bool
    rest: bool

    @classmethod
    def of(cls, dtype: np.dtype, width: int, contiguous: bool, inner: int) -> Turn:
        """Return the kind for columns of `inner` elements."""
        squares = contiguous and width > 1 and inner >= width
        return cls(dtype, width, squares, not squares or inner % width != 0)


def emit_turn(module: ir.Module, isa: Isa, name: str, turn: Turn) -> Any:
    """Write the function that copies a few columns of a panel, of any strides; K is 1 at least."""
    made, code = function(module, name, _ARGUMENTS, isa)
    made.attributes.add("noinline")
    source, step, stride, target, out_stride, inner = made.args
    element, width = element_type(turn.dtype), turn.width
    offsets = [code.b.mul(I64(i), stride) for i in range(width)]
    whole: Any = I64(0)
    if turn.squares:
        whole = code.b.and_(inner, I64(-width))
        with repeated(code, whole, width, []) as (k, _):
            lines = [code.at(source, code.b.add(k, offset), element) for offset in offsets]
            square = transposed(code, [code.load(line, element, width) for line in lines])
            for i, row in enumerate(square):
                code.store(row, code.at(target, code.b.mul(code.b.add(k, I64(i)), out_stride), element))
    if turn.rest:
        with repeated(code, inner, 1, [], whole) as (k, _):
            at = code.b.mul(k, step)
            places = [code.at(source, code.b.add(at, offset), element) for offset in offsets]
            gathered = _gathered(code, [code.load(place, element) for place in places])
            code.store(gathered, code.at(target, code.b.mul(k, out_stride), element))
    code.b.ret_void()
    return made


def _gathered(code: Code, scalars: list[Any]) -> Any:
    if len(scalars) == 1:
        return scalars[0]
    out: Any = ir.Constant(code.vector(scalars[0].type, len(scalars)), ir.Undefined)
    for lane, scalar in enumerate(scalars):
        out = code.b.insert_element(out, scalar, I32(lane))
    return out


def transposed(code: Code, rows: list[Any]) -> list[Any]:
    """Transpose a square of registers: blocks of 1, 2, 4, ... lanes change places."""
    width = len(rows)
    size = 1
    while size < width:
        low = [lane if not lane & size else width + lane - size for lane in range(width)]
        high = [lane + size if not lane & size else width + lane for lane in range(width)]
        out = list(rows)
        for i in (i for i in range(width) if not i & size):
            out[i], out[i + size] = (
                code.b.shuffle_vector(rows[i], rows[i + size], code.lanes(I32, order)) for order in (low, high)
            )
        rows = out
        size *= 2
    return rows
