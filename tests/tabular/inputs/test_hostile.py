"""Tables that nobody would want: each is encoded as it should be, or refused in one clear sentence."""

from __future__ import annotations

import datetime
import json
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fanin._core.errors import ArgumentTypeError, TableError
from fanin.tabular.inputs import Encoded, Encoder

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.sampled_from([datetime.UTC, datetime.timezone(datetime.timedelta(hours=-9))])),
    st.times(),
    st.timedeltas(),
    st.decimals(),
    st.fractions(),
    st.tuples(st.integers()),
)
TABLES = st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=12)


def objects(rows: list[list[Any]]) -> Any:
    """Return an array of objects in which lists and tuples stay cells."""
    array = np.empty((len(rows), len(rows[0])), object)
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            array[row, column] = cell
    return array


def sound(encoded: Encoded, rows: int) -> bool:
    finite = np.isfinite(encoded.numbers).all() and np.isfinite(encoded.flags).all()
    inside = all(low >= 0 and high < size for low, high, size in _ranges(encoded))
    shapes = len(encoded.numbers) == len(encoded.flags) == len(encoded.levels) == rows
    some = encoded.numbers.shape[1] + encoded.flags.shape[1] + encoded.levels.shape[1] > 0
    return bool(finite and inside and shapes and some)


def _ranges(encoded: Encoded) -> list[tuple[int, int, int]]:
    lows, highs = encoded.levels.min(axis=0, initial=0), encoded.levels.max(axis=0, initial=0)
    return list(zip(lows.tolist(), highs.tolist(), encoded.sizes, strict=True))


def test_what_is_not_sound_is_found_out() -> None:
    good = Encoded(np.zeros((2, 1), np.float32), np.zeros((2, 0), np.float32), np.array([[0], [2]]), (3,))
    assert sound(good, 2)
    assert not sound(good, 3)
    assert not sound(Encoded(good.numbers / np.float32("nan"), good.flags, good.levels, (3,)), 2)
    assert not sound(Encoded(good.numbers, good.flags, good.levels, (2,)), 2)
    assert not sound(Encoded(good.numbers[:, :0], good.flags, good.levels[:, :0], ()), 2)


@settings(max_examples=150)
@given(TABLES, st.booleans())
@example([[Decimal(10**28), 10**5000, datetime.datetime.max]], False)  # no remainder, no text, no other zone
def test_any_python_objects_in_any_mixture(rows: list[list[Any]], quantiles: bool) -> None:
    table = objects(rows)
    encoder = Encoder(one_hot_up_to=2, quantiles=quantiles).fit(table)
    encoded = encoder.transform(table)
    assert sound(encoded, len(rows))
    again = Encoder.from_dict(json.loads(json.dumps(encoder.to_dict(), allow_nan=False))).transform(table)
    for name in ("numbers", "flags", "levels"):
        np.testing.assert_array_equal(getattr(again, name), getattr(encoded, name))


@settings(max_examples=100)
@given(TABLES, TABLES)
def test_rows_unlike_those_of_fit_are_encoded_or_refused_by_row(one: list[list[Any]], other: list[list[Any]]) -> None:
    encoder = Encoder(one_hot_up_to=2).fit(objects(one))
    try:
        encoded = encoder.transform(objects(other))
    except TableError as error:
        assert re.match(r"X, column \d, row \d+: .* (is|are) expected", str(error), re.DOTALL)  # noqa: PT017
    else:
        assert sound(encoded, len(other))


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ([1], r"\[1\] is of type list"),
        ({"k": 1}, r"\{'k': 1\} is of type dict"),
        ({1}, r"\{1\} is of type set"),
        (np.arange(3), r"array\(\[0, 1, 2\]\) is of type ndarray"),
        (1j, "1j is of type complex"),
        (np.complex64(1), ".* is of type complex64"),
        (object(), ".* is of type object"),
        ([7] * 99, r"\[7, .*\.\.\. is of type list"),
    ],
    ids=["list", "dict", "set", "array", "complex", "complex of NumPy", "object", "long"],
)
def test_what_is_no_value_is_refused_with_its_row(cell: Any, told: str) -> None:
    pandas = pytest.importorskip("pandas")
    cells = ["a", None, cell, "b", cell]
    message = rf"^X, column {{}}, row 2: {told}: a cell holds a number, a date, a text or nothing"
    with pytest.raises(TableError, match=message.replace("{}", "1")) as refused:
        Encoder().fit(objects([[1.0, each] for each in cells]))
    assert len(refused.value.__notes__) == 1
    frame = pandas.DataFrame({"a": [1.0] * 5, "b": pandas.Series(cells, dtype=object)})
    with pytest.raises(TableError, match=message.replace("{}", '"b"')):
        Encoder().fit(frame)
    encoder = Encoder().fit(frame.assign(b=["a", "b", "c", "d", "e"]))
    with pytest.raises(TableError, match=message.replace("{}", '"b"')):
        encoder.transform(frame)


