"""Whole trainings of random networks: native code, the graph under NumPy, and eager code give the same numbers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fanin as torch
from fanin.compiler.native import elementwise, executable
from fanin.compiler.native.executable import Executable
from fanin.compiler.native.module import Builder
from fanin.compiler.passes import schedule
from fanin.compiler.passes.tiling import Tiling
from tests.compiler.networks import Case, Random, Trained, draw_case, train

TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
ROUNDING = {"float64": 1e-15, "float32": 1e-7}
# How much larger than the effect of rounding errors, put in on purpose, a difference may be.
AMPLIFIED = 1000
EXAMPLES = int(os.environ.get("FANIN_EXAMPLES", "5"))


def largest_difference(a: Trained, b: Trained) -> tuple[float, str]:
    """Return the largest difference, relative to the largest number of its array, and where it is."""
    pairs = {"losses": (np.array(a.losses), np.array(b.losses))}
    pairs.update({name: (a.arrays[name], b.arrays[name]) for name in b.arrays})
    found = [(0.0, "")]
    for name, (x, y) in pairs.items():
        if (x.shape, x.dtype) != (y.shape, y.dtype) or not np.array_equal(np.isfinite(x), np.isfinite(y)):
            return np.inf, name
        x, y = x[np.isfinite(y)].astype(float), y[np.isfinite(y)].astype(float)
        if y.size:
            found.append((float(np.abs(x - y).max() / (np.abs(y).max() + 1e-3)), name))
    return max(found)


def assert_same(case: Case, a: Trained, b: Trained) -> None:
    """Assert that two ways of training differ by no more than rounding errors, and what the training makes of them."""
    difference, name = largest_difference(a, b)
    if difference <= TOLERANCE[case.dtype]:
        return
    effect, _ = largest_difference(train(case, None, ROUNDING[case.dtype]), train(case, None))
    assert difference <= AMPLIFIED * effect, f"{name} differs by {difference:.2g} (rounding: {effect:.2g}) in {case}"


def compare(case: Case) -> None:
    """Train in three ways."""
    native, plain = train(case, "native"), train(case, "numpy")
    assert native.captures == len(set(case.batches))
    assert_same(case, native, plain)
    if not case.draws:
        assert_same(case, plain, train(case, None))


class Drawn:
    """Choices that hypothesis makes, and shrinks."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def one(self, options: Sequence[Any]) -> Any:
        """Return one of the options."""
        return options[self.draw(st.integers(0, len(options) - 1))]

    def chance(self, of: int) -> bool:
        """Return True once in so many times."""
        return self.draw(st.integers(0, of - 1)) == of - 1


@st.composite
def cases(draw: Any) -> Case:
    """Draw a training."""
    return draw_case(Drawn(draw), 3)


@contextlib.contextmanager
def cut(lanes: int, block: int, streamed: bool) -> Iterator[None]:
    """Cut every batch into so many lanes, and a streamed one into blocks, whatever its size."""

    def tiling(graph: Any, rows: int, *_: Any) -> Tiling:
        each = -(-max(rows, 1) // lanes)
        parts = tuple((at, min(each, rows - at)) for at in range(0, max(rows, 1), each))
        return Tiling(max(rows, 1), parts, min(block, each) if streamed else each, streamed)

    key = Executable._key
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule, "tiling", tiling)
        patch.setattr(Executable, "_key", lambda self, graph: f"{key(self, graph)} {self.plan.tiling}")
        patch.setattr(executable, "WORK_OF_A_TEAM", 0)
        yield


@settings(max_examples=EXAMPLES)
@given(cases())
def test_random_networks(case: Case) -> None:
    compare(case)


@settings(max_examples=EXAMPLES)
@given(cases(), st.integers(1, 4), st.integers(1, 20), st.booleans())
def test_random_networks_in_lanes_and_blocks(case: Case, lanes: int, block: int, streamed: bool) -> None:
    with cut(lanes, block, streamed):
        compare(case)


