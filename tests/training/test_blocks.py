"""Epochs taken many at once are the epochs taken one by one: weights, losses, streams, and how a run ends."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import fanin as torch
from fanin import nn
from fanin._core.errors import DivergenceError
from fanin.compiler.native import executable, turns
from fanin.compiler.native.orders import draw_orders
from fanin.compiler.native.pace import Pace
from fanin.compiler.native.shuffle import randperm
from fanin.optim import lr_scheduler as schedulers
from fanin.random import Generator
from fanin.training import several
from fanin.training.engines import blocks
from fanin.training.interrupt import Interrupt
from fanin.training.source import Rows
from tests.training.by_hand import Setting, default_state, weights

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.02),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.002),
    "radam": lambda p: torch.optim.RAdam(p, lr=0.01),  # a flag changes at the sixth step
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.01),  # keeps a number from step to step
    "adafactor": lambda p: torch.optim.Adafactor(p, lr=0.1),  # keeps arrays of other shapes than the parameters
    "averaged": lambda p: torch.optim.ASGD(p, lr=0.02),
}


def dropout() -> Any:
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))


def normalised() -> Any:
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))


def wide() -> Any:
    return nn.Sequential(nn.Linear(3, 80), nn.Tanh(), nn.Dropout(0.3), nn.Linear(80, 80), nn.ReLU(), nn.Linear(80, 1))


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list of the blocks that are taken, by their epochs."""
    found: list[int] = []
    run = blocks.Blocks.run

    def counted(self: Any, epochs: int) -> Any:
        found.append(epochs)
        return run(self, epochs)

    monkeypatch.setattr(blocks.Blocks, "run", counted)
    return found


def trained(setting: Setting, together: bool, most: int = 1000, **options: Any) -> tuple[Any, ...]:
    """Train in blocks or epoch by epoch, and return everything that must agree."""
    model, x, y = setting.prepare()
    optimizer, generator = setting.optimizer(model.parameters()), setting.generator()
    scheduler = setting.scheduler(optimizer) if setting.scheduler else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(several.Several, "_count", _most(most if together else 0))
        patch.setattr(several, "SECONDS", 1e9)  # whatever else the machine does
        history = torch.fit(
            model,
            (x, y),
            setting.loss,
            optimizer,
            epochs=setting.epochs,
            batch_size=setting.batch_size,
            shuffle=setting.shuffle,
            drop_last=setting.drop_last,
            generator=generator,
            clip_grad_norm=setting.clip,
            scheduler=scheduler,
            engine="native",
            **options,
        )
    state = optimizer.state_dict()["state"]
    held = {i: {k: np.array(v.detach().numpy()) for k, v in s.items() if v is not None} for i, s in state.items()}
    own = None if generator is None else generator.get_state().tolist()
    told = {k: v for k, v in history.to_dict().items() if k != "seconds"}
    rates = [group["lr"] for group in optimizer.param_groups], scheduler and scheduler.get_last_lr()
    return weights(model), held, told, default_state(), own, optimizer._step_count, rates


def _most(most: int) -> Any:
    count = several.Several._count

    def limited(self: Any, found: Any) -> int:
        run = self._run
        return (
            min(most, run.training.epochs - len(run.history)) if run.patience is None else min(most, count(self, found))
        )

    return limited


def check_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    for a, b in zip(one[:2], other[:2], strict=True):
        np.testing.assert_equal(a, b)
    assert one[2:] == other[2:]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("rows", [40, 43])
def test_blocks_are_the_epochs_one_by_one(name: str, rows: int, taken: list[int]) -> None:
    setting = Setting(optimizer=OPTIMIZERS[name], rows=rows, epochs=12)
    alone = trained(setting, False)
    assert not taken
    check_same(trained(setting, True), alone)
    assert taken == [12] or name in ("radam", "nadam", "averaged")


def test_blocks_of_one_epoch(taken: list[int]) -> None:
    setting = Setting(optimizer=OPTIMIZERS["adam"], rows=43, epochs=4)
    alone = trained(setting, False)
    check_same(trained(setting, True, most=1), alone)
    assert taken == [1, 1, 1, 1]


