"""Search for settings: what is drawn, what goes on, and what is known at the end."""

from __future__ import annotations

import io
import math
import re
import sys
import time
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from fanin.tabular import TabularClassifier, TabularRegressor
from fanin.tabular.fitting.criteria import log_loss
from fanin.tabular.fitting.given import settings_of
from fanin.tabular.fitting.presets import recipe
from fanin.tabular.search import Trials, default_space
from fanin.tabular.search.halving import Halving, Trial
from fanin.tabular.search.space import OF_A_STRUCTURE, draw
from fanin.training import progress

SMALL: dict[str, Any] = {
    "space": {"learning_rate": [1e-6, 0.003, 0.02], "hidden": [(8,), (24,)]},
    "epochs": 18,
    "cv": 2,
    "random_state": 0,
    "preset": "fast",
}


def rows(count: int = 120) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(count, 3))
    return X, X[:, 0] - X[:, 1] + 0.1 * rng.normal(size=count)


@pytest.fixture(scope="module")
def found() -> Any:
    return TabularRegressor.search(*rows(), trials=7, **SMALL)


# Spaces ---------------------------------------------------------------------------------------------------------------


class Even:
    """A distribution."""

    def rvs(self, random_state: Any) -> Any:
        return random_state.lognormal()


def test_settings_of_one_structure_follow_each_other() -> None:
    space = {"hidden": [(w,) for w in range(8, 40)], "learning_rate": Even(), "dropout": 0.1}
    settings = draw(space, 3 * OF_A_STRUCTURE, seed=1)
    widths = [setting["hidden"] for setting in settings]
    assert len(settings) == 12
    assert widths == [w for w in widths[::OF_A_STRUCTURE] for _ in range(OF_A_STRUCTURE)]
    assert len({setting["learning_rate"] for setting in settings}) == 12
    assert all(setting["learning_rate"] > 0 and setting["dropout"] == 0.1 for setting in settings)
    assert draw(space, 12, seed=1) == settings != draw(space, 12, seed=2)


def test_no_setting_twice() -> None:
    found = draw({"hidden": [(8,), (16,)], "learning_rate": [0.01, 0.02]}, 20, seed=0)
    assert sorted(map(str, found)) == sorted({str(each) for each in found})
    assert len(found) == 4


