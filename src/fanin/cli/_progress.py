"""A line on the standard error that says how far a command is, when that is a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from fanin.tabular.fitting.watching import Moment
from fanin.training.progress import PlainLine, RichLine

PAUSE = 0.1  # seconds between two updates: an epoch may take less than a millisecond, drawing takes more


class Bar:
    """The share that is done, a few words, and the time left; says nothing when nobody watches.

    measure: the name of the score that training compares epochs by: "log-loss", or "R2".
    limit:   seconds that training may take.
    """

    def __init__(self, measure: str = "", limit: float | None = None) -> None:
        self._measure = measure
        self._line: Any = None
        self._started = time.monotonic()
        self._end = None if limit is None else self._started + limit
        self._next = 0.0
        self._what, self._began = "", self._started

    def __enter__(self) -> Bar:
        """Begin the line, where there is a terminal."""
        if sys.stderr.isatty():
            self._line = _line()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the line away: the report says what it said."""
        if self._line is not None:
            self._line.close()

    def say(self, text: str) -> None:
        """Show what is going on."""
        if self._line is not None:
            self._line.show(0.0, text, None)

    def __call__(self, moment: Moment) -> None:
        """Show where a training is, a few times a second."""
        now = time.monotonic()
        if self._line is None or now < self._next:
            return
        self._next = now + PAUSE
        self._line.show(moment.share, self._text(moment), self._left(moment.share, now))

    def part(self, what: str, share: float) -> None:
        """Show which part of a job goes on, and how much of it is done."""
        now = time.monotonic()
        if self._line is None or now < self._next:
            return
        if what != self._what:
            self._what, self._began = what, now
        self._next = now + PAUSE
        left = (now - self._began) * (1 - share) / share if share else None
        self._line.show(share, what, left)

    def rows(self, done: int, total: int | None) -> None:
        """Show how many rows are done, of how many where that is known."""
        now = time.monotonic()
        if self._line is None or now < self._next:
            return
        self._next = now + PAUSE
        share = done / total if total else 0.0
        self._line.show(share, f"{done:,} rows", self._left(share, now) if total else None)

    def _left(self, share: float, now: float) -> float | None:
        left = (now - self._started) * (1 - share) / share if share else None
        if self._end is None:
            return left
        rest = max(0.0, self._end - now)
        return rest if left is None else min(left, rest)

    def _text(self, moment: Moment) -> str:
        which = f"network {moment.number} of {moment.networks} ({moment.network})"
        # Numbers are scaled to variance 1, so that their squared error is what an R2 lacks.
        best = 1 - moment.best if self._measure == "R2" else moment.best
        return f"{which}  epoch {moment.epoch} of {moment.epochs}  best {self._measure} {best:.4f}"


def _line() -> Any:
    try:
        import rich.progress
    except ImportError:
        return PlainLine(sys.stderr)
    return RichLine(sys.stderr, rich.progress)
