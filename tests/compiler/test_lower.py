"""Lowering: every record of the table, written in primitives, gives what its own evaluation gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin.nn  # noqa: F401  (every room enters its operations)
from fanin._core.errors import GraphError, IndexRangeError
from fanin.compiler import numpy_engine
from fanin.compiler.graph import Graph, Value, apply
from fanin.compiler.passes.lower import PRIMITIVES, RULES, lower, unsupported
from fanin.compiler.passes.lower.common import total
from fanin.ops.activation import relu
from fanin.ops.arithmetic import greater, less, where
from fanin.ops.elementwise import exp, log, rsqrt
from fanin.ops.op import get, table
from fanin.ops.reduce import mean
from tests.ops.test_table import REFUSED, SAMPLES, differentiable_inputs, floats

# No form in primitives: NumPy evaluates them.
UNLOWERED = frozenset(
    """
    argsort bitwise_left_shift bitwise_right_shift cholesky cumprod cumsum det digamma eigh eigh_outer eigvalsh erfinv
    exponent gcd histogram histogram_edges inverse isin lcm lgamma log_abs_det logcumsumexp lstsq mantissa matrix_exp
    matrix_rank most_frequent ndtri nextafter pinv polygamma qr recurrence running_extreme scatter_combine searchsorted
    sign_of_det solve svd svd_outer svdvals winners_of
    """.split()
)
DTYPES = [np.float32, np.float64]
TOLERANCE = {"float32": 2e-6, "float64": 1e-12}


def inputs_of(name: str, number: int, dtype: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return a sample with its float arrays in a dtype, promoted as the record wants them."""
    inputs, attrs = SAMPLES[name][number]
    inputs = tuple(x.astype(dtype) if i in floats(inputs) else x for i, x in enumerate(inputs))
    if "dtype" in attrs and name != "cast":
        attrs = {**attrs, "dtype": np.dtype(dtype)}
    op = get(name)
    return tuple(op.promote(inputs) if op.promote else inputs), attrs


def leaf(x: Any) -> Any:
    """Return a leaf that stands for an array; anything else as it is."""
    return Value(x.shape, x.dtype, role="data") if isinstance(x, np.ndarray) else x


def run(leaves: tuple[Any, ...], arrays: tuple[Any, ...], root: Value) -> tuple[Any, set[str]]:
    """Return what the lowered graph of a root computes, and what is left in it that is no primitive."""
    data = [(v, x) for v, x in zip(leaves, arrays, strict=True) if isinstance(v, Value)]
    graph = lower(Graph(data=tuple(v for v, _ in data), outputs=(root,)))
    (out,), _ = numpy_engine.run(graph, [x for _, x in data], (), ())
    return out, unsupported(graph)


def close(actual: Any, expected: Any) -> None:
    """Assert that two arrays agree, to within rounding at the scale of the whole."""
    expected = np.asarray(expected)
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    finite = np.isfinite(expected)
    scale = float(np.abs(expected[finite]).max(initial=1e-30)) if expected.dtype.kind == "f" else 0.0
    rtol = TOLERANCE.get(expected.dtype.name, 0)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * scale)


def test_every_record_is_a_primitive_or_has_a_rule_or_is_known_to_have_none() -> None:
    names = {op.name for op in table()}
    assert names - PRIMITIVES - set(RULES) == UNLOWERED
    assert set(RULES) <= names


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SAMPLES)
def test_values(name: str, dtype: Any) -> None:
    for number in range(len(SAMPLES[name])):
        check_value(name, number, dtype)


def check_value(name: str, number: int, dtype: Any) -> None:
    op = get(name)
    arrays, attrs = inputs_of(name, number, dtype)
    with np.errstate(all="ignore"):
        expected = op.evaluate(*arrays, **attrs)
    leaves = tuple(map(leaf, arrays))
    actual, left = run(leaves, arrays, apply(op, leaves, attrs))
    assert left == ({name} & UNLOWERED)
    close(actual, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in REFUSED])
def test_derivatives(name: str, dtype: Any) -> None:
    for number in range(len(SAMPLES[name])):
        check_derivatives(name, number, dtype)


