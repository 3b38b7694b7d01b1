"""A progress bar on the standard error, when that is a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from fanin.tabular.training import Epoch

PAUSE = 0.1  # seconds between two updates: a step may take less than a millisecond, drawing takes more


class Bar:
    """Epoch, loss, learning rate and time left while training; says nothing when nobody watches."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._next = 0.0
        self._epochs = ""

    def __enter__(self) -> Bar:
        """Show the bar, where there is a terminal and rich to draw it with."""
        if sys.stderr.isatty():
            self._bar = _rich_bar()
        if self._bar is not None:
            self._task = self._bar.add_task("training", total=None, text="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away: the report says what it said."""
        if self._bar is not None:
            self._bar.stop()

    def step(self, done: int, total: int, epoch: int, loss: float, rate: float) -> None:
        """Move on, a few times a second."""
        now = time.monotonic()
        if self._bar is None or now < self._next:
            return
        self._next = now + PAUSE
        text = f"epoch {epoch}  loss {loss:.4f}  rate {rate:.1e}{self._epochs}"
        self._bar.update(self._task, completed=done, total=total, text=text)

    def epoch(self, epoch: Epoch, best: Epoch) -> None:
        """Remember the best epoch, to be shown beside the next steps."""
        self._epochs = f"  best {best.validation_loss:.4f} (epoch {best.number})"


def _rich_bar() -> Any:
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
    except ImportError:
        return None
    columns = (BarColumn(bar_width=24), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.fields[text]}"))
    return Progress(*columns, console=Console(stderr=True), transient=True)
