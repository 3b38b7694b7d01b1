"""A line on the terminal that says how far training is: on the standard error, and only where somebody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

QUIET = 1.0  # seconds before anything is shown: a short run has nothing to tell
PAUSE = 0.1  # seconds between two updates: a step may take microseconds, drawing takes more


class Progress:
    """Shows the share that is done, a text, and the time left.

    describe: returns the text; called only when it is shown.
    """

    def __init__(self, wanted: bool, describe: Callable[[], str], stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._describe = describe
        self._started = time.monotonic()
        self._next = self._started + QUIET if wanted and _is_terminal(self._stream) else float("inf")
        self._line: Any = None

    def update(self, done: float, total: float) -> None:
        """Say how much of the total is done; most calls only look at the clock."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + PAUSE
        if self._line is None:
            self._line = _line(self._stream)
        share = min(1.0, done / total) if total else 0.0
        left = (now - self._started) * (1 - share) / share if share else None
        self._line.show(share, self._describe(), left)

    def close(self) -> None:
        """Take the line away."""
        if self._line is not None:
            self._line.close()
            self._line = None


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def _line(stream: TextIO) -> Any:
    try:
        import rich.progress
    except ImportError:
        return PlainLine(stream)
    return RichLine(stream, rich.progress)


class RichLine:
    """A bar drawn by rich."""

    def __init__(self, stream: TextIO, rich: Any) -> None:
        from rich.console import Console

        columns = (rich.BarColumn(bar_width=24), rich.TaskProgressColumn(), rich.TextColumn("{task.description}"))
        # No thread of its own: training draws when it has time, and a fork or Ctrl-C finds nothing running.
        self._bar = rich.Progress(*columns, console=Console(file=stream), transient=True, auto_refresh=False)
        self._task = self._bar.add_task("", total=1.0)
        self._bar.start()

    def show(self, share: float, text: str, left: float | None) -> None:
        """Draw the bar anew."""
        self._bar.update(self._task, completed=share, description=_with_time(text, left), refresh=True)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()


class PlainLine:
    """A line that writes over itself."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._width = stream, 0

    def show(self, share: float, text: str, left: float | None) -> None:
        """Write the line anew."""
        line = f"{share:4.0%}  {_with_time(text, left)}"
        self._stream.write("\r" + line.ljust(self._width))
        self._stream.flush()
        self._width = len(line)

    def close(self) -> None:
        """Wipe the line."""
        self._stream.write("\r" + " " * self._width + "\r")
        self._stream.flush()


def _with_time(text: str, left: float | None) -> str:
    return text if left is None else f"{text}  {clock(left)} left"


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds, with hours where there are any.

    >>> clock(75), clock(3725)
    ('1:15', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