def test_infinite_values_are_the_ends_of_the_scale() -> None:
    values = np.array([[1.0], [2.0], [3.0], [np.inf], [-np.inf]])
    encoded = Encoder().fit(values).transform(values)
    np.testing.assert_allclose(encoded.numbers[3:].ravel(), [3, -3], atol=1e-6)
    # Quartiles of 1 2 3 alone: no infinite value moves the scale.
    np.testing.assert_allclose(encoded.numbers[:3].ravel(), np.array([-1, 0, 1]) / np.sqrt(10 / 9), atol=1e-6)


def test_ten_thousand_categories_keep_the_most_frequent() -> None:
    rng = np.random.default_rng(0)
    column = np.array([f"c{number}" for number in rng.geometric(0.001, 60_000)], object)
    encoder = Encoder(max_levels=500).fit(column[:, None])
    encoded = encoder.transform(column[:, None])
    assert sound(encoded, 60_000)
    assert encoded.sizes == (501,)
    assert encoded.numbers.shape == (60_000, 1)
    counts = dict(zip(*np.unique(column, return_counts=True), strict=True))
    kept = set(encoder.plans[0].levels)
    assert min(counts[name] for name in kept) >= max(count for name, count in counts.items() if name not in kept)
    assert ((encoded.levels[:, 0] > 0) == np.isin(column, list(kept))).all()


def test_one_row() -> None:
    table = objects([[1.0, "a", None, True]])
    assert sound(Encoder().fit(table).transform(table), 1)
    more = np.random.default_rng(0).normal(size=(9, 2))
    assert sound(Encoder().fit(more).transform(more[:1]), 1)


def test_duplicate_names_are_columns_of_their_own() -> None:
    pandas = pytest.importorskip("pandas")
    values = np.random.default_rng(0).normal(size=(20, 3))
    frame = pandas.DataFrame(values, columns=["a", "b", "a"])
    encoder = Encoder().fit(frame)
    assert encoder.feature_names == ("a", "b", "a")
    assert (encoder.transform(frame).numbers == Encoder().fit(values).transform(values).numbers).all()
    with pytest.raises(TableError, match=r'column "a" \(number 2\), row 0: \'x\' where a number is expected'):
        encoder.transform(frame.astype({"a": object}).assign(b=1.0).map(lambda value: value).pipe(_with_text))


def _with_text(frame: Any) -> Any:
    frame = frame.copy()
    frame.isetitem(2, ["x"] * len(frame))
    return frame


def test_names_that_are_no_texts_are_no_names() -> None:
    pandas = pytest.importorskip("pandas")
    values = np.random.default_rng(0).normal(size=(20, 2))
    for names in ([0, 1], ["a", 1], [("a", "b"), ("a", "c")]):
        encoder = Encoder().fit(pandas.DataFrame(values, columns=names))
        assert encoder.feature_names is None
        assert (encoder.transform(values).numbers == Encoder().fit(values).transform(values).numbers).all()


