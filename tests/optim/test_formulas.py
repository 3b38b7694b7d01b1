"""The rules with corrections that depend on the step, against their papers' algorithms in plain numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import fanin as torch

GRADIENTS = (0.5, -2.0, 0.25, 3.0, -1.0, 0.125, 1.5, -0.75)
START, RATE = 1.0, 0.1


def adam(beta1: float, beta2: float) -> Iterator[float]:
    """Kingma and Ba, algorithm 1."""
    theta, m, v = START, 0.0, 0.0
    for t, g in enumerate(GRADIENTS, 1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        theta -= RATE * m_hat / (math.sqrt(v_hat) + 1e-8)
        yield theta


def adamax(beta1: float, beta2: float) -> Iterator[float]:
    """Kingma and Ba, algorithm 2, with PyTorch's epsilon in the maximum."""
    theta, m, u = START, 0.0, 0.0
    for t, g in enumerate(GRADIENTS, 1):
        m, u = beta1 * m + (1 - beta1) * g, max(beta2 * u, abs(g) + 1e-8)
        theta -= RATE / (1 - beta1**t) * m / u
        yield theta


def radam(beta1: float, beta2: float) -> Iterator[float]:
    """Liu et al., "On the variance of the adaptive learning rate and beyond", algorithm 2; rectified beyond 5."""
    theta, m, v, longest = START, 0.0, 0.0, 2 / (1 - beta2) - 1
    for t, g in enumerate(GRADIENTS, 1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        m_hat, length = m / (1 - beta1**t), longest - 2 * t * beta2**t / (1 - beta2**t)
        if length > 5:
            r = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            theta -= RATE * m_hat * math.sqrt(r) * math.sqrt(1 - beta2**t) / (math.sqrt(v) + 1e-8)
        else:
            theta -= RATE * m_hat
        yield theta


RULES: dict[str, Callable[[float, float], Iterator[float]]] = {"Adam": adam, "Adamax": adamax, "RAdam": radam}


def trajectory(optimizer: Any, w: Any) -> list[float]:
    found = []
    for g in GRADIENTS:
        w.grad = torch.tensor(g, dtype=torch.float64)
        optimizer.step()
        found.append(w.item())
    return found


def deviation(rule: str, *, late: int = 0) -> float:
    """Return how far a rule is from its algorithm at most; `late` counts its steps wrongly by so many."""
    w = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = getattr(torch.optim, rule)([w], lr=RATE, betas=(0.8, 0.95))
    hyper = optimizer.hyper
    optimizer.hyper = lambda group, step: hyper(group, step + late if step == 2 else step)
    expected = RULES[rule](0.8, 0.95)
    return max(abs(a - b) for a, b in zip(trajectory(optimizer, w), expected, strict=True))


@pytest.mark.parametrize("rule", RULES)
def test_every_step_is_the_papers(rule: str) -> None:
    assert deviation(rule) < 1e-9


@pytest.mark.parametrize("rule", RULES)
def test_a_correction_of_another_step_would_be_seen(rule: str) -> None:
    assert deviation(rule, late=1) > 1e-3


def test_a_momentum_that_is_loaded_goes_on() -> None:
    """Whether there was a first step is not in SGD's state: that momentum is there says it."""
    found = []
    for break_at in (0, 3):
        w = torch.tensor(START, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=RATE, momentum=0.9, dampening=0.5)
        for step, g in enumerate(GRADIENTS):
            if break_at and step == break_at:
                saved, optimizer = optimizer.state_dict(), torch.optim.SGD([w], lr=RATE, momentum=0.9, dampening=0.5)
                optimizer.load_state_dict(saved)
            w.grad = torch.tensor(g, dtype=torch.float64)
            optimizer.step()
        found.append(w.item())
    assert found[0] == found[1]
