"""Compiled epochs: what changes between them is seen, what was compiled is used again, nothing depends on chance."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin._core.errors import CaptureError, DivergenceError
from fanin.optim import lr_scheduler as schedulers
from fanin.training.engines import ahead, native, pool
from fanin.training.engines.native import stretches
from fanin.training.source import Order
from fanin.training.turn import Turn
from tests.training.by_hand import Setting, check_equal, default_state, fitted, loop, weights


def dropout() -> Any:
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))


def test_a_change_between_epochs_is_seen() -> None:
    """Rates, weights, frozen layers and a scheduler: the same as in eager steps."""
    results = []
    for engine in ("eager", "native"):
        model, x, y = Setting(dtype=torch.float64, rows=43).prepare()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

        def meddle(training: Any) -> None:
            if training.epoch == 2:
                training.optimizer.param_groups[0]["lr"] = 0.03
            if training.epoch == 3:
                training.model[0].requires_grad_(False)
            if training.epoch == 4:
                with torch.no_grad():
                    training.model[2].weight.mul_(0.5)
            if training.epoch == 5:
                training.model[0].requires_grad_(True)

        history = torch.fit(
            model, (x, y), nn.MSELoss(), optimizer, epochs=7, batch_size=10, engine=engine, callbacks=meddle
        )
        results.append((model, history))
    check_equal(results[1][0], results[0][0], 1e-9)
    np.testing.assert_allclose(results[1][1].losses, results[0][1].losses, rtol=1e-9)


@pytest.mark.parametrize("rule", [torch.optim.SGD, torch.optim.Adam])
def test_a_rate_that_changes_after_every_epoch(rule: Any) -> None:
    """With batches of one size: what was computed for the steps to come is left over from one epoch to the next."""
    results = []
    for engine in ("eager", "native"):
        model, x, y = Setting(dtype=torch.float64, rows=40).prepare()
        optimizer = rule(model.parameters(), lr=0.05)

        def slower(training: Any) -> None:
            training.optimizer.param_groups[0]["lr"] *= 0.7

        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=8, batch_size=10, engine=engine, callbacks=slower)
        results.append(model)
    check_equal(results[1], results[0], 1e-9)


def test_what_the_loss_reads_is_looked_at_before_each_epoch() -> None:
    results = []
    for engine in ("eager", "native"):
        setting, weight = Setting(dtype=torch.float64), 1.0

        def loss(output: Any, target: Any) -> Any:
            return weight * ((output - target) ** 2).mean()  # noqa: B023  read anew in each epoch

        def change(training: Any) -> None:
            nonlocal weight
            weight = 1.0 + training.epoch

        setting.loss, setting.epochs = loss, 4
        results.append(fitted(setting, engine=engine, callbacks=change)[0])
    check_equal(results[1], results[0], 1e-9)


def test_what_a_module_holds_is_looked_at_before_each_epoch() -> None:
    results = []
    for engine in ("eager", "native"):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 6), nn.LeakyReLU(0.1), nn.Linear(6, 1)).double()
        x, y = torch.randn(30, 3).double(), torch.randn(30, 1).double()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)

        def change(training: Any, model: Any = model) -> None:
            model[1].negative_slope = 0.5 * training.epoch

        torch.fit(model, (x, y), nn.MSELoss(), optimizer, 3, batch_size=10, engine=engine, callbacks=change)
        results.append(model)
    check_equal(results[1], results[0], 1e-9)


def test_a_state_that_is_loaded_between_epochs_is_used() -> None:
    results = []
    for engine in ("eager", "native"):
        model, x, y = Setting(dtype=torch.float64).prepare()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        kept: list[Any] = []

        def change(training: Any, kept: list[Any] = kept) -> None:
            if training.epoch == 1:
                kept += [copy.deepcopy(training.optimizer.state_dict()), copy.deepcopy(training.model.state_dict())]
            if training.epoch == 3:
                training.optimizer.load_state_dict(kept[0])
                training.model.load_state_dict(kept[1])

        torch.fit(model, (x, y), nn.MSELoss(), optimizer, 5, batch_size=10, engine=engine, callbacks=change)
        results.append(model)
    check_equal(results[1], results[0], 1e-9)


def test_flags_that_change_within_an_epoch_are_seen() -> None:
    """RAdam takes another kind of step from its sixth on."""
    setting = Setting(optimizer=lambda p: torch.optim.RAdam(p, lr=0.01), dtype=torch.float64, batch_size=5, epochs=2)
    expected, _ = fitted(setting, engine="eager")
    actual, _ = fitted(setting, engine="native")
    check_equal(actual, expected, 1e-9)


def test_two_groups_with_rates_of_their_own() -> None:
    def groups(p: Any) -> Any:
        first, *others = p
        return torch.optim.SGD([{"params": [first], "lr": 0.01}, {"params": others}], lr=0.05, momentum=0.5)

    setting = Setting(optimizer=groups, dtype=torch.float64)
    expected, _ = fitted(setting, engine="eager")
    actual, _ = fitted(setting, engine="native")
    check_equal(actual, expected, 1e-9)


def test_the_optimizer_holds_its_state_afterwards() -> None:
    """Native epochs, then eager ones: as eager ones all the way."""
    results = []
    for engine in ("eager", "native"):
        model, x, y = Setting(dtype=torch.float64).prepare()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=2, batch_size=10, engine=engine)
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=2, batch_size=10, engine="eager")
        assert int(optimizer.state[model[0].weight]["step"]) == 20
        results.append(model)
    check_equal(results[1], results[0], 1e-9)


def test_the_same_run_gives_the_same_bits() -> None:
    setting = Setting(model=dropout)
    first, _ = fitted(setting, engine="native")
    second, _ = fitted(setting, engine="native")
    check_equal(second, first, 0.0)


def test_dropout_drops_anew_in_every_step() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Dropout(0.5))
    with torch.no_grad():
        model[0].weight.fill_(1.0)
    x = torch.ones(64, 1)
    losses: list[float] = []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for _ in range(2):
        history = torch.fit(
            model, (x, x * 0), nn.MSELoss(), optimizer, epochs=12, batch_size=64, engine="native", shuffle=False
        )
        losses += history.losses
    assert len(set(losses)) > 8
    assert abs(np.mean(losses) - 2.0) < 0.2  # half of the outputs are 2, the others 0


@pytest.mark.parametrize("make", [Setting, lambda: Setting(model=dropout, rows=47)])
def test_a_resumed_run_ends_with_the_same_bits(make: Any, tmp_path: Path) -> None:
    setting = make()
    setting.optimizer = lambda p: torch.optim.Adam(p, lr=0.01)
    setting.scheduler = lambda o: schedulers.StepLR(o, 2, gamma=0.5)
    expected, history = fitted(setting, engine="native")
    setting.epochs = 3
    fitted(setting, engine="native", checkpoint=tmp_path / "c.pt")
    setting.epochs = 8
    actual, resumed = fitted(setting, engine="native", checkpoint=tmp_path / "c.pt", resume=True)
    check_equal(actual, expected, 0.0)
    assert resumed.losses == history.losses


def test_a_second_run_compiles_nothing() -> None:
    setting = Setting(rows=47)
    first, _ = fitted(setting, engine="native")
    made = pool.idle.made
    second, _ = fitted(setting, engine="native")
    assert pool.idle.made == made
    check_equal(second, first, 0.0)
    fitted(Setting(rows=47, loss=nn.HuberLoss(delta=0.5)), engine="native")
    assert pool.idle.made == made + 2  # another step: for whole batches, and for the last one


def test_a_number_in_the_step_tells_programs_apart() -> None:
    """Equal graphs but for a constant, which must not be mixed up."""
    losses = []
    for scale in (1.0, 2.0, 1.0):
        setting = Setting(loss=lambda o, t, scale=scale: (scale * (o - t) ** 2).mean(), epochs=1)
        losses.append(fitted(setting, engine="native")[1].losses[0])
    assert losses[0] == losses[2]
    assert losses[1] > 1.5 * losses[0]


def test_networks_of_one_shape_are_compiled_once() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(60, 5), torch.randn(60, 1)
    results = []
    for threads in (1, 3):
        torch.manual_seed(1)
        models = [nn.Sequential(nn.Linear(5, 9), nn.Tanh(), nn.Dropout(0.1), nn.Linear(9, 1)) for _ in range(6)]
        jobs = [
            {"model": m, "train": (x, y), "loss": nn.MSELoss(), "optimizer": torch.optim.Adam(m.parameters())}
            for m in models
        ]
        made = pool.idle.made
        histories = torch.fit_many(jobs, epochs=20, batch_size=20, engine="native", threads=threads)
        assert pool.idle.made - made <= threads
        assert {history.engine for history in histories} == {"native"}
        results.append(([weights(m) for m in models], [history.losses for history in histories]))
    for one, other in zip(results[0][0], results[1][0], strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)
    assert results[0][1] == results[1][1]


def test_compiled_epochs_run_beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one network is in native code, another one enters it."""
    inside, most = [0], [0]
    aside = Turn.aside

    @contextmanager
    def counted(turn: Turn) -> Iterator[None]:
        with aside(turn):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.01)
            yield
            inside[0] -= 1

    monkeypatch.setattr(Turn, "aside", counted)
    for threads in (1, 2):
        torch.manual_seed(0)
        x, y = torch.randn(30, 3), torch.randn(30, 1)
        models = [nn.Linear(3, 1) for _ in range(8)]
        jobs = [
            {"model": m, "train": (x, y), "loss": nn.MSELoss(), "optimizer": torch.optim.SGD(m.parameters(), 0.1)}
            for m in models
        ]
        torch.fit_many(jobs, epochs=15, batch_size=30, engine="native", threads=threads)
        assert most[0] == threads


