"""Threads of one run on processors of their own.

Threads that wait for each other at barriers look busy all the time and have never been away from their processor for
long. Linux moves such threads late or not at all: two that were woken on the same processor may stay there for
seconds, each waiting half of the time, while the next processor has nothing to do.
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


def take_own(taken: list[int]) -> None:
    """Go to a processor that is not among those taken, if this thread's is and another is allowed; add it to them.

    Where the thread may run is what it was before; it only changes places.
    """
    here = processor()
    if here >= 0 and here in taken:
        allowed = os.sched_getaffinity(0)
        free = allowed.difference(taken)
        if free:
            try:
                os.sched_setaffinity(0, free)
                os.sched_setaffinity(0, allowed)
            except OSError:  # somebody has changed what is allowed
                return
            here = processor()
    taken.append(here)
