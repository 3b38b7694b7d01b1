"""Encoding: values worked by hand, unknown levels, and that no row but the training rows shapes it."""

from __future__ import annotations

import numpy as np
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin._core.errors import TableError
from fanin.tabular import Table
from fanin.tabular.columns import Encoded, LevelPlan, NumberPlan, Scale, encode, fit_plans, smooth_clip
from fanin.tabular.kinds import describe


def table(**columns: list[object]) -> Table:
    return Table("t.csv", polars.DataFrame(columns, strict=False))


def fit(data: Table, rows: list[int] | None = None, as_category: bool = False) -> tuple[NumberPlan | LevelPlan, ...]:
    found = [describe(data, name, as_category) for name in data.names]
    return fit_plans(data, found, np.array(range(data.rows) if rows is None else rows))


def encoded(data: Table) -> Encoded:
    return encode(data, fit(data))


def test_numbers_become_distances_from_the_median_in_interquartile_ranges() -> None:
    # Quartiles of 1 2 3 4 500 are 2, 3 and 4.
    assert encoded(table(x=[1, 2, 3, 4, 500])).numbers[:, 0].tolist() == [-1.0, -0.5, 0.0, 0.5, 248.5]


def test_half_the_range_where_the_quartiles_are_equal() -> None:
    assert Scale.fit(np.array([0.0] * 9 + [4.0])) == Scale(0.0, 0.5)
    assert Scale.fit(np.array([7.0, 7.0])) == Scale(7.0, 0.0)
    assert Scale.fit(np.array([np.nan])) == Scale(0.0, 0.0)


def test_a_missing_number_is_the_median_and_is_told() -> None:
    assert encoded(table(x=[1, 2, 3, 4, 500, None])).numbers[-1].tolist() == [0.0, 1.0]
    plans = fit(table(x=[1, 2, 3, 4, 500]))
    assert encode(table(x=[None, 3]), plans).numbers.tolist() == [[0.0], [0.0]]


def test_few_levels_become_one_input_each_and_two_become_one() -> None:
    result = encoded(table(x=["b", "a", "c", None]))
    assert result.numbers.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert encoded(table(x=["no", "yes", None, "no"])).numbers[:, 0].tolist() == [1, -1, 0, 1]
    assert encoded(table(x=["True", "false", None])).numbers[:, 0].tolist() == [-1, 1, 0]


def test_many_levels_become_an_index_from_1() -> None:
    levels = [f"level {n:02}" for n in range(60)]
    data = table(x=levels * 3)
    result = encode(table(x=["level 00", "level 59", "other", None]), fit(data))
    assert result.codes.tolist() == [[1], [60], [0], [0]]
    assert result.numbers.shape == (4, 0)


def test_unknown_levels_are_counted_and_named() -> None:
    plans = fit(table(x=["a", "b", "c"] * 4, y=["1", "2", "3"] * 4), as_category=True)
    result = encode(table(x=["a", "z", "q", "z"], y=["1", "1", "1", None]), plans)
    (unknown,) = result.unknown
    assert (unknown.name, unknown.rows, unknown.levels) == ("x", 3, ("z", "q"))
    assert result.numbers[1].tolist() == [0, 0, 0, 1, 0, 0]


def test_a_date_becomes_days_and_the_cycles_that_it_goes_round() -> None:
    week = encode(table(when=["1970-01-01", None]), fit(table(when=[f"2024-01-{n:02}" for n in range(1, 29)])))
    # 1970-01-01 stands at the start of every cycle; a missing date in the middle of the circle.
    assert week.numbers[:, 1:].tolist() == [[0, 1], [0, 0]]
    for cycles, dates in {
        (): ["2024-01-01", "2024-01-08", "2024-01-15"],  # all of them Mondays
        ("week",): ["2024-01-01", "2024-01-09", "2024-01-15"],
        ("year",): ["2024-01-01", "2024-07-01", "2025-01-06"],
        ("year", "week"): ["2024-01-01", "2024-07-01", "2025-01-05"],
        ("week", "day"): ["2024-01-01 08:00", "2024-01-09 17:00", "2024-01-15 08:00"],
    }.items():
        (plan,) = fit(table(when=dates))
        assert isinstance(plan, NumberPlan)
        assert plan.cycles == cycles
        assert plan.width == 1 + 2 * len(cycles) == encode(table(when=dates), (plan,)).numbers.shape[1]


