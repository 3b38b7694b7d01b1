"""Scores against scikit-learn and against numbers worked by hand; intervals against what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from fanin.tabular.evaluation import evaluate
from fanin.tabular.evaluation.bootstrap import interval_of, quantiles, resampled, wilson
from fanin.tabular.evaluation.measures import Measure, class_measures, mean_measure, number_measures
from tests.tabular.evaluation.fakes import Floats, Regressor, WithIntervals, judged


def close(found: float, wanted: float) -> bool:
    return bool(abs(found - wanted) <= 1e-12 * max(1.0, abs(wanted)))


def test_the_comparison_sees_a_wrong_digit() -> None:
    assert close(0.5, 0.5)
    assert not close(0.5, 0.5000001)


def drawn(rows: int, classes: int, seed: int = 0) -> tuple[Floats, Any]:
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.ones(classes), rows).round(2) + 0.001  # rounded, so that there are ties
    proba /= proba.sum(axis=1, keepdims=True)
    return proba, np.array([rng.choice(classes, p=row) for row in proba])


@pytest.mark.parametrize("classes", [2, 4])
def test_scores_of_classes_are_those_of_scikit_learn(classes: int) -> None:
    proba, y = drawn(300, classes)
    found = {each.name: each.value for each in judged(proba, y).scores if each.method == "this model"}
    predicted = proba.argmax(axis=1)
    assert close(found["accuracy"], metrics.accuracy_score(y, predicted))
    assert close(found["balanced accuracy"], metrics.balanced_accuracy_score(y, predicted))
    assert close(found["log-loss"], metrics.log_loss(y, proba))
    if classes == 2:
        assert close(found["ROC AUC"], metrics.roc_auc_score(y, proba[:, 1]))
        assert close(found["Brier score"], metrics.brier_score_loss(y, proba[:, 1]))
    else:
        assert close(found["ROC AUC, one vs rest"], metrics.roc_auc_score(y, proba, multi_class="ovr"))
        assert close(found["Brier score"], ((np.eye(classes)[y] - proba) ** 2).sum(axis=1).mean())


def test_the_calibration_error_by_hand() -> None:
    proba = np.array([[0.9, 0.1], [0.8, 0.2], [0.8, 0.2], [0.3, 0.7]])
    # of 0.1: |0 - 0.1| * 1/4; of 0.2: |1/2 - 0.2| * 2/4; of 0.7: |1 - 0.7| * 1/4
    assert close(judged(proba, [0, 1, 0, 1]).score("calibration error").value, 0.025 + 0.15 + 0.075)


def test_scores_of_numbers_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = X[:, 0] + rng.normal(size=200) + 50
    report = evaluate(WithIntervals(lambda X: X[:, 0] + 50, 1.0), X, y, importance=False)
    predicted = X[:, 0] + 50
    assert close(report.score("RMSE").value, metrics.root_mean_squared_error(y, predicted))
    assert close(report.score("MAE").value, metrics.mean_absolute_error(y, predicted))
    assert abs(report.score("R2").value - metrics.r2_score(y, predicted)) < 1e-10
    inside = np.abs(y - predicted) <= 1.6448536269514722
    assert close(report.score("coverage of the 90% interval").value, inside.mean())
    assert abs(report.score("width of the 90% interval").value - 2 * 1.6448536269514722) < 1e-9


def test_a_constant_target_has_no_r2() -> None:
    values = {each.name: each.value for each in number_measures(np.full(5, 1e6), np.zeros(5))}
    assert np.isnan(values["R2"])
    assert values["RMSE"] == 1e6


def test_classes_that_no_row_has_are_left_out_of_means() -> None:
    proba = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]])
    values = {each.name: each.value for each in class_measures(np.array([0, 1, 1, 1]), proba)}
    assert close(values["balanced accuracy"], (1 + 2 / 3) / 2)
    assert close(values["ROC AUC, one vs rest"], (1 + 1) / 2)
    only = {each.name: each.value for each in class_measures(np.zeros(4, np.int64), proba)}
    assert np.isnan(only["ROC AUC, one vs rest"])


# Intervals ------------------------------------------------------------------------------------------------------------


def naive(measure: str, y: Any, proba: Floats, draws: int, seed: int) -> tuple[float, float]:
    """Return the percentile interval by calling scikit-learn on each resample."""
    rng, values = np.random.default_rng(seed), []
    for _ in range(draws):
        rows = rng.integers(0, len(y), len(y))
        here, say = y[rows], proba[rows]
        if measure == "ROC AUC":
            values.append(metrics.roc_auc_score(here, say[:, 1]))
        else:
            values.append(metrics.balanced_accuracy_score(here, say.argmax(axis=1)))
    return quantiles(np.array(values))


@pytest.mark.parametrize("name", ["ROC AUC", "balanced accuracy"])
def test_intervals_are_those_of_naive_resampling(name: str) -> None:
    proba, y = drawn(250, 2)
    found, wanted = judged(proba, y).score(name), naive(name, y, proba, 80, 1)
    width = wanted[1] - wanted[0]
    assert abs(found.low - wanted[0]) < 0.35 * width
    assert abs(found.high - wanted[1]) < 0.35 * width
    half = naive(name, y[:60], proba[:60], 60, 1)  # too wide: planted
    assert half[1] - half[0] > 1.4 * width


def missed(truth: float, name: str, repeats: int, rows: int) -> int:
    """Return how many of so many intervals for the mean of exponential numbers do not hold it."""
    out = 0
    for seed in range(repeats):
        values = np.random.default_rng(seed).exponential(size=rows)
        measure = mean_measure(name, "lower", values)
        low, high = interval_of(measure, resampled([measure], rows, seed)[:, 0])
        out += not low <= truth <= high
    return out


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    # Of 200 intervals 10 should miss; binomial(200, 0.05) lies in 3..22 with 99.9%, and small samples miss some more.
    assert 3 <= missed(1.0, "MAE", 200, 60) <= 26
    assert missed(1.2, "MAE", 200, 60) > 26


def test_wilsons_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Exactly: the probability of all counts whose interval holds the true share."""
    from scipy.stats import binom

    for truth in (0.5, 0.9, 0.98):
        held = [low <= truth <= high for low, high in (wilson(k / 60, 60) for k in range(61))]
        assert 0.91 < binom.pmf(np.arange(61), 60, truth)[held].sum() < 0.99


