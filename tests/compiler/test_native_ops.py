"""Native code of every operation: each record of the table, its derivatives, and shapes that try the loops."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import fanin.nn  # noqa: F401  (every room enters its operations)
from fanin._core.errors import IndexRangeError
from fanin.compiler import numpy_engine
from fanin.compiler.graph import Graph, Value, apply
from fanin.compiler.native import elementwise
from fanin.compiler.native.executable import Executable
from fanin.compiler.native.target import named
from fanin.ops.activation import tanh
from fanin.ops.arithmetic import equal, less, where
from fanin.ops.elementwise import absolute, cast, exp
from fanin.ops.op import get
from fanin.ops.reduce import mean, sum_
from tests.compiler.test_lower import at_corners, inputs_of, leaf
from tests.ops.test_table import REFUSED, SAMPLES, differentiable_inputs

DTYPES = [np.float32, np.float64]
TOLERANCE = {"float16": 1e-3, "float32": 5e-6, "float64": 1e-12}
# Records are compiled together, so many at a time.
TOGETHER = 12
NAMES = sorted(SAMPLES)
BATCHES = [tuple(NAMES[i : i + TOGETHER]) for i in range(0, len(NAMES), TOGETHER)]


@dataclass
class Batch:
    """Values to be computed by one executable, and what they have to be."""

    data: list[Value] = field(default_factory=list)
    arrays: list[Any] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    expected: list[Any] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def leaf(self, array: Any) -> Any:
        """Return a leaf for an array; anything else as it is."""
        made = leaf(array)
        if isinstance(made, Value):
            self.data.append(made)
            self.arrays.append(array)
        return made

    def want(self, name: str, value: Value, expected: Any) -> None:
        """Add a value and what it should be."""
        self.outputs.append(value)
        self.expected.append(np.asarray(expected))
        self.names.append(name)

    def graph(self) -> Graph:
        """Return the graph of all values."""
        return Graph(data=tuple(self.data), outputs=tuple(self.outputs))

    def check(self, isa: Any = None) -> None:
        """Compute natively and compare."""
        actual = Executable(self.graph(), isa)(self.arrays, (), ())
        wrong = [
            f"{name}: {problem}"
            for name, a, b in zip(self.names, actual, self.expected, strict=True)
            if (problem := difference(a, b))
        ]
        assert not wrong, "\n".join(wrong)


def difference(actual: Any, expected: Any) -> str:
    """Return how an array differs from what it should be, to within rounding at the scale of the whole; else ""."""
    if (actual.shape, actual.dtype) != (expected.shape, expected.dtype):
        return f"{actual.dtype}{actual.shape} instead of {expected.dtype}{expected.shape}"
    if expected.dtype.kind != "f":
        return "" if np.array_equal(actual, expected) else f"{actual} instead of {expected}"
    finite = np.isfinite(expected)
    if not np.array_equal(actual[~finite], expected[~finite], equal_nan=True) or not np.isfinite(actual[finite]).all():
        return f"{actual} instead of {expected}"
    scale = np.abs(expected[finite]).max(initial=1e-30)
    error = np.abs(actual[finite] - expected[finite]).max(initial=0) / scale
    return "" if error <= TOLERANCE[expected.dtype.name] else f"off by {error:.2g}: {actual} instead of {expected}"


def add_record(batch: Batch, name: str, number: int, dtype: Any) -> None:
    """Add a sample of a record: its value, and the derivative of each input."""
    op = get(name)
    arrays, attrs = inputs_of(name, number, dtype)
    leaves = tuple(map(batch.leaf, arrays))
    with np.errstate(all="ignore"):
        out = np.asarray(op.evaluate(*arrays, **attrs))
    value = apply(op, leaves, attrs)
    batch.want(f"{name} {number}", value, out)
    if name in REFUSED or out.dtype.kind != "f":
        return
    grad = np.random.RandomState(5).standard_normal(out.shape).astype(out.dtype)
    g = batch.leaf(grad)
    for i in differentiable_inputs(op, arrays):
        with np.errstate(all="ignore"):
            expected = op.vjp(i, grad, out, list(arrays), attrs)
        batch.want(f"{name} {number} by {i}", op.vjp(i, g, value, list(leaves), attrs), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("names", BATCHES, ids=lambda names: f"{names[0]}-{names[-1]}")
def test_every_record_and_its_derivatives(names: Sequence[str], dtype: Any) -> None:
    batch = Batch()
    for name in names:
        for number in range(len(SAMPLES[name])):
            add_record(batch, name, number, dtype)
    batch.check()


def test_a_wrong_instruction_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(elementwise.PLAIN, "sub", lambda code, a, c: code.sub(c, a))
    monkeypatch.setattr(Executable, "_key", lambda self, graph: "planted")
    batch = Batch()
    add_record(batch, "sub", 0, np.float32)
    with pytest.raises(AssertionError, match="sub 0: off by"):
        batch.check()


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (np.ones(3), np.ones(3, np.float32)),
        (np.ones(3), np.ones((3, 1))),
        (np.array([1, 2]), np.array([1, 3])),
        (np.array([1.0, np.inf]), np.array([1.0, np.nan])),
        (np.array([1.0, np.nan]), np.array([1.0, 1.0])),
        (np.array([1.0, 1 + 1e-10]), np.array([1.0, 1.0])),
    ],
)
def test_a_difference_is_found(actual: Any, expected: Any) -> None:
    assert difference(actual, expected)
    assert not difference(expected, expected)


# Corners --------------------------------------------------------------------------------------------------------------

WITH_CORNERS = """
    abs neg sign floor ceil trunc round sqrt rsqrt reciprocal square exp exp2 expm1 log log2 log10 log1p tanh sigmoid
    maximum minimum fmax fmin add sub mul div eq ne lt le gt ge isnan isinf isfinite where atan2 copysign pow erf
    remainder floor_divide trunc_divide fmod signbit relu leaky_relu softplus gelu silu elu hardtanh clamp mse_loss
