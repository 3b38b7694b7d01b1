"""Where values lie: large networks take no second copy of their weights, gradients and sums."""

from __future__ import annotations

from itertools import combinations, pairwise
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


# Blocks of rows -------------------------------------------------------------------------------------------------------


def lifetimes(plan: Plan) -> dict[Any, tuple[int, int]]:
    """Return the positions of the first and the last group that write or read each value."""
    found: dict[Any, tuple[int, int]] = {}
    for at, group in enumerate(plan.groups):
        read = [plan.refs[x].base for v in group.members for x in v.inputs if x in plan.refs]
        for value in [*group.stored, *read]:
            found[value] = found.get(value, (at, at))[0], at
    return found


def meet(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]


def test_a_block_shares_memory_between_what_is_needed_one_after_the_other() -> None:
    net = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 4))

    def step(x: Any, y: Any) -> Any:
        net.zero_grad()
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        return loss.detach(), *(p.grad for p in net.parameters())

    plan, layout = laid_out(capture(step, (torch.randn(2048, 16), torch.randn(2048, 4)), {}).graph)
    assert plan.tiling.streamed
    assert len(plan.tiling.lanes) > 1
    alive = lifetimes(plan)
    levels: dict[int, list[Any]] = {}
    for group in plan.groups:
        levels.setdefault(group.level, []).extend(v for v in group.stored if layout.places[v].local)
    largest = max(levels.values(), key=len)
    shared = 0
    for level in filter(None, levels.values()):
        places = [layout.places[v] for v in level]
        start, (piece,) = min(place.offset for place in places), {place.lane_bytes for place in places}
        assert all(place.offset + place.size <= start + piece for place in places)  # the next lane's piece is behind
        assert start + piece * len(plan.tiling.lanes) <= layout.arena
        for (a, at), (b, bt) in combinations(zip(level, places, strict=True), 2):
            if meet((at.offset, at.offset + at.size - 1), (bt.offset, bt.offset + bt.size - 1)):
                assert not meet(alive[a], alive[b])
                shared += 1
    assert shared >= len(largest) // 2
