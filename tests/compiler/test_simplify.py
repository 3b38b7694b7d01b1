"""Simplification: the same numbers from fewer operations, and where it matters the same bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.compiler import numpy_engine
from fanin.compiler.graph import Graph, Value, apply, constant
from fanin.compiler.passes import algebra as algebra_pass
from fanin.compiler.passes.algebra import simplify_algebra
from fanin.compiler.passes.common import merge_common, number_key
from fanin.compiler.passes.constants import MOST_ELEMENTS, fold_constants
from fanin.compiler.passes.layouts import simplify_layouts
from fanin.compiler.passes.lower import lower
from fanin.compiler.passes.simplify import simplify
from fanin.ops import arithmetic, elementwise, index, linalg, reduce, shape
from fanin.ops.activation import relu
from fanin.ops.class_loss import cross_entropy
from fanin.ops.op import get
from tests.compiler.test_lower import UNLOWERED, close, inputs_of, leaf
from tests.ops.test_table import SAMPLES

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)


def leaves() -> tuple[Value, Value, Value]:
    """Return data to build graphs on: a matrix, a row, a column."""
    shapes = {"x": (3, 4), "row": (4,), "column": (3, 1)}
    x, row, column = (Value(s, F64, role="data", name=name) for name, s in shapes.items())
    return x, row, column


def graph_of(build: Callable[..., Any]) -> Graph:
    data = leaves()
    root = build(*data)
    return Graph(data=data, outputs=(root,))


def body(graph: Graph) -> str:
    """Return a graph's text without the line of its leaves."""
    return " ; ".join(line.strip() for line in str(graph).splitlines()[1:])


def expand(x: Any, *sizes: int) -> Any:
    return apply(arithmetic.expand_op, (x,), {"shape": sizes})


def total(x: Any, *dim: int, keepdim: bool = False) -> Any:
    return reduce.sum_(x, dim=dim, keepdim=keepdim)


def permute(x: Any, *dims: int) -> Any:
    return shape.permute(x, dims=dims)


def reshape(x: Any, *sizes: int) -> Any:
    return apply(shape.reshape_op, (x,), {"shape": sizes})


def cast(x: Any, dtype: Any) -> Any:
    return apply(elementwise.cast, (x,), {"dtype": dtype})


# What each rule does --------------------------------------------------------------------------------------------------

