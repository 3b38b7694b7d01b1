"""Arrays, and what NumPy turns into one: lists of rows, tensors, masked and structured arrays."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import ArgumentTypeError, TableError
from fanin.tabular.inputs.summary import Floats
from fanin.tabular.inputs.tables.base import InputTable, Levels, Storage
from fanin.tabular.inputs.tables.factors import all_numbers, are_numbers, factor_array, factor_objects, floats_of

STORAGES: dict[str, Storage] = {"i": "numbers", "u": "numbers", "f": "numbers", "b": "flags", "M": "dates"}
STORAGES |= {"m": "numbers", "U": "values", "S": "values", "O": "values", "T": "values"}  # T: NumPy's StringDType
DAY = np.timedelta64(1, "D") / np.timedelta64(1, "us")


class ArrayTable(InputTable):
    """A two-dimensional array of one dtype; columns have no names."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.names = None
        self.array = array
        self.rows = len(array)
        self.storages = (storage_of(array.dtype),) * array.shape[1]
        if array.dtype == object:
            self.storages = _storages_of_objects(array)

    def numbers(self, columns: NDArray[np.int64]) -> NDArray[np.generic]:
        """Return columns of numbers; the array itself when all are asked for."""
        whole = len(columns) == self.columns and bool((np.diff(columns) == 1).all())
        return real_numbers(self.array if whole else self.array[:, columns])

    def days(self, column: int) -> Floats:
        """Return a column of dates as days since 1970."""
        return days_of(self.array[:, column])

    def levels(self, column: int) -> Levels:
        """Return a column as indices into its different values."""
        return levels_of(self.array[:, column])


class ColumnsTable(InputTable):
    """Arrays of one dimension, one per column, with names: a structured array's fields."""

    def __init__(self, arrays: list[NDArray[Any]], names: tuple[Hashable, ...]) -> None:
        self.names = names
        self.arrays = arrays
        self.rows = len(arrays[0]) if arrays else 0
        self.storages = tuple(storage_of(array.dtype) for array in arrays)
        for column, array in enumerate(arrays):
            if array.ndim != 1:
                raise TableError(
                    f"{self.label(column)} has cells of shape {array.shape[1:]}, not one value in each row"
                )

    def numbers(self, columns: NDArray[np.int64]) -> NDArray[np.generic]:
        """Return columns of numbers and flags."""
        read = [real_numbers(self.arrays[column]).astype(np.float64) for column in columns]
        return np.stack(read, axis=1) if read else np.empty((self.rows, 0))

    def days(self, column: int) -> Floats:
        """Return a column of dates as days since 1970."""
        return days_of(self.arrays[column])

    def levels(self, column: int) -> Levels:
        """Return a column as indices into its different values."""
        return levels_of(self.arrays[column])


def storage_of(dtype: np.dtype[Any]) -> Storage:
    """Tell how a column of this dtype is read; raises TableError for complex numbers and for records."""
    if dtype.kind == "c":
        raise TableError("Complex data not supported: give the real and the imaginary parts as columns of their own")
    if dtype.kind not in STORAGES:
        raise TableError(f"a column of dtype {dtype} holds no numbers, dates or texts")
    return STORAGES[dtype.kind]


def real_numbers(array: NDArray[Any]) -> NDArray[np.generic]:
    """Return numbers as they are, those that are objects in float64, durations in seconds; nan where missing."""
    if array.dtype.kind != "m":
        return floats_of(array) if array.dtype == object else array
    seconds = array / np.timedelta64(1, "s")
    return np.where(np.isnat(array), np.nan, seconds)


def _storages_of_objects(array: NDArray[Any]) -> tuple[Storage, ...]:
    """Tell columns of numbers from others, each value of which is looked at later; of a wide array, by rows first."""
    rows, columns = array.shape
    if columns > rows:
        types: set[type] = set().union(*(map(type, row.tolist()) for row in array))
        if all_numbers(types) and type(None) not in types:
            return tuple(["numbers"] * columns)
    found: list[Storage] = ["numbers" if are_numbers(column.tolist()) else "values" for column in array.T]
    return tuple(found)


