"""What columns become: values worked by hand, one kind of column after another."""

from __future__ import annotations

import datetime
import json
from typing import Any

import numpy as np
import pytest

from fanin._core.errors import ArgumentError, TableError
from fanin.tabular.inputs import Column, Encoded, Encoder
from fanin.tabular.inputs.dates import days_of, first_of

UP, DOWN = 2 / np.sqrt(1 + 4 / 9), -2 / np.sqrt(1 + 4 / 9)  # two factors away from the median, bent


def rows(*columns: list[Any]) -> list[tuple[Any, ...]]:
    return list(zip(*columns, strict=True))


def fitted(*columns: list[Any], **settings: Any) -> tuple[Encoder, Encoded]:
    encoder = Encoder(**settings).fit(rows(*columns))
    return encoder, encoder.transform(rows(*columns))


def described(*columns: list[Any], **settings: Any) -> Column:
    """Return what became of the last of the columns."""
    return Encoder(**settings).fit(rows(*columns)).describe()[-1]


def test_numbers_flags_and_levels_have_the_types_that_were_promised() -> None:
    _, encoded = fitted([1.0, 2.0, 3.0], list("abc"))
    assert (encoded.numbers.dtype, encoded.flags.dtype, encoded.levels.dtype) == (np.float32, np.float32, np.int64)
    assert (encoded.numbers.shape, encoded.flags.shape, encoded.levels.shape) == ((3, 1), (3, 3), (3, 0))
    assert encoded.sizes == ()
    assert len(encoded) == 3
    assert encoded[np.array([True, False, True])].flags.shape == (2, 3)


def test_levels_become_flags_scaled_as_numbers_are() -> None:
    # 1 of 4 rows is "a": the quartiles of 0 0 0 1 are 0, 0 and 0.25. 2 are "b": 0, 0.5 and 1.
    _, encoded = fitted(["b", "a", "b", "c"])
    a, b = 4 / np.sqrt(1 + 16 / 9), 0.5 / np.sqrt(1 + 1 / 36)
    np.testing.assert_allclose(encoded.flags, [[0, b, 0], [a, -b, 0], [0, b, 0], [0, -b, a]], rtol=1e-6)


def test_two_levels_become_one_flag_and_two_numbers_as_well() -> None:
    _, encoded = fitted(["no"] * 9 + ["yes"], [7] * 9 + [9], [False] * 9 + [True])
    assert encoded.numbers.shape == (10, 0)
    np.testing.assert_allclose(encoded.flags, [[0, 0, 0]] * 9 + [[UP, UP, UP]], rtol=1e-6)


def test_missing_values_are_told_by_a_flag_where_training_rows_had_any() -> None:
    encoder, encoded = fitted([1.0, 2.0, 3.0, 4.0] * 2 + [None], [1.0, 2.0, 3.0] * 3)
    np.testing.assert_allclose(encoded.flags.ravel(), [0] * 8 + [UP], rtol=1e-6)
    later = encoder.transform([[None, None]])
    assert later.numbers.tolist() == [[0, 0]]
    assert later.flags.tolist() == encoded.flags[-1:].tolist()


@pytest.mark.parametrize("missing", range(1, 9))
def test_flags_of_missing_values_are_scaled_as_columns_of_0_and_1(missing: int) -> None:
    values = np.where(np.arange(9)[:, None] < missing, np.nan, np.arange(9.0)[:, None] ** 2)
    column = np.isnan(values).astype(float).ravel()
    low, middle, high = np.quantile(column, [0.25, 0.5, 0.75])
    x = (column - middle) / ((high - low) or 0.5)
    flags = Encoder().fit(values).transform(values).flags
    np.testing.assert_allclose(flags[:, -1], x / np.sqrt(1 + x * x / 9), rtol=1e-6)


def test_columns_of_nan_are_left_out() -> None:
    values = np.stack([np.full(9, np.nan), np.arange(9.0)], axis=1)
    encoder = Encoder().fit(values)
    assert encoder.describe()[0] == Column("0", "left out", "nothing", note="no value at all")
    assert encoder.transform(values).flags.shape == (9, 0)


def test_missing_levels_are_no_level_and_unknown_ones_neither() -> None:
    encoder, encoded = fitted(["a", "b", "c", None] * 5)
    assert (encoder.transform([[None], ["z"]]).flags == encoded.flags[3]).all()
    assert described(["a", "b", None] * 5).becomes == "2 flags"  # -1 and +1, and whether it is neither


