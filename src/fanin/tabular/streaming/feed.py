"""The rows of a file that can be learned from: those with a target, and with a weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import TableError
from fanin.tabular.files.cleaning import numbers_in
from fanin.tabular.files.table_file import TableFile
from fanin.tabular.frames import polars
from fanin.tabular.streaming.aside import Aside


@dataclass(frozen=True)
class Stretch:
    """Rows one after the other.

    frame:   the columns to learn from.
    target:  as it stands in the file; numbers where these are asked for.
    weights: (rows,) above 0; None where there is no such column.
    rows:    their numbers in the file, from 1; none where nobody needs them.
    """

    frame: polars.DataFrame
    target: polars.Series
    weights: NDArray[np.float64] | None
    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, rows: NDArray[np.int64]) -> Stretch:
        """Return some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        numbers = self.rows[rows] if len(self.rows) else self.rows
        return Stretch(self.frame[rows], self.target[rows], weights, numbers)


@dataclass
class Feed:
    """A file, the names of its columns' parts, and how many rows had no target or the weight 0.

    numbers: whether targets are numbers.
    aside:   rows that are not learned from, and where they are kept.
    """

    table: TableFile
    target: str
    ignore: Sequence[str] = ()
    weight: str | None = None
    numbers: bool = False
    aside: Aside | None = None
    left_out: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.ignore = [self.ignore] if isinstance(self.ignore, str) else list(self.ignore)
        own = [self.target, *self.ignore, *([] if self.weight is None else [self.weight])]
        self.table.need(own)
        self.features = [name for name in self.table.names if name not in own]
        if not self.features:
            raise TableError(f'{self.table.source} has no column to learn "{self.target}" from')

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return [*self.features, self.target, *([] if self.weight is None else [self.weight])]

    def stretches(self, rows: int) -> Iterator[Stretch]:
        """Yield pieces of at most so many rows, without those that cannot be learned from."""
        self.left_out = 0
        for piece in self.table.numbered_pieces(rows, self.columns, even=False):
            yield self.stretch(piece.frame, piece.first_row)

    def stretch(self, frame: polars.DataFrame, first_row: int = 1) -> Stretch:
        """Take a frame of the file apart.

        Raises TableError for a weight that is no number or below 0, and for a target that should be a number.
        """
        target = frame.get_column(self.target)
        weights = None if self.weight is None else self._weights(frame.get_column(self.weight), first_row)
        usable = target.is_not_null()
        target = self._numbers(target, first_row) if self.numbers else _plain(target)
        if weights is not None:
            usable = usable & polars.Series(weights > 0)
        self.left_out += frame.height - int(usable.sum())
        if self.aside is not None:
            usable = usable & self.aside.take(frame, first_row)
        rows = np.arange(first_row, first_row + frame.height)
        if not usable.all():
            rows = rows[usable.to_numpy()]
            frame, target = frame.filter(usable), target.filter(usable)
            weights = None if weights is None else weights[usable.to_numpy()]
        return Stretch(frame.select(self.features), target, weights, rows)

    def _numbers(self, series: polars.Series, first_row: int) -> polars.Series:
        found, failed = self._read(series)
        failed = failed | found.is_infinite().fill_null(False)
        if failed.any():
            raise self._no_number(series, failed, first_row, "the target of a regressor is a number")
        return found

    def _weights(self, series: polars.Series, first_row: int) -> NDArray[np.float64]:
        found, failed = self._read(series)
        failed = failed | (found < 0).fill_null(False) | found.is_infinite().fill_null(False)
        if failed.any():
            raise self._no_number(series, failed, first_row, "a weight is a number, 0 or more")
        return found.fill_null(0.0).to_numpy()

    def _read(self, series: polars.Series) -> tuple[polars.Series, polars.Series]:
        if series.dtype == polars.String:
            return numbers_in(series)
        if not (series.dtype.is_numeric() or series.dtype == polars.Boolean):
            raise TableError(f'{self.table.source}: column "{series.name}" holds {series.dtype}, which are no numbers')
        return series.cast(polars.Float64), polars.repeat(False, len(series), eager=True)

    def _no_number(self, series: polars.Series, failed: polars.Series, first_row: int, expected: str) -> TableError:
        at = int(failed.arg_true()[0])
        return TableError(
            f'{self.table.source}, row {first_row + at}: {series[at]!r} in column "{series.name}", but {expected}'
        )


def _plain(labels: polars.Series) -> polars.Series:
    """Return labels as texts, numbers or flags."""
    plain = labels.dtype.is_numeric() or labels.dtype in (polars.String, polars.Boolean)
    return labels if plain else labels.cast(polars.String)


def as_labels(found: Sequence[Any]) -> NDArray[Any]:
    """Return different labels as an array; texts become whole numbers where all of them are written as such.

    >>> as_labels(["1", "0"]), as_labels(["1", "01"])
    (array([1, 0]), array(['1', '01'], dtype='<U2'))
    """
    from fanin.tabular.inputs.cells import numbers_of

    labels = np.array(found)
    if labels.dtype.kind != "U":
        return labels
    read = numbers_of(found)
    whole = bool((np.abs(read) < 2**53).all() and (read == np.round(read)).all())
    return read.astype(np.int64) if whole else labels
