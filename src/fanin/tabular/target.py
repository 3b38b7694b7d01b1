"""The target column: which task it sets, and how it is turned into what the network learns.

| the target holds | task |
|---|---|
| texts, or true and false | classes |
| whole numbers: at most 20 different ones, each in 4 rows or more on average | classes |
| two different numbers | classes |
| other numbers | regression |
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import TableError
from fanin.tabular.columns import Floats, Rows
from fanin.tabular.frames import polars
from fanin.tabular.kinds import describe
from fanin.tabular.table import Table
from fanin.tabular.values import as_numbers, column, numbers, texts

Task = Literal["classes", "regression"]

FEW_CLASSES = 20
ROWS_A_CLASS = 4
FEWEST_ROWS = 20


@dataclass(frozen=True)
class ClassTarget:
    """A target of classes; the network's outputs are their logits, in this order."""

    name: str
    classes: tuple[str, ...]
    task: Task = "classes"

    @property
    def outputs(self) -> int:
        """How many numbers the network puts out."""
        return len(self.classes)

    def encode(self, labels: list[str]) -> Rows:
        """Return the index of each label's class."""
        index = {label: number for number, label in enumerate(self.classes)}
        return np.array([index[label] for label in labels], np.int64)


@dataclass(frozen=True)
class NumberTarget:
    """A target of numbers; the network's output is (value - mean) / deviation of the training rows."""

    name: str
    mean: float
    deviation: float
    low: float
    high: float
    task: Task = "regression"

    @property
    def outputs(self) -> int:
        """How many numbers the network puts out."""
        return 1

    @classmethod
    def fit(cls, name: str, values: Floats) -> NumberTarget:
        """Mean, standard deviation and range of the training rows' values."""
        # Where the training rows happen to be equal (all others differ), the deviation is that of the next best guess.
        deviation = float(values.std()) or 1.0
        return cls(name, float(values.mean()), deviation, float(values.min()), float(values.max()))

    def encode(self, values: Floats) -> NDArray[np.float32]:
        """Standardise values, as a column (rows, 1)."""
        return ((values - self.mean) / self.deviation).astype(np.float32)[:, None]

    def decode(self, outputs: NDArray[np.float32]) -> Floats:
        """Turn outputs (rows, 1) into values."""
        return outputs[:, 0].astype(np.float64) * self.deviation + self.mean

    def in_range(self, values: Floats) -> Floats:
        """Keep values in the range of the training rows: beyond what it saw, a network guesses wildly."""
        return values.clip(self.low, self.high)


Target = ClassTarget | NumberTarget


@dataclass(frozen=True)
class Goal:
    """The target before the split: the rows that have one, the task and why, and the values."""

    name: str
    task: Task
    reason: str
    table: Table
    labels: tuple[str, ...]
    values: Floats
    dropped: int


def read_goal(table: Table, name: str, task: Task | None = None) -> Goal:
    """Tell the task by the target column, and drop the rows in which it is missing.

    Raises TableError when there is no such column, when it is constant or holds dates, when too few rows are left,
    and when a class has a single row.
    """
    series = column(table, name)
    dropped = series.null_count()
    kept = Table(table.source, table.frame.filter(series.is_not_null())) if dropped else table
    _check_rows(kept, name, dropped)
    told, reason = _tell_task(kept, name) if task is None else (task, "as asked for")
    if told == "regression":
        values: Floats = numbers(kept, name).to_numpy().astype(np.float64)
        return Goal(name, told, reason, kept, (), values, dropped)
    labels = tuple(_labels(kept, name))
    _check_classes(kept, name, labels)
    return Goal(name, told, reason, kept, labels, np.empty(0), dropped)


def fit_target(goal: Goal, rows: Rows) -> Target:
    """Fit the target on the training rows; classes are all those of the table."""
    if goal.task == "classes":
        return ClassTarget(goal.name, tuple(sorted(set(goal.labels), key=_order)))
    return NumberTarget.fit(goal.name, goal.values[rows])


def _check_rows(table: Table, name: str, dropped: int) -> None:
    if table.rows == 0:
        raise TableError(f'{table.source}: the target "{name}" is missing in all {dropped:,} rows')
    if column(table, name).n_unique() == 1:
        value = column(table, name)[0]
        raise TableError(f'{table.source}: the target "{name}" is constant ("{value}" in all rows): nothing to learn')
    if table.rows < FEWEST_ROWS:
        also = f" ({dropped:,} more have no target)" if dropped else ""
        raise TableError(
            f"{table.source} has {table.rows} rows with a target{also}: too few to train and to judge, "
            f"{FEWEST_ROWS} are needed"
        )


def _tell_task(table: Table, name: str) -> tuple[Task, str]:
    kind = describe(table, name).kind
    series = column(table, name)
    if kind == "date":
        raise TableError(f'{table.source}: the target "{name}" holds dates; numbers or classes can be learned')
    parsed = as_numbers(series)
    if parsed.null_count() or _is_boolean(series):
        return ("classes", "the target holds texts" if kind != "flag" else "the target holds true and false")
    distinct = parsed.n_unique()
    if distinct == 2:
        return "classes", "the target holds two different numbers"
    if _whole(series) and distinct <= FEW_CLASSES and distinct * ROWS_A_CLASS <= series.len():
        return "classes", f"the target holds {distinct} different whole numbers"
    return "regression", f"the target holds {distinct:,} different numbers"


def _is_boolean(series: polars.Series) -> bool:
    return series.dtype == polars.Boolean


def _whole(series: polars.Series) -> bool:
    """Whether the values are written as whole numbers: 3 is, 3.0 is a measurement that happens to be whole."""
    if series.dtype == polars.String:
        return bool(series.str.strip_chars().str.contains(r"^[+-]?\d+$").all())
    return series.dtype.is_integer()


def _labels(table: Table, name: str) -> list[str]:
    """Return the target's values as texts; numbers in one spelling, so that 1 and 1.0 are one class."""
    series = column(table, name)
    parsed = as_numbers(series)
    if parsed.null_count() or _is_boolean(series) or _whole(series):
        return texts(table, name).str.strip_chars().to_list()
    return [f"{value:.15g}" for value in parsed.to_list()]


def _check_classes(table: Table, name: str, labels: tuple[str, ...]) -> None:
    counts = Counter(labels)
    single = sorted((label for label, count in counts.items() if count == 1), key=_order)
    if not single:
        return
    if len(single) > len(counts) / 2:
        raise TableError(
            f'{table.source}: the target "{name}" has {len(counts):,} different values in {len(labels):,} rows: '
            "classes must repeat (for numbers, pass --task regression)"
        )
    listed = ", ".join(f'"{label}"' for label in single[:5]) + (", ..." if len(single) > 5 else "")
    raise TableError(
        f'{table.source}: a single row of the target "{name}" has the class {listed}: a class needs 2 rows or more, '
        "one to learn from and one to be judged by"
    )


def _order(label: str) -> tuple[int, float, str]:
    """Numbers by size, then texts."""
    try:
        return 0, float(label), label
    except ValueError:
        return 1, 0.0, label
