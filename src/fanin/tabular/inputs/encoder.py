"""The encoder: what every column of a table becomes, learned from training rows, and any table's rows as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import ArgumentError, OperationError, TableError
from fanin.tabular.inputs.encoded import Encoded
from fanin.tabular.inputs.names import check_columns, check_order, feature_names_of
from fanin.tabular.inputs.numbers import NumberBlock
from fanin.tabular.inputs.plans import CONSTANT, EMPTY, FLAG, NUMBER, Limits, Plan, plan_cells, plan_days
from fanin.tabular.inputs.report import Column, describe_columns
from fanin.tabular.inputs.scales import QuantileScale
from fanin.tabular.inputs.sources import Source, assemble, plain_columns
from fanin.tabular.inputs.summary import Flags, summarise
from fanin.tabular.inputs.tables import InputTable, read_table
from fanin.tabular.inputs.unfamiliar import Known, Unfamiliar, unfamiliar

FORMAT = 1


class Encoder:
    """Turn tables, frames of pandas, polars and Arrow as well as arrays, into arrays for a network.

    Numbers become (x - median) / interquartile range, bent smoothly so that none is beyond +-3. A missing one becomes
    0, and a flag tells so where training rows had any; an infinite one becomes the end of the scale, -3 or 3. Where
    many are far out, so that the bend makes them all alike, the normal quantile of their rank stands beside. A column
    of two numbers becomes a flag, a category of few levels one flag per level, one of many levels an index into learned
    vectors. A level that training did not see is encoded as a missing one. Dates become days since 1970 and their
    place in the year, the week and the day, as far as training rows went round them. Columns that are empty or constant
    are left out; a table of nothing else becomes one flag that is 0. `describe` says what became of each column.

    one_hot_up_to: how many values, missing ones included, a category may have to become flags. Texts that are numbers
                   or dates are read as such if there are more different ones than this.
    max_levels:    how many levels a category keeps, the most frequent ones; the others count as unknown, and a number
                   tells how frequent each level is. The same is done to texts that differ in most rows.
    quantiles:     use the normal quantiles of the training rows' ranks, within +-5.2, in place of the scale above.
    owner:         the estimator that messages name.

    >>> encoder = Encoder().fit([[1.0, "a"], [2.0, "b"], [4.0, "c"]])
    >>> encoded = encoder.transform([[3.0, "b"], [None, "z"]])
    >>> print(encoded.numbers.ravel().round(2), *encoded.flags.round(2))
    [0.65 0.  ] [0.   1.66 0.  ] [0. 0. 0.]
    """

    def __init__(
        self, one_hot_up_to: int = 9, max_levels: int = 1000, quantiles: bool = False, owner: str = "Encoder"
    ) -> None:
        if one_hot_up_to < 0 or max_levels < 0:
            raise ArgumentError(f"one_hot_up_to and max_levels are 0 or more, not {one_hot_up_to} and {max_levels}")
        self.limits = Limits(one_hot_up_to, max_levels)
        self.quantiles = quantiles
        self.owner = owner
        self.feature_names: tuple[str, ...] | None = None
        self.plans: tuple[Plan, ...] = ()
        self.known: Known | None = None  # not in encoders that were saved before there was this

    def fit(self, X: Any, y: Any = None) -> Encoder:
        """Learn kinds, scales and levels from the rows of X; y is not looked at.

        Raises TableError for a table without rows or columns and for types that are neither numbers, dates nor texts.
        """
        table = read_table(X)
        plans, sources = _plan(table, self.limits)
        raw = assemble(table, plans, sources)
        found = summarise(raw, QuantileScale.count(table.rows) if self.quantiles else 0)
        told = _tells_missing(plans) & (found.missing > 0) & (found.missing < table.rows)
        used = found.differs | told
        self.plans = _without_unused(plans, used, found.missing == table.rows)
        self.block = NumberBlock.fit(raw, np.flatnonzero(used), found[used], told[used], self.quantiles)
        self.known = Known.of(table, self.plans, sources, raw, used)
        self.feature_names = feature_names_of(table)
        self.names = tuple(map(str, range(table.columns) if table.names is None else table.names))
        return self

    def transform(self, X: Any, strange: list[Unfamiliar] | None = None) -> Encoded:
        """Encode the rows of X.

        Args:
            X: a table with the columns of fit.
            strange: takes up what in it is unlike the rows of fit; nobody looks for it if not given. Who gives it is an
                estimator, and has warned of names that the columns lack.

        Raises TableError when the columns are not those of fit, and for a text where fit found only numbers or dates.
        """
        if not self.plans:
            raise OperationError(f"this {self.owner} is not fitted yet", remedy="call fit first")
        table, sources, raw = self._read(X, warns=strange is None)
        if strange is not None and self.known is not None:
            strange += unfamiliar(table, self.plans, self.known, sources, raw, self.block.two)
        return self._with_levels(sources, *self.block(raw))

    def widen(self, X: Any) -> None:
        """Count the numbers in rows that are learned from later among those that are familiar."""
        if self.known is not None:
            self.known = self.known.widened(self._read(X, warns=False)[2], self.block.two)

    def _read(self, X: Any, warns: bool) -> tuple[InputTable, dict[int, Source], NDArray[np.generic]]:
        """Return a table with the columns of fit, those that are no plain numbers, and the raw numbers of all."""
        table = read_table(X)
        check_columns(table, self.feature_names, len(self.plans), self.owner, warns)
        check_order(table, self.names)
        plain = set(plain_columns(table, self.plans))
        sources = {column: Source(table, column) for column in range(table.columns) if column not in plain}
        return table, sources, assemble(table, self.plans, sources)

    def _with_levels(
        self, sources: dict[int, Source], numbers: NDArray[np.float32], flags: NDArray[np.float32]
    ) -> Encoded:
        every_flags, levels = [flags], [np.empty((len(flags), 0), np.int64)]
        for plan, column in ((self.plans[column], column) for column in sources):
            if plan.embedded:
                levels.append(sources[column].indices(plan)[:, None])
            elif plan.flags:
                every_flags.append(np.array(plan.flags, np.float32)[sources[column].indices(plan)])
        if self._blank:
            every_flags.append(np.zeros((len(flags), 1), np.float32))
        sizes = tuple(plan.size for plan in self.plans if plan.embedded)
        return Encoded(numbers, np.concatenate(every_flags, axis=1), np.concatenate(levels, axis=1), sizes)

    @property
    def _blank(self) -> bool:
        """Whether no column tells rows apart: a network needs an input nevertheless."""
        return not any(plan.parts or plan.flags or plan.embedded for plan in self.plans)

    def describe(self) -> list[Column]:
        """Say for each column what it holds and what becomes of it.

        >>> [(column.kind, column.becomes) for column in Encoder().fit([[1.0, "a"], [2.0, "b"], [4.0, "c"]]).describe()]
        [('number', '1 number'), ('category', '3 flags')]
        """
        return describe_columns(self.names, self.plans, self.block)

    def to_dict(self) -> dict[str, Any]:
        """Return what was learned as dictionaries, lists, numbers and texts, as JSON takes them."""
        state = {"format": FORMAT, **asdict(self.limits), "quantiles": self.quantiles, "owner": self.owner}
        names = {"names": list(self.names), "named": self.feature_names is not None}
        learned = {"plans": [plan.to_dict() for plan in self.plans], "block": self.block.to_dict()}
        return state | names | learned | ({} if self.known is None else {"known": self.known.to_dict()})

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Encoder:
        """Return an encoder that encodes as the one whose `to_dict` gave `state`."""
        if state.get("format") != FORMAT:
            raise TableError(f"a saved encoder of format {state.get('format')!r}, where {FORMAT} is expected")
        encoder = cls(*(state[name] for name in ("one_hot_up_to", "max_levels", "quantiles", "owner")))
        encoder.names = tuple(state["names"])
        encoder.feature_names = encoder.names if state["named"] else None
        encoder.plans = tuple(map(Plan.from_dict, state["plans"]))
        encoder.block = NumberBlock.from_dict(state["block"])
        encoder.known = Known.from_dict(state["known"]) if "known" in state else None
        return encoder


def _plan(table: InputTable, limits: Limits) -> tuple[tuple[Plan, ...], dict[int, Source]]:
    """Plan every column; return the columns that are no plain numbers, too, as they have been read."""
    plans, sources = [], {}
    for column, storage in enumerate(table.storages):
        if storage in ("numbers", "flags"):
            plans.append(NUMBER if storage == "numbers" else FLAG)
            continue
        source = sources[column] = Source(table, column)
        plans.append(_plan_source(source, storage, limits))
    return tuple(plans), sources


def _plan_source(source: Source, storage: str, limits: Limits) -> Plan:
    if storage == "missing":
        return EMPTY
    if storage == "dates":
        return plan_days(source.days)
    return plan_cells(source.cells, limits, declared=storage == "categories")


def _tells_missing(plans: Sequence[Plan]) -> Flags:
    """Return for each part whether a missing value in it would be told: a date's waves say what its days say."""
    return np.array([part in ("value", "days", "frequency") for plan in plans for part in plan.parts], np.bool_)


def _without_unused(plans: Sequence[Plan], used: Flags, empty: Flags) -> tuple[Plan, ...]:
    """Drop the parts that tell no rows apart, and with its last part a column."""
    left = []
    kept = iter(zip(used.tolist(), empty.tolist(), strict=True))
    for plan in plans:
        found = [(part, *next(kept)) for part in plan.parts]
        parts = tuple([part for part, of_use, _ in found if of_use])
        if parts == plan.parts:
            left.append(plan)
        elif parts or plan.flags or plan.embedded:
            left.append(replace(plan, parts=parts))
        else:
            left.append(Plan("left out", note=_reason(plan, any(lacks_all for *_, lacks_all in found))))
    return tuple(left)


def _reason(plan: Plan, empty: bool) -> str:
    if plan.kind == "category":
        return "all texts are equally rare"
    return plan.note or (EMPTY.note if empty else CONSTANT)
