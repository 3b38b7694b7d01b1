"""Ctrl-C while training: the first ends it after the current epoch, the second at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupt:
    """Notes the first Ctrl-C inside its block in `wanted`; the second does what it would have done before.

    Only the main thread gets signals, and only its handler can be changed; elsewhere the block changes nothing. A
    program that ignores the signal (as under nohup) goes on ignoring it.
    """

    def __init__(self) -> None:
        self.wanted = False
        self._before: Any = None
        self._held = 0
        self._late: tuple[int, FrameType | None] | None = None  # the second Ctrl-C, which waits

    def shared(self) -> Interrupt:
        """Return one for a run in another thread, which sees what this one notes."""
        return _Shared(self)

    def __enter__(self) -> Interrupt:
        """Take over the signal."""
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):
                self._before = before
                signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signal back."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    @contextmanager
    def later(self) -> Iterator[None]:
        """Let a second Ctrl-C wait until the end of the block: weights and what is told of them stay together."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if self._late is not None and not self._held:
                late, self._late = self._late, None
                self._note(*late)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.wanted and self._held:
            self._late = number, frame
            return
        if self.wanted and self._before is not None:
            before = self._before
            self.__exit__()
            before(number, frame)
            return
        self.wanted = True
        if sys.stderr.isatty():
            sys.stderr.write("\nstopping after this epoch; Ctrl-C again stops at once\n")


class _Shared(Interrupt):
    def __init__(self, owner: Interrupt) -> None:
        self._owner, self._before = owner, None
        self._held, self._late = 0, None

    @property
    def wanted(self) -> bool:  # type: ignore[override]
        return self._owner.wanted
