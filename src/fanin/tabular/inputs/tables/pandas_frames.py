"""Frames of pandas, by their own methods: pandas is never imported."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import TableError
from fanin.tabular.inputs.summary import Floats
from fanin.tabular.inputs.tables.arrays import days_of, real_numbers
from fanin.tabular.inputs.tables.base import InputTable, Levels, Storage
from fanin.tabular.inputs.tables.factors import are_numbers, factor_objects, floats_of

STORAGES: dict[str, Storage] = {"i": "numbers", "u": "numbers", "f": "numbers", "m": "numbers", "b": "flags"}


class PandasTable(InputTable):
    """A frame of pandas with columns of NumPy's, pandas' own or Arrow's dtypes; names may be of any type, or repeat."""

    def __init__(self, frame: Any) -> None:
        self.frame = frame
        self.names = tuple(frame.columns)
        self.rows = len(frame)
        self.dtypes = list(frame.dtypes)
        for column, dtype in enumerate(self.dtypes):
            _refuse(dtype, self.label(column))
        known = {dtype: _storage(dtype) for dtype in set(self.dtypes)}
        self.storages = tuple(
            "numbers" if dtype.name == "object" and are_numbers(frame.iloc[:, column].tolist()) else known[dtype]
            for column, dtype in enumerate(self.dtypes)
        )

    def numbers(self, columns: NDArray[np.int64]) -> NDArray[np.generic]:
        """Return columns of numbers and flags."""
        if any(self.dtypes[column].kind in "mO" for column in columns):
            return np.stack([self._numbers_of_one(column) for column in columns], axis=1)
        whole = len(columns) == self.columns
        frame = self.frame if whole else self.frame.iloc[:, columns]
        numbers: NDArray[np.float64] = frame.to_numpy(dtype=np.float64, na_value=np.nan)
        return numbers

    def _numbers_of_one(self, column: int) -> Floats:
        series = self.frame.iloc[:, column]
        if self.dtypes[column].kind == "m":
            return real_numbers(series.to_numpy(dtype="timedelta64[us]")).astype(np.float64)
        if self.dtypes[column].name == "object":
            return floats_of(series.to_numpy())
        numbers: Floats = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return numbers

    def days(self, column: int) -> Floats:
        """Return a column of dates as days since 1970."""
        series = self.frame.iloc[:, column]
        if str(self.dtypes[column]).startswith("period"):
            series = series.dt.to_timestamp()
        return days_of(series.to_numpy(dtype="datetime64[us]"))

    def levels(self, column: int) -> Levels:
        """Return a column as indices into its different values."""
        series = self.frame.iloc[:, column]
        if self.storages[column] == "categories":
            return Levels(series.cat.codes.to_numpy().astype(np.int64), series.cat.categories.tolist())
        try:
            codes, values = series.factorize()
        except TypeError:  # lists or dictionaries, which cannot be hashed
            return factor_objects(series.tolist())
        return Levels(codes.astype(np.int64), values.tolist())


def _refuse(dtype: Any, label: str) -> None:
    """Raise TableError for complex numbers, and for Arrow's types of lists and structures."""
    if dtype.kind == "c":
        raise TableError(
            f"Complex data not supported: X, {label}",
            remedy="give the real and the imaginary parts as columns of their own",
        )
    nested = getattr(dtype, "pyarrow_dtype", None)
    if nested is not None and nested.num_fields and not str(nested).startswith("dictionary"):
        raise TableError(f"X, {label} has the type {nested}, which holds no numbers, dates or texts")


def _storage(dtype: Any) -> Storage:
    if dtype.name == "category":
        return "categories"
    if dtype.kind == "M" or dtype.name.startswith("period"):
        return "dates"
    return STORAGES.get(dtype.kind, "values")