def test_short_calls_give_what_long_ones_give(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(rows=53, optimizer=lambda p: torch.optim.Adam(p, lr=0.01))
    expected, _ = fitted(setting, engine="native")
    monkeypatch.setattr(native, "AT_ONCE", 3)
    monkeypatch.setattr(ahead, "AT_ONCE", 3)
    monkeypatch.setattr(native, "PAUSE", 0.0)
    actual, _ = fitted(setting, engine="native")
    check_equal(actual, expected, 0.0)


def test_the_step_of_a_divergence_is_the_one_of_the_loop() -> None:
    found = []
    for engine in ("eager", "native"):
        model, x, y = Setting().prepare()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        y[33] = float("nan")
        with pytest.raises(DivergenceError, match=r"target has nan in row 33, column 0") as caught:
            torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=3, batch_size=5, engine=engine)
        found.append((caught.value.epoch, caught.value.step))
        assert all(np.isfinite(value).all() for value in weights(model).values())
    assert found[0] == found[1]


def test_auto_compiles_what_is_in_memory() -> None:
    _, history = fitted(Setting())
    assert history.engine == "native"
    model, x, y = Setting().prepare()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    assert torch.fit(model, [(x, y)], nn.MSELoss(), optimizer).engine == "eager"


def test_layers_without_a_shape_are_trained_eagerly() -> None:
    setting = Setting(model=lambda: nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(1)))
    expected, _ = loop(setting)
    actual, history = fitted(setting)
    assert history.engine == "eager"
    check_equal(actual, expected, 1e-6)
    with pytest.raises(CaptureError, match="parameters without a shape"):
        fitted(setting, engine="native")


