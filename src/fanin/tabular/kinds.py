"""What a column holds, told by all of its rows: numbers, dates, two values, or levels.

| kind | when | becomes |
|---|---|---|
| number | every value is a number | itself |
| date | every value is an ISO date or time (2024-03-09, 2024-03-09 17:30) | days, and cycles of year, week, day |
| flag | every value is true or false | a category of two levels |
| category | any other text | its levels |
| left out | one value only; a text that differs in most rows; a row number | nothing, with the reason in the report |

A text column that would be numbers (or dates) but for a few values is an error that names the first of them, because
"NA" read as a level would turn thousands of numbers into levels in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fanin._core.errors import TableError
from fanin.tabular.frames import polars
from fanin.tabular.table import Table
from fanin.tabular.values import as_days, as_numbers, column, numbers, refuse

Kind = Literal["number", "date", "flag", "category", "left out"]

FEW_TEXTS = 3  # so many different texts among numbers are taken for markers of missing values
FEW_NUMBERS = 10  # with fewer different numbers than this, a column that also holds texts is one of levels
ROW_NUMBER_NAMES = ("", "id", "index", "row", "rowid", "row_id", "rownames", "rownumber", "row_number", "unnamed: 0")


@dataclass(frozen=True)
class Column:
    """What was found in one column."""

    name: str
    kind: Kind
    missing: int
    distinct: int
    note: str = ""


def describe(table: Table, name: str, as_category: bool = False) -> Column:
    """Tell what the column `name` holds; raises TableError for numbers mixed with texts, and for infinite numbers."""
    series = column(table, name)
    missing, distinct = series.null_count(), series.drop_nulls().n_unique()
    kind: Kind = "category" if as_category else _kind(table, series)
    reason = _reason_to_leave_out(series, kind, missing, distinct)
    if reason:
        return Column(name, "left out", missing, distinct, reason)
    if kind == "number":
        numbers(table, name)  # refuses infinite values
    return Column(name, kind, missing, distinct)


def _kind(table: Table, series: polars.Series) -> Kind:
    if series.dtype == polars.Boolean:
        return "flag"
    if series.dtype.is_numeric() or isinstance(series.dtype, polars.Duration):
        return "number"
    if series.dtype.is_temporal():
        return "date"
    if not isinstance(series.dtype, polars.String | polars.Categorical | polars.Enum | polars.Null):
        raise TableError(
            f'{table.source}: column "{series.name}" has the type {series.dtype}, which holds no numbers, dates or '
            f'texts; leave it out with --ignore "{series.name}"'
        )
    return _kind_of_texts(table, series.cast(polars.String))


def _kind_of_texts(table: Table, series: polars.Series) -> Kind:
    values = series.drop_nulls()
    if values.str.to_lowercase().is_in(["true", "false"]).all():
        return "flag"
    if _all_or_refuse(table, series, as_numbers(values), "number"):
        return "number"
    if _all_or_refuse(table, series, as_days(values), "date"):
        return "date"
    return "category"


def _all_or_refuse(table: Table, series: polars.Series, parsed: polars.Series, what: str) -> bool:
    """Whether all values could be parsed; raises TableError when all but a few could."""
    values = series.drop_nulls()
    if parsed.null_count() == 0:
        return True
    good, failed = parsed.drop_nulls(), values.filter(parsed.is_null())
    few = failed.n_unique() <= FEW_TEXTS or failed.len() < 0.05 * values.len()
    if few and good.len() >= failed.len() and good.n_unique() >= FEW_NUMBERS:
        remedy = (
            f"{good.len():,} of its {values.len():,} values are {what}s; leave missing values empty, "
            f'or pass --missing "{failed[0]}", or --category "{series.name}" to read the column as levels'
        )
        refuse(table, series, series.is_in(failed.unique().implode()), f"text where a {what} is expected", remedy)
    return False


def _reason_to_leave_out(series: polars.Series, kind: Kind, missing: int, distinct: int) -> str:
    if distinct == 0:
        return "empty"
    if distinct == 1 and missing == 0:
        return "one value in all rows"
    if kind == "category" and distinct > max(20, (series.len() - missing) / 2):
        return "a text that differs in most rows"
    if kind == "number" and series.name.strip().casefold() in ROW_NUMBER_NAMES and _counts_rows(series):
        return "a row number"
    return ""


def _counts_rows(series: polars.Series) -> bool:
    steps = as_numbers(series).diff().drop_nulls()
    return series.null_count() == 0 and bool((steps == 1).all())
