"""What a column is told to hold, and the errors for numbers mixed with texts."""

from __future__ import annotations

import datetime

import polars
import pytest

from fanin._core.errors import TableError
from fanin.tabular import Table
from fanin.tabular.kinds import describe
from fanin.tabular.values import column, days, nearest, numbers


def table(values: list[object], name: str = "x") -> Table:
    return Table("t.csv", polars.DataFrame({name: values}, strict=False))


REMEDY = (
    '{count}; leave missing values empty, or pass --missing "{text}", or --category "x" to read the column as levels'
)
NUMBERS = [str(n / 2) for n in range(40)]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2.5", "+3", ".5", "1e-3", " 7 "], "number"),
        ([1, 2, 3], "number"),
        ([1.5, None], "number"),
        ([datetime.timedelta(hours=1), datetime.timedelta(hours=2)], "number"),
        (["1"] * 500 + ["x", "y"], "category"),  # the whole file is looked at, not the first rows
        (["true", "FALSE", None], "flag"),
        ([True, False], "flag"),
        (["2024-02-29", "2023-01-01"], "date"),
        (["2024/02/29", "2023/01/01"], "date"),
        (["2024-02-29 17:30", "2023-01-01T08:00:01.5", "2023-01-01T08:00:01Z"], "date"),
        (["2023-02-29", "2023-01-01"], "category"),  # no such day, and too few dates to call it a mistake
        ([datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)], "date"),
        ([datetime.datetime(2024, 1, 1, 5), datetime.datetime(2024, 1, 2)], "date"),
        ([datetime.time(1, 2), datetime.time(3, 4)], "date"),
        (["NA", "None", "x"], "category"),
        (["1", "2", "3+"], "category"),
        (["", "x"], "category"),
    ],
)
def test_kind(values: list[object], kind: str) -> None:
    assert describe(table(values), "x").kind == kind


@pytest.mark.parametrize(
    ("values", "name", "note"),
    [
        (["a"] * 30, "x", "one value in all rows"),
        ([None, None], "x", "empty"),
        ([f"name {n}" for n in range(60)], "x", "a text that differs in most rows"),
        ([str(n) for n in range(60)], "Id", "a row number"),
        ([str(n) for n in range(1, 61)], "", "a row number"),
    ],
)
def test_left_out(values: list[object], name: str, note: str) -> None:
    found = describe(table(values, name), name)
    assert (found.kind, found.note) == ("left out", note)


def test_a_number_that_counts_up_is_used_unless_its_name_says_what_it_is() -> None:
    assert describe(table([str(n) for n in range(60)], "year"), "year").kind == "number"


def test_one_value_and_gaps_say_something() -> None:
    assert describe(table(["5", None, "5"]), "x").kind == "number"


def test_counts() -> None:
    found = describe(table(["a", "b", None, "a", "c"] * 5), "x")
    assert (found.missing, found.distinct) == (5, 3)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            [*NUMBERS, "NA", "1", "NA"],
            't.csv, column "x", row 41: text where a number is expected: "NA" (and in 1 more row); '
            + REMEDY.format(count="41 of its 43 values are numbers", text="NA"),
        ),
        (
            [f"2024-01-{n:02}" for n in range(1, 30)] + ["soon"],
            't.csv, column "x", row 30: text where a date is expected: "soon"; '
            + REMEDY.format(count="29 of its 30 values are dates", text="soon"),
        ),
        ([*NUMBERS, "nan"], 't.csv, column "x", row 41: text where a number is expected: "nan"'),
        ([*NUMBERS, "inf"], 't.csv, column "x", row 41: a number that is infinite or too large: "inf"'),
        ([*NUMBERS, "-1e999"], 't.csv, column "x", row 41: a number that is infinite or too large: "-1e999"'),
    ],
)
def test_a_few_texts_among_numbers_are_refused(values: list[object], expected: str) -> None:
    with pytest.raises(TableError) as caught:
        describe(table(values), "x")
    assert str(caught.value).startswith(expected)


def test_levels_on_request() -> None:
    assert describe(table([*NUMBERS, "NA"] * 3), "x", as_category=True).kind == "category"


def test_a_type_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(TableError, match=r'column "x" has the type List.*--ignore "x"'):
        describe(table([[1, 2], [3]]), "x")


def test_no_such_column_suggests_the_nearest() -> None:
    two = Table("t.csv", polars.DataFrame({"price": [1], "Carat": [2]}))
    with pytest.raises(TableError, match=r't.csv has no column "prise"; did you mean "price"\?'):
        column(two, "prise")
    with pytest.raises(TableError, match=r'has no column "CARAT"; did you mean "Carat"\?'):
        column(two, "CARAT")
    with pytest.raises(TableError, match='has no column "zzz"; its columns are "price", "Carat"'):
        column(two, "zzz")
    assert nearest("zzz", [f"c{n}" for n in range(20)]).endswith('"c11" and 8 more')


def test_values_at_prediction_are_refused_with_row_and_value() -> None:
    with pytest.raises(TableError, match=r'column "x", row 2: text where a number is expected: "low"$'):
        numbers(table(["1", "low", "2"]), "x")
    with pytest.raises(TableError, match=r'column "x", row 1: text where a date is expected: "12"$'):
        days(table(["12"]), "x")


def test_days_since_1970() -> None:
    assert days(table(["1970-01-02", "1969-12-31T12:00:00Z", None]), "x").to_list() == [1.0, -0.5, None]
    assert days(table([datetime.time(6, 0)]), "x").to_list() == [0.25]
