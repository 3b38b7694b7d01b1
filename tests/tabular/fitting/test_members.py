"""Training: natively, the same for any number of threads, at its best epoch, in its time."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fanin
from fanin.tabular.fitting import criteria, members
from fanin.tabular.fitting.losses import ClassLoss, SquareLoss
from fanin.tabular.fitting.members import (
    Pace,
    Part,
    Plan,
    in_evaluation,
    make_network,
    make_optimizer,
    outputs_of,
    train,
)
from fanin.tabular.fitting.optimizer import ScheduledAdam
from fanin.tabular.fitting.settings import Settings, realmlp, tabm
from fanin.tabular.nets import Inputs
from fanin.training import many

INPUTS = Inputs(3, 2, (4,))
SMALL = realmlp("classes", hidden=(16, 16), epochs=12, batch_size=32)


def table(rows: int = 300, seed: int = 0) -> Part:
    """Return rows whose class is the sign of a product, or the level."""
    rng = np.random.default_rng(seed)
    numbers, flags = rng.normal(size=(rows, 3)), rng.integers(0, 2, (rows, 2))
    levels = rng.integers(0, 4, (rows, 1))
    y = np.where(levels[:, 0] == 3, 2, (numbers[:, 0] * numbers[:, 1] > 0).astype(np.int64))
    return Part((numbers.astype(np.float32), flags.astype(np.float32), levels), y)


def plan(settings: Settings = SMALL) -> Plan:
    return Plan(INPUTS, 3, settings, ClassLoss(settings.smoothing), criteria.log_loss)


def halves(part: Part) -> tuple[Part, Part]:
    rows = np.arange(len(part))
    return part[rows % 4 > 0], part[rows % 4 == 0]


def weights_of(trained: Any) -> list[bytes]:
    return [p.detach().numpy().tobytes() for p in trained.network.parameters()]


@pytest.mark.parametrize("settings", [SMALL, tabm(hidden=(16, 16), members=4, epochs=12, batch_size=32, rate=0.01)])
def test_training_is_native_and_learns(settings: Settings) -> None:
    trained = train(plan(settings), [halves(table())], seed=0, engine="native")[0]
    assert trained.engine == "native"
    start = criteria.log_loss(np.zeros((1, 3)), np.zeros(1, np.int64))
    assert trained.best < 0.8 * start


def test_auto_is_native_unless_a_few_steps_are_sooner_done_eagerly() -> None:
    few, many = plan(), plan(replace(SMALL, epochs=100))
    assert [train(each, [halves(table())], seed=0)[0].engine for each in (few, many)] == ["eager", "native"]


def test_a_step_calls_nothing_back() -> None:
    """All that a step does has native code."""
    from fanin.training.engines.pool import idle

    train(plan(), [halves(table())], seed=0, engine="native")
    assert idle._idle[-1][1].executable.calls_back == 0


@pytest.mark.parametrize("engine", ["eager", "native"])
def test_members_are_the_same_side_by_side_and_for_any_number_of_threads(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [halves(table(seed=i)) for i in range(3)]
    before = fanin.get_rng_state()
    several = train(plan(), parts, seed=5, engine=engine)
    monkeypatch.setattr(many, "cores", lambda: 1)
    again = train(plan(), parts, seed=5, engine=engine)
    assert [weights_of(t) for t in several] == [weights_of(t) for t in again]
    assert weights_of(train(plan(), parts[:1], seed=6)[0]) != weights_of(train(plan(), parts[:1], seed=5)[0])
    assert fanin.equal(before, fanin.get_rng_state())


@pytest.mark.parametrize("engine", ["eager", "native"])
def test_nothing_is_said_of_equal_weights_where_the_first_batch_is_all_zeros(engine: str) -> None:
    """The factors of members are ones, and their gradients zeros, as long as no flag is up; they part later."""
    rows, settings = 64, tabm(hidden=(8, 8), members=8, epochs=2, batch_size=8)
    flags = (np.arange(rows) == 3).astype(np.float32)[:, None]
    part = Part((flags,), np.arange(rows) % 2)
    one = Plan(Inputs(0, 1), 2, settings, ClassLoss(0.0), criteria.log_loss)
    trained = train(one, [(part, part)], seed=0, engine=engine)[0]  # a warning would be an error here
    factors = trained.network.hidden[0].s.detach().numpy()
    assert len(np.unique(factors)) > 8


def test_the_best_epoch_is_kept() -> None:
    learned, judged = halves(table())
    trained = train(plan(replace(SMALL, epochs=40, rate=0.2)), [(learned, judged)], seed=0)[0]
    outputs = outputs_of(trained.network, judged.inputs)
    assert np.array_equal(outputs, trained.outputs)
    assert trained.best == criteria.log_loss(outputs, judged.target)
    assert 1 <= trained.epoch <= trained.epochs == 40


def test_of_epochs_that_are_as_good_the_last_is_kept() -> None:
    asked = replace(plan(replace(SMALL, epochs=5)), criterion=lambda outputs, target, weights: 1.0)
    assert train(asked, [halves(table())], seed=0)[0].epoch == 5


def test_patience_ends_training() -> None:
    settings = replace(SMALL, epochs=400, rate=0.2, rates="steady", patience=3)
    trained = train(replace(plan(settings), gain=(2e-3, 0.0)), [halves(table())], seed=0)[0]
    assert 3 < trained.epochs < 400
    assert trained.epochs - 3 <= trained.epoch <= trained.epochs


@pytest.mark.parametrize(
    ("gain", "few", "last"), [((0.0, 2e-3), True, 30), ((2e-3, 0.0), True, 23), ((0.0, 2e-3), False, 23)]
)
def test_patience_with_few_numbers_grows(
    gain: tuple[float, float], few: bool, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned, judged = halves(table())
    monkeypatch.setattr(members, "PATIENT_ROWS", len(learned) - (not few))
    asked = replace(plan(replace(SMALL, patience=3)), gain=gain)
    selection = members._Run(asked, learned, judged, None).selection
    ended: list[int] = []
    for epoch in range(1, 40):
        training = SimpleNamespace(epoch=epoch, stop=lambda reason, epoch=epoch: ended.append(epoch))
        selection._wait(1.0 / min(epoch, 20), training)
    assert ended[0] == last


def test_weights_of_rows_count() -> None:
    """Rows of one class that weigh nothing are as good as not there."""
    part = table()
    weights = np.where(part.target == 2, 0.0, 1.0).astype(np.float32)
    learned, judged = halves(replace(part, weights=weights / weights.mean()))
    trained = train(plan(), [(learned, judged)], seed=0)[0]
    chosen = np.exp(criteria.log_probabilities(trained.outputs))
    assert chosen[:, 2].mean() < 0.1
    unweighted = train(plan(), [halves(part)], seed=0)[0]
    assert np.exp(criteria.log_probabilities(unweighted.outputs))[:, 2].mean() > 0.15


@pytest.mark.parametrize("count", [1, 2])
def test_a_deadline_ends_training(count: int) -> None:
    part = table(2000)
    settings = replace(SMALL, epochs=100_000)
    train(plan(settings), [halves(part)], seed=0, deadline=time.monotonic())  # compiles
    started = time.monotonic()
    trained = train(plan(settings), [halves(part)] * count, seed=0, deadline=started + 1.0)
    assert time.monotonic() - started < 5.0
    assert all(1 <= each.epochs < 100_000 for each in trained)


class Training:
    """What a callback sees of a run of 100 epochs of 7 steps."""

    def __init__(self) -> None:
        group = {"params": [fanin.tensor([1.0], requires_grad=True)]}
        self.optimizer = ScheduledAdam([group], 0.1, total_steps=700)
        self.epoch, self.reason = 0, ""

    def stop(self, reason: str) -> None:
        self.reason = reason


@pytest.mark.parametrize(("deadline", "epochs"), [(10.0, 10), (3.0, 3), (0.5, 1), (1000.0, 100), (None, 100)])
def test_a_deadline_cuts_the_schedule_to_the_epochs_that_there_is_time_for(
    deadline: float | None, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, pace = Training(), Pace(deadline, 7)
    monkeypatch.setattr(members.time, "monotonic", lambda: float(training.epoch))  # an epoch takes a second
    while not training.reason and training.epoch < 100:
        training.epoch += 1
        pace.on_epoch_end(training)
    assert training.epoch == epochs
    assert training.reason == ("" if epochs == 100 else "time")
    if epochs > 1:
        assert training.optimizer.param_groups[0]["total_steps"] == 7 * epochs


def test_groups_learn_at_factors_of_the_rate_and_the_decay_that_are_set() -> None:
    """Those of arXiv 2407.04491, table A.1."""
    settings = replace(SMALL, rate=0.04, weight_decay=0.02)
    network = make_network(plan(settings))
    groups = [group for group in make_optimizer(network, settings, 10).param_groups if not group["holds"]]
    found = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    assert found[id(network.head.weight)] == pytest.approx((0.04, 0.02))
    assert found[id(network.head.bias)] == pytest.approx((0.004, 0.0))
    assert found[id(network.front_scale.scale)] == pytest.approx((0.24, 0.02))


def test_gradients_are_cut_where_it_is_asked_for() -> None:
    few = replace(SMALL, epochs=2)
    cut, loose, free = (
        weights_of(train(plan(replace(few, clip=clip)), [halves(table())], seed=0)[0]) for clip in (0.01, 1e6, None)
    )
    assert cut != free == loose


def test_numbers() -> None:
    part = table()
    target = (part.inputs[0][:, :1] * 2 - part.inputs[0][:, 1:2]).astype(np.float32)
    settings = realmlp("numbers", hidden=(16,), epochs=30, batch_size=32)
    asked = Plan(INPUTS, 1, settings, SquareLoss(), criteria.squared_error)
    trained = train(asked, [halves(replace(part, target=target))], seed=0)[0]
    assert trained.best < 0.1 * float(target.var())


def test_the_copy_for_evaluation_has_the_same_tensors_and_its_own_mode() -> None:
    network = make_network(plan())
    network.train()
    shadow = in_evaluation(network)
    assert all(a is b for a, b in zip(network.parameters(), shadow.parameters(), strict=True))
    assert network.training
    assert all(not module.training for module in shadow.modules())
    x = table(50).inputs
    assert np.array_equal(outputs_of(shadow, x), outputs_of(shadow, x))