""".split()

# The larger of 0 and -0 is either, and so is what is made of it.
EITHER_ZERO = frozenset("maximum minimum fmax fmin relu hardtanh clamp elu leaky_relu".split())


def corners(name: str, dtype: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return an operation's first sample with every combination of corners in place of its arrays."""
    arranged = at_corners(name, 0, dtype)
    assert arranged is not None
    arrays, attrs = arranged
    size = max(x.size for x in arrays if isinstance(x, np.ndarray) and x.dtype.kind == "f")
    mask = np.arange(size) % 3 == 0
    return tuple(mask if isinstance(x, np.ndarray) and x.dtype.kind == "b" else x for x in arrays), attrs


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinities_nan_and_signed_zeros(dtype: Any) -> None:
    batch, zeros = Batch(), []
    for name in WITH_CORNERS:
        arrays, attrs = corners(name, dtype)
        leaves = tuple(map(batch.leaf, arrays))
        with np.errstate(all="ignore"):
            out = np.asarray(get(name).evaluate(*arrays, **attrs))
        batch.want(name, apply(get(name), leaves, attrs), out)
        if out.dtype.kind == "f":
            zeros.append(len(batch.outputs) - 1)
    actual = Executable(batch.graph())(batch.arrays, (), ())
    for i, (name, a, b) in enumerate(zip(batch.names, actual, batch.expected, strict=True)):
        finite = np.isfinite(b)
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b), err_msg=name)
        np.testing.assert_array_equal(a[~finite], b[~finite], err_msg=name)
        tolerance = max(TOLERANCE.get(b.dtype.name, 0), 0.0)
        np.testing.assert_allclose(a[finite], b[finite], rtol=tolerance, atol=1e-37, err_msg=name)
        if i in zeros and name not in EITHER_ZERO:
            zero = (b == 0) & (a == 0)
            np.testing.assert_array_equal(np.signbit(a[zero]), np.signbit(b[zero]), err_msg=name)


