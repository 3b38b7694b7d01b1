"""Arrow's tables and record batches; pyarrow is imported when one comes, and so is loaded already."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import TableError
from fanin.tabular.inputs.summary import Floats
from fanin.tabular.inputs.tables.base import InputTable, Levels, Storage
from fanin.tabular.inputs.tables.factors import factor_array

UNITS_A_DAY = {"s": 86_400.0, "ms": 86_400e3, "us": 86_400e6, "ns": 86_400e9}
TESTS: tuple[tuple[str, Storage], ...] = (
    ("boolean", "flags"),
    ("integer", "numbers"),
    ("floating", "numbers"),
    ("decimal", "numbers"),
    ("duration", "numbers"),
    ("null", "missing"),
    ("timestamp", "dates"),
    ("date", "dates"),
    ("time", "dates"),
    ("string", "values"),
    ("large_string", "values"),
    ("string_view", "values"),
    ("binary", "values"),
    ("large_binary", "values"),
    ("dictionary", "categories"),
)


class ArrowTable(InputTable):
    """A table or a record batch of Arrow; names may repeat."""

    def __init__(self, table: Any) -> None:
        arrow = import_module("pyarrow")
        self.arrow = arrow
        self.table = arrow.Table.from_batches([table]) if isinstance(table, arrow.RecordBatch) else table
        self.names = tuple(self.table.column_names)
        self.rows = self.table.num_rows
        self.types = list(self.table.schema.types)
        known = {kind: _storage(arrow.types, kind) for kind in set(self.types)}
        for column, kind in enumerate(self.types):
            if known[kind] is None:
                raise TableError(f"{self.label(column)} has the type {kind}, which holds no numbers, dates or texts")
        self.storages = tuple(storage for kind in self.types if (storage := known[kind]))

    def numbers(self, columns: NDArray[np.int64]) -> NDArray[np.generic]:
        """Return columns of numbers and flags."""
        numbers = np.empty((self.rows, len(columns)), order="F")
        for place, column in enumerate(columns):
            numbers[:, place] = self._numbers_of_one(int(column))
        return numbers

    def _numbers_of_one(self, column: int) -> Floats:
        kind = self.types[column]
        if self.arrow.types.is_duration(kind):
            return self._float64(column, "int64") / UNITS_A_DAY[kind.unit] * UNITS_A_DAY["s"]
        return self._float64(column, "uint8" if self.arrow.types.is_boolean(kind) else None)

    def _float64(self, column: int, through: str | None = None) -> Floats:
        """Return a column cast to float64, nan where null, through a type that has such a cast."""
        values = self.table.column(column)
        for kind in (through, "float64"):
            values = values.cast(kind, safe=False) if kind else values
        numbers: Floats = values.to_numpy()
        return numbers

    def days(self, column: int) -> Floats:
        """Return a column of dates as days since 1970."""
        kind = self.types[column]
        if self.arrow.types.is_date32(kind):
            return self._float64(column, "int32")
        if self.arrow.types.is_time32(kind):
            return self._float64(column, "int32") / UNITS_A_DAY[kind.unit]
        unit = "ms" if self.arrow.types.is_date64(kind) else kind.unit
        return self._float64(column, "int64") / UNITS_A_DAY[unit]

    def levels(self, column: int) -> Levels:
        """Return a column as indices into its different values."""
        if self.storages[column] in ("numbers", "flags"):
            return factor_array(self.numbers(np.array([column]))[:, 0])
        encoded = self.table.column(column).dictionary_encode().combine_chunks()
        if isinstance(encoded, self.arrow.ChunkedArray):
            encoded = encoded.unify_dictionaries().combine_chunks()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return Levels(codes, encoded.dictionary.to_pylist())


def _storage(types: Any, kind: Any) -> Storage | None:
    tests = ((getattr(types, f"is_{name}"), storage) for name, storage in TESTS)
    return next((storage for test, storage in tests if test(kind)), None)
