"""Sums over the rows of a matrix, as of a bias' gradient: down a stripe of columns, with the sums in registers.

A nest that goes row by row adds to memory, where each addition waits for the one before to be stored and read again:
125 x 32 took 500 ns so, and takes 110 down the columns. Each column is added up in the same order either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fanin.compiler.graph import Value
from fanin.compiler.native.loops.nest import Nest, Reduction
from fanin.compiler.native.vector import I64
from fanin.compiler.passes.plan import GATHERS, ROWS

# Registers that sums may take, and operations of a nest, which are written once for each of these.
MOST_SUMS, MOST_MEMBERS = 8, 8
_COLUMNS, _ALL = (True, False), (True, True)


class ColumnNest(Nest):
    """A nest that goes down the columns where it sums over rows, and otherwise as any other."""

    _held: dict[Value, Any] = {}  # where the sums of the column that is written are kept

    def _loops(self, depth: int, place: list[Any], members: Sequence[Value]) -> None:
        if depth == 0 and self._sums_columns(members):
            self._over_columns(members)
        else:
            super()._loops(depth, place, members)

    def _sums_columns(self, members: Sequence[Value]) -> bool:
        patterns = {r.reduced for r in self.reductions.values()}
        return (
            len(self.sizes) == 2
            and _COLUMNS in patterns
            and patterns <= {_COLUMNS, _ALL}
            and len(members) <= MOST_MEMBERS
            and not any(self.passes[v] or self.f.plan.on[v] == ROWS for v in self.reductions)
            and not any(v.op is not None and v.op.name in (*GATHERS, "random_keep") for v in members)
        )

    def _over_columns(self, members: Sequence[Value]) -> None:
        total = [r for r in self.reductions.values() if r.reduced == _ALL]
        down = [r for r in self.reductions.values() if r.reduced == _COLUMNS]
        for r in total:
            self._open(r)
        before, self.memo = self.memo, dict(self.memo)
        self._hoist(0, [], members)
        at, columns = 0, self.sizes[1]
        width = self._width(members, columns, 2)
        most = max(1, MOST_SUMS // len(down))
        while at < columns:
            vectors = (columns - at) // width
            stripes, rest = divmod(vectors, most)
            if stripes:
                with self.code.loop(0, stripes) as number:
                    first = self.code.b.add(self.code.b.mul(number, I64(most * width)), I64(at))
                    self._stripe(first, most, width, members, down)
            if rest:
                self._stripe(I64(at + stripes * most * width), rest, width, members, down)
            at += vectors * width
            width //= 2
        self.memo = before
        for r in total:
            self._close(r, [])

    def _stripe(self, first: Any, vectors: int, width: int, members: Sequence[Value], down: list[Reduction]) -> None:
        """Go down `vectors` registers of columns from `first` on."""
        code = self.code
        columns = [code.b.add(first, I64(k * width)) for k in range(vectors)]
        sums = [{r.value: self._zero(r, width) for r in down} for _ in columns]
        with code.loop(self._low(0), self._high(0)) as row:
            before, self.memo = self.memo, dict(self.memo)
            self._hoist(1, [row], members)
            for column, held in zip(columns, sums, strict=True):
                self._held = held
                self._body([row, column], members, width)
            self.memo = before
        for column, held in zip(columns, sums, strict=True):
            for r in down:
                self._meet(r, code.get(held[r.value]), [I64(0), column])

    def _zero(self, r: Reduction, width: int) -> Any:
        start = self._begin(r)
        return self.code.variable(self.code.const(start.constant, start.type, width))

    def _add_up(self, r: Reduction, x: Any, place: list[Any]) -> None:
        if r.reduced != _COLUMNS or not self._held:
            super()._add_up(r, x, place)
            return
        x = self.code.cast(x, self._begin(r).type)
        held = self._held[r.value]
        self.code.set(held, self._combine(r)(self.code.get(held), x))
