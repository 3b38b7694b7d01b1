"""Rows of a table, and a table with one column shuffled, in the library that the table came in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.tabular.checking import is_frame
from fanin.tabular.evaluation.words import label_text
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


def with_shuffled(X: Any, columns: Sequence[int], order: Rows) -> Any:
    """Return the table with the values of some columns in another order, the same for all of them."""
    library = _library(X)
    if library == "pandas":
        changed = X.copy()
        for column in columns:
            changed.isetitem(column, X.iloc[order, column].array)
        return changed
    if library == "polars":
        changed = X.clone()
        for column in columns:
            changed.replace_column(column, X.to_series(column).gather(order))
        return changed
    if library == "pyarrow":
        arrow = import_module("pyarrow")
        changed = arrow.Table.from_batches([X]) if isinstance(X, arrow.RecordBatch) else X
        for column in columns:
            changed = changed.set_column(
                column, X.schema.field(column), changed.column(column).take(arrow.array(order))
            )
        return changed
    changed = X.copy()
    changed[:, columns] = X[order][:, columns]
    return changed


def column_names(X: Any) -> tuple[str, ...]:
    """Return the columns' names; "column 3" in a table without."""
    return names_of(read_table(X))


def names_of(table: InputTable) -> tuple[str, ...]:
    """Return the columns' names, by number where there are none or where they repeat."""
    if table.names is None:
        return tuple(f"column {number}" for number in range(table.columns))
    names = [label_text(name) for name in table.names]
    counts = Counter(names)
    return tuple(f"{name} (number {i})" if counts[name] > 1 else name for i, name in enumerate(names))


def _library(X: Any) -> str:
    for each in type(X).__mro__:
        library = each.__module__.partition(".")[0]
        if library in ("pandas", "polars", "pyarrow"):
            return library
    return ""
