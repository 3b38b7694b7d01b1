"""`fanin predict`: the same numbers as in memory, and one line for every bad input."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars
import pytest

from fanin.cli import main
from fanin.tabular import load_model, open_table
from tests.cli.conftest import PENGUINS, QUICK, Answer

Run = Callable[..., Answer]


@pytest.fixture
def new(tmp_path: Path) -> polars.DataFrame:
    """Return a few penguins without their species."""
    return open_table(PENGUINS).read().drop("species").head(12)


TEXTS = pytest.mark.filterwarnings("ignore::fanin.tabular.UnfamiliarWarning")  # that `read` leaves as they are


@TEXTS
def test_classes_with_their_probabilities(fanin: Run, penguins: Path) -> None:
    answer = fanin("predict", penguins, PENGUINS)
    assert (answer.status, answer.err) == (0, "")
    frame, table = polars.read_csv(io.StringIO(answer.out)), open_table(PENGUINS).read()
    model = load_model(penguins)
    expected = model.predict_proba(table.select(model.feature_names_in_.tolist()))
    names = ("Adelie", "Chinstrap", "Gentoo")
    assert frame.columns == ["prediction", *(f"probability of {name}" for name in names)]
    assert frame["prediction"].to_list() == [names[place] for place in expected.argmax(axis=1)]
    assert np.array_equal(frame.drop("prediction").to_numpy(), expected)  # to the bit
    assert (frame["prediction"] == table["species"]).mean() > 0.9


@TEXTS
def test_numbers_to_the_bit_with_interval_and_key(fanin: Run) -> None:
    rows = [f"k{n},{n * 0.37 % 5},{n % 7},{(n * 0.37 % 5) * 1e-3 / 3}" for n in range(100)]
    Path("t.csv").write_text("\n".join(["key,a,b,y", *rows]))
    assert fanin("train", "t.csv", "--target", "y", "--ignore", "key", *QUICK).status == 0
    asked = ("--keep", "key", "--interval", "0.8", "--out", "p.parquet")
    assert fanin("predict", "t.fanin", "t.csv", *asked) == Answer(0, "", "")
    written, model = polars.read_parquet("p.parquet"), load_model("t.fanin")
    X = open_table("t.csv").read().select("a", "b")
    assert written.columns == ["key", "prediction", "low", "high"]
    assert written["key"].to_list()[:2] == ["k0", "k1"]
    assert np.array_equal(written["prediction"].to_numpy(), model.predict(X))
    assert np.array_equal(written.select("low", "high").to_numpy(), model.predict_interval(X, 0.8))
    assert sorted(os.listdir()) == ["p.parquet", "t.csv", "t.fanin"]


def test_neither_the_target_nor_the_order_of_columns_matters(fanin: Run, penguins: Path, new: polars.DataFrame) -> None:
    new.write_csv("new.csv")
    new.select(reversed(new.columns)).with_columns(extra=polars.lit("?")).write_csv("other.csv")
    one, two = (fanin("predict", penguins, "new.csv"), fanin("predict", penguins, "other.csv"))
    assert one.status == two.status == 0
    assert one.out == two.out
    assert one.out.count("\n") == 13


def test_a_new_category_counts_as_unknown(fanin: Run, penguins: Path, new: polars.DataFrame) -> None:
    islands = ["Atlantis", "Torgersen", None, *["Torgersen"] * 9]
    new.with_columns(island=polars.Series(islands)).write_csv("new.csv")
    one = fanin("predict", penguins, "new.csv")
    new.with_columns(island=polars.Series([None, *islands[1:]])).write_csv("new.csv")
    assert fanin("predict", penguins, "new.csv") == Answer(0, one.out, "")
    assert one.status == 0
    assert one.err == (
        "fanin: note: new.csv, column \"island\": 'Atlantis' in 1 row, a category that training rows do not have: "
        "counted as missing\n"
    )


def test_numbers_far_outside_are_told_in_one_line_for_all_pieces(
    fanin: Run, penguins: Path, new: polars.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanin.tabular.files.predicting.ROWS", 64)
    many = polars.concat([new] * 20).with_columns(body_mass_g=polars.lit(4e6))
    many.write_parquet("new.parquet")
    answer = fanin("predict", penguins, "new.parquet", "--out", "p.csv")
    assert (answer.status, answer.out) == (0, "")
    start, end = 'fanin: note: new.parquet, column "body_mass_g": 4e+06 in 240 rows, far outside of ', " the same\n"
    assert [answer.err.startswith(start), answer.err.endswith(end), answer.err.count("\n")] == [True, True, 1]


def test_rows_that_cannot_be_used_are_told(fanin: Run, penguins: Path, new: polars.DataFrame) -> None:
    mass = [*new["body_mass_g"].to_list()[:-1], "heavy"]
    new.with_columns(body_mass_g=polars.Series(mass)).write_csv("new.csv")
    with open("new.csv", "a") as file:
        file.write("Torgersen,39.1\n")
    answer = fanin("predict", penguins, "new.csv", "--out", "p.csv", "--no-probabilities")
    assert (answer.status, answer.out) == (0, "")
    text, short, all_told = answer.err.splitlines()
    assert text.startswith("fanin: warning: new.csv, row 12, column \"body_mass_g\": 'heavy': a number is expected")
    assert short == "fanin: warning: new.csv, row 13 (line 14): 2 fields where the header has 7"
    assert all_told == "fanin: warning: new.csv: 2 of 13 rows could not be used and have no prediction"
    written = polars.read_csv("p.csv", null_values="")["prediction"]
    assert written.is_null().arg_true().to_list() == [11, 12]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda new: new.drop("sex"), 't.csv has no column "sex"'),
        (lambda new: new.select("sex"), "t.csv lacks 6 columns that the model was fitted on: "),
        (lambda new: new.clear(), "t.csv has a header but no rows"),
    ],
)
def test_tables_that_do_not_fit(
    fanin: Run, penguins: Path, new: polars.DataFrame, change: Callable[..., polars.DataFrame], expected: str
) -> None:
    change(new).write_csv("t.csv")
    refused(fanin("predict", penguins, "t.csv", "--out", "p.csv"), expected)
    assert os.listdir() == ["t.csv"]


def refused(answer: Answer, expected: str) -> None:
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith("fanin: " + expected), answer.err
    assert answer.err.count("\n") == 1


def test_files_and_folders_that_do_not_fit(fanin: Run, penguins: Path) -> None:
    Path("empty.csv").write_text("")
    os.mkdir("folder")
    refused(fanin("predict", penguins, "empty.csv"), "empty.csv is empty")
    refused(fanin("predict", penguins, "gone.csv"), "no such file: gone.csv")
    refused(fanin("predict", "gone", PENGUINS), "no such model folder: gone")
    refused(fanin("predict", "folder", PENGUINS), "folder is not a model that fanin saved")
    refused(fanin("predict", "empty.csv", PENGUINS), "empty.csv is not a model that fanin saved")
    refused(fanin("predict", penguins, PENGUINS, "--out", "folder"), "folder is a folder; --out needs a file")
    refused(fanin("predict", penguins, PENGUINS, "--out", "no/p.csv"), "no such folder: no")
    told = "predicted: predictions are written as .csv, .csv.gz or .parquet, by the ending of the file's name"
    refused(fanin("predict", penguins, PENGUINS, "--out", "predicted"), told)
    refused(fanin("predict", penguins, PENGUINS, "--out", "p.xls"), "p.xls")
    refused(fanin("predict", penguins, PENGUINS, "--interval", "0.9"), "predict_file: interval is for regressors")
    shutil.copy(PENGUINS, "t.csv.gz")
    refused(fanin("predict", penguins, "t.csv.gz", "--out", "t.csv.gz"), "t.csv.gz is the table itself")


def test_a_folder_that_must_not_be_written_to_is_told_before_the_work(
    fanin: Run, penguins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkdir("locked")
    monkeypatch.setattr(os, "access", lambda place, _: Path(place).name != "locked")
    told = "cannot be written: no permission to write in locked"
    refused(fanin("predict", penguins, PENGUINS, "--out", "locked/p.csv"), f"locked/p.csv {told}")
    refused(fanin("train", PENGUINS, "--target", "species", "--report", "locked/r.txt"), f"locked/r.txt {told}")


def test_a_missing_marker_of_training_holds_at_prediction(fanin: Run) -> None:
    rows = "".join(f"{'?' if n % 9 == 0 else n % 13},{'pq'[n % 2]}\n" for n in range(90))
    Path("t.csv").write_text("a,y\n" + rows)
    assert fanin("train", "t.csv", "--target", "y", "--missing", "?", *QUICK).status == 0
    assert fanin("predict", "t.fanin", "t.csv").err == ""
    assert "10 of 90 rows could not be used" in fanin("predict", "t.fanin", "t.csv", "--missing", "NA").err


def test_the_file_appears_whole_and_with_usual_permissions(fanin: Run, penguins: Path) -> None:
    Path("p.csv").write_text("old")
    assert fanin("predict", penguins, PENGUINS, "--out", "p.csv").status == 0
    assert len(Path("p.csv").read_text().splitlines()) == 345
    umask = os.umask(0)
    os.umask(umask)
    assert os.stat("p.csv").st_mode & 0o777 == 0o666 & ~umask
    assert os.listdir() == ["p.csv"]


def test_an_output_whose_encoding_lacks_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"{x % 17},{label}" for x, label in enumerate(["n\u00f6", "ja"] * 30)]
    Path("t.csv").write_text("\n".join(["gr\u00f6\u00dfe,y", *lines]) + "\n", encoding="utf-8")

    def printed(*arguments: str) -> bytes:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
            assert main(list(arguments)) == 0
            sys.stdout.flush()
            return bytes(sys.stdout.buffer.getvalue())  # type: ignore[attr-defined]

    told = printed("train", "t.csv", "--target", "y", "--out", "m", *QUICK)
    assert b"gr\\xf6\\xdfe" in told  # for people
    assert "probability of n\u00f6".encode() in printed("predict", "m", "t.csv")  # for programs
