"""What a user can hang into `fit`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fanin._core.errors import ArgumentTypeError
from fanin.training.history import History

EVENTS = ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end")


@dataclass
class Training:
    """A run of `fit` as a callback sees it, and may change it: the model's weights, the optimiser's groups.

    epoch:   the number of the present epoch, from 1; 0 before the first.
    epochs:  how many there will be.
    history: the finished epochs.
    """

    model: Any
    loss: Any
    optimizer: Any
    scheduler: Any
    epochs: int
    history: History = field(default_factory=History)
    epoch: int = 0
    reason: str = ""

    def stop(self, reason: str = "callback") -> None:
        """End training after this epoch; `history.stopped` will say why."""
        self.reason = self.reason or reason


class Callback:
    """Base of callbacks: a subclass defines what it needs of these methods. Each is given the `Training`.

    `on_epoch_end` may return True to end training, as `training.stop("why")` does. A plain function given to `fit` is
    called at the end of each epoch.

    >>> import fanin
    >>> class Goal(fanin.training.Callback):
    ...     def on_epoch_end(self, training):
    ...         return training.history.losses[-1] < 0.5
    """

    def on_train_begin(self, training: Training) -> Any:
        """Run before the first epoch."""

    def on_epoch_begin(self, training: Training) -> Any:
        """Run before an epoch."""

    def on_epoch_end(self, training: Training) -> Any:
        """Run after an epoch and its validation, and before a checkpoint is written."""

    def on_train_end(self, training: Training) -> Any:
        """Run after the last epoch, when the best weights are back in the model."""


class Callbacks:
    """Calls all that were given, in their order."""

    def __init__(self, given: Any) -> None:
        listed = [given] if callable(given) or _has_event(given) else list(given)
        for callback in listed:
            if not callable(callback) and not _has_event(callback):
                raise ArgumentTypeError(
                    f"fit: {callback!r} is no callback: it is neither a function nor has it one of the methods "
                    f"{', '.join(EVENTS)}"
                )
        self._listed = listed

    def __bool__(self) -> bool:
        return bool(self._listed)

    def call(self, event: str, training: Training) -> None:
        """Call one method of all; True from the end of an epoch ends training."""
        for callback in self._listed:
            method = getattr(callback, event, None)
            if method is None and event == "on_epoch_end" and not _has_event(callback):
                method = callback
            answer = method(training) if method is not None else None
            if event == "on_epoch_end" and answer is True:
                training.stop()


def _has_event(callback: Any) -> bool:
    return any(hasattr(callback, event) for event in EVENTS)
