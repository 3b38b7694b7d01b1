"""Values unlike those that were learned from: new categories, other types, numbers far outside of the range.

They are no errors: a model answers nevertheless. What it makes of them is told, once for each call.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import date, time
from decimal import Decimal
from itertools import islice
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fanin.tabular.inputs.plans import Plan
from fanin.tabular.inputs.sources import Source
from fanin.tabular.inputs.spelling import are_truths
from fanin.tabular.inputs.summary import Floats
from fanin.tabular.inputs.tables import InputTable

FEWEST = 20  # training rows, below which nobody knows a column's range
SHOWN, SHOWN_COLUMNS, LONGEST = 3, 10, 40  # values, columns, characters of a value
# Who calls `predict` on parts of a table again and again, and would have the same told each time.
SILENT = (
    "sklearn.model_selection",
    "sklearn.inspection",
    "sklearn.feature_selection",
    "sklearn.utils.estimator_checks",
)

_gathering: ContextVar[list[Unfamiliar] | None] = ContextVar("gathering", default=None)


class UnfamiliarWarning(UserWarning):
    """A table to predict has values unlike those that were learned from; the message says which, and what of them.

    >>> import warnings
    >>> from fanin.tabular import UnfamiliarWarning
    >>> warnings.simplefilter("ignore", UnfamiliarWarning)  # whoever does not want to know
    """


@dataclass(frozen=True)
class Unfamiliar:
    """Values of one column that are unlike those that were learned from.

    column: how messages name it.
    kind:   "category", "type" or "number".
    values: some of them, as they are written.
    rows:   how many rows have such a value.
    what:   what is strange about them, and what a model does with them.
    """

    column: str
    kind: Literal["category", "type", "number"]
    values: tuple[str, ...]
    rows: int
    what: str

    def __str__(self) -> str:
        listed = ", ".join(self.values[:SHOWN]) + (", ..." if len(self.values) > SHOWN else "")
        return f"{self.column}: {listed} in {self.rows:,} row{'s' * (self.rows != 1)}, {self.what}"


@dataclass(frozen=True)
class Known:
    """What the training rows held.

    types:     for each column the types of its values: "numbers", "flags", "dates", "texts", "other objects".
    low, high: (R,) for each of the raw numbers the least and the largest; nan where they are not looked at.
    """

    types: tuple[frozenset[str], ...]
    low: Floats
    high: Floats

    @classmethod
    def of(
        cls,
        table: InputTable,
        plans: Sequence[Plan],
        sources: dict[int, Source],
        raw: NDArray[Any],
        used: NDArray[np.bool_],
    ) -> Known:
        """Take note of a table that is learned from, and of those raw numbers that the plans use."""
        types = tuple(_types(table, column, sources.get(column)) for column in range(table.columns))
        looked_at = np.array([part in ("value", "days") for plan in plans for part in plan.parts], bool)
        looked_at &= table.rows >= FEWEST
        low, high = (np.where(looked_at, end.reduce(raw, axis=0)[used], np.nan) for end in (np.fmin, np.fmax))
        return cls(types, low, high)

    def widened(self, raw: NDArray[Any], two: NDArray[np.int64]) -> Known:
        """Return the ranges with those of more rows; what had two values and has others now is looked at no more."""
        low, high = np.fmin(self.low, np.fmin.reduce(raw, axis=0)), np.fmax(self.high, np.fmax.reduce(raw, axis=0))
        not_looked_at = np.isnan(self.low)
        not_looked_at[two] |= (low[two] < self.low[two]) | (high[two] > self.high[two])
        return Known(self.types, np.where(not_looked_at, np.nan, low), np.where(not_looked_at, np.nan, high))

    def to_dict(self) -> dict[str, Any]:
        """Return lists and dictionaries, as JSON takes them."""
        ends = [[end if np.isfinite(end) else None for end in each.tolist()] for each in (self.low, self.high)]
        return {"types": [sorted(each) for each in self.types], "low": ends[0], "high": ends[1]}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Known:
        """Return what `to_dict` gave."""
        low, high = (np.array(state[name], np.float64) for name in ("low", "high"))  # None becomes nan
        return cls(tuple(map(frozenset, state["types"])), low, high)


# Looking --------------------------------------------------------------------------------------------------------------


def unfamiliar(
    table: InputTable,
    plans: Sequence[Plan],
    known: Known,
    sources: dict[int, Source],
    raw: NDArray[Any],
    two: NDArray[np.int64],
) -> list[Unfamiliar]:
    """Return what is unlike the training rows, by column.

    Args:
        table: whose rows are to be predicted.
        plans: of its columns.
        known: what the training rows held.
        sources: the columns that are no plain numbers, as they have been read.
        raw: the raw numbers of the plans, (rows, R).
        two: those of them that had two values.
    """
    found = [each for column, source in sources.items() for each in _new_categories(source, plans[column])]
    flags = _columns_of(plans)[two].tolist()
    for column, plan in enumerate(plans):
        is_as_before = column not in sources and table.storages[column] in known.types[column]
        if plan.kind != "left out" and not is_as_before:
            found += _other_types(table, column, sources.get(column), plan, known.types[column], column in flags)
    return [*found, *_far_numbers(table, plans, known, raw, two)]


def _new_categories(source: Source, plan: Plan) -> Iterator[Unfamiliar]:
    # Where training rows had texts that are no levels, new ones are nothing new.
    if not plan.levels or plan.frequencies:
        return
    cells = source.cells
    strange = source.places(plan) == 0
    if plan.texts:
        strange &= np.isnan(cells.days(plan.first) if plan.kind == "date" else cells.numbers)
    rows = int(cells.counts[strange].sum())
    if rows:
        which = "categories" if strange.sum() > 1 else "a category"
        what = f"{which} that training rows do not have: counted as missing"
        some = (_shown(cells.values[index]) for index in islice(np.flatnonzero(strange).tolist(), SHOWN + 1))
        yield Unfamiliar(source.table.label(source.column), "category", tuple(some), rows, what)


def _other_types(
    table: InputTable, column: int, source: Source | None, plan: Plan, known: frozenset[str], has_two: bool
) -> Iterator[Unfamiliar]:
    new = _types(table, column, source) - known
    if plan.kind == "flag" or has_two:
        new -= {"flags", "numbers"}  # 0 and 1 are false and true
    if plan.kind == "category" and are_truths(plan.levels):
        new -= {"flags"}
    if plan.kind == "date":
        new -= {"dates", "texts"}  # a file has texts where a frame may have dates
    if not new or not known:
        return
    values, rows = _of_types(table, column, source, new)
    what = f"{' and '.join(sorted(new))} where training rows have {' and '.join(sorted(known))}; {_read_as(plan)}"
    yield Unfamiliar(table.label(column), "type", tuple(map(_shown, values)), rows, what)


def _read_as(plan: Plan) -> str:
    if plan.kind == "category":
        return "each is the category that is written so"
    return f"read as {'dates' if plan.kind == 'date' else 'true and false' if plan.kind == 'flag' else 'numbers'}"


def _far_numbers(
    table: InputTable, plans: Sequence[Plan], known: Known, raw: NDArray[Any], two: NDArray[np.int64]
) -> Iterator[Unfamiliar]:
    low, high, columns = known.low, known.high, _columns_of(plans)
    with np.errstate(over="ignore", invalid="ignore"):
        width = high - low
        least, most = (end.reduce(raw, axis=0) for end in (np.fmin, np.fmax))
        far = np.flatnonzero((least < low - width) | (most > high + width))
    for part in sorted({*far.tolist(), *two[~np.isnan(low[two])].tolist()}):
        values, ends, has_two = raw[:, part], (float(low[part]), float(high[part])), part in two
        with np.errstate(over="ignore"):
            strange = _other_than(values, *ends) if has_two else _outside(values, *ends)
        rows = int(strange.sum())
        if rows:
            plan = plans[columns[part]]
            some = list(dict.fromkeys(islice(values[strange].tolist(), 1000)))[: SHOWN + 1]
            shown = tuple(_number(value, plan, ends) for value in some)
            yield Unfamiliar(table.label(columns[part]), "number", shown, rows, _where(ends, plan, has_two))


def _where(ends: tuple[float, float], plan: Plan, has_two: bool) -> str:
    low, high = (_number(end, plan, ends) for end in ends)
    if has_two:
        return f"where training rows have {low} and {high} only; the model goes on in a line"
    return f"far outside of {low} to {high} in training rows; to the model all that is so far out is nearly the same"


def _other_than(values: NDArray[Any], low: float, high: float) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (values != low) & (values != high) & (values == values)  # nan is not itself
    return found


def _outside(values: NDArray[Any], low: float, high: float) -> NDArray[np.bool_]:
    """Return which values lie farther outside of the range than it is wide."""
    found: NDArray[np.bool_] = (values < low - (high - low)) | (values > high + (high - low))
    return found


def _columns_of(plans: Sequence[Plan]) -> NDArray[np.int64]:
    """Return for each of the raw numbers the column that it is of."""
    return np.repeat(np.arange(len(plans)), [len(plan.parts) for plan in plans])


# Types ----------------------------------------------------------------------------------------------------------------


def _types(table: InputTable, column: int, source: Source | None) -> frozenset[str]:
    """Return the types of a column's known values."""
    storage = table.storages[column]
    if storage in ("values", "categories"):
        return frozenset() if source is None else frozenset(map(_type_of, _one_of_each(source.cells.values).values()))
    if storage == "missing":
        return frozenset()
    if source is not None and "cells" in source.__dict__ and not source.cells.keys:
        return frozenset()  # a column of floats or dates that has no value
    return frozenset({storage})


