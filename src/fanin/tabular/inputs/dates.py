"""Dates and times of the day, as days since 1970, whatever they are written as.

| texts | read |
|---|---|
| 2024-01-31, 2024-01-31T07:05:00+01:00 | in the order of ISO 8601 |
| 2024/1/31 | year, month, day |
| 31.1.2024, 31/01/2024, 01/31/2024, 31-01-2024 | day or month first, as the column's texts tell together |
| 7:05, 07:05:30, 7:05 PM | as a time of the first of these days; beyond 24 hours as a duration |

A time may stand behind a date. Years of two digits and names of months are not read.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import nan
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

First = Literal["", "day", "month"]  # what stands first in dates that end with their year; "" where nobody can tell

DATE = re.compile(r"[ \t]*[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9].*)?[ \t]*")
PLAIN_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?")
CLOCK = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?: ?[AaPp][Mm])?"
YEAR_FIRST = r"[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}"
YEAR_LAST = r"[0-9]{1,2}(?:/[0-9]{1,2}/|\.[0-9]{1,2}\.|-[0-9]{1,2}-)[0-9]{4}"
OTHER_DATE = re.compile(rf"[ \t]*(?:{YEAR_FIRST}|{YEAR_LAST})(?:[T ]{CLOCK})?[ \t]*")
TIME = re.compile(rf"[ \t]*{CLOCK}[ \t]*")
DAY_MICROS = 86_400e6
EPOCH = datetime.datetime(1970, 1, 1)


def days_of(values: Sequence[Any], first: First = "") -> NDArray[np.float64]:
    """Return each value's days since 1970 in UTC, nan for what is no date.

    Args:
        values: texts, dates and times of Python and of NumPy, and anything else.
        first: what stands first in texts that end with their year; with "" they are no dates.

    >>> print(days_of(["1970-01-02", "1970-01-02T12:00:00+06:00", datetime.date(1970, 1, 3), "soon", "6:00"]))
    [1.   1.25 2.    nan 0.25]
    >>> print(days_of(["3/1/1970", "31/1/1970", "1970/1/2 12:00"], "day"))
    [ 2.  30.   1.5]
    """
    if all(issubclass(each, str) for each in set(map(type, values))) and all(map(PLAIN_TIME.fullmatch, values)):
        # Texts of one simple form, of which a table can have millions, are read by NumPy, in a fifth of the time.
        with suppress(ValueError):
            return np.array(values, "datetime64[us]").astype(np.int64) / DAY_MICROS
    return np.array([_day(value, first) for value in values], np.float64)


def first_of(values: Iterable[Any]) -> First:
    """Return what stands first in those texts that are dates with the year at their end.

    That by which more of them are dates. Where both would do, dots say that it is the day, and so does a number that
    is the same everywhere, as in the dates of a monthly table.

    >>> first_of(["1/31/2024", "2/1/2024"]), first_of(["1.2.2024"]), first_of(["1/3/2024", "1/4/2024"])
    ('month', 'day', 'day')
    >>> first_of(["1/2/2024", "3/4/2024"])
    ''
    """
    texts = [value.strip(" \t") for value in values if type(value) is str and OTHER_DATE.fullmatch(value)]
    ending = [re.split("[./-]", text, maxsplit=2)[:2] for text in texts if not re.match("[0-9]{4}", text)]
    if not ending:
        return ""
    one, two = np.array(ending, np.int64).T
    by_day, by_month = ((two <= 12) & (one <= 31)).sum(), ((one <= 12) & (two <= 31)).sum()
    if by_day != by_month:
        return "day" if by_day > by_month else "month"
    if all("." in text.split(" ")[0] for text in texts):
        return "day"
    is_same = bool((one == one[0]).all()), bool((two == two[0]).all())
    return "" if is_same[0] == is_same[1] else ("day" if is_same[0] else "month")


def _day(value: Any, first: First) -> float:
    if isinstance(value, str):
        return _day_of_text(value, first)
    if isinstance(value, datetime.datetime):
        return _day_of_time(value)
    if isinstance(value, datetime.date):
        return float(value.toordinal() - EPOCH.toordinal())
    if isinstance(value, datetime.time):
        return _day_of_time(datetime.datetime.combine(EPOCH, value))
    if isinstance(value, np.datetime64):
        return float((value - np.datetime64(0, "D")) / np.timedelta64(1, "D"))
    return nan


def _day_of_text(text: str, first: First) -> float:
    if not text.lstrip(" \t")[:1].isdigit():
        return nan
    try:
        if DATE.fullmatch(text):
            return _day_of_time(datetime.datetime.fromisoformat(text.strip(" \t")))
        if OTHER_DATE.fullmatch(text):
            date, _, clock = text.strip(" \t").replace("T", " ", 1).partition(" ")
            share = _share(clock) if clock else 0.0
            return _day_of_date(date, first) + share if share < 1 else nan
        return _share(text.strip(" \t")) if TIME.fullmatch(text) else nan
    except ValueError:
        return nan


def _day_of_date(text: str, first: First) -> float:
    one, two, three = map(int, re.split("[./-]", text))
    if text[:4].isdigit():
        return _day(datetime.date(one, two, three), first)
    if not first:
        return nan
    return _day(datetime.date(three, two, one) if first == "day" else datetime.date(three, one, two), first)


def _share(clock: str) -> float:
    """Return the days that a time of the day is after midnight; nan where its minutes or seconds are none."""
    half = clock[-2:].lower() if clock[-1] in "mM" else ""
    hours, minutes, *rest = clock.removesuffix(clock[-2:] if half else "").rstrip(" ").split(":")
    hour, minute, second = int(hours), int(minutes), float(rest[0]) if rest else 0.0
    if minute > 59 or second >= 60 or (half and not 1 <= hour <= 12):
        return nan
    hour = hour % 12 + 12 * (half == "pm") if half else hour
    return (hour * 3600 + minute * 60 + second) / 86_400


def _day_of_time(value: datetime.datetime) -> float:
    # Not astimezone, which cannot take the first and the last hours of the calendar to another zone.
    offset = value.utcoffset() or datetime.timedelta()
    return (value.replace(tzinfo=None) - EPOCH - offset) / datetime.timedelta(days=1)
