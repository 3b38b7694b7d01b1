"""Tables of all kinds, weights, several targets, quantiles, limits, and the same bits for the same seed."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest

from fanin.tabular import TabularClassifier, TabularRegressor, UnfamiliarWarning
from fanin.tabular.nets import TabM

QUICK: dict[str, Any] = {"preset": "fast", "epochs": 15, "hidden": (32,), "learning_rate": 0.02, "random_state": 0}


def columns(count: int = 200, seed: int = 0) -> dict[str, list[Any]]:
    """Return a number with gaps, a small category with gaps, and one of many levels."""
    rng = np.random.default_rng(seed)
    number = [None if rng.random() < 0.1 else float(v) for v in rng.normal(size=count)]
    small = [None if rng.random() < 0.1 else "abc"[i] for i in rng.integers(0, 3, count)]
    large = [f"level {i}" for i in rng.integers(0, 15, count)]
    return {"number": number, "small": small, "large": large}


def answers(table: dict[str, list[Any]]) -> list[str]:
    return [
        "yes" if s == "a" or (n or 0.0) > 0.5 else "no" for n, s in zip(table["number"], table["small"], strict=True)
    ]


def test_frames_of_all_libraries_give_the_same() -> None:
    table = columns()
    y = answers(table)
    frames = [pandas.DataFrame(table), polars.DataFrame(table), pyarrow.table(table)]
    targets = [pandas.Series(y), polars.Series(y), np.array(y)]
    models = [TabularClassifier(**QUICK).fit(X, t) for X, t in zip(frames, targets, strict=True)]
    found = [model.predict_proba(X) for model, X in zip(models, frames, strict=True)]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    assert all(list(model.feature_names_in_) == ["number", "small", "large"] for model in models)
    assert models[0].score(frames[0], y) > 0.85


def test_arrays_of_objects_are_tables_too() -> None:
    table = columns()
    X = np.array([*zip(*table.values(), strict=True)], dtype=object)
    model = TabularClassifier(**QUICK).fit(X, answers(table))
    assert model.score(X, answers(table)) > 0.85
    assert not hasattr(model, "feature_names_in_")


def test_unknown_levels_and_missing_values_are_predicted() -> None:
    table = columns()
    model = TabularClassifier(**QUICK).fit(pandas.DataFrame(table), answers(table))
    new = pandas.DataFrame({"number": [None, 1.0], "small": ["z", None], "large": ["unseen", "level 1"]})
    with pytest.warns(UnfamiliarWarning, match="'z' in 1 row"):
        assert np.isfinite(model.predict_proba(new)).all()


def test_other_columns_are_named() -> None:
    table = pandas.DataFrame(columns())
    model = TabularClassifier(**QUICK).fit(table, answers(columns()))
    with pytest.raises(ValueError, match="other"):
        model.predict(table.rename(columns={"small": "other"}))
    with pytest.raises(ValueError, match=r"2 features|missing"):
        model.predict(table[["number", "small"]])


def numbers(count: int = 400, seed: int = 0) -> tuple[Any, Any]:
    """Return a line whose noise grows with the first column."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 1, size=(count, 2))
    return X, 2 * X[:, 0] - X[:, 1] + rng.normal(size=count) * (0.05 + 0.5 * X[:, 0])


def test_several_targets() -> None:
    X, y = numbers()
    both = np.stack([y, 100 + 10 * X[:, 1]], axis=1)
    model = TabularRegressor(**QUICK).fit(X, both)
    assert model.predict(X).shape == both.shape
    assert model.score(X, both) > 0.6
    with pytest.raises(ValueError, match="predict_interval is for one target, but y had 2"):
        model.predict_interval(X)


