"""What a training run leaves behind: its losses, metrics, rates and times, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SHOWN = 12  # rows of the table that a history prints


@dataclass(repr=False)
class History:
    """The epochs of a training run; epochs are counted from 1.

    losses:            mean training loss of each epoch: of its steps, each weighted by its rows, as training went on.
    validation_losses: loss of all validation rows after each epoch; empty without validation.
    metrics:           for each metric its value after each epoch.
    rates:             learning rate of the first parameter group at the start of each epoch.
    seconds:           how long each epoch took, with its validation; short epochs are taken many at once, and share
                       their time evenly.
    stopped:           why training ended: "finished", "patience", "interrupted", "diverged", or what a callback said.
    engine:            what carried out the steps.

    >>> from fanin import History
    >>> history = History([0.9, 0.5, 0.4], [1.0, 0.7, 0.8])
    >>> history.best_epoch, history.best_loss, len(history)
    (2, 0.7, 3)
    >>> history
    History: 3 epochs, best epoch 2 with validation loss 0.7
      epoch        loss  validation
          1         0.9           1
          2         0.5         0.7  best
          3         0.4         0.8
    """

    losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stopped: str = ""
    engine: str = ""

    def __len__(self) -> int:
        """Return the number of finished epochs."""
        return len(self.losses)

    @property
    def judged(self) -> list[float]:
        """The losses by which epochs are compared: those of validation, without it those of training."""
        return self.validation_losses or self.losses

    @property
    def best_epoch(self) -> int:
        """The number of the epoch with the lowest validation loss (training loss without validation); 0 for none."""
        judged = self.judged
        return 1 + min(range(len(judged)), key=judged.__getitem__) if judged else 0

    @property
    def best_loss(self) -> float:
        """The loss of the best epoch; NaN when there is none."""
        return self.judged[self.best_epoch - 1] if self.judged else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return everything as lists, numbers and text, ready for JSON or a data frame's columns.

        >>> from fanin import History
        >>> History([0.5]).to_dict()["losses"]
        [0.5]
        """
        return {
            "losses": list(self.losses),
            "validation_losses": list(self.validation_losses),
            "metrics": {name: list(values) for name, values in self.metrics.items()},
            "rates": list(self.rates),
            "seconds": list(self.seconds),
            "best_epoch": self.best_epoch,
            "stopped": self.stopped,
            "engine": self.engine,
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> History:
        """Return the history that `to_dict` described."""
        given = {name: saved[name] for name in cls.__dataclass_fields__ if name in saved}
        lists = {name: list(value) for name, value in given.items() if isinstance(value, list)}
        metrics = {name: list(values) for name, values in given.get("metrics", {}).items()}
        return cls(**{**given, **lists, "metrics": metrics})

    def summary(self, rows: int | None = None) -> str:
        """Return a table of the epochs, all of them unless a number of rows is given.

        Of a long history the first and the last epochs, and those around the best one, are shown.
        """
        columns = self._columns()
        shown = _chosen(len(self), self.best_epoch, len(self) if rows is None else rows)
        lines = ["  " + "  ".join([f"{'epoch':>5}", *(f"{name:>{_width(name)}}" for name in columns)])]
        previous = 0
        for epoch in shown:
            lines += ["    ..."] if epoch > previous + 1 else []
            previous = epoch
            values = (f"{_number(name, column, epoch - 1):>{_width(name)}}" for name, column in columns.items())
            lines.append("  " + "  ".join([f"{epoch:>5}", *values]) + ("  best" if epoch == self.best_epoch else ""))
        return "\n".join(lines)

    def _columns(self) -> dict[str, list[float]]:
        columns = {"loss": self.losses, "validation": self.validation_losses, **self.metrics}
        columns |= {"rate": self.rates, "seconds": self.seconds}
        return {name: values for name, values in columns.items() if values}

    def __repr__(self) -> str:
        if not self.losses:
            return f"History: no epochs{self._reason()}"
        kind = "validation loss" if self.validation_losses else "loss"
        epochs = f"{len(self)} epoch" + "s" * (len(self) != 1)
        head = f"History: {epochs}, best epoch {self.best_epoch} with {kind} {self.best_loss:.6g}{self._reason()}"
        return f"{head}\n{self.summary(SHOWN)}"

    def _reason(self) -> str:
        return f"; {self.stopped}" if self.stopped not in ("", "finished") else ""


def _width(name: str) -> int:
    return max(10, len(name))


def _number(name: str, column: list[float], row: int) -> str:
    digits = 2 if name == "seconds" else 6
    return f"{column[row]:.{digits}g}" if row < len(column) else ""


def _chosen(epochs: int, best: int, rows: int) -> Iterable[int]:
    if epochs <= rows:
        return range(1, epochs + 1)
    third = max(1, rows // 3)
    around = range(best - third // 2, best + third - third // 2)
    chosen = {*range(1, third + 1), *around, *range(epochs - third + 1, epochs + 1)}
    return sorted(epoch for epoch in chosen if 1 <= epoch <= epochs)
