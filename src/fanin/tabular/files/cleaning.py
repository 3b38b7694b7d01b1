"""Columns of texts as an encoder wants them: numbers as such, and what is no number, or no date, told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fanin._core.errors import TableError
from fanin.tabular.files.kinds import NUMBER_TEXT, kind_of
from fanin.tabular.frames import polars
from fanin.tabular.inputs import Encoder
from fanin.tabular.inputs.cells import numbers_of
from fanin.tabular.inputs.dates import First, days_of
from fanin.tabular.inputs.plans import Plan

ENOUGH = 1000  # values that are looked at before all of a column


@dataclass(frozen=True)
class Refused:
    """The values of a column that cannot be read as its plan asks: where they are, and why."""

    column: str
    where: polars.Series
    values: polars.Series
    reason: str

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Yield the index of each row, and its value."""
        rows = self.where.arg_true()
        yield from zip(rows.to_list(), self.values.gather(rows).to_list(), strict=True)


def with_numbers(frame: polars.DataFrame, few: int) -> polars.DataFrame:
    """Return the frame with those columns of texts as numbers in which an encoder would read nothing else.

    few: with no more different texts than this, numbers are names (`one_hot_up_to` of the encoder).

    >>> with_numbers(polars.DataFrame({"a": ["1", "2.5", None], "b": ["1", "x", "2"]}), 1).rows()
    [(1.0, '1'), (2.5, 'x'), (None, '2')]
    """
    found = [numbers_in(series)[0] for series in frame if _are_numbers(series, few)]
    return frame.with_columns(found) if found else frame


def _are_numbers(series: polars.Series, few: int) -> bool:
    if series.dtype != polars.String:
        return False
    known = series.drop_nulls()
    for some in (known.head(ENOUGH), known):
        if not len(some) or not some.str.contains(NUMBER_TEXT).all():
            return False
    return known.n_unique() > few


def numbers_in(series: polars.Series) -> tuple[polars.Series, polars.Series]:
    """Return a column of texts as numbers, and which of its known values are none.

    >>> numbers, failed = numbers_in(polars.Series("a", ["1.5", " 2", "nan", None]))
    >>> numbers.to_list(), failed.to_list()
    ([1.5, 2.0, None, None], [False, False, True, False])
    """
    found = series.cast(polars.Float64, strict=False)
    failed = series.is_not_null() & (found.is_null() | ~found.is_finite()).fill_null(True)
    if not failed.any():
        return found, failed
    texts = series.filter(failed).unique()
    read = numbers_of(texts.to_list())
    known = ~np.isnan(read)
    # What polars reads otherwise than the encoder does, as spaces around a number, and infinity, is read by the latter.
    better = series.replace_strict(texts, polars.Series(read), default=None, return_dtype=polars.Float64)
    found = found.zip_with(~failed, better).fill_nan(None)
    return found, failed & ~series.is_in(texts.filter(polars.Series(known)).to_list()).fill_null(False)


def check_types(frame: polars.DataFrame, encoder: Encoder, source: str) -> None:
    """Raise TableError for a column whose type, as Parquet files have them, holds nothing that its plan could mean.

    >>> encoder = Encoder().fit(polars.DataFrame({"a": [1.5, 2.0, 3.5]}))
    >>> try:
    ...     check_types(polars.DataFrame({"a": [[1.5]]}), encoder, "new.parquet")
    ... except TableError as error:
    ...     print(error)
    new.parquet, column "a" has the type List(Float64), where training had a number
    """
    for name, plan in zip(encoder.names, encoder.plans, strict=True):
        series = frame.get_column(name)
        if series.dtype.is_nested() or (series.null_count() < len(series) and _is_other(series, plan)):
            raise TableError(
                f'{source}, column "{name}" has the type {series.dtype}, where training had '
                + {"left out": "nothing to learn from"}.get(plan.kind, f"a {plan.kind}"),
                remedy="write the column as it was in the table of training",
            )


def _is_other(series: polars.Series, plan: Plan) -> bool:
    if series.dtype == polars.String or plan.kind == "left out":
        return False
    if series.dtype == polars.Binary:
        return plan.kind != "category" and not plan.texts
    is_date = kind_of(series) == "date" and series.dtype != polars.Duration
    return plan.kind != "date" if is_date else plan.kind == "date" and not plan.texts


def clean(frame: polars.DataFrame, encoder: Encoder) -> tuple[polars.DataFrame, list[Refused]]:
    """Return the frame with None where a text cannot be what the encoder's plan of its column says, and these texts.

    A column in which training rows had texts among the numbers takes any text, as has one of categories.
    """
    changed, refused = [], []
    for name, plan in zip(encoder.names, encoder.plans, strict=True):
        series = frame.get_column(name)
        if series.dtype != polars.String or plan.texts:
            continue
        if plan.kind in ("number", "flag") and "value" in plan.parts:
            found, failed = numbers_in(_of_flags(series) if plan.kind == "flag" else series)
            expected = "a number" if plan.kind == "number" else "true or false"
        elif plan.kind == "date":
            found, failed = _dates_in(series, plan.first)
            expected = "a date of the same form"
        else:
            continue
        changed.append(found)
        if failed.any():
            refused.append(Refused(name, failed, series, f"{expected} is expected, as in all rows learned from"))
    return frame.with_columns(changed), refused


def _of_flags(series: polars.Series) -> polars.Series:
    """Return true and false, as files of text have them, as the numbers that they are in other files."""
    lower = series.str.strip_chars(" \t").str.to_lowercase()
    return lower.replace(["true", "false"], ["1", "0"])


def _dates_in(series: polars.Series, first: First) -> tuple[polars.Series, polars.Series]:
    texts = series.drop_nulls().unique()
    wrong = texts.filter(polars.Series(np.isnan(days_of(texts.to_list(), first))))
    failed = series.is_in(wrong.to_list()).fill_null(False)
    return polars.select(polars.when(~failed).then(series).otherwise(None).alias(series.name)).to_series(), failed
