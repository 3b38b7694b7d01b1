"""The code of an epoch does not depend on how many rows the data have: folds of other sizes find it made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.compiler.native import target
from fanin.compiler.native.epochs import Epochs, gathering
from fanin.compiler.native.executable import Executable
from fanin.compiler.passes.fingerprint import fingerprint


def step_on(features: int, batch: int = 6) -> Any:
    """Return the graph of a training step."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(features, 5), nn.ReLU(), nn.Linear(5, 3))
    rule = torch.optim.SGD(net.parameters(), lr=0.1)

    @torch.compile(engine="numpy")
    def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        rule.step()
        rule.zero_grad()
        return loss.detach()

    step(torch.randn(batch, features), torch.randint(0, 3, (batch,)))
    return step.graph


def data(rows: int, features: int = 4) -> list[Any]:
    generator = np.random.default_rng(rows)
    return [generator.standard_normal((rows, features)).astype(np.float32), generator.integers(0, 3, rows)]


def states(graph: Any) -> list[Any]:
    generator = np.random.default_rng(2)
    return [generator.standard_normal(v.shape).astype(v.dtype) for v in graph.state]


@pytest.mark.parametrize("rows", [2, 6, 7, 1000, 10**7])
def test_the_text_and_the_key_are_those_of_any_number_of_rows(rows: int) -> None:
    graph = step_on(4)
    made, other = (Executable(gathering(graph, [n, n])) for n in (100, rows))
    assert made.text == other.text
    assert fingerprint(made.graph) == fingerprint(other.graph)
    assert made.layout.arena == other.layout.arena
    assert fingerprint(gathering(graph, [1, 1])) != fingerprint(gathering(graph, [9, 9]))
    assert fingerprint(gathering(graph, [9, 9])) != fingerprint(gathering(step_on(3), [9, 9]))


def test_another_number_of_rows_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, losses = step_on(4), []
    first = Epochs(graph, data(50), 0)

    def refuse(*_: Any) -> bytes:
        raise AssertionError("compiled again")

    monkeypatch.setattr(target, "compiled", refuse)
    second = Epochs(graph, data(49), 0)
    for epochs in (first, second):
        order = np.arange(48)[::-1].copy()
        losses.append(epochs.run(order, states(graph), np.full((8, 1), 0.1)))
    assert np.isfinite(losses).all()
    assert not np.array_equal(losses[0], losses[1])  # other data
    with pytest.raises(AssertionError, match="compiled again"):
        Epochs(step_on(4, batch=7), data(50), 0)


@pytest.mark.parametrize("rows", [50, 31, 7, 1])
def test_rows_that_do_not_exist_are_an_error_for_every_number_of_rows(rows: int) -> None:
    graph = step_on(4)
    epochs = Epochs(graph, data(rows), 0)
    numbers = np.full((1, 1), 0.1)
    epochs.run(np.array([0, 1, 2, 3, 4, rows - 1]) % rows, states(graph), numbers)
    for wrong in (rows, -1, 2**40):
        with pytest.raises(IndexError, match="out of range"):
            epochs.run(np.array([0, 1, 2, wrong, 3, 4]), states(graph), numbers)
