"""Values unlike those of fit: which are told, with how many rows, and which are nothing new."""

from __future__ import annotations

import datetime
import json
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest

from fanin.tabular.inputs import Encoder
from fanin.tabular.inputs.unfamiliar import Unfamiliar, message

ROWS = 60


def columns() -> dict[str, list[Any]]:
    day = datetime.date(2020, 1, 1)
    return {
        "area": [20.0 + row for row in range(ROWS)],
        "two": [row % 2 for row in range(ROWS)],
        "flag": [row % 3 == 0 for row in range(ROWS)],
        "few": ["red" if row % 2 else "blue" for row in range(ROWS)],
        "many": [f"level {row % 15}" for row in range(ROWS)],
        "day": [day + datetime.timedelta(days=row) for row in range(ROWS)],
        "name": [f"name {row}" for row in range(ROWS)],
        "mixed": ["none" if row % 10 == 0 else row for row in range(ROWS)],
        "constant": ["here"] * ROWS,
    }


def told(new: Any, learned: Any = None) -> list[Unfamiliar]:
    encoder = Encoder().fit(pandas.DataFrame(columns()) if learned is None else learned)
    again = Encoder.from_dict(json.loads(json.dumps(encoder.to_dict(), allow_nan=False)))
    found: list[list[Unfamiliar]] = [[], []]
    for one, strange in zip((encoder, again), found, strict=True):
        one.transform(new, strange)
    assert found[0] == found[1], "a saved encoder tells something else"
    return found[0]


def changed(**values: Any) -> Any:
    return pandas.DataFrame(columns()).assign(**values)


def summary(found: list[Unfamiliar]) -> list[tuple[Any, ...]]:
    return [(each.column, each.kind, each.values, each.rows) for each in found]


def test_rows_of_fit_are_familiar() -> None:
    table = pandas.DataFrame(columns())
    assert told(table) == []
    assert told(table[::7]) == []
    assert told(table.astype({"area": "float32", "two": float, "few": "category"})) == []
    assert told(changed(few=None, area=np.nan, day=pandas.NaT, two=np.nan, flag=None)) == []


@pytest.mark.parametrize("library", ["polars", "arrow"])
def test_the_same_values_are_familiar_in_any_library(library: str) -> None:
    table = {name: values for name, values in columns().items() if name != "mixed"}
    one = polars.DataFrame(table) if library == "polars" else pyarrow.table(table)
    assert told(one, pandas.DataFrame(table)) == []
    assert told(pandas.DataFrame(table), one) == []


def test_new_categories() -> None:
    few = ["green", "green", "grey", None, *columns()["few"][4:]]
    (found,) = told(changed(few=few))
    assert summary([found]) == [('column "few"', "category", ("'green'", "'grey'"), 3)]
    assert "counted as missing" in found.what
    (found,) = told(changed(many=[f"new {row}" for row in range(ROWS)]))
    assert (found.kind, len(found.values), found.rows) == ("category", 4, ROWS)
    assert str(found).startswith(
        "column \"many\": 'new 0', 'new 1', 'new 2', ... in 60 rows, categories that training rows"
    )


def test_texts_that_were_never_all_levels_are_nothing_new() -> None:
    assert told(changed(name=[f"other {row}" for row in range(ROWS)])) == []
    assert told(changed(constant="there")) == []


def test_texts_among_numbers() -> None:
    mixed = ["lost", 1000, *columns()["mixed"][2:]]
    assert summary(told(changed(mixed=mixed))) == [
        ('column "mixed"', "category", ("'lost'",), 1),
        ('column "mixed"', "number", ("1000",), 1),
    ]


# The ends of the range are 20 and 79, and it is 59 wide: what is told lies beyond -39 and 138.
@pytest.mark.parametrize(("value", "is_told"), [(138.0, False), (139.0, True), (-39.0, False), (-40.0, True)])
def test_numbers_far_outside_of_the_range(value: float, is_told: bool) -> None:
    found = told(changed(area=[value, value, *columns()["area"][2:]]))
    assert summary(found) == ([('column "area"', "number", (f"{value:g}",), 2)] if is_told else [])
    assert not is_told or "far outside of 20 to 79" in found[0].what


def test_infinity_is_told_unless_it_was_learned_from() -> None:
    endless = [np.inf, *columns()["area"][1:]]
    assert summary(told(changed(area=endless))) == [('column "area"', "number", ("inf",), 1)]
    assert told(changed(area=endless), changed(area=endless)) == []


