"""How many threads NumPy's matrix products use while a table is learned: one, unless asked for more.

A product of 256 rows and 128 columns is too short to be shared. On two idle cores a second thread made training on
diamonds 1.4 times slower, and on two cores that others used as well 5 to 7 times: every product waits until both
threads have had their turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fanin._core.errors import ArgumentError
from fanin._core.threads import get_num_threads, set_num_threads


@contextmanager
def blas_threads(count: int) -> Iterator[None]:
    """Limit the threads of matrix products inside, and restore their number."""
    if count < 1:
        raise ArgumentError(f"the number of threads must be 1 or more, not {count}")
    before = get_num_threads()
    set_num_threads(count)
    try:
        yield
    finally:
        set_num_threads(before)
