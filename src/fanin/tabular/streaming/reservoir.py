"""A sample of rows that come one after the other, nobody knows how many: each is as likely to be in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fanin.tabular.frames import polars
from fanin.tabular.streaming.feed import Stretch


class Reservoir:
    """Keeps those rows that drew the smallest numbers.

    Which rows these are depends on the seed and their places, not on how they are cut into stretches.

    J. Vitter, "Random sampling with a reservoir", 1985; by ranks of random numbers as in C. Fan, M. Muller, I. Rezucha,
    "Development of sampling plans by using sequential selection techniques", 1962.

    >>> kept = Reservoir(2, np.random.default_rng(0))
    >>> for first in (0, 5):
    ...     numbers = polars.Series("y", range(first, first + 5))
    ...     kept.add(Stretch(polars.DataFrame({"x": numbers}), numbers, None))
    >>> kept.rows().tolist(), kept.stretch().target.to_list(), kept.seen
    ([2, 3], [2, 3], 10)
    """

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size, self.seen = size, 0
        self._rng = rng
        self._kept: list[tuple[NDArray[np.float64], NDArray[np.int64], Stretch]] = []
        self._count, self._limit = 0, 1.0

    def add(self, stretch: Stretch) -> None:
        """Look at the next rows."""
        drawn = self._rng.random(len(stretch))
        chosen = np.flatnonzero(drawn < self._limit)
        if len(chosen):
            self._kept.append((drawn[chosen], self.seen + chosen, stretch[chosen]))
            self._count += len(chosen)
        self.seen += len(stretch)
        if self._count > self.size + max(self.size // 2, 1000):
            self._prune()

    def rows(self) -> NDArray[np.int64]:
        """Return the places of the kept rows, from 0."""
        self._prune()
        return self._kept[0][1]

    def stretch(self) -> Stretch:
        """Return the kept rows, in the order in which they came."""
        self._prune()
        return self._kept[0][2]

    def _prune(self) -> None:
        drawn, places = (np.concatenate([kept[i] for kept in self._kept]) for i in (0, 1))
        whole = joined([kept[2] for kept in self._kept])
        if len(drawn) > self.size:
            chosen = np.sort(np.argpartition(drawn, self.size - 1)[: self.size])
            drawn, places, whole = drawn[chosen], places[chosen], whole[chosen]
            self._limit = float(drawn.max())
        self._kept, self._count = [(drawn, places, whole)], len(drawn)


def joined(parts: list[Stretch]) -> Stretch:
    """Return stretches one below the other."""
    weights = None if parts[0].weights is None else np.concatenate([part.weights for part in parts])
    # In chunks, as they are: a copy of all would be the most memory that the first pass takes.
    frame = polars.concat([part.frame for part in parts], rechunk=False)
    return Stretch(frame, polars.concat([part.target for part in parts], rechunk=False), weights)
