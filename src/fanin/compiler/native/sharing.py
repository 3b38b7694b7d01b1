"""Which thread does a piece of work on whole values, and where the threads have to wait for each other.

A group in one part belongs to one thread. What follows from it alone is done by the same thread, which then waits for
nobody; what is independent goes to whichever thread has least to do. Who does what changes no result.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

# What a group touches: the places that it reads, and those that it writes.
Touched = tuple[Set[Any], Set[Any]]


class Sharing:
    """Shares out the groups of a level, in their order, among a number of owners.

    >>> sharing = Sharing(2)
    >>> sharing.take([(set(), {"a"})], 5.0), sharing.take([(set(), {"b"})], 1.0)
    ((0, False), (1, False))
    >>> sharing.take([({"b"}, {"c"})], 1.0), sharing.take([({"a", "c"}, {"d"})], 1.0)
    ((1, False), (0, True))
    """

    def __init__(self, owners: int) -> None:
        self._loads = [0.0] * owners
        self._since: list[tuple[Touched, int | None]] = []

    def meet(self) -> None:
        """Take note that all threads wait for each other here."""
        self._since = []
        self._loads = [0.0] * len(self._loads)

    def take(self, touched: Sequence[Touched], work: float, owner: int | None = None) -> tuple[int, bool]:
        """Return who does a group in one part, and whether all threads have to wait for each other before it.

        owner: who has to do it, where there is no choice.
        """
        owners = {other for earlier, other in self._since if any(meets(mine, earlier) for mine in touched)}
        followed = next(iter(owners)) if len(owners) == 1 else None
        waits = bool(owners) and (followed is None or owner not in (None, followed))
        if waits:
            self.meet()
        elif owner is None:
            owner = followed
        if owner is None:
            owner = self._loads.index(min(self._loads))
        self._loads[owner] += work
        self._since += [(places, owner) for places in touched]
        return owner, waits

    def share(self, touched: Sequence[Touched]) -> bool:
        """Return whether all threads have to wait for each other before a group of which each does a part."""
        waits = any(meets(mine, earlier) for earlier, _ in self._since for mine in touched)
        if waits:
            self.meet()
        self._since += [(places, None) for places in touched]
        return waits


def meets(mine: Touched, theirs: Touched) -> bool:
    """Say whether a group reads, or overwrites, what an earlier one wrote or read."""
    return bool(mine[1] & (theirs[0] | theirs[1]) or theirs[1] & mine[0])
