"""What is kept with compiled code: a program from the disk is the one that was planned, and is not planned again."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import fanin as torch
from fanin import nn
from fanin.compiler.capture import capture
from fanin.compiler.graph import Graph
from fanin.compiler.native import executable, planned, target
from fanin.compiler.native.executable import Executable
from fanin.compiler.native.manifest import Manifest

DTYPES = [np.float32, np.float64, np.int64, np.bool_]


def same(a: Any, b: Any) -> bool:
    """Say whether two manifests hold the same."""
    plain = [
        (
            m.arena,
            m.lanes,
            m.work,
            m.calls_back,
            m.looks_at_indices,
            m.stops,
            m.together,
            *(kind for kind, _ in m.sources),
        )
        for m in (a, b)
    ]
    values = [[what for _, what in m.sources] for m in (a, b)]
    return plain[0] == plain[1] and all(
        (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes()) if isinstance(x, np.ndarray) else x == y
        for x, y in zip(*values, strict=True)
    )


@given(
    st.integers(0, 2**40),
    st.lists(
        st.tuples(st.sampled_from(["data", "state", "output"]), st.integers(0, 9))
        | st.sampled_from(DTYPES).flatmap(
            lambda dtype: st.tuples(
                st.just("constant"), arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0))
            )
        )
    ),
    st.booleans(),
)
def test_round_trip(number: int, sources: list[tuple[str, Any]], flag: bool) -> None:
    made = Manifest(
        number, (("arena", None), *sources), 1 + number % 7, number + 1, number % 3, flag, not flag, 1 + number % 8
    )
    assert same(Manifest.from_bytes(made.to_bytes()), made)


def test_a_difference_is_seen() -> None:
    made = Manifest(64, (("arena", None), ("constant", np.ones(3))), 2, 10, 0, False, True, 1)
    for other in (
        Manifest(128, made.sources, 2, 10, 0, False, True, 1),
        Manifest(64, made.sources, 2, 10, 0, True, True, 1),
        Manifest(64, made.sources, 2, 10, 0, False, False, 1),
        Manifest(64, made.sources, 2, 10, 0, False, True, 8),
        Manifest(64, (("arena", None), ("constant", np.ones(3, np.float32))), 2, 10, 0, False, True, 1),
        Manifest(64, (("arena", None), ("constant", np.zeros(3))), 2, 10, 0, False, True, 1),
        Manifest(64, (("arena", None), ("data", 0)), 2, 10, 0, False, True, 1),
    ):
        assert not same(made, other)


# Programs from the disk -----------------------------------------------------------------------------------------------


def training() -> tuple[Graph, list[Any], list[Any]]:
    """Return a step with a constant, an index and state, its data and its state."""
    torch.manual_seed(5)
    net = nn.Sequential(nn.Linear(7, 12), nn.Tanh(), nn.Linear(12, 4))
    rule = torch.optim.Adam(net.parameters())

    def step(x: Any, y: Any) -> Any:
        loss = nn.functional.cross_entropy(net(x * torch.arange(7.0)), y)
        loss.backward()
        rule.step()
        rule.zero_grad()
        return loss.detach()

    return graph_of(step, torch.randn(9, 7), torch.randint(0, 4, (9,)))


def sums() -> tuple[Graph, list[Any], list[Any]]:
    """Return a step that calls back to NumPy."""
    return graph_of(lambda x: torch.cumsum(x * 2, 0).tanh(), torch.randn(5, 3))


def graph_of(step: Any, *data: Any) -> tuple[Graph, list[Any], list[Any]]:
    captured = capture(step, data, {})
    return captured.graph, [x._array for x in data], [t._array.copy() for t in captured.state_tensors]


@pytest.fixture
def from_the_disk(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let every Executable look on the disk."""
    gc.collect()
    monkeypatch.setattr(executable, "_PROGRAMS", {})
    return monkeypatch


@pytest.mark.parametrize("make", [training, sums])
def test_a_program_from_the_disk_is_the_one_that_was_planned(make: Any, from_the_disk: pytest.MonkeyPatch) -> None:
    graph, data, state = make()
    results = []
    first = Executable(graph)
    from_the_disk.setattr(executable, "_PROGRAMS", {})
    from_the_disk.setattr(target, "compiled", None)  # nothing is compiled any more
    second = Executable(graph)
    for program in (first, second):
        now = [array.copy() for array in state]
        outputs = program(data, now, [0.1 + i for i in range(len(graph.scalars))])
        results.append([array.tobytes() for array in (*outputs, *now)])
    assert results[0] == results[1]
    assert same(first.manifest, second.manifest)
    assert first._program is not second._program
    assert second.explain() == first.explain()
    assert (second.calls_back, second.manifest.looks_at_indices) == ((1, False) if make is sums else (0, True))


def test_what_is_kept_is_not_planned_again(from_the_disk: pytest.MonkeyPatch) -> None:
    graph, data, state = training()
    Executable(graph)
    from_the_disk.setattr(executable, "_PROGRAMS", {})

    def refuse(*_: Any) -> Any:
        raise AssertionError("planned again")

    from_the_disk.setattr(planned, "planned", refuse)
    Executable(graph)(data, state, [0.1 + i for i in range(len(graph.scalars))])
    with pytest.raises(AssertionError, match="planned again"):
        Executable(sums()[0])


def test_another_state_of_the_compiler_makes_another_program(from_the_disk: pytest.MonkeyPatch) -> None:
    graph, _, _ = training()
    from_the_disk.setattr(executable, "compiler_version", lambda: "another")
    made: list[Any] = []
    compiled = target.compiled
    from_the_disk.setattr(target, "compiled", lambda *args: made.append(args) or compiled(*args))
    Executable(graph)
    Executable(graph)
    assert len(made) == 1
