"""The micro-kernel whose vectors run along K: few rows or few columns, both operands contiguous along K.

B is read once, so that packing cannot pay: 1 x 64 x 64 takes 0.13 us (NumPy 1.5), 1 x 128 x 128 0.67 us, 28 bytes a
cycle from the second cache, where packing alone would take about 2 us.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from fanin.compiler.native import ir
from fanin.compiler.native.product.kernel import Arguments, Finish, Place, begin, finish_register, held_or, repeated
from fanin.compiler.native.product.plan import pieces_of
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import I32, I64, Code, element_type, width_of


@dataclass(frozen=True)
class Dot:
    """What a micro-kernel is made for.

    rows, columns: of a tile. down: whether tiles lie one below the other (else side by side).
    dense:         whether C is one column without gaps: then its rows are neighbours.
    lanes:         of a register. tail: K % lanes. short: whether K < lanes.
    chains:        how many vectors of K are in flight, each with sums of its own.
    remainder:     whether the vectors of K may be something else than a multiple of `chains`.
    """

    dtype: np.dtype
    rows: int
    columns: int
    down: bool
    dense: bool
    lanes: int
    tail: int
    short: bool
    chains: int
    remainder: bool
    accumulates: bool


def emit_dot(module: ir.Module, isa: Isa, name: str, dot: Dot, finish: Finish) -> Any:
    """Write the function that computes a line of equal tiles."""
    made, code, given, context = begin(module, isa, name, finish)
    with repeated(code, given.down if dot.down else given.across, 1, []) as (number, _):
        row = code.b.mul(number, I64(dot.rows if dot.down else 0))
        column = code.b.mul(number, I64(0 if dot.down else dot.columns))
        _finish(code, dot, given, (row, column), _sums(code, dot, given, (row, column)), finish, context)
    code.b.ret_void()
    return made


def _sums(code: Code, dot: Dot, given: Arguments, at: tuple[Any, Any]) -> list[list[Any]]:
    """Return one vector of partial sums for each row and column."""
    element = element_type(dot.dtype)
    a = [_line(code, given.a, at[0], r, given.stride_a, element) for r in range(dot.rows)]
    b = [_line(code, given.b, at[1], c, given.stride_b, element) for c in range(dot.columns)]
    size = dot.rows * dot.columns
    values = [code.const(0, element, dot.lanes)] * (size * dot.chains)
    whole: Any = code.b.and_(given.inner, I64(-dot.lanes))
    stop: Any = code.b.and_(given.inner, I64(-dot.lanes * dot.chains)) if dot.remainder else whole
    if not dot.short:
        with repeated(code, stop, dot.lanes * dot.chains, values) as (k, carried):
            for chain in range(dot.chains):
                part = slice(chain * size, (chain + 1) * size)
                place = code.b.add(k, I64(chain * dot.lanes))
                carried[part] = _step(code, dot, (a, b), place, dot.lanes, carried[part])
    sums = values[:size]
    for chain in range(1, dot.chains):
        sums = [code.add(x, y) for x, y in zip(sums, values[chain * size :], strict=False)]
    if dot.remainder:
        with repeated(code, whole, dot.lanes, sums, stop) as (k, carried):
            carried[:] = _step(code, dot, (a, b), k, dot.lanes, list(carried))
    for width in pieces_of(dot.tail, dot.lanes):
        sums = _step(code, dot, (a, b), whole, width, sums)
        whole = code.b.add(whole, I64(width))
    return [sums[r * dot.columns : (r + 1) * dot.columns] for r in range(dot.rows)]


def _line(code: Code, pointer: Any, first: Any, number: int, stride: Any, element: Any) -> Any:
    return code.at(pointer, code.b.mul(code.b.add(first, I64(number)), stride), element)


def _step(code: Code, dot: Dot, lines: tuple[list[Any], list[Any]], k: Any, width: int, sums: list[Any]) -> list[Any]:
    element = element_type(dot.dtype)

    def held(line: Any) -> Any:
        return _widened(code, code.load(code.at(line, k, element), element, width), dot.lanes)

    a, b = lines
    out = list(sums)
    few, many = (a, b) if dot.rows <= dot.columns else (b, a)
    kept = [held(line) for line in few]
    for j, line in enumerate(many):
        y = held(line)
        for i, x in enumerate(kept):
            number = i * dot.columns + j if few is a else j * dot.columns + i
            out[number] = code.fma(x, y, out[number])
    return out


def _widened(code: Code, a: Any, lanes: int) -> Any:
    """Fill up with zeros."""
    width = width_of(a)
    if width == lanes:
        return a
    if width == 1:
        return code.b.insert_element(code.const(0, a.type, lanes), a, I32(0))
    order = [*range(width), *([width] * (lanes - width))]
    return code.b.shuffle_vector(a, code.like(0, a), code.lanes(I32, order))


def _finish(
    code: Code,
    dot: Dot,
    given: Arguments,
    at: tuple[Any, Any],
    sums: list[list[Any]],
    finish: Finish,
    context: Sequence[Any],
) -> None:
    element = element_type(dot.dtype)
    corner = Place(code.b.add(at[0], given.row), code.b.add(at[1], given.column))
    for r, start, total in _totals(code, dot, sums):
        m, n = code.b.add(at[0], I64(r)), code.b.add(at[1], I64(start))
        place = code.at(given.c, code.b.add(code.b.mul(m, given.c_row), n), element)
        if dot.accumulates:
            (total,) = held_or(code, given.accumulate, [place], [total], code.add)
        finish_register(code, finish, total, corner.at(r, start), place, context)


def _totals(code: Code, dot: Dot, sums: list[list[Any]]) -> Iterator[tuple[int, int, Any]]:
    """Add the lanes up: yield the row, the column, and a vector of neighbours from there on."""
    if dot.columns > 1:
        for r, row in enumerate(sums):
            for start, width in _starts(dot.columns, dot.lanes):
                yield r, start, _added_up(code, row[start : start + width])
        return
    for first, width in _starts(dot.rows, dot.lanes):
        total = _added_up(code, [row[0] for row in sums[first : first + width]])
        if dot.dense or width == 1:
            yield first, 0, total
        else:
            for i in range(width):
                yield first + i, 0, code.b.extract_element(total, I32(i))


def _starts(count: int, lanes: int) -> Iterator[tuple[int, int]]:
    """Yield where the pieces of so many sums start, and how many each has."""
    pieces = pieces_of(count, lanes)
    return zip([0, *accumulate(pieces)], pieces, strict=False)


def _added_up(code: Code, vectors: list[Any]) -> Any:
    """Return lane i = the sum of the lanes of vectors[i]; their number is a power of two."""
    count = len(vectors)
    if count == 1:
        return code.fold(vectors[0], code.add)
    while len(vectors) > 1:
        vectors = [_neighbours_added(code, x, y) for x, y in zip(vectors[::2], vectors[1::2], strict=True)]
    out = vectors[0]
    while width_of(out) > count:
        half = range(width_of(out) // 2)
        even, odd = (code.b.shuffle_vector(out, out, code.lanes(I32, [2 * i + j for i in half])) for j in (0, 1))
        out = code.add(even, odd)
    return out


def _neighbours_added(code: Code, x: Any, y: Any) -> Any:
    """Return the sums of two neighbours each: those of x, then those of y."""
    width = width_of(x)
    even, odd = (code.b.shuffle_vector(x, y, code.lanes(I32, range(j, 2 * width, 2))) for j in (0, 1))
    return code.add(even, odd)
