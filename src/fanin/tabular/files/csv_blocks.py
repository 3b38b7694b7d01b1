"""Blocks of CSV text: cut where a record ends, and parsed.

polars parses a block; what it refuses, or pads in silence, is parsed again record by record by Python's `csv`, which
says which line is at fault.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from fanin._core.errors import TableError
from fanin.tabular.files.table_file import Unusable
from fanin.tabular.frames import polars

LONGEST = 64 << 20  # bytes of a record


@dataclass(frozen=True)
class Header:
    """The first record of a file.

    end:   the bytes before the rows.
    lines: how many lines these are.
    """

    names: tuple[str, ...]
    separator: str
    end: int
    lines: int


def blocks_of(stream: IO[bytes], size: int, line: int, source: str) -> Iterator[tuple[int, bytes]]:
    """Yield blocks of whole records, each with the number of its first line.

    Raises TableError for a quoted field that does not end within 64 MB.
    """
    rest = b""
    while chunk := stream.read(size):
        block = rest + chunk
        end = _end_of_records(block)
        if not end and len(block) > LONGEST:
            raise TableError(
                f"{source}: a quotation mark on line {line} or after it opens a field that does not end",
                remedy='write quotation marks inside of a field twice, and the field in quotation marks: "5"" pipe"',
            )
        if end:
            yield line, block[:end]
            line += block.count(b"\n", 0, end)
        rest = block[end:]
    if rest.strip():
        yield line, rest


def _end_of_records(block: bytes) -> int:
    r"""Return where the last record that ends in the block does: after a newline outside of quotation marks.

    >>> _end_of_records(b'1,2\n"a\nb",'), _end_of_records(b'"a\nb"\n')
    (4, 6)
    """
    end = block.rfind(b"\n") + 1
    quotes = block.count(b'"', 0, end)
    while end and quotes % 2:
        before = block.rfind(b"\n", 0, end - 1) + 1
        quotes -= block.count(b'"', before, end)
        end = before
    return end


def parse(
    block: bytes, header: Header, line: int, source: str, first_row: int, lenient: bool
) -> tuple[polars.DataFrame, list[Unusable]]:
    """Return the records of a block as texts, None for an empty field, and those that could not be read.

    Raises TableError for the first such record, unless lenient: then it is a row without values.
    """
    if b"\0" in block:
        raise TableError(
            f"{source} is not a table: line {line + block.count(10, 0, block.find(0))} holds binary data"
            " (expected CSV, gzipped CSV or Parquet)"
        )
    frame = _fast(block, header)
    if frame is not None:
        return frame, []
    return _slow(block, header, line, source, first_row, lenient)


def _fast(block: bytes, header: Header) -> polars.DataFrame | None:
    """Parse a block at once; None where a record may be at fault."""
    if block.count(b'"') % 2:  # versions of polars differ in what they make of a field that does not end
        return None
    width, separator = len(header.names), header.separator
    # A header of its own: without, the first record would say how many fields there are.
    head = separator.join(f"c{number}" for number in range(width)).encode() + b"\n"
    try:
        frame = polars.read_csv(io.BytesIO(head + block), separator=separator, infer_schema=False, has_header=True)
    except Exception:  # polars' own error types; the record at fault is found record by record
        return None
    if frame.width != width:
        return None
    frame.columns = list(header.names)
    if frame.height and frame.to_series(width - 1).null_count() and not _is_even(block, frame.height, header):
        # A short line is padded in silence, and then its last field is missing: only then is it worth looking.
        return None
    return frame.filter(~polars.all_horizontal(polars.all().is_null())) if width > 1 else frame


def _is_even(block: bytes, rows: int, header: Header) -> bool:
    """Whether all records have as many fields as the header, given that none has more; False if not certain."""
    if b'"' in block:
        return False
    blank = block.count(b"\n\n") + block.count(b"\n\r\n") + block.startswith((b"\n", b"\r\n"))
    return block.count(header.separator.encode()) == (rows - blank) * (len(header.names) - 1)


def _slow(
    block: bytes, header: Header, line: int, source: str, first_row: int, lenient: bool
) -> tuple[polars.DataFrame, list[Unusable]]:
    """Parse a block record by record."""
    width = len(header.names)
    rows: list[list[str | None]] = []
    unusable: list[Unusable] = []
    for last_line, record, problem in _records(block, header, line):
        if width > 1 and not problem and not any(record):
            continue
        reason = problem or _fault(record, width)
        if reason and not lenient:
            raise TableError(f"{source}, line {last_line}: {reason}", remedy=_of_a_title(record, header))
        if reason:
            shown = header.separator.join(record).encode("utf-8", "backslashreplace").decode()[:200]
            unusable.append(Unusable(first_row + len(rows), None, shown, reason, last_line))
        rows.append([None] * width if reason else [field or None for field in record])
    schema = dict.fromkeys(header.names, polars.String)
    return polars.DataFrame(rows, schema=schema, orient="row"), unusable


def _of_a_title(record: list[str], header: Header) -> str:
    """Return what to do where a file seems to begin with a title or comments, and not with its header."""
    if len(header.names) > 1 or len(record) < 2:
        return ""
    return f'if the first line, "{header.names[0][:40]}", is a title or a comment, remove what stands above the header'


def _records(block: bytes, header: Header, line: int) -> Iterator[tuple[int, list[str], str]]:
    """Yield the records with the number of the line on which each ends, and what was wrong with its marks."""
    text = block.decode("utf-8", "surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=header.separator, strict=True)
    while True:
        try:
            record, problem = next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:  # the reader goes on with the next line
            record, problem = [], f"cannot be read as fields ({error})"
        yield line + reader.line_num - 1, record or [""], problem


def _fault(record: list[str], width: int) -> str:
    """Return what is wrong with a record; nothing for most."""
    if any("\udc80" <= letter <= "\udcff" for field in record if not field.isascii() for letter in field):
        return "not UTF-8 text; save the table as UTF-8"
    if len(record) != width:
        return f"{len(record)} field{'s' * (len(record) != 1)} where the header has {width}"
    return ""
