"""One kernel for each group: loops, products with their epilogues, packing, copies into parts, scattered sums."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from fanin.compiler.graph import Value
from fanin.compiler.native import elementwise
from fanin.compiler.native.frame import Frame, immediate, operand_type
from fanin.compiler.native.loops.nest import Access, Nest, aligned, checked, fill
from fanin.compiler.native.product import Products, ProductShape
from fanin.compiler.native.vector import I64, Code, element_type, width_of
from fanin.compiler.passes.plan import PACK, ROWS, SUM, Group, Plan
from fanin.compiler.passes.products import rows_at_once
from fanin.compiler.passes.views import Ref, dense, is_number, own, whole_index


def product_shape(value: Value, a: Ref, b: Ref, rows: int, inner: int | None = None) -> ProductShape:
    """Return sizes and strides of a product: of its first `rows` rows, or over a part of the inner dimension."""
    columns = value.shape[-1]
    return ProductShape(
        dtype=value.dtype,
        rows=rows,
        columns=columns,
        inner=a.shape[-1] if inner is None else inner,
        a_row=a.strides[-2] or (a.shape[-1] if a.shape[-2] == 1 else 0),
        a_inner=a.strides[-1] or (1 if a.shape[-1] == 1 else 0),
        b_inner=b.strides[-2] or (columns if b.shape[-2] == 1 else 0),
        b_column=b.strides[-1] or (1 if b.shape[-1] == 1 else 0),
        c_row=columns,
    )


def emit_group(frame: Frame, group: Group, products: Products, count: int | None) -> None:
    """Write the kernel of a group at the current place. `count`: the rows or elements in one call, None for all."""
    if group.kind == "loops":
        _emit_loops(frame, group, count)
    elif group.kind == "product":
        emit_product(frame, group, products, count)
    elif group.kind == "pack":
        _emit_pack(frame, group.members[0], products)
    elif group.kind == "place":
        _emit_place(frame, group, count)
    else:
        _emit_scatter(frame, group, count)


def _emit_loops(frame: Frame, group: Group, count: int | None) -> None:
    if group.on in (ROWS, SUM) and count is not None:
        factor = group.extent[0] // frame.plan.tiling.rows
        Nest(frame, group, count * factor, factor).emit()
    else:
        Nest(frame, group, chunk=count).emit()


# Products -------------------------------------------------------------------------------------------------------------


def emit_product(frame: Frame, group: Group, products: Products, count: int | None) -> None:
    """Write a product and what is computed of its result while it is in registers."""
    value = group.members[0]
    if value.ndim > 2:
        _emit_batch(frame, value, products)
        return
    refs, code = frame.plan.refs, frame.code
    a, b = (refs[x] for x in value.inputs[:2])
    rows, inner, first = value.shape[0], None, None
    start_a, start_b, start_c = I64(a.offset), I64(b.offset), I64(0)
    factor = _factor(frame, group, a)
    if group.on == ROWS and count is not None:
        rows, first = count * factor, code.b.mul(frame.start, I64(factor))
    elif group.on == SUM and count is not None:
        inner = count * factor
        start_a, start_b = (
            _stepped(frame, start_a, a.strides[-1] * factor),
            _stepped(frame, start_b, b.strides[-2] * factor),
        )
    elif count is not None:
        rows, first = count, frame.start
    if first is not None:
        start_a = code.b.add(start_a, code.b.mul(first, I64(a.strides[-2])))
        start_c = code.b.mul(first, I64(value.shape[-1]))
    shape = product_shape(value, a, b, rows, inner)
    element = element_type(value.dtype)
    b_pointer = frame.pointer(b.base)
    b_pointer = frame.pointer(value.inputs[2]) if len(value.inputs) > 2 else code.at(b_pointer, start_b, element)
    c = frame.pointer(value) if value in group.stored else frame.source(0)
    c = code.at(c, start_c, element) if value in group.stored else c
    accumulate = code.b.not_(frame.first) if group.on == SUM else False
    epilogue = Epilogue(frame, group) if len(group.members) > 1 else None
    products.emit(
        code,
        shape,
        code.at(frame.pointer(a.base), start_a, element),
        b_pointer,
        c,
        accumulate=accumulate,
        epilogue=epilogue,
        context=epilogue.context if epilogue is not None else (),
        first_row=first,
        like=product_shape(value, a, b, planned_rows(frame.plan, value), inner),
        packed=len(value.inputs) > 2,
    )


def planned_rows(plan: Plan, product: Value) -> int:
    """Return the rows of a product's parts, on which the choice of its panels rests."""
    return rows_at_once(product, plan.factors, plan.tiling)


