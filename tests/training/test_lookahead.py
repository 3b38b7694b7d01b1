"""Steps of a linear model that takes one row at a time, eight of them together: the weights of the explicit loop."""

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
from fanin.compiler.native.lookahead import STEPS
from fanin.compiler.native.target import named, runs_here
from fanin.optim import lr_scheduler as schedulers
from fanin.training.engines import native
from tests.training.by_hand import Setting, fitted, loop, weights
from tests.training.test_blocks import check_same, trained

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
ONE = Setting(model=lambda: nn.Linear(3, 1), batch_size=1, rows=51, epochs=3)


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


# As the explicit loop has it ------------------------------------------------------------------------------------------


def agrees(setting: Setting, **options: Any) -> None:
    by_hand, means = loop(setting)
    model, history = fitted(setting, **options)
    within = 1e-9 if setting.dtype is torch.float64 else 1e-5
    for found, expected in zip(weights(model).values(), weights(by_hand).values(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=within, atol=within)
    np.testing.assert_allclose(history.losses, means, rtol=max(within, 1e-5))


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


def program(model: Any, x: Any, y: Any, loss: Any, isa: str | None = None, **options: Any) -> tuple[Epochs, list[Any]]:
    """Return native code for steps of one row, and the arrays of its state."""
    rule = torch.optim.SGD(model.parameters(), **{"lr": 0.05, **options})

    def step(row: Any, target: Any) -> Any:
        rule.zero_grad()
        value = loss(model(row), target)
        value.backward()
        rule.step()
        return value.detach()

    return captured_program(step, x, y, isa)


def captured_program(step: Callable[..., Any], x: Any, y: Any, isa: str | None = None) -> tuple[Epochs, list[Any]]:
    captured = capture(step, (x[:1], y[:1]), {})
    code = Epochs(captured.graph, [x.numpy(), y.numpy()], 0, named(isa) if isa else None)
    return code, [tensor._array for tensor in captured.state_tensors]


def data(columns: int, rows: int = 50, dtype: Any = torch.float32) -> tuple[Any, Any]:
    torch.manual_seed(1)
    return torch.randn(rows, columns, dtype=dtype), torch.rand(rows, 1, dtype=dtype)


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


def frozen() -> Any:
    model = nn.Linear(3, 1)
    model.bias.requires_grad_(False)
    return model


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

    def step(row: Any, target: Any) -> Any:
        rule.zero_grad()
        value = nn.functional.mse_loss(model(row), target)
        value.backward()
        rule.step()
        return value.detach()

    code, _ = captured_program(step, *data(3))
    assert code.executable.together == 1


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
    found = {}
    for engine in ("native", "numpy"):
        model, x, y = replace(ONE, dtype=torch.float64).prepare()
        x.numpy()[bad] = np.nan
        rule = torch.optim.SGD(model.parameters(), lr=0.05)
        options = {"epochs": 2, "batch_size": 1, "shuffle": False, "restore_best": False, "engine": engine}
        with pytest.raises(DivergenceError) as caught:
            torch.fit(model, (x, y), nn.MSELoss(), rule, **options)
        found[engine] = (caught.value.epoch, caught.value.step), weights(model)
    assert found["native"][0] == found["numpy"][0] == (1, bad + 1)
    for name, expected in found["numpy"][1].items():
        np.testing.assert_allclose(found["native"][1][name], expected, rtol=1e-9)


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
    x, y = data(3)
    y = y[:targets]
    order, rates = np.arange(24), np.full((24, 1), 0.05)
    code, state = program(nn.Linear(3, 1), x, y, nn.MSELoss(), isa)
    start = [array.copy() for array in state]
    order[13] = number
    with pytest.raises(IndexRangeError):
        code.run(order, state, rates)
    assert code.executable.taken == 13
    code.run(np.arange(13), start, rates[:13])
    for found, expected in zip(state, start, strict=True):
        np.testing.assert_array_equal(found, expected)
