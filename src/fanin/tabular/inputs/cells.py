"""Single values of columns that are no arrays of numbers: missing or not, their key as a level, their number or day.

All of this runs once for each different value of a column, never once per row.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from math import isfinite, nan
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import TableError
from fanin.tabular.inputs.dates import First, days_of
from fanin.tabular.inputs.summary import Floats
from fanin.tabular.inputs.tables import Levels
from fanin.tabular.inputs.tables.factors import Container, float_of

# No "nan", "inf", "1_000", nor digits of other scripts, all of which float() takes; no leading zeros: 007 is a code.
NUMBER = re.compile(r"[ \t]*[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t]*")


@dataclass(frozen=True)
class Cells:
    """A column by its known values.

    codes:  (rows,) index of each row's value, -1 where it is missing.
    keys:   the text of each value, no two alike; 1, 1.0 and "1" are one value.
    values: a value of each key as it was given.
    counts: how many rows have it.
    """

    codes: NDArray[np.int64]
    keys: list[str]
    values: list[Any]
    counts: NDArray[np.int64]

    @cached_property
    def numbers(self) -> Floats:
        """The number of each value, nan for what is none."""
        return numbers_of(self.values)

    def days(self, first: First = "") -> Floats:
        """Return the day of each value, nan for what is no date; `first` as of `days_of`."""
        return days_of(self.values, first)

    def rows_of(self, table: Floats, missing: float = nan) -> Floats:
        """Return for each row the entry of its value in `table`."""
        # The code of a missing value, -1, picks the last entry.
        return np.append(table, missing)[self.codes]


def read_cells(levels: Levels, label: str = "") -> Cells:
    """Drop missing values from the levels, and those that no row has, and join those of the same key.

    Raises TableError for a list, a dictionary and what else is no value; `label` is the column's in messages.

    >>> cells = read_cells(Levels(np.array([0, 1, 2, 3, 0]), ["a", None, 1, "1"]))
    >>> cells.keys, cells.codes.tolist(), cells.counts.tolist()
    (['a', '1'], [0, -1, 1, 1, 0], [2, 2])
    """
    counts = np.bincount(levels.codes[levels.codes >= 0], minlength=len(levels.values))
    if counts.all() and set(map(type, levels.values)) <= {str}:
        return Cells(levels.codes, levels.values, levels.values, counts)
    index: dict[str, int] = {}
    values: list[Any] = []
    lookup = np.full(len(levels.values) + 1, -1)
    for number, value in enumerate(levels.values):
        if not counts[number] or is_missing(value):
            continue
        if _is_no_value(value):
            raise _no_value(value, label, int(np.argmax(levels.codes == number)))
        lookup[number] = index.setdefault(key_of(value), len(values))
        if lookup[number] == len(values):
            values.append(value)
    codes = lookup[levels.codes]
    return Cells(codes, list(index), values, np.bincount(codes[codes >= 0], minlength=len(values)))


def is_missing(value: Any) -> bool:
    """Whether a value is None, nan, NaT, or pandas' NA (which is known by its type's name, without pandas).

    >>> [is_missing(value) for value in (None, float("nan"), np.datetime64("NaT"), "", 0)]
    [True, True, True, False, False]
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    try:
        return bool(value != value)  # nan and NaT differ from themselves
    except (TypeError, ValueError):
        return False


def _is_no_value(value: Any) -> bool:
    if isinstance(value, Container | complex | np.complexfloating):
        return True
    # What does not say how it is written is written with its place in memory, which is another in each run.
    kind: Any = type(value)
    return bool(kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__)


def _no_value(value: Any, label: str, row: int) -> TableError:
    value = value.value if isinstance(value, Container) else value
    text, what = repr(value), type(value).__name__
    shown = text if len(text) <= 60 else text[:57] + "..."
    if isinstance(value, complex | np.complexfloating):
        remedy = "give the real and the imaginary parts as columns of their own"
    else:
        remedy = "make columns of what it holds, or a text, or leave the column out"
    return TableError(
        f"X, {label}, row {row}: {shown} is of type {what}: a cell holds a number, a date, a text or nothing",
        remedy=remedy,
    )


def key_of(value: Any) -> str:
    """Return the text by which a value is known as a level; whole numbers are written as such, whatever their type.

    >>> [key_of(value) for value in (3, 3.0, True, 0.5, "3", b"3", np.float32(0.5))]
    ['3', '3', '1', '0.5', '3', '3', '0.5']
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, int | np.bool_) or (isinstance(value, Real | Decimal) and isfinite(value)):
        return _key_of_number(value)
    return str(value)


def _key_of_number(number: Any) -> str:
    whole = int(number)  # not number % 1, which large decimals refuse
    if whole != number:
        return repr(float(number))
    try:
        return str(whole)
    except ValueError:  # Python writes no number of more than 4300 digits
        return hex(whole)


def order_of(key: str) -> tuple[int, float, str]:
    """Sort keys: numbers by size, then texts.

    >>> sorted(["b", "10", "9", "a"], key=order_of)
    ['9', '10', 'a', 'b']
    """
    return (0, float(key), key) if NUMBER.fullmatch(key) else (1, 0.0, key)


def numbers_of(values: Iterable[Any]) -> Floats:
    """Return each value's number, nan for what is none; a duration's in seconds."""
    plain = NUMBER.fullmatch
    return np.array(
        [_number(value) if type(value) is not str else float(value) if plain(value) else nan for value in values]
    )


def all_of(values: Iterable[Any], *types: type) -> bool:
    """Whether all values are of these types."""
    return all(issubclass(each, types) for each in set(map(type, values)))


def _number(value: Any) -> float:
    if isinstance(value, str):
        return float(value) if NUMBER.fullmatch(value) else nan
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "s"))
    if isinstance(value, Real | Decimal | np.bool_):
        return float_of(value)
    return nan
