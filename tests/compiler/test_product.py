"""Matrix products in native code against NumPy in float64: any sizes and strides, epilogues, accumulation, bounds."""

from __future__ import annotations

import ctypes
import mmap
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.compiler.native import ir
from fanin.compiler.native.product import Products, ProductShape
from fanin.compiler.native.product import plan as product_plan
from fanin.compiler.native.product.kernel import Place
from fanin.compiler.native.product.plan import copies, inner_blocks, plan
from fanin.compiler.native.target import Isa, Library, assembly, compiled, named, runs_here
from fanin.compiler.native.vector import I1, I64, POINTER, function, width_of

HERE = [name for name in ("sse", "avx2", "avx512", "neon") if runs_here(named(name))]
ELSEWHERE = [name for name in ("sse", "avx2", "avx512", "neon") if name not in HERE]
PAGE = mmap.PAGESIZE


def made(shape: ProductShape, isa: Isa, epilogue: Any = None, contexts: int = 0, accumulate: bool | None = None) -> str:
    """Return the text of run(a, b, packed, c, accumulate, first_row, context...)."""
    module = ir.Module("products")
    module.triple = isa.triple
    products = Products(module, isa)
    arguments = [POINTER, POINTER, POINTER, POINTER, I64, I64, *([POINTER] * contexts)]
    _, code = function(module, "run", arguments, isa, internal=False)
    a, b, packed, c, flag, first_row, *context = code.b.function.args
    if products.packed_size(shape):
        products.emit_pack(code, shape, b, packed)
        b = packed
    how = code.b.trunc(flag, I1) if accumulate is None else accumulate
    products.emit(
        code,
        shape,
        a,
        b,
        c,
        accumulate=how,
        epilogue=epilogue,
        context=context,
        first_row=first_row if contexts else None,
    )
    code.b.ret_void()
    return str(module)


class Compiled:
    """A product that can be called with arrays."""

    def __init__(self, shape: ProductShape, isa: Isa, epilogue: Any = None, contexts: int = 0, accumulate: Any = None):
        self.shape = shape
        self.library = Library(compiled(made(shape, isa, epilogue, contexts, accumulate), isa))
        kinds = [ctypes.c_void_p] * 4 + [ctypes.c_int64] * 2 + [ctypes.c_void_p] * contexts
        self.function = ctypes.CFUNCTYPE(None, *kinds)(self.library.address("run"))
        self.packed = ending_at_a_page(np.zeros(Products(ir.Module(), isa).packed_size(shape), shape.dtype))

    def __call__(self, a: Any, b: Any, c: Any, accumulate: bool = False, first_row: int = 0, *context: Any) -> None:
        pointers = [x.ctypes.data for x in (a, b, self.packed, c)]
        self.function(*pointers, int(accumulate), first_row, *(x.ctypes.data for x in context))


def ending_at_a_page(values: np.ndarray) -> np.ndarray:
    """Return a copy between two pages that may not be touched, the second of which begins right behind it."""
    pages = -(-max(values.nbytes, 1) // PAGE)
    area = mmap.mmap(-1, (pages + 2) * PAGE)
    start = np.frombuffer(area, np.uint8).ctypes.data
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    for page in (start, start + (pages + 1) * PAGE):
        assert protect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0) == 0
    out = np.frombuffer(area, values.dtype, values.size, (pages + 1) * PAGE - values.nbytes)
    out[:] = values.ravel()
    return out


@dataclass
class Operands:
    """A product's operands: `flat` as they lie in memory, and views of them as matrices."""

    flat_a: np.ndarray
    flat_b: np.ndarray
    flat_c: np.ndarray
    a: np.ndarray
    b: np.ndarray
    c: np.ndarray


def span(sizes: Sequence[int], strides: Sequence[int]) -> int:
    """Return how many elements lie between the first and the last one, both counted."""
    return 1 + sum((n - 1) * s for n, s in zip(sizes, strides, strict=True)) if all(sizes) else 0


def view(flat: np.ndarray, sizes: tuple[int, int], strides: tuple[int, int]) -> np.ndarray:
    size = flat.itemsize
    return np.lib.stride_tricks.as_strided(flat, sizes, (strides[0] * size, strides[1] * size))