def _factor(frame: Frame, group: Group, a: Ref) -> int:
    rows = frame.plan.tiling.rows
    return (a.shape[-1] if group.on == SUM else group.extent[0]) // rows if group.on in (ROWS, SUM) else 1


def _stepped(frame: Frame, offset: Any, stride: int) -> Any:
    return frame.code.b.add(offset, frame.code.b.mul(frame.start, I64(stride)))


def _emit_batch(frame: Frame, value: Value, products: Products) -> None:
    """Write one product for each index of the leading dimensions."""
    refs, code = frame.plan.refs, frame.code
    a, b = (refs[x] for x in value.inputs[:2])
    shape = product_shape(value, a, b, value.shape[-2])
    right = refs[value.inputs[2]] if len(value.inputs) > 2 else b
    operands = [a, right, own(value)]
    element = element_type(value.dtype)
    strides = [_led(x, value) for x in operands]
    with _leading(code, value.shape[:-2], [x.offset for x in operands], strides) as at:
        pointers = [code.at(frame.pointer(x.base), i, element) for x, i in zip(operands, at, strict=True)]
        products.emit(code, shape, *pointers, packed=right is not b)


@contextmanager
def _leading(
    code: Code, sizes: Sequence[int], offsets: Sequence[Any], strides: Sequence[Sequence[int]]
) -> Iterator[list[Any]]:
    """Loop over leading dimensions; yield where each operand is."""
    with ExitStack() as loops:
        at = [I64(x) for x in offsets]
        for d, n in enumerate(sizes):
            i = loops.enter_context(code.loop(0, n))
            at = [_plus(code, x, i, steps[d]) for x, steps in zip(at, strides, strict=True)]
        yield at


def _led(ref: Ref, value: Value) -> tuple[int, ...]:
    """Return the strides along the leading dimensions of a product."""
    packed = isinstance(ref.base, Value) and ref.base.op is PACK
    strides = ref.strides[:-1] if packed else ref.strides[:-2]
    return (0,) * (value.ndim - 2 - len(strides)) + strides


def _plus(code: Code, offset: Any, i: Any, stride: int) -> Any:
    if not stride:
        return offset
    return code.b.add(offset, i if stride == 1 else code.b.mul(i, I64(stride)))


@dataclass(frozen=True)
class Term:
    """One operand of an epilogue.

    kind: "member" (a result before it, by number), "number" (what is always known), "slot" (a number in the context),
          or "load" (memory, with its pointer and row stride in the context).
    """

    kind: str
    what: Any
    element: str
    step: int = 0


@dataclass(frozen=True)
class Line:
    """One operation of an epilogue. stored: where the pointer and the row stride of its memory stand, or None."""

    name: str
    dtype: str
    attrs: tuple[tuple[str, str], ...]
    terms: tuple[Term, ...]
    stored: int | None


