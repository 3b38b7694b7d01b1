"""Frames of polars, by their own methods; polars is imported when such a frame comes, and so is loaded already."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import TableError
from fanin.tabular.inputs.summary import Floats
from fanin.tabular.inputs.tables.base import InputTable, Levels, Storage
from fanin.tabular.inputs.tables.factors import factor_array, factor_objects

STORAGES: dict[str, Storage] = {
    "Boolean": "flags",
    "Null": "missing",
    "Duration": "numbers",
    "Date": "dates",
    "Datetime": "dates",
    "Time": "dates",
    "String": "values",
    "Binary": "values",
    "Object": "values",
    "Categorical": "categories",
    "Enum": "categories",
}
UNITS_A_DAY = {"ms": 86_400e3, "us": 86_400e6, "ns": 86_400e9}


class PolarsTable(InputTable):
    """A frame of polars."""

    def __init__(self, frame: Any) -> None:
        self.frame = frame
        self.names = tuple(frame.columns)
        self.rows = frame.height
        self.dtypes = list(frame.dtypes)
        self.storages = tuple(map(self._storage, range(len(self.dtypes))))

    def _storage(self, column: int) -> Storage:
        dtype = self.dtypes[column]
        storage = STORAGES.get(dtype.base_type().__name__, "numbers" if dtype.is_numeric() else None)
        if storage is None:
            raise TableError(f"{self.label(column)} has the type {dtype}, which holds no numbers, dates or texts")
        return storage

    def numbers(self, columns: NDArray[np.int64]) -> NDArray[np.generic]:
        """Return columns of numbers and flags."""
        import polars

        frame = self.frame if len(columns) == self.columns else self.frame[:, columns.tolist()]
        spans = [name for name, dtype in frame.schema.items() if dtype.base_type().__name__ == "Duration"]
        if spans:
            frame = frame.with_columns(polars.col(spans).dt.total_microseconds().cast(polars.Float64) / 1e6)
        numbers: Floats = frame.cast(polars.Float64).to_numpy()
        return numbers

    def days(self, column: int) -> Floats:
        """Return a column of dates as days since 1970."""
        import polars

        dtype = self.dtypes[column]
        physical = self.frame.to_series(column).to_physical().cast(polars.Float64).to_numpy()
        unit = {"Date": 1.0, "Time": UNITS_A_DAY["ns"]}.get(dtype.base_type().__name__)
        days: Floats = physical / (unit or UNITS_A_DAY[dtype.time_unit])
        return days

    def levels(self, column: int) -> Levels:
        """Return a column as indices into its different values."""
        import polars

        series = self.frame.to_series(column)
        if self.storages[column] in ("numbers", "flags"):
            return factor_array(self.numbers(np.array([column]))[:, 0])
        if series.dtype == polars.Object:
            return factor_objects(series.to_list())
        if series.dtype != polars.Binary:
            series = series.cast(polars.String)
        values = series.unique(maintain_order=True).drop_nulls()
        codes = series.replace_strict(values, np.arange(len(values)), default=-1, return_dtype=polars.Int64)
        return Levels(codes.fill_null(-1).to_numpy(), values.to_list())