def operands(shape: ProductShape, seed: int = 0) -> Operands:
    rng = np.random.default_rng(seed)
    s = shape
    sides = [
        ((s.rows, s.inner), (s.a_row, s.a_inner)),
        ((s.inner, s.columns), (s.b_inner, s.b_column)),
        ((s.rows, s.columns), (s.c_row, 1)),
    ]
    flat = [ending_at_a_page(rng.normal(size=span(*side)).astype(s.dtype)) for side in sides]
    return Operands(*flat, *(view(x, *side) for x, side in zip(flat, sides, strict=True)))


def bound(shape: ProductShape, a: np.ndarray, b: np.ndarray, c: Any = 0.0) -> np.ndarray:
    """Return how far a sum of products may be from the exact one: (K + 2) eps (|A| |B| + |C|)."""
    eps = np.finfo(shape.dtype).eps
    return (shape.inner + 2) * eps * (np.abs(a.astype(float)) @ np.abs(b.astype(float)) + np.abs(c)) + 1e-300


def assert_close(actual: np.ndarray, expected: np.ndarray, allowed: np.ndarray) -> None:
    excess = np.abs(actual - expected) - allowed
    if excess.size and not (excess.max() <= 0):
        where = np.unravel_index(np.argmax(np.nan_to_num(excess, nan=np.inf)), excess.shape)
        raise AssertionError(f"at {where}: {actual[where]} instead of {expected[where]} +- {allowed[where]}")


def shape_of(
    kind: str, rows: int, columns: int, inner: int, dtype: Any = np.float32, gaps: Sequence[int] = (0, 0, 0)
) -> ProductShape:
    """Return a layer's product; gaps widen the rows of A, B and C."""
    a, b, c = gaps
    across, down = (inner + a, 1), (1, rows + a)
    strides = {
        "forward": (*across, 1, inner + b),
        "input": (*across, columns + b, 1),
        "weight": (*down, columns + b, 1),
        "both": (*down, 1, inner + b),
        "any": (2 * inner + a, 2, 2 * columns + b, 2),
        "any_b": (*across, 2, 2 * inner + b),
    }[kind]
    return ProductShape(np.dtype(dtype), rows, columns, inner, *strides, columns + c)


KINDS = ("forward", "input", "weight", "both", "any", "any_b")


def check(shape: ProductShape, isa: Isa, seed: int = 0, static: bool | None = None) -> None:
    """Run with and without accumulation, and look at what lies between C's rows."""
    product = Compiled(shape, isa, accumulate=static)
    for accumulate in (False, True) if static is None else (static,):
        x = operands(shape, seed)
        kept, before = x.flat_c.copy(), x.c.astype(float) * accumulate
        expected = x.a.astype(float) @ x.b.astype(float) + before
        product(x.flat_a, x.flat_b, x.flat_c, accumulate)
        assert_close(x.c.astype(float), expected, bound(shape, x.a, x.b, before))
        inside = np.zeros(x.flat_c.shape, bool)
        if inside.size:
            view_of_bools = np.lib.stride_tricks.as_strided(inside, x.c.shape, (shape.c_row, 1))
            view_of_bools[...] = True
        np.testing.assert_array_equal(x.flat_c[~inside], kept[~inside])


SIZES = st.one_of(st.integers(1, 20), st.sampled_from([31, 32, 33, 50, 64, 100]))