class Epilogue:
    """The elementwise chain after a product, emitted for a register of neighbours in a row.

    It runs inside the micro-kernel's function, to which all pointers, strides and numbers it needs go as `context`.
    So layers with the same chain share one function: two epilogues are equal when their lines are.
    """

    def __init__(self, frame: Frame, group: Group) -> None:
        self.frame, self.members = frame, group.members
        self.refs = frame.plan.refs
        self.context: list[Any] = []
        self._slots: dict[Any, int] = {}
        self._position = {value: i for i, value in enumerate(group.members)}
        self.lines = tuple(self._line(value, group) for value in group.members)

    def __hash__(self) -> int:
        return hash(self.lines)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Epilogue) and self.lines == other.lines

    def _line(self, value: Value, group: Group) -> Line:
        assert value.op is not None
        terms = () if value is group.members[0] else tuple(
            self._term(value, i) for i, x in enumerate(value.inputs) if x is not None
        )  # fmt: skip
        stored = self._memory(Access(value, 0, dense(value.shape))) if value in group.stored else None
        attrs = tuple((key, repr(attr)) for key, attr in value.attrs.items())
        return Line(value.op.name, value.dtype.str, attrs, terms, stored)

    def _term(self, value: Value, i: int) -> Term:
        x = value.inputs[i]
        kind = operand_type(value, i)
        known = immediate(x)
        if known is not None:
            return Term("number", known, str(kind))
        if x in self._position:
            return Term("member", self._position[x], str(kind))
        if is_number(x):
            return Term("slot", self._slot(("number", x, str(kind)), lambda: [self.frame.scalar(x, kind)]), str(kind))
        access = aligned(self.refs[x], value.shape)
        return Term("load", self._memory(access), access.base.dtype.str, access.strides[1])

    def _memory(self, access: Access) -> int:
        """Return where the pointer of an operand stands in the context; its row stride stands behind it."""

        def make() -> list[Any]:
            pointer = self.frame.pointer(access.base)
            kind = element_type(access.base.dtype)
            return [self.frame.code.at(pointer, I64(access.offset), kind), I64(access.strides[0])]

        return self._slot((access.base, access.offset, access.strides), make)

    def _slot(self, key: Any, make: Callable[[], list[Any]]) -> int:
        if key not in self._slots:
            self._slots[key] = len(self.context)
            self.context.extend(make())
        return self._slots[key]

    def __call__(self, code: Code, acc: Any, row: Any, column: Any, context: Sequence[Any]) -> None:
        """Compute the chain for one register and store what leaves it."""
        found = [acc]
        width = width_of(acc)
        for value, line in zip(self.members, self.lines, strict=True):
            if value is not self.members[0]:
                operands = [
                    self._operand(code, value, i, term, found, (row, column), context, width)
                    for i, term in enumerate(line.terms)
                ]
                found.append(elementwise.emit(code, value, operands))
        # At the end: a new state may lie where a later operation still reads the old one.
        for value, line, x in zip(self.members, self.lines, found, strict=True):
            if line.stored is not None:
                kind = element_type(value.dtype)
                code.store(x, _address(code, context, line.stored, 1, (row, column), kind))

    def _operand(
        self, code: Code, value: Value, i: int, term: Term, found: list[Any], place: Any, context: Any, width: int
    ) -> Any:
        kind = operand_type(value, i)
        if term.kind == "number":
            return code.const(term.what, kind, width)
        if term.kind == "slot":
            return code.splat(context[term.what], width)
        if term.kind == "member":
            x = found[term.what]
        else:
            own = element_type(np.dtype(term.element))
            x = _read(code, _address(code, context, term.what, term.step, place, own), own, term.step, width)
        return x if value.op is not None and value.op.name == "cast" else code.cast(x, kind)


def _address(code: Code, context: Any, slot: int, step: int, place: Any, kind: Any) -> Any:
    row, column = place
    offset = code.b.mul(row, context[slot + 1])
    return code.at(context[slot], _plus(code, offset, column, step), kind)


def _read(code: Code, address: Any, kind: Any, step: int, width: int) -> Any:
    if step == 0:
        return code.splat(code.load(address, kind), width)
    if step == 1 or width == 1:
        return code.load(address, kind, width)
    vector = code.const(0, kind, width)
    for lane in range(width):
        one = code.load(code.at(address, I64(lane * step), kind), kind)
        vector = code.b.insert_element(vector, one, I64(lane))
    return vector


def _emit_pack(frame: Frame, value: Value, products: Products) -> None:
    """Lay a right factor out in panels."""
    product = value.attrs["product"]
    refs, code = frame.plan.refs, frame.code
    b = refs[value.inputs[0]]
    shape = product_shape(product, value.attrs["a"], b, value.attrs["rows"])
    element = element_type(value.dtype)
    strides = [b.strides[:-2], dense(value.shape)]
    with _leading(code, value.shape[:-1], (b.offset, 0), strides) as (source, target):
        products.emit_pack(
            code, shape, code.at(frame.pointer(b.base), source, element), code.at(frame.pointer(value), target, element)
        )


# Parts and scattered sums ---------------------------------------------------------------------------------------------


def _emit_place(frame: Frame, group: Group, count: int | None) -> None:
    """Copy the inputs of a concatenation, or one input among zeros, to where they belong."""
    value = group.members[0]
    assert value.op is not None
    if value.op.name == "put_zeros":
        _zero_part(frame, group, count)
        _copy_into(frame, group, value, value.inputs[0], value.attrs["index"], count)
        return
    at, dim = 0, value.attrs["dim"]
    for x in value.inputs:
        if x.size:
            index = (slice(None),) * dim + (slice(at, at + x.shape[dim]),)
            _copy_into(frame, group, value, x, index, count)
            at += x.shape[dim]


def _zero_part(frame: Frame, group: Group, count: int | None) -> None:
    value = group.members[0]
    zero = Value(value.shape, value.dtype, op=_copy_op(), inputs=(0,))
    _nest_into(frame, group, zero, Access(value, 0, dense(value.shape)), count)