ALGEBRA: dict[str, tuple[Callable[..., Any], str]] = {
    "x * 1": (lambda x, *_: x * 1, "return x"),
    "1 * x": (lambda x, *_: 1.0 * x, "return x"),
    "a row stretched by ones stays": (
        lambda x, row, _: row * constant(np.ones((3, 1))),
        "%0: f64[3, 4] = mul(row, const[3, 1]) ; return %0",
    ),
    "x * -1": (lambda x, *_: x * -1.0, "%0: f64[3, 4] = neg(x) ; return %0"),
    "x / 1": (lambda x, *_: x / 1, "return x"),
    "x / 8": (lambda x, *_: x / 8, "%0: f64[3, 4] = mul(x, 0.125) ; return %0"),
    "x / 3 stays": (lambda x, *_: x / 3, "%0: f64[3, 4] = div(x, 3) ; return %0"),
    "8 / x stays": (lambda x, *_: 8 / x, "%0: f64[3, 4] = div(8, x) ; return %0"),
    "x + 0 stays": (lambda x, *_: x + 0.0, "%0: f64[3, 4] = add(x, 0) ; return %0"),
    "x + -0": (lambda x, *_: x + -0.0, "return x"),
    "x - 0": (lambda x, *_: x - 0.0, "return x"),
    "x - -0 stays": (lambda x, *_: x - -0.0, "%0: f64[3, 4] = sub(x, -0) ; return %0"),
    "minus minus x": (lambda x, *_: elementwise.negative(-x), "return x"),
    "a - (-b)": (lambda x, row, _: x - (-row), "%0: f64[3, 4] = add(x, row) ; return %0"),
    "a + (-b)": (lambda x, row, _: x + (-row), "%0: f64[3, 4] = sub(x, row) ; return %0"),
    "(-a) * (-b)": (lambda x, row, _: (-x) * (-row), "%0: f64[3, 4] = mul(x, row) ; return %0"),
    "(-a) * 3": (lambda x, *_: (-x) * 3, "%0: f64[3, 4] = mul(x, -3) ; return %0"),
    "-(a * 3)": (lambda x, *_: -(x * 3), "%0: f64[3, 4] = mul(x, -3) ; return %0"),
    "-(3 / a)": (lambda x, *_: -(3 / x), "%0: f64[3, 4] = div(-3, x) ; return %0"),
    "x * 2 * 3": (lambda x, *_: x * 2 * 3.0, "%0: f64[3, 4] = mul(x, 6) ; return %0"),
    "x * 5 * 3 stays": (
        lambda x, *_: x * 5 * 3.0,
        "%0: f64[3, 4] = mul(x, 5) ; %1: f64[3, 4] = mul(%0, 3) ; return %1",
    ),
    "|-x|": (lambda x, *_: abs(-x), "%0: f64[3, 4] = abs(x) ; return %0"),
    "where known": (lambda x, *_: arithmetic.where(constant(True), x, x * 3), "return x"),
    "where the same": (lambda x, row, _: arithmetic.where(x > row, x, x), "return x"),
    "where not": (
        lambda x, row, _: arithmetic.where(arithmetic.logical_not(x > 0), x, row),
        "%0: b1[3, 4] = gt(x, 0) ; %1: f64[3, 4] = where(%0, row, x) ; return %1",
    ),
    "not not": (
        lambda x, *_: arithmetic.logical_not(arithmetic.logical_not(x > 0)),
        "%0: b1[3, 4] = gt(x, 0) ; return %0",
    ),
    "not equal": (lambda x, *_: arithmetic.logical_not(arithmetic.equal(x, 0)), "%0: b1[3, 4] = ne(x, 0) ; return %0"),
    "not less stays": (
        lambda x, *_: arithmetic.logical_not(x < 0),
        "%0: b1[3, 4] = lt(x, 0) ; %1: b1[3, 4] = logical_not(%0) ; return %1",
    ),
    "cast to itself": (lambda x, *_: cast(x, F64), "return x"),
    "narrowed and back stays": (
        lambda x, *_: cast(cast(x, F32), F64),
        "%0: f32[3, 4] = cast(x, dtype=f32) ; %1: f64[3, 4] = cast(%0, dtype=f64) ; return %1",
    ),
    "widened and back": (
        lambda x, *_: cast(cast(cast(x, F32), F64), F32),
        "%0: f32[3, 4] = cast(x, dtype=f32) ; return %0",
    ),
}
LAYOUTS: dict[str, tuple[Callable[..., Any], str]] = {
    "reshape to itself": (lambda x, *_: reshape(x, 3, 4), "return x"),
    "reshape twice": (
        lambda x, *_: reshape(reshape(x, 12), 2, 6),
        "%0: f64[2, 6] = reshape(x, shape=(2, 6)) ; return %0",
    ),
    "permute back": (lambda x, *_: permute(permute(x, 1, 0), 1, 0), "return x"),
    "permute twice": (
        lambda x, *_: permute(permute(reshape(x, 3, 2, 2), 1, 2, 0), 2, 1, 0),
        "%0: f64[3, 2, 2] = reshape(x, shape=(3, 2, 2)) ; %1: f64[3, 2, 2] = permute(%0, dims=(0, 2, 1)) ; return %1",
    ),
    "permute a column": (
        lambda x, row, column: permute(column, 1, 0),
        "%0: f64[1, 3] = reshape(column, shape=(1, 3)) ; return %0",
    ),
    "expand twice": (
        lambda x, row, _: expand(expand(row, 3, 4), 2, 3, 4),
        "%0: f64[2, 3, 4] = expand(row, shape=(2, 3, 4)) ; return %0",
    ),
    "expand of leading ones": (
        lambda x, row, _: expand(reshape(row, 1, 4), 3, 4),
        "%0: f64[3, 4] = expand(row, shape=(3, 4)) ; return %0",
    ),
    "repeated for nothing": (
        lambda x, row, _: x * expand(row, 3, 4),
        "%0: f64[3, 4] = mul(x, row) ; return %0",
    ),
    "repeated afterwards": (
        lambda x, row, _: expand(row, 3, 4) * 3 + expand(row, 3, 4),
        "%0: f64[4] = mul(row, 3) ; %1: f64[4] = add(%0, row) ; %2: f64[3, 4] = expand(%1, shape=(3, 4)) ; return %2",
    ),
    "everything selected": (lambda x, *_: index.getitem(x, index=(slice(None), slice(0, 4))), "return x"),
    "turned round stays": (
        lambda x, *_: index.getitem(x, index=(slice(None, None, -1),)),
        "%0: f64[3, 4] = getitem(x, index=(:)) ; return %0",
    ),
    "flip of one": (lambda x, row, column: shape.flip(column, dims=(1,)), "return column"),
    "sum of one": (
        lambda x, row, column: total(column, 1),
        "%0: f64[3] = reshape(column, shape=(3)) ; return %0",
    ),
    "largest of one": (lambda x, row, column: reduce.amax(column, dim=(1,), keepdim=True), "return column"),
    "sum kept, then not": (
        lambda x, *_: reshape(total(x, 1, keepdim=True), 3),
        "%0: f64[3] = sum(x, dim=(1), keepdim=False) ; return %0",
    ),
    "sum of repeated": (
        lambda x, row, _: total(expand(row, 3, 4), 0),
        "%0: f64[4] = mul(row, 3) ; return %0",
    ),
    "sum of partly repeated": (
        lambda x, row, column: total(expand(column, 3, 4), 0, 1),
        "%0: f64[] = sum(column, dim=(0, 1), keepdim=False) ; %1: f64[] = mul(%0, 4) ; return %1",
    ),
    "sum over a new dimension of one": (
        lambda x, row, column: total(expand(column, 1, 3, 4), 0),
        "%0: f64[1, 3, 4] = expand(column, shape=(1, 3, 4)) ; %1: f64[3, 4] = reshape(%0, shape=(3, 4)) ; return %1",
    ),
    "largest of repeated": (
        lambda x, row, _: reduce.amax(expand(row, 3, 4), dim=(0,), keepdim=False),
        "return row",
    ),
    "outer product": (
        lambda x, row, column: linalg.matmul(column, reshape(row, 1, 4)),
        "%0: f64[3, 4] = mul(column, row) ; return %0",
    ),
}
CONSTANTS: dict[str, tuple[Callable[..., Any], str]] = {
    "chain": (lambda x, *_: x * (constant(2.0) * 0.25 + 1.0), "%0: f64[3, 4] = mul(x, 1.5) ; return %0"),
    "array": (
        lambda x, *_: x * (constant(np.arange(4.0)) * 2.0),
        "%0: f64[3, 4] = mul(x, const[4]) ; return %0",
    ),
    "one number": (
        lambda x, *_: x * constant(np.full((3, 4), 5.0)),
        "%0: f64[3, 4] = expand(5, shape=(3, 4)) ; %1: f64[3, 4] = mul(x, %0) ; return %1",
    ),
    "zeros of both signs stay": (
        lambda x, *_: x * constant(np.array([0.0, -0.0, 0.0, 0.0])),
        "%0: f64[3, 4] = mul(x, const[4]) ; return %0",
    ),
    "sum of one number": (
        lambda x, *_: x * total(expand(constant(5.0), 3, 4), 0, 1),
        "%0: f64[3, 4] = mul(x, 60) ; return %0",
    ),
    "division by zero is left to the caller": (
        lambda x, *_: x * cast(apply(arithmetic.floor_divide, (constant(3), constant(0)), {}), F64),
        "%0: i64[] = floor_divide(3, 0) ; %1: f64[] = cast(%0, dtype=f64) ; %2: f64[3, 4] = mul(x, %1) ; return %2",
    ),
}


