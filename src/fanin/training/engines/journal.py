"""The way back to any step since the state was copied last, for code that changes the state before it knows the loss.

A step whose loss is not finite has to be looked at with the weights that it had, and native code takes many steps at
once. Most of it stops before such a step changes anything, and needs no way back. Where it cannot, as with the running
statistics of batch normalisation, to copy the state before each call would cost more than it brings: so the copy is
made seldom, and the calls since then are written down, to be done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

OFTEN = 1.0  # seconds between copies within an epoch, and so the work that may have to be done again


class Journal:
    """One epoch's calls since the last copy of the state.

    A call is a program, the row numbers of its steps, and their scalars.
    """

    def __init__(self) -> None:
        self._calls: list[tuple[Any, Any, Any]] = []
        self._copied = 0.0
        self._key: Any = None  # that of the random masks at the copy

    def begin(self) -> None:
        """Forget everything: the state may be another one now."""
        self._calls = []

    def before(self, program: Any, rows: Any, numbers: Any, key: Any) -> None:
        """Take note of a call that is about to be made; `key` is that of the random masks, as it stands."""
        now = time.perf_counter()
        if not self._calls or now - self._copied >= OFTEN or not self._is_covered(program):
            program.remember(program.arrays(key))
            self._calls, self._copied, self._key = [], now, key.copy()
        self._calls.append((program, rows, numbers))

    def _is_covered(self, program: Any) -> bool:
        first = self._calls[0][0]
        return program is first or bool(first.covers(program))

    def go_to(self, step: int, key: Any, run: Callable[..., Any]) -> None:
        """Leave the state as it was before a step of the last call; `run` of such a call takes steps."""
        *earlier, (program, rows, numbers) = self._calls
        key[:] = self._key
        first = self._calls[0][0]
        first.go_back(first.arrays(key))
        for call in (*earlier, (program, rows, numbers[:step])):
            if len(call[2]):
                run(*call)
                key[1] += len(call[2])
