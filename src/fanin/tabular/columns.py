"""Turn columns into a network's inputs: a plan is fitted on the training rows, then encodes any table.

Numbers become (x - median) / interquartile range, which outliers do not move; a missing number becomes the median,
with a column of its own that says so when training saw any. The network then bends what is still far out with
`smooth_clip`. Categories of few levels become one column a level, those of many an index into a table of learned
vectors; index 0 is a missing or unknown level, and a row of zeros. Both are the defaults of RealMLP (Holzmueller,
Grinsztajn, Steinwart 2024, arXiv 2407.04491, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import TableError
from fanin.tabular.kinds import Column
from fanin.tabular.table import Table
from fanin.tabular.values import days, nearest, numbers, texts

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

ONE_HOT_LEVELS = 9
FARTHEST = 1e6  # in units of the scale: farther values would overflow when squared in float32
CYCLES = {"year": 365.2425, "week": 7.0, "day": 1.0}  # in days


@dataclass(frozen=True)
class Scale:
    """The centre and the factor with which numbers are standardised; factor 0 for numbers that do not differ."""

    centre: float
    factor: float

    @classmethod
    def fit(cls, values: Floats) -> Scale:
        """Median and interquartile range; half the whole range where the quartiles are equal.

        >>> Scale.fit(np.array([1.0, 2.0, 3.0, 4.0, 500.0]))
        Scale(centre=3.0, factor=0.5)
        """
        known = values[~np.isnan(values)]
        if known.size == 0:
            return cls(0.0, 0.0)
        low, lower, median, upper, high = np.quantile(known, [0, 0.25, 0.5, 0.75, 1])
        spread = float(upper - lower) or float(high - low) / 2
        return cls(float(median), 1 / spread if spread else 0.0)

    def __call__(self, values: Floats) -> Floats:
        """Standardise; a missing value becomes 0, which is the median."""
        return np.nan_to_num((values - self.centre) * self.factor, nan=0.0).clip(-FARTHEST, FARTHEST)


@dataclass(frozen=True)
class NumberPlan:
    """How a column of numbers or dates is encoded: its scale, a date's cycles, and whether missing values are told."""

    name: str
    kind: str
    scale: Scale
    cycles: tuple[str, ...]
    tells_missing: bool

    @property
    def width(self) -> int:
        """How many inputs the column becomes."""
        return bool(self.scale.factor) + 2 * len(self.cycles) + self.tells_missing


@dataclass(frozen=True)
class LevelPlan:
    """How a category is encoded: its levels in the training rows, and whether they are learned vectors."""

    name: str
    kind: str
    levels: tuple[str, ...]

    @property
    def embedded(self) -> bool:
        """Whether the levels are indices into learned vectors rather than one column each."""
        return len(self.levels) > ONE_HOT_LEVELS

    @property
    def width(self) -> int:
        """How many inputs the column becomes, learned vectors not counted."""
        return 0 if self.embedded else 1 if len(self.levels) == 2 else len(self.levels)


Plan = NumberPlan | LevelPlan


@dataclass(frozen=True)
class Unknown:
    """Levels in a column that training did not see."""

    name: str
    rows: int
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Encoded:
    """A table as arrays: numbers (rows, inputs) in float32, and level indices (rows, embedded columns)."""

    numbers: NDArray[np.float32]
    codes: NDArray[np.int64]
    unknown: tuple[Unknown, ...] = ()

    def __getitem__(self, rows: Rows) -> Encoded:
        """Return some of the rows."""
        return Encoded(self.numbers[rows], self.codes[rows])


def fit_plans(table: Table, columns: Sequence[Column], rows: Rows) -> tuple[Plan, ...]:
    """Fit every column's plan on `rows` alone: no median, scale or level comes from any other row."""
    seen = Table(table.source, table.frame[rows])
    return tuple(_fit(seen, column) for column in columns if column.kind != "left out")


def _fit(table: Table, column: Column) -> Plan:
    if column.kind in ("flag", "category"):
        levels = _levels(table, column.name, column.kind)
        return LevelPlan(column.name, column.kind, tuple(sorted({level for level in levels if level is not None})))
    values = _values(table, column.name, column.kind)
    cycles = _cycles(values) if column.kind == "date" else ()
    return NumberPlan(column.name, column.kind, Scale.fit(values), cycles, bool(np.isnan(values).any()))


