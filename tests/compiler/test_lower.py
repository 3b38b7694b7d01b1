"""Lowering: every record of the table, written in primitives, gives what its own evaluation gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin.nn  # noqa: F401  (every room enters its operations)
from fanin.compiler import numpy_engine
from fanin.compiler.graph import Graph, Value, apply
from fanin.compiler.passes import lower as package
from fanin.compiler.passes.lower import PRIMITIVES, RULES, lower, unsupported
from fanin.ops.op import get, table
from tests.ops.test_table import CASES, REFUSED, SAMPLES, differentiable_inputs, floats

# No form in primitives: NumPy evaluates them.
UNLOWERED = frozenset(
    """
    argsort bitwise_left_shift bitwise_right_shift cholesky cumprod cumsum det digamma eigh_outer eigvalsh erfinv gcd
    inverse lcm lgamma log_abs_det logcumsumexp nextafter opaque polygamma recurrence scatter_combine solve svd_outer
    svdvals
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
@pytest.mark.parametrize(("name", "number"), CASES)
def test_value(name: str, number: int, dtype: Any) -> None:
    op = get(name)
    arrays, attrs = inputs_of(name, number, dtype)
    with np.errstate(all="ignore"):
        expected = op.evaluate(*arrays, **attrs)
    leaves = tuple(map(leaf, arrays))
    actual, left = run(leaves, arrays, apply(op, leaves, attrs))
    assert left == ({name} & UNLOWERED)
    close(actual, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "number"), CASES)
def test_derivatives(name: str, number: int, dtype: Any) -> None:
    op = get(name)
    if name in REFUSED:
        return
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
