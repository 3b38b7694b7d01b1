"""The schedules by their values, the optimiser against a loop in NumPy, and that its numbers come ahead of time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import fanin
from fanin import nn
from fanin.tabular.fitting.optimizer import ScheduledAdam, fading, waves


def wave(t: float) -> float:
    return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * t)))


def flat_then_cosine(t: float) -> float:
    return 1.0 if t < 0.5 else 0.5 * (1 + math.cos(math.pi * (2 * t - 1)))


@pytest.mark.parametrize("t", [0.0, 0.01, 0.2, 0.49, 0.51, 0.9, 1.0])
def test_schedules(t: float) -> None:
    assert waves(t) == pytest.approx(wave(t), abs=1e-12)
    assert fading(t) == pytest.approx(flat_then_cosine(t), abs=1e-12)


def by_hand(start: float, gradients: list[float], total: int, rate: float, decay: float) -> list[float]:
    """Return the parameter after each step, in double precision."""
    found, w, m, v = [], start, 0.0, 0.0
    for i, g in enumerate(gradients):
        lr, wd = rate * wave(i / total), decay * flat_then_cosine(i / total)
        m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g * g
        w = w * (1 - lr * wd)
        w -= lr * (m / (1 - 0.9 ** (i + 1))) / (math.sqrt(v / (1 - 0.95 ** (i + 1))) + 1e-8)
        found.append(w)
    return found


def taken(gradients: list[float], total: int, rate: float, decay: float) -> list[float]:
    w = fanin.tensor([0.7], requires_grad=True)
    optimizer = ScheduledAdam([{"params": [w]}], rate, total, decay)
    found = []
    for g in gradients:
        w.grad = fanin.tensor([g])
        optimizer.step()
        found.append(w.item())
    return found


def test_steps_follow_the_formula() -> None:
    gradients = np.random.default_rng(0).normal(size=40).tolist()
    wanted = by_hand(0.7, gradients, 40, 0.1, 0.5)
    assert taken(gradients, 40, 0.1, 0.5) == pytest.approx(wanted, rel=1e-4)


def test_the_comparison_sees_another_schedule() -> None:
    gradients = np.random.default_rng(0).normal(size=40).tolist()
    assert taken(gradients, 40, 0.1, 0.5) != pytest.approx(by_hand(0.7, gradients, 41, 0.1, 0.5), rel=1e-4)
    assert taken(gradients, 40, 0.1, 0.5) != pytest.approx(by_hand(0.7, gradients, 40, 0.1, 0.4), rel=1e-4)


def test_a_group_that_holds_is_the_schedules_number() -> None:
    w, strength = fanin.tensor([0.7], requires_grad=True), fanin.tensor(1.0, requires_grad=True)
    optimizer = ScheduledAdam([{"params": [w]}, {"params": [strength], "holds": True}], 0.1, total_steps=8)
    found = []
    for _ in range(8):
        optimizer.zero_grad()
        (w * strength).sum().backward()
        optimizer.step()
        found.append(strength.item())
    assert found == pytest.approx([flat_then_cosine(i / 8) for i in range(1, 9)], abs=1e-6)


class Scaled(nn.Module):
    """A linear layer times a number that a group holds."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.strength = nn.Linear(3, 1), nn.Parameter(fanin.tensor(1.0))

    def forward(self, x: Any) -> Any:
        return self.linear(x) * self.strength


def trained(engine: str) -> Scaled:
    fanin.manual_seed(0)
    model, x = Scaled(), fanin.randn(32, 3)
    groups = [{"params": list(model.linear.parameters())}, {"params": [model.strength], "holds": True}]
    optimizer = ScheduledAdam(groups, 0.05, total_steps=20, weight_decay=0.1)
    data = x, x.sum(1, keepdim=True)
    fanin.fit(model, data, nn.MSELoss(), optimizer, epochs=5, batch_size=8, engine=engine, progress=False)
    return model


def test_engines_agree() -> None:
    native, eager = trained("native"), trained("eager")
    for one, other in zip(native.parameters(), eager.parameters(), strict=True):
        assert one.reshape(-1).tolist() == pytest.approx(other.reshape(-1).tolist(), rel=1e-4, abs=1e-6)
    assert native.strength.item() == pytest.approx(0, abs=1e-6)


def test_the_numbers_of_many_steps_are_one_call() -> None:
    optimizer = ScheduledAdam([{"params": [fanin.tensor([1.0], requires_grad=True)]}], 0.1, total_steps=10)
    many = optimizer.hyper(optimizer.param_groups[0], np.arange(1, 11))
    for i in range(10):
        one = optimizer.hyper(optimizer.param_groups[0], i + 1)
        for name in ("step_size", "shrink", "root_correction"):
            assert many[name][i] == pytest.approx(one[name], rel=1e-12)


def test_unknown_schedules_are_named() -> None:
    with pytest.raises(ValueError, match="no schedule 'linear'; there are waves"):
        ScheduledAdam([{"params": [fanin.tensor([1.0], requires_grad=True)]}], 0.1, 10, rates="linear")
