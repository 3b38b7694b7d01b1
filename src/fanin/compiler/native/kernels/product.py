"""Products, with what is computed of their results while those are in registers, and the packing of factors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from fanin.compiler.graph import Value
from fanin.compiler.native.frame import Frame
from fanin.compiler.native.kernels.epilogue import Epilogue, stepped_by
from fanin.compiler.native.product import Products, ProductShape
from fanin.compiler.native.vector import I64, Code, element_type
from fanin.compiler.passes.plan import PACK, ROWS, SUM, Group, Plan
from fanin.compiler.passes.products import rows_at_once
from fanin.compiler.passes.views import Ref, dense, own


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
        turned=epilogue is not None and epilogue.turned,
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
            at = [stepped_by(code, x, i, steps[d]) for x, steps in zip(at, strides, strict=True)]
        yield at


def _led(ref: Ref, value: Value) -> tuple[int, ...]:
    """Return the strides along the leading dimensions of a product."""
    packed = isinstance(ref.base, Value) and ref.base.op is PACK
    strides = ref.strides[:-1] if packed else ref.strides[:-2]
    return (0,) * (value.ndim - 2 - len(strides)) + strides


def pack_shape(plan: Plan, value: Value) -> ProductShape:
    """Return the shape of the product that a factor is packed for."""
    return product_shape(value.attrs["product"], value.attrs["a"], plan.refs[value.inputs[0]], value.attrs["rows"])


def emit_pack(frame: Frame, value: Value, products: Products, count: int | None) -> None:
    """Lay a right factor out in panels: all, or `count` of them from the one where the frame starts."""
    code, b = frame.code, frame.plan.refs[value.inputs[0]]
    shape = pack_shape(frame.plan, value)
    element = element_type(value.dtype)
    strides = [b.strides[:-2], dense(value.shape)]
    with _leading(code, value.shape[:-1], (b.offset, 0), strides) as (source, target):
        from_, to = code.at(frame.pointer(b.base), source, element), code.at(frame.pointer(value), target, element)
        products.emit_pack(code, shape, from_, to, frame.start, count)