def test_many_levels_become_indices_and_0_is_missing_or_unknown() -> None:
    encoder, encoded = fitted([*"jihgfedcba"] * 3)
    assert encoded.sizes == (11,)
    assert encoded.levels[:10, 0].tolist() == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert encoder.transform([[None], ["z"], ["a"]]).levels.ravel().tolist() == [0, 0, 1]


def test_a_missing_level_counts_as_a_value_of_the_column() -> None:
    nine = [*"abcdefghi"] * 3
    assert described(nine).becomes == "9 flags"
    assert described([*nine, None]).becomes == "a learned vector for each of 9 levels"
    assert described(nine, one_hot_up_to=8).becomes == "a learned vector for each of 9 levels"
    assert described([*"ab"] * 5, one_hot_up_to=0).levels == 0


def test_numbers_of_heavy_tails_have_their_ranks_beside_them() -> None:
    plain = [float(number) for number in range(301)]
    heavy = [float(np.exp(number / 20)) for number in plain]
    encoder, encoded = fitted(plain, heavy)
    assert [(column.becomes, column.numbers) for column in encoder.describe()] == [
        ("1 number", (0,)),
        ("2 numbers", (1, 2)),
    ]
    ranks = encoded.numbers[:, 2]
    assert ranks[150] == pytest.approx(0, abs=1e-6)
    # Quantiles of the normal distribution, from a table.
    np.testing.assert_allclose(ranks[[75, 225, 293]], [-0.6745, 0.6745, 1.9845], atol=0.01)
    assert (ranks.min(), ranks.max()) == (-3, 3)
    assert encoder.transform([[1.0, None]]).numbers[0, 1:].tolist() == [0, 0]
    again = Encoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    np.testing.assert_array_equal(again.transform(rows(plain, heavy)).numbers, encoded.numbers)
    assert fitted(heavy, quantiles=True)[1].numbers.shape == (301, 1)


def test_an_encoder_that_was_saved_without_ranks_is_read() -> None:
    encoder, encoded = fitted([1.0, 2.0, 4.0])
    state = encoder.to_dict()
    assert "ranks" not in state["block"]
    np.testing.assert_array_equal(Encoder.from_dict(state).transform(rows([1.0, 2.0, 4.0])).numbers, encoded.numbers)


def test_dates_become_days_and_the_cycles_that_training_rows_went_round() -> None:
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=number) for number in range(400)]
    assert described(days).becomes == "5 numbers"  # days; sine and cosine of year and week
    assert described(days[:30]).becomes == "3 numbers"
    assert described(days[:5]).becomes == "1 number"
    hours = [datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=number) for number in range(400)]
    assert described(hours).becomes == "5 numbers"  # days; sine and cosine of week and day
    _, encoded = fitted(hours)
    np.testing.assert_allclose(encoded.numbers[0, 1:], encoded.numbers[168, 1:], atol=1e-5)  # a week later


def test_dates_written_as_texts_and_in_other_zones() -> None:
    texts = [f"2024-01-{day:02}T{day % 3}:00:00".replace("T", "T0") for day in range(1, 29)]
    times = [datetime.datetime.fromisoformat(text) for text in texts]
    zone = datetime.timezone(datetime.timedelta(hours=5))
    zoned = [time.replace(tzinfo=datetime.UTC).astimezone(zone) for time in times]
    _, one = fitted(texts)
    for others in (times, zoned):
        np.testing.assert_array_equal(fitted(others)[1].numbers, one.numbers)


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%S.%f",
        " %Y-%m-%d %H ",
        "%Y/%m/%d",
        "%Y/%m/%d %H:%M:%S",
        "%m/%d/%Y %H:%M",
        "%m/%d/%Y %I:%M:%S %p",
        "%d/%m/%Y",
        "%d.%m.%Y %H:%M",
        "%d-%m-%Y ",
    ],
)
def test_dates_in_every_form_of_text(form: str) -> None:
    times = [datetime.datetime(1999, 12, 20) + datetime.timedelta(hours=7.3 * number) for number in range(40)]
    texts = [time.strftime(form) for time in times]
    exact = [datetime.datetime.strptime(text, form) for text in texts]
    for more in ([], ["2000-02-30"], ["2000-13-01"], ["2000/2/30"], ["1/32/2000"], ["1/1/2000 24:00"]):  # no dates
        encoder, encoded = fitted(texts + more)
        assert (encoder.describe()[0].kind, encoder.plans[0].texts) == ("date", bool(more))
        np.testing.assert_allclose(encoded.numbers[:40], fitted(exact)[1].numbers, atol=1e-6)


