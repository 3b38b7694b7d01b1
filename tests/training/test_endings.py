"""How training ends: patience, callbacks, Ctrl-C, a loss that is not finite; and the weights that are left."""

from __future__ import annotations

import signal
import threading
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin._core.errors import DivergenceError
from fanin.training import Callback, Training, loop, several
from fanin.training import weights as training_weights
from fanin.training.weights import Kept
from tests.training.by_hand import Setting, weights


def problem(lr: float = 0.05) -> tuple[Any, Any, Any, Any]:
    model, x, y = Setting().prepare()
    return model, x, y, torch.optim.SGD(model.parameters(), lr=lr)


class Recorder(Callback):
    """Keeps the weights after each epoch, and spoils those of the epochs named."""

    def __init__(self, spoil: tuple[int, ...] = ()) -> None:
        self.seen: list[dict[str, Any]] = []
        self.events: list[str] = []
        self.spoil = spoil

    def on_train_begin(self, training: Training) -> None:
        self.events.append("begin")

    def on_epoch_begin(self, training: Training) -> None:
        self.events.append(f"epoch {training.epoch}")
        if training.epoch in self.spoil:
            with torch.no_grad():
                for parameter in training.model.parameters():
                    parameter.add_(1.0)

    def on_epoch_end(self, training: Training) -> None:
        self.seen.append(weights(training.model))

    def on_train_end(self, training: Training) -> None:
        self.events.append("end")


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in b)


# Patience -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restore", [True, False])
def test_patience_ends_training_and_restores_the_best(restore: bool) -> None:
    model, x, y, optimizer = problem()
    recorder = Recorder(spoil=(4, 5, 6))
    history = torch.fit(
        model,
        (x, y),
        nn.MSELoss(),
        optimizer,
        epochs=20,
        validation=(x, y),
        patience=2,
        restore_best=restore,
        callbacks=recorder,
    )
    assert history.stopped == "patience"
    assert len(history) == 5
    assert history.best_epoch == 3
    assert same(weights(model), recorder.seen[2 if restore else 4])


def test_without_patience_the_last_weights_stay() -> None:
    model, x, y, optimizer = problem()
    recorder = Recorder(spoil=(4,))
    history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=4, validation=(x, y), callbacks=recorder)
    assert history.best_epoch == 3
    assert same(weights(model), recorder.seen[3])


def test_patience_without_validation_looks_at_the_training_loss() -> None:
    model, x, y, optimizer = problem(lr=1e-9)
    history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=50, patience=3, shuffle=False, batch_size=50)
    assert history.stopped in ("patience", "finished")
    model, x, y, optimizer = problem()
    history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=9, patience=1, callbacks=Recorder((3,)))
    assert (history.stopped, len(history), history.best_epoch) == ("patience", 3, 2)


@pytest.mark.parametrize("patience", [None, 5])
def test_the_last_epoch_is_copied_only_where_somebody_asks(
    patience: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bool] = []
    take = Kept.take
    monkeypatch.setattr(Kept, "take", lambda self, **how: (taken.append(True), take(self, **how))[1])
    found = []
    for callbacks in ((), Recorder()):
        model, x, y, optimizer = problem()
        options = {"epochs": 3, "validation": (x, y), "patience": patience, "callbacks": callbacks}
        history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, **options)
        assert history.best_epoch == 3
        found.append((weights(model), len(taken)))
        taken.clear()
    assert same(found[0][0], found[1][0])
    # Before the first epoch and after each; what callbacks see is copied at once.
    assert [count for _, count in found] == [4 if patience else 3, 4]


# Callbacks ------------------------------------------------------------------------------------------------------------


def test_callbacks_are_called_in_order() -> None:
    model, x, y, optimizer = problem()
    recorder = Recorder()
    torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=2, callbacks=[recorder])
    assert recorder.events == ["begin", "epoch 1", "epoch 2", "end"]


def test_a_function_may_end_training() -> None:
    model, x, y, optimizer = problem()
    numbers: list[int] = []

    def stop(training: Training) -> bool:
        numbers.append(training.epoch)
        return training.epoch == 3

    history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=9, callbacks=stop)
    assert (numbers, history.stopped, len(history)) == ([1, 2, 3], "callback", 3)
    history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, 9, callbacks=[lambda t: t.stop("enough")])
    assert (history.stopped, len(history)) == ("enough", 1)


def test_a_callback_may_change_the_rate_and_the_weights() -> None:
    model, x, y, optimizer = problem()

    class Zero(Callback):
        def on_epoch_end(self, training: Training) -> None:
            training.optimizer.param_groups[0]["lr"] = 0.0
            with torch.no_grad():
                for parameter in training.model.parameters():
                    parameter.zero_()

    history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=2, callbacks=Zero())
    assert history.rates == [0.05, 0.0]
    assert all(not value.any() for value in weights(model).values())


