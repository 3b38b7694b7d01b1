"""A table that is ready to be learned: target, columns, weights, and the rows to learn from and to judge by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import TableError
from fanin.tabular.files import TableFile
from fanin.tabular.fitting.splits import hold_out
from fanin.tabular.frames import polars
from fanin.tabular.tasks.columns import ColumnTold, row_numbers, told, typed
from fanin.tabular.tasks.missing import stand_ins
from fanin.tabular.tasks.target import Target, TaskName, numbers_as, tell_target

FEWEST_TO_LEARN, FEWEST_TO_JUDGE = 10, 2  # rows


@dataclass(frozen=True)
class Options:
    """What the caller may decide.

    task:       None for what the target tells.
    categories: columns that are read as levels; ignore: those that are left out; weight: that of the rows' weights.
    held_out:   the share of the rows that the model is judged by, in [0, 1).
    """

    task: TaskName | None = None
    categories: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    weight: str | None = None
    held_out: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class Prepared:
    """A task: rows with a target, and how they are split.

    X:       the columns that are learned from.
    columns: all columns of the table but the target's, told.
    weights: of the rows, or None.
    learned: the rows to learn from; judged: those to judge by.
    stand_ins: texts that may stand for a missing value, with the columns that have them.
    """

    source: str
    target: Target
    X: polars.DataFrame
    columns: tuple[ColumnTold, ...]
    weights: NDArray[np.float64] | None
    learned: NDArray[np.int64]
    judged: NDArray[np.int64]
    stand_ins: dict[str, list[str]]

    @property
    def dropped(self) -> int:
        """How many rows have no target."""
        return len(self.target.known) - len(self.target.values)

    def part(self, rows: NDArray[np.int64]) -> tuple[polars.DataFrame, NDArray[Any]]:
        """Return columns and target of some rows."""
        return self.X[rows], self.target.values[rows]


def prepare(table: TableFile, target: str, options: Options) -> Prepared:
    """Read a table, and tell the task and the columns.

    Raises TableError for columns that are not there, for a target that cannot be learned or is to be something else as
    well, for weights that are none, and where no column is left to learn from, or too few rows to judge by.
    """
    table.need([target, *options.categories, *options.ignore, *([options.weight] if options.weight else [])])
    _check_target_is_alone(target, options)
    frame = table.read()
    goal = tell_target(frame.get_column(target), table.source, options.task)
    doubtful = stand_ins(frame.drop(options.ignore))
    left_out = _left_out(frame.drop(target), options)  # before rows go, as they are counted
    frame = frame.filter(polars.Series(goal.known))
    weights = weights_as(frame, options.weight, table.source)
    others = frame.drop(target)
    X = typed(others.drop(left_out), options.categories)
    learned, judged = _split(goal, options, table.source)
    columns = _told(others, X[learned], left_out, table.source)
    if all(column.kind == "left out" for column in columns):
        raise TableError(f'{table.source} has no column to learn "{target}" from{_why_none(columns)}')
    return Prepared(table.source, goal, X, columns, weights, learned, judged, doubtful)


def _check_target_is_alone(target: str, options: Options) -> None:
    if target in options.categories:
        raise TableError(
            f'"{target}" is the target, and --category is for columns to learn from',
            remedy="to learn its numbers as classes: --task classes",
        )
    if target in (*options.ignore, options.weight):
        use = "ignored" if target in options.ignore else "the weight"
        raise TableError(f'"{target}" is the target, and cannot be {use}, too')


def _told(
    frame: polars.DataFrame, learned: polars.DataFrame, left_out: dict[str, str], source: str
) -> tuple[ColumnTold, ...]:
    try:
        return told(frame, learned, left_out)
    except TableError as error:
        raise TableError(f"{source}: {error}", remedy="leave the column out: --ignore COLUMN") from None


def _left_out(frame: polars.DataFrame, options: Options) -> dict[str, str]:
    counting = dict.fromkeys(row_numbers(frame), "a row number")
    asked = dict.fromkeys(options.ignore, "ignored, as asked for")
    weight = {options.weight: "the weight of the row"} if options.weight else {}
    return {name: why for name, why in (counting | asked | weight).items() if name in frame.columns}


def weights_as(frame: polars.DataFrame, name: str | None, source: str) -> NDArray[np.float64] | None:
    """Return the weights of rows that have a target, from the column of this name; None without one.

    Raises TableError for a weight that is missing, no number or below 0, and where all are 0.
    """
    if name is None:
        return None
    series = frame.get_column(name)
    if series.null_count():
        raise TableError(f'{source}: the weight "{name}" is missing in {series.null_count():,} rows that have a target')
    weights = numbers_as(series, source)
    if not weights.any():
        raise TableError(f'{source}: the weight "{name}" is 0 in all rows: nothing is left to learn from')
    if (weights < 0).any():
        raise TableError(f'{source}: the weight "{name}" is {weights.min():g} in a row: weights are 0 or more')
    return weights


def _split(goal: Target, options: Options, source: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows = len(goal.values)
    if not options.held_out:
        return np.arange(rows), np.empty(0, np.int64)
    classes = np.unique(goal.values, return_inverse=True)[1] if goal.task == "classes" else None
    learned, judged = hold_out(rows, options.held_out, np.random.default_rng(options.seed), classes)[0]
    if len(judged) < FEWEST_TO_JUDGE or len(learned) < FEWEST_TO_LEARN:
        raise TableError(
            f"{source}: of {rows:,} rows, a share of {options.held_out:g} leaves {len(learned):,} to learn from and "
            f"{len(judged):,} to judge by: {FEWEST_TO_LEARN} and {FEWEST_TO_JUDGE} are needed",
            remedy="hold out another share, or none: --held-out 0",
        )
    return learned, judged


def _why_none(columns: Sequence[ColumnTold]) -> str:
    if not columns:
        return ": it has no other column"
    if all(column.becomes == "one value in all rows" for column in columns):
        return ": all other columns are constant"
    notes = [f'"{column.name}" is {column.becomes}' for column in columns]
    return ": " + ", ".join(notes[:5]) + (", ..." if len(notes) > 5 else "")
