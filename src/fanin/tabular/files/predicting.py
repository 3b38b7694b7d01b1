"""`predict_file`: predictions for a table in files, piece by piece, into a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import ArgumentError, OperationError, TableError
from fanin.tabular.files.cleaning import check_types, clean
from fanin.tabular.files.csv_file import CsvFile
from fanin.tabular.files.opening import opened
from fanin.tabular.files.reading import Reading
from fanin.tabular.files.table_file import Piece, TableFile, Unusable, bytes_of
from fanin.tabular.files.writing import format_of, written
from fanin.tabular.frames import polars
from fanin.tabular.inputs.unfamiliar import Unfamiliar, gathered, joined

ROWS = 1 << 15  # of a piece; of a wide table, fewer
BYTES = 32 << 20  # of a piece as a frame
LISTED = 1000  # rows that are told one by one
Progress = Callable[[int, int | None], Any]


@dataclass(frozen=True)
class PredictedFile:
    """What `predict_file` did.

    path:     of the file with the predictions.
    rows:     how many it has, as many as the table.
    columns:  their names.
    unusable: the rows without a prediction, and why, the first 1,000 of them; one has an entry for each fault.
    left:     how many rows have no prediction.
    unfamiliar: values that are unlike those that were learned from, column by column, and what the model made of them.
    """

    path: Path
    rows: int
    columns: tuple[str, ...]
    unusable: tuple[Unusable, ...]
    left: int
    unfamiliar: tuple[Unfamiliar, ...] = ()


def predict_file(
    model: Any,
    source: Any,
    destination: str | os.PathLike[str],
    *,
    probabilities: bool = True,
    interval: float | None = None,
    keep: Sequence[str] = (),
    missing: Sequence[str] | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    progress: Progress | None = None,
) -> PredictedFile:
    r"""Predict the rows of a table in files, of any size, in bounded memory, and write the predictions to a file.

    The destination has a row for each of the table's, in their order: first the columns to keep, then `prediction`,
    and for classes the probability of each in `probability of CLASS`. A row that cannot be used has no prediction, and
    is told: a line with too few or too many fields or one that is no UTF-8 text, and a text where the model has learned
    numbers or dates. A missing value is none of these, nor is a category that is new to the model.

    Args:
        model: a fitted estimator that was given columns with names.
        source: as in `open_table`, or what it returned; columns that the model does not know are passed over.
        destination: a path that ends with .csv, .csv.gz or .parquet; a file that is there is replaced, once all rows
            are predicted. Nothing is left behind by a failure or by Ctrl-C.
        probabilities: whether to write them, of a classifier.
        interval: the coverage of an interval, for a regressor, as 0.9; adds the columns `low` and `high`.
        keep: columns of the table that are written as well, as a key.
        missing, separator, decimal, thousands: as in `open_table`; what is not given is as it was for the file that the
            model has learned from.
        progress: called with the rows so far and, where it is known, how many there are.

    Raises ValueError before any work for columns that the model needs and the table lacks, and for another ending.

    >>> import tempfile
    >>> from fanin.tabular import TabularRegressor
    >>> folder = Path(tempfile.mkdtemp())
    >>> x = polars.DataFrame({"x": np.arange(100.0)})
    >>> model = TabularRegressor("fast", epochs=2, random_state=0).fit(x, 2.0 * np.arange(100))
    >>> _ = (folder / "new.csv").write_text("id,x\na,1.5\nb,many\nc,\n")
    >>> done = predict_file(model, folder / "new.csv", folder / "out.csv", keep=["id"])
    >>> done.rows, done.columns, [str(each) for each in done.unusable]
    (3, ('id', 'prediction'), ['row 2, column "x": \'many\': a number is expected, as in all rows learned from'])
    """
    table = source if isinstance(source, TableFile) else _opened(source, model, missing, separator, decimal, thousands)
    work = _Prediction(model, table, list(keep), probabilities, interval)
    path = Path(destination)
    format_of(path)
    _check_other(path, table)
    return _write(work, table, path, progress)


def _opened(source: Any, model: Any, *given: Any) -> TableFile:
    return opened(source, Reading.of(getattr(model, "about_", {}), *given))


def _check_other(path: Path, table: TableFile) -> None:
    if path.exists() and any(path.samefile(each) for each in getattr(table, "paths", ())):
        raise TableError(f"{path} is the table itself: write the predictions to another file")


def _write(work: _Prediction, table: TableFile, path: Path, progress: Progress | None) -> PredictedFile:
    """Predict piece by piece."""
    done = 0
    with written(path) as writer:
        for piece in table.numbered_pieces(work.piece_rows, work.columns, lenient=True, even=False):
            writer.write(work.answer(piece))
            done += piece.frame.height
            if progress is not None:
                progress(done, table.rows)
    return PredictedFile(path, done, tuple(work.names), tuple(work.unusable), work.left, work.unfamiliar)


class _Prediction:
    """What is asked of a model, and what became of the rows so far."""

    def __init__(
        self, model: Any, table: TableFile, keep: list[str], probabilities: bool, interval: float | None
    ) -> None:
        encoder = getattr(model, "_encoder", None)
        if encoder is None or not hasattr(model, "n_iter_"):
            raise OperationError("predict_file: the model is not fitted yet", remedy="call fit or fit_file first")
        if encoder.feature_names is None:
            raise ArgumentError(
                "predict_file: the model was given columns without names, so that it cannot find them in a file",
                remedy="fit it with a frame",
            )
        self.model, self.encoder, self.table, self.keep = model, encoder, table, keep
        self.features = list(encoder.feature_names)
        self._check_columns()
        self.classes = list(model.classes_) if hasattr(model, "classes_") else None
        if interval is not None and self.classes is not None:
            raise ArgumentError("predict_file: interval is for regressors; a classifier has probabilities")
        self.interval = interval
        self.probabilities = probabilities and self.classes is not None
        self.names = self._names()
        self.unusable: list[Unusable] = []
        self.left = 0
        self.unfamiliar: tuple[Unfamiliar, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return [*self.features, *(name for name in self.keep if name not in self.features)]

    @property
    def piece_rows(self) -> int:
        """How many rows at a time."""
        sample = next(self.table.numbered_pieces(100, self.columns, lenient=True, even=False)).frame
        return int(np.clip(BYTES // max(1, bytes_of(sample) // sample.height), 64, ROWS))

    def _check_columns(self) -> None:
        known = set(self.table.names)
        lacking = [name for name in self.features if name not in known]
        if len(lacking) > 1:
            listed = ", ".join(f'"{name}"' for name in lacking[:10]) + (", ..." if len(lacking) > 10 else "")
            raise TableError(f"{self.table.source} lacks {len(lacking)} columns that the model was fitted on: {listed}")
        self.table.need([*lacking, *self.keep])

    def _names(self) -> list[str]:
        own = ["prediction"] + (["low", "high"] if self.interval is not None else [])
        if self.probabilities:
            assert self.classes is not None
            own += [f"probability of {label}" for label in self.classes]
        twice = [name for name in self.keep if name in own]
        if twice:
            raise ArgumentError(
                f'predict_file: cannot keep the column "{twice[0]}": the predictions have one of its name'
            )
        return [*self.keep, *own]

    def answer(self, piece: Piece) -> polars.DataFrame:
        """Return the predictions for the rows of a piece, None where there is none, and note why."""
        frame, usable = self._clean(piece)
        answers: dict[str, polars.Series] = {name: piece.frame.get_column(name) for name in self.keep}
        some = frame if usable.all() else frame.filter(polars.Series(usable))
        own = self._predicted(some) if some.height else self._nothing()
        place = np.where(usable, np.cumsum(usable) - 1, -1)
        where = polars.Series(place, dtype=polars.Int64)
        where = polars.select(polars.when(where >= 0).then(where).otherwise(None)).to_series()
        answers |= {name: values.gather(where) for name, values in own.items()}
        return polars.DataFrame(answers)

    def _clean(self, piece: Piece) -> tuple[polars.DataFrame, NDArray[np.bool_]]:
        """Return the columns as the model takes them, and which rows can be used."""
        usable = np.ones(piece.frame.height, bool)
        found = list(piece.unusable)
        usable[[each.row - piece.first_row for each in piece.unusable]] = False
        check_types(piece.frame.select(self.features), self.encoder, self.table.source)
        frame, refused = clean(piece.frame.select(self.features), self.encoder)
        for each in refused:
            usable &= ~each.where.to_numpy()
            found += [Unusable(piece.first_row + row, each.column, value, each.reason) for row, value in each]
        room = LISTED - len(self.unusable)
        self.unusable += sorted(found, key=lambda each: each.row)[:room]
        self.left += int((~usable).sum())
        return frame, usable

    def _predicted(self, frame: polars.DataFrame) -> dict[str, polars.Series]:
        if self.classes is None:
            return self._numbers(frame)
        with self._watched():
            found = self.model.predict_proba(frame)
        labels = polars.Series([str(label) if isinstance(label, np.str_) else label for label in self.classes])
        own = {"prediction": labels.gather(polars.Series(found.argmax(axis=1)))}
        if self.probabilities:
            own |= {f"probability of {label}": polars.Series(found[:, i]) for i, label in enumerate(self.classes)}
        return own

    def _numbers(self, frame: polars.DataFrame) -> dict[str, polars.Series]:
        with self._watched():
            numbers = self.model.predict(frame)
        if numbers.ndim > 1:
            raise ArgumentError(f"predict_file is for one target, but the model has {numbers.shape[1]}")
        own = {"prediction": polars.Series(numbers)}
        if self.interval is not None:
            with gathered():  # which `predict` has told of already
                ends = self.model.predict_interval(frame, coverage=self.interval)
            own |= {"low": polars.Series(ends[:, 0]), "high": polars.Series(ends[:, 1])}
        return own

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Take note of values that the model is not familiar with."""
        with gathered() as found:
            yield
        # All values of a CSV file are texts, whatever the column holds.
        new = [each for each in found if each.kind != "type" or not isinstance(self.table, CsvFile)]
        self.unfamiliar = joined([*self.unfamiliar, *new])

    def _nothing(self) -> dict[str, polars.Series]:
        """Return columns without a row, of the types that predictions have."""
        label = self.classes[0] if self.classes is not None else 0.0
        first = polars.Series([str(label) if isinstance(label, np.str_) else label]).clear()
        rest = [name for name in self.names if name not in self.keep and name != "prediction"]
        return {"prediction": first} | {name: polars.Series([], dtype=polars.Float64) for name in rest}
