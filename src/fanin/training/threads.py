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


@contextmanager
def product_threads(count: int | None) -> Iterator[None]:
    """Let matrix products use so many threads inside; None leaves their number as it is."""
    if count is None:
        yield
        return
    before = get_num_threads()
    if before == count:
        yield
        return
    set_num_threads(count)
    try:
        yield
    finally:
        set_num_threads(before)
