"""The micro-kernel whose vectors run along the columns: R rows by P registers, over a panel of B.

One function walks over a grid of equal tiles; strides are arguments, so that layers of all sizes share it. A step of 6
x 2 is 20 instructions for 12 multiply-adds, to which the loop adds 5. A core that is its thread's own does not notice,
but where another thread shares it, as beside other machines on one host, only half of the instructions get through: so
a few steps are written out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np

from fanin.compiler.native import ir
from fanin.compiler.native.product.kernel import (
    Arguments,
    Finish,
    Place,
    begin,
    finish_register,
    held_or,
    prefetch,
    repeated,
    splat,
)
from fanin.compiler.native.product.plan import LINE_BYTES
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import I8, I32, I64, Code, element_type, width_of


@dataclass(frozen=True)
class Tile:
    """What a micro-kernel is made for.

    along_rows:  A's elements of a row are neighbours.
    along_inner: A's elements of one k are neighbours.
    chains:      how many steps of K have sums of their own.
    written:     how many steps are written out, a multiple of `chains` and of `side`.
    remainder:   whether K is something else than a multiple of `written`.
    empty:       whether K is 0.
    ahead:       whether the next panel is fetched into the first cache meanwhile.
    accumulates: whether C may have to be added.
    side:        how many steps of K lie side by side in a register; more than 1 only where that is one piece, A's
                 elements of a row are neighbours, and B's rows follow each other without gaps.
    """

    dtype: np.dtype
    rows: int
    pieces: tuple[int, ...]
    along_rows: bool
    along_inner: bool
    chains: int
    written: int
    remainder: bool
    empty: bool
    ahead: bool
    accumulates: bool
    side: int = 1

    @property
    def starts(self) -> list[int]:
        """The first column of each piece."""
        return [0, *accumulate(self.pieces)][:-1]

    @property
    def places(self) -> list[tuple[int, int, int]]:
        """(row, column, width) of each accumulator."""
        return [(r, start, w) for r in range(self.rows) for start, w in zip(self.starts, self.pieces, strict=True)]


@dataclass(frozen=True)
class _Operands:
    """A tile's operands: A's first element, the offsets of its rows and its step over K; B's element and step."""

    a: Any
    offsets: list[Any]
    step_a: Any
    b: Any
    step_b: Any


def emit_tile(module: ir.Module, isa: Isa, name: str, tile: Tile, finish: Finish) -> Any:
    """Write the function that computes a grid of equal tiles."""
    made, code, given, context = begin(module, isa, name, finish)
    _Kernel(code, tile, given, finish, context).emit_grid()
    code.b.ret_void()
    return made


