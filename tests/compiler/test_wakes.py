"""Optimisers' rules right after the products they read, part by part: which, how large, and that nothing changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin.compiler.capture.captured import capture
from fanin.compiler.graph import Value
from fanin.compiler.native import executable, memory, wakes
from fanin.compiler.native.executable import Executable
from fanin.compiler.native.module import Builder
from fanin.compiler.native.planned import planned
from fanin.compiler.native.sharing import meets
from fanin.compiler.native.target import named
from fanin.compiler.passes.plan import COPY, WHOLE, Group
from fanin.compiler.passes.views import own

AVX2 = named("avx2")


def step_of(outputs: int, *, tied: bool = False, inputs: int = 96, rows: int = 64) -> tuple[Any, list[Any]]:
    """Return a captured step of Adam on one matrix, and its data.

    tied: whether the gradient is a product of which the matrix itself is a factor.
    """
    torch.manual_seed(3)
    w = torch.nn.Parameter(torch.randn(outputs, inputs) * 0.1)
    optimizer = torch.optim.Adam([w], lr=1e-2)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        if tied:
            loss, w.grad = x.mean(), (y.T @ y) @ w.detach()
        else:
            loss = torch.nn.functional.mse_loss(torch.nn.functional.linear(x, w), y)
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    data = [torch.randn(rows, inputs), torch.randn(rows, outputs)]
    captured = capture(step, tuple(data), {})
    return captured, data


def built(outputs: int, *, tied: bool = False) -> Builder:
    graph = step_of(outputs, tied=tied)[0].graph
    made = planned(graph, AVX2)
    return Builder(made.plan, made.layout, AVX2)


def trained(captured: Any, data: list[Any], steps: int = 3, threads: int = 1) -> list[Any]:
    code = Executable(captured.graph)
    state = [t._array.copy() for t in captured.state_tensors]
    for i, tensor in enumerate(data):
        code.bind("data", i, np.stack([tensor._array] * steps))
    for i, array in enumerate(state):
        code.bind("state", i, array)
    for i, value in enumerate(code.graph.outputs):
        code.bind("output", i, np.empty((steps, *value.shape), value.dtype))
    code.run(np.ascontiguousarray(captured.scalars.table(steps)), steps, threads=threads)
    return state


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a part be of a few rows, in code that is compiled for this test alone."""
    monkeypatch.setattr(wakes, "WAKE_BYTES", 4096)
    monkeypatch.setattr(executable, "compiler_version", lambda: "parts of 4 KB")
    monkeypatch.setattr(executable, "WORK_OF_A_TEAM", 0)


@pytest.mark.parametrize(("outputs", "rows"), [(1024, 512), (1023, 341), (1021, 511), (2048, 512), (64, 32)])
def test_parts_fit_the_cache_and_divide_the_whole(outputs: int, rows: int) -> None:
    (wake,) = built(outputs).wakes.values()
    assert wake.loop.kind == "loops"
    assert wake.rows == rows
    assert wake.rows * 96 * 4 <= wakes.WAKE_BYTES


def test_a_loop_that_overwrites_what_the_product_reads_waits_for_all_of_it() -> None:
    assert built(64).wakes
    assert not built(64, tied=True).wakes


@pytest.mark.parametrize("outputs", [64, 100, 61], ids=["even", "a last thread with less", "a shorter last part"])
def test_what_is_computed_is_the_same(outputs: int, small_parts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    captured, data = step_of(outputs)
    one, two = trained(captured, data), trained(captured, data, threads=2)
    monkeypatch.setattr(memory, "wakes", lambda _: {})
    monkeypatch.setattr(executable, "compiler_version", lambda: "no wakes")
    plain = trained(captured, data)
    for a, b, c, before in zip(one, two, plain, (t._array for t in captured.state_tensors), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c, rtol=1e-5, atol=1e-7)
        assert not np.array_equal(a, before)


def test_a_gradient_on_its_way_has_memory_for_a_part_of_each_thread() -> None:
    builder = built(2048)
    (wake,) = builder.wakes.values()
    lanes = len(builder.plan.tiling.lanes)
    assert wake.passing is not None
    place = builder.layout.places[wake.passing]
    assert place.part
    assert place.lane_bytes == wake.rows * 96 * 4
    assert place.lanes == lanes


def test_a_gradient_that_is_read_later_does_not_pass_by() -> None:
    plan = built(512).plan
    (wake,) = wakes.wakes(plan).values()
    gradient = wake.passing
    assert gradient is not None
    reader = Value(gradient.shape, gradient.dtype, op=COPY, inputs=(gradient,))
    plan.refs[reader] = own(reader)
    plan.groups.append(Group("loops", wake.loop.level + 2, reader.shape, WHOLE, [reader], len(plan.groups)))
    (wake,) = wakes.wakes(plan).values()
    assert wake.passing is None


def test_a_gradient_that_somebody_else_reads_has_memory_for_all_of_it() -> None:
    torch.manual_seed(3)
    w, x, y = torch.nn.Parameter(torch.randn(512, 96) * 0.1), torch.randn(64, 96), torch.randn(64, 512)
    optimizer = torch.optim.SGD([w], lr=1e-2)

    def step(x: Any, y: Any) -> Any:
        w.grad = None
        torch.nn.functional.mse_loss(torch.nn.functional.linear(x, w), y).backward()
        optimizer.step()
        return w.grad.abs().max()

    start = w.detach().clone()
    largest = step(x, y)
    w.data = start
    compiled = torch.compile(step, engine="native")
    np.testing.assert_allclose(float(compiled(x, y)), float(largest), rtol=1e-5)
    assert not any(place.part for place in compiled._calls.last.execute.code.layout.places.values())


def test_a_hazard_that_is_overlooked_would_be_seen(small_parts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    captured, data = step_of(64, tied=True)
    right = trained(captured, data)
    monkeypatch.setattr(wakes, "may_follow", lambda *_: True)
    monkeypatch.setattr(executable, "compiler_version", lambda: "overlooked")
    wrong = trained(captured, data)
    assert not all(np.allclose(a, b, rtol=1e-3) for a, b in zip(right, wrong, strict=True))


# Barriers inside of a level -------------------------------------------------------------------------------------------


def test_who_overwrites_what_somebody_reads_waits_for_it() -> None:
    """Two products read a state that the third kernel of their level overwrites; for each other they need not wait."""
    torch.manual_seed(3)
    kept, one, other = (torch.randn(64, 64) for _ in range(3))

    def step(x: Any) -> Any:
        results = (one @ kept).tanh(), (kept @ other).tanh()
        kept.mul_(0.5)
        return *results, x.sum()

    made = planned(capture(step, (torch.randn(4, 4),), {}).graph, AVX2)
    builder = Builder(made.plan, made.layout, AVX2)
    readers = [group for group in made.plan.groups if group.kind == "product"]
    (writer,) = (g for g in made.plan.groups if any(made.plan.homes.get(v, ("", 0))[0] == "state" for v in g.stored))
    assert len(readers) == 2
    assert {group.level for group in (*readers, writer)} == {writer.level}
    first, second, change = map(builder._touched, (*readers, writer))
    assert not meets(second, first)
    assert [meets(change, reads) for reads in (first, second)] == [True, True]
    assert [meets(reads, change) for reads in (first, second)] == [True, True]
    rest = [group for group in made.plan.groups if group not in (*readers, writer) and group.level == writer.level]
    assert any(meets(builder._touched(group), first) for group in rest)  # which reads what that one writes
