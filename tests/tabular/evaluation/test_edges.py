"""Edges of reports: baselines that see few of the classes or rows, orders, and counts of what is not shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fanin.tabular.evaluation import Evaluation, baselines, details, evaluate
from fanin.tabular.evaluation.baselines import Flat, boosted_trees, doubles, linear_model
from fanin.tabular.evaluation.bootstrap import wilson
from fanin.tabular.evaluation.copies import copies
from fanin.tabular.evaluation.grids import grids
from fanin.tabular.evaluation.importance import Effort, _sorted, effort
from fanin.tabular.evaluation.reading import read_held
from fanin.tabular.evaluation.records import ColumnImportance, Importance
from fanin.tabular.evaluation.verdict import findings
from tests.tabular.evaluation.fakes import Classifier, Regressor, said, two

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 2))
THREE = Classifier([0, 1, 2], lambda X: np.full((len(X), 3), 1 / 3))


def report() -> Evaluation:
    return evaluate(Regressor(lambda X: X[:, 0]), X, X[:, 0] + X[:, 1], importance=False)


@pytest.mark.parametrize("baseline", [linear_model, boosted_trees])
def test_a_class_that_no_training_row_has_gets_nothing_from_a_baseline(baseline: Any) -> None:
    y = np.where(X[:, 0] > 0, 2, 1)
    learned, held = read_held(THREE, X, y), read_held(THREE, X, np.where(X[:, 1] > 1, 0, y))
    answer = baseline(learned, held, Flat(X), 0).answer
    assert answer.shape == (120, 3)
    assert (answer[:, 0] == 0).all()
    assert (answer.argmax(axis=1) == y).mean() > 0.9


def test_trees_of_many_classes_have_ten_rounds_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "TREES_IN_ALL", 20)
    held = read_held(THREE, X, np.arange(120) % 3)
    assert boosted_trees(held, held, Flat(X), 0).baseline.what.endswith("but 10 rounds")


def test_a_linear_model_of_some_rows_takes_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the others were not there."""
    monkeypatch.setattr(baselines, "LEAST_ROWS", 40)
    monkeypatch.setattr(baselines, "WORK", 1)
    model, weights = Regressor(lambda X: X[:, 0]), np.where(X[:, 1] > 0, 5.0, 0.1)
    y = np.where(X[:, 1] > 0, X[:, 0], -X[:, 0])
    held, flat = read_held(model, X, y, weights), Flat(X)
    chosen = baselines._some_rows(held, flat, 3)
    assert (len(chosen), (chosen != np.arange(40)).any()) == (40, True)
    some = read_held(model, X[chosen], y[chosen], weights[chosen])
    wanted = linear_model(some, held, flat, 3)
    found = linear_model(held, held, flat, 3)
    assert found.baseline.rows == 40
    np.testing.assert_allclose(found.answer, wanted.answer, rtol=0.05, atol=0.02)


def test_rows_with_either_zero_are_the_same_rows() -> None:
    model = Regressor(lambda X: X[:, 0])
    table = np.stack([np.where(np.arange(6) % 2, 0.0, 1.0), np.arange(6.0)], axis=1)
    other = np.where(table == 0, -0.0, table)
    learned, held = read_held(model, table, np.arange(6.0)), read_held(model, other, np.arange(6.0))
    assert doubles(learned, held, Flat(table)) == (1.0, 0.0)


def test_columns_that_are_better_shuffled_come_last() -> None:
    found = _sorted(("worse", "none", "best"), {0: np.array([-5.0, -5.0]), 1: np.zeros(2), 2: np.array([1.0, 3.0])})
    assert [(each.column, each.value, each.share) for each in found] == [
        ("best", 2.0, 1.0),
        ("none", 0.0, 0.0),
        ("worse", -5.0, 0.0),
    ]


def test_of_few_rows_each_column_is_shuffled_five_times() -> None:
    assert effort(100, 10) == Effort(100, 5, 10)
    assert effort(2, 3) == Effort(2, 5, 3)


def test_what_is_unfamiliar_is_told_in_the_order_of_the_columns_and_once() -> None:
    from fanin.tabular import TabularRegressor

    table = np.array([["a", "c"], ["b", "d"]] * 20, dtype=object)
    model = TabularRegressor("fast", epochs=1, hidden=(2,), random_state=0).fit(table, np.arange(40.0))
    new = table.copy()
    new[:5, 0], new[:9, 1] = "x", "y"
    found = evaluate(model, new, np.arange(40.0))
    assert [each.rows for each in found.unfamiliar] == [5, 9]


def test_training_rows_of_classes_that_the_model_does_not_know_are_left_out() -> None:
    model = Classifier([0, 1], said(two(np.full(120, 0.5))))
    numbered = np.arange(120.0)[:, None]
    y = np.arange(120) % 2
    found = evaluate(model, numbered, y, train=(numbered, np.where(np.arange(120) < 30, 7, y)), importance=False)
    assert found.trained_on == 90
    assert next(each.rows for each in found.baselines if each.name == "constant") == 90


@pytest.mark.parametrize(("held", "usual", "told"), [(0.3, 0.2, False), (0.42, 0.2, True), (0.009, 0.0, False)])
def test_repeated_rows_are_told_where_there_are_twice_as_many_as_usual(held: float, usual: float, told: bool) -> None:
    found = findings(replace(report(), repeated=held, repeated_usual=usual), 0)
    assert ("repeated rows" in {each.kind for each in found}) == told


def test_a_copy_of_the_target_is_found_in_a_sorted_table() -> None:
    y = np.repeat([0, 1, 2], 40)
    held = read_held(THREE, np.stack([RNG.normal(size=120), 10.0 * y], axis=1), y)
    assert [(each.column, each.score) for each in copies(held, 0)] == [("column 1", 1.0)]


def test_columns_that_were_not_looked_at_are_counted() -> None:
    columns = tuple(ColumnImportance(f"c{number}", 1.0, 0.1, 0.02) for number in range(45))
    found = replace(report(), importance=Importance("RMSE", 120, 5, columns, 955))
    grid = next(each for each in grids(found) if each.key == "importance")
    assert (len(grid.rows), grid.note) == (40, "and 960 columns of less importance")


def test_the_spread_of_weighted_errors_is_that_of_a_sample() -> None:
    """Of n rows of equal weight with n - 1; of rows that weigh 3, 1 and 1, of 25 / 11 rows."""
    errors = np.array([0.0, 2.0, 7.0])
    assert details._spread(errors, np.full(3, 0.5)) == pytest.approx(errors.std(ddof=1))
    variance = np.average((errors - 1.8) ** 2, weights=[3, 1, 1])
    assert details._spread(errors, np.array([3.0, 1.0, 1.0])) == pytest.approx((variance * 25 / 14) ** 0.5)


def test_the_ends_of_an_interval_belong_to_it() -> None:
    ends = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    found = details.number_calibration(np.array([0.0, 1.0, 0.5, 1.1]), [(0.5, ends)])
    assert [each.found for each in found.bins] == [0.75]
    assert found.error == pytest.approx(0.25)


def test_the_interval_of_a_bin_is_of_as_many_rows_as_its_weights_are_worth() -> None:
    weights = np.repeat([1.0, 4.0], 20)
    found = details.class_calibration(np.arange(40) % 2, two(np.full(40, 0.55)), ["a", "b"], 0, weights)
    (only,) = found.bins
    assert (only.low, only.high) == pytest.approx(wilson(0.5, 100**2 / (20 + 320)))
    assert only.rows == 40