def test_rows_of_weight_0_are_as_good_as_left_out() -> None:
    X, y = numbers()
    kept = np.arange(len(X)) % 3 > 0
    wild = np.where(kept, y, 1e6)
    weighted = TabularRegressor(**QUICK).fit(X, wild, sample_weight=kept.astype(float))
    alone = TabularRegressor(**QUICK).fit(X[kept], y[kept])
    assert np.array_equal(weighted.predict(X), alone.predict(X))


def test_weights_of_rows_and_classes_move_predictions() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 1)), (rng.random(400) < 0.1).astype(int)
    plain = TabularClassifier(**QUICK).fit(X, y).predict_proba(X)[:, 1].mean()
    balanced = TabularClassifier(**QUICK, class_weight="balanced").fit(X, y).predict_proba(X)[:, 1].mean()
    weighted = TabularClassifier(**QUICK).fit(X, y, sample_weight=np.where(y, 9.0, 1.0)).predict_proba(X)[:, 1].mean()
    assert plain < 0.2
    assert 0.35 < balanced < 0.65
    assert 0.35 < weighted < 0.65


@pytest.mark.parametrize("quantiles", [None, (0.05, 0.5, 0.95)])
def test_intervals_cover_as_many_new_rows_as_they_say(quantiles: Any) -> None:
    X, y = numbers(1500)
    settings = {**QUICK, "epochs": 30, "validation_fraction": 0.4}
    model = TabularRegressor(**settings, quantiles=quantiles).fit(X[:1000], y[:1000])
    low, high = model.predict_interval(X[1000:], coverage=0.9).T
    assert 0.85 < ((low <= y[1000:]) & (y[1000:] <= high)).mean() < 0.95
    found = model.predict_quantiles(X[1000:], (0.05, 0.3, 0.95))
    assert (np.diff(found, axis=1) >= 0).all()
    covered = (y[1000:, None] <= found).mean(axis=0)
    assert np.abs(covered - [0.05, 0.3, 0.95]).max() < 0.08
    width = high - low
    wide, narrow = width[X[1000:, 0] > 0.8].mean(), width[X[1000:, 0] < 0.2].mean()
    assert (wide > 1.5 * narrow) == (quantiles is not None)


@pytest.mark.parametrize("quantiles", [None, (0.05, 0.5, 0.95)])
def test_intervals_of_twelve_rows_held_out_cover_as_many_as_they_say(quantiles: Any) -> None:
    """Averaged over tables of noise: of the thirteen rows, the new one too, one at most lies outside."""
    rng = np.random.default_rng(0)
    settings = {**QUICK, "epochs": 1, "hidden": (2,), "learning_rate": 1e-4}
    covered = []
    for _ in range(40):
        X, y = rng.normal(size=(560, 2)), rng.normal(size=560)
        model = TabularRegressor(**settings, quantiles=quantiles).fit(X[:60], y[:60])
        low, high = model.predict_interval(X[60:], coverage=0.9).T
        covered.append(((low <= y[60:]) & (y[60:] <= high)).mean())
    assert np.mean(covered) == pytest.approx(12 / 13, abs=0.03)


def test_levels_outside_are_refused() -> None:
    X, y = numbers(60)
    model = TabularRegressor(**{**QUICK, "epochs": 1}, quantiles=(0.1, 0.9)).fit(X, y)
    with pytest.raises(ValueError, match=r"must lie between 0.1 and 0.9"):
        model.predict_quantiles(X, (0.05,))
    for coverage in (0, 1.0, [0.5, 0.9], "0.9", None):
        with pytest.raises(ValueError, match="coverage must be one number between 0 and 1, not"):
            model.predict_interval(X, coverage)
    assert np.array_equal(model.predict_quantiles(X), model.predict_quantiles(X, (0.1, 0.9)))
    with pytest.raises(ValueError, match="quantiles must lie between 0 and 1"):
        TabularRegressor(**QUICK, quantiles=(0.0, 0.5)).fit(X, y)
    one = TabularRegressor(**{**QUICK, "epochs": 1}, quantiles=0.5).fit(X, y)
    assert one.predict_quantiles(X).shape == (60, 1)


