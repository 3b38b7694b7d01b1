"""Networks with one output, and the products behind them: their rows are neighbours in registers, on any machine."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.compiler.native import ir, target
from fanin.compiler.native.product import Products, ProductShape
from fanin.compiler.native.product.kernel import Place
from fanin.compiler.native.target import Isa, Library, compiled, named, runs_here
from fanin.compiler.native.vector import I1, I64, POINTER, function, width_of
from tests.compiler.networks import Case, train
from tests.compiler.test_native_networks import EXAMPLES, Drawn, assert_same, cases
from tests.compiler.test_product import assert_close, bound, ending_at_a_page, indices, operands, shape_of

# Registers of 64 bytes where there are none: LLVM makes two of each. Names and widths are those of AVX-512.
WIDE = replace(named("avx2"), name="avx512", vector_bytes=64, registers=32)
HERE = [isa for isa in map(named, ("sse", "avx2", "avx512", "neon")) if runs_here(isa)]
ISAS = HERE + ([WIDE] if runs_here(WIDE) and not runs_here(named("avx512")) and named("avx2") in HERE else [])
FIRST = 5  # rows before those of the product
ROWS = ((1, 3), (3, 64), (8, 8), (17, 17), (31, 1), (70, 33))  # and terms of a sum


def weighted(code: Any, acc: Any, at: Place, context: Sequence[Any]) -> None:
    """out[column] = weight[column] * max(acc, 0): the rows of the one column, as they are seen when it is turned."""
    (row, column), (out, weight) = indices(code, at), context
    element, width = acc.type.element if width_of(acc) > 1 else acc.type, width_of(acc)
    held = code.load(code.at(weight, column, element), element, width)
    code.store(code.mul(held, code.maximum(acc, code.like(0, acc))), code.at(out, code.b.add(row, column), element))


class Column:
    """A product of one column and what is computed of it, as a function of arrays."""

    def __init__(self, shape: ProductShape, isa: Isa, turned: bool = True) -> None:
        module = ir.Module("column")
        module.triple = isa.triple
        products = Products(module, isa)
        _, code = function(module, "run", [*[POINTER] * 4, I64, POINTER, POINTER], isa, internal=False)
        a, b, packed, c, flag, *context = code.b.function.args
        if products.packed_size(shape):
            products.emit_pack(code, shape, b, packed)
            b = packed
        products.emit(
            code, shape, a, b, c, accumulate=code.b.trunc(flag, I1), epilogue=weighted, context=context,
            turned=turned, first_row=I64(FIRST),
        )  # fmt: skip
        code.b.ret_void()
        self._library = Library(compiled(str(module), isa))
        kinds = [*[ctypes.c_void_p] * 4, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
        self._run = ctypes.CFUNCTYPE(None, *kinds)(self._library.address("run"))
        self._packed = ending_at_a_page(np.zeros(products.packed_size(shape), shape.dtype))

    def __call__(self, a: Any, b: Any, c: Any, accumulate: bool, out: Any, weight: Any) -> None:
        arrays = [x.ctypes.data for x in (a, b, self._packed, c)]
        self._run(*arrays, int(accumulate), out.ctypes.data, weight.ctypes.data)


def check(shape: ProductShape, isa: Isa, turned: bool = True) -> None:
    """Compare with NumPy in float64, with and without what C held, to the last row before a page that is not there."""
    run = Column(shape, isa, turned)
    weight = ending_at_a_page(np.linspace(0.5, 2, shape.rows + FIRST).astype(shape.dtype))
    for accumulate in (False, True):
        x, out = operands(shape), ending_at_a_page(np.full(shape.rows + FIRST, 7, shape.dtype))
        before = x.c.astype(float) * accumulate
        expected = np.maximum(x.a.astype(float) @ x.b + before, 0)[:, 0] * weight[FIRST:]
        allowed = 3 * bound(shape, x.a, x.b, np.abs(before))[:, 0] * weight[FIRST:]
        run(x.flat_a, x.flat_b, x.flat_c, accumulate, out, weight)
        assert_close(out[FIRST:].astype(float), expected, allowed)
        assert (out[:FIRST] == 7).all()


@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: f"{isa.name}-{isa.cpu}")
@pytest.mark.parametrize(("kind", "dtype"), [("forward", np.float32), ("forward", np.float64), ("weight", np.float32)])
def test_rows_of_one_column(isa: Isa, kind: str, dtype: Any) -> None:
    for rows, inner in ROWS:
        check(shape_of(kind, rows, 1, inner, dtype), isa)


def test_a_column_that_is_not_turned_would_be_seen() -> None:
    with pytest.raises(AssertionError):
        check(shape_of("forward", 17, 1, 8), HERE[-1], turned=False)


# Trainings ------------------------------------------------------------------------------------------------------------

LOSSES = ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "BCELoss", "BCEWithLogitsLoss", "PoissonNLLLoss")


@st.composite
def one_output(draw: Any) -> Case:
    """Draw a training of a network of one output, with batches of any size."""
    case: Case = draw(cases())
    c = Drawn(draw)
    least = 4 if any(kind == "BatchNorm1d" for kind, _ in case.layers) else 1
    size, last = (max(least, draw(st.integers(1, 70))) for _ in range(2))
    layers = case.layers if c.chance(2) else case.layers[:1] if least == 1 else case.layers
    return replace(
        case, layers=layers, outputs=(1,), losses=((c.one(LOSSES), c.one(("mean", "sum"))),), batches=(size, size, last)
    )


@settings(max_examples=EXAMPLES)
@given(one_output(), st.sampled_from(ISAS))
def test_networks_of_one_output(case: Case, isa: Isa) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, "chosen", lambda name=None: isa)
        native, plain = train(case, "native"), train(case, "numpy")
    assert_same(case, native, plain)
    if not case.draws:
        assert_same(case, plain, train(case, None))
