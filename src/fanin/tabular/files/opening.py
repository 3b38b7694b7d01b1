"""`open_table`: tell what a path holds, by content."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from fanin._core.errors import TableError
from fanin.tabular.files.csv_file import CsvFile
from fanin.tabular.files.parquet_file import ParquetFile
from fanin.tabular.files.reading import Reading
from fanin.tabular.files.table_file import TableFile

Source = str | os.PathLike[str]


def open_table(
    path: Source | Sequence[Source],
    *,
    missing: Sequence[str] = ("",),
    separator: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
) -> TableFile:
    r"""Open a table: CSV (plain or gzipped) or Parquet, told apart by content, not by name.

    Args:
        path: a file; several files of the same columns, one below the other; or a folder of Parquet files, which are
            taken in the order of their names.
        missing: texts that stand for a missing value, beside the empty field, which always does.
        separator: of the fields of CSV; by default that of comma, semicolon, tab and bar which the header has most of.
        decimal: the mark before the decimals of numbers.
        thousands: the mark between their groups of three digits, if there is one.

    A CSV file is UTF-8 text with a header. Lines without any value are passed over. Texts that are numbers with these
    marks are read as 1234.5; in a column with decimal commas a number with a point, as 1.234, is at fault unless
    `thousands` says what the point is.

    Raises TableError, which is a ValueError: no such file, an empty one, no rows, a repeated name, other columns than
    those of the first file, neither text nor Parquet. ArgumentError, which is one, too: marks that cannot be.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text("name,age\nAda,36\nAlan,\n")
    >>> table = open_table(path)
    >>> [(column.name, column.kind) for column in table.columns]
    [('name', 'text'), ('age', 'number')]
    >>> table.read().rows()
    [('Ada', '36'), ('Alan', None)]
    >>> [piece.height for piece in table.pieces(1)]
    [1, 1]
    >>> _ = path.write_text("name;height\nAda;1,5\n")
    >>> open_table(path, decimal=",").read().rows()
    [('Ada', '1.5')]
    """
    return opened(path, Reading.of({}, missing, separator, decimal, thousands))


def opened(path: Source | Sequence[Source], reading: Reading) -> TableFile:
    """Open a table that is written in this way; the rest is as of `open_table`."""
    paths = _paths(path)
    kinds = [_kind(each) for each in paths]
    if len(set(kinds)) > 1:
        raise TableError(f"{paths[0]} is {kinds[0]}, but {_other(paths, kinds)}: a table has files of one kind")
    return ParquetFile(paths, reading) if kinds[0] == "Parquet" else CsvFile(paths, reading)


def _other(paths: Sequence[Path], kinds: Sequence[str]) -> str:
    return next(f"{path} is {kind}" for path, kind in zip(paths, kinds, strict=True) if kind != kinds[0])


def _paths(path: Source | Sequence[Source]) -> tuple[Path, ...]:
    if isinstance(path, str | os.PathLike):
        given = Path(path)
        return _parts(given) if given.is_dir() else (given,)
    paths = tuple(Path(each) for each in path)
    if not paths:
        raise TableError("no file to read: the list of paths is empty")
    return paths


def _parts(folder: Path) -> tuple[Path, ...]:
    parts = tuple(sorted(folder.rglob("*.parquet")))
    if not parts:
        raise TableError(
            f"{folder} is a folder without Parquet files, not a table",
            remedy="give a CSV, gzipped CSV or Parquet file, a list of such, or a folder with *.parquet files",
        )
    return parts


def _kind(path: Path) -> str:
    try:
        if stat.S_ISFIFO(path.stat().st_mode):
            raise TableError(
                f"{path} is a pipe, which can be read once only, and a table is read several times",
                remedy="save it in a file, and give that",
            )
        with open(path, "rb") as file:
            return "Parquet" if file.read(4) == b"PAR1" else "CSV"
    except FileNotFoundError:
        raise TableError(f"no such file: {path}") from None
    except IsADirectoryError:
        raise TableError(f"{path} is a folder, not a table (CSV, gzipped CSV or Parquet)") from None
    except OSError as error:
        raise TableError(f"{path} cannot be read ({error.strerror or error})") from None
