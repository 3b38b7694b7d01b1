"""Losses and criteria against loops over rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import fanin
from fanin.tabular.fitting import criteria
from fanin.tabular.fitting.losses import ClassLoss, PinballLoss, SquareLoss

RNG = np.random.default_rng(0)
ROWS, CLASSES, MEMBERS = 7, 3, 4
LOGITS = RNG.normal(size=(ROWS, MEMBERS, CLASSES)).astype(np.float32)
Y = RNG.integers(0, CLASSES, ROWS)
NUMBERS = RNG.normal(size=(ROWS, 1)).astype(np.float32)
WEIGHTS = (RNG.random(ROWS) * 2).astype(np.float32)


def softmax(row: Any) -> Any:
    e = [math.exp(v) for v in row]
    return [v / sum(e) for v in e]


def cross_entropy(logits: Any, classes: Any, weights: Any, smoothing: float) -> float:
    """Return the mean over rows, members apart."""
    total, count = 0.0, 0
    for row, c, w in zip(logits.reshape(ROWS, -1, CLASSES), classes, weights, strict=True):
        for member in row:
            logs = [math.log(p) for p in softmax(member)]
            total -= w * ((1 - smoothing) * logs[c] + smoothing * sum(logs) / CLASSES)
            count += 1
    return total / count


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("logits", [LOGITS, LOGITS[:, 0]])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_loss(logits: Any, smoothing: float, weighted: bool) -> None:
    target: Any = fanin.from_numpy(Y)
    got = ClassLoss(smoothing)(fanin.from_numpy(logits), (target, fanin.from_numpy(WEIGHTS)) if weighted else target)
    wanted = cross_entropy(logits, Y, WEIGHTS if weighted else np.ones(ROWS), smoothing)
    assert got.item() == pytest.approx(wanted, rel=1e-5)
    assert got.item() != pytest.approx(cross_entropy(logits, (Y + 1) % CLASSES, np.ones(ROWS), smoothing), rel=1e-3)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_square_loss(weights: Any) -> None:
    outputs = LOGITS[:, :, :1]
    target: Any = fanin.from_numpy(NUMBERS)
    got = SquareLoss()(fanin.from_numpy(outputs), target if weights is None else (target, fanin.from_numpy(weights)))
    w = np.ones(ROWS) if weights is None else weights
    wanted = np.mean([w[i] * (outputs[i, m, 0] - NUMBERS[i, 0]) ** 2 for i in range(ROWS) for m in range(MEMBERS)])
    assert got.item() == pytest.approx(float(wanted), rel=1e-5)


def pinball(error: float, level: float) -> float:
    return level * error if error >= 0 else (level - 1) * error


def test_pinball_loss() -> None:
    levels = (0.1, 0.5, 0.9)
    outputs = LOGITS[:, 0]
    terms = [[pinball(NUMBERS[i, 0] - outputs[i, j], q) for j, q in enumerate(levels)] for i in range(ROWS)]
    got = PinballLoss(levels)(fanin.from_numpy(outputs), fanin.from_numpy(NUMBERS))
    assert got.item() == pytest.approx(float(np.mean(terms)), rel=1e-5)
    assert criteria.pinball(levels)(outputs, NUMBERS) == pytest.approx(float(np.mean(terms)), rel=1e-5)


def test_pinball_is_least_at_the_quantile() -> None:
    y, grid = RNG.normal(size=(5000, 1)), np.linspace(-2, 2, 401)
    losses = [criteria.pinball((0.8,))(np.full((5000, 1), at), y) for at in grid]
    assert grid[int(np.argmin(losses))] == pytest.approx(np.quantile(y, 0.8), abs=0.02)


def test_probabilities_of_members_are_averaged() -> None:
    wanted = np.mean([[softmax(m) for m in row] for row in LOGITS], axis=1)
    assert np.allclose(np.exp(criteria.log_probabilities(LOGITS)), wanted, rtol=1e-6)
    logs = [-math.log(wanted[i, c]) for i, c in enumerate(Y)]
    assert criteria.log_loss(LOGITS, Y) == pytest.approx(np.mean(logs))
    assert criteria.log_loss(LOGITS, Y, WEIGHTS) == pytest.approx(np.average(logs, weights=WEIGHTS))


def test_squared_error_is_of_the_members_mean() -> None:
    outputs = LOGITS[:, :, :1]
    wanted = np.mean([(outputs[i].mean() - NUMBERS[i, 0]) ** 2 for i in range(ROWS)])
    assert criteria.squared_error(outputs, NUMBERS) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("criterion", "target"),
    [
        (criteria.log_loss, Y),
        (criteria.squared_error, NUMBERS),
        (criteria.explained, NUMBERS),
        (criteria.pinball((0.3, 0.5, 0.9)), NUMBERS),
    ],
    ids=["log-loss", "squared error", "explained", "pinball"],
)
def test_a_row_that_weighs_two_counts_as_two(criterion: Any, target: Any) -> None:
    times = np.arange(ROWS) % 3
    outputs = LOGITS if target is Y else LOGITS[:, :, :3] + 0.5 * NUMBERS[:, None]
    if criterion is criteria.squared_error or criterion is criteria.explained:
        outputs = outputs[:, :, :1]
    twice = np.repeat(np.arange(ROWS), times)
    weighted = criterion(outputs, target, times.astype(np.float32))
    assert weighted == pytest.approx(criterion(outputs[twice], target[twice]), rel=1e-6)
    assert weighted != pytest.approx(criterion(outputs, target), rel=1e-3)
