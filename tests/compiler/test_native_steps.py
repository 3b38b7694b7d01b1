"""Native steps: results that are also inputs, a step of training, and code for machines that are not here."""

from __future__ import annotations

import numpy as np
import pytest

import fanin.nn  # noqa: F401  (every room enters its operations)
from fanin.compiler import numpy_engine
from fanin.compiler.graph import Graph, Value
from fanin.compiler.native.executable import Executable
from fanin.compiler.native.planned import planned
from fanin.compiler.native.target import assembly, named
from fanin.ops.op import get
from tests.compiler.test_native_ops import call, numbers


def test_state_that_is_read_after_it_is_replaced() -> None:
    """New state may be computed in place only where nobody needs the old one any more."""
    a, b = (Value((4, 4), np.float64, role="state") for _ in range(2))
    x = Value((4, 4), np.float64, role="data")
    new_a, new_b = call("matmul", a, x) + b, call("permute", a, dims=(1, 0)) * 2
    graph = Graph((x,), (a, b), (), (a, new_a, call("flip", b, dims=(0,))), ((0, new_a), (1, new_b)))
    arrays = [numbers(4, 4, dtype=np.float64, seed=i) for i in range(3)]
    expected, updates = numpy_engine.run(graph, arrays[:1], arrays[1:], ())
    state = [array.copy() for array in arrays[1:]]
    actual = Executable(graph)(arrays[:1], state, ())
    for got, want in zip([*actual, *state], [*expected, *(new for _, new in updates)], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-13)


def test_state_that_trades_places() -> None:
    a, b = (Value((5,), np.float32, role="state") for _ in range(2))
    state = [numbers(5), numbers(5, seed=9)]
    before = [array.copy() for array in state]
    Executable(Graph((), (a, b), (), (), ((0, b), (1, a))))((), state, ())
    np.testing.assert_array_equal(state, before[::-1])


def mlp_step() -> Graph:
    """Return a training step of two layers with a class loss and gradient descent."""
    x, y = Value((16, 10), np.float32, role="data"), Value((16,), np.int64, role="data")
    weights = [Value(s, np.float32, role="state") for s in ((20, 10), (20,), (3, 20), (3,))]
    rate = Value((), np.float64, role="scalar", weak=True)
    ones = Value((), np.float32, role="data")
    hidden = call("linear", x, weights[0], weights[1])
    active = call("gelu", hidden, approximate="none")
    attrs = {"reduction": "mean", "ignore_index": -100, "label_smoothing": 0.0}
    out = call("linear", active, weights[2], weights[3])
    loss = call("cross_entropy", out, y, **attrs)
    g = get("cross_entropy").vjp(0, ones, loss, [out, y], attrs)
    slopes = [get("linear").vjp(i, g, out, [active, weights[2], weights[3]], {}) for i in range(3)]
    g = get("gelu").vjp(0, slopes[0], active, [hidden], {"approximate": "none"})
    first = [get("linear").vjp(i, g, hidden, [x, weights[0], weights[1]], {}) for i in (1, 2)]
    new = [w - rate * s for w, s in zip(weights, (*first, *slopes[1:]), strict=True)]
    return Graph((x, y, ones), tuple(weights), (rate,), (loss,), tuple(enumerate(new)))


@pytest.mark.parametrize("isa", ["avx2", "sse"])
def test_a_training_step(isa: str) -> None:
    graph = mlp_step()
    data = [numbers(16, 10), numbers(16, dtype=np.int64) % 3, np.ones((), np.float32)]
    state = [numbers(*v.shape, seed=i) for i, v in enumerate(graph.state)]
    (loss,), updates = numpy_engine.run(graph, data, state, [0.1])
    (actual,) = Executable(graph, named(isa))(data, state, [0.1])
    np.testing.assert_allclose(actual, loss, rtol=2e-6)
    for i, new in updates:
        np.testing.assert_allclose(state[i], new, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("isa", ["avx512", "neon"])
def test_code_for_machines_that_are_not_here(isa: str) -> None:
    graph = mlp_step()
    listing = assembly(_text(graph, isa), named(isa))
    assert "zmm" in listing if isa == "avx512" else ".4s" in listing


def _text(graph: Graph, isa: str) -> str:
    return planned(graph, named(isa)).text