def days_of(array: NDArray[Any]) -> Floats:
    """Return dates as days since 1970, nan for NaT.

    >>> print(days_of(np.array(["1970-01-02T12", "NaT"], "datetime64[h]")))
    [1.5 nan]
    """
    micros = array.astype("datetime64[us]")
    return np.where(np.isnat(micros), np.nan, micros.astype(np.int64) / DAY)


def levels_of(array: NDArray[Any]) -> Levels:
    """Return an array of one dimension as indices into its different values."""
    return factor_objects(array.tolist()) if array.dtype.kind in "OUST" else factor_array(array)


def table_from_array(given: Any, name: str) -> InputTable:
    """Read an array, or what NumPy makes one of; raises TableError when it has not two dimensions."""
    if isinstance(given, np.ndarray) and given.dtype.names:
        return ColumnsTable([given[field] for field in given.dtype.names], tuple(given.dtype.names))
    array = as_array(given, name)
    if array.ndim != 2:
        raise TableError(wrong_dimensions(array, name))
    return ArrayTable(array)


def as_array(given: Any, name: str) -> NDArray[Any]:
    """Return an array of what NumPy makes one of; lists with texts as objects, masked values as missing ones.

    Raises TypeError for what is no table, ValueError for rows of different lengths.
    """
    if isinstance(given, np.ma.MaskedArray):
        return unmasked(given)
    if isinstance(given, np.ndarray):
        return np.asarray(given)
    _refuse(given, name)
    try:
        array = np.asarray(given)
    except (ValueError, TypeError) as error:
        raise TableError(
            f"{name} cannot be read as an array of rows and columns: {_lengths(given) or error}"
        ) from error
    # NumPy would write the numbers of ["a", 1.5] as texts; as objects each value keeps its type.
    return np.array(given, dtype=object) if array.dtype.kind in "US" else array


def _refuse(given: Any, name: str) -> None:
    """Raise TypeError for what is neither a frame nor rows of values."""
    is_iterator = isinstance(given, Iterator)
    of_dicts = isinstance(given, list | tuple) and len(given) > 0 and isinstance(given[0], dict)
    if given is not None and not of_dicts and not is_iterator and not isinstance(given, str | bytes | dict | set):
        return
    remedy = f"pass pandas.DataFrame({name})" if of_dicts or isinstance(given, dict) else ""
    what = "a list of dictionaries" if of_dicts else _kind(given)
    raise ArgumentTypeError(
        f"{name} must be a frame (pandas, polars, Arrow) or an array of rows and columns, not {what}",
        remedy=f"pass list({name})" if is_iterator else remedy,
    )


def _lengths(given: Any) -> str:
    """Say which row is of another length; nothing where that is not what is wrong."""
    if not isinstance(given, list | tuple) or not all(hasattr(row, "__len__") for row in given):
        return ""
    lengths = [len(row) for row in given]
    other = next((row for row, length in enumerate(lengths) if length != lengths[0]), 0)
    return f"row {other} has {lengths[other]} values where row 0 has {lengths[0]}" if other else ""


def unmasked(given: np.ma.MaskedArray[Any, Any]) -> NDArray[Any]:
    """Return the values of a masked array, with nan, NaT or None where the mask is set."""
    kind = given.dtype.kind
    missing, dtype = (
        (np.nan, np.float64) if kind in "iubf" else ("NaT", given.dtype) if kind in "Mm" else (None, object)
    )
    values: NDArray[Any] = np.asarray(given.data).astype(dtype)
    values[np.ma.getmaskarray(given)] = missing
    return values


def wrong_dimensions(array: NDArray[Any], name: str) -> str:
    """Say what is wrong with an array that has not two dimensions."""
    if array.ndim > 2:
        return f"{name} has dimensions {array.shape}: rows and columns are expected, not {array.ndim} dimensions"
    kind = "1D" if array.ndim else "scalar"
    return (
        f"Expected 2D array, got {kind} array instead: {name} has shape {array.shape}. Reshape your data: "
        "array.reshape(-1, 1) makes one column of it, array.reshape(1, -1) one row"
    )


def _kind(given: Any) -> str:
    return "None" if given is None else f"a {type(given).__name__}"
