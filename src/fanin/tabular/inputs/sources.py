"""A column of a table as its plan asks for it: numbers, days, or indices of levels, whatever the table holds it as.

A column need not come back in the dtype that it had in fit: pandas makes objects of flags with gaps, and floats of
whole numbers with gaps; another library has dtypes of its own. What cannot be read as planned is refused with column,
row and value.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import TableError
from fanin.tabular.inputs.cells import Cells, read_cells
from fanin.tabular.inputs.plans import Plan, date_parts
from fanin.tabular.inputs.spelling import by_meaning, with_truths
from fanin.tabular.inputs.summary import Floats
from fanin.tabular.inputs.tables import InputTable

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """A column of a table; what is read of it is kept."""

    table: InputTable
    column: int

    @cached_property
    def cells(self) -> Cells:
        """The column by its different values."""
        storage = self.table.storages[self.column]
        if storage == "missing" or (storage == "dates" and np.isnan(self.days).all()):
            return Cells(np.full(self.table.rows, -1), [], [], np.zeros(0, np.int64))
        if storage == "dates":
            raise TableError(f"X, {self._label}: dates, where fit found none", remedy="pass the column's type of fit")
        return read_cells(self.table.levels(self.column), self._label)

    @cached_property
    def days(self) -> Floats:
        """The column of a dtype of dates as days since 1970."""
        return self.table.days(self.column)

    @property
    def _label(self) -> str:
        return self.table.label(self.column)

    def parts(self, plan: Plan) -> list[Floats]:
        """Return the raw numbers that the plan makes of the column, one array (rows,) for each of its parts."""
        found = []
        if plan.kind == "date":
            days = self._days(plan)
            found = date_parts(days, [part for part in plan.parts if part != "frequency"])
        elif "value" in plan.parts:
            found = [self._numbers(plan)]
        return [*found, self._frequencies(plan)] if "frequency" in plan.parts else found

    def indices(self, plan: Plan) -> Indices:
        """Return for each row the index of its level, 0 where it is missing or unknown."""
        return np.append(self.places(plan), 0)[self.cells.codes]

    def places(self, plan: Plan) -> Indices:
        """Return for each of the column's different values the index of its level, 0 for one that is unknown.

        A number or a flag that is written otherwise than in training is no new category: a file has "True" where
        another has true or 1, and "2.0" where another has 2.
        """
        known = {level: index for index, level in enumerate(plan.levels, 1)}
        found = np.array([known.get(key, 0) for key in self.cells.keys], np.int64)
        if not found.all() and not plan.frequencies:
            alike = by_meaning(plan.levels)
            for index in np.flatnonzero(found == 0).tolist():
                found[index] = alike(self.cells.keys[index])
        return found

    def _numbers(self, plan: Plan) -> Floats:
        if self.table.storages[self.column] in ("numbers", "flags"):
            return self.table.numbers(np.array([self.column]))[:, 0].astype(np.float64)
        numbers = with_truths(self.cells.numbers, self.cells.keys) if plan.kind == "flag" else self.cells.numbers
        self._refuse(np.isnan(numbers), plan, "true or false" if plan.kind == "flag" else "a number")
        return self.cells.rows_of(numbers)

    def _days(self, plan: Plan) -> Floats:
        if self.table.storages[self.column] == "dates":
            return self.days
        days = self.cells.days(plan.first)
        self._refuse(np.isnan(days), plan, "a date")
        return self.cells.rows_of(days)

    def _frequencies(self, plan: Plan) -> Floats:
        """Return for each row how frequent its text was in training; nan where it has none."""
        frequencies = np.array([plan.frequencies.get(key, 0.0) for key in self.cells.keys])
        if plan.kind != "category":
            read = self.cells.days(plan.first) if plan.kind == "date" else self.cells.numbers
            frequencies[~np.isnan(read)] = np.nan
        return self.cells.rows_of(frequencies)

    def _refuse(self, failed: NDArray[np.bool_], plan: Plan, expected: str) -> None:
        """Raise TableError for values that cannot be read, unless training rows had texts in the column, too."""
        if plan.texts or not failed.any():
            return
        failed_rows = np.flatnonzero(np.append(failed, False)[self.cells.codes])
        row, more = failed_rows[0], len(failed_rows) - 1
        value = self.cells.values[self.cells.codes[row]]
        also = f" (and in {more:,} more row{'s' * (more > 1)})" if more else ""
        raise TableError(
            f"X, {self._label}, row {row}: {value!r} where {expected} is expected, as in all rows of fit{also}",
            remedy="make it None where it stands for a missing value, or have such values in the rows of fit",
        )


def plain_columns(table: InputTable, plans: tuple[Plan, ...]) -> list[int]:
    """Return the columns that can be read together, because they are numbers in plan and table."""
    pairs = enumerate(zip(plans, table.storages, strict=True))
    return [column for column, (plan, storage) in pairs if plan.plain and storage in ("numbers", "flags")]


def assemble(table: InputTable, plans: tuple[Plan, ...], sources: dict[int, Source]) -> NDArray[np.generic]:
    """Return the raw numbers (rows, R) of all plans, part by part in the order of the columns."""
    plain = plain_columns(table, plans)
    widths = np.array([len(plan.parts) for plan in plans])
    ends = np.cumsum(widths)
    if len(plain) == ends[-1]:
        return table.numbers(np.array(plain, np.int64)) if plain else np.empty((table.rows, 0))
    raw = np.empty((table.rows, ends[-1]))
    if plain:
        raw[:, ends[plain] - 1] = table.numbers(np.array(plain))
    for column in np.flatnonzero(widths).tolist():
        if column in sources:
            parts = sources[column].parts(plans[column])
            raw[:, ends[column] - widths[column] : ends[column]] = np.stack(parts, axis=1)
    return raw
