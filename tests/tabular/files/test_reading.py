"""Numbers with other marks than 1234.5: read as pandas reads them, from training to prediction; and separators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pytest

from fanin._core.errors import TableError
from fanin.tabular import TabularRegressor, load_model, open_table, predict_file
from fanin.tabular.files import csv_file
from fanin.tabular.files.reading import Reading

QUICK: dict[str, Any] = {"preset": "fast", "epochs": 2, "hidden": (8,), "random_state": 0}
GERMAN: dict[str, Any] = {"decimal": ",", "thousands": "."}
NUMBERS = [0.5, -1234.25, 1234567.0, 12345.678, 1e-7, 2.5e10, 0.0, 999.0, 1000.0, -0.125]


def written(number: float, decimal: str, thousands: str) -> str:
    text = f"{number:,.10g}" if abs(number) < 1e9 else f"{number:g}"
    return text.translate({ord(","): thousands, ord("."): decimal})


@pytest.fixture(params=[4 << 20, 3])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "BLOCK", request.param)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize(
    ("decimal", "thousands"), [(",", "."), (",", ""), (".", ","), (",", " "), (".", "'"), ("·", "_"), (",", "\u202f")]
)
def test_numbers_are_read_as_pandas_reads_them(tmp_path: Path, decimal: str, thousands: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a;b\n" + "".join(f"{written(n, decimal, thousands)};x\n" for n in NUMBERS), "utf-8")
    ours = open_table(path, decimal=decimal, thousands=thousands).read()["a"].cast(polars.Float64).to_list()
    assert ours == NUMBERS
    if (decimal + thousands).isascii():  # others pandas leaves to its slower parser
        theirs = pandas.read_csv(path, sep=";", decimal=decimal, thousands=thousands or None)
        assert ours == pytest.approx(theirs["a"].tolist(), rel=1e-15)


def test_a_space_between_thousands_may_be_one_that_does_not_break() -> None:
    texts = polars.Series(["1 234,5", "1\u00a0234,5", "1\u202f234\u202f567", "1  234", "1 23", "a b"])
    plain = Reading(decimal=",", thousands=" ").plain(texts)
    assert plain.to_list() == ["1234.5", "1234.5", "1234567", "1  234", "1 23", "a b"]


def test_what_is_no_number_stays_as_it_is(tmp_path: Path) -> None:
    texts = ["1.2.2024", "007,5", "1,5 kg", "1.23", "12.34.567", "1,2,3", "0.123", "1.234,5.6", "", "NaN", "1.234.5"]
    assert Reading(**GERMAN).plain(polars.Series(texts)).to_list() == texts
    path = tmp_path / "t.csv"
    path.write_text("n;code\n1,5;1,2,3\n")
    assert open_table(path, decimal=",").read().rows() == [("1.5", "1,2,3")]


def test_commas_may_part_fields_and_decimals_where_numbers_are_quoted(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n"1,5",x\n2,"y,1"\n')
    assert open_table(path, decimal=",").read().rows() == [("1.5", "x"), ("2", "y,1")]


def test_parquet_has_texts_like_these_too(tmp_path: Path) -> None:
    polars.DataFrame({"a": ["1,5", None], "b": [1.5, 2.5]}).write_parquet(tmp_path / "t.parquet")
    assert open_table(tmp_path / "t.parquet", decimal=",").read().rows() == [("1.5", 1.5), (None, 2.5)]


@pytest.mark.usefixtures("block")
def test_a_point_among_decimal_commas_is_at_fault_unless_it_is_said_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("height;place\n" + "3,14;52.123\n" * 3 + "1.234;52.123\n" + "2,5;52.123\n" * 2)
    reason = (
        "a point in a number, in a column of others with the decimal mark ','; if points part thousands, say so "
        "(thousands='.')"
    )
    table = open_table(path, decimal=",")
    if csv_file.BLOCK > 3:
        with pytest.raises(TableError) as caught:
            table.read()
        assert str(caught.value) == f"{path}, row 4, column \"height\": '1.234': {reason}"
        (piece,) = table.numbered_pieces(100, lenient=True)
        assert [(each.row, each.column, each.value) for each in piece.unusable] == [(4, "height", "1.234")]
    assert set(open_table(path, decimal=",").read(columns=["place"])["place"]) == {"52.123"}
    assert open_table(path, **GERMAN).read()["height"].to_list()[3:5] == ["1234", "2.5"]


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ({"decimal": ",,"}, r"decimal is one character.*not ',,'"),
        ({"decimal": ""}, "decimal is one character"),
        ({"decimal": "5"}, "decimal is one character"),
        ({"thousands": "-"}, "thousands is one character"),
        ({"separator": '"'}, "separator is one character"),
        ({"separator": "::"}, "separator is one character"),
        ({"separator": "·"}, "separator is a character of ASCII"),
        ({"thousands": "."}, "decimal and thousands are both '.'"),
    ],
)
def test_marks_that_cannot_be(tmp_path: Path, marks: dict[str, Any], message: str) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=message):
        open_table(tmp_path / "t.csv", **marks)


def test_the_separator_can_be_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a:b,c\n1:2\n")
    assert open_table(path, separator=":").read().to_dict(as_series=False) == {"a": ["1"], "b,c": ["2"]}
    with pytest.raises(TableError, match=r"has no separator ';' in its header: 'a:b,c'"):
        open_table(path, separator=";")
    path.write_text("a\n1\n")
    assert open_table(path, separator=";").read().rows() == [("1",)]


def test_a_model_keeps_how_its_table_was_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"x": rng.normal(0, 3000, 120).round(2), "k": rng.choice(["a", "b", "?"], 120)})
    frame["y"] = (frame["x"] / 1000).round(3)
    frame.to_csv(tmp_path / "plain.csv", index=False)
    marks = frame.assign(x=[written(x, ",", ".") for x in frame["x"]])
    marks.to_csv(tmp_path / "marks.csv", sep=";", decimal=",", index=False)

    plain = TabularRegressor(**QUICK).fit_file(tmp_path / "plain.csv", "y", missing=["?"])
    model = TabularRegressor(**QUICK).fit_file(tmp_path / "marks.csv", "y", missing=["?"], **GERMAN)
    assert model.about_ == {"table": str(tmp_path / "marks.csv"), "target": "y", "missing": ["?"], **GERMAN}
    predict_file(plain, tmp_path / "plain.csv", tmp_path / "expected.csv")
    model.save(tmp_path / "model")
    done = predict_file(load_model(tmp_path / "model"), tmp_path / "marks.csv", tmp_path / "found.csv")
    assert (done.left, done.unfamiliar) == (0, ())
    assert (tmp_path / "found.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()

    # What is given goes before what was kept; and a table in memory has no marks.
    told = predict_file(model, tmp_path / "plain.csv", tmp_path / "told.csv", decimal=".")
    assert told.left == 0
    assert (tmp_path / "told.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()
    assert model.fit(frame[["x"]], frame["y"]).about_ == {}