@pytest.mark.parametrize("task", ["classes", "numbers"])
@pytest.mark.parametrize("size", [200, 20_000])
def test_the_default_space_holds_settings(task: str, size: int) -> None:
    settings = draw(default_space(task, size), 40, seed=0)
    made = [settings_of(each, recipe("default", task, size, {}), task) for each in settings]
    assert {each.network for each in made} == {"tabm", "realmlp"}
    assert all(each.rate == given["learning_rate"] for each, given in zip(made, settings, strict=True))


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ([], "space is a dictionary of lists"),
        (3, "space is a dictionary of lists"),
        ({"rate": [0.1]}, "space names 'rate', which no setting is called; there are network, hidden"),
        ({"dropout": []}, "no values for 'dropout'"),
        ({"dropout": (0.1, 0.2)}, "choices of 'dropout' are given as a list"),
    ],
)
def test_what_is_no_space(space: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        TabularRegressor.search(*rows(20), space=space)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (3, "settings are a dictionary"),
        ({"rate": 0.1}, "settings have no 'rate'; there are network"),
        ({"network": "cnn"}, "no network 'cnn'; there are realmlp, tabm"),
        ({"learning_rate": 0}, "must be above 0"),
    ],
)
def test_what_are_no_settings(settings: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        TabularRegressor("fast", settings=settings).fit(*rows(20))


# A search -------------------------------------------------------------------------------------------------------------


def test_the_better_third_goes_on(found: Any) -> None:
    table = found.table
    assert len(table) == 7
    assert [record["rank"] for record in table] == list(range(1, 8))
    assert [record["rung"] for record in table] == [2, 2, 2, 1, 1, 1, 1]
    for rung in (1, 2):
        errors = [record["rmse"] for record in table if record["rung"] == rung]
        assert errors == sorted(errors)
    assert {record["epochs"] for record in table if record["rung"] == 1} == {6}
    assert {record["epochs"] for record in table if record["rung"] == 2} <= set(range(8, 19))
    assert all(record["learning_rate"] > 1e-6 for record in table[:3])
    assert any(record["trial"] == 0 for record in table)  # the preset's own


def test_the_errors_are_in_the_targets_units() -> None:
    X, y = rows()
    plain = TabularRegressor.search(X, y, trials=2, refit=False, **SMALL).table[0]["rmse"]
    large = TabularRegressor.search(X, 1000 * y, trials=2, refit=False, **SMALL).table[0]["rmse"]
    assert large == pytest.approx(1000 * plain, rel=0.02)
    assert plain < np.std(y)


def test_the_score_is_of_all_rows_that_were_held_out() -> None:
    X, y = rows()
    y[7] = 1000.0  # epochs are chosen by a score that one such row does not decide
    table = TabularRegressor.search(X, y, trials=1, refit=False, **SMALL).table
    assert table[0]["rmse"] == pytest.approx(1000 / np.sqrt(60) / np.sqrt(2), rel=0.1)


def test_the_best_is_fitted(found: Any) -> None:
    X, y = rows()
    best = found.best_estimator_
    assert best.settings == found.best_settings
    assert found.best_settings["learning_rate"] == found.table[0]["learning_rate"]
    assert found.best_settings["epochs"] == 18
    assert best.score(X, y) > 0.8
    again = TabularRegressor("fast", settings=found.best_settings, cv=2, random_state=best.random_state).fit(X, y)
    assert np.array_equal(again.predict(X), best.predict(X))


def test_a_search_is_the_same_again(found: Any) -> None:
    again = TabularRegressor.search(*rows(), trials=7, refit=False, **SMALL)
    same = [[{k: v for k, v in r.items() if k != "seconds"} for r in search.table] for search in (found, again)]
    assert same[0] == same[1]


def test_tables(found: Any) -> None:
    text = str(found.table)
    assert text.splitlines()[0].split() == [*found.table[0]]
    assert len(text.splitlines()) == 8
    assert text in repr(found)
    for frame in (found.table.to_pandas(), found.table.to_polars()):
        assert frame.shape == (7, len(found.table[0]))
        assert list(frame["rank"]) == list(range(1, 8))
    assert str(Trials()) == "no settings were tried"


def test_classes_weights_and_groups() -> None:
    X, y = rows()
    groups, weight = np.arange(120) // 10, 1.0 + (y > 0)
    search = TabularClassifier.search(
        X, np.where(y > 0, "up", "down"), trials=2, sample_weight=weight, groups=groups,
        **{**SMALL, "cv": GroupKFold(2)}, class_weight="balanced",
    )  # fmt: skip
    assert search.table[0]["log_loss"] < 0.7
    assert search.best_estimator_.class_weight == "balanced"
    assert search.best_estimator_.score(X, np.where(y > 0, "up", "down")) > 0.7


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("shown", [False, True])
def test_a_terminal_shows_how_far_it_is(shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(progress, "QUIET", 0.0)
    monkeypatch.setattr(progress, "PAUSE", 0.0)
    monkeypatch.setattr(progress, "_line", lambda stream: progress.PlainLine(stream))
    monkeypatch.setattr(sys, "stderr", screen)
    TabularRegressor.search(*rows(), trials=4, refit=False, progress=shown, **SMALL)
    assert ("rung 2/2  4 of 4 networks  best 0." in screen.getvalue()) == shown
    assert bool(screen.getvalue()) == shown
    shares = [int(share) for share in re.findall(r"(\d+)%", screen.getvalue())]
    assert shares == sorted(shares)
    assert not shown or shares[-1] == 100


# Ends -----------------------------------------------------------------------------------------------------------------


def test_a_callback_ends_it() -> None:
    heard: list[Any] = []
    search = TabularRegressor.search(
        *rows(), trials=7, refit=False, callbacks=lambda record: heard.append(record) or len(heard) == 7, **SMALL
    )
    assert search.stopped == "callback"
    assert len(heard) == 7
    assert {record["rung"] for record in search.table} == {1}
    with pytest.raises(RuntimeError, match="refit=False"):
        _ = search.best_estimator_


def test_ctrl_c_keeps_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = Halving._train, []

    def train(self: Any, rung: int, *rest: Any) -> None:
        calls.append(rung)
        if rung == 2:
            raise KeyboardInterrupt
        real(self, rung, *rest)

    monkeypatch.setattr(Halving, "_train", train)
    search = TabularRegressor.search(*rows(), trials=7, **SMALL)
    assert calls == [1, 2]
    assert (search.stopped, len(search.table)) == ("interrupted", 7)
    with pytest.raises(RuntimeError, match="Ctrl-C"):
        _ = search.best_estimator_


def test_a_time_limit_is_kept() -> None:
    started = time.monotonic()
    options = {**SMALL, "space": {"learning_rate": Even(), "hidden": (8,)}, "epochs": 900}
    search = TabularRegressor.search(*rows(), trials=1000, time_limit=2.0, **options)
    assert time.monotonic() - started < 30.0  # without a limit some minutes; a compilation cannot be cut short
    assert search.stopped == "time"
    assert len(search.table) < 1000
    assert search.best_estimator_.time_limit is None


def test_a_setting_that_diverges_is_last() -> None:
    space = {"learning_rate": [1e30], "network": "realmlp", "hidden": (8,)}
    with np.errstate(all="ignore"):
        search = TabularRegressor.search(*rows(), **{**SMALL, "space": space}, trials=2, refit=False)
    assert [record["ended"] for record in search.table] == ["finished", "diverged"] or search.table[-1]["rmse"] > 1
    assert math.isfinite(search.table[0]["rmse"])


@pytest.mark.parametrize("options", [{"trials": 0}, {"time_limit": 0.0}, {"cv": 1}, {"epochs": 0}])
def test_options_outside_their_domain(options: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        TabularRegressor.search(*rows(20), **options)


@pytest.mark.parametrize(("trials", "rungs"), [(1, 1), (3, 1), (4, 2), (9, 2), (10, 3), (32, 3), (1000, 3)])
def test_as_many_rungs_as_have_a_choice(trials: int, rungs: int) -> None:
    settings = settings_of({}, recipe("fast", "numbers", 100, {}), "numbers")
    every = [Trial(number, settings) for number in range(trials)]
    assert Halving(lambda _: None, log_loss, [], every, 0).rungs == rungs  # type: ignore[arg-type,return-value]


def test_ranks_are_by_how_far_a_trial_got() -> None:
    settings = settings_of({}, recipe("fast", "numbers", 100, {}), "numbers")
    trials = [Trial(0, settings, 1, 0.1), Trial(1, settings, 2, 0.5), Trial(2, settings, 2, 0.4)]
    assert [trial.number for trial in sorted(trials, key=lambda trial: trial.order)] == [2, 1, 0]
