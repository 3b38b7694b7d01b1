"""A barrier for threads that run one native function: it spins, and gives the core away when that takes long.

Sense-reversing and central: whoever arrives last sets the count back and turns to the next generation, which the others
wait for. 0.1 us a barrier for two threads on two cores.

Reference: J. M. Mellor-Crummey and M. L. Scott, "Algorithms for scalable synchronization on shared-memory
multiprocessors", 1991, section 3.1.
"""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache

import numpy as np
import numpy.typing as npt

# A barrier's memory: how many have arrived, the generation, and the address of the function that gives the core away.
# 128 bytes apart, for that is how far apart cores do not disturb each other: a line on Apple's, two lines on Intel's.
ARRIVED, GENERATION, YIELD = 0, 128, 256
BYTES = 384


def new_barrier() -> npt.NDArray[np.uint8]:
    """Return the memory of a barrier, of shape (BYTES,); it needs no other preparation, and is used again and again."""
    memory = np.zeros(BYTES + 128, np.uint8)
    start = -memory.ctypes.data % 128
    memory = memory[start : start + BYTES]
    prepare(memory)
    return memory


def prepare(memory: npt.NDArray[np.uint8]) -> None:
    """Make a barrier of BYTES bytes of memory, which should start at a multiple of 128."""
    memory[:] = 0
    memory[YIELD : YIELD + 8].view(np.uint64)[0] = _yield_address()


@lru_cache(maxsize=1)
def _yield_address() -> int:
    """Return the address of the system's function that lets other threads run; 0 where there is none."""
    try:
        if sys.platform == "win32":
            give_way = ctypes.WinDLL("kernel32").SwitchToThread
        else:
            give_way = ctypes.CDLL(None).sched_yield
    except (OSError, AttributeError):
        return 0
    return ctypes.cast(give_way, ctypes.c_void_p).value or 0