def _of_types(table: InputTable, column: int, source: Source | None, types: frozenset[str]) -> tuple[list[Any], int]:
    """Return some values of these types, and how many rows have one."""
    if source is None:
        values = table.numbers(np.array([column]))[:, 0]
        known = values[~np.isnan(values)]
        some = dict.fromkeys(islice(known.tolist(), 1000))
        return list(map(bool, some)) if types == {"flags"} else list(some)[: SHOWN + 1], len(known)
    cells = source.cells
    wanted = {kind for kind, value in _one_of_each(cells.values).items() if _type_of(value) in types}
    if table.storages[column] in types:  # all of a column of numbers or flags
        wanted = set(map(type, cells.values))
    found = [index for index, value in enumerate(cells.values) if type(value) in wanted]
    return [cells.values[index] for index in found[: SHOWN + 1]], int(cells.counts[found].sum())


def _one_of_each(values: Sequence[Any]) -> dict[type, Any]:
    return dict(zip(map(type, values), values, strict=True))


def _type_of(value: Any) -> str:
    if isinstance(value, str | bytes):
        return "texts"
    if isinstance(value, bool | np.bool_):
        return "flags"
    if isinstance(value, date | time | np.datetime64):
        return "dates"
    spans = hasattr(value, "total_seconds") or isinstance(value, np.timedelta64)
    return "numbers" if spans or isinstance(value, Real | Decimal) else "other objects"


