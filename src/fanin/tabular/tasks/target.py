"""The target column: which task it sets, and its labels or numbers.

| the target holds | task |
|---|---|
| texts, or true and false | classes |
| whole numbers: at most 20 different ones, each in 4 rows or more on average | classes |
| two different numbers | classes |
| other numbers | numbers |
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import TableError
from fanin.tabular.files.kinds import kind_of
from fanin.tabular.frames import polars
from fanin.tabular.inputs.spelling import are_truths
from fanin.tabular.tasks.figures import figures

TaskName = Literal["classes", "numbers"]

FEW_CLASSES = 20
ROWS_A_CLASS = 4
FEWEST_ROWS = 20
LARGEST = 1e100  # larger numbers cannot be squared, summed and divided in float64 without overflow
WHOLE = r"^[+-]?\d+$"


@dataclass(frozen=True)
class Target:
    """What is learned.

    task:    "classes" or "numbers", and `reason` why.
    values:  labels or numbers of the rows that have one, (rows,).
    known:   which rows of the table these are.
    """

    name: str
    task: TaskName
    reason: str
    values: NDArray[Any]
    known: NDArray[np.bool_]

    def labels(self) -> polars.DataFrame:
        """Return the labels that are texts, as a column with their name; none where there are no texts."""
        texts = self.values.tolist() if self.values.dtype == object else []
        return polars.DataFrame({self.name: polars.Series(texts, dtype=polars.String)})


def tell_target(series: polars.Series, source: str, task: TaskName | None = None) -> Target:
    """Tell the task by the target column, unless it is given, and read its values.

    Raises TableError for a target that is missing everywhere or the same, for dates, for too few rows, and for classes
    most of which have a single row.

    >>> found = tell_target(polars.Series("y", ["1", "2", None, "2", "1"] * 5), "table")
    >>> found.task, found.reason, found.values[:4].tolist()
    ('classes', 'the target holds two different numbers', [1, 2, 2, 1])
    """
    known = series.drop_nulls()
    _check_rows(known, len(series), source)
    found, reason = _tell(known, source) if task is None else (task, "as asked for")
    values = numbers_as(series, source) if found == "numbers" else labels_as(known, _label_dtype(known))
    if found == "classes":
        _check_classes(values, known, source)
    return Target(series.name, found, reason, values, series.is_not_null().to_numpy())


def numbers_as(series: polars.Series, source: str) -> NDArray[np.float64]:
    """Return the numbers of the rows that have one; raise TableError at the first that is none or too large."""
    parsed = as_numbers(series)
    if parsed.null_count() == len(series):
        _refuse_figures(series, source)
    _refuse(series, parsed.is_null() & series.is_not_null(), source, "text where a number is expected")
    _refuse(series, (parsed.abs() > LARGEST).fill_null(False), source, "a number that is infinite or too large")
    values: NDArray[np.float64] = parsed.drop_nulls().to_numpy().astype(np.float64)
    return values


def labels_as(series: polars.Series, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return labels of the dtype that a model's classes have; what cannot be such a label stays a text.

    >>> labels_as(polars.Series(["1", "2.0"]), np.dtype(np.int64)), labels_as(polars.Series([1, 2]), np.dtype("<U1"))
    (array([1, 2]), array(['1', '2'], dtype=object))
    """
    if dtype.kind == "b" and series.dtype == polars.Boolean:
        return series.to_numpy()
    if dtype.kind in "iuf":
        numbers = as_numbers(series)
        if not numbers.null_count() and (dtype.kind == "f" or _is_whole(numbers)):
            return np.array(numbers.to_list()).astype(dtype)
    if series.dtype.is_float():
        return np.array([f"{value:.15g}" for value in series.to_list()], object)
    return series.cast(polars.String).str.strip_chars().to_numpy().astype(object)


def labels_like(series: polars.Series, classes: NDArray[Any]) -> NDArray[Any]:
    """Return labels as a model has them; true and false may be written otherwise than where it learned them.

    >>> labels_like(polars.Series([True, False]), np.array(["FALSE", "TRUE"])).tolist()
    ['TRUE', 'FALSE']
    >>> labels_like(polars.Series(["True", "false"]), np.array([False, True])).tolist()
    [True, False]
    """
    known = [str(label) for label in classes]
    texts = series.cast(polars.String)
    if not are_truths(known) or not are_truths(texts.unique().to_list()):
        return labels_as(series, classes.dtype)
    written = {text.strip().lower(): label for text, label in zip(known, classes.tolist(), strict=True)}
    found = [written.get(text.strip().lower(), text) for text in texts.to_list()]
    return np.array(found, classes.dtype if classes.dtype.kind == "b" else object)


