"""The task that the target tells, targets that cannot be learned, and the target's way in and out of the network."""

from __future__ import annotations

import numpy as np
import polars
import pytest

from fanin._core.errors import TableError
from fanin.tabular import Table
from fanin.tabular.target import ClassTarget, NumberTarget, fit_target, read_goal


def table(values: list[object]) -> Table:
    return Table("t.csv", polars.DataFrame({"y": values}, strict=False))


def told(values: list[object], task: str | None = None) -> tuple[str, str]:
    goal = read_goal(table(values), "y", task)
    return goal.task, goal.reason


@pytest.mark.parametrize(
    ("values", "task", "reason"),
    [
        (["a", "b"] * 20, "classes", "the target holds texts"),
        (["True", "false"] * 20, "classes", "the target holds true and false"),
        ([True, False] * 20, "classes", "the target holds true and false"),
        (["0", "1", "2"] * 10, "classes", "the target holds 3 different whole numbers"),
        ([0, 1, 2] * 10, "classes", "the target holds 3 different whole numbers"),
        (["0.5", "1.5"] * 10, "classes", "the target holds two different numbers"),
        (["0.0", "1.0", "2.0"] * 10, "regression", "the target holds 3 different numbers"),
        (list(range(21)) * 10, "regression", "the target holds 21 different numbers"),
        (list(range(10)) * 3, "regression", "the target holds 10 different numbers"),  # 3 rows each are too few
        (list(range(10)) * 4, "classes", "the target holds 10 different whole numbers"),
        ([n / 7 for n in range(50)], "regression", "the target holds 50 different numbers"),
    ],
)
def test_task(values: list[object], task: str, reason: str) -> None:
    assert told(values) == (task, reason)


def test_the_task_can_be_asked_for() -> None:
    assert told([0, 1, 2] * 10, "regression") == ("regression", "as asked for")
    assert told(["0.0", "1.0", "2.0"] * 10, "classes") == ("classes", "as asked for")


def test_rows_without_a_target_are_dropped() -> None:
    goal = read_goal(table(["a", None, "b"] * 20), "y")
    assert (goal.dropped, goal.table.rows, goal.labels[:4]) == (20, 40, ("a", "b", "a", "b"))


@pytest.mark.parametrize(
    ("values", "task", "expected"),
    [
        ([None] * 30, None, 't.csv: the target "y" is missing in all 30 rows'),
        (["a"] * 30, None, 't.csv: the target "y" is constant ("a" in all rows): nothing to learn'),
        ([1.5] * 30 + [None], None, 't.csv: the target "y" is constant ("1.5" in all rows): nothing to learn'),
        (["a", "b"] * 9, None, "t.csv has 18 rows with a target: too few to train and to judge, 20 are needed"),
        (["a", "b", None] * 9, None, "t.csv has 18 rows with a target (9 more have no target): too few to train"),
        (
            ["a", "b"] * 20 + ["c"],
            None,
            't.csv: a single row of the target "y" has the class "c": a class needs 2 rows',
        ),
        (
            [f"n{n}" for n in range(40)],
            None,
            't.csv: the target "y" has 40 different values in 40 rows: classes must repeat',
        ),
        ([f"2024-01-{n:02}" for n in range(1, 30)], None, 't.csv: the target "y" holds dates'),
        ([*range(50), "x"], None, 't.csv, column "y", row 51: text where a number is expected: "x"'),
        (
            ["a", "b"] * 20,
            "regression",
            't.csv, column "y", row 1: text where a number is expected: "a" (and in 39 more',
        ),
        (
            ["inf", *map(str, range(50))],
            None,
            't.csv, column "y", row 1: a number that is infinite or too large: "inf"',
        ),
    ],
)
def test_refused(values: list[object], task: str | None, expected: str) -> None:
    with pytest.raises(TableError) as caught:
        told(values, task)
    assert str(caught.value).startswith(expected)


def test_classes_are_ordered_numbers_by_size_then_texts() -> None:
    goal = read_goal(table(["10", "9", "b", "a"] * 10), "y")
    target = fit_target(goal, np.arange(4))
    assert isinstance(target, ClassTarget)
    assert target.classes == ("9", "10", "a", "b")
    assert target.encode(["a", "9"]).tolist() == [2, 0]


def test_numbers_are_standardised_by_the_training_rows_alone() -> None:
    goal = read_goal(table([1.25, 3.25] * 15 + [1000.5] * 15), "y")
    target = fit_target(goal, np.arange(30))
    assert target == NumberTarget("y", mean=2.25, deviation=1.0, low=1.25, high=3.25)


def test_predictions_stay_in_the_range_of_the_training_rows() -> None:
    target = NumberTarget("y", mean=2.0, deviation=0.5, low=1.0, high=3.0)
    assert target.encode(np.array([1.0, 2.5])).tolist() == [[-2.0], [1.0]]
    assert target.decode(np.array([[1.0], [8.0]], np.float32)).tolist() == [2.5, 6.0]
    assert target.in_range(np.array([2.5, 6.0, -99.0])).tolist() == [2.5, 3.0, 1.0]