def check_derivatives(name: str, number: int, dtype: Any) -> None:
    op = get(name)
    arrays, attrs = inputs_of(name, number, dtype)
    with np.errstate(all="ignore"):
        out = np.asarray(op.evaluate(*arrays, **attrs))
    grad = np.random.RandomState(5).standard_normal(out.shape).astype(out.dtype)
    for i in differentiable_inputs(op, arrays) if out.dtype.kind == "f" else ():
        with np.errstate(all="ignore"):
            expected = op.vjp(i, grad, out, list(arrays), attrs)
        leaves = tuple(map(leaf, arrays))
        g = leaf(grad)
        result = apply(op, leaves, attrs)
        actual, left = run((*leaves, g), (*arrays, grad), op.vjp(i, g, result, list(leaves), attrs))
        assert left <= UNLOWERED
        close(actual, expected)


# Corners: where a formula that is right in the middle may be wrong at the edge. ---------------------------------------

SIZES = [0.0, 0.5, 1, 3, 6, 20, 21, 30, 88, 104, 800, 1e-4, 1e-30, 1e30, np.inf]
CORNERS = np.array([*SIZES, *(-x for x in SIZES), np.nan])
WITH_CORNERS = """
    above between outside leaky_gate relu hardtanh threshold leaky_relu prelu rrelu_with_noise hardshrink softshrink
    hardsigmoid hardswish hardswish_slope log_sigmoid softsign tanhshrink elu celu elu_slope softplus softplus_slope
    silu mish gelu clamp heaviside lerp nan_to_num frac round pow xlogy logaddexp hypot sinc mse_loss l1_loss huber_loss
    binary_cross_entropy_with_logits clone zeros_like ones_like overwrite logical_and logical_or logical_xor logical_not
""".split()