@pytest.mark.parametrize("name", ALGEBRA)
def test_algebra(name: str) -> None:
    build, expected = ALGEBRA[name]
    assert body(simplify_algebra(graph_of(build))) == expected


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name: str) -> None:
    build, expected = LAYOUTS[name]
    graph = graph_of(build)
    for _ in range(3):  # what a rule makes on the way is simplified by the next walk
        graph = simplify_layouts(graph)
    assert body(graph) == expected


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants(name: str) -> None:
    build, expected = CONSTANTS[name]
    assert body(fold_constants(graph_of(build))) == expected


def test_large_results_are_not_stored() -> None:
    n = MOST_ELEMENTS
    stored = fold_constants(graph_of(lambda *_: constant(np.arange(float(n))) * 2.0))
    assert body(stored) == f"return const[{n}]"
    left = fold_constants(graph_of(lambda *_: constant(np.arange(n + 1.0)) * 2.0))
    assert body(left) == f"%0: f64[{n + 1}] = mul(const[{n + 1}], 2) ; return %0"


def test_everything_together_in_one_walk() -> None:
    def build(x: Value, row: Value, column: Value) -> Any:
        ones = constant(np.ones((3, 4)))
        return (x * expand(reshape(row, 1, 4), 3, 4) * ones - (-(x * row))) / constant(4.0)

    graph = graph_of(build)
    assert len(graph.values()) == 12
    assert body(simplify(graph)) == (
        "%0: f64[3, 4] = mul(x, row) ; %1: f64[3, 4] = add(%0, %0) ; %2: f64[3, 4] = mul(%1, 0.25) ; return %2"
    )


