"""How many threads NumPy's matrix products use while networks are trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fanin._core.threads import get_num_threads, set_num_threads


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
