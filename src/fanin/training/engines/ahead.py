"""The scalars of the steps to come, as tables: computed for many steps at once, and kept for other networks.

What a search trains side by side begins with the same rates and the same corrections: a table that one optimiser needed
serves every other one with the same options that has taken as many steps.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.compiler.capture import HostScalars
from fanin.optim.sgd import SGD

AT_ONCE = 4096  # steps for which the host computes its numbers (rates, bias corrections) in one go
MOST = 8  # tables that are kept
_ENTRIES = 1 << 16  # of a table that is kept: 512 kB

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """The scalars of steps, (steps, n); nobody writes to them."""

    numbers: Numbers
    _cuts: dict[Hashable, list[Numbers]] = field(default_factory=dict)

    def cut(self, counts: tuple[int, ...]) -> list[Numbers]:
        """Return the scalars of the parts of epochs which have so many steps of one kind, then of another."""
        if len(counts) == 1:
            return [self.numbers]
        if counts not in self._cuts:
            self._cuts[counts] = self._cut(counts)
        return self._cuts[counts]

    def _cut(self, counts: tuple[int, ...]) -> list[Numbers]:
        ends, width = np.cumsum(counts).tolist(), self.numbers.shape[1]
        epochs = self.numbers.reshape(-1, ends[-1], width)
        parts = [epochs[:, end - n : end].reshape(-1, width) for end, n in zip(ends, counts, strict=True)]
        return list(map(np.ascontiguousarray, parts))


class Tables:
    """The tables computed last, by what they depend on."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Table] = {}

    def of(self, scalars: HostScalars, steps: int) -> Table:
        """Return the scalars of the next steps, of fewer where a flag changes on the way, without taking them."""
        told = scalars.told()
        if told is None:
            return _computed(scalars, steps)
        key = (told, steps)
        table = self._kept.get(key)
        if table is None:
            table = _computed(scalars, steps)
            if table.numbers.size <= _ENTRIES:
                self._kept[key] = table
                if len(self._kept) > MOST:
                    self._kept.pop(next(iter(self._kept)))
        return table


def _computed(scalars: HostScalars, steps: int) -> Table:
    return Table(np.ascontiguousarray(scalars.table(steps), np.float64))


tables = Tables()


class Ahead:
    """The scalars of the steps to come, computed for many steps at once, and again when something changed them.

    What they depend on is in the groups of the optimisers and in the counts of their steps.
    """

    def __init__(self, scalars: HostScalars) -> None:
        self._scalars = scalars
        self._table = np.empty((0, len(scalars)))
        self._at = self._asked = 0
        self._seen: Any = None
        self._taken = 0
        self._alike: tuple[list[float], Numbers] | None = None

    def begin(self) -> None:
        """Look, before an epoch, whether anything is other than its steps so far have made it."""
        options, counts = self._state()
        if self._seen is None or options != self._seen[0] or counts != [n + self._taken for n in self._seen[1]]:
            self._table, self._at, self._asked = self._table[:0], 0, 0
        self._seen, self._taken = (options, counts), 0

    def next(self, steps: int, wanted: int) -> Numbers:
        """Return the scalars of the next steps, of fewer where a flag changes, and count them as taken.

        wanted: how many steps follow without a look at the optimisers in between.
        """
        if self._at >= len(self._table):
            self._asked = min(AT_ONCE, max(wanted, 2 * self._asked))
            self._table, self._at = self.table(self._asked).numbers, 0
        numbers = self._table[self._at : self._at + steps]
        self._scalars.advance(len(numbers))
        self._at += len(numbers)
        self._taken += len(numbers)
        return numbers

    def table(self, steps: int) -> Table:
        """Return the scalars of the next steps, of fewer where a flag changes on the way, without taking them."""
        cohorts = self._scalars.cohorts
        if not all(type(cohort.optimizer) is SGD for cohort in cohorts) or not all(
            cohort.counts()[0] for cohort in cohorts
        ):
            return tables.of(self._scalars, steps)
        row = self._scalars.row()  # after the first step all are alike
        if row is None:
            return Table(np.empty((0, len(self._scalars))))
        if self._alike is None or row != self._alike[0] or len(self._alike[1]) < steps:
            self._alike = row, np.tile(np.array(row, np.float64), (steps, 1))
        return Table(self._alike[1][:steps])

    def _state(self) -> tuple[list[Any], list[int]]:
        """Return the options of all groups, and the steps that their parameters have taken."""
        cohorts = self._scalars.cohorts
        options = [[v for k, v in cohort.group.items() if k != "params"] for cohort in cohorts]
        return options, [count for cohort in cohorts for count in cohort.counts()]