class _Kernel:
    """One micro-kernel being written."""

    def __init__(self, code: Code, tile: Tile, given: Arguments, finish: Finish, context: Sequence[Any]) -> None:
        self.code = code
        self.tile = tile
        self.given = given
        self.finish = finish
        self.context = context
        self.element = element_type(tile.dtype)
        self.widths = [width for _, _, width in tile.places]
        self.lines = [code.b.mul(given.c_row, I64(r)) for r in range(tile.rows)]

    def at(self, pointer: Any, offset: Any) -> Any:
        """Return the address of an element; offset 0 costs nothing."""
        if isinstance(offset, int):
            offset = I64(offset)
        same = isinstance(offset, ir.Constant) and offset.constant == 0
        return pointer if same else self.code.at(pointer, offset, self.element)

    # The grid -----------------------------------------------------------------------------------------------------

    def emit_grid(self) -> None:
        """Write the loops, which stay with a panel for all rows: it lies in the first cache."""
        code, given, tile = self.code, self.given, self.tile
        offsets = [I64(r) if tile.along_inner else code.b.mul(given.stride_a, I64(r)) for r in range(tile.rows)]
        step_a = I64(1) if tile.along_rows else given.step_a
        next_c = code.b.mul(given.c_row, I64(tile.rows))
        width = sum(tile.pieces)
        share = self._share() if tile.ahead else None
        panel = [given.b, given.c, given.column]
        with repeated(code, given.across, 1, panel) as (_, across):
            b, c, column = across
            rows = [given.a, c, given.row, *([self.at(b, given.stride_b)] if tile.ahead else [])]
            with repeated(code, given.down, 1, rows) as (_, down):
                a, line, row, *ahead = down
                ahead = [self._fetched(place, share) for place in ahead]
                self._one_tile(_Operands(a, offsets, step_a, b, given.step_b), line, row, column)
                down[:] = [self.at(a, given.next_a), self.at(line, next_c), code.b.add(row, I64(tile.rows)), *ahead]
            across[:] = [self.at(b, given.stride_b), self.at(c, width), code.b.add(column, I64(width))]

    def _share(self) -> Any:
        """Return how many lines of the next panel each tile fetches."""
        code, size = self.code, sum(self.tile.pieces) * self.tile.dtype.itemsize
        lines = code.b.mul(self.given.inner, I64(-(-size // LINE_BYTES)))
        return code.b.udiv(code.b.sub(code.b.add(lines, self.given.down), I64(1)), self.given.down)

    def _fetched(self, place: Any, share: Any) -> Any:
        """Fetch some lines; return where the next ones begin."""
        places = [place]
        with repeated(self.code, share, 1, places) as (_, carried):
            prefetch(self.code, carried[0])
            carried[0] = self.code.b.gep(carried[0], [I64(LINE_BYTES)], source_etype=I8)
        return places[0]

    # One tile -----------------------------------------------------------------------------------------------------

    def _one_tile(self, operands: _Operands, c: Any, row: Any, column: Any) -> None:
        code, tile = self.code, self.tile
        lines = [self.at(c, line) for line in self.lines] if tile.accumulates or not self.finish.epilogue else []
        places = [self.at(lines[r], start) if lines else None for r, start, _ in tile.places]
        zero = {
            width: ir.Constant(code.vector(self.element, width), None if width > 1 else 0.0) for width in tile.pieces
        }
        zeros = sums = [zero[width] for width in self.widths]
        if tile.accumulates:
            sums = held_or(code, self.given.accumulate, places, sums)
        if not tile.empty:
            sums = self._sums(operands, sums + zeros * (tile.chains - 1))
        corner = Place(row, column)
        for (r, start, _), acc, place in zip(tile.places, sums, places, strict=True):
            finish_register(code, self.finish, acc, corner.at(r, start), place, self.context)

    def _sums(self, operands: _Operands, sums: list[Any]) -> list[Any]:
        """Run over K; `sums` are the accumulators of the chains, one after the other."""
        code, tile, inner = self.code, self.tile, self.given.inner
        stop = code.b.and_(inner, I64(-tile.written)) if tile.remainder else inner
        values = [operands.a, operands.b, *sums]
        out = self._side_by_side(operands, values, stop) if tile.side > 1 else self._chained(operands, values, stop)
        if not tile.remainder:
            return out
        values = [*values[:2], *out]
        with repeated(code, inner, 1, values, stop) as (_, carried):
            self._step(operands, carried, slice(2, None))
        return values[2:]

    def _chained(self, operands: _Operands, values: list[Any], stop: Any) -> list[Any]:
        """Run over K up to `stop`, one step after the other; return the sums."""
        code, tile, size = self.code, self.tile, len(self.widths)
        with repeated(code, stop, tile.written, values) as (_, carried):
            for first in list(range(2, len(carried), size)) * (tile.written // tile.chains):
                self._step(operands, carried, slice(first, first + size))
        out = values[2 : 2 + size]
        for first in range(2 + size, len(values), size):
            out = [code.add(x, y) for x, y in zip(out, values[first : first + size], strict=True)]
        return out

    def _side_by_side(self, operands: _Operands, values: list[Any], stop: Any) -> list[Any]:
        """Run over K up to `stop`, several steps at a time: the columns of one, those of the next, in one register."""
        code, (width,), side = self.code, self.tile.pieces, self.tile.side
        order = code.lanes(I32, [lane // width for lane in range(side * width)])
        held, places = values[2:], values[:2]
        sums = [*places, *[ir.Constant(code.vector(self.element, side * width), None)] * self.tile.rows]
        with repeated(code, stop, self.tile.written, sums) as (_, carried):
            for _ in range(self.tile.written // side):
                y = code.load(carried[1], self.element, side * width)
                for r, offset in enumerate(operands.offsets, 2):
                    x = code.load(self.at(carried[0], offset), self.element, side)
                    carried[r] = code.fma(code.b.shuffle_vector(x, x, order), y, carried[r])
                carried[:2] = [self.at(carried[0], side), self.at(carried[1], side * width)]
        values[:2] = sums[:2]
        found = [self._together(x, width) for x in sums[2:]]
        return [code.add(x, y) for x, y in zip(held, found, strict=True)] if self.tile.accumulates else found

    def _together(self, x: Any, width: int) -> Any:
        """Return the sum of the parts of a register that are `width` lanes each; they are a power of two."""
        code = self.code
        while (size := width_of(x)) > width:
            low, high = (code.lanes(I32, range(at, at + size // 2)) for at in (0, size // 2))
            x = code.add(code.b.shuffle_vector(x, x, low), code.b.shuffle_vector(x, x, high))
        return x

    def _step(self, operands: _Operands, carried: list[Any], part: slice) -> None:
        """Add A[:, k] B[k, :]. The operand with fewer registers is held, the other comes piece by piece."""
        tile = self.tile
        moving = replace(operands, a=carried[0], b=carried[1])
        sums = carried[part]
        if len(tile.pieces) <= tile.rows:
            held = [self._piece(moving, i) for i in range(len(tile.pieces))]
            for r in range(tile.rows):
                x = self._row(moving, r)
                for i, y in enumerate(held):
                    self._add(sums, (r, i), x, y)
        else:
            rows = [self._row(moving, r) for r in range(tile.rows)]
            for i in range(len(tile.pieces)):
                y = self._piece(moving, i)
                for r, x in enumerate(rows):
                    self._add(sums, (r, i), x, y)
        carried[part] = sums
        carried[0] = self.at(carried[0], operands.step_a)
        carried[1] = self.at(carried[1], operands.step_b)

    def _row(self, operands: _Operands, r: int) -> dict[int, Any]:
        """Return A[r, k] in registers of each width."""
        x = self.code.load(self.at(operands.a, operands.offsets[r]), self.element)
        return {width: splat(self.code, x, width) for width in set(self.tile.pieces)}

    def _piece(self, operands: _Operands, i: int) -> Any:
        return self.code.load(self.at(operands.b, self.tile.starts[i]), self.element, self.tile.pieces[i])

    def _add(self, sums: list[Any], at: tuple[int, int], x: dict[int, Any], y: Any) -> None:
        number = at[0] * len(self.tile.pieces) + at[1]
        sums[number] = self.code.fma(x[self.tile.pieces[at[1]]], y, sums[number])
