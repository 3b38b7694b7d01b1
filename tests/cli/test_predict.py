"""`fanin predict`: the same numbers as in memory, and one line for every bad input."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars
import pytest

from fanin.tabular import load_model, read_table
from tests.cli.conftest import PENGUINS, Answer

Run = Callable[..., Answer]


@pytest.fixture
def new(tmp_path: Path) -> polars.DataFrame:
    """Return a few penguins without their species."""
    return read_table(PENGUINS).frame.drop("species").head(12)


def test_classes_with_their_probabilities(fanin: Run, penguins: Path) -> None:
    answer = fanin("predict", penguins, PENGUINS)
    assert (answer.status, answer.err) == (0, "")
    frame = polars.read_csv(io.StringIO(answer.out))
    expected = load_model(penguins).predict(read_table(PENGUINS))
    assert frame.columns == ["prediction", *(f"probability_{name}" for name in ("Adelie", "Chinstrap", "Gentoo"))]
    assert frame["prediction"].to_list() == expected.labels()
    assert np.array_equal(frame.drop("prediction").to_numpy(), expected.probabilities)  # to the bit
    assert (
        np.mean([one == two for one, two in zip(expected.labels(), read_table(PENGUINS).frame["species"], strict=True)])
        > 0.9
    )


def test_a_regression_round_trip_is_exact(fanin: Run) -> None:
    rows = [f"{n * 0.37 % 5},{n % 7},{(n * 0.37 % 5) * 1e-3 / 3}" for n in range(200)]
    Path("t.csv").write_text("\n".join(["a,b,y", *rows]))
    assert fanin("train", "t.csv", "--target", "y", "--epochs", 3).status == 0
    assert fanin("predict", "t.fanin", "t.csv", "--out", "p.csv") == Answer(0, "", "")
    written = polars.read_csv("p.csv", schema={"prediction": polars.Float64})["prediction"].to_numpy()
    assert np.array_equal(written, load_model("t.fanin").predict(read_table("t.csv")).values)
    assert sorted(os.listdir()) == ["p.csv", "t.csv", "t.fanin"]


def test_neither_the_target_nor_the_order_of_columns_matters(fanin: Run, penguins: Path, new: polars.DataFrame) -> None:
    new.write_csv("new.csv")
    new.select(reversed(new.columns)).with_columns(extra=polars.lit("?")).write_csv("other.csv")
    one, two = (fanin("predict", penguins, "new.csv"), fanin("predict", penguins, "other.csv"))
    assert one.status == two.status == 0
    assert one.out == two.out
    assert one.out.count("\n") == 13


def test_a_new_category_is_unknown_with_a_warning(fanin: Run, penguins: Path, new: polars.DataFrame) -> None:
    islands = polars.Series(["Atlantis", "Torgersen", "Atlantis", "Ruritania", *["Torgersen"] * 8])
    new.with_columns(island=islands).write_csv("new.csv")
    answer = fanin("predict", penguins, "new.csv")
    assert answer.status == 0
    assert answer.err == (
        'fanin: warning: column "island": 3 rows have levels that training did not see ("Atlantis", "Ruritania"), '
        "taken as unknown\n"
    )
    new.with_columns(island=polars.Series([None, "Torgersen", None, None, *["Torgersen"] * 8])).write_csv("new.csv")
    assert fanin("predict", penguins, "new.csv") == Answer(0, answer.out, "")


def damaged(new: polars.DataFrame, column: str, value: str) -> polars.DataFrame:
    return new.with_columns(polars.Series(column, [*new[column].cast(polars.String).to_list()[:-1], value]))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda new: new.drop("sex"), 't.csv has no column "sex", which the model was trained with'),
        (
            lambda new: new.rename({"island": "Island"}),
            't.csv has no column "island", which the model was trained with; did',
        ),
        (lambda new: new.select("sex"), "t.csv lacks 6 columns that the model was trained with: "),
        (
            lambda new: damaged(new, "body_mass_g", "heavy"),
            't.csv, column "body_mass_g", row 12: text where a number is expected: "heavy"\n',
        ),
        (
            lambda new: damaged(new, "year", "inf"),
            't.csv, column "year", row 12: a number that is infinite or too large',
        ),
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
    assert answer.err.startswith("fanin: " + expected)
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
    shutil.copy(PENGUINS, "t.csv.gz")
    refused(fanin("predict", penguins, "t.csv.gz", "--out", "t.csv.gz"), "t.csv.gz is the table itself")


def test_a_missing_marker_of_training_holds_at_prediction(fanin: Run) -> None:
    rows = "".join(f"{'?' if n % 9 == 0 else n % 13},{'pq'[n % 2]}\n" for n in range(90))
    Path("t.csv").write_text("a,y\n" + rows)
    assert fanin("train", "t.csv", "--target", "y", "--missing", "?", "--epochs", 1).status == 0
    assert fanin("predict", "t.fanin", "t.csv").status == 0


def test_the_file_appears_whole_and_with_usual_permissions(fanin: Run, penguins: Path) -> None:
    Path("p.csv").write_text("old")
    assert fanin("predict", penguins, PENGUINS, "--out", "p.csv").status == 0
    assert len(Path("p.csv").read_text().splitlines()) == 345
    umask = os.umask(0)
    os.umask(umask)
    assert os.stat("p.csv").st_mode & 0o777 == 0o666 & ~umask
    assert os.listdir() == ["p.csv"]
