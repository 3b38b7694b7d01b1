"""`fanin evaluate`: a report on a labelled table."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars
import pytest

from fanin.tabular import TabularRegressor, load_model, open_table
from tests.cli.conftest import PENGUINS, QUICK, Answer

Run = Callable[..., Answer]


def test_the_report_is_printed_and_written(fanin: Run, penguins: Path) -> None:
    asked = ("--train", PENGUINS, "--no-importance")
    answer = fanin("evaluate", penguins, PENGUINS, *asked, "--report", "r.html")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.startswith("TabularClassifier on 344 held-out rows\n")
    assert "boosted trees" in answer.out
    assert answer.out.endswith("Done\n  report  r.html\n\n")
    assert Path("r.html").read_text().lower().startswith("<!doctype html>")
    assert os.listdir() == ["r.html"]


@pytest.mark.filterwarnings("ignore::fanin.tabular.UnfamiliarWarning")  # `read` leaves texts as they are
def test_scores_are_those_of_the_model(fanin: Run, penguins: Path) -> None:
    assert fanin("evaluate", penguins, PENGUINS, "--no-importance", "--report", "r.json").status == 0
    report = json.loads(Path("r.json").read_text())
    table, model = open_table(PENGUINS).read(), load_model(penguins)
    right = model.predict(table.select(model.feature_names_in_.tolist())) == table["species"].to_numpy()
    ours = {score["name"]: score["value"] for score in report["scores"] if score["method"] == "this model"}
    assert ours["accuracy"] == pytest.approx(right.mean(), abs=1e-12)
    assert ours["accuracy"] > 0.9


def test_numbers_labels_and_other_names(fanin: Run) -> None:
    rows = [(n % 11, n % 3, 3 * (n % 11) + n % 3 + 0.5) for n in range(80)]
    frame = polars.DataFrame(rows, ["a", "b", "y"], orient="row")
    frame.write_csv("t.csv")
    assert fanin("train", "t.csv", "--target", "y", *QUICK).status == 0
    frame.rename({"y": "truth"}).with_columns(a=polars.col("a").cast(polars.String).replace("4", "four")).write_csv(
        "n.csv"
    )
    refused(fanin("evaluate", "t.fanin", "n.csv"), 'n.csv has no column "y"')
    answer = fanin("evaluate", "t.fanin", "n.csv", "--target", "truth", "--no-importance")
    assert answer.status == 0
    assert answer.out.startswith("TabularRegressor on 73 held-out rows\n")
    assert answer.err == (
        'fanin: warning: n.csv, column "a", row 5: "four" (and in 6 more) left out: a number is expected, as in all '
        "rows learned from\n"
    )
    # Classes that are whole numbers in training are the same classes when they are written otherwise.
    assert fanin("train", "t.csv", "--target", "b", "--out", "b", *QUICK).status == 0
    frame.with_columns(polars.col("b").cast(polars.Float64)).write_parquet("n.parquet")
    answer = fanin("evaluate", "b", "n.parquet", "--no-importance", "--report", "r.json")
    assert answer.status == 0
    assert json.loads(Path("r.json").read_text())["labels"] == ["0", "1", "2"]


def refused(answer: Answer, expected: str) -> None:
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith("fanin: " + expected), answer.err
    assert answer.err.count("\n") == 1


def test_bad_input(fanin: Run, penguins: Path) -> None:
    table = open_table(PENGUINS).read()
    table.drop("sex").write_csv("t.csv")
    refused(fanin("evaluate", penguins, "t.csv"), 't.csv has no column "sex"')
    table.with_columns(species=polars.lit("")).write_csv("t.csv")
    refused(fanin("evaluate", penguins, "t.csv"), 't.csv: the target "species" is missing in all rows')
    table.with_columns(species=polars.lit("Emperor")).write_csv("t.csv")
    unknown = 't.csv: no row has a class that the model knows: the target "species" has "Emperor", the model "Adelie"'
    refused(fanin("evaluate", penguins, "t.csv", "--no-importance"), unknown)
    refused(fanin("evaluate", penguins, PENGUINS, "--train", "t.csv"), unknown)
    table.head(1).write_csv("t.csv")
    refused(fanin("evaluate", penguins, "t.csv"), "t.csv: 1 row with a target can be used; at least 2 are needed")
    refused(fanin("evaluate", penguins, PENGUINS, "--report", "r.doc"), "r.doc: a report ends in .html, .txt, .json")
    refused(fanin("evaluate", "gone", PENGUINS), "no such model folder: gone")


def test_models_that_a_file_does_not_suit(fanin: Run) -> None:
    x, quick = np.arange(40.0)[:, None], {"epochs": 1, "hidden": (2,), "random_state": 0}
    TabularRegressor("fast", **quick).fit(x, x[:, 0]).save("nameless")
    refused(fanin("evaluate", "nameless", PENGUINS), "nameless was trained with columns without names")
    frame = polars.DataFrame({"x": x[:, 0]})
    TabularRegressor("fast", **quick).fit(frame, np.hstack([x, -x])).save("two")
    refused(fanin("evaluate", "two", PENGUINS), "two predicts 2 targets")
    TabularRegressor("fast", **quick).fit(frame, x[:, 0]).save("one")
    refused(fanin("evaluate", "one", PENGUINS), "one does not say what its target was called: name it with --target")


def test_true_and_false_are_the_same_in_all_files(fanin: Run) -> None:
    frame = polars.DataFrame({"a": [n % 11 for n in range(80)], "b": [n % 3 == 0 for n in range(80)]})
    frame = frame.with_columns(y=polars.col("a") > 5)
    frame.write_parquet("t.parquet")
    Path("t.csv").write_text(frame.write_csv().replace("true", "TRUE").replace("false", "FALSE"))
    for source, other in (("t.csv", "t.parquet"), ("t.parquet", "t.csv")):
        assert fanin("train", source, "--target", "y", "--out", "m", *QUICK).status == 0
        one, two = (fanin("evaluate", "m", name, "--no-importance") for name in (source, other))
        assert (two.status, two.err) == (0, "")
        assert two.out == one.out
        one, two = (fanin("predict", "m", name) for name in (source, other))
        assert (two.status, two.out, two.err) == (0, one.out, "")


def test_columns_of_another_type_are_named_with_their_file(fanin: Run) -> None:
    days = polars.date_range(polars.date(2020, 1, 1), polars.date(2020, 3, 20), eager=True)
    frame = polars.DataFrame({"day": days, "a": [float(n % 11) for n in range(80)]}).with_columns(y=polars.col("a") > 5)
    frame.write_parquet("t.parquet")
    assert fanin("train", "t.parquet", "--target", "y", *QUICK).status == 0
    for name, values, kind in (
        ("a", "day", "Date"),
        ("day", "a", "Float64"),
        ("a", polars.concat_list("a"), "List(Float64)"),
        ("a", polars.col("a").cast(polars.String).cast(polars.Binary), "Binary"),
    ):
        frame.with_columns((polars.col(values) if isinstance(values, str) else values).alias(name)).write_parquet(
            "n.pq"
        )
        expected = (
            f'n.pq, column "{name}" has the type {kind}, where training had a {"date" if name == "day" else "number"}'
        )
        refused(fanin("evaluate", "t.fanin", "n.pq"), expected)
        refused(fanin("predict", "t.fanin", "n.pq"), expected)
    frame.with_columns(a=None, day=polars.col("day").cast(polars.Datetime)).write_parquet("n.pq")
    assert fanin("predict", "t.fanin", "n.pq").status == 0


@pytest.mark.parametrize("seed", ["-1", str(2**32), "x"])
def test_seeds_that_are_none(fanin: Run, penguins: Path, seed: str) -> None:
    for command in (("train", PENGUINS, "--target", "species"), ("evaluate", penguins, PENGUINS)):
        answer = fanin(*command, "--seed", seed)
        assert (answer.status, answer.err.count("\n")) == (2, 1)
        assert "--seed" in answer.err


def test_rows_are_weighted(fanin: Run) -> None:
    """By the column of training where the table has it, or by another."""
    rows = [(n % 11, n % 3, 1 + n % 4, n % 2, 3 * (n % 11) + n % 3 + 0.5) for n in range(80)]
    frame = polars.DataFrame(rows, ["a", "b", "w", "v", "y"], orient="row")
    frame.write_csv("t.csv")
    frame.drop("w").write_csv("n.csv")
    asked = ("--ignore", "v", "--weight", "w", *QUICK)
    assert fanin("train", "t.csv", "--target", "y", *asked).out.count("weighted held-out rows") == 1
    model = load_model("t.fanin")
    X = frame.select(polars.col("a", "b").cast(polars.Float64))
    errors = (model.predict(X) - frame["y"].to_numpy()) ** 2
    # The table, what is asked for, the weights that count, what the report begins with, the training rows.
    for table, more, weights, words in (
        ("t.csv", (), frame["w"].to_numpy(), "80 weighted held-out rows"),
        ("t.csv", ("--weight", "v", "--train", "t.csv"), frame["v"].to_numpy(), "40 weighted held-out rows (40"),
        ("n.csv", ("--train", "t.csv"), None, "80 held-out rows"),
    ):
        answer = fanin("evaluate", "t.fanin", table, *more, "--no-importance", "--report", "r.json")
        assert (answer.status, answer.err) == (0, "")
        assert answer.out.startswith("TabularRegressor on " + words)
        report = json.loads(Path("r.json").read_text())
        own = {each["name"]: each["value"] for each in report["scores"] if each["method"] == "this model"}
        assert own["RMSE"] == pytest.approx(np.average(errors, weights=weights) ** 0.5)
    refused(fanin("evaluate", "t.fanin", "n.csv", "--weight", "w"), 'n.csv has no column "w"')
    frame.with_columns(w=-polars.col("w")).write_csv("n.csv")
    refused(fanin("evaluate", "t.fanin", "n.csv"), 'n.csv: the weight "w" is -4 in a row: weights are 0 or more')