def as_numbers(series: polars.Series) -> polars.Series:
    """Return the values as float64, None for those that are no numbers."""
    if series.dtype == polars.String:
        # "nan" parses as a float; as text it is no number, and a missing number is an empty field.
        return series.str.strip_chars().cast(polars.Float64, strict=False).fill_nan(None)
    if series.dtype.is_numeric() or series.dtype in (polars.Boolean, polars.Null):
        return series.cast(polars.Float64).fill_nan(None)
    return polars.Series(series.name, [None] * len(series), dtype=polars.Float64)


def _tell(known: polars.Series, source: str) -> tuple[TaskName, str]:
    if kind_of(known) == "date":
        kind = "durations" if known.dtype == polars.Duration else "dates"
        raise TableError(f'{source}: the target "{known.name}" holds {kind}; numbers or classes can be learned')
    if known.dtype == polars.Boolean:
        return "classes", "the target holds true and false"
    numbers = as_numbers(known)
    if numbers.null_count():
        return "classes", "the target holds texts"
    distinct = numbers.n_unique()
    if distinct == 2:
        return "classes", "the target holds two different numbers"
    if _is_written_whole(known) and distinct <= FEW_CLASSES and distinct * ROWS_A_CLASS <= len(known):
        return "classes", f"the target holds {distinct} different whole numbers"
    return "numbers", f"the target holds {distinct:,} different numbers"


def _label_dtype(known: polars.Series) -> np.dtype[Any]:
    if known.dtype == polars.Boolean:
        return np.dtype(bool)
    numbers = as_numbers(known)
    whole = not numbers.null_count() and _is_whole(numbers) and bool((numbers.abs() < 2**53).all())
    return np.dtype(np.int64 if whole else object)


def _is_whole(numbers: polars.Series) -> bool:
    return bool((numbers == numbers.round()).all())


def _is_written_whole(known: polars.Series) -> bool:
    """Whether the values are written as whole numbers: 3 is, 3.0 is a measurement that happens to be whole."""
    if known.dtype == polars.String:
        return bool(known.str.strip_chars().str.contains(WHOLE).all())
    return known.dtype.is_integer()


def _check_rows(known: polars.Series, rows: int, source: str) -> None:
    named = f'{source}: the target "{known.name}"'
    if not len(known):
        raise TableError(f"{named} is missing in all {rows:,} rows")
    if known.n_unique() == 1:
        raise TableError(f'{named} is constant ("{known[0]}" in all rows): nothing to learn')
    if len(known) < FEWEST_ROWS:
        also = f" ({rows - len(known):,} more have no target)" if len(known) < rows else ""
        raise TableError(
            f"{source} has {len(known)} rows with a target{also}: too few to train and to judge, "
            f"{FEWEST_ROWS} are needed"
        )


def _check_classes(labels: NDArray[Any], known: polars.Series, source: str) -> None:
    counts = np.unique(labels.astype(str), return_counts=True)[1]
    if (counts == 1).sum() <= len(counts) / 2:
        return
    texts = known.filter(as_numbers(known).is_null()) if known.dtype == polars.String else known[:0]
    if 0 < len(texts) < len(known) / 2:
        raise TableError(
            f'{source}: the target "{known.name}" has numbers in most rows, but a text in {len(texts):,}: "{texts[0]}"',
            remedy=f"if it means that the number is missing, say so: --missing {shlex.quote(texts[0])}",
        )
    _refuse_figures(known, source)
    raise TableError(
        f'{source}: the target "{known.name}" has {len(counts):,} different values in {len(labels):,} rows: '
        "classes must repeat (for numbers, ask for the task of numbers)"
    )


def _refuse_figures(known: polars.Series, source: str) -> None:
    """Raise TableError for a column of numbers that are written so that they are texts, as 1.234,5 or 12%."""
    for text in figures(known.to_frame()).values():
        raise TableError(
            f'{source}: column "{known.name}" holds texts, as "{text}": numbers are written with digits and a point '
            "alone, as 1234.5",
            remedy="marks as in 1.234,5 can be named: --decimal , --thousands .",
        )


def _refuse(series: polars.Series, failed: polars.Series, source: str, what: str) -> None:
    """Raise TableError with column, row and value of the first failure, if there is one, and the number of others."""
    count = int(failed.sum())
    if count:
        row = int(failed.arg_max() or 0)
        more = f" (and in {count - 1:,} more row{'s' if count > 2 else ''})" if count > 1 else ""
        raise TableError(f'{source}, column "{series.name}", row {row + 1}: {what}: "{series[row]}"{more}')
