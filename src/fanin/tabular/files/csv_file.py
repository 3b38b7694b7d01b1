"""CSV files, plain and gzipped, read block by block."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from fanin._core.errors import TableError
from fanin.tabular.files.csv_blocks import Header, blocks_of, parse
from fanin.tabular.files.kinds import of_no_header
from fanin.tabular.files.reading import Reading
from fanin.tabular.files.table_file import TableFile, Unusable, bytes_of, without_missing
from fanin.tabular.frames import polars

SEPARATORS = ",;\t|"
BLOCK = 4 << 20  # bytes read at a time
FIRST = 1 << 16
GROWTH = 5  # how much larger text may be than its gzip file


class CsvFile(TableFile):
    """One CSV file, or several with the same header."""

    def __init__(self, paths: Sequence[Path], reading: Reading) -> None:
        self.paths, self.reading = tuple(paths), reading
        self.source = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        self.size = sum(path.stat().st_size for path in paths)
        self.is_packed = any(map(_is_gzip, paths))
        self.headers = tuple(_read_header(path, reading.separator) for path in paths)
        self.names = self.headers[0].names
        for path, header in zip(paths[1:], self.headers[1:], strict=True):
            if header.names != self.names:
                raise TableError(
                    f"{path} has another header than {paths[0]}: a table has the same columns in all files"
                )

    @property
    def bytes_in_memory(self) -> int:
        """Roughly how many bytes the table takes as a frame, as far as its first rows tell."""
        sample = self.read(1000)
        text = sum(sample.get_column(name).str.len_bytes().sum() or 0 for name in self.names)
        text += sample.height * sample.width  # separators and ends of lines
        unpacked = self.size * (GROWTH if self.is_packed else 1)
        return int(unpacked / text * bytes_of(sample))

    def _frames(
        self, rows: int, columns: Sequence[str] | None, lenient: bool
    ) -> Iterator[tuple[polars.DataFrame, list[Unusable]]]:
        first_row, found, plain = 1, False, set(self.reading.missing) <= {""}
        for path, header in zip(self.paths, self.headers, strict=True):
            with _careful(path), _opened(path) as stream:
                stream.read(header.end)
                for line, block in blocks_of(stream, BLOCK, header.lines + 1, str(path)):
                    frame, unusable = parse(block, header, line, str(path), first_row, lenient)
                    frame = frame if columns is None else frame.select(columns)
                    first_row += frame.height
                    if frame.height:
                        found = True
                        # An empty field is None already, unless it stands in quotation marks.
                        clear = plain and b'""' not in block
                        yield frame if clear else without_missing(frame, self.reading.missing), unusable
        if not found:
            self._no_rows()


def _is_gzip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if _is_gzip(path) else open(path, "rb")


@contextmanager
def _careful(path: Path) -> Iterator[None]:
    """Name the file in what goes wrong with reading it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TableError(f"{path} is a damaged gzip file ({error})") from None
    except OSError as error:
        raise TableError(f"{path} cannot be read ({error.strerror or error})") from None


def _read_header(path: Path, separator: str | None) -> Header:
    with _careful(path), _opened(path) as stream:
        content = _beginning(stream)
        _check_is_text(content, path)
        text = content.removeprefix(b"\xef\xbb\xbf")
        skipped = len(content) - len(text)
        end = _end_of_header(text)
        while end == 0 and (more := stream.read(FIRST)):
            text += more
            end = _end_of_header(text)
        end = end or len(text)
    try:
        decoded = text[:end].decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise TableError(f"{path}, line {line}: not UTF-8 text; save the table as UTF-8") from None
    separator = _separator(decoded, separator, path)
    return Header(_names(decoded, separator, path), separator, skipped + end, decoded.count("\n"))


def _beginning(stream: IO[bytes]) -> bytes:
    """Return the first bytes, as far as a line with something on it."""
    content = stream.read(FIRST)
    while not content.strip() and (more := stream.read(FIRST)):
        content += more
    return content


# How files begin that people take for tables.
_OTHERS = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard",
    b"ARROW1": "an Arrow file",
    b"SQLite format 3": "an SQLite database",
}
_OTHER_TEXTS = {
    **dict.fromkeys((b'{"', b"[{", b"[["), "JSON"),
    **dict.fromkeys((b"<!DOCTYPE", b"<!doctype", b"<html", b"<HTML", b"<?xml", b"<table"), "a page of HTML or XML"),
    b"@relation": "an ARFF file",
}


def _check_is_text(content: bytes, path: Path) -> None:
    if not content.strip():
        raise TableError(f"{path} is empty: a table needs a header line and rows")
    if content[:4] == b"PAR1":
        raise TableError(f"{path} is a gzipped Parquet file: unpack it first, Parquet is compressed by itself")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise TableError(f"{path} is UTF-16 text; save the table as UTF-8")
    kind = next((name for start, name in _OTHERS.items() if content.startswith(start)), None)
    if kind is not None:
        raise TableError(f"{path} is {kind}: a table is CSV (plain or gzipped) or Parquet; unpack or convert it")
    other = next((name for start, name in _OTHER_TEXTS.items() if content.lstrip().startswith(start)), None)
    if other is not None:
        raise TableError(f"{path} is {other}: a table is CSV (plain or gzipped) or Parquet; convert it")
    if b"\r" in content and b"\n" not in content and content.rstrip(b"\r").count(b"\r"):
        raise TableError(
            f"{path} ends its lines with a carriage return alone, as programs did long ago",
            remedy="save it with newlines, as CSV (not: CSV for Macintosh) in a spreadsheet",
        )
    if b"\0" in content:
        raise TableError(f"{path} is not a table: it holds binary data (expected CSV, gzipped CSV or Parquet)")


def _end_of_header(text: bytes) -> int:
    """Return where the first record that is not a blank line ends; 0 if it does not."""
    at = text.find(b"\n") + 1
    while at and (not text[:at].strip() or text.count(b'"', 0, at) % 2):
        at = text.find(b"\n", at) + 1
    return at


def _separator(header: str, told: str | None, path: Path) -> str:
    """Return the separator as it was told, or that found most often in the header; a comma when there is none."""
    unquoted = "".join(header.split('"')[::2])
    if told is not None and told not in unquoted and any(each in unquoted for each in SEPARATORS):
        raise TableError(
            f"{path} has no separator {told!r} in its header: {header.strip()[:60]!r}",
            remedy="name the one that it has as separator, or leave it to the header",
        )
    return told or max(SEPARATORS, key=lambda separator: (unquoted.count(separator), separator == ","))


def _names(header: str, separator: str, path: Path) -> tuple[str, ...]:
    try:
        names = next(record for record in csv.reader(io.StringIO(header, newline=""), delimiter=separator) if record)
    except csv.Error as error:
        raise TableError(f"{path}, line 1: not a header ({error})") from None
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        listed = ", ".join(f'"{name}"' for name in repeated)
        raise TableError(
            f"{path} has more than one column named {listed}: every column needs a name of its own",
            remedy=of_no_header(names),
        )
    return tuple(names)
