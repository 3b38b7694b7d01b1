"""Steps of a linear model that takes one row at a time, eight of them together: the weights of the explicit loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin._core.errors import DivergenceError
from fanin.compiler.native.lookahead import STEPS
from fanin.optim import lr_scheduler as schedulers
from fanin.training.engines import native
from tests.training.by_hand import Setting
from tests.training.linear_steps import (
    HERE,
    LOSSES,
    Turned,
    Written,
    agrees,
    captured_program,
    check_divergence,
    check_missing_row,
    data,
    frozen,
    probability,
    program,
)
from tests.training.test_blocks import check_same, trained

ONE = Setting(model=lambda: nn.Linear(3, 1), batch_size=1, rows=51, epochs=3)


# As the explicit loop has it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss: str, dtype: Any) -> None:
    if loss == "weighed" and dtype is torch.float64:
        pytest.skip("its weight is of single precision")
    agrees(replace(ONE, loss=LOSSES[loss](), dtype=dtype, labels=loss != "mse"))


@pytest.mark.parametrize(
    "model",
    [lambda: nn.Linear(3, 1, bias=False), Written, Turned, lambda: nn.Sequential(nn.Flatten(), nn.Linear(3, 1))],
)
def test_models(model: Callable[[], Any]) -> None:
    agrees(replace(ONE, model=model, dtype=torch.float64))


def test_a_network_that_ends_in_a_probability() -> None:
    agrees(replace(ONE, model=probability, loss=nn.BCELoss(), labels=True, dtype=torch.float64))


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 16])
def test_rows_that_are_left_over(rows: int) -> None:
    agrees(replace(ONE, rows=rows, dtype=torch.float64))


def test_a_rate_that_changes_every_step() -> None:
    schedule = {"scheduler": lambda o: schedulers.OneCycleLR(o, 0.05, total_steps=200), "each_batch": True}
    agrees(replace(ONE, dtype=torch.float64, **schedule))


def test_steps_uphill() -> None:
    agrees(replace(ONE, dtype=torch.float64, optimizer=lambda p: torch.optim.SGD(p, lr=0.001, maximize=True)))


# Which programs these are ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("columns", [1, 2, 7, 8, 11, 16])
def test_columns(columns: int, bias: bool, dtype: Any, isa: str) -> None:
    x, y = data(columns, dtype=dtype)
    order, rates = np.arange(50) * 7 % 50, np.linspace(0.001, 0.02, 50)[:, None]
    model = nn.Linear(columns, 1, bias=bias).to(dtype)
    expected = [parameter.detach().numpy().astype(float) for parameter in model.parameters()]
    code, state = program(model, x, y, nn.MSELoss(), isa)
    assert code.executable.together == STEPS
    losses = code.run(order, state, rates)
    within = 1e-12 if dtype is torch.float64 else 2e-5
    for row, (rate,), loss in zip(order, rates, losses, strict=True):
        error = x.numpy()[row].astype(float) @ expected[0][0] + (expected[1][0] if bias else 0) - y.numpy()[row, 0]
        np.testing.assert_allclose(loss, error**2, rtol=within, atol=within)
        expected[0] -= rate * 2 * error * x.numpy()[row]
        if bias:
            expected[1] -= rate * 2 * error
    for found, exact in zip(state, expected, strict=False):
        np.testing.assert_allclose(found, exact, rtol=within, atol=within)


def is_together(model: Any, columns: int = 3, loss: Any = None, **options: Any) -> bool:
    code, _ = program(model, *data(columns), loss or nn.MSELoss(), **options)
    told = f"together  {STEPS} steps" in code.executable.explain()
    assert told == (code.executable.together == STEPS)
    return told


def test_linear_models_are_taken_together() -> None:
    assert is_together(nn.Linear(3, 1))
    assert is_together(nn.Linear(16, 1, bias=False), 16)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (lambda: nn.Linear(3, 1), {"momentum": 0.9}),
        (lambda: nn.Linear(3, 1), {"weight_decay": 0.1}),
        (lambda: nn.Linear(3, 2), {"loss": lambda output, y: (output - y).square().mean()}),
        (lambda: nn.Linear(17, 1), {"columns": 17}),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), {}),
        (lambda: nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 1)), {}),
        (frozen, {}),
    ],
    ids=["momentum", "decay", "two outputs", "wide", "hidden", "dropout", "frozen bias"],
)
def test_others_are_not(make: Callable[[], Any], options: dict[str, Any]) -> None:
    assert not is_together(make(), **options)


def test_a_loss_of_the_weights_is_not() -> None:
    model = nn.Linear(3, 1)
    assert not is_together(model, loss=lambda output, y: (output - y).square().mean() + model.weight.abs().sum())
    assert not is_together(model, loss=lambda output, y: (output - y).square().mean() + model.bias.square().sum())


def by_rules(weight: Callable[[Any, Any], Any], bias: Callable[[Any, Any], Any], sign: int = 1) -> int:
    """Return how many steps are taken together that change the weights and the bias by what rules make of the error."""
    model = nn.Linear(3, 1)

    def step(row: Any, target: Any) -> Any:
        with torch.no_grad():
            error = model(row) - target
            model.weight -= weight(row, error)
            change = bias(row, error).reshape(1)
            model.bias.sub_(change) if sign > 0 else model.bias.add_(change)
            return error.square().mean()

    return captured_program(step, *data(3))[0].executable.together


def test_rules_that_do_not_fit_together_are_not() -> None:
    def on_row(row: Any, error: Any) -> Any:
        return 0.1 * error * row

    def alone(row: Any, error: Any) -> Any:
        return 0.1 * error

    assert by_rules(on_row, alone) == STEPS
    assert by_rules(on_row, alone, sign=-1) == 1
    assert by_rules(on_row, lambda row, error: 0.2 * error) == 1
    assert by_rules(on_row, lambda row, error: 0.1 * row[:, :1]) == 1
    assert by_rules(lambda row, error: on_row(row, error) * row, alone) == 1
    assert by_rules(lambda row, error: 0.1 * error, alone) == 1


def test_a_slope_that_is_always_the_same_is_not() -> None:
    assert not is_together(nn.Linear(3, 1), loss=lambda output, y: (output - y).mean())


def test_rates_of_their_own_are_not() -> None:
    model = nn.Linear(3, 1)
    rule = torch.optim.SGD([{"params": [model.weight]}, {"params": [model.bias], "lr": 0.1}], lr=0.05)
    assert not is_together(model, rule=rule)


def test_a_loss_of_the_row_is_not() -> None:
    class Beside(nn.Linear):
        def forward(self, x: Any) -> Any:
            return super().forward(x) * x[:, :1]

    assert not is_together(Beside(3, 1))


# However the steps are cut --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("rows", [51, 48])
def test_epochs_together_and_one_by_one(rows: int, shuffle: bool) -> None:
    setting = replace(ONE, rows=rows, shuffle=shuffle, epochs=5)
    check_same(trained(setting, together=True), trained(setting, together=False))


def test_calls_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = replace(ONE, rows=251)
    expected = trained(setting, together=False)
    with monkeypatch.context() as patch:
        patch.setattr(native, "PAUSE", 0.0)  # every call takes too long
        check_same(trained(setting, together=False), expected)
    monkeypatch.setattr(native, "AT_ONCE", 16)
    check_same(trained(setting, together=False), expected)


# What goes wrong ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [0, 3, 8, 21, 50])
def test_the_step_at_which_a_loss_is_not_finite(bad: int) -> None:
    check_divergence(ONE, bad)


def test_rates_that_are_too_large() -> None:
    found = {}
    for engine in ("native", "numpy"):
        model, x, y = replace(ONE, dtype=torch.float64).prepare()
        rule = torch.optim.SGD(model.parameters(), lr=30.0)
        with pytest.raises(DivergenceError) as caught:
            torch.fit(model, (x, y), nn.MSELoss(), rule, epochs=9, batch_size=1, shuffle=False, engine=engine)
        found[engine] = caught.value.epoch, caught.value.step
    assert found["native"] == found["numpy"]


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize(("number", "targets"), [(50, 50), (-1, 50), (2**40, 50), (45, 40)])
def test_a_row_that_does_not_exist(number: int, targets: int, isa: str) -> None:
    check_missing_row(number, targets, isa, batch=1, steps=24, at=13)
