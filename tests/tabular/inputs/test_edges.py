"""Edges of what columns become: ties, shares of what is known, and columns beside others that are left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fanin.tabular.inputs import Encoder
from fanin.tabular.inputs.dates import first_of
from fanin.tabular.inputs.plans import plan_days
from fanin.tabular.inputs.summary import summarise


def rows(*columns: Any) -> list[tuple[Any, ...]]:
    return list(zip(*columns, strict=True))


def test_what_is_no_date_either_way_does_not_say_what_stands_first() -> None:
    assert first_of(["45/12/2024", "12/31/2024"]) == "month"
    assert first_of(["12/45/2024", "31/12/2024"]) == "day"


def test_dates_of_one_weekday_have_no_week() -> None:
    assert plan_days(np.arange(0.0, 70.0, 7.0)).parts == ("days",)
    assert plan_days(np.arange(0.0, 70.0, 6.0)).parts == ("days", "sin week", "cos week")
    assert plan_days(np.arange(0.0, 6.0)).parts == ("days",)


@pytest.mark.parametrize("order", [1, -1])
def test_of_texts_that_are_as_frequent_the_first_by_name_are_levels(order: int) -> None:
    texts = ["d", "c", "b", "a"][::order] * 3 + ["e"] * 4
    plan = Encoder(max_levels=3).fit(rows(texts)).plans[0]
    assert plan.levels == ("a", "b", "e")


def test_tails_are_heavy_by_what_is_known() -> None:
    """Three of 200 known values are far out, which of 500 rows would be less than a hundredth."""
    known = np.concatenate([np.linspace(-1, 1, 197), [90.0, 95.0, 99.0]])
    gaps = np.full(300, np.nan)
    assert summarise(np.concatenate([known, gaps])[:, None]).heavy.tolist() == [True]
    assert summarise(np.concatenate([known, np.linspace(-1, 1, 300)])[:, None]).heavy.tolist() == [False]


def test_numbers_among_texts_have_the_frequency_of_missing_ones() -> None:
    column = [*range(54), *["often"] * 30, *["seldom"] * 20, *["rare"] * 4]
    encoder = Encoder(max_levels=2).fit(rows(column))
    assert encoder.plans[0].parts == ("value", "frequency")
    frequencies = encoder.transform(rows(column)).numbers[:, 1]
    assert set(frequencies[:54].tolist()) == {0.0}
    assert len(set(frequencies[54:].tolist())) == 3
    assert encoder.transform([["new"]]).numbers[0, 1] < frequencies[54:].min()


def test_ranks_are_of_the_column_with_heavy_tails_beside_columns_that_are_left_out() -> None:
    plain, heavy = np.arange(301.0), np.exp(np.arange(301.0) / 20)
    alone = Encoder().fit(heavy[:, None]).transform(heavy[:, None]).numbers
    table = np.stack([np.ones(301), np.full(301, np.nan), plain, heavy], axis=1)
    encoder = Encoder().fit(table)
    np.testing.assert_array_equal(encoder.transform(table).numbers[:, 1:], alone)


def test_gaps_in_durations_are_missing() -> None:
    durations = np.array([1, 2, 5, "NaT"], "timedelta64[m]")[:, None]
    encoded = Encoder().fit(durations[:3]).transform(durations)
    assert encoded.numbers[3].tolist() == [0.0]
    np.testing.assert_array_equal(
        encoded.numbers, Encoder().fit([[60.0], [120.0], [300.0]]).transform([[60.0], [120.0], [300.0], [None]]).numbers
    )
