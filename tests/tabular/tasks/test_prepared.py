"""A table in a file becomes a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

from fanin._core.errors import TableError
from fanin.tabular import TabularRegressor, open_table
from fanin.tabular.tasks import Options, Prepared, prepare, row_numbers, usable


def frame(rows: int = 100) -> polars.DataFrame:
    return polars.DataFrame(
        {
            "id": range(7, 7 + rows),
            "few": [row % 4 for row in range(rows)],
            "mixed": ["?" if row % 10 == 0 else str(row % 30) for row in range(rows)],
            "same": ["x"] * rows,
            "weight": [row % 3 for row in range(rows)],
            "day": [f"2024-01-{1 + row % 28:02}" for row in range(rows)],
            "y": [None if row == 5 else ("low", "high", "high", "high")[row % 4] for row in range(rows)],
        }
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    frame().write_csv(tmp_path / "t.csv")
    return tmp_path / "t.csv"


def ready(path: Path, target: str = "y", **options: Any) -> Prepared:
    return prepare(open_table(path), target, Options(**options))


def test_columns_are_told_with_what_they_become(path: Path) -> None:
    found = {column.name: column for column in ready(path, weight="weight", ignore=("few",)).columns}
    assert {name: column.kind for name, column in found.items() if column.kind != "left out"} == {
        "mixed": "number",
        "day": "date",
    }
    assert {name: column.becomes for name, column in found.items() if column.kind == "left out"} == {
        "id": "a row number",
        "few": "ignored, as asked for",
        "same": "one value in all rows",
        "weight": "the weight of the row",
    }
    assert (found["mixed"].missing, found["mixed"].distinct) == (0, 28)


def test_texts_that_are_numbers_become_numbers_unless_they_are_asked_for_as_levels(path: Path) -> None:
    assert ready(path).X["few"].dtype == polars.Float64
    prepared = ready(path, categories=("few",))
    assert prepared.X["few"].dtype == polars.Categorical
    assert next(column for column in prepared.columns if column.name == "few").kind == "category"


def test_a_marker_of_missing_values(path: Path) -> None:
    prepared = prepare(open_table(path, missing=["?"]), "y", Options())
    assert prepared.X["mixed"].dtype == polars.Float64
    assert next(column for column in prepared.columns if column.name == "mixed").missing == 10


def test_rows_are_split_by_classes_and_each_is_used_once(path: Path) -> None:
    prepared = ready(path, held_out=0.25, seed=3)
    assert (prepared.dropped, len(prepared.judged)) == (1, 25)
    assert sorted([*prepared.learned, *prepared.judged]) == list(range(99))
    shares = [np.mean(prepared.part(rows)[1] == "low") for rows in (prepared.learned, prepared.judged)]
    assert shares[0] == pytest.approx(shares[1], abs=0.02)
    assert ready(path, held_out=0.25, seed=3).judged.tolist() == prepared.judged.tolist()
    assert ready(path, held_out=0.25, seed=4).judged.tolist() != prepared.judged.tolist()
    assert len(ready(path, held_out=0.0).judged) == 0


def test_columns_and_target_stay_side_by_side(path: Path) -> None:
    prepared = ready(path, weight="weight")
    expected = frame().filter(polars.col("y").is_not_null())
    X, y = prepared.part(prepared.learned)
    assert y.tolist() == expected["y"].gather(prepared.learned).to_list()
    assert X["few"].to_list() == expected["few"].gather(prepared.learned).to_list()
    assert prepared.weights is not None
    assert prepared.weights.tolist() == expected["weight"].to_list()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ignore": ("fwe",)}, 'has no column "fwe"; did you mean "few"'),
        ({"categories": ("none",)}, 'has no column "none"'),
        ({"categories": ("y",)}, '"y" is the target, and --category is for columns to learn from'),
        ({"ignore": ("y",)}, '"y" is the target, and cannot be ignored, too'),
        ({"weight": "y"}, '"y" is the target, and cannot be the weight, too'),
        ({"held_out": 0.005}, "of 99 rows, a share of 0.005 leaves 98 to learn from and 1 to judge by: 10 and 2 are"),
        ({"held_out": 0.95}, "of 99 rows, a share of 0.95 leaves 5 to learn from and 94 to judge by: 10 and 2 are"),
        ({"weight": "mixed"}, 'column "mixed", row 1: text where a number is expected: "?"'),
        (
            {"ignore": ("few", "mixed", "day", "weight")},
            'has no column to learn "y" from: "id" is a row number, "few" is',
        ),
    ],
)
def test_options_that_do_not_fit(path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError) as caught:
        ready(path, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(("name", "left"), [("Unnamed: 0", True), ("__index_level_0__", True), ("number", False)])
def test_the_index_of_a_frame_is_a_row_number_with_gaps_too(tmp_path: Path, name: str, left: bool) -> None:
    rows = [3 * row + row % 2 for row in range(100)][::-1]
    frame().with_columns(polars.Series(name, rows)).write_csv(tmp_path / "t.csv")
    prepared = ready(tmp_path / "t.csv")
    assert (name not in prepared.X.columns) is left
    if left:
        assert next(each.becomes for each in prepared.columns if each.name == name) == "a row number"
        frame().with_columns(polars.Series(name, [row // 4 for row in rows])).write_csv(tmp_path / "t.csv")
        assert name in ready(tmp_path / "t.csv").X.columns


def test_weights_are_there_and_not_below_zero(tmp_path: Path) -> None:
    table = frame().with_columns(weight=polars.Series([-1.0, *[1.0] * 99]))
    table.write_csv(tmp_path / "t.csv")
    with pytest.raises(TableError, match='the weight "weight" is -1 in a row: weights are 0 or more'):
        ready(tmp_path / "t.csv", weight="weight")
    table.with_columns(weight=0).write_csv(tmp_path / "t.csv")
    with pytest.raises(TableError, match='the weight "weight" is 0 in all rows'):
        ready(tmp_path / "t.csv", weight="weight")
    table.with_columns(weight=polars.Series([None, *[1.0] * 99])).write_csv(tmp_path / "t.csv")
    with pytest.raises(TableError, match='the weight "weight" is missing in 1 rows that have a target'):
        ready(tmp_path / "t.csv", weight="weight")


def test_rows_that_a_model_can_use() -> None:
    X = polars.DataFrame({"a": np.arange(40.0), "b": [f"2024-01-{1 + n % 28:02}" for n in range(40)]})
    model = TabularRegressor("fast", epochs=1, hidden=(2,), random_state=0).fit(X, np.arange(40.0))
    new = polars.DataFrame({"a": ["1", "x", None, "2"], "b": ["2024-01-01", None, None, "soon"]})
    found, kept, said = usable(new, model, "new.csv")
    assert kept.to_list() == [True, False, True, False]
    assert found["a"].to_list() == [1.0, None]
    assert [line.split(" left out")[0] for line in said] == [
        'new.csv, column "a", row 2: "x"',
        'new.csv, column "b", row 4: "soon"',
    ]
    with pytest.raises(TableError, match=r'new\.csv, column "a", row 1: "x"'):
        usable(new[1:2], model, "new.csv")


def test_columns_that_hold_no_values_are_named(tmp_path: Path) -> None:
    frame().with_columns(pair=polars.lit([1, 2])).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r'(?s)t\.parquet: column "pair" has the type List\(.*leave the column out'):
        ready(tmp_path / "t.parquet")
    assert "pair" not in ready(tmp_path / "t.parquet", ignore=("pair",)).X.columns


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        (["1", "2", "3"], True),
        (["1", "2", "x"], False),
        ([5, 6, 8], False),
        ([3.0, 4.0, 5.0], True),
        (["3", None], False),
    ],
)
def test_what_counts_the_rows_counts_each_of_them(values: list[Any], counts: bool) -> None:
    assert row_numbers(polars.DataFrame({" ID ": values, "other": values})) == ([" ID "] if counts else [])
