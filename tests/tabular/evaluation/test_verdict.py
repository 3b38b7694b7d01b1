"""Every finding can be provoked, and is absent where there is no reason for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fanin.tabular.evaluation import Evaluation, evaluate
from fanin.tabular.evaluation.records import Finding
from fanin.tabular.evaluation.words import number
from tests.tabular.evaluation.fakes import (
    Classifier,
    Floats,
    Regressor,
    WithIntervals,
    judged,
    kinds,
    sigmoid,
    two,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 3))
STEPS = np.sign(X[:, 0]) * np.sign(X[:, 1]) + 0.3 * RNG.normal(size=600)  # which no line follows
LINE = X @ [1.0, -2.0, 0.0] + 0.5 * RNG.normal(size=600)
TRAIN, TEST = slice(0, 300), slice(300, 600)


def numbers(predict: Any, y: Floats, **more: Any) -> Evaluation:
    more = {"train": (X[TRAIN], y[TRAIN]), "importance": False, **more}
    return evaluate(Regressor(predict), X[TEST], y[TEST], **more)


def finding(report: Evaluation, kind: str) -> Finding:
    (found,) = (each for each in report.findings if each.kind == kind)
    return found


def test_better_than_trees_and_lines() -> None:
    report = numbers(lambda X: np.sign(X[:, 0]) * np.sign(X[:, 1]), STEPS)
    assert kinds(report) == {"better than trees", "better than linear"}
    lead = next(each for each in report.leads if (each.method, each.name) == ("boosted trees", "RMSE"))
    assert lead.low > 0
    wanted = f"Better than boosted trees by {number(lead.value)} RMSE (95%: {number(lead.low)}..{number(lead.high)})."
    assert finding(report, "better than trees").text == wanted


def test_worse_than_trees() -> None:
    report = numbers(lambda X: 0.3 * np.sign(X[:, 0]) * np.sign(X[:, 1]), STEPS)
    found = finding(report, "worse than trees")
    assert found.level == "warning"
    assert found.cause
    assert found.remedy


def test_as_good_as_trees() -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(random_state=1).fit(X[TRAIN], STEPS[TRAIN])
    report = evaluate(model, X[TEST], STEPS[TEST], train=(X[TRAIN], STEPS[TRAIN]), importance=False)
    assert "like trees" in kinds(report)


def test_no_better_than_linear() -> None:
    assert "no better than linear" in kinds(numbers(lambda X: X @ [1.0, -2.0, 0.0], LINE))
    worse = numbers(lambda X: X @ [1.0, -1.0, 0.0], LINE)
    assert finding(worse, "no better than linear").text.startswith("Worse than a linear model by")


def test_no_better_than_a_constant() -> None:
    noise = np.random.default_rng(1).normal(size=600)
    report = numbers(lambda X: 0.01 * X[:, 2], noise)
    found = finding(report, "no better than a constant")
    assert "hold nothing" in found.cause
    assert not {"worse than trees", "like trees", "better than trees"} & kinds(report)


def test_a_training_that_failed_is_told_from_empty_columns() -> None:
    found = finding(numbers(lambda X: 5 + 0 * X[:, 0], LINE), "no better than a constant")
    assert found.text.startswith("Worse than a constant by")
    assert "training has failed" in found.cause


def test_without_training_rows_the_constant_is_the_best_there_is() -> None:
    report = numbers(lambda X: X @ [1.0, -2.0, 0.0], LINE, train=None)
    assert kinds(report) == {"better than a constant"}
    assert [each.name for each in report.baselines] == ["constant"]
    assert report.score("R2", "constant").value == pytest.approx(0, abs=1e-12)


def test_a_copy_of_the_target_is_found_and_named() -> None:
    import pandas

    frame = pandas.DataFrame(np.c_[X, LINE**3], columns=["a", "b", "c", "late"])
    report = evaluate(Regressor(lambda X: np.cbrt(X["late"])), frame, LINE, baselines=False, importance=False)
    found = finding(report, "copy of the target")
    assert found.level == "warning"
    assert found.text.startswith('"late" alone tells the target (R2 0.9')
    frame["again"] = np.where(LINE > 0, "up", "down")
    y = LINE > 0
    model = Classifier([False, True], lambda X: two(np.where(X["again"] == "up", 0.9, 0.1)))
    report = evaluate(model, frame, y, baselines=False, importance=False)
    assert [each.column for each in report.copies] == ["again", "late"]
    assert finding(report, "copy of the target").text.endswith("and so does 1 more column.")


def test_nearly_perfect_with_many_columns_is_a_note() -> None:
    model = Regressor(lambda X: X[:, 0] + X[:, 1] + X[:, 2])
    found = finding(evaluate(model, X[TEST], X[TEST].sum(axis=1)), "nearly perfect")
    assert found.level == "note"
    assert "No column tells it alone" in found.cause


def test_what_only_a_baseline_finds() -> None:
    report = numbers(lambda X: 0.5 * X[:, 0], X.sum(axis=1))
    assert finding(report, "nearly perfect").text.startswith("With linear model nearly perfect (R2 1.0000)")


def test_perfect_on_one_class_is_no_achievement() -> None:
    y = np.r_[np.zeros(396), np.ones(4)].astype(int)
    assert "nearly perfect" not in kinds(judged(two(np.where(y == 1, 0.9, 0.1)), y))
    even = np.arange(400) % 2
    assert "nearly perfect" in kinds(judged(two(np.where(even == 1, 0.99, 0.01)), even))


def test_rows_on_both_sides() -> None:
    report = numbers(lambda X: X[:, 0], LINE, train=(X[200:500], LINE[200:500]))
    assert finding(report, "repeated rows").text.startswith("66.7% of the held-out rows")
    assert report.repeated == pytest.approx(2 / 3)
    assert "repeated rows" not in kinds(numbers(lambda X: X[:, 0], LINE))


def test_rows_that_are_often_the_same_are_no_mistake() -> None:
    grid = np.random.default_rng(0).integers(0, 3, (600, 2)).astype(float)
    model = Regressor(lambda X: X[:, 0])
    report = evaluate(model, grid[TEST], grid[TEST, 0], train=(grid[TRAIN], grid[TRAIN, 0]), importance=False)
    assert report.repeated == 1
    assert "repeated rows" not in kinds(report)


# Classes --------------------------------------------------------------------------------------------------------------


def binary(factor: float, rows: int = 2000) -> Evaluation:
    """Return the report on probabilities whose logits are so many times too large."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=rows) * 1.5
    return judged(two(sigmoid(factor * logits)), (rng.random(rows) < sigmoid(logits)).astype(int))