def _copy_into(frame: Frame, group: Group, value: Value, x: Value, index: Any, count: int | None) -> None:
    phantom: Any = np.lib.stride_tricks.as_strided(np.zeros(1, np.int8), value.shape, dense(value.shape))
    part = phantom[whole_index(index)]
    shift = part.__array_interface__["data"][0] - phantom.__array_interface__["data"][0]
    strides = tuple(0 if n == 1 else s for s, n in zip(part.strides, part.shape, strict=True))
    copy = Value(part.shape, value.dtype, op=_copy_op(), inputs=(x,))
    if part.shape != x.shape:
        frame.plan.refs[copy] = frame.plan.refs[x]
    _nest_into(frame, group, copy, Access(value, int(shift), strides), count)


def _copy_op() -> Any:
    from fanin.compiler.passes.plan import COPY

    return COPY


def _nest_into(frame: Frame, group: Group, copy: Value, target: Access, count: int | None) -> None:
    part = Group("loops", group.level, copy.shape, group.on, [copy], stored={copy: None})
    frame.plan.refs.setdefault(copy, Ref(copy, 0, copy.shape, dense(copy.shape)))
    rows = group.on == ROWS and count is not None
    factor = copy.shape[0] // frame.plan.tiling.rows if rows else 1
    nest = PlacedNest(frame, part, (count or 0) * factor if rows else None, factor, target=target)
    nest.emit()


class PlacedNest(Nest):
    """A nest that stores its one result somewhere else than in memory of its own."""

    def __init__(self, frame: Frame, group: Group, part: int | None = None, factor: int = 1, *, target: Access) -> None:
        self.target = target
        super().__init__(frame, group, part, factor)

    def _collect(self) -> None:
        super()._collect()
        self.stores = {self.group.members[0]: self.target}


class ScatterNest(PlacedNest):
    """A nest that adds each element to the place that an index names."""

    def _write(self, access: Access, place: list[Any], x: Any) -> None:
        if access.index is None:
            super()._write(access, place, x)
            return
        if access.index.strides[-1] == 0 and access.strides[-1] == 1:
            self._add(access, place, x)
            return
        for lane in range(width_of(x)):
            at = [*place[:-1], self.code.b.add(place[-1], I64(lane))]
            self._add(access, at, x if width_of(x) == 1 else self.code.b.extract_element(x, I64(lane)))

    def _add(self, access: Access, place: list[Any], x: Any) -> None:
        assert access.index is not None
        kind = element_type(access.base.dtype)
        index_kind = element_type(access.index.base.dtype)
        found = self.code.cast(self.code.load(self._at(access.index, place), index_kind), I64)
        row = self.code.b.mul(checked(self.f, found, access.index_limit), I64(access.index_step))
        at = self.code.at(self._at(access, place), row, kind)
        self.code.store(self.code.add(self.code.load(at, kind, width_of(x)), x), at)


def _emit_scatter(frame: Frame, group: Group, count: int | None) -> None:
    """Add the elements, or rows, of the first input to the places that the second one names."""
    value = group.members[0]
    assert value.op is not None
    refs = frame.plan.refs
    x, where = value.inputs[0], refs[value.inputs[1]]
    steps = dense(value.shape)
    if value.op.name == "add_rows":
        lead = len(where.shape)
        index = Access(where.base, where.offset, where.strides + (0,) * (x.ndim - lead))
        target = Access(value, 0, (0,) * lead + steps[1:], index, steps[0], value.shape[0])
    else:
        dim = value.attrs["dim"]
        index = Access(where.base, where.offset, where.strides)
        kept = tuple(0 if d == dim else s for d, s in enumerate(steps))
        target = Access(value, 0, kept, index, steps[dim], value.shape[dim])
    begin = frame.code.const(0, element_type(value.dtype))
    on_rows = group.on == ROWS and count is not None
    if on_rows:
        _zero_part(frame, group, count)
    elif group.on == SUM:
        with frame.code.b.if_then(frame.first):
            fill(frame, value, begin)
    else:
        fill(frame, value, begin)
    copy = Value(x.shape, value.dtype, op=_copy_op(), inputs=(x,))
    frame.plan.refs.setdefault(copy, Ref(copy, 0, copy.shape, dense(copy.shape)))
    part = Group("loops", group.level, copy.shape, group.on, [copy], stored={copy: None})
    by_rows = group.on in (ROWS, SUM) and count is not None
    factor = x.shape[0] // frame.plan.tiling.rows if by_rows else 1
    ScatterNest(frame, part, (count or 0) * factor if by_rows else None, factor, target=target).emit()