def test_what_stands_first_in_a_date_is_learned() -> None:
    day_first = [f"{day}/{month}/2024" for month in (1, 2) for day in range(1, 29)]
    month_first = [f"{month}/{day}/2024" for month in (1, 2) for day in range(1, 29)]
    for texts, february in ((day_first, "3/2/2024"), (month_first, "2/3/2024")):
        encoder, _ = fitted(texts)
        encoder = Encoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
        # A row alone does not tell its order; other dates are of one meaning in any column.
        np.testing.assert_array_equal(
            encoder.transform([[february]]).numbers, encoder.transform([["2024-02-03"]]).numbers
        )
    with pytest.raises(TableError, match="row 0: '31/1/2024' where a date is expected"):
        encoder.transform([["31/1/2024"]])


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        ([f"1/{month}/{year}" for year in (2023, 2024) for month in range(1, 13)], "day"),
        ([f"{month}/1/{year}" for year in (2023, 2024) for month in range(1, 13)], "month"),
        ([f"{day}.{day}.2024" for day in range(1, 13)], "day"),
        ([f"{month}/{day}/2024" for month in range(1, 13) for day in range(1, 13)], ""),
        (["31/12/2024", "30/12/2024", "12/31/2024"], "day"),
        (["1-2-3", "soon", "2024/12/31", 3], ""),
        ([], ""),
    ],
)
def test_first_in_a_date_stands_what_most_texts_say(texts: list[Any], first: str) -> None:
    assert first_of(texts) == first
    if len(texts) > 9:
        assert (described(texts).kind == "date") == bool(first)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("7:05", 7 + 1 / 12),
        (" 07:05:30 ", 7 + 5.5 / 60),
        ("12:00 AM", 0),
        ("12:30pm", 12.5),
        ("38:00:00.5", 38 + 0.5 / 3600),
    ]
    + [(text, None) for text in ("7:60", "7:5", "13:00 PM", "0:00 am", "1:00:60", "700:00", "7:05 noon", "x:05")],
)
def test_times_written_as_texts(text: str, hours: float | None) -> None:
    np.testing.assert_allclose(days_of([text]), [np.nan if hours is None else hours / 24], rtol=1e-12)


def test_times_of_day_go_round() -> None:
    times = [datetime.time(hour, minute) for hour in range(24) for minute in (0, 30)]
    encoder, encoded = fitted(times)
    assert encoder.describe()[0].becomes == "3 numbers"
    np.testing.assert_allclose(fitted([time.strftime("%H:%M") for time in times])[1].numbers, encoded.numbers)
    late, early = encoder.transform([[datetime.time(23, 59)], [datetime.time(0, 1)]]).numbers
    np.testing.assert_allclose(late[1:], early[1:], atol=0.02)
    assert np.abs(encoded.numbers[0, 1:] - encoded.numbers[24, 1:]).max() > 1  # noon


def test_texts_that_are_numbers_are_a_category_only_if_they_are_few() -> None:
    assert described([str(number) for number in range(9)] * 3).kind == "category"
    assert described([str(number) for number in range(10)] * 3).kind == "number"
    assert described([f"0{number}" for number in range(10, 30)] * 3).kind == "category"  # codes: 010 is not 10
    assert described([f"{number}_000" for number in range(10, 30)] * 3).kind == "category"


def test_numbers_with_texts_among_them_become_both() -> None:
    column: list[Any] = [*range(20), "none", "n/a", "none"]
    encoder, encoded = fitted(column)
    assert encoder.describe()[0].kind == "number"
    assert encoded.numbers.shape == (23, 1)
    assert encoded.numbers[20:].ravel().tolist() == [0, 0, 0]
    unknown = encoder.transform([["what"], [5.0]])
    assert unknown.numbers.tolist() == [[0], encoded.numbers[5].tolist()]
    assert (unknown.flags[0, 1:] == encoded.flags[0, 1:]).all()  # no text that was known
    assert (encoded.flags[20] == encoded.flags[22]).all()
    assert (encoded.flags[20] != encoded.flags[21]).any()