# Shapes ---------------------------------------------------------------------------------------------------------------

SIZES = (0, 1, 3, 7, 8, 9, 33)


def numbers(*shape: int, dtype: Any = np.float32, seed: int = 0) -> Any:
    """Return small numbers of a dtype."""
    random = np.random.default_rng(seed + sum(shape))
    if np.dtype(dtype).kind == "b":
        return random.integers(0, 2, shape).astype(bool)
    if np.dtype(dtype).kind in "iu":
        return random.integers(0 if np.dtype(dtype).kind == "u" else -4, 5, shape).astype(dtype)
    return random.normal(size=shape).astype(dtype)


def oracle(batch: Batch, name: str, value: Value) -> None:
    """Add a value; what it should be is what NumPy makes of the graph."""
    graph = Graph(data=tuple(batch.data), outputs=(value,))
    batch.want(name, value, numpy_engine.run(graph, batch.arrays, (), ())[0][0])


def call(name: str, *inputs: Any, **attrs: Any) -> Value:
    """Apply an operation."""
    return apply(get(name), inputs, attrs)


@pytest.mark.parametrize("isa", [None, "sse"])
def test_sizes_of_maps_and_sums(isa: str | None) -> None:
    batch = Batch()
    for n in SIZES:
        for dtype in (np.float32, np.float64, np.int64, np.int32, bool):
            x = batch.leaf(numbers(n, dtype=dtype))
            oracle(batch, f"map {n} {dtype}", where(equal(x, 1), x, x * x))
        for rows, dtype in itertools.product((1, 2, 5), DTYPES):
            y = batch.leaf(numbers(rows, n, dtype=dtype))
            for dim in ((0,), (1,), (0, 1)):
                oracle(batch, f"sum {rows} {n} {dim}", sum_(exp(y), dim=dim))
                if n:
                    oracle(batch, f"amax {rows} {n} {dim}", call("amax", y, dim=dim, keepdim=True))
    batch.check(None if isa is None else named(isa))


def subsets(n: int) -> Iterable[tuple[int, ...]]:
    """Return every set of dimensions but the empty one."""
    return itertools.chain.from_iterable(itertools.combinations(range(n), k) for k in range(1, n + 1))


@pytest.mark.parametrize("name", ["sum", "amax", "prod", "any"])
def test_reductions_over_every_subset_of_dimensions(name: str) -> None:
    batch = Batch()
    for shape in ((3, 4, 5), (2, 3, 1, 9), (2, 1, 8, 3), (1, 1, 1), (3, 0, 2)):
        x = batch.leaf(numbers(*shape, dtype=bool if name == "any" else np.float64))
        turned = call("permute", x, dims=tuple(reversed(range(len(shape)))))
        for dim in subsets(len(shape)):
            if name == "amax" and 0 in shape:
                continue
            for keepdim in (True, False):
                oracle(batch, f"{shape} {dim}", call(name, x, dim=dim, keepdim=keepdim))
            oracle(batch, f"turned {shape} {dim}", call(name, turned, dim=dim, keepdim=False))
            if name != "any":
                again = x - call(name, x, dim=dim, keepdim=True)
                oracle(batch, f"read again {shape} {dim}", sum_(again * again, dim=dim))
    batch.check()


def test_broadcasting_in_every_position() -> None:
    batch = Batch()
    full = (2, 3, 4)
    x = batch.leaf(numbers(*full))
    for kept in itertools.product((False, True), repeat=3):
        shape = tuple(n if k else 1 for n, k in zip(full, kept, strict=True))
        for lead in range(4):
            if any(n != 1 for n in shape[:lead]):
                continue
            y = batch.leaf(numbers(*shape[lead:]))
            oracle(batch, f"{shape} {lead}", x * y - y)
            oracle(batch, f"{shape} {lead} alone", tanh(call("expand", y, shape=full)))
    batch.check()