def test_all_right_is_not_certainly_all_right() -> None:
    proba = np.tile([0.9, 0.1], (40, 1))
    report = judged(proba, np.r_[np.zeros(39), 0].astype(int))
    score = report.score("accuracy")
    assert score.value == 1
    assert 0.9 < score.low < 0.93


def test_leads_are_paired() -> None:
    """Two predictions whose errors are the same but for a step differ by that step with certainty."""
    rng = np.random.default_rng(0)
    errors = np.abs(rng.normal(size=400)) * 10
    ours, theirs = mean_measure("MAE", "lower", errors), mean_measure("MAE", "lower", errors + 0.1)
    both = resampled([ours, theirs], 400, 0)
    low, high = quantiles(both[:, 1] - both[:, 0])
    assert abs(low - 0.1) < 1e-9
    assert abs(high - 0.1) < 1e-9
    alone = interval_of(ours, both[:, 0])
    assert alone[1] - alone[0] > 0.5


def test_resamples_come_in_pieces_without_a_seam() -> None:
    """Weights add up to the rows, whatever the number that is drawn at once."""
    rows = 3000
    count = Measure("rows", "", np.ones((rows, 1)), lambda means: means[:, 0])
    drawn_ones = resampled([count], rows, 0)
    assert drawn_ones.shape == (2000, 1)
    assert np.all(drawn_ones == 1)


def test_the_same_seed_gives_the_same_report() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    train = rng.normal(size=(100, 2))
    reports = [
        evaluate(
            Regressor(lambda X: X[:, 0]), X, X[:, 0] + X[:, 1], train=(train, train[:, 0] + train[:, 1]), seed=seed
        )
        for seed in (3, 3, 4)
    ]
    assert reports[0].text() == reports[1].text()
    assert reports[0] == reports[1]
    assert reports[0].scores != reports[2].scores
