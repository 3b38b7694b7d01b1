"""How many threads a fit may use, so that many fits beside each other do not fight for the cores."""

from __future__ import annotations

import os
import threading


def threads_to_use() -> int | None:
    """Return at most how many threads a fit may use; None for the engine's own choice.

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
