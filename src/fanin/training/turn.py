"""Taking turns: what lets several runs share one Python, each with a random stream of its own.

Python's part of a run (drawing an order, computing rates, validation, callbacks) goes on in one thread at a time, and
while it does, the default generator stands where that run's stream stands: so each run draws the numbers that it would
draw alone, however the threads come and go. What needs no Python, a compiled epoch, runs beside the others.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fanin.random.generator import Generator, default_generator

_FIELDS = ("_bits", "_raw", "_seed", "cached_normal")


class Turn:
    """One run's right to Python; `lock` is common to all runs."""

    def __init__(self, lock: threading.Lock, seed: int = 0) -> None:
        self._lock = lock
        self._stream: Any = Generator().manual_seed(seed)

    def next(self, seed: int) -> Turn:
        """Let another run have it, when one has ended, with a stream of another seed."""
        self._stream.manual_seed(seed)
        return self

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn, and hold it inside."""
        self._take()
        try:
            yield
        finally:
            self._give()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let others have the turn inside."""
        self._give()
        try:
            yield
        finally:
            self._take()

    def _take(self) -> None:
        self._lock.acquire()
        self._swap()

    def _give(self) -> None:
        self._swap()
        self._lock.release()

    def _swap(self) -> None:
        """Exchange the default generator's place in its stream with the one kept here."""
        here, there = self._stream.__dict__, default_generator.__dict__
        for name in _FIELDS:
            here[name], there[name] = there[name], here[name]
