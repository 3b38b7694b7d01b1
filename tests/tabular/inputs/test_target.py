"""Targets: what is learned from, back to what is predicted, and one clear error for what is neither."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fanin._core.errors import ArgumentTypeError, OperationError, TableError
from fanin.tabular.inputs import ClassTarget, NumberTarget

LABELS = st.one_of(
    st.lists(st.integers(-(2**40), 2**40), min_size=2),
    st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=2),
    st.lists(st.booleans(), min_size=2),
).filter(lambda labels: len(set(labels)) > 1)


@given(LABELS)
def test_labels_come_back(labels: list[Any]) -> None:
    for given_as in (labels, np.array(labels), np.array(labels, dtype=object)):
        target = ClassTarget().fit(given_as)
        codes = target.encode(given_as)
        assert codes.dtype == np.int64
        assert target.classes_.tolist() == sorted(set(labels))
        assert target.decode(codes).tolist() == labels
        assert target.decode(np.eye(len(target.classes_))[codes]).tolist() == labels
        again = ClassTarget.from_dict(json.loads(json.dumps(target.to_dict())))
        assert again.classes_.dtype == target.classes_.dtype
        assert again.decode(codes).tolist() == labels


@pytest.mark.parametrize(
    "labels",
    [
        np.array([3, 1, 3], np.int8),
        np.array(["b", "a", "b"]),
        np.array([True, False, True]),
        np.array([2.0, 1.0, 2.0], np.float32),
        np.array([b"y", b"x", b"y"]),
        np.array(["b", "a", "b"], object),
    ],
)
def test_classes_keep_the_dtype_of_the_labels(labels: Any) -> None:
    target = ClassTarget().fit(labels)
    assert target.classes_.dtype == labels.dtype
    assert target.encode(labels).tolist() == [1, 0, 1]
    again = ClassTarget.from_dict(json.loads(json.dumps(target.to_dict())))
    assert again.classes_.dtype == labels.dtype
    assert (again.classes_ == target.classes_).all()


def test_labels_of_any_library() -> None:
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    arrow = pytest.importorskip("pyarrow")
    texts, numbers = ["b", "a", "b"], [7, 5, 7]
    for series in (
        *(pandas.Series(texts, dtype=dtype) for dtype in ("object", "str", "category", "string")),
        *(polars.Series(texts, dtype=dtype) for dtype in (polars.String, polars.Categorical, polars.Enum(["b", "a"]))),
        *(arrow.array(texts), arrow.array(texts).dictionary_encode(), arrow.chunked_array([texts[:1], texts[1:]])),
    ):
        assert ClassTarget().fit(series).classes_.tolist() == ["a", "b"]
        assert ClassTarget().fit(texts).encode(series).tolist() == [1, 0, 1]
    for series in (
        pandas.Series(numbers),
        pandas.Series(numbers, dtype="Int64"),
        polars.Series(numbers),
        arrow.array(numbers),
    ):
        assert ClassTarget().fit(series).classes_.dtype == np.int64
        assert NumberTarget().fit(series).decode([[0.0]]).tolist() == [19 / 3]
    for frame in (pandas.DataFrame({"y": texts}), polars.DataFrame({"y": texts}), arrow.table({"y": texts})):
        with pytest.warns(UserWarning, match="A column-vector y was passed when a 1d array was expected"):
            assert ClassTarget().fit(frame).classes_.tolist() == ["a", "b"]


def test_missing_labels_are_named_by_row() -> None:
    message = r"^Input y contains NaN: 2 rows have no label: 1, 3\nleave out the rows without a label$"
    for missing in (None, float("nan")):
        with pytest.raises(TableError, match=message):
            ClassTarget().fit(np.array(["a", missing, "b", missing], object))
    with pytest.raises(TableError, match="Input y contains NaN: row 1 has no label"):
        ClassTarget().fit([1.0, np.nan, 2.0])
    with pytest.raises(TableError, match="Input y contains NaN: row 0 has no label"):
        ClassTarget().fit([1, 2]).encode(np.array([np.nan, 1]))
    with pytest.raises(TableError, match=r"8 rows have no label: 1, 2, 3, 4, 5, \.\.\."):
        ClassTarget().fit(np.array(["a", *[None] * 8], object))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "a"], "^y holds one class only, 'a': a classifier needs two classes or more$"),
        ([0.5, 1.5], "Unknown label type: continuous. y holds 0.5"),
        ([1.0, np.inf], "Unknown label type: continuous. y holds inf"),
        ([1, "a"], "Unknown label type: y mixes numbers and texts"),
        (np.array([{}, 1], object), "Unknown label type: other objects"),
        (np.array([1j, 2]), "Unknown label type: complex128"),
        (np.array(["2024-01-01", "2024-01-02"], "datetime64[D]"), "Unknown label type: datetime64"),
        (np.eye(3), r"y should be a 1d array, got an array of shape \(3, 3\) instead"),
        (5, r"y should be a 1d array, got an array of shape \(\) instead"),
        ([], "found 0 sample"),
        (None, "requires y to be passed, but the target y is None"),
    ],
)
def test_what_cannot_be_classes(labels: Any, message: str) -> None:
    with pytest.raises(TableError, match=message):
        ClassTarget().fit(labels)


def test_a_text_is_no_target() -> None:
    for target in (ClassTarget(), NumberTarget()):
        with pytest.raises(ArgumentTypeError, match="y must be an array or a column of a frame, not a str"):
            target.fit("yes")


def test_classes_that_fit_did_not_see() -> None:
    with pytest.raises(TableError, match="y holds classes that fit did not see: 'c', 'd'"):
        ClassTarget().fit(["a", "b"]).encode(["a", "c", "d"])


def test_many_classes() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(5000), 2))
    target = ClassTarget().fit(labels)
    assert (target.encode(labels) == labels).all()


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 3)), elements=st.floats(-1e9, 1e9)))
def test_numbers_come_back(values: Any) -> None:
    target = NumberTarget().fit(values)
    outputs = target.encode(values)
    assert outputs.dtype == np.float32
    assert outputs.shape == values.shape
    span = np.abs(values).max() + np.ptp(values)
    np.testing.assert_allclose(target.decode(outputs), values, rtol=1e-6, atol=1e-6 * span + 1e-300)
    again = NumberTarget.from_dict(json.loads(json.dumps(target.to_dict())))
    np.testing.assert_array_equal(again.decode(outputs), target.decode(outputs))


def test_outputs_are_standardised_and_keep_the_dimensions_of_y() -> None:
    values = np.random.default_rng(0).normal(7, 3, (50, 2))
    outputs = NumberTarget().fit(values).encode(values)
    np.testing.assert_allclose(outputs.mean(axis=0), [0, 0], atol=1e-6)
    np.testing.assert_allclose(outputs.std(axis=0), [1, 1], rtol=1e-6)
    assert NumberTarget().fit(values[:, 0]).decode([[0.0], [1.0]]).shape == (2,)
    assert NumberTarget().fit(values[:, :1]).decode([[0.0], [1.0]]).shape == (2, 1)


def test_predictions_may_be_kept_within_the_training_range() -> None:
    target = NumberTarget().fit([1.0, 2.0, 3.0])
    assert target.decode([[-100.0], [0.0], [100.0]], within=True).tolist() == [1, 2, 3]
    assert target.decode([[100.0]]) > 3


@pytest.mark.parametrize("size", [1e300, 1.7e308, 1e-200, 1e-300])
def test_the_largest_and_smallest_targets_are_standardised(size: float) -> None:
    values = np.array([-1.0, 0.0, 1.0]) * size
    target = NumberTarget().fit(values)
    np.testing.assert_allclose(target.encode(values).ravel(), np.array([-1, 0, 1]) * np.sqrt(1.5), rtol=1e-6)


def test_a_constant_target_is_predicted_as_it_is() -> None:
    target = NumberTarget().fit([0.1] * 7)
    assert target.encode([0.1]).tolist() == [[0]]
    assert target.decode([[0.0]]).tolist() == [0.1]


def test_numbers_in_any_dress() -> None:
    for values in ([1, 2], ["1", "2.0"], np.array([1, "2"], object), [True, 2], np.array([1, 2], np.uint8)):
        assert NumberTarget().fit(values).decode([[0.0]]).tolist() == [1.5]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, np.nan, 2.0, np.nan], "^Input y contains NaN: 2 rows have no target: 1, 3\nleave out the rows"),
        (np.array([1.0, None], object), "Input y contains NaN: row 1 has no target"),
        ([[1.0, 2.0], [3.0, np.nan]], "Input y contains NaN: row 1 has no target"),
        ([1.0, np.inf], "Input y contains infinity: row 1 has an infinite target"),
        (["1", "many"], "y holds 'many', where numbers to be predicted are expected"),
        (np.array(["2024-01-01"], "datetime64[D]"), "y holds dates"),
        (np.zeros((2, 2, 2)), "y has dimensions"),
        ([], "found 0 sample"),
        (None, "requires y to be passed, but the target y is None"),
    ],
)
def test_what_cannot_be_numbers(values: Any, message: str) -> None:
    with pytest.raises(TableError, match=message):
        NumberTarget().fit(values)


def test_another_number_of_outputs() -> None:
    with pytest.raises(TableError, match="y has 2 columns, but fit saw 1"):
        NumberTarget().fit([1.0, 2.0]).encode(np.eye(2))


def test_targets_before_fit() -> None:
    for target in (ClassTarget(), NumberTarget()):
        with pytest.raises(OperationError, match="is not fitted yet"):
            target.decode(np.zeros(1, np.int64))