VIEWS: dict[str, Callable[[Value], Value]] = {
    "whole": lambda x: x,
    "turned": lambda x: call("permute", x, dims=(1, 0)),
    "rows": lambda x: call("getitem", x, index=(slice(1, None, 2),)),
    "columns": lambda x: call("getitem", x, index=(slice(None), slice(2, None, 3))),
    "flipped": lambda x: call("flip", x, dims=(1,)),
    "upside down": lambda x: call("flip", x, dims=(0, 1)),
    "row": lambda x: call("getitem", x, index=(2,)),
    "column": lambda x: call("getitem", x, index=(Ellipsis, 1)),
    "with a dimension more": lambda x: call("getitem", x, index=(slice(None), None)),
    "flat": lambda x: call("reshape", x, shape=(x.size,)),
    "turned and flat, which needs a copy": lambda x: call("reshape", call("permute", x, dims=(1, 0)), shape=(x.size,)),
    "part, turned, flipped": lambda x: call(
        "flip", call("permute", call("getitem", x, index=(slice(1, 4), slice(None, None, 2))), dims=(1, 0)), dims=(0,)
    ),
}


@pytest.mark.parametrize("shape", [(5, 7), (8, 8), (33, 9)])
def test_views_as_inputs(shape: tuple[int, int]) -> None:
    batch = Batch()
    x = batch.leaf(numbers(*shape))
    made = exp(x * 0.5)
    for name, view in VIEWS.items():
        for what, source in (("leaf", x), ("result", made)):
            shown = view(source)
            last = (shown.ndim - 1,)
            oracle(batch, f"{name} of a {what}", shown)
            oracle(batch, f"map of {name} of a {what}", shown * 2 + 1)
            oracle(batch, f"sum of {name} of a {what}", sum_(absolute(shown), dim=last))
            oracle(batch, f"centred {name} of a {what}", shown - mean(shown, dim=last, keepdim=True))
    batch.check()


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_of_views(dtype: Any) -> None:
    batch = Batch()
    for i, j, last in itertools.product(range(4), repeat=3):
        # Each dtype has every two sizes side by side, and one of them every three: code for 256 products takes a while.
        if (i + j + last) % 2 == DTYPES.index(dtype):
            continue
        m, k, n = (1, 3, 9, 33)[i], (1, 2, 8, 33)[j], (1, 7, 16, 33)[last]
        a, b = batch.leaf(numbers(m, k, dtype=dtype)), batch.leaf(numbers(k, n, dtype=dtype))
        turned_a = call("permute", batch.leaf(numbers(k, m, dtype=dtype)), dims=(1, 0))
        turned_b = call("permute", batch.leaf(numbers(n, k, dtype=dtype)), dims=(1, 0))
        for (s, left), (t, right) in itertools.product(enumerate((a, turned_a)), enumerate((b, turned_b))):
            oracle(batch, f"{m} {k} {n} {s} {t}", tanh(call("matmul", left, right)) + 1)
    wide = batch.leaf(numbers(6, 400, dtype=dtype))
    sliced = call("getitem", wide, index=(slice(None), slice(None, None, 3)))
    oracle(batch, "sliced", call("matmul", sliced, call("permute", sliced, dims=(1, 0))))
    oracle(batch, "flipped", call("matmul", call("flip", wide, dims=(1,)), call("permute", wide, dims=(1, 0))))
    batch.check()