@settings(max_examples=40)
@given(
    st.sampled_from(KINDS),
    SIZES,
    SIZES,
    SIZES,
    st.sampled_from([np.float32, np.float64]),
    st.tuples(*[st.integers(0, 3)] * 3),
    st.sampled_from(HERE),
)
def test_any_shape(kind: str, rows: int, columns: int, inner: int, dtype: Any, gaps: Any, isa: str) -> None:
    check(shape_of(kind, rows, columns, inner, dtype, gaps), named(isa))


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("kind", KINDS[:3])
@pytest.mark.parametrize(
    ("rows", "columns", "inner"),
    [
        (1, 1, 1),
        (7, 1, 300),
        (1, 130, 50),
        (2, 9, 65),
        (3, 3, 500),
        (64, 7, 1),
        (40, 64, 1000),
        (300, 24, 400),
        (500, 2, 9),
    ],
)
def test_chosen_shapes(isa: str, kind: str, rows: int, columns: int, inner: int) -> None:
    check(shape_of(kind, rows, columns, inner), named(isa))


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("rows", "columns"), [(1, 19), (2, 9), (3, 4), (11, 1), (7, 2), (5, 3)])
def test_vectors_along_the_inner_size_with_every_tail(isa: str, dtype: Any, rows: int, columns: int) -> None:
    shape = shape_of("forward", rows, columns, 63, dtype)
    assert plan(named(isa), shape).dot
    check(shape, named(isa))


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("rows", [2, 8, 11])
def test_one_column_whose_rows_lie_apart(isa: str, rows: int) -> None:
    """Without gaps the rows of one column are neighbours, and are stored together."""
    shape = shape_of("forward", rows, 1, 63, gaps=(0, 0, 2))
    assert plan(named(isa), shape).dot
    check(shape, named(isa))


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("columns", [2, 3, 4, 5, 8])
def test_few_columns_with_every_rest_of_the_inner_size(isa: str, columns: int) -> None:
    """Several steps of K lie side by side in a register, where a row of A lies in one piece."""
    for inner in (1, 3, 7, 8, 9, 16, 33, 67):
        for kind, gap in (("any_b", 0), ("input", 0), ("input", 1)):
            check(shape_of(kind, 9, columns, inner, gaps=(2, gap, 1)), named(isa))


LARGE = [
    ("weight", 128, 100, 140, "A is copied: its rows share a few sets of the cache"),
    ("weight", 64, 130, 800, "A is copied block by block, B packed"),
    ("input", 900, 40, 192, "rows in chunks for the second cache"),
    ("forward", 100, 33, 1500, "several blocks of K, the last one shorter"),
    ("forward", 20, 1500, 190, "the next panel is fetched ahead"),
]


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("kind", "rows", "columns", "inner", "why"), LARGE)
def test_blocks_for_the_caches(isa: str, dtype: Any, kind: str, rows: int, columns: int, inner: int, why: str) -> None:
    shape = shape_of(kind, rows, columns, inner, dtype)
    found = plan(named(isa), shape)
    assert copies(shape, found.panels) == ("copied" in why)
    assert (inner_blocks(named(isa), inner)[0] > 1) == ("block" in why)
    assert ("llvm.prefetch" in made(shape, named(isa))) == ("ahead" in why)
    check(shape, named(isa))


