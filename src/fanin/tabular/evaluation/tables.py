"""Rows of a table, and a table with one column shuffled, in the library that the table came in."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.tabular.checking import is_frame
from fanin.tabular.inputs.tables import InputTable, read_table

Rows = NDArray[np.int64]


def as_table(X: Any) -> Any:
    """Return frames of pandas, polars and Arrow as they are, frames of others as Arrow's, and all else as an array."""
    if isinstance(X, np.ndarray) or _library(X):
        return X
    if hasattr(X, "__arrow_c_stream__") and is_frame(X):
        return import_module("pyarrow").table(X)
    array = np.asarray(X)
    return np.array(X, dtype=object) if array.dtype.kind in "US" else array


def take(X: Any, rows: Rows) -> Any:
    """Return some rows of a table."""
    if _library(X) == "pandas":
        return X.iloc[rows]
    if _library(X) == "pyarrow":
        return X.take(import_module("pyarrow").array(rows))
    return X[rows]


def with_shuffled(X: Any, column: int, order: Rows) -> Any:
    """Return the table with the values of one column in another order."""
    library = _library(X)
    if library == "pandas":
        changed = X.copy()
        changed.isetitem(column, X.iloc[order, column].array)
        return changed
    if library == "polars":
        series = X.to_series(column)
        return X.clone().replace_column(column, series.gather(order))
    if library == "pyarrow":
        table = import_module("pyarrow").Table.from_batches([X]) if not hasattr(X, "set_column") else X
        return table.set_column(column, table.schema.field(column), table.column(column).take(order))
    changed = X.copy()
    if X.dtype.names:
        field = X.dtype.names[column]
        changed[field] = X[field][order]
    else:
        changed[:, column] = X[order, column]
    return changed


def column_names(X: Any) -> tuple[str, ...]:
    """Return the columns' names; "column 3" in a table without."""
    return names_of(read_table(X))


def names_of(table: InputTable) -> tuple[str, ...]:
    """Return the columns' names, by number where there are none or where they repeat."""
    if table.names is None:
        return tuple(f"column {number}" for number in range(table.columns))
    names = [str(name) for name in table.names]
    return tuple(f"{n} (number {i})" if names.count(n) > 1 else n for i, n in enumerate(names))


def _library(X: Any) -> str:
    for each in type(X).__mro__:
        library = each.__module__.partition(".")[0]
        if library in ("pandas", "polars", "pyarrow"):
            return library
    return ""
