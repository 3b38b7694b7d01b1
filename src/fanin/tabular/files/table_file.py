"""What every table in a file offers: columns, rows, all of it at once, or pieces of it."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from fanin._core.errors import ArgumentError, TableError
from fanin.tabular.files.kinds import kind_of, of_no_header
from fanin.tabular.files.reading import Reading
from fanin.tabular.frames import polars

SAMPLE = 1000  # rows from which the kinds of columns are told


@dataclass(frozen=True)
class Column:
    """A column as a sample of its first rows shows it.

    kind: "number", "flag", "date", "text", or "empty" where the sample has no value.
    """

    name: str
    kind: str


@dataclass(frozen=True)
class Unusable:
    """A row, or a value of it, that could not be used.

    row:    its number, from 1, the header not counted.
    column: the value's; None where the whole row is meant.
    value:  as it stands in the file.
    reason: why.
    line:   of the file on which the row ends, where that is known.
    """

    row: int
    column: str | None
    value: str | None
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        line = "" if self.line is None else f" (line {self.line})"
        column = "" if self.column is None else f', column "{self.column}": {self.value!r}'
        return f"row {self.row}{line}{column}: {self.reason}"


@dataclass(frozen=True)
class Piece:
    """Rows of a table, one after the other.

    first_row: the number of the first, from 1.
    frame:     the rows; one that could not be read is there without values.
    unusable:  those that could not be read, and why.
    """

    first_row: int
    frame: polars.DataFrame
    unusable: tuple[Unusable, ...] = ()


class TableFile(ABC):
    """A table in one file or several, which is read when it is asked for.

    Texts of a CSV file stay texts, as what a column holds is decided from its rows, not by the file; None stands for a
    missing value: an empty field, one of the texts in `reading.missing`, and in Parquet NaN, too.

    source:  how messages name it.
    names:   of the columns, in order.
    reading: how it is written: texts that stand for a missing value, and the marks in numbers.
    size:    bytes of all its files.
    """

    source: str
    names: tuple[str, ...]
    reading: Reading
    size: int

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns and what they hold, as far as the first rows tell."""
        sample = self.read(SAMPLE)
        return tuple(Column(name, kind_of(sample.get_column(name))) for name in self.names)

    @property
    def rows(self) -> int | None:
        """How many rows there are, where that is known without reading all of them (Parquet), else None."""
        return None

    @property
    @abstractmethod
    def bytes_in_memory(self) -> int:
        """Roughly how many bytes the table takes as a frame."""

    @abstractmethod
    def _frames(
        self, rows: int, columns: Sequence[str] | None, lenient: bool
    ) -> Iterator[tuple[polars.DataFrame, list[Unusable]]]:
        """Yield the rows in frames of any size, which need not be `rows`, and those that could not be read."""

    def read(self, most_rows: int | None = None, columns: Sequence[str] | None = None) -> polars.DataFrame:
        """Return the table, or its first rows, as a frame.

        Args:
            most_rows: how many rows at most.
            columns: some of the columns; all if not given.

        Raises TableError for a line that has not as many fields as the header or is no UTF-8 text (with its number),
        for a column that is not there, and for a damaged file.
        """
        self.need(columns or ())
        found, count = [], 0
        for frame, _ in self._plain_frames(most_rows or self._at_once(), columns, lenient=False):
            found.append(frame)
            count += frame.height
            if most_rows is not None and count >= most_rows:
                break
        whole = polars.concat(found, rechunk=True) if found else self._no_rows()
        return whole if most_rows is None else whole.head(most_rows)

    def pieces(self, rows: int, columns: Sequence[str] | None = None) -> Iterator[polars.DataFrame]:
        """Yield frames of `rows` rows, the last one shorter, in memory that does not grow with the file.

        Raises as `read` does, when it comes to the line.
        """
        return (piece.frame for piece in self.numbered_pieces(rows, columns))

    def numbered_pieces(
        self, rows: int, columns: Sequence[str] | None = None, *, lenient: bool = False, even: bool = True
    ) -> Iterator[Piece]:
        """Yield pieces that know the number of their first row.

        Args:
            rows: of a piece.
            columns: some of the columns; all if not given.
            lenient: go on at rows that cannot be read; the piece says which.
            even: whether all pieces but the last have this size; else they have at most that, and come sooner.
        """
        if rows < 1:
            raise ArgumentError(f"pieces have 1 row or more, not {rows}")
        self.need(columns or ())
        return (_regrouped if even else _cut)(self._plain_frames(rows, columns, lenient), rows)

    def need(self, names: Sequence[str]) -> None:
        """Raise TableError unless there are columns of these names; the message has the nearest ones."""
        known = set(self.names)
        lacking = [name for name in names if name not in known]
        if not lacking:
            return
        alike = [name for name in self.names if name.strip().casefold() == lacking[0].strip().casefold()]
        near = alike or difflib.get_close_matches(lacking[0], self.names, 3, 0.6)
        some = near or self.names[:10]
        listed = ", ".join(f'"{name}"' for name in some) + (", ..." if not near and len(self.names) > 10 else "")
        raise TableError(
            f'{self.source} has no column "{lacking[0]}"; {"did you mean" if near else "it has"} {listed}'
            + ("?" if near else ""),
            remedy="" if near else of_no_header(self.names),
        )

    def _plain_frames(
        self, rows: int, columns: Sequence[str] | None, lenient: bool
    ) -> Iterator[tuple[polars.DataFrame, list[Unusable]]]:
        """Yield frames in which numbers are written as 1234.5, and what could not be read."""
        frames = self._frames(rows, columns, lenient)
        return frames if self.reading.is_plain else self._rewritten(frames, lenient)

    def _rewritten(
        self, frames: Iterator[tuple[polars.DataFrame, list[Unusable]]], lenient: bool
    ) -> Iterator[tuple[polars.DataFrame, list[Unusable]]]:
        first = 1
        for frame, unusable in frames:
            found: list[polars.Series] = []
            for texts in frame.get_columns():
                if texts.dtype != polars.String:
                    continue
                found.append(self.reading.plain(texts))
                for row in self.reading.doubtful(texts, found[-1]).arg_true():
                    fault = Unusable(first + row, texts.name, texts[row], self._what_of_points())
                    if not lenient:
                        raise TableError(f"{self.source}, {fault}")
                    unusable.append(fault)
            yield frame.with_columns(found), unusable
            first += frame.height

    def _what_of_points(self) -> str:
        return (
            f"a point in a number, in a column of others with the decimal mark {self.reading.decimal!r}; if points part"
            " thousands, say so (thousands='.')"
        )

    def _at_once(self) -> int:
        return 1 << 16

    def _no_rows(self) -> polars.DataFrame:
        raise TableError(f"{self.source} has a header but no rows")


