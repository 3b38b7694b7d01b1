"""How much memory a training from a file may use, and how it is shared out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fanin._core.errors import ArgumentError

GROUND = 1 << 30  # bytes that a process may hold where nobody says otherwise
USUAL = 256 << 20  # bytes that a process holds that has loaded what it needs
LIBRARIES = 64 << 20  # bytes of libraries that are loaded on the way, and of compiled code
LEAST = 192 << 20  # bytes without which there is nothing to share out
WHOLE = 8  # how many times its size a frame needs, read and trained from as a whole
UNITS = {"": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}


@dataclass(frozen=True)
class Budget:
    """Bytes for the parts of a training.

    whole:  a frame of no more than this is read and trained from as a whole.
    piece:  a piece of the file as a frame.
    sample: the rows from which scales and levels are learned, as a frame.
    block:  encoded rows in memory at a time.
    """

    whole: int
    piece: int
    sample: int
    block: int


def budget_of(memory: int | str | None) -> Budget:
    """Share out what a process may hold in all.

    Args:
        memory: bytes, or a text such as "2 GB"; None for 1 GB, or 0.5 GB beside what the process holds already.

    Raises ValueError where less than 192 MB are left of it.
    """
    held = resident()
    asked = max(GROUND, held + GROUND // 2) if memory is None else bytes_of(memory)
    left = asked - held - LIBRARIES
    if left < LEAST - LIBRARIES:
        raise ArgumentError(
            f"memory={memory!r} leaves too little: this process holds {held >> 20} MB already, and needs "
            f"{LEAST >> 20} MB beside them"
        )
    # By what was asked for, and not by what happens to be left, so that equal seeds give equal models.
    share = max((GROUND if memory is None else asked) - USUAL, LEAST - LIBRARIES)
    while share > 2 * left:
        share //= 2
    # Blocks of at most 64 MB are large enough to be random, and a deadline falls between two of them.
    return Budget(share // WHOLE, min(share // 32, 16 << 20), min(share // 12, 64 << 20), min(share // 4, 64 << 20))


def bytes_of(memory: int | str) -> int:
    """Read an amount of memory.

    >>> bytes_of("1.5 GB"), bytes_of(4096)
    (1610612736, 4096)
    """
    if isinstance(memory, str):
        found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([kKmMgG][bB])?\s*", memory)
        if found:
            return int(float(found[1]) * UNITS[(found[2] or "").lower()])
    elif not isinstance(memory, bool) and memory > 0:
        return int(memory)
    raise ArgumentError(f'memory must be bytes above 0 or a text such as "1 GB", not {memory!r}')


def resident() -> int:
    """Return how many bytes of memory this process holds."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))
    except (OSError, StopIteration):
        return 256 << 20  # elsewhere: about what the libraries take
