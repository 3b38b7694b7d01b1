"""The task that a target sets, and its values."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars
import pytest

from fanin._core.errors import TableError
from fanin.tabular.tasks import labels_as, labels_like, numbers_as, tell_target


def series(values: list[Any]) -> polars.Series:
    return polars.Series("y", values, strict=False)


@pytest.mark.parametrize(
    ("values", "task", "reason", "dtype"),
    [
        (["yes", "no"] * 20, "classes", "the target holds texts", "O"),
        (["true", "false"] * 20, "classes", "the target holds texts", "O"),
        ([True, False] * 20, "classes", "the target holds true and false", "b"),
        ([0.5, 1.5] * 20, "classes", "the target holds two different numbers", "O"),
        (["1", "2"] * 20, "classes", "the target holds two different numbers", "i"),
        (["3", "1", "2"] * 20, "classes", "the target holds 3 different whole numbers", "i"),
        ([3, 1, 2] * 20, "classes", "the target holds 3 different whole numbers", "i"),
        (["3.0", "1.0", "2.0"] * 20, "numbers", "the target holds 3 different numbers", "f"),
        ([3.0, 1.0, 2.0] * 20, "numbers", "the target holds 3 different numbers", "f"),
        ([*range(20)] * 4, "classes", "the target holds 20 different whole numbers", "i"),
        ([*range(20)] * 3, "numbers", "the target holds 20 different numbers", "f"),
        ([*range(21)] * 9, "numbers", "the target holds 21 different numbers", "f"),
        (["1", "2", "x"] * 20, "classes", "the target holds texts", "O"),
        ([" 7 ", "8"] * 20, "classes", "the target holds two different numbers", "i"),
    ],
)
def test_the_task_follows_from_the_values(values: list[Any], task: str, reason: str, dtype: str) -> None:
    found = tell_target(series(values), "t.csv")
    assert (found.task, found.reason, found.values.dtype.kind) == (task, reason, dtype)


def test_rows_without_a_target_have_no_value() -> None:
    found = tell_target(series([None, *["b", " a "] * 15, None]), "t.csv")
    assert found.values.tolist() == ["b", "a"] * 15
    assert np.flatnonzero(~found.known).tolist() == [0, 31]


def test_the_task_that_is_asked_for() -> None:
    found = tell_target(series(["3", "1", "2"] * 20), "t.csv", "numbers")
    assert (found.reason, found.values[:3].tolist()) == ("as asked for", [3.0, 1.0, 2.0])
    found = tell_target(series([1.5, 2.5, 3.5] * 20), "t.csv", "classes")
    assert found.values[:3].tolist() == ["1.5", "2.5", "3.5"]


@pytest.mark.parametrize(
    ("values", "task", "message"),
    [
        ([None] * 30, None, 'the target "y" is missing in all 30 rows'),
        (["a"] * 30, None, 'the target "y" is constant ("a" in all rows): nothing to learn'),
        ([*["a", "b"] * 5, None], None, "t has 10 rows with a target (1 more have no target): too few to train and to"),
        (["2024-01-01", "2024-01-02"] * 20, None, 'the target "y" holds dates; numbers or classes can be learned'),
        ([f"text {n}" for n in range(40)], None, 'the target "y" has 40 different values in 40 rows: classes must rep'),
        (
            ["1", "2", None, "x"] * 20,
            "numbers",
            't, column "y", row 4: text where a number is expected: "x" (and in 19',
        ),
        (["1", "2", "inf"] * 20, "numbers", 't, column "y", row 3: a number that is infinite or too large: "inf"'),
    ],
)
def test_targets_that_cannot_be_learned(values: list[Any], task: Any, message: str) -> None:
    with pytest.raises(TableError) as caught:
        tell_target(series(values), "t", task)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (["1", "2.0", " 3"], np.int64, [1, 2, 3]),
        ([1.0, 2.0], np.int16, [1, 2]),
        ([1.5, 2.0], np.int64, ["1.5", "2"]),
        (["1", "many"], np.int64, ["1", "many"]),
        ([True, False], bool, [True, False]),
        (["1", "2"], np.float64, [1.0, 2.0]),
        ([1, 2], object, ["1", "2"]),
        ([" a", "b "], np.dtype("<U3"), ["a", "b"]),
    ],
)
def test_labels_of_the_type_of_a_models_classes(values: list[Any], dtype: Any, expected: list[Any]) -> None:
    found = labels_as(series(values), np.dtype(dtype)).tolist()
    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))


@pytest.mark.parametrize("classes", [[False, True], ["FALSE", "TRUE"], ["false", "true"], ["False", "True"]])
@pytest.mark.parametrize("values", [[True, False], ["TRUE", "FALSE"], ["true ", "false"], ["True", "False"]])
def test_true_and_false_are_the_labels_of_the_model(values: list[Any], classes: list[Any]) -> None:
    found = labels_like(series(values), np.array(classes))
    assert found.tolist() == classes[::-1]
    assert (found.dtype.kind == "b") is (classes == [False, True])


def test_other_labels_stay_as_they_are() -> None:
    assert labels_like(series(["true", "maybe"]), np.array([False, True])).tolist() == ["true", "maybe"]
    assert labels_like(series([True, False]), np.array(["no", "yes"])).tolist() == ["true", "false"]
    assert labels_like(series(["True"]), np.array(["TRUE"], object)).tolist() == ["TRUE"]
    assert labels_like(series(["2.0"]), np.array([1, 2])).tolist() == [2]


def test_numbers_of_the_rows_that_have_one() -> None:
    assert numbers_as(series(["1", None, " 2.5 "]), "t").tolist() == [1.0, 2.5]