def _cut(frames: Iterator[tuple[polars.DataFrame, list[Unusable]]], rows: int) -> Iterator[Piece]:
    first = 1
    for frame, unusable in frames:
        for at in range(0, frame.height, rows):
            some = tuple(each for each in unusable if at <= each.row - first < at + rows)
            yield Piece(first + at, frame.slice(at, rows), some)
        first += frame.height


def bytes_of(frame: polars.DataFrame) -> int:
    """Return the bytes that a frame takes: of a text 16, and its own if these are more than 12."""
    total = frame.estimated_size()
    for series in frame:
        if series.dtype == polars.String:
            lengths = series.str.len_bytes()
            total += 16 * len(series) + int(lengths.filter(lengths > 12).sum()) - series.estimated_size()
    return int(total)


def without_missing(frame: polars.DataFrame, missing: Sequence[str]) -> polars.DataFrame:
    """Return the frame with None for the texts that stand for a missing value, and for NaN."""
    text = polars.col(polars.String)
    floats = polars.col(polars.Float32, polars.Float64)
    known = polars.when(text.is_in(["", *missing])).then(None).otherwise(text).name.keep()
    return frame.with_columns(known, floats.fill_nan(None))


def _regrouped(frames: Iterator[tuple[polars.DataFrame, list[Unusable]]], rows: int) -> Iterator[Piece]:
    first, waiting, height = 1, [], 0
    unusable: list[Unusable] = []
    for frame, found in frames:
        unusable += found
        waiting.append(frame)
        height += frame.height
        if height < rows:
            continue
        whole, at = polars.concat(waiting), 0
        while height - at >= rows:
            last = first + rows
            yield Piece(first, whole.slice(at, rows).rechunk(), tuple(each for each in unusable if each.row < last))
            unusable = [each for each in unusable if each.row >= last]
            first, at = last, at + rows
        waiting, height = [whole.slice(at).rechunk()], height - at
    if height:
        yield Piece(first, polars.concat(waiting), tuple(unusable))
