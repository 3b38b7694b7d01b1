"""The matrix products of one LLVM module: loops over blocks and panels that call shared micro-kernels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from fanin.compiler.native import ir
from fanin.compiler.native.product.dot import Dot, emit_dot
from fanin.compiler.native.product.kernel import Arguments, Epilogue, Finish, repeated
from fanin.compiler.native.product.pack import Turn, emit_copy, emit_rows, emit_turn
from fanin.compiler.native.product.plan import (
    AHEAD_BYTES,
    BAND_BYTES,
    COPY_BYTES,
    STEPS_WRITTEN,
    Panels,
    Plan,
    Rows,
    best_rows,
    chains_of,
    copies,
    dot_tile,
    inner_blocks,
    panels_of_a_band,
    pieces_of,
    plan,
    row_chunk,
    side_by_side,
    split_rows,
    tiles_of_a_line,
)
from fanin.compiler.native.product.shape import ProductShape
from fanin.compiler.native.product.tile import Tile, emit_tile
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import I1, I8, I64, Code, element_type


class Products:
    """Writes products into a module. Micro-kernels of the same tile, epilogue and context types are made once.

    Two epilogues are the same if they are equal (`==`), so that frozen dataclasses with `__call__` are shared between
    layers; they have to be hashable. Panels and the order of summation follow from the shape, all of it: a product that
    is divided among threads is one shape for each part, whose sizes must not depend on how many threads there are, and
    parts that share packed panels must be of one shape. What an epilogue writes must not overlap the operands.
    """

    def __init__(self, module: ir.Module, isa: Isa) -> None:
        self.module = module
        self.isa = isa
        self._made: dict[Any, Any] = {}

    def packed_size(self, shape: ProductShape) -> int:
        """Return the elements of a buffer for B in panels; 0 when B is used where it lies."""
        if not shape.rows or not shape.columns or not plan(self.isa, shape).packed:
            return 0
        return shape.inner * shape.columns

    def equal_panels(self, shape: ProductShape) -> int:
        """Return how many panels B is copied into if they are all alike, so that parts of them can be; otherwise 1."""
        panels = plan(self.isa, shape).panels
        return panels[0].count if len(panels) == 1 else 1

    def emit_pack(
        self, code: Code, shape: ProductShape, b: Any, packed: Any, first: Any = None, count: int | None = None
    ) -> None:
        """Copy B into panels: all of them, or `count` equal ones from the one called `first`."""
        if not self.packed_size(shape):
            return
        element = element_type(shape.dtype)
        for group in plan(self.isa, shape).panels:
            with repeated(code, I64(group.count if count is None else count), 1, []) as (number, _):
                number = number if count is None else code.b.add(number, first)
                column = code.b.add(code.b.mul(number, I64(group.width)), I64(group.first))
                source = code.at(b, code.b.mul(column, I64(shape.b_column)), element)
                target = code.at(packed, code.b.mul(column, I64(shape.inner)), element)
                self.pack_panel(code, shape, group, source, target)

    def pack_panel(self, code: Code, shape: ProductShape, group: Panels, source: Any, target: Any) -> None:
        """Copy the columns of a panel, from where they lie."""
        element, dtype = element_type(shape.dtype), shape.dtype
        strides = [I64(shape.b_inner), I64(shape.b_column)]
        if shape.b_column == 1:
            copy = self.function(("copy", dtype, group.pieces), emit_copy, dtype, group.pieces)
            code.b.call(copy, [source, *strides, target, I64(group.width), I64(shape.inner)])
            return
        start = 0
        # Squares are transposed in registers: no larger than K, if that is small.
        size = min(self.isa.lanes(dtype), 1 << max(0, shape.inner.bit_length() - 1))
        for width in (part for piece in group.pieces for part in pieces_of(piece, size)):
            kind = Turn.of(dtype, width, shape.b_inner == 1, shape.inner)
            turn = self.function(("turn", kind), emit_turn, kind)
            line = code.at(source, I64(start * shape.b_column), element)
            out = code.at(target, I64(start), element)
            code.b.call(turn, [line, *strides, out, I64(group.width), I64(shape.inner)])
            start += width

    def emit(
        self,
        code: Code,
        shape: ProductShape,
        a: Any,
        b: Any,
        c: Any,
        *,
        accumulate: Any = False,
        epilogue: Epilogue | None = None,
        context: Sequence[Any] = (),
        turned: bool = False,
        first_row: Any = None,
        like: ProductShape | None = None,
        packed: bool = True,
    ) -> None:
        """Compute a product at code's position.

        Args:
            code: where the calls are written.
            shape: sizes and strides.
            a: pointer to A.
            b: pointer to B, or to its panels if `packed_size` is not 0.
            c: pointer to C, all of which may be written.
            accumulate: add to what C holds: a bool, or an i1.
            epilogue: called inside the micro-kernel for each finished register as (code, acc, row, column, context):
                acc are neighbours of a row from `column` on. It stores what it wants; without one, acc goes to C.
            context: values that the epilogue uses, handed through as the function's arguments.
            turned: where C is one column without gaps, the epilogue sees it as a row: it is called as (code, acc, 0,
                row, context), and acc may be neighbours.
            first_row: i64 that rows are counted from in the epilogue.
            like: the shape that B was packed for, if this is a part of its rows.
            packed: False where B lies as it was made though `packed_size` is not 0; its columns must be neighbours.
        """
        if not shape.rows or not shape.columns:
            return
        given = Arguments(
            a=a,
            stride_a=I64(shape.a_row),
            step_a=I64(shape.a_inner),
            b=b,
            next_a=I64(0),
            step_b=I64(shape.b_inner),
            stride_b=I64(shape.b_column),
            c=c,
            c_row=I64(shape.c_row),
            inner=I64(shape.inner),
            down=I64(1),
            across=I64(1),
            accumulate=I1(int(accumulate)) if isinstance(accumulate, bool) else accumulate,
            row=I64(0) if first_row is None else first_row,
            column=I64(0),
        )
        finish = Finish(epilogue, tuple(value.type for value in context), turned)
        chosen = plan(self.isa, shape if like is None else like)
        if chosen.packed and not packed:
            assert shape.b_column == 1
            chosen = replace(chosen, packed=False)
        job = _Job(self, code, shape, chosen, given, finish, list(context), accumulate is not False)
        if chosen.dot:
            job.emit_dots()
        else:
            job.emit_blocks()

    def function(self, key: tuple[Any, ...], emit: Any, *args: Any) -> Any:
        """Return the function with a key, made by `emit` the first time."""
        if key not in self._made:
            name = self.module.get_unique_name(f"product.{key[0]}")
            self._made[key] = emit(self.module, self.isa, name, *args)
        return self._made[key]

    def tile(self, tile: Tile, finish: Finish) -> Any:
        """Return the function of a tile."""
        return self.function(("tile", tile, *finish.key()), emit_tile, tile, finish)

    def buffer(self, code: Code, purpose: str) -> Any:
        """Return a place on the stack for copies: one for each function that products are written into."""
        key = (purpose, code.b.function.name)
        if key not in self._made:
            with code.b.goto_entry_block():
                size = BAND_BYTES if purpose == "band" else COPY_BYTES
                self._made[key] = code.b.alloca(ir.ArrayType(I8, size), align=64)
        return self._made[key]

    def dot(self, dot: Dot, finish: Finish) -> Any:
        """Return the function of a tile whose vectors run along K."""
        return self.function(("dot", dot, *finish.key()), emit_dot, dot, finish)


@dataclass(frozen=True)
class _Block:
    """A block of K: where it starts, its size, whether C may have to be added, and what becomes of the sums."""

    start: Any
    inner: int
    accumulates: bool
    finish: Finish
    context: list[Any]


class _Job:
    """One product on its way to calls."""

    def __init__(
        self,
        products: Products,
        code: Code,
        shape: ProductShape,
        plan: Plan,
        given: Arguments,
        finish: Finish,
        context: list[Any],
        accumulates: bool,
    ) -> None:
        self.products = products
        self.code = code
        self.shape = shape
        self.plan = plan
        self.given = given
        self.finish = finish
        self.context = context
        self.accumulates = accumulates
        self.element = element_type(shape.dtype)

    # Vectors along the columns ------------------------------------------------------------------------------------

    def emit_blocks(self) -> None:
        """Walk over K in blocks; all but the last leave partial sums in C."""
        count, size = inner_blocks(self.products.isa, self.shape.inner)
        b, code = self.code.b, self.code
        if count > 1:
            with repeated(code, I64(count - 1), 1, []) as (number, _):
                start = b.mul(number, I64(size))
                again = b.or_(self.given.accumulate, b.icmp_signed(">", number, I64(0)))
                self._emit_block(start, size, again, True, Finish(None, ()), [])
        last = (count - 1) * size
        again = self.given.accumulate if count == 1 else I1(1)
        accumulates = self.accumulates or count > 1
        self._emit_block(I64(last), self.shape.inner - last, again, accumulates, self.finish, self.context)

    def _emit_block(
        self, start: Any, inner: int, again: Any, accumulates: bool, finish: Finish, context: list[Any]
    ) -> None:
        shape, code = self.shape, self.code
        given = replace(
            self.given,
            a=code.at(self.given.a, code.b.mul(start, I64(shape.a_inner)), self.element),
            inner=I64(inner),
            accumulate=again,
        )
        block = _Block(start, inner, accumulates, finish, context)
        if copies(shape, self.plan.panels):
            for rows in self._rows(self.plan.panels[0]):
                self._emit_copied(block, rows, given)
            return
        for group in self.plan.panels:
            for rows in self._rows(group):
                chunk = row_chunk(rows.height, inner, shape.dtype.itemsize)
                with self._chunks(rows.count, chunk) as (first, count):
                    self._emit_tiles(block, rows, group, self._at_rows(given, rows, first, count))

    def _rows(self, group: Panels) -> list[Rows]:
        return best_rows(self.products.isa, self.shape, len(group.pieces))[1]

    def _emit_copied(self, block: _Block, rows: Rows, given: Arguments) -> None:
        """Copy as many tiles of A as fit the buffer, and multiply them with all panels."""
        code, shape, inner = self.code, self.shape, block.inner
        buffer = self.products.buffer(code, "rows")
        together = tiles_of_a_line(rows, shape.dtype.itemsize)
        most = row_chunk(rows.height, inner, shape.dtype.itemsize, COPY_BYTES)
        key = ("rows", shape.dtype, rows.height, together)
        copy = self.products.function(key, emit_rows, shape.dtype, rows.height, together)
        with self._chunks(rows.count, max(together, most // together * together)) as (first, count):
            here = self._at_rows(given, rows, first, count)
            with repeated(code, count, together, []) as (number, _):
                source = code.at(here.a, code.b.mul(number, I64(rows.height)), self.element)
                target = code.at(buffer, code.b.mul(number, I64(rows.height * inner)), self.element)
                code.b.call(copy, [source, here.step_a, I64(1), target, I64(rows.height * inner), I64(inner)])
            here = replace(here, a=buffer, step_a=I64(rows.height), next_a=I64(rows.height * inner))
            for group in self.plan.panels:
                self._emit_tiles(block, rows, group, here)

    def _at_rows(self, given: Arguments, rows: Rows, first: Any, count: Any) -> Arguments:
        """Return the arguments for `count` tiles, beginning with the one called `first`."""
        code, shape = self.code, self.shape
        row = code.b.add(code.b.mul(first, I64(rows.height)), I64(rows.first))
        return replace(
            given,
            a=code.at(given.a, code.b.mul(row, I64(shape.a_row)), self.element),
            next_a=I64(rows.height * shape.a_row),
            c=code.at(given.c, code.b.mul(row, I64(shape.c_row)), self.element),
            row=code.b.add(given.row, row),
            down=count,
        )

    def _emit_tiles(self, block: _Block, rows: Rows, group: Panels, given: Arguments) -> None:
        """Call the micro-kernel for all panels of a group."""
        if self.plan.banded:
            self._emit_bands(block, rows, group, given)
            return
        code, shape = self.code, self.shape
        step = group.width if self.plan.packed else shape.b_inner
        to_column = shape.inner if self.plan.packed else shape.b_column
        first = code.b.add(code.b.mul(block.start, I64(step)), I64(group.first * to_column))
        here = replace(
            given,
            b=code.at(given.b, first, self.element),
            step_b=I64(step),
            stride_b=I64(group.width * to_column),
            c=code.at(given.c, I64(group.first), self.element),
            column=I64(group.first),
            across=I64(group.count),
        )
        called = self.products.tile(self._tile(block, rows, group), block.finish)
        code.b.call(called, [*here.values, *block.context])

    def _emit_bands(self, block: _Block, rows: Rows, group: Panels, given: Arguments) -> None:
        """Pack a few panels of a block of K, call the micro-kernel for them, and go on with the next ones."""
        code, shape, inner = self.code, replace(self.shape, inner=block.inner), block.inner
        band = self.products.buffer(code, "band")
        called = self.products.tile(self._tile(block, rows, group), block.finish)
        with self._chunks(group.count, panels_of_a_band(group, inner, shape.dtype.itemsize)) as (first, count):
            column = code.b.add(code.b.mul(first, I64(group.width)), I64(group.first))
            offset = code.b.add(code.b.mul(block.start, I64(shape.b_inner)), code.b.mul(column, I64(shape.b_column)))
            source = code.at(given.b, offset, self.element)
            with repeated(code, count, 1, []) as (number, _):
                line = code.at(source, code.b.mul(number, I64(group.width * shape.b_column)), self.element)
                target = code.at(band, code.b.mul(number, I64(group.width * inner)), self.element)
                self.products.pack_panel(code, shape, group, line, target)
            here = replace(
                given,
                b=band,
                step_b=I64(group.width),
                stride_b=I64(group.width * inner),
                c=code.at(given.c, column, self.element),
                column=column,
                across=count,
            )
            code.b.call(called, [*here.values, *block.context])

    @contextmanager
    def _chunks(self, count: int, size: int) -> Iterator[tuple[Any, Any]]:
        """Yield the first one and the number of those in each chunk."""
        if count <= size:
            yield I64(0), I64(count)
            return
        with repeated(self.code, I64(count), size, []) as (first, _):
            yield first, self.code.lesser(self.code.b.sub(I64(count), first), I64(size))

    def _tile(self, block: _Block, rows: Rows, group: Panels) -> Tile:
        shape, side = self.shape, self._side(group, block.inner)
        chains = chains_of(self.products.isa, rows.height * len(group.pieces), block.inner) if side == 1 else 1
        steps = max(chains, STEPS_WRITTEN) if block.inner >= STEPS_WRITTEN else chains
        if side > 1:
            steps = side * (STEPS_WRITTEN if block.inner % (side * STEPS_WRITTEN) == 0 else 1)
        reach = shape.inner * shape.columns * shape.dtype.itemsize
        return Tile(
            dtype=shape.dtype,
            rows=rows.height,
            pieces=group.pieces,
            along_rows=shape.a_inner == 1,
            along_inner=shape.a_row == 1 and shape.a_inner != 1,
            chains=chains,
            written=steps,
            remainder=block.inner % steps != 0,
            empty=block.inner == 0,
            ahead=self.plan.packed and group.count > 1 and reach >= AHEAD_BYTES,
            accumulates=block.accumulates,
            side=side,
        )

    def _side(self, group: Panels, inner: int) -> int:
        """Return how many steps of K lie side by side in a register: as many as fit."""
        shape, copied = self.shape, self.plan.packed or self.plan.banded
        dense = copied or (shape.b_inner == group.width and shape.b_column == 1)
        if not dense or shape.a_inner != 1:
            return 1
        return side_by_side(self.products.isa, shape.dtype, group.pieces, inner)

    # Vectors along K ----------------------------------------------------------------------------------------------

    def emit_dots(self) -> None:
        """Walk over the tiles of a product whose vectors run along K."""
        shape = self.shape
        height, width = dot_tile(shape.rows, shape.columns)
        column = 0
        for columns in (width, shape.columns % width):
            count = (shape.columns - column) // columns if columns else 0
            for rows in split_rows(shape.rows, height) if count else ():
                self._emit_dot(rows, column, columns, count)
            column += count * columns

    def _emit_dot(self, rows: Rows, column: int, columns: int, count: int) -> None:
        """Tiles lie side by side, or one below the other: the function runs along the longer way."""
        code, shape = self.code, self.shape
        down = rows.count > count
        called = self.products.dot(self._dot(rows.height, columns, down), self.finish)
        with repeated(code, I64(count if down else rows.count), 1, []) as (number, _):
            number_row, number_column = (I64(0), number) if down else (number, I64(0))
            m = code.b.add(code.b.mul(number_row, I64(rows.height)), I64(rows.first))
            n = code.b.add(code.b.mul(number_column, I64(columns)), I64(column))
            place = code.b.add(code.b.mul(m, I64(shape.c_row)), n)
            here = replace(
                self.given,
                a=code.at(self.given.a, code.b.mul(m, I64(shape.a_row)), self.element),
                b=code.at(self.given.b, code.b.mul(n, I64(shape.b_column)), self.element),
                c=code.at(self.given.c, place, self.element),
                row=code.b.add(self.given.row, m),
                column=n,
                down=I64(rows.count),
                across=I64(count),
            )
            code.b.call(called, [*here.values, *self.context])

    def _dot(self, rows: int, columns: int, down: bool) -> Dot:
        shape = self.shape
        lanes = self.products.isa.lanes(shape.dtype)
        vectors, tail = divmod(shape.inner, lanes)
        chains = chains_of(self.products.isa, rows * columns, vectors)
        return Dot(
            dtype=shape.dtype,
            rows=rows,
            columns=columns,
            down=down,
            dense=shape.columns == shape.c_row == 1 and (self.finish.turned or self.finish.epilogue is None),
            lanes=lanes,
            tail=tail,
            short=vectors == 0,
            chains=chains,
            remainder=vectors % chains != 0,
            accumulates=self.accumulates,
        )
