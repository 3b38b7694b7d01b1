"""Plans: what one column becomes, told from its values in the training rows.

| the column holds | kind | becomes |
|---|---|---|
| numbers, durations; texts of more than a few numbers | number | a number; a flag, if there are two values |
| true and false | flag | a flag |
| dates, times; texts of more than a few dates | date | days since 1970, and sine and cosine of year, week and day |
| a category dtype; texts; values of several types | category | a flag per level, or an index into learned vectors |
| numbers or dates, and texts among them | number, date | both: the number, and the texts as levels |
| nothing, or one value | left out | nothing |

Missing values are told by a flag where training rows had any. Of texts that would be more levels than `max_levels`, or
that differ in most rows, only those that occur twice are levels, the most frequent ones first; each row is then told by
the frequency of its text, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fanin.tabular.inputs.cells import Cells, all_of, order_of
from fanin.tabular.inputs.dates import First, first_of
from fanin.tabular.inputs.scales import RobustScale
from fanin.tabular.inputs.summary import Floats, summarise_counts

Kind = Literal["number", "flag", "date", "category", "left out"]
CYCLES = {"year": 365.2425, "week": 7.0, "day": 1.0}  # in days
FEW_ROWS = 20  # with no more different texts than this, no column of texts differs in most rows


@dataclass(frozen=True)
class Plan:
    """How one column is encoded.

    parts:       its columns among the raw numbers: "value", "days", "sin year", ..., "frequency".
    levels:      the keys that are levels, in the order of their indices, which begin at 1.
    embedded:    whether levels are indices into learned vectors; else `flags` holds what each becomes.
    flags:       (1 + levels, width) scaled entries for each index, 0 (missing or unknown) included.
    frequencies: logarithms of how many training rows have a key; 0 for one that is not among them.
    texts:       whether training rows had texts among the numbers or dates.
    first:       what stands first in dates that end with their year, "day" or "month".
    note:        why a column is left out, or what was left out of it.
    """

    kind: Kind
    parts: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    embedded: bool = False
    flags: tuple[tuple[float, ...], ...] = ()
    frequencies: dict[str, float] = field(default_factory=dict)
    texts: bool = False
    first: First = ""
    note: str = ""

    @property
    def flag_count(self) -> int:
        """How many flags the levels become."""
        return len(self.flags[0]) if self.flags else 0

    @property
    def size(self) -> int:
        """How many indices the levels take, 0 included."""
        return len(self.levels) + 1

    @property
    def plain(self) -> bool:
        """Whether the column is nothing but a number."""
        return self.parts == ("value",) and not self.texts

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` takes, without what is empty."""
        state = {name: value for name, value in asdict(self).items() if value or name == "kind"}
        return {name: _listed(value) for name, value in state.items()}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Plan:
        """Return the plan whose `to_dict` gave `state`; raise ValueError where its levels and flags do not fit."""
        plan = cls(**{name: _tuples(value) for name, value in state.items()})
        if not all_of(plan.levels, str) or (plan.flags and len(plan.flags) != plan.size):
            raise ValueError(f"a column has {len(plan.levels)} levels and {len(plan.flags)} flags, which do not fit")
        return plan


NUMBER, FLAG = Plan("number", ("value",)), Plan("flag", ("value",))
EMPTY = Plan("left out", note="no value at all")
CONSTANT = "one value in all rows"


@dataclass(frozen=True)
class Limits:
    """The encoder's settings that plans depend on."""

    one_hot_up_to: int
    max_levels: int


def plan_days(days: Floats) -> Plan:
    """Plan a column of dates: its days, and each cycle of which the training rows have seen most.

    >>> plan_days(np.arange(30.0)).parts
    ('days', 'sin week', 'cos week')
    """
    known = days[~np.isnan(days)]
    if known.size == 0:
        return EMPTY
    cycles = [
        name
        for name, length in CYCLES.items()
        if np.ptp(known) >= 0.9 * length and np.ptp(np.remainder(known, length)) > 1e-6
    ]
    return Plan("date", ("days", *(f"{wave} {name}" for name in cycles for wave in ("sin", "cos"))))


def date_parts(days: Floats, parts: Sequence[str]) -> list[Floats]:
    """Return the parts of dates; nan where missing."""
    waves = {"sin": np.sin, "cos": np.cos}
    found = []
    for part in parts:
        wave, _, cycle = part.partition(" ")
        found.append(
            days if part == "days" else waves[wave](2 * np.pi / CYCLES[cycle] * np.remainder(days, CYCLES[cycle]))
        )
    return found