# Telling --------------------------------------------------------------------------------------------------------------


@contextmanager
def gathered() -> Iterator[list[Unfamiliar]]:
    """Have what is unfamiliar inside in a list, and not in warnings."""
    found: list[Unfamiliar] = []
    token = _gathering.set(found)
    try:
        yield found
    finally:
        _gathering.reset(token)


def joined(every: Iterable[Unfamiliar]) -> tuple[Unfamiliar, ...]:
    """Return one for each column and kind, of what was found in pieces of a table.

    >>> one, other = (Unfamiliar("x", "category", (value,), 2, "new") for value in "ab")
    >>> print(*joined([one, other, one]))
    x: a, b in 6 rows, new
    """
    found: dict[tuple[str, str], Unfamiliar] = {}
    for each in every:
        before = found.get((each.column, each.kind))
        if before is not None:
            values = tuple(dict.fromkeys((*before.values, *each.values)))[: SHOWN + 1]
            each = replace(before, values=values, rows=before.rows + each.rows)
        found[each.column, each.kind] = each
    return tuple(found.values())


def tell(found: Sequence[Unfamiliar], owner: str) -> None:
    """Warn of what is unfamiliar in a table that `owner` is to predict, unless it is gathered, or a search predicts.

    The warning is that of the line outside of fanin from which `predict` is called.
    """
    if not found:
        return
    gathering = _gathering.get()
    if gathering is not None:
        gathering.extend(found)
        return
    level, is_silent = _callers()
    if not is_silent:
        warnings.warn(message(found, owner), UnfamiliarWarning, stacklevel=level + 1)


def message(found: Sequence[Unfamiliar], owner: str) -> str:
    """Return what a warning says."""
    more = len(found) - SHOWN_COLUMNS
    lines = [f"- {each}" for each in found[:SHOWN_COLUMNS]] + ([f"- and {more:,} more"] if more > 0 else [])
    return "\n".join([f"X has values unlike those that this {owner} has learned from.", *lines])


def _callers() -> tuple[int, bool]:
    """Return how many frames above the caller the first one outside of fanin is, and whether nothing is to be said."""
    frame, level, outside = sys._getframe(1), 0, None
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if outside is None and not name.startswith("fanin."):
            outside = level
        if name.startswith(SILENT):
            return level, True
        frame, level = frame.f_back, level + 1  # type: ignore[assignment]
    return outside or 1, False


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _number(value: float, plan: Plan, ends: tuple[float, float]) -> str:
    if plan.kind == "date" and abs(value) < 1e6:
        if 0 <= ends[0] < ends[1] < 1:  # times of the day
            minutes = round(value * 1440)
            return f"{minutes // 60:02}:{minutes % 60:02}"
        return str(np.datetime64(0, "D") + np.timedelta64(int(value // 1), "D"))
    return f"{value:g}" if isinstance(value, float) else str(value)
