"""Linear models, losses and programs for the tests of steps that are taken as a whole, and what may go wrong there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin._core.errors import DivergenceError, IndexRangeError
from fanin.compiler.capture import capture
from fanin.compiler.native.epochs import Epochs
from fanin.compiler.native.target import named, runs_here
from tests.training.by_hand import Setting, fitted, loop, weights

HERE = [name for name in ("sse", "avx2", "avx512", "neon") if runs_here(named(name))]
LOSSES: dict[str, Callable[[], Any]] = {
    "mse": nn.MSELoss,
    "logits": nn.BCEWithLogitsLoss,
    "weighed": lambda: nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0])),
    "mae": nn.L1Loss,
    "huber": lambda: nn.HuberLoss(delta=0.3),
    "logcosh": lambda: lambda output, target: torch.log(torch.cosh(output - target)).sum(),
    "poisson": nn.PoissonNLLLoss,
}


class Written(nn.Module):
    """A linear model as a textbook writes it: a vector, a number, and a target without a second dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor([0.3, -0.2, 0.1]))
        self.level = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Any) -> Any:
        return self.level + (x @ self.slope)[:, None]


class Turned(nn.Module):
    """A linear model of the columns from the last to the first."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor([0.3, -0.2, 0.1]))

    def forward(self, x: Any) -> Any:
        return (x.flip(1) * self.slope).sum(1, keepdim=True)


def probability() -> Any:
    return nn.Sequential(nn.Linear(3, 1), nn.Sigmoid())


def frozen() -> Any:
    model = nn.Linear(3, 1)
    model.bias.requires_grad_(False)
    return model


def agrees(setting: Setting, **options: Any) -> None:
    by_hand, means = loop(setting)
    model, history = fitted(setting, **options)
    within = 1e-9 if setting.dtype is torch.float64 else 1e-5
    for found, expected in zip(weights(model).values(), weights(by_hand).values(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=within, atol=within)
    np.testing.assert_allclose(history.losses, means, rtol=max(within, 1e-5))


def program(
    model: Any, x: Any, y: Any, loss: Any, isa: str | None = None, batch: int = 1, rule: Any = None, **options: Any
) -> tuple[Epochs, list[Any]]:
    """Return native code for steps of some rows, and the arrays of its state."""
    rule = rule or torch.optim.SGD(model.parameters(), **{"lr": 0.05, **options})

    def step(row: Any, target: Any) -> Any:
        rule.zero_grad()
        value = loss(model(row), target)
        value.backward()
        rule.step()
        return value.detach()

    return captured_program(step, x, y, isa, batch)


def captured_program(
    step: Callable[..., Any], x: Any, y: Any, isa: str | None = None, batch: int = 1
) -> tuple[Epochs, list[Any]]:
    captured = capture(step, (x[:batch], y[:batch]), {})
    code = Epochs(captured.graph, [x.numpy(), y.numpy()], 0, named(isa) if isa else None)
    return code, [tensor._array for tensor in captured.state_tensors]


def data(columns: int, rows: int = 50, dtype: Any = torch.float32) -> tuple[Any, Any]:
    torch.manual_seed(1)
    return torch.randn(rows, columns, dtype=dtype), torch.rand(rows, 1, dtype=dtype)


def check_divergence(setting: Setting, bad: int) -> None:
    """Train with a row that is not a number, and look where, and with which weights, both engines stop."""
    found = {}
    for engine in ("native", "numpy"):
        model, x, y = replace(setting, dtype=torch.float64).prepare()
        x.numpy()[bad] = np.nan
        rule = torch.optim.SGD(model.parameters(), lr=0.05)
        options = {"epochs": 2, "batch_size": setting.batch_size, "shuffle": False, "restore_best": False}
        with pytest.raises(DivergenceError) as caught:
            torch.fit(model, (x, y), nn.MSELoss(), rule, engine=engine, **options)
        found[engine] = (caught.value.epoch, caught.value.step), weights(model)
    assert found["native"][0] == found["numpy"][0] == (1, bad // setting.batch_size + 1)
    for name, expected in found["numpy"][1].items():
        np.testing.assert_allclose(found["native"][1][name], expected, rtol=1e-9)


def check_missing_row(number: int, targets: int, isa: str, batch: int, steps: int, at: int) -> None:
    """Name a row that does not exist, and look whether the steps before it are taken as without it."""
    x, y = data(3)
    y = y[:targets]
    order, rates = np.arange(batch * steps), np.full((steps, 1), 0.05)
    code, state = program(nn.Linear(3, 1), x, y, nn.MSELoss(), isa, batch)
    start = [array.copy() for array in state]
    order[at] = number
    with pytest.raises(IndexRangeError):
        code.run(order, state, rates)
    taken = at // batch
    assert code.executable.taken == taken
    code.run(np.arange(batch * taken), start, rates[:taken])
    for found, expected in zip(state, start, strict=True):
        np.testing.assert_array_equal(found, expected)