def plan_cells(cells: Cells, limits: Limits, declared: bool) -> Plan:
    """Plan a column of texts, objects or categories; `declared` when its dtype says that it is one of categories."""
    if not cells.keys:
        return EMPTY
    if declared:
        return plan_levels(cells, limits)
    if all_of(cells.values, bool, np.bool_):
        return FLAG
    few = limits.one_hot_up_to
    for kind in ("number", "date"):
        first = first_of(cells.values) if kind == "date" else ""
        parsed = cells.days(first) if kind == "date" else cells.numbers
        read = ~np.isnan(parsed)
        if not read.any():
            continue
        base = NUMBER if kind == "number" else replace(plan_days(parsed), first=first)
        if read.all():
            # Written as texts, a few different numbers are more likely names than amounts.
            return plan_levels(cells, limits) if _has_text(cells.values) and len(parsed) <= few else base
        if read.sum() > few and 2 * cells.counts[read].sum() >= cells.counts.sum():
            texts = plan_levels(_only(cells, ~read), limits, beside=True)
            return replace(texts, kind=base.kind, parts=base.parts + texts.parts, texts=True, first=first)
    return plan_levels(cells, limits)


def plan_levels(cells: Cells, limits: Limits, beside: bool = False) -> Plan:
    """Plan a category; `beside` when index 0 also stands for the numbers among which these texts are."""
    kept, told = _kept(cells, limits)
    keys = sorted((cells.keys[index] for index in kept), key=order_of)
    place = {key: number for number, key in enumerate(keys, 1)}
    counts = np.zeros(len(keys) + 1, np.int64)
    for index in kept:
        counts[place[cells.keys[index]]] = cells.counts[index]
    counts[0] = len(cells.codes) - counts.sum()
    parts = ("frequency",) if told else ()
    note = f"{len(keys):,} of {len(cells.keys):,} different texts are levels" if told else ""
    plan = Plan("category", parts, tuple(keys), frequencies=_frequencies(cells) if told else {}, note=note)
    if np.count_nonzero(counts) < 2:
        return replace(plan, levels=()) if told else Plan("left out", note=CONSTANT)
    if len(keys) + bool(counts[0]) > limits.one_hot_up_to:
        return replace(plan, embedded=True)
    return replace(plan, flags=_flags(counts, signed=len(keys) == 2 and not beside))


def _kept(cells: Cells, limits: Limits) -> tuple[list[int], bool]:
    """Return which values are levels, and whether there are others, so that frequencies are told."""
    known = int(cells.counts.sum())
    if len(cells.keys) <= limits.max_levels and len(cells.keys) <= max(FEW_ROWS, known / 2):
        return list(range(len(cells.keys))), False
    # A level that a single row has cannot be learned, only learned by heart.
    again = [index for index, count in enumerate(cells.counts.tolist()) if count > 1]
    again.sort(key=lambda index: (-cells.counts[index], cells.keys[index]))
    return again[: limits.max_levels], True


def _frequencies(cells: Cells) -> dict[str, float]:
    pairs = zip(cells.keys, cells.counts.tolist(), strict=True)
    return {key: float(np.log(count)) for key, count in pairs if count > 1}


def _flags(counts: NDArray[np.int64], signed: bool) -> tuple[tuple[float, ...], ...]:
    """Return scaled entries for each index, of which `counts` rows have each: one column per level, or -1 and +1."""
    raw = np.eye(len(counts))[:, 1:]
    if signed:
        # The first column says which of two levels, the second, if rows lack both, that it is neither.
        raw = np.stack([raw[:, 1] - raw[:, 0], np.eye(len(counts))[:, 0]], axis=1)[:, : 1 + bool(counts[0])]
    scaled = RobustScale.fit(summarise_counts(raw, counts))(raw)
    return tuple(tuple(row) for row in scaled.tolist())


def _only(cells: Cells, wanted: NDArray[np.bool_]) -> Cells:
    """Return the cells with only some of the values; the others count as missing."""
    place = np.where(wanted, np.cumsum(wanted) - 1, -1)
    chosen = np.flatnonzero(wanted)
    keys, values = [cells.keys[index] for index in chosen], [cells.values[index] for index in chosen]
    return Cells(np.append(place, -1)[cells.codes], keys, values, cells.counts[chosen])


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple) else value


def _tuples(value: Any) -> Any:
    return tuple([_tuples(item) for item in value]) if isinstance(value, list) else value


def _has_text(values: Sequence[Any]) -> bool:
    return any(isinstance(value, str | bytes) for value in values)
