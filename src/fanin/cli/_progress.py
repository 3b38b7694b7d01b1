"""A line on the standard error that says how far a command is, when that is a terminal."""

from __future__ import annotations

import shutil
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
        self._is_watched = False
        self._line: Any = None
        self._width = 0  # of the words that stand on the terminal
        self._began = time.monotonic()
        self._end = None if limit is None else self._began + limit
        self._next = 0.0
        self._what = ""

    def __enter__(self) -> Bar:
        """Look whether there is a terminal."""
        self._is_watched = sys.stderr.isatty()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the line away: the report says what it said."""
        if self._line is not None:
            self._line.close()
        self._wipe()

    def say(self, text: str) -> None:
        """Show what is going on, where nobody can say how much of it is done."""
        if not self._is_watched:
            return
        self._wipe()
        shown = text[: shutil.get_terminal_size().columns - 1]
        sys.stderr.write(shown)
        sys.stderr.flush()
        self._width = len(shown)

    def __call__(self, moment: Moment) -> None:
        """Show where a training is."""
        if self._is_due():
            self._show(moment.share, self._text(moment))

    def part(self, what: str, share: float) -> None:
        """Show which part of a job goes on, and how much of it is done."""
        if what != self._what:
            self._what, self._began = what, time.monotonic()
        if self._is_due():
            self._show(share, what)

    def rows(self, done: int, total: int | None) -> None:
        """Show how many rows are done, of how many where that is known."""
        if self._is_due() and total:
            self._show(done / total, f"{done:,} rows")
        elif not total:
            self.say(f"{done:,} rows")

    def _is_due(self) -> bool:
        """Say whether it is time to draw anew: a few times a second."""
        now = time.monotonic()
        if not self._is_watched or now < self._next:
            return False
        self._next = now + PAUSE
        return True

    def _show(self, share: float, text: str) -> None:
        self._wipe()
        self._line = self._line or _line()
        self._line.show(share, text, self._left(share))

    def _left(self, share: float) -> float | None:
        now = time.monotonic()
        left = (now - self._began) * (1 - share) / share if share else None
        if self._end is None:
            return left
        rest = max(0.0, self._end - now)
        return rest if left is None else min(left, rest)

    def _text(self, moment: Moment) -> str:
        which = f"network {moment.number} of {moment.networks} ({moment.network})"
        best = moment.best if moment.r2 is None else moment.r2
        return f"{which}  epoch {moment.epoch} of {moment.epochs}  best {self._measure} {best:.4f}"

    def _wipe(self) -> None:
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0


def _line() -> Any:
    try:
        import rich.progress
    except ImportError:
        return PlainLine(sys.stderr)
    return RichLine(sys.stderr, rich.progress)
