"""How many processors this process has, and how many threads its matrix products use: NumPy's BLAS is asked.

NumPy has no call for it. Its wheels bundle OpenBLAS, whose own functions are looked up by name in the library that is
loaded; another BLAS that exports none of these names keeps its number.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from fanin._core.errors import ArgumentTypeError, OperationError

# (setter, getter), as NumPy's wheels, Linux distributions and conda name them.
_NAMES = (
    ("scipy_openblas_set_num_threads64_", "scipy_openblas_get_num_threads64_"),
    ("scipy_openblas_set_num_threads", "scipy_openblas_get_num_threads"),
    ("openblas_set_num_threads64_", "openblas_get_num_threads64_"),
    ("openblas_set_num_threads", "openblas_get_num_threads"),
    ("MKL_Set_Num_Threads", "MKL_Get_Max_Threads"),
)


@cache
def _blas() -> tuple[Callable[[int], object], Callable[[], int]] | None:
    import ctypes

    package = Path(np.__file__).parent
    files = [*package.parent.glob("numpy.libs/*blas*"), *package.glob(".dylibs/*blas*")]
    for library in [*map(str, files), None]:
        try:
            loaded = ctypes.CDLL(library)
        except (OSError, TypeError):
            continue
        for setter, getter in _NAMES:
            if hasattr(loaded, setter) and hasattr(loaded, getter):
                return getattr(loaded, setter), getattr(loaded, getter)
    return None


def cores() -> int:
    """Return how many processors this process may use: fewer than there are in a container, or under taskset."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_num_threads(n: int) -> None:
    """Let matrix products use n threads.

    Raises RuntimeError for a number below 1, TypeError for what is no int.
    """
    if not isinstance(n, int) or isinstance(n, bool):
        raise ArgumentTypeError(f"set_num_threads expects an int, but got {type(n).__name__}")
    if n < 1:
        raise OperationError("set_num_threads expects a positive integer")
    blas = _blas()
    if blas is not None:
        blas[0](n)


def get_num_threads() -> int:
    """Return how many threads matrix products use."""
    blas = _blas()
    return blas[1]() if blas is not None else cores()