# Common subexpressions ------------------------------------------------------------------------------------------------

SAME: dict[str, Callable[..., tuple[Any, Any]]] = {
    "operations": (lambda x, row, _: (x * row, x * row)),
    "order": (lambda x, row, _: (x + row, row + x)),
    "numbers": (lambda x, *_: (x * 2.5, x * 2.5)),
    "nan": (lambda x, *_: (x * math.nan, x * float("nan"))),
    "constants": (lambda x, *_: (x * constant([1.0, 2, 3, 4]), x * constant([1.0, 2, 3, 4]))),
    "a default": (lambda x, *_: (total(x, 0), apply(reduce.sum_, (x,), {"dim": (0,)}))),
    "indices": (lambda x, *_: tuple(index.getitem(x, index=(slice(0, 2), np.array([0, 1]))) for _ in range(2))),
}
DIFFERENT: dict[str, Callable[..., tuple[Any, Any]]] = {
    "order": (lambda x, row, _: (x - row, row - x)),
    "zeros": (lambda x, *_: (x * 0.0, x * -0.0)),
    "constant zeros": (lambda x, *_: (x * constant(0.0), x * constant(-0.0))),
    "dims": (lambda x, *_: (total(reshape(x, 2, 2, 3), 0, keepdim=True), total(reshape(x, 2, 2, 3), 1, keepdim=True))),
    "indices": (lambda x, *_: tuple(index.getitem(x, index=(np.array([0, i]),)) for i in range(2))),
    "dtypes": (lambda x, *_: (cast(x, F32), cast(x, np.dtype(np.int32)))),
    "masks": (lambda x, *_: tuple(apply(get("random_keep"), (constant(np.zeros(2, np.uint64)),), a) for a in STREAMS)),
}
STREAMS = [{"shape": (3, 4), "p_keep": 0.5, "stream": i} for i in range(2)]


def pair(build: Callable[..., tuple[Any, Any]]) -> tuple[Value, Value]:
    data = leaves()
    first, second = merge_common(Graph(data=data, outputs=build(*data))).outputs
    return first, second


@pytest.mark.parametrize("name", SAME)
def test_the_same_twice_is_computed_once(name: str) -> None:
    first, second = pair(SAME[name])
    assert first is second


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_differs_is_kept_apart(name: str) -> None:
    first, second = pair(DIFFERENT[name])
    assert first is not second


def test_numbers_of_different_types_differ() -> None:
    keys = [number_key(x) for x in (1, 1.0, True, 0.0, -0.0, math.nan, np.float32(1), np.int64(1), None)]
    assert len(set(keys)) == len(keys)
    assert number_key(math.nan) == number_key(float("nan"))


# Random graphs: the same bits -----------------------------------------------------------------------------------------

NUMBERS = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 3.0, -0.25, 1, 2, 8, math.inf, math.nan]
EXACT_UNARY = ("neg", "abs", "sqrt", "square", "floor", "sign", "reciprocal")
EXACT_BINARY = ("add", "sub", "mul", "div", "maximum", "minimum")


def broadcast(a: Any, b: Any) -> bool:
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return False
    return True


