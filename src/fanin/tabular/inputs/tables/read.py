"""Read whatever is given as a table: frames by the name of their library, all else as an array."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from fanin._core.errors import ArgumentTypeError, TableError
from fanin.tabular.inputs.tables.arrays import table_from_array
from fanin.tabular.inputs.tables.base import InputTable

LIBRARIES = ("pandas", "polars", "pyarrow")
FRAMES = ("DataFrame", "Table", "RecordBatch")


def read_table(given: Any, name: str = "X") -> InputTable:
    """Return a table over `given`, which is not copied.

    Raises TableError when it has no rows, no columns or not two dimensions, and when a column holds neither numbers nor
    dates nor texts; ArgumentTypeError for what is no table at all.

    >>> read_table([[1.5, "a"], [2.5, "b"]]).storages
    ('numbers', 'values')
    """
    table = _open(given, name)
    shape = (table.rows, table.columns)
    for count, what in zip(shape, ("sample", "feature"), strict=True):
        if count == 0:
            # scikit-learn's words, which its users know and its checks look for.
            raise TableError(f"{name}: found 0 {what}(s) (shape={shape}) while a minimum of 1 is required.")
    return table


def _open(given: Any, name: str) -> InputTable:
    library, kind = _library(given)
    if library:
        return _open_frame(given, library, kind, name)
    if hasattr(given, "tocsr") and hasattr(given, "nnz"):
        raise ArgumentTypeError(f"{name} is a sparse matrix, which is not supported: pass {name}.toarray()")
    if hasattr(given, "__arrow_c_stream__"):
        return _open_stream(given, name)
    return table_from_array(given, name)


def _library(given: Any) -> tuple[str, str]:
    """Return the library and the class that `given` is of, by its own or an inherited class; no names for others."""
    for each in type(given).__mro__:
        library = each.__module__.partition(".")[0]
        if library in LIBRARIES:
            return library, each.__name__
    return "", ""


def _open_frame(given: Any, library: str, kind: str, name: str) -> InputTable:
    if kind == "LazyFrame":
        raise ArgumentTypeError(f"{name} is a LazyFrame of polars, which has no rows yet: pass {name}.collect()")
    if kind not in FRAMES:
        raise TableError(
            f"Expected 2D array, got 1D array instead: {name} is a {kind} of {library}, which is one column. "
            f"Reshape your data: pass a frame with it as its only column"
        )
    if library == "pandas":
        from fanin.tabular.inputs.tables.pandas_frames import PandasTable

        return PandasTable(given)
    if library == "polars":
        from fanin.tabular.inputs.tables.polars_frames import PolarsTable

        return PolarsTable(given)
    from fanin.tabular.inputs.tables.arrow_tables import ArrowTable

    return ArrowTable(given)


def _open_stream(given: Any, name: str) -> InputTable:
    """Open a frame of another library that offers its columns as Arrow's."""
    if find_spec("pyarrow"):
        return _open(import_module("pyarrow").table(given), name)
    if find_spec("polars"):
        return _open(import_module("polars").DataFrame(given), name)
    raise ArgumentTypeError(f"{name} is a {type(given).__name__}, which can be read with pyarrow or polars installed")