def test_numbers_among_rare_texts_have_no_frequency() -> None:
    texts = ["often"] * 8 + ["twice"] * 2 + [f"once {number}" for number in range(40)]
    encoder, encoded = fitted([*range(60), *texts])
    assert encoder.plans[0].parts == ("value", "frequency")
    assert encoder.plans[0].levels == ("often", "twice")
    frequencies = encoded.numbers[:, 1]
    assert set(frequencies[:60]) == {0}  # as missing ones
    assert frequencies[60] > frequencies[68] > frequencies[70] == frequencies[-1]


def test_a_few_numbers_among_texts_are_levels() -> None:
    numbers: list[Any] = [*range(20)]
    assert described(numbers + ["a", "b"] * 10).kind == "number"
    assert described(numbers + ["a", "b", "c"] * 7).kind == "category"  # 20 rows of 41
    assert described([*range(9), "a"]).kind == "category"  # 9 different ones


def test_texts_beside_dates() -> None:
    column: list[Any] = [datetime.date(2024, 1, day) for day in range(1, 20)] + ["soon"]
    encoder, encoded = fitted(column)
    assert encoder.describe()[0].kind == "date"
    assert (encoded.numbers[19] == 0).all()
    assert (encoded.flags[19] != encoded.flags[0]).any()


def test_mixed_types_are_levels_and_one_number_is_one_level_however_it_is_written() -> None:
    encoder, encoded = fitted([1, "1", 1.0, "a", "b", "a"] * 2)
    assert encoder.plans[0].levels == ("1", "a", "b")
    assert (encoded.flags[0] == encoded.flags[1]).all()
    assert (encoded.flags[0] == encoded.flags[2]).all()


def test_more_levels_than_asked_for_keep_the_most_frequent_and_tell_frequencies() -> None:
    column = ["a"] * 8 + ["b"] * 4 + ["c"] * 4 + ["d"] * 2
    encoder, encoded = fitted(column, max_levels=2, one_hot_up_to=1)
    assert encoder.plans[0].levels == ("a", "b")
    assert encoded.levels.ravel().tolist() == [1] * 8 + [2] * 4 + [0] * 6
    # Logarithms of 8, 4, 4, 2: in factors of the interquartile range, log 2, from the median, log 4.
    middle, one = np.log(4), np.log(2)
    expected = [(np.log(count) - middle) / one for count in (8, 4, 4, 2)]
    scaled = encoded.numbers.ravel()[[0, 8, 12, 16]]
    np.testing.assert_allclose(scaled, [x / np.sqrt(1 + x * x / 9) for x in expected], atol=1e-6)
    assert encoder.describe()[0].note == "2 of 4 different texts are levels"


def test_an_unseen_text_is_as_rare_as_those_seen_once() -> None:
    names = [f"n{number}" for number in range(60)] + ["again"] * 5
    encoder, encoded = fitted(names)
    assert encoder.plans[0].levels == ("again",)
    later = encoder.transform([["new"]])
    assert later.numbers.tolist() == encoded.numbers[:1].tolist()
    assert later.flags.tolist() == encoded.flags[:1].tolist()


def test_columns_that_tell_nothing_are_left_out_and_say_why() -> None:
    encoder = Encoder().fit(
        rows([5] * 30, [None] * 30, ["x"] * 30, [f"id {number}" for number in range(30)], [*range(30)])
    )
    assert [(column.becomes, column.note) for column in encoder.describe()] == [
        ("nothing", "one value in all rows"),
        ("nothing", "no value at all"),
        ("nothing", "one value in all rows"),
        ("nothing", "all texts are equally rare"),
        ("1 number", ""),
    ]
    assert encoder.transform([["changed", 3, "y", None, 7]]).numbers.shape == (1, 1)


def test_a_constant_with_gaps_tells_its_gaps() -> None:
    _, encoded = fitted([5.0] * 9 + [None], ["x"] * 9 + [None])
    assert encoded.numbers.shape == (10, 0)
    assert encoded.flags.shape == (10, 2)
    assert (encoded.flags[0] != encoded.flags[9]).all()


