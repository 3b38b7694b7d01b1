"""Where values lie: large networks take no second copy of their weights, gradients and sums."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.compiler import numpy_engine
from fanin.compiler.capture import capture
from fanin.compiler.native.executable import Executable
from fanin.compiler.native.machine import NativeMachine
from fanin.compiler.native.memory import Layout, lay_out
from fanin.compiler.native.planned import prepared
from fanin.compiler.native.target import named
from fanin.compiler.passes.plan import Plan
from fanin.compiler.passes.schedule import schedule

AVX2 = named("avx2")


def captured_step(widths: tuple[int, ...], rows: int, *, again: bool = False) -> Any:
    """Return a captured step of training; with `again`, what stands before the first ReLU is read again by the loss."""
    torch.manual_seed(0)
    first, *others = [nn.Linear(a, b, bias=not again) for a, b in pairwise(widths)]
    rest = [layer for linear in others for layer in (nn.ReLU(), linear)]
    net = nn.Sequential(first, *rest)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        before = first(x)
        loss = nn.functional.cross_entropy(nn.Sequential(*rest)(before), y)
        if again:
            loss = loss + before.square().sum(dim=1).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return capture(step, (torch.randn(rows, widths[0]), torch.randint(0, widths[-1], (rows,))), {})


def laid_out(graph: Any) -> tuple[Plan, Layout]:
    plan = schedule(prepared(graph), NativeMachine(AVX2))
    return plan, lay_out(plan)


def test_a_wide_networks_memory_is_that_of_a_batch() -> None:
    widths, rows = (64, 3072, 3072, 10), 256
    _, layout = laid_out(captured_step(widths, rows).graph)
    activations = 4 * rows * sum(widths)
    assert 3 * activations < 4 * 3072 * 3072
    assert layout.arena < 3 * activations + 2e6


def test_sums_wait_where_what_becomes_of_them_will_be() -> None:
    plan, layout = laid_out(captured_step((800, 96, 4), 64).graph)
    group = next(g for g in plan.groups if g.kind == "product" and g.extent == (64, 96))
    product, result = group.stored
    assert layout.places[product] is layout.places[result]


def test_sums_that_somebody_reads_have_a_place_of_their_own() -> None:
    plan, layout = laid_out(captured_step((800, 96, 4), 64, again=True).graph)
    group = next(g for g in plan.groups if g.kind == "product" and g.extent == (64, 96))
    product, *results = group.stored
    assert product is group.members[0]
    assert results
    assert all(layout.places[product] is not layout.places[result] for result in results)


@pytest.mark.parametrize("again", [False, True])
def test_numbers_are_those_of_numpy(again: bool) -> None:
    captured = captured_step((800, 96, 4), 64, again=again)
    data = [np.random.default_rng(0).normal(size=(64, 800)).astype(np.float32), np.arange(64) % 4]
    found = []
    for engine in (Executable(captured.graph), numpy_engine_of(captured.graph)):
        state = [t._array.copy() for t in captured.state_tensors]
        outputs = engine(data, state, captured.scalars.row())
        found.append([*outputs, *state])
    for native, numpy in zip(*found, strict=True):
        np.testing.assert_allclose(native, numpy, rtol=2e-4, atol=2e-6)


def numpy_engine_of(graph: Any) -> Any:
    def run(data: Any, state: Any, scalars: Any) -> Any:
        outputs, changed = numpy_engine.run(graph, data, state, scalars)
        for i, array in changed:
            np.copyto(state[i], array)
        return outputs

    return run
