"""A random stream of one's own inside a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import fanin
from fanin._core.turns import FITTING


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from `seed` inside, and leave the default generator as it was: a caller's own draws go on undisturbed.

    One thread at a time: fits in others wait, as all draw from the one default generator.
    """
    with FITTING:
        before = fanin.get_rng_state()
        fanin.manual_seed(seed)
        try:
            yield
        finally:
            fanin.set_rng_state(before)
