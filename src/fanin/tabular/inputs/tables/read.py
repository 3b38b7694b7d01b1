"""Read whatever is given as a table: frames by their library's name, all else as an array."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentTypeError, TableError
from fanin.tabular.inputs.tables.arrays import table_from_array
from fanin.tabular.inputs.tables.base import InputTable


def read_table(given: Any, name: str = "X") -> InputTable:
    """Return a table over `given`, which is not copied; raises TableError when it has no rows or no columns."""
    table = _open(given, name)
    shape = (table.rows, table.columns)
    for count, what in zip(shape, ("sample", "feature"), strict=True):
        if count == 0:
            # scikit-learn's words, which its users know and its checks look for.
            raise TableError(f"{name}: found 0 {what}(s) (shape={shape}) while a minimum of 1 is required.")
    return table


def _open(given: Any, name: str) -> InputTable:
    if hasattr(given, "tocsr") and hasattr(given, "nnz"):
        raise ArgumentTypeError(f"{name} is a sparse matrix, which is not supported: pass {name}.toarray()")
    return table_from_array(given, name)
