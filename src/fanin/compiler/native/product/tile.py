"""The micro-kernel whose vectors run along the columns: R rows by P registers, over a panel of B."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
from llvmlite import ir

from fanin.compiler.native.product.kernel import Arguments, Finish, begin, finish_register, held_or, repeated, splat
from fanin.compiler.native.product.plan import INNER_BLOCK, pieces_of
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import I64, POINTER, Code, element_type


@dataclass(frozen=True)
class Tile:
    """What a micro-kernel is made for.

    along_rows:  A's elements of a row are neighbours.
    along_inner: A's elements of one k are neighbours.
    copied:      whether A's part is copied to the stack first, and all panels computed with it; else all rows are
                 computed with one panel before the next.
    chains:      how many steps of K have sums of their own; this many are written out.
    remainder:   whether K is something else than a multiple of `chains`.
    empty:       whether K is 0.
    accumulates: whether C may have to be added.
    """

    dtype: np.dtype
    rows: int
    pieces: tuple[int, ...]
    along_rows: bool
    along_inner: bool
    copied: bool
    chains: int
    remainder: bool
    empty: bool
    accumulates: bool

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
    kernel = _Kernel(code, tile, given, finish, context)
    if tile.copied:
        kernel.emit_copied()
    else:
        kernel.emit_panels()
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
        self.stride_a = I64(1) if tile.along_inner else given.stride_a
        self.lines = [code.b.mul(given.c_row, I64(r)) for r in range(tile.rows)]

    def at(self, pointer: Any, offset: Any) -> Any:
        """Return the address of an element; offset 0 costs nothing."""
        if isinstance(offset, int):
            offset = I64(offset)
        same = isinstance(offset, ir.Constant) and offset.constant == 0
        return pointer if same else self.code.at(pointer, offset, self.element)

    # The grid -----------------------------------------------------------------------------------------------------

    def emit_panels(self) -> None:
        """Write the loops that stay with a panel for all rows: it lies in the first cache."""
        code, given = self.code, self.given
        offsets = [code.b.mul(self.stride_a, I64(r)) for r in range(self.tile.rows)]
        step_a = I64(1) if self.tile.along_rows else given.step_a
        panel = [given.b, given.c, given.column]
        with repeated(code, given.across, 1, panel) as (_, across):
            tiles = [given.a, across[1], given.row]
            with repeated(code, given.down, 1, tiles) as (_, down):
                operands = _Operands(down[0], offsets, step_a, across[0], given.step_b)
                self._one_tile(operands, down[1], down[2], across[2])
                self._next_row(down)
            self._next_panel(across)

    def emit_copied(self) -> None:
        """Write the loops that stay with a copy of A's rows for all panels."""
        code, given, tile = self.code, self.given, self.tile
        buffer = code.b.alloca(ir.ArrayType(self.element, INNER_BLOCK * tile.rows))
        buffer.align, buffer.type = 64, POINTER
        tiles = [given.a, given.c, given.row]
        with repeated(code, given.down, 1, tiles) as (_, down):
            self._copy(down[0], buffer)
            panel = [given.b, down[1], given.column]
            with repeated(code, given.across, 1, panel) as (_, across):
                offsets = [I64(r) for r in range(tile.rows)]
                operands = _Operands(buffer, offsets, I64(tile.rows), across[0], given.step_b)
                self._one_tile(operands, across[1], down[2], across[2])
                self._next_panel(across)
            self._next_row(down)

    def _next_row(self, down: list[Any]) -> None:
        rows = I64(self.tile.rows)
        down[0] = self.at(down[0], self.code.b.mul(self.stride_a, rows))
        down[1] = self.at(down[1], self.code.b.mul(self.given.c_row, rows))
        down[2] = self.code.b.add(down[2], rows)

    def _next_panel(self, across: list[Any]) -> None:
        width = I64(sum(self.tile.pieces))
        across[0] = self.at(across[0], self.given.stride_b)
        across[1] = self.at(across[1], width)
        across[2] = self.code.b.add(across[2], width)

    def _copy(self, a: Any, buffer: Any) -> None:
        code, rows = self.code, self.tile.rows
        pieces = pieces_of(rows, code.isa.lanes(self.tile.dtype))
        pointers = [a, buffer]
        with repeated(code, self.given.inner, 1, pointers) as (_, carried):
            for start, width in zip([0, *accumulate(pieces)], pieces, strict=False):
                held = code.load(self.at(carried[0], start), self.element, width)
                code.store(held, self.at(carried[1], start))
            carried[:] = [self.at(carried[0], self.given.step_a), self.at(carried[1], rows)]

    # One tile -----------------------------------------------------------------------------------------------------

    def _one_tile(self, operands: _Operands, c: Any, row: Any, column: Any) -> None:
        code, tile = self.code, self.tile
        lines = [self.at(c, line) for line in self.lines] if tile.accumulates or not self.finish.epilogue else []
        places = [self.at(lines[r], start) if lines else None for r, start, _ in tile.places]
        sums = [code.const(0, self.element, width) for width in self.widths]
        zeros = list(sums)
        if tile.accumulates:
            sums = held_or(code, self.given.accumulate, places, sums)
        if not tile.empty:
            sums = self._sums(operands, sums + zeros * (tile.chains - 1))
        for (r, start, _), acc, place in zip(tile.places, sums, places, strict=True):
            at = code.b.add(row, I64(r)), code.b.add(column, I64(start))
            finish_register(code, self.finish, acc, at, place, self.context)

    def _sums(self, operands: _Operands, sums: list[Any]) -> list[Any]:
        """Run over K; `sums` are the accumulators of the chains, one after the other."""
        code, tile, inner = self.code, self.tile, self.given.inner
        size = len(self.widths)
        stop = code.b.and_(inner, I64(-tile.chains)) if tile.remainder else inner
        values = [operands.a, operands.b, *sums]
        with repeated(code, stop, tile.chains, values) as (_, carried):
            for first in range(2, len(carried), size):
                self._step(operands, carried, slice(first, first + size))
        out = values[2 : 2 + size]
        for first in range(2 + size, len(values), size):
            out = [code.add(x, y) for x, y in zip(out, values[first : first + size], strict=True)]
        if not tile.remainder:
            return out
        values = [*values[:2], *out]
        with repeated(code, inner, 1, values, stop) as (_, carried):
            self._step(operands, carried, slice(2, None))
        return values[2:]

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