def test_predictions_stay_in_the_range_that_was_learned() -> None:
    X, y = numbers()
    model = TabularRegressor(**QUICK).fit(X, y)
    with pytest.warns(UnfamiliarWarning, match="in 400 rows, far outside of"):
        found = model.predict(X * 1e6)
    assert y.min() <= found.min()
    assert found.max() <= y.max()


def test_best_mixes_two_kinds_of_networks_over_folds() -> None:
    X, y = numbers(120)
    settings = {**QUICK, "preset": "best", "epochs": 4, "hidden": (16,)}
    model = TabularRegressor(**settings).fit(X, y)
    assert [entry["network"] for entry in model.history_] == ["tabm"] * 5 + ["realmlp"] * 5
    stages = model._ensemble.stages
    assert sum(stage.share for stage in stages) == pytest.approx(1)
    assert isinstance(stages[0].networks[0], TabM)
    assert sorted(model._ensemble.judged) == list(range(120))


def test_default_trains_natively() -> None:
    X, y = numbers(300)
    model = TabularRegressor(random_state=0).fit(X, y)
    assert {entry["engine"] for entry in model.history_} == {"native"}


@pytest.mark.parametrize("preset", ["default", "best"])
def test_time_limit(preset: str) -> None:
    X, y = numbers(1000)
    settings: dict[str, Any] = {"preset": preset, "epochs": 100_000, "hidden": (16,), "random_state": 0}
    TabularRegressor(**settings, time_limit=1e-3).fit(X, y)  # compiles
    started = time.monotonic()
    model = TabularRegressor(**settings, time_limit=2.0).fit(X, y)
    assert time.monotonic() - started < 6.0
    assert model.score(X, y) > 0


PROGRAM = """
import os, sys
if {threads} == 1:
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
import numpy as np
from fanin.tabular import TabularClassifier
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 4))
for preset, epochs in (("default", 250), ("best", 5)):  # compiled, and not
    model = TabularClassifier(preset, epochs=epochs, hidden=(64,), random_state=3).fit(X, X[:, 0] * X[:, 1] > 0)
    sys.stdout.write(model.predict_proba(X).tobytes().hex())
    sys.stdout.write(model.history_[0]["engine"])
"""


def test_the_same_bits_for_any_number_of_threads() -> None:
    found = set()
    for threads in ("1", "2"):
        environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": ":".join(sys.path)}
        program = PROGRAM.format(threads=threads)
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1
    written = found.pop()
    assert b"native" in written
    assert b"eager" in written


@pytest.mark.parametrize(
    ("missing", "name", "message"),
    [
        ("sklearn", "TabularClassifier", 'pip install "fanin[tabular]"'),
        ("polars", "open_table", 'pip install "fanin[tabular]"'),
        ("safetensors", "load_model", 'pip install "fanin[tabular]"'),
    ],
)
def test_names_that_need_what_is_missing_say_so(missing: str, name: str, message: str) -> None:
    program = f"""
import sys
sys.modules[{missing!r}] = None
import fanin.tabular
assert not {{"sklearn", "polars", "pandas"}} & {{m for m in sys.modules if sys.modules[m] is not None}}
try:
    fanin.tabular.{name}
except ImportError as error:
    sys.stdout.write(str(error))
fanin.tabular.{"open_table" if missing == "sklearn" else "TabularClassifier"}
"""
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert message in done.stdout


def test_labels_of_arrow() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    labels = ["yes" if x > 0 else "no" for x in X[:, 0]]
    wanted = TabularClassifier(**QUICK).fit(X, np.array(labels, object)).predict_proba(X)
    for y in (pyarrow.array(labels), pyarrow.chunked_array([labels[:20], labels[20:]])):
        np.testing.assert_array_equal(TabularClassifier(**QUICK).fit(X, y).predict_proba(X), wanted)
