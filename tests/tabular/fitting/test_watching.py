"""What a listener hears of a fit, and what Ctrl-C leaves of one."""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import r2_score

from fanin.tabular import TabularClassifier, TabularRegressor
from fanin.tabular.fitting.settings import tabm
from fanin.tabular.fitting.watching import Moment, Watch, watched, work

X = np.random.default_rng(0).normal(size=(80, 3))
Y = X[:, 0] - X[:, 1]


def heard(model: Any, y: Any = Y) -> list[Moment]:
    moments: list[Moment] = []
    with watched(model, moments.append):
        model.fit(X, y)
    return moments


def test_shares_rise_to_the_end() -> None:
    moments = heard(TabularRegressor("best", epochs=2, hidden=(4,), random_state=0, quantiles=(0.1, 0.9)))
    shares = [moment.share for moment in moments]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    # Two kinds of networks, five folds, for the mean and for quantiles.
    assert {moment.number for moment in moments} == set(range(1, 21))
    assert {moment.networks for moment in moments} == {20}
    assert [kind for kind in ("tabm", "realmlp") if any(moment.network == kind for moment in moments)] == [
        "tabm",
        "realmlp",
    ]


def test_the_best_criterion_is_told() -> None:
    model = TabularClassifier("fast", epochs=3, hidden=(4,), random_state=0)
    moments = heard(model, Y > 0)
    assert moments[-1].best == model.history_[0]["criterion"]
    assert moments[-1].epoch == moments[-1].epochs == 3


def test_the_r2_that_is_told_is_that_of_all_rows() -> None:
    """The criterion holds the row down that is off by far; the R2 that people read does not."""
    y = Y.copy()
    model = TabularRegressor("fast", epochs=6, hidden=(8,), learning_rate=0.02, random_state=0).fit(X, y)
    y[model._ensemble.judged[0]] += 50.0
    model = TabularRegressor("fast", epochs=6, hidden=(8,), learning_rate=0.02, random_state=0)
    last = heard(model, y)[-1]
    judged = model._ensemble.judged
    # Without an end of the range, which predictions are held to later on.
    raw = model._ensemble.held_out[:, 0] * model._spread[0] + model._centre[0]
    assert last.r2 == pytest.approx(r2_score(y[judged], raw), abs=1e-4)
    assert last.r2 < 0.2
    assert 1 - last.best > 0.5


def test_quantiles_and_classes_have_no_r2() -> None:
    moments = heard(TabularRegressor("fast", epochs=2, hidden=(4,), random_state=0, quantiles=(0.1, 0.9)))
    assert [moment.r2 is None for moment in moments] == [False, False, False, True, True, True]
    assert heard(TabularClassifier("fast", epochs=2, hidden=(4,), random_state=0), Y > 0)[-1].r2 is None


def test_a_network_that_ends_early_counts_as_done() -> None:
    told: list[Moment] = []
    settings = tabm(epochs=10, hidden=(4, 4))
    watch = Watch(told.append, [settings], 2)
    watch.of_stage(0)(None)
    watch.tell(1, settings, 5, 0.5, is_over=False)
    watch.tell(1, settings, 5, 0.5, is_over=True)
    assert [moment.share for moment in told] == [0.25, 0.5]


def test_listening_changes_nothing_and_ends() -> None:
    one, two = (TabularRegressor("fast", epochs=2, hidden=(4,), random_state=0) for _ in range(2))
    heard(one)
    assert np.array_equal(one.predict(X), two.fit(X, Y).predict(X))
    assert "_listener" not in vars(one)


def test_work_grows_with_epochs_members_and_widths() -> None:
    small = tabm(epochs=2, members=1, hidden=(8,))
    assert work(tabm(epochs=4, members=3, hidden=(8,))) == 6 * work(small)
    assert work(tabm(epochs=2, members=1, hidden=(8, 8))) == work(small) + 2 * 64


def press(when: Any) -> Any:
    """Return a listener that presses Ctrl-C once, at a moment."""
    pressed: list[Moment] = []

    def listener(moment: Moment) -> None:
        if not pressed and when(moment):
            pressed.append(moment)
            os.kill(os.getpid(), signal.SIGINT)

    return listener


@pytest.mark.parametrize(
    ("preset", "when", "kinds"),
    [
        ("fast", lambda moment: moment.epoch == 2, {"tabm"}),
        ("best", lambda moment: moment.network == "tabm" and moment.epoch == 1, {"tabm"}),
        ("best", lambda moment: moment.network == "realmlp", {"tabm", "realmlp"}),
    ],
    ids=["one network", "in the first kind", "in the second kind"],
)
def test_ctrl_c_ends_a_fit_with_what_is_trained(preset: str, when: Any, kinds: set[str]) -> None:
    model = TabularRegressor(preset, epochs=30, hidden=(4,), random_state=0)
    with watched(model, press(when)):
        model.fit(X, Y)
    assert {each["network"] for each in model.history_} == kinds
    assert any(each["stopped"] == "interrupted" for each in model.history_)
    assert np.isfinite(model.predict(X)).all()
    assert np.isfinite(model.predict_interval(X)).all()
    # Each network that answers has learned something.
    assert sum(len(stage.networks) for stage in model._ensemble.stages) <= len(model.history_)


def test_quantiles_are_there_after_ctrl_c() -> None:
    model = TabularRegressor("fast", epochs=30, hidden=(4,), random_state=0, quantiles=(0.1, 0.9))
    with watched(model, press(lambda moment: moment.epoch == 1)):
        model.fit(X, Y)
    assert [each["epochs"] for each in model.history_] == [1, 1]
    assert np.isfinite(model.predict_quantiles(X, (0.5,))).all()
