"""What is done with rows that were held out: splits, temperature, conformal adjustment, the mixture, the presets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fanin.tabular.fitting.calibration import PRIOR, temperature, tempered
from fanin.tabular.fitting.conformal import quantile, shifts, upper, widening
from fanin.tabular.fitting.presets import FEW, NAMES, SOME, recipe
from fanin.tabular.fitting.splits import folds, hold_out

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("rows", [2, 3, 10, 101])
@pytest.mark.parametrize("share", [0.01, 0.2, 0.9])
def test_hold_out_parts_the_rows(rows: int, share: float) -> None:
    ((learned, judged),) = hold_out(rows, share, RNG)
    assert sorted([*learned, *judged]) == list(range(rows))
    assert len(learned) > 0
    assert len(judged) == min(rows - 1, max(1, round(share * rows)))


def test_hold_out_keeps_the_shares_of_classes() -> None:
    classes = np.repeat([0, 1, 2, 3], [100, 50, 10, 1])
    ((learned, judged),) = hold_out(161, 0.2, RNG, classes)
    assert np.bincount(classes[judged], minlength=4)[:3].tolist() == pytest.approx([20, 10, 2], abs=1)
    assert set(classes[learned]) == {0, 1, 2, 3}


def test_a_class_of_one_row_is_learned_from() -> None:
    classes = np.repeat([0, 1, 2], [10, 1, 1])
    for seed in range(20):
        ((learned, judged),) = hold_out(12, 0.5, np.random.default_rng(seed), classes)
        assert {*classes[learned]} == {0, 1, 2}
        assert len(judged) >= 4


def test_each_row_judges_in_one_fold() -> None:
    classes = np.repeat([0, 1], [40, 11])
    parts = folds(51, 5, RNG, classes)
    assert sorted(np.concatenate([judged for _, judged in parts])) == list(range(51))
    for learned, judged in parts:
        assert not set(learned) & set(judged)
        assert 2 <= (classes[judged] == 1).sum() <= 3
    assert len(folds(3, 5, RNG)) == 3


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_shares_outside_are_refused(share: float) -> None:
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        hold_out(10, share, RNG)


def loss(logs: np.ndarray, classes: np.ndarray, t: float) -> float:
    """Return the mean log-loss of tempered probabilities where one row of two more had another label."""
    total, share = 0.0, 1 / (len(classes) + 2)
    for row, label in zip(logs, classes, strict=True):
        powers = [math.exp(v / t) for v in row]
        for c, power in enumerate(powers):
            q = 1 - share if c == label else share / (len(row) - 1)
            total -= q * math.log(power / sum(powers))
    return total / len(classes)


def test_temperature_is_least_on_a_grid_but_for_the_prior() -> None:
    rng = np.random.default_rng(4)  # its own, whatever other tests have drawn
    p = rng.dirichlet([0.5, 0.5, 0.5], 500)
    classes = np.array([rng.choice(3, p=row) for row in p])
    logs = 1.7 * np.log(np.maximum(p, 1e-9))
    grid = np.exp(np.linspace(0, 1, 201))
    least = grid[int(np.argmin([loss(logs, classes, t) for t in grid]))]
    assert temperature(logs, classes) == pytest.approx(least ** (500 / (500 + PRIOR)), rel=0.003)


def test_few_rows_without_a_mistake_do_not_make_probabilities_certain() -> None:
    logs = np.log(np.array([[0.9, 0.1]] * 20))
    assert 0.5 < temperature(logs, np.zeros(20, np.int64)) < 1
    assert tempered(logs, 1.0) == pytest.approx(logs)


def test_labels_are_softened_by_a_row_in_all() -> None:
    """As if of 202 rows 201 had been right: the probability becomes 201 / 202, but for the prior."""
    logs, right = np.log([[0.6, 0.4]] * 200), np.zeros(200, np.int64)
    least = np.log(0.6 / 0.4) / np.log(201)
    assert temperature(logs, right) == pytest.approx(least ** (200 / (200 + PRIOR)), rel=1e-4)


def test_of_networks_that_are_averaged_a_quarter_of_the_logarithm_is_left() -> None:
    sure, mostly = np.log([[0.99, 0.01]] * 200), (np.arange(200) % 10 == 0).astype(np.int64)
    assert temperature(sure, mostly, averaged=True) == pytest.approx(temperature(sure, mostly) ** 0.25)


def test_weights_of_rows_count() -> None:
    logs = np.log(np.array([[0.9, 0.1], [0.9, 0.1]] * 500))
    classes = np.array([0, 1] * 500)
    assert temperature(logs, classes) > 2
    assert temperature(logs, classes, np.array([1.0, 0.0] * 500)) < 1


def test_upper_counts_the_new_row() -> None:
    scores = RNG.permutation(np.arange(1.0, 20.0))
    for level in (0.05, 0.5, 0.9):
        assert upper(scores, level) == math.ceil(20 * level)
    assert upper(scores, 0.999) == 19
    assert upper(scores, 0.5, np.ones(19)) == upper(scores, 0.5)
    assert upper(scores, 0.5, (scores > 15).astype(float)) == 18


@pytest.mark.parametrize("unit", [0.01, 100.0])
def test_the_unit_of_weights_says_nothing(unit: float) -> None:
    """The new row weighs what the others weigh on average."""
    scores, weights = RNG.normal(size=19), RNG.integers(1, 4, 19).astype(float)
    levels = np.linspace(0.05, 0.99, 30)
    assert [upper(scores, level, unit * weights) for level in levels] == [
        upper(scores, level, weights) for level in levels
    ]


def test_levels_that_are_no_binary_fractions_count_whole_rows() -> None:
    """0.07 of 100 rows are 7, although the product of the two is more by a rounding."""
    assert 0.07 * 100 > 7
    assert [upper(np.arange(1.0, 100.0), count / 100) for count in range(1, 100)] == list(range(1, 100))


def test_coverage_of_new_rows_is_at_least_what_was_asked() -> None:
    """Averaged over many draws, as the theorem says: between level and level + 1 / (n + 1)."""
    hits = [RNG.normal() <= upper(RNG.normal(size=19), 0.8) for _ in range(4000)]
    assert 0.8 - 0.02 < np.mean(hits) < 0.85 + 0.02


def test_quantiles_of_changed_signs_have_changed_signs() -> None:
    errors, weights = RNG.exponential(size=24), RNG.integers(1, 4, 24).astype(float)
    for level in (0.05, 0.1, 0.3, 0.5, 0.7, 0.95):
        for some in (None, weights):
            assert quantile(errors, level, some) == -quantile(-errors, 1 - level, some)
    assert quantile(errors, 0.5) == np.median(errors)


def test_between_two_quantiles_lie_as_many_new_rows_as_their_levels_say() -> None:
    hits = []
    for _ in range(4000):
        errors = RNG.normal(size=24)
        hits.append(quantile(errors, 0.1) <= RNG.normal() <= quantile(errors, 0.9))
    assert 0.8 - 0.015 < np.mean(hits) < 0.8 + 2 / 25 + 0.015


def test_shifts_and_widening_cover() -> None:
    numbers = RNG.normal(size=999)
    predicted = np.tile([0.5, 0.6], (999, 1))
    moved = predicted + shifts(predicted, numbers, (0.1, 0.9))
    assert (numbers[:, None] <= moved).mean(axis=0) == pytest.approx([0.1, 0.9], abs=0.002)
    more = widening(predicted[:, 0], predicted[:, 1], numbers, 0.7)
    inside = (predicted[:, 0] - more <= numbers) & (numbers <= predicted[:, 1] + more)
    assert inside.mean() == pytest.approx(0.7, abs=0.002)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", ["classes", "numbers"])
@pytest.mark.parametrize("rows", [50, 5_000, 500_000])
def test_presets(name: str, task: str, rows: int) -> None:
    made = recipe(name, task, rows, {"epochs": 7, "hidden": (3,)})
    assert all(stage.epochs == 7 and stage.hidden == (3,) for stage in made.stages)
    by_default = {50: 4, 5_000: 1 if task == "classes" else 3, 500_000: 1}[rows]
    assert made.folds == {"fast": 1, "default": by_default, "best": 5}[name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_few_rows_come_in_small_batches(name: str, task: str) -> None:
    """Else a table of 300 rows has one step in an epoch, and patience is over after a dozen."""
    few, many = (recipe(name, task, rows, {}).stages[0] for rows in (SOME, 20_000))
    assert (few.network, few.batch_size, many.batch_size) == ("tabm", 32, 256)
    assert recipe(name, task, SOME, {"batch_size": 100}).stages[0].batch_size == 100


def test_members_of_many_rows_have_no_dropout() -> None:
    few, many = (recipe("default", "numbers", rows, {}).stages[0].dropout for rows in (FEW, FEW + 1))
    assert (few, many) == (0.1, 0.0)
    assert recipe("default", "numbers", FEW + 1, {"dropout": 0.2}).stages[0].dropout == 0.2


def test_epochs_go_down_where_rows_are_more_than_50_000() -> None:
    rows = (20_000, 50_000, 100_000, 10**7)
    assert [recipe("default", "classes", each, {}).stages[0].epochs for each in rows] == [100, 100, 50, 10]