def moves(draw: Any, x: Value) -> list[Callable[[], Any]]:
    """Return what can be done to the shape of a value."""
    found: list[Callable[[], Any]] = [
        lambda: reshape(x, x.size),
        lambda: reshape(x, 1, *x.shape),
        lambda: reshape(x, *x.shape, 1),
        lambda: permute(x, *draw(st.permutations(range(x.ndim)))),
        lambda: expand(x, 2, *x.shape),
        lambda: expand(x, *x.shape),
        lambda: index.getitem(x, index=(Ellipsis,)),
    ]
    return [*found, lambda: cast(cast(x, F32), F64)] if x.ndim < 4 else [found[0]]


@st.composite
def graphs(draw: Any) -> Graph:
    """Return a graph of exact operations: arithmetic, choices, moves."""
    data = leaves()
    pool: list[Value] = [*data, constant(np.float64(draw(st.sampled_from(NUMBERS)))), constant(np.ones((3, 4)))]
    for _ in range(draw(st.integers(2, 12))):
        x = draw(st.sampled_from(pool))
        fitting = [y for y in pool if broadcast(x, y)]
        other = draw(st.sampled_from([*fitting, *NUMBERS]))
        unary, binary = draw(st.sampled_from(EXACT_UNARY)), draw(st.sampled_from(EXACT_BINARY))
        swap = draw(st.booleans())
        choices: list[Callable[[], Any]] = [
            lambda x=x, unary=unary: apply(get(unary), (x,), {}),
            *[lambda x=x, y=other, op=binary, s=swap: apply(get(op), (y, x) if s else (x, y), {})] * 3,
            lambda x=x, y=other: arithmetic.where(arithmetic.logical_not(x > 0.5), x, y),
            draw(st.sampled_from(moves(draw, x))),
        ]
        new = draw(st.sampled_from(choices))()
        if new.size <= 500:
            pool.append(new)
    return Graph(data=data, outputs=(pool[-1], draw(st.sampled_from(pool))))


def numbers_for(graph: Graph) -> list[Any]:
    """Return numbers at which a wrong sign of zero, or a lost nan, shows."""
    some = [0.0, -0.0, 1.0, np.nan, -2.5, 0.3, 1e200, np.inf, -np.inf, -1.0, 0.5, -1e-200]
    return [np.resize(some, leaf.shape) for leaf in graph.data]


def results(graph: Graph) -> list[Any]:
    return numpy_engine.run(graph, numbers_for(graph), (), ())[0]


def assert_same_bits(actual: list[Any], expected: list[Any]) -> None:
    for a, e in zip(actual, expected, strict=True):
        assert (a.shape, a.dtype) == (e.shape, e.dtype)
        np.testing.assert_array_equal(a, e)
        known = ~np.isnan(e) if e.dtype.kind == "f" else np.ones(e.shape, bool)
        np.testing.assert_array_equal(np.signbit(a[known]), np.signbit(e[known]))


PASSES = [fold_constants, merge_common, simplify_algebra, simplify_layouts, simplify]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(graph=graphs())
def test_random_graphs_keep_their_bits(graph: Graph) -> None:
    expected = results(graph)
    for simplified in (apply_pass(graph) for apply_pass in PASSES):
        assert_same_bits(results(simplified), expected)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(graph=graphs())
def test_one_walk_is_enough(graph: Graph) -> None:
    simplified = simplify(graph)
    assert simplify(simplified) is simplified
    for apply_pass in PASSES:
        assert apply_pass(simplified) is simplified


@settings(max_examples=30, deadline=None, derandomize=True)
@given(graph=graphs(), data=st.data())
def test_random_reductions(graph: Graph, data: st.DataObject) -> None:
    x = graph.outputs[0]
    dim = tuple(data.draw(st.sets(st.integers(0, x.ndim - 1)))) if x.ndim else ()
    reduction = get(data.draw(st.sampled_from(["sum", "prod", "amax", "amin"])))
    root = apply(reduction, (x,), {"dim": tuple(sorted(dim)), "keepdim": data.draw(st.booleans())})
    whole = Graph(data=graph.data, outputs=(apply(get("mul"), (root, 1.0), {}), x))
    expected, terms = results(whole)
    actual = results(simplify(whole))[0]
    scale = np.abs(terms[np.isfinite(terms)]).max(initial=1e-300)
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12 * scale)


