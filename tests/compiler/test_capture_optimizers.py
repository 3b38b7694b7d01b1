"""Whole training steps with every optimiser: what is captured computes what eager code computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from tests.parity.cases.optim_rules import SETTINGS

ALL = [(rule, label) for rule, labels in SETTINGS.items() for label in labels]
TOLERANCE = {"float32": 2e-6, "float64": 1e-12}


def network(dtype: str) -> Any:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    return net.to(getattr(torch, dtype))


def batches(dtype: str, steps: int) -> list[Any]:
    generator = np.random.default_rng(1)
    return [
        (
            torch.from_numpy(generator.normal(size=(5, 4)).astype(dtype)),
            torch.from_numpy(generator.integers(0, 3, 5)),
        )
        for _ in range(steps)
    ]


def trained(rule: str, options: dict[str, Any], dtype: str, compiled: bool, steps: int = 6) -> tuple[Any, Any, Any]:
    net = network(dtype)
    optimizer = getattr(torch.optim, rule)(net.parameters(), **options)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = torch.compile(step, engine="numpy") if compiled else step
    losses = [run(x, y).item() for x, y in batches(dtype, steps)]
    if compiled:
        assert run.captures == 1
    return net, optimizer, losses


def assert_same(a: Any, b: Any, dtype: str) -> None:
    a, b = (x.numpy(force=True) if hasattr(x, "numpy") else np.asarray(x) for x in (a, b))
    assert a.dtype == b.dtype
    scale = np.maximum(np.abs(b), 1e-3)
    assert (np.abs(a - b) <= TOLERANCE[dtype] * scale).all(), (a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rule", "label"), ALL)
def test_compiled_steps_are_the_eager_ones(rule: str, label: str, dtype: str) -> None:
    net, optimizer, losses = trained(rule, SETTINGS[rule][label], dtype, compiled=True)
    expected_net, expected_optimizer, expected_losses = trained(rule, SETTINGS[rule][label], dtype, compiled=False)
    assert_same(losses, expected_losses, dtype)
    for p, q in zip(net.parameters(), expected_net.parameters(), strict=True):
        assert_same(p, q, dtype)
        assert_same(p.grad, q.grad, dtype)
    saved, expected = (o.state_dict()["state"] for o in (optimizer, expected_optimizer))
    assert saved.keys() == expected.keys()
    for key, state in saved.items():
        assert list(state) == list(expected[key])
        for name, value in state.items():
            assert_same(value, expected[key][name], dtype)


def test_a_wrong_update_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    net, _, _ = trained("Adam", {}, "float64", compiled=True)
    monkeypatch.setattr(torch.optim.Adam, "update", lambda self, p, g, s, h: (p - h["step_size"] * g, {}))
    wrong, _, _ = trained("Adam", {}, "float64", compiled=True)
    with pytest.raises(AssertionError):
        assert_same(next(net.parameters()), next(wrong.parameters()), "float64")
