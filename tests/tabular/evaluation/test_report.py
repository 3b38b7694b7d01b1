"""Tables of all libraries, what lies behind the scores, the text, and what cannot be judged."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.tabular import TabularClassifier, TabularRegressor
from fanin.tabular.evaluation import Evaluation, evaluate
from fanin.tabular.evaluation.importance import CELLS, ROWS, effort, permutation_importance
from fanin.tabular.evaluation.tables import take, with_shuffled
from fanin.tabular.evaluation.words import label_text
from tests.tabular.evaluation.fakes import Classifier, Regressor, WithIntervals, judged, numbered, said, two

QUICK: dict[str, Any] = {"preset": "fast", "epochs": 8, "hidden": (16,), "learning_rate": 0.02, "random_state": 0}


def columns(rows: int = 120) -> tuple[dict[str, list[Any]], list[str]]:
    rng = np.random.default_rng(0)
    number = [None if rng.random() < 0.1 else float(value) for value in rng.normal(size=rows)]
    letter = [None if rng.random() < 0.1 else "abc"[index] for index in rng.integers(0, 3, rows)]
    y = ["yes" if s == "a" or (n or 0.0) > 0.5 else "no" for n, s in zip(number, letter, strict=True)]
    return {"number": number, "letter": letter}, y


def test_tables_of_all_libraries_are_judged_alike() -> None:
    table, y = columns()
    frames = [pandas.DataFrame(table), polars.DataFrame(table), pyarrow.table(table)]
    targets = [pandas.Series(y, name="answer"), polars.Series("answer", y), pyarrow.chunked_array([y])]
    model = TabularClassifier(**QUICK).fit(frames[0], y)
    found = [evaluate(model, X, t, train=(X, t)).to_dict() for X, t in zip(frames, targets, strict=True)]
    assert found[0] == found[1]
    assert found[0] | {"targets": []} == found[2] | {"targets": []} or found[2]["targets"] == ["target"]
    assert [each["value"] for each in found[0]["scores"]] == [each["value"] for each in found[2]["scores"]]
    assert found[0]["importance"] == found[2]["importance"]
    assert found[0]["targets"] == ["answer"]
    assert {each["column"] for each in found[0]["importance"]["columns"]} == {"number", "letter"}


def test_a_regressor_with_intervals_and_lists() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    model = TabularRegressor(**QUICK).fit(X, X[:, 0])
    report = evaluate(model, X.tolist(), X[:, 0].tolist())
    assert report.calibration is not None
    assert [each.said for each in report.calibration.bins] == [0.5, 0.7, 0.8, 0.9, 0.95]
    assert report.importance is not None
    assert {each.column for each in report.importance.columns} == {"column 0", "column 1"}


def frame_of(library: str, table: dict[str, list[Any]]) -> Any:
    if library == "array":
        return np.array([*zip(*table.values(), strict=True)], dtype=object)
    if library == "batch":
        return pyarrow.RecordBatch.from_pydict(table)
    return {"pandas": pandas.DataFrame, "polars": polars.DataFrame, "arrow": pyarrow.table}[library](table)


def cells(X: Any) -> list[tuple[Any, ...]]:
    if isinstance(X, np.ndarray):
        return [tuple(row) for row in X.tolist()]
    if isinstance(X, pandas.DataFrame):
        return [tuple(row) for row in X.itertuples(index=False)]
    if isinstance(X, polars.DataFrame):
        return X.rows()
    return [tuple(row.values()) for row in X.to_pylist()]


@pytest.mark.parametrize("library", ["pandas", "polars", "arrow", "batch", "array"])
def test_rows_are_taken_and_columns_shuffled(library: str) -> None:
    table = {"a": [1, 2, 3], "b": ["x", "y", "z"], "c": [1.5, 2.5, 3.5]}
    frame = frame_of(library, table)
    assert cells(take(frame, np.array([2, 0]))) == [(3, "z", 3.5), (1, "x", 1.5)]
    shuffled = with_shuffled(frame, [0, 2], np.array([1, 2, 0]))
    assert cells(shuffled) == [(2, "x", 2.5), (3, "y", 3.5), (1, "z", 1.5)]
    assert cells(frame) == [(1, "x", 1.5), (2, "y", 2.5), (3, "z", 3.5)]


def test_rows_without_a_target_are_left_out() -> None:
    proba = two(np.array([0.1, 0.9, 0.2, 0.8, 0.5]))
    for y in (["no", "yes", None, "yes", "no"], pandas.array(["no", "yes", pandas.NA, "yes", "no"])):
        report = judged(proba, y, ["no", "yes"])
        assert (report.rows, report.left_out) == (4, 1)
        assert report.score("log-loss").value == pytest.approx(-np.log([0.9, 0.9, 0.8, 0.5]).mean())
    report = evaluate(Regressor(lambda X: np.asarray(X)[:, 0]), numbered(4), [0.0, np.nan, 2.0, 13.0], importance=False)
    assert report.left_out == 1
    assert report.residuals[0].worst[0].row == 3


def test_confusions_by_hand() -> None:
    proba = np.eye(3)[[0, 0, 1, 2, 2, 2]] * 0.9 + 0.1 / 3
    report = judged(proba, ["a", "b", "b", "c", "c", "a"], ["a", "b", "c"])
    assert report.confusion is not None
    assert report.confusion.matrix == ((1, 0, 1), (1, 1, 0), (0, 0, 2))
    a = report.confusion.classes[0]
    assert (a.rows, a.predicted, a.precision, a.recall) == (2, 2, 0.5, 0.5)
    assert report.confusion.mistakes == (("a", "c", 1), ("b", "a", 1))


def test_many_classes_are_told_by_their_confusions() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 30, 400)
    report = judged(np.eye(30)[np.where(rng.random(400) < 0.5, y, (y + 1) % 30)] * 0.9 + 0.1 / 30, y)
    assert report.confusion is not None
    assert not report.confusion.matrix
    assert len(report.confusion.mistakes) == 15
    assert "Most frequent confusions" in report.text()
    assert all(int(said) == (int(true) + 1) % 30 for true, said, _ in report.confusion.mistakes)


def test_residuals_by_hand() -> None:
    actual = np.array([1.0, 2.0, 3.0, 10.0])
    report = evaluate(Regressor(lambda X: np.asarray(X)[:, 0]), numbered(4), actual, importance=False)
    (found,) = report.residuals
    assert found.mean == 2.5
    assert found.spread == pytest.approx(np.std([1, 1, 1, 7], ddof=1))
    assert found.points == ((0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (3.0, 7.0))
    assert [each.row for each in found.worst] == [3, 0, 1, 2]
    assert dict(found.quantiles)[0.5] == 1.0


def test_calibration_by_hand() -> None:
    report = judged(two(np.array([0.05, 0.15, 0.15, 1.0])), [0, 1, 0, 1])
    assert report.calibration is not None
    found = [(each.said, each.found, each.rows) for each in report.calibration.bins]
    assert found == [(0.05, 0.0, 1), (0.15, 0.5, 2), (1.0, 1.0, 1)]


# Importance -----------------------------------------------------------------------------------------------------------


def test_importance_is_that_of_scikit_learn() -> None:
    """Of y = 2 a + b + noise and the model 2 a + b, to within the spread of its own repeats."""
    from sklearn.base import BaseEstimator
    from sklearn.inspection import permutation_importance as theirs

    class Line(BaseEstimator):  # type: ignore[misc]
        def fit(self, X: Any, y: Any) -> Any:
            return self

        def predict(self, X: Any) -> Any:
            return X @ [2.0, 1.0, 0.0]

        def __sklearn_is_fitted__(self) -> bool:
            return True

    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3))
    y = X @ [2.0, 1.0, 0.0] + 0.1 * rng.normal(size=500)
    report = evaluate(Line(), X, y, baselines=False)
    wanted = theirs(Line(), X, y, scoring="neg_root_mean_squared_error", n_repeats=20, random_state=0)
    assert report.importance is not None
    by = {each.column: each for each in report.importance.columns}
    for column, mean, spread in zip(range(3), wanted.importances_mean, wanted.importances_std, strict=True):
        assert abs(by[f"column {column}"].value - mean) <= 3 * spread + 1e-12
    assert [each.column for each in report.importance.columns] == ["column 0", "column 1", "column 2"]
    assert by["column 2"].value == 0


def test_a_wide_table_is_searched_by_halves() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 600))
    looked = []

    def loss(table: Any, rows: Any) -> float:
        looked.append(1)
        return float(((table[:, 7] + 2 * table[:, 590] - X[rows, 7] - 2 * X[rows, 590]) ** 2).mean())

    found = permutation_importance(X, loss, "squares", 0, lambda step: None)
    assert [each.column for each in found.columns if each.value > 0] == ["column 590", "column 7"]
    assert 0 <= 1 + 2 * effort(200, 600).looks - len(looked) <= 2
    assert found.others == 600 - len(found.columns)


@given(st.integers(2, 10**7), st.integers(1, 10**5))
def test_the_work_is_bounded(rows: int, columns: int) -> None:
    plan = effort(rows, columns)
    assert 1 <= plan.rows <= rows
    predicted = plan.rows * plan.repeats * plan.looks
    assert predicted <= ROWS or plan.looks <= max(24, ROWS // 200)
    assert predicted * columns <= CELLS or plan.looks <= 24


def test_progress_is_told() -> None:
    steps: list[str] = []
    X = np.random.default_rng(0).normal(size=(60, 2))
    evaluate(Regressor(lambda X: X[:, 0]), X, X[:, 0], train=(X, X[:, 1]), progress=steps.append)
    assert steps[:4] == ["predictions", "linear model", "boosted trees", "intervals"]
    assert steps[-1] == "importance of column 2 of 2: column 1"


# Baselines ------------------------------------------------------------------------------------------------------------


def test_baselines_learn_from_the_same_table() -> None:
    """A category and a number tell the target; a level that is new, or a gap, is no error."""
    rng = np.random.default_rng(0)
    letters, number = rng.integers(0, 3, 400), rng.normal(size=400)
    y = np.array([5.0, 0.0, -5.0])[letters] + number
    frame = polars.DataFrame({"letter": ["xyz"[i] for i in letters], "number": number, "empty": [None] * 400})
    held = frame[300:].with_columns(letter=polars.concat_str("letter"))
    held[0, "letter"] = "new"
    held[1, "number"] = None
    report = evaluate(
        Regressor(lambda X: np.zeros(len(X))), held, y[300:], train=(frame[:300], y[:300]), importance=False
    )
    assert report.score("R2", "linear model").value > 0.95
    assert report.score("R2", "boosted trees").value > 0.9
    assert report.score("R2", "constant").value < 0.01


def test_a_constant_is_the_training_rows_mean_or_shares() -> None:
    report = evaluate(
        Regressor(lambda X: X[:, 0]),
        numbered(4),
        [1.0, 2, 3, 4],
        train=(np.ones((3, 1)), [0.0, 1, 5]),
        importance=False,
    )
    assert report.score("MAE", "constant").value == pytest.approx(np.abs(np.array([1, 2, 3, 4]) - 2).mean())
    model = Classifier([0, 1], said(two(np.full(4, 0.5))))
    report = evaluate(model, numbered(4), [0, 1, 1, 1], train=(np.ones((5, 1)), [0, 0, 0, 0, 1]), importance=False)
    assert report.score("log-loss", "constant").value == pytest.approx(-(np.log(0.8) + 3 * np.log(0.2)) / 4)


# Text -----------------------------------------------------------------------------------------------------------------


def a_report(name: str = "price", column: str = "c" * 300) -> Evaluation:
    rng = np.random.default_rng(0)
    X = pandas.DataFrame({column: rng.normal(size=60), "b": rng.normal(size=60)})
    y = pandas.Series(X["b"] + rng.normal(size=60), name=name)
    return evaluate(WithIntervals(lambda X: X["b"].to_numpy(), 1.0), X, y)


def test_the_text_begins_with_what_matters() -> None:
    report = a_report()
    lines = report.text().splitlines()
    assert lines[0] == "WithIntervals on 60 held-out rows"
    assert lines[1].startswith(f"  RMSE {report.score('RMSE').value:.4f} (")
    assert report.findings[0].text[:60] in lines[2]
    assert lines.index("Scores") < lines.index("Importance of columns")


def test_lines_are_aligned() -> None:
    lines = a_report().text().splitlines()
    start = lines.index("Rows that are predicted worst")
    assert len({len(line) for line in lines[start + 1 : start + 12]}) == 1


@settings(max_examples=8, deadline=None)
@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=40))
def test_lines_are_short_and_plain_whatever_names_are(column: str, name: str) -> None:
    text = a_report(name, column + "!").text()
    assert max(map(len, text.splitlines())) <= 120
    assert all(c.isprintable() or c == "\n" for c in text)


@given(st.text())
def test_labels_are_one_printable_line(text: str) -> None:
    found = label_text(text)
    assert found
    assert found.isprintable()


def test_a_report_is_json() -> None:
    constant = judged(two(np.full(10, 0.25)), np.zeros(10, int))  # whose AUC is nan
    text = json.dumps(constant.to_dict(), allow_nan=False)
    found = json.loads(text)
    (auc,) = (each for each in found["scores"] if (each["name"], each["method"]) == ("ROC AUC", "this model"))
    assert auc["value"] is None
    assert found["confusion"]["matrix"] == [[10, 0], [0, 0]]
    assert re.search(r"ROC AUC +-", constant.text())


# What cannot be judged ------------------------------------------------------------------------------------------------


def test_what_cannot_be_judged() -> None:
    X, model = np.ones((5, 1)), Regressor(lambda X: np.ones(len(X)))
    with pytest.raises(ArgumentError, match="X has 5 rows, but its target has 4"):
        evaluate(model, X, np.ones(4))
    with pytest.raises(ArgumentError, match="train has 5 rows, but its target has 4"):
        evaluate(model, X, np.ones(5), train=(X, np.ones(4)))
    with pytest.raises(ArgumentError, match="1 of 5 rows have a target"):
        evaluate(model, X, [1.0] + [np.nan] * 4)
    with pytest.raises(ArgumentTypeError, match="must be numbers"):
        evaluate(model, X, list("abcde"))
    with pytest.raises(ArgumentError, match="predicts 1 targets, but the target has 2"):
        evaluate(model, X, np.ones((5, 2)))
    with pytest.raises(ArgumentError, match="nan or infinite"):
        evaluate(Regressor(lambda X: np.full(len(X), np.nan)), X, np.ones(5))
    with pytest.raises(ArgumentError, match="no row has a class that the model knows, which are 'a', 'b'"):
        evaluate(Classifier(["a", "b"], said(two(np.full(5, 0.5)))), X, np.arange(5))
    with pytest.raises(ArgumentTypeError, match=r"no rows yet: pass X\.collect"):
        evaluate(model, polars.LazyFrame({"a": [1, 2]}), [1, 2])
    with pytest.raises(ArgumentError, match=r"one column, \(rows,\), not of shape \(5, 2\)"):
        evaluate(Classifier(["a", "b"], said(two(np.full(5, 0.5)))), X, np.ones((5, 2)))
    with pytest.raises(KeyError, match="no score 'accuracy' of 'this model'"):
        evaluate(model, X, np.ones(5), importance=False).score("accuracy")
    with pytest.raises(ArgumentTypeError, match="fitted model with predict"):
        evaluate(TabularRegressor, X, np.ones(5))
    with pytest.raises(ValueError, match="not fitted"):
        evaluate(TabularRegressor(), X, np.ones(5))
