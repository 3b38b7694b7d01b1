"""How many threads training may use, and NumPy's matrix products while it goes on."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fanin._core.threads import get_num_threads, set_num_threads


def threads_to_use() -> int | None:
    """Return at most how many threads an estimator may use beside others; None for the engine's own choice.

    joblib's processes are told by OMP_NUM_THREADS and its relatives how many are theirs; beside other threads of a
    program (joblib's threads are such) a fit keeps to one. Results do not depend on the number.
    """
    if threading.current_thread() is not threading.main_thread():
        return 1
    for name in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        told = os.environ.get(name, "")
        if told.isdigit() and int(told) > 0:
            return int(told)
    return None


class _Counts:
    """The numbers of threads that runs side by side have asked for: the least of them holds until the last one ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: list[int] = []
        self._outside = 1

    def add(self, count: int) -> None:
        with self._lock:
            if not self._asked:
                self._outside = get_num_threads()
            self._asked.append(count)
            set_num_threads(min(self._asked))

    def remove(self, count: int) -> None:
        with self._lock:
            self._asked.remove(count)
            set_num_threads(min(self._asked, default=self._outside))


_COUNTS = _Counts()


@contextmanager
def product_threads(count: int | None) -> Iterator[None]:
    """Let matrix products use so many threads inside; None leaves their number as it is."""
    if count is None:
        yield
        return
    _COUNTS.add(count)
    try:
        yield
    finally:
        _COUNTS.remove(count)