def test_unicode_in_names_and_levels() -> None:
    rows = np.zeros(6, [("größe", float), ("色", "U4")])
    rows["größe"], rows["色"] = range(6), ["红", "绿", "🙂", "", "é", "e\u0301"]
    encoder = Encoder().fit(rows)
    assert encoder.feature_names == ("größe", "色")
    assert encoder.plans[1].levels == tuple(sorted(["红", "绿", "🙂", "", "é", "e\u0301"]))
    assert sound(encoder.transform(rows), 6)


def test_fifty_thousand_columns() -> None:
    values = np.random.default_rng(0).normal(size=(20, 50_000)).astype(np.float32)
    encoded = Encoder().fit(values).transform(values)
    assert encoded.numbers.shape == (20, 50_000)
    assert sound(encoded, 20)


@pytest.mark.parametrize("start", [2**24, 2**31, 2**40, -(2**50)])
def test_whole_numbers_beyond_float32(start: int) -> None:
    values = (start + np.arange(9))[:, None]
    encoded = Encoder().fit(values).transform(values)
    np.testing.assert_array_equal(encoded.numbers, Encoder().fit(values - start).transform(values - start).numbers)


def test_whole_numbers_beyond_float64() -> None:
    table = objects([[10**400], [5], [-(10**400)], [7], [None]])
    encoded = Encoder().fit(table).transform(table)
    np.testing.assert_allclose(encoded.numbers[[0, 2, 4], 0], [3, -3, 0], atol=1e-5)


def test_tables_that_are_masked_or_read_only_stay_as_they_are() -> None:
    values = np.random.default_rng(0).normal(size=(20, 3))
    values.setflags(write=False)
    masked = np.ma.MaskedArray(values.copy(), mask=np.arange(60).reshape(20, 3) % 7 == 0)
    expected = np.where(masked.mask, np.nan, values)
    assert sound(Encoder().fit(values).transform(values), 20)
    one, other = (Encoder().fit(table).transform(table) for table in (masked, expected))
    assert (one.numbers == other.numbers).all()
    assert (one.flags == other.flags).all()
    assert (masked.data == values).all()


@pytest.mark.parametrize("order", ["C", "F"])
def test_any_layout_of_an_array(order: Any) -> None:
    values = np.random.default_rng(0).normal(size=(40, 6))
    expected = Encoder().fit(values).transform(values).numbers
    for layout in (np.asarray(values, order=order), values[::-1][::-1], values.astype(">f8")):
        assert (Encoder().fit(layout).transform(layout).numbers == expected).all()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            np.zeros(3),
            r"^Expected 2D array, got 1D array instead: X has shape \(3,\). Reshape your data: array.reshape",
        ),
        (np.float64(3), "^Expected 2D array, got scalar array instead"),
        (np.zeros((2, 2, 2)), r"^X has dimensions \(2, 2, 2\): rows and columns are expected"),
        (np.zeros((0, 3)), r"0 sample\(s\) \(shape=\(0, 3\)\) while a minimum of 1 is required\.$"),
        (np.zeros((3, 0)), r"0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1 is required\.$"),
        (np.array([[1j, 2]]), "^Complex data not supported"),
        (np.zeros(3, "V4").reshape(3, 1), "holds no numbers, dates or texts"),
        ([[1.0, 2.0], [3.0]], "^X cannot be read as an array of rows and columns"),
    ],
)
def test_what_is_no_table(table: Any, message: str) -> None:
    with pytest.raises(TableError, match=message):
        Encoder().fit(table)


@pytest.mark.parametrize("given_as", [None, "a text", b"bytes", {"a": [1, 2]}, {1, 2}])
def test_types_that_are_no_table(given_as: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"X must be a frame .* or an array of rows and columns, not"):
        Encoder().fit(given_as)


def test_structured_arrays_of_more_than_one_value_a_cell() -> None:
    with pytest.raises(TableError, match=r'column "b" has cells of shape \(2,\), not one value in each row'):
        Encoder().fit(np.zeros(3, [("a", float), ("b", float, 2)]))


def test_sparse_matrices_say_what_to_do() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ArgumentTypeError, match=r"X is a sparse matrix, which is not supported: pass X.toarray\(\)"):
        Encoder().fit(sparse.csr_matrix(np.eye(3)))