def test_one_factor_of_products_with_different_numbers_of_rows() -> None:
    """Panels of the factor are chosen by the number of rows."""
    batch = Batch()
    weight = call("permute", batch.leaf(numbers(40, 50)), dims=(1, 0))
    for rows in (1, 2, 5, 13, 48, 49, 64, 200):
        oracle(batch, f"{rows}", call("matmul", batch.leaf(numbers(rows, 50)), weight))
    batch.check()


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_of_many_matrices(dtype: Any) -> None:
    batch = Batch()
    for lead_a, lead_b in (((3,), (3,)), ((3,), ()), ((), (3,)), ((2, 1), (5,)), ((2, 3), (2, 3)), ((0,), (0,))):
        for m, k, n in ((1, 1, 1), (3, 4, 5), (9, 33, 17), (2, 400, 3)):
            a = batch.leaf(numbers(*lead_a, m, k, dtype=dtype))
            b = batch.leaf(numbers(*lead_b, k, n, dtype=dtype))
            c = batch.leaf(numbers(*lead_b, n, k, dtype=dtype))
            turned = call("permute", c, dims=(*range(len(lead_b)), len(lead_b) + 1, len(lead_b)))
            oracle(batch, f"{lead_a} {lead_b} {m} {k} {n}", call("matmul", a, b) * 2)
            oracle(batch, f"{lead_a} {lead_b} {m} {k} {n} turned", call("matmul", a, turned))
    batch.check()


def test_parts_and_indices() -> None:
    batch = Batch()
    for rows in (1, 3, 8):
        x = batch.leaf(numbers(rows, 5))
        made = x * 2
        at = batch.leaf(numbers(rows, 2, dtype=np.int64) % 5)
        which = batch.leaf(np.arange(rows)[::-1].copy())
        oracle(batch, "columns beside each other", call("cat", x, made, made, dim=1))
        oracle(batch, "rows below each other", call("cat", made, x, dim=0) + 1)
        oracle(batch, "among zeros", call("put_zeros", made, shape=(rows, 9), index=(slice(None), slice(2, 7))))
        oracle(batch, "every other", call("put_zeros", made, shape=(2 * rows, 5), index=(slice(None, None, 2),)))
        oracle(batch, "backwards", call("put_zeros", made, shape=(rows, 5), index=(slice(None, None, -1),)))
        oracle(batch, "one row", call("put_zeros", made, shape=(4, rows, 5), index=(2,)))
        oracle(batch, "columns by index", call("gather", made, at, dim=1) * 3)
        oracle(batch, "columns by index that is computed", call("gather", made, where(less(at, 2), at, 0), dim=1))
        oracle(
            batch,
            "added by index",
            call("scatter_add_zeros", call("gather", made, at, dim=1), at, shape=(rows, 5), dim=1),
        )
        how = {"padding_idx": None, "by_frequency": False}
        oracle(batch, "rows by index", call("embedding", made, which, **how) + x)
        oracle(batch, "rows by index of rows", call("embedding", made, where(less(at, rows), at, 0), **how))
        oracle(batch, "added rows", call("add_rows", made, which, rows=rows + 2, **how))
        for dim in (0, 1):
            oracle(batch, f"largest {dim}", call("argmax", made, dim=dim))
            oracle(batch, f"first of equals {dim}", call("argmin", absolute(x) * 0, dim=dim))
    batch.check()


@pytest.mark.parametrize("source", [np.float32, np.float64, np.int64, np.int32, np.uint8, np.float16, bool])
def test_mixed_types(source: Any) -> None:
    batch = Batch()
    x = batch.leaf(numbers(5, 9, dtype=source))
    for target in (np.float32, np.float64, np.int64, np.int32, np.uint8, np.float16, bool):
        oracle(batch, f"cast to {target}", cast(x, dtype=np.dtype(target)))
        y = batch.leaf(numbers(9, dtype=target))
        for name in ("add", "mul", "maximum", "lt", "eq"):
            oracle(batch, f"{name} {target}", call(name, x, y))
    oracle(batch, "sum", sum_(cast(x, dtype=np.dtype(np.float32)), dim=(0,)))
    oracle(batch, "any", call("any", x, dim=(1,), keepdim=False))
    batch.check()


# Operations without code ----------------------------------------------------------------------------------------------