def test_what_is_no_callback_is_refused() -> None:
    model, x, y, optimizer = problem()
    with pytest.raises(TypeError, match="is no callback"):
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, callbacks=[3])


# Ctrl-C ---------------------------------------------------------------------------------------------------------------


class PressCtrlC(Callback):
    def __init__(self, epoch: int, times: int = 1) -> None:
        self.epoch, self.times = epoch, times

    def on_epoch_begin(self, training: Training) -> None:
        if training.epoch == self.epoch:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)


def test_ctrl_c_ends_after_the_epoch_with_the_best_weights() -> None:
    before = signal.getsignal(signal.SIGINT)
    model, x, y, optimizer = problem()
    recorder = Recorder(spoil=(5,))
    callbacks = [recorder, PressCtrlC(5)]
    history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=50, callbacks=callbacks)
    assert (history.stopped, len(history), history.best_epoch) == ("interrupted", 5, 4)
    assert same(weights(model), recorder.seen[3])
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_ends_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    model, x, y, optimizer = problem()
    recorder = Recorder()
    with pytest.raises(KeyboardInterrupt):
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=50, callbacks=[recorder, PressCtrlC(3, times=2)])
    assert len(recorder.seen) == 2
    assert same(weights(model), recorder.seen[1])
    assert model.training
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("alone", [True, False], ids=["epochs", "blocks"])
def test_a_second_ctrl_c_while_the_best_weights_are_copied(alone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept, and put back, is of one epoch, and the history names it."""
    copies: list[int] = []

    class Pressing:
        """NumPy as the module of weights uses it; Ctrl-C is pressed twice between two arrays of the third copy."""

        @staticmethod
        def copyto(there: Any, here: Any) -> None:
            copies.append(1)
            if len(copies) == 4 * 3 - 2:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
            np.copyto(there, here)

    class Keeping(Kept):
        def take(self, *args: Any, **how: Any) -> None:
            super().take(*args, **how)
            taken.append({name: array.copy() for name, array in self.arrays.items()})

    taken: list[dict[str, Any]] = []
    monkeypatch.setattr(training_weights, "np", Pressing)
    monkeypatch.setattr(loop, "Kept", Keeping)
    monkeypatch.setattr(several.Several, "_count", lambda self, blocks: 0 if alone else 1)
    model, x, y, optimizer = problem()
    with pytest.raises(KeyboardInterrupt):
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=50)
    assert len(taken) == 4
    assert same(weights(model), taken[-1])


def test_the_signal_is_given_back_after_an_error() -> None:
    before = signal.getsignal(signal.SIGINT)
    model, x, y, optimizer = problem()
    with pytest.raises(ZeroDivisionError):
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=5, callbacks=lambda _: 1 / 0)
    assert signal.getsignal(signal.SIGINT) is before


def test_an_ignored_signal_stays_ignored_and_another_thread_leaves_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        model, x, y, optimizer = problem()
        history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=3, callbacks=PressCtrlC(2))
        assert history.stopped == "finished"
    finally:
        signal.signal(signal.SIGINT, before)
    seen: list[Any] = []

    def elsewhere() -> None:
        model, x, y, optimizer = problem()
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, callbacks=lambda _: seen.append(signal.getsignal(2)))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]


# Modes ----------------------------------------------------------------------------------------------------------------


def test_the_modes_of_all_modules_are_left_as_they_were() -> None:
    _, x, y, _ = problem()
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    model.eval()
    model[1].train()
    modes: list[tuple[bool, ...]] = []

    def loss(output: Any, target: Any) -> Any:
        modes.append(tuple(module.training for module in model.modules()))
        return nn.functional.mse_loss(output, target)

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.fit(model, (x, y), loss, optimizer, epochs=2, batch_size=50, validation=(x, y), engine="eager")
    assert modes == [(True,) * 4, (False,) * 4] * 2
    assert [module.training for module in model.modules()] == [False, False, True, False]


# Divergence -----------------------------------------------------------------------------------------------------------

ENGINES = ["eager", "numpy", "native"]


@pytest.mark.parametrize("engine", ENGINES)
def test_too_large_a_rate_is_named(engine: str) -> None:
    model, x, y, optimizer = problem(lr=50.0)
    before = weights(model)
    with pytest.raises(DivergenceError, match=r"in epoch \d+, step \d+.*rate is too large \(lr=50\).*lr=5") as caught:
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=200, engine=engine)
    error = caught.value
    assert isinstance(error, FloatingPointError)
    assert not np.isfinite(error.loss)
    assert error.history.stopped == "diverged"
    assert len(error.history) == error.epoch - 1
    assert all(np.isfinite(value).all() for value in weights(model).values())
    if error.epoch == 1:
        assert same(weights(model), before)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("x", r"the input has nan in row 7, column 2 \(1 such values\)"),
        ("y", r"the target has inf in row 3, column 0 \(2 such values\)"),
    ],
)
def test_gaps_in_the_data_are_named(engine: str, place: str, message: str) -> None:
    model, x, y, optimizer = problem()
    if place == "x":
        x[7, 2] = float("nan")
    else:
        y[3] = y[20] = float("inf")
    with pytest.raises(DivergenceError, match=message):
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=3, engine=engine)
    assert all(np.isfinite(value).all() for value in weights(model).values())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(ignore_index=2), nn.NLLLoss(ignore_index=2)])
def test_a_batch_of_ignored_classes_is_named(engine: str, loss: Any) -> None:
    """Its mean is 0/0, in PyTorch too; a sum is 0."""
    x, y = torch.randn(9, 3), torch.tensor([0, 2, 1, 2, 2, 1, 0, 0, 2])
    options: dict[str, Any] = {"epochs": 2, "batch_size": 4, "shuffle": False, "engine": engine}
    model = nn.Sequential(nn.Linear(3, 3), nn.LogSoftmax(dim=1))
    with pytest.raises(DivergenceError, match=r"epoch 1, step 3.*all 1 targets of the batch are ignore_index=2.*0/0"):
        torch.fit(model, (x, y), loss, torch.optim.SGD(model.parameters(), lr=0.1), **options)
    model = nn.Sequential(nn.Linear(3, 3), nn.LogSoftmax(dim=1))
    summed = type(loss)(ignore_index=2, reduction="sum")
    torch.fit(model, (x, y), summed, torch.optim.SGD(model.parameters(), lr=0.1), **options)


def test_a_logarithm_of_zero_is_named() -> None:
    model = nn.Sequential(nn.Linear(3, 1), nn.ReLU())
    torch.nn.init.constant_(model[0].weight, -1.0)
    x = torch.ones(10, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(DivergenceError, match=r"outputs are finite, between 0 and 0, but their loss is not.*logarithm"):
        torch.fit(model, (x, x[:, :1]), lambda o, t: -(t * torch.log(o)).mean(), optimizer)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("place", ["input", "target"])
def test_columns_that_are_too_large_are_named_and_scaling_them_is_the_cure(engine: str, place: str) -> None:
    """Whether the loss is seen to rise, or is infinite after one step."""
    for factor in (1e4, 1e12):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))
        x = torch.randn(200, 3)
        y, optimizer = x[:, :1] - x[:, 1:2], torch.optim.SGD(model.parameters(), lr=0.05)
        if place == "input":
            x[:, 1] *= factor
        else:
            y *= factor
        expected = (
            rf"rate is too large \(lr=0.05\) for the {place}, whose values are as large as \d.*Scale such columns, as"
        )
        with pytest.raises(DivergenceError, match=expected):
            torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=50, engine=engine)
        x, y = ((z - z.mean(0)) / z.std(0) for z in (x, y))
        history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=20, engine=engine)
        assert history.losses[-1] < history.losses[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_derivative_that_is_not_finite_is_named(engine: str) -> None:
    model, x, y, optimizer = problem()

    def loss(output: Any, target: Any) -> Any:
        return ((output - target) ** 2).mean() + torch.sqrt(output * 0).mean()

    with pytest.raises(DivergenceError, match=r"the parameter 0.weight is nan after a step from a loss of .*sqrt"):
        torch.fit(model, (x, y), loss, optimizer, engine=engine)


def test_a_module_that_overflows_is_named() -> None:
    class Exp(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.exp(x * 1000)

    model = nn.Sequential(nn.Linear(3, 1), Exp())
    x = torch.ones(10, 3)
    with torch.no_grad():
        model[0].weight.fill_(1.0)
    with pytest.raises(DivergenceError, match=r"the output of the module '1' \(Exp\) is not finite"):
        torch.fit(model, (x, x[:, :1]), nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.1))


def test_weights_that_are_not_finite_are_named() -> None:
    model, x, y, optimizer = problem()

    class Break(Callback):
        def on_epoch_begin(self, training: Training) -> None:
            if training.epoch == 3:
                with torch.no_grad():
                    model[2].bias.fill_(float("inf"))

    recorder = Recorder()
    with pytest.raises(DivergenceError, match=r"epoch 3, step 1.*parameter 2\.bias.*weights are those of epoch 2"):
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=9, engine="eager", callbacks=[Break(), recorder])
    assert same(weights(model), recorder.seen[1])


def test_a_validation_loss_that_is_not_finite_stops() -> None:
    model, x, y, optimizer = problem()
    bad = x.clone()
    bad[0, 0] = float("nan")
    with pytest.raises(DivergenceError, match="the validation loss became nan after epoch 1"):
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, validation=(bad, y))