def test_auto_says_why_it_does_not_compile() -> None:
    def branching(output: Any, target: Any) -> Any:
        loss = nn.functional.mse_loss(output, target)
        return loss if loss.item() > 1 else 2 * loss

    with pytest.warns(UserWarning, match=r"the steps run eagerly.*loss\.item\(\)|the steps run eagerly"):
        _, history = fitted(Setting(loss=branching), engine="auto")
    assert history.engine == "eager"
    with pytest.raises(CaptureError):
        fitted(Setting(loss=branching), engine="native")


@pytest.mark.parametrize("engine", ["eager", "numpy", "native"])
def test_a_symmetric_start_is_advised_against(engine: str) -> None:
    model, x, y = Setting(model=lambda: nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))).prepare()
    nn.init.constant_(model[0].weight, 0.5)
    state = default_state()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.warns(torch.advice.SymmetricStart, match="the 8 units of a hidden layer"):
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=1, engine=engine)
    assert default_state() != state
    random = nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 1))
    torch.fit(random, (x, y), nn.MSELoss(), torch.optim.SGD(random.parameters(), lr=0.1), engine=engine)


def test_stretches() -> None:
    def of(*sizes: int) -> list[tuple[int, int, int]]:
        return list(stretches(Order(None, np.array(sizes, np.int64))))

    assert of() == []
    assert of(4) == [(0, 4, 1)]
    assert of(4, 4, 2) == [(0, 4, 2), (8, 2, 1)]
    assert of(1, 3, 3, 1) == [(0, 1, 1), (1, 3, 2), (7, 1, 1)]


def test_many_short_epochs_cost_little_python() -> None:
    """A loose limit, which a slip of a factor of ten would miss: an epoch of one step takes some 0.1 ms."""
    torch.manual_seed(0)
    x, y = torch.randn(8, 3), torch.randn(8, 1)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=3, batch_size=8, engine="native")
    started = time.perf_counter()
    torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=300, batch_size=8, engine="native")
    assert (time.perf_counter() - started) / 300 < 5e-3


@pytest.mark.parametrize("loss", [nn.MSELoss, nn.HuberLoss, nn.BCEWithLogitsLoss])
def test_targets_in_double_precision_give_gradients_in_the_model_s(loss: type[nn.Module]) -> None:
    """A loss in float64 has gradients in float64, of which the outputs take those in their own dtype."""
    found = []
    for engine in ("eager", "native", "numpy"):
        model, x, y = Setting().prepare()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        history = torch.fit(model, (x, y.sigmoid().double()), loss(), optimizer, epochs=3, engine=engine)
        assert history.engine == engine
        found.append(model)
    for other in found[1:]:
        check_equal(other, found[0], 1e-5)