LARGE: dict[str, Case] = {
    "streamed": Case(
        "float32", 40, (7,), (("linear", (43, 65, True)), ("ReLU", ())), (3,), (("CrossEntropyLoss", "mean"),), "Adam",
        (), False, None, (2048, 2048, 333, 2048),
    ),
    "lanes": Case(
        "float64", 65, (),
        (("linear", (65, 120, True)), ("GELU", ("none",)), ("linear", (120, 90, True)), ("Tanh", ())),
        (9,), (("MSELoss", "mean"),), "SGD", (("lr", 0.01), ("momentum", 0.9)), False, 1.0, (120, 120, 100, 120),
    ),
    "lanes that share packing": Case(
        "float64", 160, (), (("linear", (160, 160, True)), ("Tanh", ())), (7,), (("MSELoss", "mean"),), "SGD",
        (("lr", 0.1),), False, None, (96, 96, 40, 96),
    ),
    "batch norm across lanes": Case(
        "float64", 33, (),
        (("linear", (33, 90, True)), ("BatchNorm1d", (90,)), ("SiLU", ()), ("ensemble", (90, 33, True))),
        (5,), (("CrossEntropyLoss", "sum"),), "RMSprop", (("centered", True),), True, None, (120, 120, 70, 120),
    ),
    "streamed batch norm": Case(
        "float64", 17, (),
        (("linear", (17, 33, True)), ("BatchNorm1d", (33,)), ("Mish", ()), ("einsum", (33, 9, True))),
        (2,), (("HuberLoss", "mean"),), "AdamW", (), False, 0.5, (1500, 1500, 700, 1500),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_large_batches(name: str) -> None:
    compare(LARGE[name])


def test_large_batches_are_cut_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the cases above would show nothing of it."""
    seen = []
    begin = Executable._bind_memory

    def noted(self: Executable) -> None:
        seen.append(self.plan.tiling)
        begin(self)

    monkeypatch.setattr(Executable, "_bind_memory", noted)
    for name, case in LARGE.items():
        seen.clear()
        train(replace(case, batches=case.batches[:1]), "native")
        assert any(t.streamed for t in seen) is ("streamed" in name), name
        assert any(len(t.lanes) > 1 for t in seen), name


def test_packing_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the case above that is named so says."""
    parts, cut = [], Builder._panels

    def noted(self: Any, group: Any, lanes: int) -> Any:
        parts.append(list(cut(self, group, lanes)))
        return iter(parts[-1])

    monkeypatch.setattr(Builder, "_panels", noted)
    monkeypatch.setattr(Executable, "_key", lambda self, graph: f"noted {id(self)}")
    train(replace(LARGE["lanes that share packing"], batches=(96,)), "native")
    assert max(map(len, parts)) > 1


def test_a_wrong_network_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    case = draw_case(Random(3), 1)
    monkeypatch.setitem(elementwise.PLAIN, "sub", lambda code, a, c: code.sub(code.sub(a, c), code.like(1e-3, a)))
    monkeypatch.setattr(Executable, "_key", lambda self, graph: f"planted {id(self)}")
    with pytest.raises(AssertionError, match="differs"):
        compare(case)


def test_a_difference_is_measured_at_the_scale_of_the_array() -> None:
    a = Trained([1.0], {"w": np.array([100.0, 1e-9])}, 1)
    assert largest_difference(a, Trained([1.0], {"w": np.array([100.0, 2e-9])}, 1))[0] < 1e-10
    assert largest_difference(a, Trained([1.0], {"w": np.array([101.0, 1e-9])}, 1))[0] > 1e-3
    assert largest_difference(a, Trained([1.0], {"w": np.array([np.nan, 1e-9])}, 1))[0] == np.inf
    assert largest_difference(a, Trained([1.0], {"w": np.ones(2, np.float32)}, 1))[0] == np.inf


@pytest.mark.parametrize("rows", [1, 5, 8, 33])
@pytest.mark.parametrize("inner", [3, 70])
def test_what_follows_a_product_of_one_column(rows: int, inner: int) -> None:
    """Its results are written as neighbours; what they meet may lie a row apart, or be the same for all."""
    torch.manual_seed(0)
    w, b, other = torch.randn(1, inner), torch.randn(1), torch.randn(rows, 1)

    def block(x: Any) -> Any:
        return torch.relu(torch.nn.functional.linear(x, w, b) + x[:, 1:2]) * other - x[:1, 2:3]

    x = torch.randn(rows, inner)
    compiled = torch.compile(block, engine="native")
    np.testing.assert_allclose(compiled(x).numpy(), block(x).numpy(), rtol=1e-5, atol=1e-5)
    if rows > 1:
        assert "matmul + 2 add + maximum + mul + sub -> out0" in compiled.explain_plan()
