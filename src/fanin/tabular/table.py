"""Read a table: CSV (plain or gzipped) or Parquet, told apart by content, not by name.

A CSV file is read as text, whole: what a column holds is decided later from every row (`columns.py`), never from
the first hundred. An empty field is the only missing value, so "NA" and "None" are levels like any other.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fanin._core.errors import TableError
from fanin.tabular.frames import polars

SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Table:
    """A table as it was read: columns of text (CSV) or of Parquet's own types, with None where a value is missing."""

    source: str
    frame: polars.DataFrame

    @property
    def rows(self) -> int:
        """How many rows there are, the header not counted."""
        return self.frame.height

    @property
    def names(self) -> list[str]:
        """The columns' names, in the file's order."""
        return self.frame.columns


def read_table(path: str | Path, missing: Sequence[str] = ()) -> Table:
    """Read a CSV file (plain or gzipped) or a Parquet file.

    `missing` lists texts that stand for a missing value beside the empty field. Raises TableError, in one line that
    names the file, when there is no such file, when it is empty, has no rows or repeats a column's name, when a line
    does not have as many fields as the header, and when it is neither text nor Parquet.
    """
    source = str(path)
    content = _read_bytes(Path(path))
    if not content.strip():
        raise TableError(f"{source} is empty: a table needs a header line and rows")
    if content[:4] == b"PAR1":
        frame = _read_parquet(content, source)
    else:
        frame = _read_csv(_decode(content, source), source)
    if frame.height == 0:
        raise TableError(f"{source} has a header but no rows")
    text = polars.col(polars.String)
    return Table(
        source, frame.with_columns(polars.when(text.is_in(["", *missing])).then(None).otherwise(text).name.keep())
    )


def _read_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise TableError(f"{path} is a folder, not a table (CSV, gzipped CSV or Parquet)")
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except FileNotFoundError:
        raise TableError(f"no such file: {path}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TableError(f"{path} is a damaged gzip file ({error})") from None
    except OSError as error:
        raise TableError(f"{path} cannot be read ({error.strerror or error})") from None


def _decode(content: bytes, source: str) -> str:
    if b"\0" in content:
        raise TableError(f"{source} is not a table: it holds binary data (expected CSV, gzipped CSV or Parquet)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TableError(f"{source}, line {line}: not UTF-8 text; save the table as UTF-8") from None


def _read_parquet(content: bytes, source: str) -> polars.DataFrame:
    try:
        frame = polars.read_parquet(io.BytesIO(content))
    except Exception as error:  # the parser has error types of its own, and panics on some damaged files
        raise TableError(f"{source} is a damaged Parquet file ({_first_line(error)})") from None
    floats = polars.col(polars.Float32, polars.Float64)
    # Writers of Parquet put NaN where a number is missing; in CSV text a missing number is an empty field.
    return frame.with_columns(floats.fill_nan(None))


def _read_csv(text: str, source: str) -> polars.DataFrame:
    separator = _separator(text)
    header = _header(text, separator, source)
    try:
        frame = polars.read_csv(
            io.BytesIO(text.encode()), separator=separator, infer_schema=False, has_header=True, new_columns=header
        )
    except Exception as error:  # polars' own error types; the line at fault is found below, where they do not name it
        _check_fields(text, separator, source)
        raise TableError(f"{source} cannot be read as a table ({_first_line(error)})") from None
    if frame.height and frame.to_series(frame.width - 1).null_count():
        # A short line is padded in silence, and then its last field is missing: only then is it worth looking.
        _check_fields(text, separator, source)
    return frame.filter(~polars.all_horizontal(polars.all().is_null())) if frame.width > 1 else frame


def _separator(text: str) -> str:
    """Return the separator that is found most often in the header; a comma when there is none."""
    header = text.lstrip("\r\n").split("\n", 1)[0]
    unquoted = "".join(header.split('"')[::2])
    return max(SEPARATORS, key=lambda separator: (unquoted.count(separator), separator == ","))


def _records(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that are not blank lines, each with the number of the line on which it ends."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    for record in reader:
        if record:
            yield reader.line_num, record


def _header(text: str, separator: str, source: str) -> list[str]:
    try:
        names = next(record for _, record in _records(text, separator))
    except csv.Error as error:
        raise TableError(f"{source}, line 1: not a header ({error})") from None
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        listed = ", ".join(f'"{name}"' for name in repeated)
        raise TableError(f"{source} has more than one column named {listed}: every column needs a name of its own")
    return names


def _check_fields(text: str, separator: str, source: str) -> None:
    """Raise at the first line with another number of fields than the header."""
    width = 0
    try:
        for line, record in _records(text, separator):
            width = width or len(record)
            if len(record) != width:
                raise TableError(f"{source}, line {line}: {_fields(len(record))} where the header has {width}")
    except csv.Error as error:
        raise TableError(f"{source} cannot be read as a table ({error})") from None


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