def _levels(table: Table, name: str, kind: str) -> list[str | None]:
    values = texts(table, name)
    return (values.str.to_lowercase() if kind == "flag" else values).to_list()


def _values(table: Table, name: str, kind: str) -> Floats:
    """Return a column as numbers, a date as days since 1970, with nan where missing."""
    series = numbers(table, name) if kind == "number" else days(table, name)
    values: Floats = series.cast(float).fill_null(float("nan")).to_numpy().astype(np.float64)
    return values


def _cycles(values: Floats) -> tuple[str, ...]:
    """Return the cycles that the dates go round: of half a year there is no season to be learned."""
    known = values[~np.isnan(values)]
    if known.size == 0:
        return ()
    return tuple(
        name
        for name, length in CYCLES.items()
        if np.ptp(known) >= 0.9 * length and np.ptp(np.remainder(known, length)) > 1e-6
    )


def check_schema(table: Table, plans: Sequence[Plan]) -> None:
    """Raise TableError when the table lacks a column that the plans need."""
    lacking = [plan.name for plan in plans if plan.name not in table.names]
    if len(lacking) == 1:
        raise TableError(
            f'{table.source} has no column "{lacking[0]}", which the model was trained with'
            + nearest(lacking[0], table.names)
        )
    if lacking:
        listed = ", ".join(f'"{name}"' for name in lacking[:8]) + (", ..." if len(lacking) > 8 else "")
        raise TableError(f"{table.source} lacks {len(lacking)} columns that the model was trained with: {listed}")


def encode(table: Table, plans: Sequence[Plan]) -> Encoded:
    """Encode a table; raises TableError for a missing column and for a text where a number is expected."""
    check_schema(table, plans)
    inputs: list[Floats] = [np.empty((table.rows, 0))]
    codes: list[Rows] = [np.empty((table.rows, 0), np.int64)]
    unknown = []
    for plan in plans:
        if isinstance(plan, NumberPlan):
            inputs.append(_encode_numbers(table, plan))
            continue
        index, surprise = _encode_levels(table, plan)
        unknown += [surprise] if surprise else []
        if plan.embedded:
            codes.append(index[:, None])
        else:
            inputs.append(_one_hot(index, len(plan.levels)))
    return Encoded(np.concatenate(inputs, axis=1).astype(np.float32), np.concatenate(codes, axis=1), tuple(unknown))


def _encode_numbers(table: Table, plan: NumberPlan) -> Floats:
    values = _values(table, plan.name, plan.kind)
    inputs = [plan.scale(values)] if plan.scale.factor else []
    for cycle in plan.cycles:
        angle = np.nan_to_num(2 * np.pi * values / CYCLES[cycle])
        known = ~np.isnan(values)  # a missing date stands nowhere in the circle: in its middle
        inputs += [np.sin(angle) * known, np.cos(angle) * known]
    if plan.tells_missing:
        inputs.append(np.isnan(values).astype(np.float64))
    return np.stack(inputs, axis=1) if inputs else np.empty((table.rows, 0))


def _encode_levels(table: Table, plan: LevelPlan) -> tuple[Rows, Unknown | None]:
    """Return the index of each row's level, from 1; 0 for a missing or an unknown one, and what was unknown."""
    known = {level: index for index, level in enumerate(plan.levels, 1)}
    levels = _levels(table, plan.name, plan.kind)
    index = np.fromiter((known.get(level, 0) if level is not None else 0 for level in levels), np.int64, len(levels))
    strangers = [level for level in levels if level is not None and level not in known]
    if not strangers:
        return index, None
    return index, Unknown(plan.name, len(strangers), tuple(dict.fromkeys(strangers)))


def _one_hot(index: Rows, count: int) -> Floats:
    columns = (index[:, None] == np.arange(1, count + 1)).astype(np.float64)
    # Two levels as +1 and -1: one input says what two would say twice.
    encoded: Floats = columns[:, :1] - columns[:, 1:] if count == 2 else columns
    return encoded


def smooth_clip(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """X / sqrt(1 + (x / 3)^2): about x near 0, and never beyond +-3, however far out a value lies.

    >>> print(smooth_clip(np.array([0.0, 0.25, 4.0, 1e6], np.float32)).round(3))
    [0.    0.249 2.4   3.   ]
    """
    clipped: NDArray[np.float32] = values / np.sqrt(1 + (values / np.float32(3)) ** 2, dtype=np.float32)
    return clipped
