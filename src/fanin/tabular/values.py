"""A column's values as numbers, days or texts; what is none of these is refused with column, row and value."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from fanin._core.errors import TableError
from fanin.tabular.frames import polars
from fanin.tabular.table import Table

LARGEST = 1e100  # larger numbers cannot be squared, summed and divided in float64 without overflow
DAY = 86_400_000_000  # microseconds
DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d")
TIME_FORMATS = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S%.f")


def column(table: Table, name: str) -> polars.Series:
    """Return the column `name`, or raise TableError with the nearest names that there are."""
    if name in table.names:
        return table.frame[name]
    raise TableError(f'{table.source} has no column "{name}"{nearest(name, table.names)}')


def nearest(name: str, names: Collection[str]) -> str:
    """End a message about a name that does not exist: with the nearest names, or with those that there are.

    >>> nearest("prise", ["carat", "price", "cut"])
    '; did you mean "price"?'
    """
    folded = {each.casefold(): each for each in names}
    close = [folded[key] for key in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)]
    if close:
        return "; did you mean " + " or ".join(f'"{each}"' for each in close) + "?"
    shown = ", ".join(f'"{each}"' for each in list(names)[:12])
    return f"; its columns are {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def numbers(table: Table, name: str) -> polars.Series:
    """Return a column's values as float64 with None where missing; raise TableError at the first that is no number."""
    series = column(table, name)
    parsed = as_numbers(series)
    refuse(table, series, parsed.is_null() & series.is_not_null(), "text where a number is expected")
    refuse(table, series, (parsed.abs() > LARGEST).fill_null(False), "a number that is infinite or too large")
    return parsed


def days(table: Table, name: str) -> polars.Series:
    """Return a column of dates or times as days since 1970; raise TableError at the first that is none."""
    series = column(table, name)
    parsed = as_days(series)
    refuse(table, series, parsed.is_null() & series.is_not_null(), "text where a date is expected")
    return parsed


def texts(table: Table, name: str) -> polars.Series:
    """Return a column's values as texts."""
    series = column(table, name)
    return series if series.dtype == polars.String else series.cast(polars.String)


def as_numbers(series: polars.Series) -> polars.Series:
    """Return the values as float64, None for those that are no numbers."""
    if series.dtype == polars.String:
        # "nan" parses as a float; as text it is no number, and a missing number is an empty field.
        return series.str.strip_chars().cast(polars.Float64, strict=False).fill_nan(None)
    if isinstance(series.dtype, polars.Duration):
        return series.dt.total_microseconds() / 1e6
    if series.dtype.is_numeric() or series.dtype in (polars.Boolean, polars.Null):
        return series.cast(polars.Float64).fill_nan(None)
    return _none(series)


def as_days(series: polars.Series) -> polars.Series:
    """Return the values as days since 1970 (a time of day as a part of one), None for those that are no dates."""
    if isinstance(series.dtype, polars.Time):
        return series.cast(polars.Int64) / (1000 * DAY)
    if series.dtype.is_temporal() and not isinstance(series.dtype, polars.Duration):
        return series.cast(polars.Datetime("us")).cast(polars.Int64) / DAY
    if series.dtype != polars.String:
        return _none(series)
    plain = series.str.strip_chars().str.replace("T", " ", literal=True).str.strip_suffix("Z")
    tried = [plain.str.to_date(form, strict=False).cast(polars.Datetime("us")) for form in DATE_FORMATS]
    tried += [plain.str.to_datetime(form, strict=False, time_unit="us") for form in TIME_FORMATS]
    return polars.select(polars.coalesce(tried)).to_series().cast(polars.Int64).alias(series.name) / DAY


def refuse(table: Table, series: polars.Series, failed: polars.Series, what: str, remedy: str = "") -> None:
    """Raise TableError with column, row and value of the first failure, if there is one, and the number of others."""
    count = int(failed.sum())
    if count == 0:
        return
    row = int(failed.arg_max() or 0)
    more = f" (and in {count - 1:,} more row{'s' if count > 2 else ''})" if count > 1 else ""
    where = f'{table.source}, column "{series.name}", row {row + 1}'
    raise TableError(f'{where}: {what}: "{series[row]}"{more}' + (f"; {remedy}" if remedy else ""))


def _none(series: polars.Series) -> polars.Series:
    return polars.Series(series.name, [None] * series.len(), dtype=polars.Float64)