def test_a_table_that_tells_nothing_is_one_flag_of_0() -> None:
    _, encoded = fitted([1, 1, 1])
    assert encoded.flags.tolist() == [[0], [0], [0]]


def test_describe_says_where_each_column_went() -> None:
    columns = rows([1, 2, None, 3] * 5, [*"abcd"] * 5, [True, False] * 10, [*"klmnopqrst"] * 2, [*range(20)])
    encoder = Encoder().fit(columns)
    number, category, flag, embedded, last = encoder.describe()
    encoded = encoder.transform(columns)
    assert (number.numbers, number.flags, last.numbers) == ((0,), (1,), (1,))
    assert (flag.flags, category.flags, embedded.levels) == ((0,), (2, 3, 4, 5), 0)
    assert encoded.flags.shape[1] == 6
    missing = np.array([True if value is None else False for value, *_ in columns])  # noqa: SIM210
    assert len(set(encoded.flags[missing, 1])) == len(set(encoded.flags[~missing, 1])) == 1


def test_quantiles_take_the_place_of_the_robust_scale_for_numbers_alone() -> None:
    rng = np.random.default_rng(0)
    columns = rows(rng.exponential(size=300).tolist(), [*"abc"] * 100)
    plain, quantiles = (
        Encoder().fit(columns).transform(columns),
        Encoder(quantiles=True).fit(columns).transform(columns),
    )
    assert (plain.flags == quantiles.flags).all()
    assert np.abs(quantiles.numbers).max() == pytest.approx(5.19934, abs=1e-4)
    assert abs(quantiles.numbers.mean()) < 0.1


def test_a_column_that_held_numbers_may_not_come_back_with_texts() -> None:
    encoder = Encoder().fit([[1.0], [2.5], [3.0]])
    with pytest.raises(
        TableError, match=r"X, column 0, row 1: 'abc' where a number is expected, .* \(and in 1 more row"
    ):
        encoder.transform([[1.0], ["abc"], ["x"]])
    with pytest.raises(TableError, match="where a date is expected"):
        Encoder().fit([[datetime.date(2024, 1, day)] for day in range(1, 5)]).transform([["tomorrow"]])
    with pytest.raises(TableError, match="true or false"):
        Encoder().fit([[True], [False], [None]]).transform([["perhaps"]])
    assert encoder.transform([["2.5"]]).numbers.tolist() == encoder.transform([[2.5]]).numbers.tolist()


def test_a_column_of_levels_may_come_back_as_numbers_but_not_as_dates() -> None:
    encoder = Encoder().fit([["1"], ["2"], ["3"]] * 3)
    assert (encoder.transform(np.array([[1.0], [2.0]])).flags == encoder.transform([["1"], ["2"]]).flags).all()
    with pytest.raises(TableError, match="column 0: dates, where fit found none"):
        encoder.transform(np.array([["2024-01-01"]], "datetime64[D]"))
    assert (encoder.transform(np.array([["NaT"]], "datetime64[D]")).flags == encoder.transform([[None]]).flags).all()


@pytest.mark.parametrize("quantiles", [False, True])
def test_an_encoder_encodes_the_same_after_json(quantiles: bool) -> None:
    rng = np.random.default_rng(0)
    columns = rows(
        rng.normal(size=60).tolist(),
        [*"abc"] * 20,
        [*"klmnopqrst"] * 6,
        [None, 1.0, 2.0] * 20,
        [datetime.date(2024, 1, 1) + datetime.timedelta(days=number) for number in range(60)],
        [*range(50), *["?"] * 10],
        ["a", "b"] * 10 + [f"rare {number}" for number in range(40)],
    )
    encoder = Encoder(quantiles=quantiles, owner="Somebody").fit(columns)
    state = encoder.to_dict()
    assert json.loads(json.dumps(state, allow_nan=False)) == state
    again = Encoder.from_dict(state)
    one, other = encoder.transform(columns), again.transform(columns)
    for name in ("numbers", "flags", "levels"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (again.describe(), again.owner, other.sizes) == (encoder.describe(), "Somebody", one.sizes)
    with pytest.raises(TableError, match="a saved encoder of format 99"):
        Encoder.from_dict(state | {"format": 99})


def test_settings_are_checked() -> None:
    with pytest.raises(ArgumentError, match="0 or more, not -1 and 5"):
        Encoder(one_hot_up_to=-1, max_levels=5)
