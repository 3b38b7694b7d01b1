"""Threads of one run on processors of their own, for as long as it takes.

Threads that wait for each other at barriers look busy all the time and are never away for long, so that Linux moves
them late or not at all: two that were woken on the same processor stay there for seconds, each waiting half of the time
while the next processor has nothing to do. 256 rows of 50-128-128-128-2 took 1,000 us then, with one thread 945, and
445 to 530 with two processors.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache


@cache
def _asked() -> Callable[[], int] | None:
    """Return the function of the C library that tells on which processor the thread runs; None where there is none."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        found: Callable[[], int] = ctypes.CDLL(None).sched_getcpu
    except (AttributeError, OSError):
        return None
    return found


def processor() -> int:
    """Return the number of the processor that this thread runs on; -1 where the system does not tell."""
    ask = _asked()
    return -1 if ask is None else ask()


def allowed() -> set[int]:
    """Return where this thread may run; nothing where the system does not tell."""
    return set() if _asked() is None else os.sched_getaffinity(0)


def stay(where: set[int]) -> int:
    """Keep this thread on the processor where it is, one of `where`, until `leave`; return its number."""
    here = processor()
    return here if here in where and _go({here}) else -1


def leave(where: set[int]) -> None:
    """Let this thread run where it might before."""
    if where:
        _go(where)


class Apart:
    """Keeps a thread away from the processors that others of its run have taken.

    From one run to the next it stays away: when it is woken, it is in its place. Moving costs some 50 us.
    """

    def __init__(self) -> None:
        self._free: set[int] = set()

    def take(self, taken: list[int], where: set[int]) -> None:
        """Go to one of the processors `where` this thread may run that is not among those taken; add it to them."""
        free = where.difference(taken)
        if free and free != self._free and _go(free):
            self._free = free
        taken.append(processor())


def _go(where: set[int]) -> bool:
    """Let the thread run on these processors only, and say whether it may."""
    try:
        os.sched_setaffinity(0, where)
    except OSError:  # somebody has changed what the process may use
        return False
    return True