def test_operations_without_code_inside_a_graph() -> None:
    batch = Batch()
    x, y = batch.leaf(np.abs(numbers(6, 5))), batch.leaf(numbers(5, 5))
    inner = call("cumsum", exp(x) * 0.1, dim=1)
    oracle(batch, "in the middle", call("matmul", tanh(inner), y) + 1)
    oracle(batch, "of a view", call("cumsum", call("permute", x, dims=(1, 0)), dim=0) * 2)
    oracle(batch, "one after the other", call("lgamma", call("digamma", x + 1) + 2.0))
    oracle(batch, "of a number", call("cumsum", x, dim=0) * 0.5)
    batch.check()


def test_steps_with_an_operation_without_code() -> None:
    """Data and outputs of many steps are stacked: the host has to find its own."""
    data = numbers(4, 3, 5)
    x = Value((3, 5), np.float32, role="data")
    state = Value((3, 5), np.float32, role="state")
    scale = Value((), np.float64, role="scalar", weak=True)
    new = call("cumsum", x * scale, dim=1) + state
    graph = Graph((x,), (state,), (scale,), (call("cumsum", call("cumsum", x, dim=1), dim=0),), ((0, new),))
    executable = Executable(graph)
    held, scales = np.zeros((3, 5), np.float32), np.array([[1.0], [2.0], [3.0], [0.5]])
    outputs = np.empty((4, 3, 5), np.float32)
    for kind, array in (("data", data), ("state", held), ("output", outputs)):
        executable.bind(kind, 0, array)
    executable.run(scales, 4)
    np.testing.assert_allclose(held, (data * scales[:, :, None]).cumsum(2).sum(0), rtol=1e-5)
    np.testing.assert_allclose(outputs, data.cumsum(2).cumsum(1), rtol=1e-5)


def test_an_exception_of_the_host_is_raised_after_the_run() -> None:
    x = Value((2, 2), np.float64, role="data")
    executable = Executable(Graph((x,), outputs=(call("inverse", x), x * 2)))
    with pytest.raises(Exception, match="singular"):
        executable([np.zeros((2, 2))], (), ())
    inverse, double = executable([np.eye(2) * 2], (), ())
    np.testing.assert_array_equal(inverse, np.eye(2) / 2)
    np.testing.assert_array_equal(double, np.eye(2) * 4)


@pytest.mark.parametrize("wrong", [-1, 3, 2**40])
def test_an_index_out_of_range_is_an_error(wrong: int) -> None:
    x, at = Value((3, 4), np.float32, role="data"), Value((2,), np.int64, role="data")
    how = {"padding_idx": None, "by_frequency": False}
    values = numbers(3, 4)
    for value in (
        call("embedding", x, at, **how),
        call("gather", x, call("reshape", at, shape=(2, 1)), dim=0),
        call("add_rows", call("getitem", x, index=(slice(0, 2),)), at, rows=3, **how),
    ):
        executable = Executable(Graph((x, at), outputs=(value,)))
        with pytest.raises(IndexRangeError, match="out of range"):
            executable([values, np.array([0, wrong])], (), ())
        (right,) = executable([values, np.array([2, 0])], (), ())
        expected = numpy_engine.run(Graph((x, at), outputs=(value,)), [values, np.array([2, 0])], (), ())[0][0]
        np.testing.assert_array_equal(right, expected)


@pytest.mark.parametrize("wrong", [-1, 4])
def test_a_class_that_does_not_exist_is_an_error(wrong: int) -> None:
    x, target = Value((3, 4), np.float32, role="data"), Value((3,), np.int64, role="data")
    loss = call("cross_entropy", x, target, reduction="mean", ignore_index=-100, label_smoothing=0.0)
    executable = Executable(Graph((x, target), outputs=(loss,)))
    with pytest.raises(IndexRangeError, match="out of range"):
        executable([numbers(3, 4), np.array([0, wrong, 1])], (), ())
    assert np.isfinite(executable([numbers(3, 4), np.array([0, 3, 1])], (), ())[0])