def test_another_value_beside_two() -> None:
    two = [2, 0.5, None, *columns()["two"][3:]]
    (found,) = told(changed(two=two))
    assert summary([found]) == [('column "two"', "number", ("2", "0.5"), 2)]
    assert "0 and 1 only" in found.what


def test_dates_far_outside_are_written_as_dates() -> None:
    day = [datetime.date(2031, 5, 6), *columns()["day"][1:]]
    (found,) = told(changed(day=day))
    assert summary([found]) == [('column "day"', "number", ("2031-05-06",), 1)]
    assert "2020-01-01 to 2020-02-29" in found.what


def test_times_of_day_far_outside_are_written_as_times() -> None:
    times = [f"9:{minute:02}" for minute in range(ROWS)]
    (found,) = told(changed(day=["23:30", *times[1:]]), changed(day=times))
    assert summary([found]) == [('column "day"', "number", ("23:30",), 1)]
    assert "09:00 to 09:59" in found.what


@pytest.mark.parametrize(
    ("name", "values", "what"),
    [
        ("area", [str(value) for value in columns()["area"]], "texts where training rows have numbers; read as num"),
        ("area", [True, False] * 30, "flags where training rows have numbers; read as numbers"),
        ("many", [1.5] * 60, "numbers where training rows have texts; each is the category that is written so"),
    ],
)
def test_types_that_have_changed(name: str, values: list[Any], what: str) -> None:
    found = [each for each in told(changed(**{name: values})) if each.kind == "type"]
    assert len(found) == 1
    assert (found[0].column, found[0].rows) == (f'column "{name}"', ROWS)
    assert found[0].what.startswith(what)


def test_values_of_another_type_are_told_once_each() -> None:
    (found,) = told(changed(area=[True, False] * 30))
    assert found.values == ("True", "False")
    (found,) = told(changed(area=pandas.array([True, None] * 30, dtype="boolean")))
    assert (found.values, found.rows) == (("True",), 30)


def test_flags_and_their_numbers_are_the_same() -> None:
    assert (
        told(changed(flag=[int(value) for value in columns()["flag"]], two=[bool(v) for v in columns()["two"]])) == []
    )


def test_dates_and_their_texts_are_the_same() -> None:
    texts, dates = changed(day=list(map(str, columns()["day"]))), changed(day=pandas.to_datetime(columns()["day"]))
    for learned, new in [(texts, dates), (dates, texts), (texts, changed()), (changed(), dates)]:
        assert told(new, learned) == []


def test_of_few_rows_no_range_is_known() -> None:
    few = pandas.DataFrame(columns()).head(19)
    assert told(changed(area=1e9), few)[0].kind == "category"  # levels are known nevertheless
    assert "number" not in {each.kind for each in told(changed(area=1e9, two=7), few)}


def test_ranges_widen_with_rows_that_are_learned_from_later() -> None:
    encoder = Encoder().fit(pandas.DataFrame(columns()))
    later = changed(area=[500.0, *columns()["area"][1:]], two=[3, *columns()["two"][1:]])
    encoder.widen(later)
    found: list[Unfamiliar] = []
    encoder.transform(changed(area=900.0, two=2), found)
    assert found == []
    encoder.transform(changed(area=[-461.0, 981.0] * 30), found)  # of 20 to 500, which is 480 wide
    assert summary(found) == [('column "area"', "number", ("-461", "981"), 60)]


def test_arrays_of_any_dtype() -> None:
    for dtype in ("float32", "float16", "int16", "uint8", "bool", object):
        values = (np.arange(120).reshape(60, 2) % 100).astype(dtype)
        assert told(values, values) == []
    values = np.arange(120, dtype=np.uint8).reshape(60, 2)
    assert {each.column for each in told(np.full((1, 2), 510.0), values)} == {"column 0", "column 1"}


def test_a_message_names_ten_columns_at_most() -> None:
    many = [Unfamiliar(f'column "{number}"', "number", ("9",), 1, "far") for number in range(14)]
    text = message(many, "TabularRegressor")
    assert text.startswith('X has values unlike those that this TabularRegressor has learned from.\n- column "0": 9 in')
    assert text.count("\n- ") == 11
    assert text.endswith("- and 4 more")
