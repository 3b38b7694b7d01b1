"""Weights of rows: a row of weight 3 counts as three rows do, in all that is computed of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars
import pytest
from sklearn.metrics import roc_auc_score

from fanin._core.errors import ArgumentError
from fanin.tabular.evaluation import Evaluation, evaluate
from fanin.tabular.evaluation.baselines import Flat, boosted_trees, linear_model
from fanin.tabular.evaluation.bootstrap import effective, wilson
from fanin.tabular.evaluation.measures import class_measures
from fanin.tabular.evaluation.reading import read_held
from tests.tabular.evaluation.fakes import Classifier, Floats, Regressor, WithIntervals, kinds, said, sigmoid, two

RNG = np.random.default_rng(0)
ROWS = 90
TIMES = RNG.integers(1, 5, ROWS)  # how often each row is there, or what it weighs
EACH = np.repeat(np.arange(ROWS), TIMES)
NUMBERS = np.arange(float(ROWS))[:, None]
SCORE = RNG.normal(size=ROWS).round(1)  # with ties
CLASSES = (SCORE + RNG.normal(size=ROWS) > 0).astype(int)
THREE = sigmoid(RNG.normal(size=(ROWS, 3)))
THREE /= THREE.sum(axis=1, keepdims=True)
OF_THREE = RNG.integers(0, 3, ROWS)
ACTUAL = SCORE + RNG.normal(size=ROWS)

MODELS: list[tuple[Any, Any]] = [
    (Classifier([0, 1], said(two(sigmoid(SCORE)))), CLASSES),
    (Classifier([0, 1, 2], said(THREE)), OF_THREE),
    (WithIntervals(lambda X: SCORE[np.asarray(X)[:, 0].astype(int)], 0.9), ACTUAL),
    (
        Regressor(lambda X: np.stack([SCORE, -SCORE], axis=1)[np.asarray(X)[:, 0].astype(int)]),
        np.stack([ACTUAL] * 2, 1),
    ),
]


def both(model: Any, y: Any, **options: Any) -> tuple[Evaluation, Evaluation]:
    """Return the report on weighted rows, and that on rows that are repeated."""
    weighted = evaluate(model, NUMBERS, y, sample_weight=TIMES, importance=False, **options)
    return weighted, evaluate(model, NUMBERS[EACH], np.asarray(y)[EACH], importance=False, **options)


def values(report: Evaluation) -> dict[tuple[str, ...], float]:
    return {(each.method, each.target, each.name): each.value for each in report.scores}


@pytest.mark.parametrize(("model", "y"), MODELS, ids=["two classes", "three classes", "numbers", "two targets"])
def test_scores_are_those_of_repeated_rows(model: Any, y: Any) -> None:
    weighted, repeated = both(model, y)
    assert values(weighted) == pytest.approx(values(repeated), rel=1e-9, nan_ok=True)
    plain = evaluate(model, NUMBERS, y, importance=False)
    assert values(plain) != pytest.approx(values(repeated), rel=1e-3), "weights change nothing here"
    leads = [[each.value for each in report.leads] for report in (weighted, repeated)]
    assert leads[0] == pytest.approx(leads[1], rel=1e-6, abs=1e-9)


def test_bins_and_classes_are_those_of_repeated_rows() -> None:
    for model, y in MODELS[:2]:
        weighted, repeated = both(model, y)
        assert weighted.calibration is not None
        assert repeated.calibration is not None
        pairs = zip(weighted.calibration.bins, repeated.calibration.bins, strict=True)
        for one, other in pairs:
            assert (one.said, one.found) == pytest.approx((other.said, other.found))
            assert one.rows <= other.rows
            assert one.low <= other.low + 1e-12, "fewer rows know more"
        assert weighted.calibration.error == pytest.approx(repeated.calibration.error)
        assert weighted.confusion is not None
        assert repeated.confusion is not None
        assert sum(each.rows for each in weighted.confusion.classes) == ROWS
        for one_class, other_class in zip(weighted.confusion.classes, repeated.confusion.classes, strict=True):
            assert one_class.recall == pytest.approx(other_class.recall)
            assert one_class.precision == pytest.approx(other_class.precision)


def test_errors_and_coverage_are_those_of_repeated_rows() -> None:
    weighted, repeated = both(*MODELS[2])
    (one,), (other,) = weighted.residuals, repeated.residuals
    assert one.mean == pytest.approx(other.mean)
    assert one.spread == pytest.approx(other.spread, rel=0.03)  # of another number of rows
    for (_, ours), (_, theirs) in zip(one.quantiles, other.quantiles, strict=True):
        assert ours == pytest.approx(theirs, abs=0.1)
    assert weighted.calibration is not None
    assert repeated.calibration is not None
    shares = [[each.found for each in report.calibration.bins] for report in (weighted, repeated) if report.calibration]
    assert shares[0] == pytest.approx(shares[1])


def test_an_area_is_that_of_scikit_learn() -> None:
    found = {each.name: each.value for each in class_measures(CLASSES, two(sigmoid(SCORE)), TIMES.astype(float))}
    assert found["ROC AUC"] == pytest.approx(roc_auc_score(CLASSES, SCORE, sample_weight=TIMES))


def test_intervals_know_how_little_uneven_weights_tell() -> None:
    """Of rows that weigh next to nothing, an interval learns nothing: it is as wide as without them."""
    model, y = MODELS[2]
    weights = np.where(np.arange(ROWS) < 30, 1.0, 1e-9)
    weighted = evaluate(model, NUMBERS, y, sample_weight=weights, importance=False)
    alone = evaluate(model, NUMBERS[:30], y[:30], importance=False)
    assert weighted.effective_rows == pytest.approx(30)
    for name in ("RMSE", "MAE", "R2", "coverage of the 90% interval"):
        one, other = weighted.score(name), alone.score(name)
        assert one.value == pytest.approx(other.value)
        assert one.high - one.low == pytest.approx(other.high - other.low, rel=0.15)
    share = alone.score("coverage of the 90% interval").value
    assert (weighted.score("coverage of the 90% interval").low) == pytest.approx(wilson(share, 30)[0])


def test_effective_rows_by_hand() -> None:
    assert effective(None, 7) == 7
    assert effective(np.array([3.0, 1.0]), 2) == pytest.approx(16 / 10)


def test_importance_is_that_of_the_rows_that_weigh() -> None:
    """One column tells the first half of the rows, the other the second half."""
    rng = np.random.default_rng(0)
    X, first = rng.normal(size=(200, 2)), np.arange(200) < 100
    X = np.concatenate([X, first[:, None]], axis=1)
    y = np.where(first, X[:, 0], X[:, 1])
    model = Regressor(lambda X: np.where(X[:, 2] > 0, X[:, 0], X[:, 1]))
    for half, column in ((first, "column 0"), (~first, "column 1")):
        found = evaluate(model, X, y, sample_weight=np.where(half, 1.0, 1e-6), baselines=False).importance
        assert found is not None
        assert next(each.column for each in found.columns if each.share > 0.1) in (column, "column 2")
        of = {each.column: each.value for each in found.columns}
        assert of[column] > 100 * of["column 1" if column == "column 0" else "column 0"]


def wave(rows: int = 400) -> tuple[Floats, Floats, Floats]:
    """Return rows of which those with weight rise, and the others fall."""
    rng = np.random.default_rng(1)
    X, heavy = rng.normal(size=(rows, 1)), rng.random(rows) < 0.5
    return X, np.where(heavy, X[:, 0], -X[:, 0]), np.where(heavy, 1.0, 1e-6)


@pytest.mark.parametrize("baseline", [linear_model, boosted_trees])
@pytest.mark.parametrize("targets", [1, 2])
def test_baselines_learn_with_weights(baseline: Any, targets: int) -> None:
    X, y, weights = wave()
    model, y = Regressor(lambda X: X), np.stack([y] * targets, axis=1)
    learned, held = read_held(model, X, y, weights), read_held(model, X, y)
    answer = baseline(learned, held, Flat(X), 0).answer
    heavy = weights == 1.0
    assert np.corrcoef(answer[heavy, 0], y[heavy, 0])[0, 1] > 0.95
    assert np.corrcoef(answer[~heavy, 0], y[~heavy, 0])[0, 1] < -0.9


def test_classes_of_baselines_learn_with_weights() -> None:
    X, y, weights = wave()
    model = Classifier([0, 1], said(two(np.full(400, 0.5))))
    learned, held = read_held(model, X, y > 0, weights), read_held(model, X, y > 0)
    for baseline in (linear_model, boosted_trees):
        answer = baseline(learned, held, Flat(X), 0).answer.argmax(axis=1)
        assert (answer == (y > 0))[weights == 1.0].mean() > 0.95


def test_a_constant_is_weighted() -> None:
    model = Regressor(lambda X: X[:, 0])
    held, train = (np.zeros((2, 1)), [0.0, 1.0]), (np.zeros((3, 1)), [0.0, 1.0, 5.0], [1.0, 1.0, 2.0])
    report = evaluate(model, *held, train=train, importance=False)
    assert report.score("MAE", "constant").value == pytest.approx((2.75 + 1.75) / 2)


def test_rows_of_weight_0_are_left_out_and_told() -> None:
    model, y = MODELS[0]
    weights = np.where(np.arange(ROWS) % 3 > 0, TIMES, 0)
    report = evaluate(model, NUMBERS, y, sample_weight=polars.Series("w", weights), importance=False)
    assert (report.rows, report.left_out) == (60, 30)
    assert report.text().startswith(
        "Classifier on 60 weighted held-out rows (30 without a target or a weight left out)"
    )
    assert f"as much as {report.effective_rows:,.0f} rows of equal weight" in " ".join(report.text().split())
    kept = weights > 0
    some = evaluate(model, NUMBERS[kept], y[kept], sample_weight=weights[kept], importance=False)
    assert values(some) == values(report)


def test_equal_weights_are_none() -> None:
    model, y = MODELS[2]
    one, other = (evaluate(model, NUMBERS, y, sample_weight=w, importance=False) for w in (np.full(ROWS, 7.0), None))
    assert one.to_dict() == other.to_dict()


def test_weights_that_are_none() -> None:
    model, y = MODELS[2]
    for weights, words in (
        (np.ones(5), "inconsistent|shape"),
        (-np.ones(ROWS), "[Nn]egative"),
        (np.full(ROWS, np.nan), "NaN"),
        (np.arange(ROWS) == 3, "1 of 90 rows have a target and a weight above 0"),
    ):
        with pytest.raises(ValueError, match=words):
            evaluate(model, NUMBERS, y, sample_weight=weights)
    with pytest.raises(ArgumentError, match="train is X and y, and perhaps the weights"):
        evaluate(model, NUMBERS, y, train=(NUMBERS,))
    with pytest.raises(ArgumentError, match="train: 1 of 90 rows have a target and a weight above 0"):
        evaluate(model, NUMBERS, y, train=(NUMBERS, y, np.arange(ROWS) == 3))


def test_unfamiliar_values_are_a_finding() -> None:
    from fanin.tabular import TabularRegressor

    X = polars.DataFrame({"x": np.arange(90.0), "letter": ["a", "b", "c"] * 30})
    model = TabularRegressor("fast", epochs=2, hidden=(4,), random_state=0).fit(X, np.arange(90.0))
    new = X.with_columns(letter=polars.when(polars.col("x") < 5).then(polars.lit("z")).otherwise(polars.col("letter")))
    report = evaluate(model, new, np.arange(90.0))
    assert "unfamiliar values" in kinds(report)
    assert [(each.column, each.rows) for each in report.unfamiliar] == [('column "letter"', 5)]
    assert "Unlike the training rows: column \"letter\": 'z' in 5 rows" in " ".join(report.text().split())
    assert "unfamiliar values" not in kinds(evaluate(model, X, np.arange(90.0), importance=False))
