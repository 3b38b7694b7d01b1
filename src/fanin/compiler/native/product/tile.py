"""The micro-kernel whose vectors run along the columns: R rows by P registers, over a panel of B."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from llvmlite import ir

from fanin.compiler.native.product.kernel import (
    KERNEL_ARGUMENTS,
    Arguments,
    Finish,
    carried_loop,
    finish_register,
    started,
)
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import I64, Code, element_type, function


@dataclass(frozen=True)
class Tile:
    """What a micro-kernel is made for.

    along_rows:  A's elements of a row are neighbours.
    along_inner: A's elements of one k are neighbours.
    unroll:      steps of K written out. chains: how many of them have sums of their own.
    remainder:   whether K may be something else than a multiple of `unroll`.
    accumulates: whether C may have to be added.
    """

    dtype: np.dtype
    rows: int
    pieces: tuple[int, ...]
    along_rows: bool
    along_inner: bool
    unroll: int
    chains: int
    remainder: bool
    accumulates: bool

    @property
    def places(self) -> list[tuple[int, int, int]]:
        """(row, column, width) of each accumulator."""
        starts = [0, *accumulate(self.pieces)]
        return [(row, starts[i], width) for row in range(self.rows) for i, width in enumerate(self.pieces)]


def emit_tile(module: ir.Module, isa: Isa, name: str, tile: Tile, finish: Finish) -> Any:
    """Write the function that computes `count` tiles, one below the other."""
    made, code = function(module, name, [*KERNEL_ARGUMENTS, *finish.types], isa)
    made.attributes.add("noinline")
    given = Arguments(*made.args[: len(KERNEL_ARGUMENTS)])
    context = made.args[len(KERNEL_ARGUMENTS) :]
    with code.loop(0, given.count, name="tile") as number:
        row = code.b.mul(number, I64(tile.rows))
        _one_tile(code, tile, given, row, finish, context)
    code.b.ret_void()
    return made


def _one_tile(code: Code, tile: Tile, given: Arguments, row: Any, finish: Finish, context: Sequence[Any]) -> None:
    element = element_type(tile.dtype)
    c = code.at(given.c, code.b.mul(row, given.c_row), element)
    lines = [code.at(c, code.b.mul(I64(r), given.c_row), element) for r in range(tile.rows)]
    places = [code.at(lines[r], I64(column), element) for r, column, _ in tile.places]
    widths = [width for _, _, width in tile.places]
    zeros = [code.const(0, element, width) for width in widths]
    first = started(code, given.accumulate, places, element, widths) if tile.accumulates else zeros
    sums = _sums(code, tile, given, row, [first] + [zeros] * (tile.chains - 1))
    row = code.b.add(row, given.row)
    for (r, column, _), acc, place in zip(tile.places, sums, places, strict=True):
        at = code.b.add(row, I64(r)), code.b.add(given.column, I64(column))
        finish_register(code, finish, acc, at, place, context)


def _sums(code: Code, tile: Tile, given: Arguments, row: Any, sums: list[list[Any]]) -> list[Any]:
    """Run over K; `sums` are the accumulators of each chain."""
    element = element_type(tile.dtype)
    size = len(sums[0])
    a = code.at(given.a, code.b.mul(row, I64(1) if tile.along_inner else given.stride_a), element)
    stop = code.b.and_(given.inner, I64(-tile.unroll)) if tile.remainder else given.inner
    values = [a, given.b, *(acc for chain in sums for acc in chain)]
    with carried_loop(code, stop, tile.unroll, values) as (_, carried):
        _steps(code, tile, given, carried, tile.unroll)
    out = values[2 : 2 + size]
    for chain in range(1, tile.chains):
        out = [code.add(x, y) for x, y in zip(out, values[2 + chain * size :], strict=False)]
    if not tile.remainder or tile.unroll == 1:
        return out
    values = [values[0], values[1], *out]
    with carried_loop(code, given.inner, 1, values, stop) as (_, carried):
        _steps(code, tile, given, carried, 1)
    return values[2:]


def _steps(code: Code, tile: Tile, given: Arguments, carried: list[Any], steps: int) -> None:
    element = element_type(tile.dtype)
    size = tile.rows * len(tile.pieces)
    for step in range(steps):
        first = 2 + step % tile.chains * size if steps > 1 else 2
        carried[first : first + size] = _step(code, tile, given, carried[:2], carried[first : first + size])
        carried[0] = code.at(carried[0], I64(1) if tile.along_rows else given.step_a, element)
        carried[1] = code.at(carried[1], given.stride_b, element)


def _step(code: Code, tile: Tile, given: Arguments, pointers: list[Any], sums: list[Any]) -> list[Any]:
    """Add A[:, k] B[k, :]. The operand with fewer registers is held, the other comes piece by piece."""
    element = element_type(tile.dtype)
    sums = list(sums)
    starts = [0, *accumulate(tile.pieces)]

    def row(r: int) -> Any:
        stride = I64(r) if tile.along_inner else code.b.mul(I64(r), given.stride_a)
        return code.load(code.at(pointers[0], stride, element), element)

    def piece(i: int) -> Any:
        return code.load(code.at(pointers[1], I64(starts[i]), element), element, tile.pieces[i])

    def add(r: int, i: int, x: Any, y: Any) -> None:
        number = r * len(tile.pieces) + i
        sums[number] = code.fma(code.splat(x, tile.pieces[i]), y, sums[number])

    if len(tile.pieces) <= tile.rows:
        held = [piece(i) for i in range(len(tile.pieces))]
        for r in range(tile.rows):
            x = row(r)
            for i, y in enumerate(held):
                add(r, i, x, y)
    else:
        held = [row(r) for r in range(tile.rows)]
        for i in range(len(tile.pieces)):
            y = piece(i)
            for r, x in enumerate(held):
                add(r, i, x, y)
    return sums
