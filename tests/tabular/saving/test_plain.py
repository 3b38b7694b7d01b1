"""Values as JSON has them."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.tabular.saving.plain import array_from_plain, array_to_plain, from_plain, to_plain

SINGLE = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    SINGLE, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner)
)


def same(one: Any, two: Any) -> bool:
    """Whether two values are equal and of the same types, down to the sign of 0; nan is nan."""
    if type(one) is not type(two):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(two)) or (one == two and math.copysign(1, one) == math.copysign(1, two))
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, dict):
        return list(one) == list(two) and all(map(same, one.values(), two.values()))
    return bool(one == two)


@settings(max_examples=40)
@given(VALUES)
def test_values_come_back_through_json(value: Any) -> None:
    assert same(from_plain(json.loads(json.dumps(to_plain(value), allow_nan=False))), value)


@pytest.mark.parametrize(
    ("one", "two"), [(1, True), (1, 1.0), ((1,), [1]), (0.0, -0.0), ({"a": 1}, {"a": 2}), (np.nan, 0.0), ("1", 1)]
)
def test_the_comparison_tells_types_apart(one: Any, two: Any) -> None:
    assert not same(one, two)


@pytest.mark.parametrize("value", [np.float32(0.1), np.int8(-3), np.bool_(True), np.str_("x"), np.float64("nan")])
def test_numbers_of_numpy_keep_their_type(value: Any) -> None:
    found = from_plain(json.loads(json.dumps(to_plain(value), allow_nan=False)))
    assert type(found) is type(value)
    np.testing.assert_array_equal(found, value)


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "b c", "\u00e9"]),
        np.array(["a", "b"], object),
        np.array([1, None, "x", 2.5, True], object),
        np.array([True, False]),
        np.array([3, -1], np.int16),
        np.array([2**63], np.uint64),
        np.array([0.1, np.inf, np.nan]),
        np.array(["2024-01-02", "NaT"], "datetime64[D]"),
        np.array(["a", "bcd"], np.dtypes.StringDType()),
        np.array([], object),
    ],
    ids=str,
)
def test_arrays_keep_values_and_dtype(array: np.ndarray[Any, Any]) -> None:
    found = array_from_plain(json.loads(json.dumps(array_to_plain(array), allow_nan=False)))
    assert found.dtype == array.dtype
    assert same(found.astype(object).tolist(), array.astype(object).tolist())


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1j, [np.random.default_rng(0)]])
def test_other_objects_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"a value of type \w+ cannot be saved"):
        to_plain(value)


def test_an_unknown_type_in_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match="no type 'code' of saved values is known"):
        from_plain({"code": "print()"})