def test_calibration() -> None:
    assert "calibrated" in kinds(binary(1.0))
    assert finding(binary(3.0), "not calibrated").text.startswith("Probabilities are too extreme")
    assert finding(binary(0.3), "not calibrated").text.startswith("Probabilities are too timid")


def test_calibration_of_several_classes() -> None:
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(3), 2000)
    y = np.array([rng.choice(3, p=row) for row in proba])
    assert "calibrated" in kinds(judged(proba, y))
    sharp = proba**4 / (proba**4).sum(axis=1, keepdims=True)
    assert finding(judged(sharp, y), "not calibrated").text.startswith("Probabilities are too extreme")


def test_few_rows_excuse_a_calibration_error() -> None:
    report = binary(1.0, rows=30)
    assert report.score("calibration error").value > 0.05
    assert {"calibrated", "few rows"} <= kinds(report)


def test_classes_that_are_never_predicted_or_unknown() -> None:
    proba = np.tile([0.6, 0.3, 0.1], (120, 1))
    proba[:60] = [0.2, 0.7, 0.1]
    y = np.array(["b"] * 60 + ["a"] * 50 + ["c"] * 8 + ["new"] * 2)
    report = judged(proba, y, ["a", "b", "c"])
    assert '"c" (8 rows)' in finding(report, "never predicted").text
    assert finding(report, "unknown classes").text == '2 rows of classes that the model does not know: "new".'
    assert report.labels == ("a", "b", "c", "new")
    assert report.score("log-loss").value == pytest.approx(
        -(60 * np.log(0.7) + 50 * np.log(0.6) + 8 * np.log(0.1) + 2 * np.log(2.0**-52)) / 120
    )


def test_one_class_alone() -> None:
    assert "one class" in kinds(judged(np.tile([0.8, 0.2], (200, 1)), np.zeros(200, int)))


# Numbers --------------------------------------------------------------------------------------------------------------


def intervals(width: float) -> Evaluation:
    return evaluate(
        WithIntervals(lambda X: X @ [1.0, -2.0, 0.0], width), X, LINE, train=None, importance=False, baselines=False
    )


def test_coverage_of_intervals() -> None:
    assert "coverage" in kinds(intervals(0.5))
    narrow = finding(intervals(0.3), "too narrow")
    assert "where 90% was meant" in narrow.text
    assert narrow.remedy
    assert "too wide" in kinds(intervals(1.0))


def test_predictions_that_are_too_low() -> None:
    found = finding(numbers(lambda X: X @ [1.0, -2.0, 0.0] - 0.5, LINE), "biased")
    off = (LINE - X @ [1.0, -2.0, 0.0])[TEST].mean() + 0.5
    assert found.text == f"Predictions are too low by {off:.4f} on average."
    assert "biased" not in kinds(numbers(lambda X: X @ [1.0, -2.0, 0.0], LINE))


def test_no_column_matters() -> None:
    report = numbers(lambda X: 0 * X[:, 0], LINE, importance=True, baselines=False)
    assert "no column matters" in kinds(report)
    assert "no column matters" not in kinds(numbers(lambda X: -X[:, 1], LINE, importance=True, baselines=False))


def test_several_targets_are_judged_each() -> None:
    Y = np.c_[LINE, np.random.default_rng(2).normal(size=600)]
    model = Regressor(lambda X: np.c_[X @ [1.0, -2.0, 0.0], 0.01 * X[:, 2]])
    report = evaluate(model, X[TEST], Y[TEST], importance=False)
    texts = [each.text for each in report.findings]
    assert any(text.startswith("target 0: Better than a constant") for text in texts)
    assert any(text.startswith("target 1: No better than a constant") for text in texts)
    assert [each.target for each in report.residuals] == ["target 0", "target 1"]


def test_a_class_model_against_baselines() -> None:
    y = np.where(STEPS > 0, "up", "down")
    model = Classifier(["down", "up"], lambda X: two(sigmoid(6 * np.sign(X[:, 0] * X[:, 1]))))
    report = evaluate(model, X[TEST], y[TEST], train=(X[TRAIN], y[TRAIN]), importance=False)
    assert {"better than trees", "better than linear"} <= kinds(report) or "nearly perfect" in kinds(report)
    assert [each.name for each in report.baselines] == ["constant", "linear model", "boosted trees"]
    assert report.score("accuracy", "linear model").value < 0.7 < report.score("accuracy", "boosted trees").value