def at_corners(name: str, number: int, dtype: Any) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Return the sample with every combination of corners for its arrays, if these are one or two."""
    inputs, attrs = SAMPLES[name][number]
    places = floats(inputs)
    if len(places) not in (1, 2):
        return None
    grids = [grid.ravel().astype(dtype) for grid in np.meshgrid(*[CORNERS] * len(places))]
    op, filled = get(name), list(inputs)
    for place, grid in zip(places, grids, strict=True):
        filled[place] = grid
    return tuple(op.promote(tuple(filled)) if op.promote else filled), attrs


def assert_same_corners(actual: Any, expected: Any) -> None:
    """Assert that every single element agrees, the sign of a zero included."""
    expected = np.asarray(expected)
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(actual, expected, rtol=TOLERANCE.get(expected.dtype.name, 0) * 2)
    if expected.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(actual[expected == 0]), np.signbit(expected[expected == 0]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", WITH_CORNERS)
def test_corners(name: str, dtype: Any) -> None:
    for number in range(len(SAMPLES[name])):
        check_corners(name, number, dtype)


def check_corners(name: str, number: int, dtype: Any) -> None:
    sample = at_corners(name, number, dtype)
    if sample is None:
        return
    op, (arrays, attrs) = get(name), sample
    leaves = tuple(map(leaf, arrays))
    with np.errstate(all="ignore"):
        out = np.asarray(op.evaluate(*arrays, **attrs))
    assert_same_corners(run(leaves, arrays, apply(op, leaves, attrs))[0], out)
    grad = np.full_like(out, 1.5)
    for i in differentiable_inputs(op, arrays) if out.dtype.kind == "f" else ():
        with np.errstate(all="ignore"):
            expected = op.vjp(i, grad, out, list(arrays), attrs)
        root = op.vjp(i, leaf_grad := leaf(grad), apply(op, leaves, attrs), list(leaves), attrs)
        assert_same_corners(run((*leaves, leaf_grad), (*arrays, grad), root)[0], expected)


WRONG = {
    "above": lambda g, x, *, threshold: where(less(x, threshold), 0.0, g),  # lets through at the corner itself
    "softplus": lambda x, *, beta, threshold: log(exp(x * beta) + 1) / beta,  # overflows
    "mean": lambda x, *, dim, keepdim=False: total(x, dim, keepdim) / 3.0001,
    "relu": lambda x: where(greater(x, 0), x, 0.0),  # nan is lost
}


def walk(name: str) -> None:
    """Run every test of a record."""
    test_values(name, np.float64)
    test_derivatives(name, np.float64)
    if name in WITH_CORNERS:
        test_corners(name, np.float64)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, name, WRONG[name])
    with pytest.raises(AssertionError):
        walk(name)


def test_a_rule_that_changes_the_dtype_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "relu", lambda x: x > 0)
    x = leaf(np.ones(3))
    with pytest.raises(GraphError, match="the rule of relu makes"):
        lower(Graph(data=(x,), outputs=(relu(x),)))


# What samples do not show ---------------------------------------------------------------------------------------------


def loss_graph(op: Any, x: Any, target: Any, weight: Any = None, **attrs: Any) -> tuple[Any, Any, Any, Any]:
    """Return a loss of class numbers and its slope, lowered, and from the record."""
    arrays = (x, target) if weight is None else (x, target, weight)
    leaves, grad = tuple(map(leaf, arrays)), np.asarray(1.0, x.dtype)
    g = leaf(grad)
    loss = apply(op, leaves, attrs)
    slope = op.vjp(0, g, loss, list(leaves), attrs)
    graph = lower(Graph(data=(*leaves, g), outputs=(loss, slope)))
    assert unsupported(graph) == set()
    actual = numpy_engine.run(graph, (*arrays, grad), (), ())[0]
    with np.errstate(all="ignore"):
        return (*actual, op.evaluate(*arrays, **attrs), op.vjp(0, grad, None, list(arrays), attrs))


EXTREME = np.array([[1e4, -1e4, 0.0], [-np.inf, 0.0, 1.0], [88.0, 89.0, 104.0], [1e-8, 0.0, -1e-8]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("target", [[0, 1, 2, 0], [1, 0, 0, 1], [-100, -100, 2, 0], [-100] * 4])
def test_cross_entropy_at_extremes(dtype: Any, smoothing: float, target: list[int]) -> None:
    attrs = {"reduction": "mean", "ignore_index": -100, "label_smoothing": smoothing}
    loss, slope, expected, expected_slope = loss_graph(
        get("cross_entropy"), EXTREME.astype(dtype), np.array(target), **attrs
    )
    np.testing.assert_allclose(loss, expected, rtol=TOLERANCE[np.dtype(dtype).name])
    close(slope, expected_slope)


@pytest.mark.parametrize("wrong", [3, -1, 2**40])
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_a_class_that_does_not_exist_is_refused(name: str, wrong: int) -> None:
    attrs = {"reduction": "mean", "ignore_index": -100}
    if name == "cross_entropy":
        attrs["label_smoothing"] = 0.0
    with pytest.raises(IndexRangeError, match=f"Target {wrong} is out of bounds"):
        loss_graph(get(name), EXTREME[2:], np.array([0, wrong]), **attrs)


def test_moments_that_are_values_are_found_anew() -> None:
    arrays = inputs_of("batch_norm", 0, np.float64)[0]
    leaves = tuple(map(leaf, arrays))
    centre = mean(leaves[0], dim=(0,), keepdim=True)
    attrs = {"dims": (0,), "eps": 1e-5, "moments": (centre, rsqrt(centre))}
    actual, left = run(leaves, arrays, apply(get("batch_norm"), leaves, attrs))
    assert left == set()
    close(actual, get("batch_norm").evaluate(*arrays, dims=(0,), eps=1e-5))


@pytest.mark.parametrize("number", [0.0, 2.0, -1.0, np.inf, np.nan])
@pytest.mark.parametrize("name", ["xlogy", "xlog1py", "pow", "hypot", "logaddexp"])
def test_a_number_on_either_side(name: str, number: float) -> None:
    op = get(name)
    for inputs in ((CORNERS, number), (number, CORNERS)):
        arrays = tuple(op.promote(inputs)) if op.promote else inputs
        values = tuple(map(leaf, arrays))
        with np.errstate(all="ignore"):
            expected = op.evaluate(*arrays)
        assert_same_corners(run(values, arrays, apply(op, values, {}))[0], expected)


def test_text_of_a_layer() -> None:
    x, w, b = (Value(s, np.float32, role="data", name=n) for n, s in (("x", (32, 4)), ("w", (3, 4)), ("b", (3,))))
    out = relu(apply(get("linear"), (x, w, b), {}))
    assert str(lower(Graph(data=(x, w, b), outputs=(out,)))).splitlines()[1:] == [
        "    %0: f32[4, 3] = permute(w, dims=(1, 0))",
        "    %1: f32[32, 3] = matmul(x, %0)",
        "    %2: f32[32, 3] = add(%1, b)",
        "    %3: f32[32, 3] = maximum(%2, 0)",
        "return %3",
    ]