@pytest.mark.parametrize("wrong", ["x + 0 = x", "not (a < b) = a >= b", "a - b = b - a"])
def test_a_wrong_rule_is_found(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {
        "x + 0 = x": ("add", lambda v: v.inputs[0] if v.inputs[1] == 0.0 else v),
        "not (a < b) = a >= b": (
            "logical_not",
            lambda v: apply(get("le"), v.inputs[0].inputs, {}) if v.inputs[0].op.name == "gt" else v,
        ),
        "a - b = b - a": ("sub", lambda v: apply(get("neg"), (apply(get("sub"), v.inputs[::-1], {}),), {})),
    }
    name, rule = rules[wrong]
    builds = {
        "add": lambda x, *_: x + 0.0,
        "logical_not": lambda x, *_: arithmetic.logical_not(x > 0.5),
        "sub": lambda x, row, _: x - row,
    }
    graph = graph_of(builds[name])
    monkeypatch.setitem(algebra_pass._RULES, name, [rule])
    with pytest.raises(AssertionError):
        assert_same_bits(results(simplify_algebra(graph)), results(graph))


# Whole steps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in UNLOWERED])
def test_every_record_lowered_and_simplified(name: str) -> None:
    for number in range(len(SAMPLES[name])):
        check_sample(name, number)


def check_sample(name: str, number: int) -> None:
    op = get(name)
    arrays, attrs = inputs_of(name, number, np.float64)
    inputs = tuple(map(leaf, arrays))
    data = [(v, x) for v, x in zip(inputs, arrays, strict=True) if isinstance(v, Value)]
    graph = simplify(lower(Graph(data=tuple(v for v, _ in data), outputs=(apply(op, inputs, attrs),))))
    assert simplify(graph) is graph
    (actual,), _ = numpy_engine.run(graph, [x for _, x in data], (), ())
    with np.errstate(all="ignore"):
        close(actual, op.evaluate(*arrays, **attrs))


def step(n: int = 8) -> Graph:
    """Return a step of a classifier of two layers: forward, loss, backward, update by the gradient."""
    shapes = {"w0": (5, 4), "b0": (5,), "w1": (3, 5), "b1": (3,)}
    x, t = Value((n, 4), F32, role="data", name="x"), Value((n,), np.int64, role="data", name="t")
    state = tuple(Value(s, F32, role="state", name=name) for name, s in shapes.items())
    rate = Value((), F64, role="scalar", weak=True, name="lr")
    w0, b0, w1, b1 = state
    options = {"reduction": "mean", "ignore_index": -100, "label_smoothing": 0.0}
    before = linalg.linear(x, w0, b0)
    hidden = relu(before)
    logits = linalg.linear(hidden, w1, b1)
    loss = cross_entropy(logits, t, **options)
    g = cross_entropy.vjp(0, constant(np.float32(1)), loss, (logits, t), options)
    g1, g_bias1 = (linalg.linear.vjp(i, g, logits, (hidden, w1, b1), {}) for i in (1, 2))
    g = relu.vjp(0, linalg.linear.vjp(0, g, logits, (hidden, w1, b1), {}), hidden, (before,), {})
    g0, g_bias0 = (linalg.linear.vjp(i, g, before, (x, w0, b0), {}) for i in (1, 2))
    updates = tuple((i, p - rate * d) for i, (p, d) in enumerate(zip(state, (g0, g_bias0, g1, g_bias1), strict=True)))
    return Graph((x, t), state, (rate,), (loss,), updates)


def test_a_step_gives_the_same() -> None:
    random, graph = np.random.RandomState(0), step()
    data = [random.standard_normal((8, 4)).astype(F32), np.array([0, 1, 2, 2, -100, 0, 1, 1])]
    state = [random.standard_normal(leaf.shape).astype(F32) for leaf in graph.state]
    lowered = lower(graph)
    simplified = simplify(lowered)
    assert len(simplified.values()) < 0.75 * len(lowered.values())
    expected, actual = (numpy_engine.run(g, data, state, (0.1,)) for g in (graph, simplified))
    close(actual[0][0], expected[0][0])
    for (i, new), (j, old) in zip(actual[1], expected[1], strict=True):
        assert i == j
        close(new, old)


def test_forward_and_backward_share_the_softmax() -> None:
    text = str(simplify(lower(step())))
    counts = {name: text.count(f" {name}(") for name in ("exp", "log", "eq", "amax", "matmul", "sum")}
    assert counts == {"exp": 1, "log": 1, "eq": 2, "amax": 2, "matmul": 5, "sum": 5}