@pytest.fixture
def bands(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pack every factor that is packed a few panels at a time, as those are that are large."""
    monkeypatch.setattr(product_plan, "BAND_FROM_BYTES", 1)
    plan.cache_clear()
    yield
    plan.cache_clear()


BANDS = [
    ("forward", 60, 130, 800, np.float32, "blocks of K, several bands, a narrower last panel"),
    ("forward", 150, 33, 389, np.float64, "rows in chunks, each of which packs again"),
    ("input", 60, 130, 800, np.float32, "the columns are neighbours"),
    ("input", 49, 500, 200, np.float64, "one block of K"),
    ("weight", 64, 130, 800, np.float32, "A is copied block by block"),
    ("any", 49, 500, 200, np.float32, "no neighbours anywhere"),
]


@pytest.mark.usefixtures("bands")
@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize(("kind", "rows", "columns", "inner", "dtype", "why"), BANDS)
def test_bands_of_panels(isa: str, kind: str, rows: int, columns: int, inner: int, dtype: Any, why: str) -> None:
    shape = shape_of(kind, rows, columns, inner, dtype, (0, 2, 3))
    found = plan(named(isa), shape)
    assert found.banded
    assert not found.packed
    assert Products(ir.Module(), named(isa)).packed_size(shape) == 0
    assert copies(shape, found.panels) == ("copied" in why)
    check(shape, named(isa))


def test_only_large_factors_come_in_bands() -> None:
    avx2 = named("avx2")
    small, large = (plan(avx2, shape_of("forward", 64, n, n)) for n in (1024, 4096))
    assert (small.packed, small.banded) == (True, False)
    assert (large.packed, large.banded) == (False, True)
    few = plan(avx2, shape_of("input", 1, 4096, 4096))  # few rows use it where it lies
    assert not few.packed
    assert not few.banded


@pytest.mark.parametrize("sizes", [(0, 3, 3), (3, 0, 3), (3, 3, 0), (0, 0, 0), (1, 1, 0)])
@pytest.mark.parametrize("kind", KINDS[:3])
def test_empty(kind: str, sizes: tuple[int, int, int]) -> None:
    check(shape_of(kind, *sizes), named(HERE[-1]))


@pytest.mark.parametrize("static", [False, True])
def test_accumulation_known_beforehand(static: bool) -> None:
    for kind in KINDS[:3]:
        check(shape_of(kind, 13, 21, 34), named(HERE[-1]), static=static)


# Epilogues ------------------------------------------------------------------------------------------------------------

GUARDED = [(13, 21, 34), (1, 40, 64), (30, 1, 64), (5, 3, 200), (20, 18, 800)]


def indices(code: Any, place: Place) -> tuple[Any, Any]:
    """Return the row and the column of a register."""
    return code.b.add(place.row, I64(place.down)), code.b.add(place.column, I64(place.right))


def bias_and_relu(code: Any, acc: Any, at: Place, context: Sequence[Any]) -> None:
    """out[row, column] = max(acc + bias[column], 0), where context[2] points to the number of columns."""
    (row, column), (out, bias, columns) = indices(code, at), context
    element, width = acc.type.element if width_of(acc) > 1 else acc.type, width_of(acc)
    acc = code.add(acc, code.load(code.at(bias, column, element), element, width))
    place = code.b.add(code.b.mul(row, code.load(columns, I64)), column)
    code.store(code.maximum(acc, code.like(0, acc)), code.at(out, place, element))


def mask_and_copy(code: Any, acc: Any, at: Place, context: Sequence[Any]) -> None:
    """Two outputs: acc * mask, and acc itself."""
    (row, column), (masked, mask, copy, columns) = indices(code, at), context
    element, width = acc.type.element if width_of(acc) > 1 else acc.type, width_of(acc)
    place = code.b.add(code.b.mul(row, code.load(columns, I64)), column)
    held = code.load(code.at(mask, place, element), element, width)
    code.store(code.mul(acc, held), code.at(masked, place, element))
    code.store(acc, code.at(copy, place, element))


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("sizes", GUARDED)
def test_bias_and_relu(isa: str, sizes: tuple[int, int, int]) -> None:
    shape = shape_of("forward", *sizes)
    product = Compiled(shape, named(isa), bias_and_relu, 3)
    bias = ending_at_a_page(np.linspace(-1, 1, shape.columns, dtype=np.float32))
    for accumulate in (False, True):
        x = operands(shape)
        out = ending_at_a_page(np.full((shape.rows + 5) * shape.columns, 7, np.float32))
        before = x.c.astype(float) * accumulate
        expected = np.maximum(x.a.astype(float) @ x.b + before + bias, 0)
        allowed = bound(shape, x.a, x.b, np.abs(before) + 1)
        product(x.flat_a, x.flat_b, x.flat_c, accumulate, 5, out, bias, np.array([shape.columns]))
        got = out.reshape(-1, shape.columns)
        assert_close(got[5:].astype(float), expected, allowed)
        assert (got[:5] == 7).all()


@pytest.mark.usefixtures("bands")
@pytest.mark.parametrize("isa", HERE)
def test_bias_and_relu_of_bands(isa: str) -> None:
    """Each column has its own bias, in the first band and in the others."""
    shape = shape_of("forward", 60, 130, 400)
    assert plan(named(isa), shape).banded
    test_bias_and_relu(isa, (shape.rows, shape.columns, shape.inner))


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("sizes", GUARDED)
@pytest.mark.parametrize("kind", ["input", "weight"])
def test_two_outputs(isa: str, sizes: tuple[int, int, int], kind: str) -> None:
    shape = shape_of(kind, *sizes, np.float64)
    x = operands(shape)
    mask = ending_at_a_page(np.random.default_rng(1).integers(0, 2, shape.rows * shape.columns).astype(float))
    masked, copy = (ending_at_a_page(np.zeros(shape.rows * shape.columns)) for _ in range(2))
    Compiled(shape, named(isa), mask_and_copy, 4)(
        x.flat_a, x.flat_b, x.flat_c, False, 0, masked, mask, copy, np.array([shape.columns])
    )
    expected, allowed = x.a @ x.b, bound(shape, x.a, x.b)
    assert_close(copy.reshape(expected.shape), expected, allowed)
    assert_close(masked.reshape(expected.shape), expected * mask.reshape(expected.shape), allowed)


# The functions that are made ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scaled:
    """out = factor * acc, in rows of `columns`: equal ones share their micro-kernels."""

    factor: float
    columns: int

    def __call__(self, code: Any, acc: Any, at: Place, context: Sequence[Any]) -> None:
        row, column = indices(code, at)
        place = code.b.add(code.b.mul(row, I64(self.columns)), column)
        element = acc.type.element if width_of(acc) > 1 else acc.type
        code.store(code.mul(acc, code.like(self.factor, acc)), code.at(context[0], place, element))


def functions_of(*calls: tuple[ProductShape, Any], turned: Sequence[bool] = (False,)) -> int:
    module = ir.Module("products")
    products = Products(module, named("avx2"))
    _, code = function(module, "run", [POINTER] * 4, named("avx2"), internal=False)
    a, b, c, out = code.b.function.args
    for shape, epilogue in calls:
        for way in turned:
            products.emit(code, shape, a, b, c, epilogue=epilogue, context=[out] if epilogue else [], turned=way)
    return sum(name.startswith("product.tile") for name in module.globals)


def test_functions_are_shared() -> None:
    once = functions_of((shape_of("forward", 32, 64, 64), None))
    assert functions_of(*[(shape_of("forward", 32, 64, inner), None) for inner in (64, 128, 256)]) == once
    assert functions_of(*[(shape_of("forward", 32, width, 64), None) for width in (64, 128, 256)]) == once
    same = [(shape_of("forward", 32, 64, 64), Scaled(2.0, 64)) for _ in range(2)]
    assert functions_of(*same) == once
    assert functions_of(same[0], (same[0][0], Scaled(3.0, 64))) == 2 * once
    column = (shape_of("weight", 32, 1, 64), Scaled(2.0, 1))  # a row to one of them, a column to the other
    assert functions_of(column, turned=[True, False]) == 2 * functions_of(column)


@pytest.mark.parametrize("isa", ELSEWHERE)
@pytest.mark.parametrize("kind", KINDS)
def test_assembles_elsewhere(isa: str, kind: str) -> None:
    for rows, columns, inner in [(32, 64, 64), (1, 40, 50), (17, 3, 90)]:
        text = made(shape_of(kind, rows, columns, inner), named(isa), bias_and_relu, 3)
        assert len(assembly(text, named(isa))) > 100


def test_the_same_bits_wherever_operands_lie() -> None:
    for shape in (shape_of("forward", 20, 50, 300), shape_of("weight", 1, 10, 250), shape_of("forward", 3, 40, 65)):
        x = operands(shape)
        product = Compiled(shape, named(HERE[-1]))
        product(x.flat_a, x.flat_b, x.flat_c)
        moved = [np.concatenate([np.zeros(3, flat.dtype), flat])[3:] for flat in (x.flat_a, x.flat_b, x.flat_c)]
        product(*moved)
        np.testing.assert_array_equal(moved[2], x.flat_c)


# The oracle can say no ------------------------------------------------------------------------------------------------


def plant(change: Callable[[ProductShape], ProductShape]) -> None:
    """Compare a product with what it would be with other strides or sizes."""
    shape = shape_of("forward", 9, 12, 30)
    x = operands(shape)
    wrong = change(shape)
    Compiled(wrong, named(HERE[-1]))(x.flat_a, x.flat_b, x.flat_c)
    assert_close(x.c.astype(float), x.a.astype(float) @ x.b, bound(shape, x.a, x.b))


@pytest.mark.parametrize("change", [{"a_row": 29}, {"inner": 29}, {"columns": 11}, {"b_column": 29}, {"rows": 8}])
def test_planted_errors_are_found(change: dict[str, int]) -> None:
    with pytest.raises(AssertionError, match="instead of"):
        plant(lambda shape: replace(shape, **change))


BEYOND = """
import ctypes, sys
sys.path.insert(0, {root!r})
import numpy as np
from tests.compiler.test_product import ending_at_a_page
values = ending_at_a_page(np.arange(3.0))
where = {{"inside": values.ctypes.data + 16, "behind": values.ctypes.data + 24}}
print(ctypes.c_double.from_address(where[sys.argv[1]]).value)
"""


@pytest.mark.parametrize("where", ["inside", "behind"])
def test_reading_outside_of_an_operand_ends_the_process(where: str) -> None:
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", BEYOND.format(root=root), where], capture_output=True, check=False)
    assert (done.returncode == 0) == (where == "inside"), done.stderr
