"""Predictions from file to file: the same as in memory, which rows were left, and nothing half-written."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

from fanin._core.errors import ArgumentError, OperationError, TableError
from fanin.tabular import TabularClassifier, TabularRegressor, open_table, predict_file
from fanin.tabular.files import predicting

QUICK = {"preset": "fast", "epochs": 2, "hidden": (8,), "random_state": 0}


@pytest.fixture(scope="module")
def frame() -> polars.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=400).round(3)
    colour = rng.choice(["red", "green"], 400)
    day = polars.date_range(polars.date(2020, 1, 1), polars.date(2021, 2, 3), eager=True)
    day = day.cast(polars.String).to_list()[:400]
    return polars.DataFrame({"x": x, "colour": colour, "day": day, "y": np.where(x > 0, "up", "down"), "z": 2 * x})


@pytest.fixture(scope="module")
def classifier(frame: polars.DataFrame) -> Any:
    return TabularClassifier(**QUICK).fit(frame.drop("y", "z"), frame["y"].to_numpy())


@pytest.fixture(scope="module")
def regressor(frame: polars.DataFrame) -> Any:
    return TabularRegressor(**QUICK).fit(frame.drop("y", "z"), frame["z"].to_numpy())


@pytest.fixture(autouse=True)
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicting, "BYTES", 1)  # pieces of 64 rows
    monkeypatch.setattr("fanin.tabular.files.csv_file.BLOCK", 3000)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_predictions_are_those_of_the_table_in_memory(
    tmp_path: Path, frame: polars.DataFrame, classifier: Any, ending: str
) -> None:
    source, destination = tmp_path / "new.csv", tmp_path / f"out.{ending}"
    frame.with_row_index("id").write_csv(source)
    told: list[tuple[int, int | None]] = []
    done = predict_file(
        classifier, source, destination, keep=["id", "x"], progress=lambda rows, all: told.append((rows, all))
    )
    assert (done.rows, done.left, done.unusable) == (400, 0, ())
    assert told[-1] == (400, None)
    assert len(told) > 5
    found = _read(destination)
    assert tuple(found.columns) == done.columns
    assert found.columns == ["id", "x", "prediction", "probability of down", "probability of up"]
    X = frame.drop("y", "z")
    assert found["prediction"].to_list() == classifier.predict(X).tolist()
    assert found["id"].cast(polars.Int64).to_list() == list(range(400))
    np.testing.assert_array_equal(found[:, 3:].cast(polars.Float64).to_numpy(), classifier.predict_proba(X))


def _read(path: Path) -> polars.DataFrame:
    return polars.read_parquet(path) if path.suffix == ".parquet" else polars.read_csv(path)


def test_numbers_come_with_an_interval_where_it_is_asked_for(
    tmp_path: Path, frame: polars.DataFrame, regressor: Any
) -> None:
    source = tmp_path / "new.parquet"
    frame.write_parquet(source)
    done = predict_file(regressor, open_table(source), tmp_path / "out.csv", interval=0.8)
    found = _read(tmp_path / "out.csv")
    assert done.columns == ("prediction", "low", "high")
    X = frame.drop("y", "z")
    np.testing.assert_array_equal(found["prediction"].to_numpy(), regressor.predict(X))
    np.testing.assert_array_equal(found[:, 1:].to_numpy(), regressor.predict_interval(X, 0.8))


def test_rows_that_cannot_be_used_are_told_and_have_no_prediction(tmp_path: Path, classifier: Any) -> None:
    source = tmp_path / "new.csv"
    lines = [
        b"day,x,colour",
        b"2020-01-02,1.5,red",
        b"2020-01-02,many,red",
        b"2020-13-02,2,blue",
        b"1,2",
        b"\xff,1,red",
    ]
    source.write_bytes(b"\n".join([*lines, b",,", b",,new", b"2020-01-01, 2 ,red"]))
    done = predict_file(classifier, source, tmp_path / "out.csv", probabilities=False)
    assert list(map(str, done.unusable)) == [
        "row 2, column \"x\": 'many': a number is expected, as in all rows learned from",
        "row 3, column \"day\": '2020-13-02': a date of the same form is expected, as in all rows learned from",
        "row 4 (line 5): 2 fields where the header has 3",
        "row 5 (line 6): not UTF-8 text; save the table as UTF-8",
    ]
    assert (done.rows, done.left) == (7, 4)
    found = (tmp_path / "out.csv").read_text().splitlines()
    # A row without a prediction is no empty line, over which readers pass: all that follow would move up.
    assert [line != '""' for line in found[1:]] == [True, False, False, False, False, True, True]


def test_a_table_of_which_no_row_can_be_used(tmp_path: Path, classifier: Any) -> None:
    source = tmp_path / "new.csv"
    source.write_text("day,x,colour\n2020-01-02,many,red\n")
    done = predict_file(classifier, source, tmp_path / "out.parquet")
    assert (done.rows, done.left) == (1, 1)
    assert polars.read_parquet(tmp_path / "out.parquet").row(0) == (None, None, None)


def test_only_the_first_rows_are_listed_but_all_are_counted(
    tmp_path: Path, classifier: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting, "LISTED", 3)
    source = tmp_path / "new.csv"
    source.write_text("day,x,colour\n" + "2020-01-02,many,red\n" * 200)
    done = predict_file(classifier, source, tmp_path / "out.csv")
    assert ([each.row for each in done.unusable], done.left) == ([1, 2, 3], 200)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
@pytest.mark.parametrize("problem", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_behind_and_nothing_lost_when_it_fails(
    tmp_path: Path, frame: polars.DataFrame, classifier: Any, ending: str, problem: type[BaseException]
) -> None:
    source, destination = tmp_path / "new.csv", tmp_path / f"out.{ending}"
    frame.write_csv(source)
    destination.write_text("what was there")

    def stop(rows: int, all: int | None) -> None:
        raise problem

    with pytest.raises(problem):
        predict_file(classifier, source, destination, progress=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv", f"out.{ending}"]
    assert destination.read_text() == "what was there"


def test_what_cannot_be_is_refused_before_any_work(
    tmp_path: Path, frame: polars.DataFrame, classifier: Any, regressor: Any
) -> None:
    source = tmp_path / "new.csv"
    frame.write_csv(source)
    less = tmp_path / "less.csv"
    frame.drop("x").rename({"colour": "color"}).write_csv(less)

    def refused(kind: type[Exception], words: str, *arguments: Any, **options: Any) -> None:
        with pytest.raises(kind, match=words):
            predict_file(*arguments, **options)

    out = tmp_path / "out.csv"
    refused(TableError, r'lacks 2 columns that the model was fitted on: "x", "colour"', classifier, less, out)
    refused(TableError, r'no column "dayy"; did you mean "day"\?', classifier, source, out, keep=["dayy"])
    refused(
        TableError, r"written as \.csv, \.csv\.gz or \.parquet, not as \.xls", classifier, source, tmp_path / "a.xls"
    )
    refused(TableError, "is no folder: make it first", classifier, source, tmp_path / "no" / "out.csv")
    refused(TableError, "is the table itself", classifier, source, source)
    refused(ArgumentError, "interval is for regressors", classifier, source, out, interval=0.9)
    refused(OperationError, "not fitted yet", TabularClassifier(), source, out)
    unnamed = TabularRegressor(**QUICK).fit(np.arange(20.0)[:, None], np.arange(20.0))
    refused(ArgumentError, "columns without names", unnamed, source, out)
    twice = tmp_path / "twice.csv"
    frame.rename({"z": "prediction"}).write_csv(twice)
    refused(ArgumentError, 'cannot keep the column "prediction"', regressor, twice, out, keep=["prediction"])
    assert not out.exists()


def test_flags_of_a_parquet_file_may_be_texts_of_another(tmp_path: Path) -> None:
    frame = polars.DataFrame({"f": [True, False] * 20, "x": list(range(40))})
    model = TabularRegressor(**QUICK).fit(frame, np.arange(40.0))
    frame.write_csv(tmp_path / "new.csv")
    done = predict_file(model, tmp_path / "new.csv", tmp_path / "out.csv")
    assert done.left == 0
    np.testing.assert_array_equal(_read(tmp_path / "out.csv")["prediction"].to_numpy(), model.predict(frame))


def test_a_gzipped_prediction_has_no_time_in_it(tmp_path: Path, frame: polars.DataFrame, classifier: Any) -> None:
    frame.write_csv(tmp_path / "new.csv")
    for name in ("a.csv.gz", "b.csv.gz"):
        predict_file(classifier, tmp_path / "new.csv", tmp_path / name)
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).startswith(b"prediction,")
