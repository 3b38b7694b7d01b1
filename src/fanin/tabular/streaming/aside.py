"""Rows that are set aside while a file is learned from: some to judge by, some to compare with."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fanin.tabular.frames import polars

AT_ONCE = 1 << 20  # rows that are looked at together

Rows = NDArray[np.int64]


@dataclass
class Aside:
    """Rows of a file by number, from 1, which are kept as they come by first.

    judged:  rows that are not learned from.
    learned: rows that are learned from and kept, too.
    """

    judged: Rows
    learned: Rows
    _kept: dict[str, list[polars.DataFrame]] = field(default_factory=dict, init=False)
    _seen: int = field(default=0, init=False)

    @classmethod
    def drawn(cls, known: NDArray[np.bool_], judged: int, learned: int, seed: int) -> Aside:
        """Draw so many rows to judge by, and so many to learn from, from those that are known.

        >>> found = Aside.drawn(np.array([True, False, True, True]), 1, 2, 0)
        >>> sorted(found.judged.tolist() + found.learned.tolist())
        [1, 3, 4]
        """
        ranks = np.random.default_rng(seed).choice(int(np.count_nonzero(known)), judged + learned, replace=False)
        return cls(*(_rows_of(known, np.sort(some)) for some in (ranks[:judged], ranks[judged:])))

    def take(self, frame: polars.DataFrame, first_row: int) -> polars.Series:
        """Keep what is to be kept of the rows of a piece, once, and say which of them may be learned from."""
        may = np.ones(frame.height, bool)
        for name in ("judged", "learned"):
            rows = getattr(self, name)
            low, high = np.searchsorted(rows, (first_row, first_row + frame.height))
            here = rows[low:high] - first_row
            if name == "judged":
                may[here] = False
            if first_row > self._seen and len(here):
                self._kept.setdefault(name, []).append(frame[here])
        self._seen = max(self._seen, first_row + frame.height - 1)
        return polars.Series(may)

    def frame(self, name: str) -> polars.DataFrame | None:
        """Return the rows that were kept, "judged" or "learned"; None where there are none."""
        kept = self._kept.get(name)
        return polars.concat(kept) if kept else None


def _rows_of(known: NDArray[np.bool_], ranks: Rows) -> Rows:
    """Return the numbers, from 1, of the rows that have these ranks among the known ones."""
    found, before = [np.empty(0, np.int64)], 0
    for start in range(0, len(known), AT_ONCE):
        here = np.flatnonzero(known[start : start + AT_ONCE])
        low, high = np.searchsorted(ranks, (before, before + len(here)))
        found.append(here[ranks[low:high] - before] + start + 1)
        before += len(here)
    return np.concatenate(found)