def test_a_column_without_a_value_in_the_training_rows() -> None:
    data = table(when=[None, None, "2024-01-01"], x=[None, None, 3.0], c=[None, None, "a"])
    plans = fit(data, rows=[0, 1])
    assert [plan.width for plan in plans] == [1, 1, 0]
    assert encode(data, plans).numbers.tolist() == [[1, 1], [1, 1], [0, 0]]


def test_no_row_but_the_training_rows_shapes_the_plans() -> None:
    rng = np.random.default_rng(0)
    columns = {"n": rng.normal(size=50).tolist(), "c": [f"l{n % 12}" for n in range(50)], "g": [1.0, None] * 25}
    rows = list(range(0, 50, 2))
    data = table(**columns)
    found = [describe(data, name) for name in data.names]
    plans = fit_plans(data, found, np.array(rows))
    for row in range(1, 50, 2):
        columns["n"][row], columns["c"][row], columns["g"][row] = (1e9, "only held out", 77.0)
    assert fit_plans(table(**columns), found, np.array(rows)) == plans
    columns["n"][0] = 1e9
    assert fit_plans(table(**columns), found, np.array(rows)) != plans


def test_a_level_that_only_held_out_rows_have_is_unknown() -> None:
    data = table(x=["a", "b", "c", "d"])
    (plan,) = fit(data, rows=[0, 1, 2])
    assert isinstance(plan, LevelPlan)
    assert plan.levels == ("a", "b", "c")


def test_missing_columns_are_named() -> None:
    plans = fit(table(price=[1, 2], cut=["a", "b"], colour=["c", "d"]))
    with pytest.raises(
        TableError, match=r'has no column "cut", which the model was trained with; did you mean "Cut"\?'
    ):
        encode(table(price=[1], Cut=["a"], colour=["c"]), plans)
    with pytest.raises(TableError, match='lacks 2 columns that the model was trained with: "cut", "colour"'):
        encode(table(price=[1]), plans)


def test_further_columns_and_their_order_do_not_matter() -> None:
    plans = fit(table(a=[1, 2, 3], b=["x", "y", "z"]))
    plain = encode(table(a=[1, 2], b=["x", "z"]), plans)
    other = encode(table(extra=["?", "!"], b=["x", "z"], a=["1", "2.0"]), plans)
    assert np.array_equal(plain.numbers, other.numbers)


@given(st.lists(st.floats(-1e100, 1e100) | st.none(), min_size=2, max_size=30))
def test_whatever_the_numbers_the_inputs_are_finite(values: list[float | None]) -> None:
    data = table(x=[*values, 0.0, 1.0])
    inputs = smooth_clip(encoded(data).numbers)
    assert inputs.dtype == np.float32
    assert np.isfinite(inputs).all()
    assert (np.abs(inputs) <= 3.0001).all()


@given(st.lists(st.sampled_from(["one", "two", "three", "other", "", "Two"]) | st.none(), min_size=1, max_size=30))
def test_whatever_the_levels_each_row_has_one_or_none(values: list[str | None]) -> None:
    result = encode(table(x=values), (LevelPlan("x", "category", ("one", "three", "two")),))
    expected = [[value == "one", value == "three", value == "two"] for value in values]
    assert result.numbers.tolist() == expected
    assert sum(each.rows for each in result.unknown) == sum(value in ("other", "", "Two") for value in values)
