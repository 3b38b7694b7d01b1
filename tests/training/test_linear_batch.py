"""Steps of a linear model in one walk over the rows of a batch: the weights of the explicit loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.optim import lr_scheduler as schedulers
from tests.training.by_hand import Setting
from tests.training.linear_steps import (
    HERE,
    LOSSES,
    Turned,
    Written,
    agrees,
    check_divergence,
    check_missing_row,
    data,
    frozen,
    probability,
    program,
)
from tests.training.test_blocks import check_same, trained

# 51 rows: four batches of 12, which do not fill the lanes, and one of 3, which is too small.
SOME = Setting(model=lambda: nn.Linear(3, 1), batch_size=12, rows=51, epochs=3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss: str, dtype: Any) -> None:
    if loss == "weighed" and dtype is torch.float64:
        pytest.skip("its weight is of single precision")
    agrees(replace(SOME, loss=LOSSES[loss](), dtype=dtype, labels=loss != "mse"))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_reductions(reduction: str) -> None:
    agrees(replace(SOME, loss=nn.SmoothL1Loss(reduction=reduction), dtype=torch.float64))


@pytest.mark.parametrize("batch", [8, 9, 16, 51])
@pytest.mark.parametrize("model", [lambda: nn.Linear(3, 1), lambda: nn.Linear(3, 1, bias=False), Written, Turned])
def test_models(model: Callable[[], Any], batch: int) -> None:
    agrees(replace(SOME, model=model, batch_size=batch, dtype=torch.float64))


def test_a_network_that_ends_in_a_probability() -> None:
    agrees(replace(SOME, model=probability, loss=nn.BCELoss(), labels=True, dtype=torch.float64))


def test_a_rate_that_changes_every_step() -> None:
    schedule = {"scheduler": lambda o: schedulers.OneCycleLR(o, 0.05, total_steps=20), "each_batch": True}
    agrees(replace(SOME, dtype=torch.float64, **schedule))


def test_steps_uphill() -> None:
    agrees(replace(SOME, dtype=torch.float64, optimizer=lambda p: torch.optim.SGD(p, lr=0.001, maximize=True)))


# Which programs these are ---------------------------------------------------------------------------------------------


def is_one_walk(model: Any, columns: int = 3, loss: Any = None, **options: Any) -> bool:
    code, _ = program(model, *data(columns), loss or nn.MSELoss(), **{"batch": 10, **options})
    assert code.executable.together == 1
    return "together  all of a step" in code.executable.explain()


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("columns", "batch"), [(2, 8), (7, 13), (8, 50), (11, 24), (16, 25)])
def test_columns(columns: int, batch: int, bias: bool, dtype: Any, isa: str) -> None:
    x, y = data(columns, dtype=dtype)
    steps = 50 // batch
    order, rates = (np.arange(50) * 7 % 50)[: steps * batch], np.linspace(0.001, 0.02, steps)[:, None]
    model = nn.Linear(columns, 1, bias=bias).to(dtype)
    weight, level = model.weight.detach().numpy()[0].astype(float), model.bias.item() if bias else 0.0
    code, state = program(model, x, y, nn.MSELoss(), isa, batch)
    assert "all of a step" in code.executable.explain()
    losses = code.run(order, state, rates)
    within = 1e-12 if dtype is torch.float64 else 2e-5
    for chosen, (rate,), loss in zip(order.reshape(steps, batch), rates, losses, strict=True):
        rows = x.numpy()[chosen].astype(float)
        error = rows @ weight + level - y.numpy()[chosen, 0]
        np.testing.assert_allclose(loss, np.mean(error**2), rtol=within)
        weight, level = weight - rate * 2 / batch * error @ rows, level - rate * 2 * np.mean(error) * bias
    np.testing.assert_allclose(state[0][0], weight, rtol=within, atol=within)
    if bias:
        np.testing.assert_allclose(state[1], level, rtol=within, atol=within)


def test_linear_models_are_taken_in_one_walk() -> None:
    assert is_one_walk(nn.Linear(3, 1))
    assert is_one_walk(nn.Linear(16, 1, bias=False), 16)
    assert is_one_walk(nn.Linear(3, 1), loss=nn.BCEWithLogitsLoss())


class Mixing(nn.Module):
    """A linear model whose outputs change places."""

    def __init__(self, change: Callable[[Any], Any]) -> None:
        super().__init__()
        self.inner, self.change = nn.Linear(3, 1), change

    def forward(self, x: Any) -> Any:
        return self.change(self.inner(x))


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (lambda: nn.Linear(3, 1), {"batch": 7}),
        (lambda: nn.Linear(3, 1), {"momentum": 0.9}),
        (lambda: nn.Linear(3, 1), {"weight_decay": 0.1}),
        (lambda: nn.Linear(3, 2), {"loss": lambda output, y: (output - y).square().mean()}),
        (lambda: nn.Linear(17, 1), {"columns": 17}),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), {}),
        (lambda: nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 1)), {}),
        (lambda: nn.Sequential(nn.Linear(3, 1), nn.Softmax(dim=0)), {}),
        (lambda: Mixing(lambda output: output.flip(0)), {}),
        (lambda: Mixing(lambda output: output.reshape(2, 5).T.reshape(10, 1)), {}),
        (lambda: Mixing(lambda output: output - output.mean()), {}),
        (lambda: nn.Linear(3, 1), {"loss": lambda output, y: (output - y.T).square().mean()}),
        (lambda: nn.Linear(3, 1), {"loss": lambda output, y: (output - y).square().max()}),
        (lambda: nn.Linear(3, 1), {"loss": lambda output, y: (output - y).square().mean().sqrt()}),
        (frozen, {}),
    ],
    ids=[
        *("few rows", "momentum", "decay", "two outputs", "wide", "hidden", "dropout", "softmax", "flipped", "mixed"),
        *("centred", "all pairs", "largest", "root", "frozen bias"),
    ],
)
def test_others_are_not(make: Callable[[], Any], options: dict[str, Any]) -> None:
    assert not is_one_walk(make(), **options)


def test_a_loss_of_the_weights_is_not() -> None:
    model = nn.Linear(3, 1)
    assert not is_one_walk(model, loss=lambda output, y: (output - y).square().mean() + model.weight.abs().sum())
    assert not is_one_walk(model, loss=lambda output, y: (output - y).square().mean() + model.bias.square().sum())


def test_rates_of_their_own_are_not() -> None:
    model = nn.Linear(3, 1)
    rule = torch.optim.SGD([{"params": [model.weight]}, {"params": [model.bias], "lr": 0.1}], lr=0.05)
    assert not is_one_walk(model, rule=rule)


# However the steps are cut --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("rows", [51, 48])
def test_epochs_together_and_one_by_one(rows: int, shuffle: bool) -> None:
    setting = replace(SOME, rows=rows, shuffle=shuffle, epochs=5)
    check_same(trained(setting, together=True), trained(setting, together=False))


# What goes wrong ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [0, 11, 24, 50])
def test_the_step_at_which_a_loss_is_not_finite(bad: int) -> None:
    check_divergence(SOME, bad)


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize(("number", "targets"), [(50, 50), (-1, 50), (2**40, 50), (45, 40)])
def test_a_row_that_does_not_exist(number: int, targets: int, isa: str) -> None:
    check_missing_row(number, targets, isa, batch=10, steps=4, at=29)