SCHEDULERS = {
    "exponential": lambda o: schedulers.ExponentialLR(o, 0.9),
    "step": lambda o: schedulers.MultiStepLR(o, [2, 5, 6], 0.3),
    "cosine": lambda o: schedulers.CosineAnnealingLR(o, 10),
    "restarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, 3),
    "function": lambda o: schedulers.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
    "sequence": lambda o: schedulers.SequentialLR(
        o, [schedulers.LinearLR(o, 0.1, total_iters=4), schedulers.ExponentialLR(o, 0.8)], [4]
    ),
    "chain": lambda o: schedulers.ChainedScheduler([schedulers.ConstantLR(o), schedulers.ExponentialLR(o, 0.8)]),
    "plateau": lambda o: schedulers.ReduceLROnPlateau(o, patience=1),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedulers(name: str, taken: list[int]) -> None:
    setting = Setting(optimizer=OPTIMIZERS["adam"], rows=43, epochs=12, scheduler=SCHEDULERS[name])
    alone = trained(setting, False)
    check_same(trained(setting, True, 5), alone)
    assert taken == ([] if name == "plateau" else [5, 5, 2])


def test_going_back_turns_the_schedule_back(taken: list[int]) -> None:
    setting = rising()
    setting.scheduler = SCHEDULERS["sequence"]
    for patience in (2, 6):
        check_same(trained(setting, True, patience=patience), trained(setting, False, patience=patience))
    assert taken


def test_a_checkpoint_after_a_block_has_the_best_weights(tmp_path: Any) -> None:
    """Each run has its own number of epochs at a time; all go on to the same end."""
    found = []
    for most in (0, 5, 1000):
        path = tmp_path / f"{most}.pt"
        setting = rising()
        setting.epochs = 24
        trained(setting, most > 0, most, checkpoint=path)
        setting.epochs = 40
        found.append(trained(setting, most > 0, most, checkpoint=path, resume=True, patience=30)[:5])
    check_same(found[1], found[0])
    check_same(found[2], found[0])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_loader(data: Any) -> None:
    setting = Setting(
        model=data.draw(st.sampled_from([Setting.model, dropout, normalised]), "model"),
        optimizer=OPTIMIZERS[data.draw(st.sampled_from(["sgd", "adam"]), "optimizer")],
        rows=data.draw(st.sampled_from([2, 40, 43]), "rows"),
        batch_size=data.draw(st.sampled_from([2, 10, 60]), "batch_size"),
        shuffle=data.draw(st.booleans(), "shuffle"),
        drop_last=False,
        seeded=data.draw(st.booleans(), "seeded"),
        epochs=data.draw(st.integers(2, 9), "epochs"),
    )
    if setting.model is normalised and setting.rows % setting.batch_size == 1:
        setting.model = dropout  # one row has no variance
    setting.drop_last = setting.rows >= setting.batch_size and data.draw(st.booleans(), "drop_last")
    most = data.draw(st.integers(2, 9), "most")
    check_same(trained(setting, True, most), trained(setting, False))


def test_a_wrong_stream_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(rows=43, epochs=6)
    alone = trained(setting, False)
    streams = blocks.Orders._streams
    monkeypatch.setattr(blocks.Orders, "_streams", lambda self: (*streams(self)[:2], not streams(self)[2]))
    with pytest.raises(AssertionError):
        check_same(trained(setting, True), alone)


# Orders that a second thread draws ------------------------------------------------------------------------------------


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let a second thread draw, however little there is to draw; return the list of the threads of each block."""
    found: list[int] = []

    def choose(_: Any, threads: int, steps: int) -> tuple[int, int]:
        found.append(threads)
        return threads, steps

    monkeypatch.setattr(turns, "ROWS_OF_A_TEAM", 1)
    monkeypatch.setattr(Pace, "choose", choose)
    return found


@pytest.mark.parametrize("seeded", [False, True], ids=["private", "generator"])
@pytest.mark.parametrize("rows", [40, 43])
@pytest.mark.parametrize("model", [Setting.model, dropout, normalised])
def test_a_second_thread_draws(model: Any, rows: int, seeded: bool, beside: list[int], taken: list[int]) -> None:
    setting = Setting(model=model, optimizer=OPTIMIZERS["adam"], rows=rows, epochs=30, seeded=seeded)
    alone = trained(setting, False, threads=2)
    assert not taken
    check_same(trained(setting, True, 13, threads=2), alone)
    assert taken == ([13, 13, 3] if model is dropout else [13, 13, 4])  # the seed of masks needs an epoch of its own
    assert beside == [2, 2, 2]
    check_same(trained(setting, True, 13, threads=1), alone)
    assert len(beside) == 3


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("rows", [323, 340])
def test_a_last_batch_that_one_thread_takes_leaves_two_for_the_others(
    rows: int, clip: float | None, beside: list[int], taken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A last batch of 3 rows has nothing to share; one of 20 has some of its products."""
    teams: list[int] = []
    monkeypatch.setattr(turns, "team_of", lambda threads: teams.append(threads) or executable.team_of(threads))
    setting = Setting(model=wide, optimizer=OPTIMIZERS["adam"], rows=rows, batch_size=32, epochs=9, clip=clip)
    alone = trained(setting, False, threads=1)
    check_same(trained(setting, True, threads=1), alone)
    assert not beside
    check_same(trained(setting, True, threads=2), alone)
    assert taken[-1] >= 8
    assert teams == [2]


def test_a_second_thread_draws_until_a_loss_diverges(beside: list[int]) -> None:
    setting = Setting(optimizer=lambda p: torch.optim.SGD(p, lr=30.0), rows=43, epochs=60)
    messages = []
    for together in (False, True):
        with pytest.raises(DivergenceError) as raised:
            trained(setting, together, threads=2)
        messages.append(str(raised.value))
        messages.append(default_state())
    assert messages[:2] == messages[2:]
    assert beside == [2]


def test_a_second_thread_that_is_not_there(beside: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A team that serves somebody else has one thread left, which then draws as well."""
    setting = Setting(rows=43, epochs=30)
    alone = trained(setting, False)
    with turns.team_of(2)._busy:
        check_same(trained(setting, True, threads=2), alone)
    assert beside == [2]


def test_orders_of_chosen_rows_are_drawn_before(beside: list[int]) -> None:
    x = torch.arange(60.0).reshape(20, 3)
    found = []
    for most in (0, 50):
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        chosen = torch.utils.data.Subset(torch.utils.data.TensorDataset(x, x[:, :1]), list(range(1, 18, 2)))
        loader = torch.utils.data.DataLoader(chosen, batch_size=4, shuffle=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(several.Several, "_count", _most(most))
            torch.fit(model, loader, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=1e-5), epochs=20, threads=2)
        found.append((weights(model), default_state()))
    np.testing.assert_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]
    assert not beside


@pytest.mark.parametrize("n", [2, 3, 311, 312, 623, 624, 625, 1000, 1249])
@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize("apart", [True, False])
def test_orders_and_streams(n: int, private: bool, apart: bool) -> None:
    for used in (0, 1, 621, 622, 623):
        pairs = []
        for _ in range(2):
            base = Generator().manual_seed(7)
            stream = Generator().manual_seed(8) if apart else base
            base.words(used)
            pairs.append((base, stream))
        expected = [one_order(*pairs[0], private, n) for _ in range(5)]
        (found,) = draw_orders(*pairs[1], private, 5, n, [n])
        assert np.array_equal(found.reshape(5, n), expected)
        for a, b in zip(*pairs, strict=True):
            assert np.array_equal(a.get_state(), b.get_state())


@pytest.mark.parametrize("parts", [[20], [18, 2], [1, 19], [7], [7, 6]])
def test_parts_of_orders(parts: list[int]) -> None:
    streams = [Generator().manual_seed(5) for _ in range(2)]
    (whole,) = draw_orders(streams[0], streams[0], True, 3, 20, [20])
    found = draw_orders(streams[1], streams[1], True, 3, 20, parts)
    ends = np.cumsum(parts).tolist()
    for part, end, rows in zip(found, ends, parts, strict=True):
        assert np.array_equal(part, whole.reshape(3, 20)[:, end - rows : end].reshape(-1))
        assert part.flags.c_contiguous


def one_order(base: Generator, stream: Generator, private: bool, n: int) -> Any:
    base.random_int()
    if private:
        return randperm(Generator().manual_seed(stream.random_int()), n)
    order = randperm(stream, n)
    randperm(stream, n)
    return order


# How a run ends -------------------------------------------------------------------------------------------------------


def rising() -> Setting:
    """Return a setting whose losses go up and down: the rate is too high."""
    return Setting(optimizer=lambda p: torch.optim.Adam(p, lr=0.3), rows=43, epochs=40)


@pytest.mark.parametrize("patience", [2, 5, 9])
def test_patience(patience: int, taken: list[int]) -> None:
    alone = trained(rising(), False, patience=patience)
    assert alone[2]["stopped"] == "patience"
    check_same(trained(rising(), True, patience=patience), alone)
    assert taken


def test_a_loss_that_stays_the_same_is_no_better(taken: list[int]) -> None:
    setting = Setting(optimizer=lambda p: torch.optim.SGD(p, lr=0.0), rows=40, shuffle=False, epochs=40)
    for patience in (1, 4):
        alone = trained(setting, False, patience=patience)
        assert (alone[2]["stopped"], len(alone[2]["losses"])) == ("patience", 1 + patience)
        check_same(trained(setting, True, patience=patience), alone)
    assert taken


class Counting(Interrupt):
    """Says that Ctrl-C was pressed once an epoch is over."""

    def __init__(self, history: Any, epoch: int) -> None:
        super().__init__()
        self._history, self._epoch = history, epoch

    @property  # type: ignore[override]
    def wanted(self) -> bool:
        return len(self._history()) >= self._epoch

    @wanted.setter
    def wanted(self, value: bool) -> None:
        """Nothing is noted."""


def interrupted(together: bool, most: int, epoch: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    from fanin.training import loop

    go = loop.Run.go

    def with_interrupt(self: Any) -> Any:
        self.interrupt = Counting(lambda: self.history, epoch)
        return go(self)

    monkeypatch.setattr(loop.Run, "go", with_interrupt)
    found = trained(rising(), together, most)
    monkeypatch.setattr(loop.Run, "go", go)
    return found


def test_ctrl_c_goes_back_to_an_epoch_inside_a_block(monkeypatch: pytest.MonkeyPatch, taken: list[int]) -> None:
    alone = interrupted(False, 0, 24, monkeypatch)
    assert alone[2]["stopped"] == "interrupted"
    assert alone[2]["best_epoch"] not in (8, 16, 24)
    check_same(interrupted(True, 8, 24, monkeypatch), alone)
    assert taken[:3] == [8, 8, 8]
    assert len(taken) == 4  # the last one goes back


@pytest.mark.parametrize("most", [3, 1000])
def test_divergence(most: int, taken: list[int]) -> None:
    def diverged(together: bool) -> tuple[Any, ...]:
        torch.manual_seed(5)
        x, model = torch.randn(43, 3), nn.Linear(3, 1)
        y = x.sum(dim=1, keepdim=True)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.05)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(several.Several, "_count", _most(most if together else 0))
            patch.setattr(several, "SECONDS", 1e9)  # whatever else the machine does
            with pytest.raises(DivergenceError) as raised:
                torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=2000, batch_size=10, engine="native")
        error = raised.value
        told = {k: v for k, v in error.history.to_dict().items() if k != "seconds"}
        return weights(model), {}, told, str(error), error.epoch, error.step, error.cause, default_state()

    alone = diverged(False)
    assert alone[4] > 5
    check_same(diverged(True), alone)
    assert taken


def test_an_index_out_of_range_is_told_by_the_epoch_alone(taken: list[int]) -> None:
    torch.manual_seed(0)
    model, x, y = nn.Embedding(4, 3), torch.randint(0, 4, (20,)), torch.randn(20, 3)
    x[7] = 4
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(IndexError, match="out of range"):
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=50, batch_size=6, engine="native")
    assert len(taken) == 1


def test_history_counts_all_epochs(taken: list[int]) -> None:
    model, x, y = Setting().prepare()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=100, batch_size=10, engine="native")
    assert len(history) == len(history.seconds) == len(history.rates) == 100
    assert sum(taken) > 50
    assert all(map(math.isfinite, history.losses))


@pytest.mark.parametrize("chosen", [None, np.array([6, 1, 4, 4, 0, 2, 9])])
def test_unshuffled_orders_of_more_and_of_fewer_epochs(chosen: Any) -> None:
    data = torch.utils.data.TensorDataset(torch.arange(7 if chosen is None else 10))
    loader = torch.utils.data.DataLoader(torch.utils.data.Subset(data, range(7)), batch_size=3)
    orders = blocks.Orders(Rows(loader, data.tensors, 1, False, chosen))
    rows = np.arange(7) if chosen is None else chosen
    for epochs in (2, 5, 3):
        whole, rest = orders.draw(epochs)
        np.testing.assert_array_equal(whole, np.tile(rows[:6], epochs))
        np.testing.assert_array_equal(rest, np.tile(rows[6:], epochs))
