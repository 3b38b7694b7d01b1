"""When a learning-rate scheduler takes its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.optim.lr_scheduler import CyclicLR, OneCycleLR, ReduceLROnPlateau


@dataclass(frozen=True)
class Schedule:
    """A scheduler, and whether it steps with every batch; without, once an epoch."""

    scheduler: Any = None
    each_batch: bool = False

    @property
    def per_step(self) -> Any:
        """The scheduler that steps with every batch, or None."""
        return self.scheduler if self.each_batch else None

    def end_epoch(self, judged: float) -> None:
        """Take the step of an epoch; ReduceLROnPlateau is given the loss by which epochs are compared."""
        if self.scheduler is None or self.each_batch:
            return
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(judged)
        else:
            self.scheduler.step()


def schedule_of(given: Any, optimizer: Any, epochs: int, steps: int | None) -> Schedule:
    """Return the schedule of what `fit` was given: None, a scheduler, or ("batch" or "epoch", scheduler).

    OneCycleLR and CyclicLR, which are made in numbers of batches, step with every batch unless told otherwise.
    """
    if given is None:
        return Schedule()
    each_batch = isinstance(given, (OneCycleLR, CyclicLR))
    if isinstance(given, (tuple, list)):
        each_batch, given = _told(given)
    if not hasattr(given, "step"):
        raise ArgumentTypeError(f"fit: scheduler has no step(): {given!r}")
    if getattr(given, "optimizer", optimizer) is not optimizer:
        raise ArgumentError("fit: the scheduler was made for another optimizer; make it for the one given to fit")
    if each_batch and isinstance(given, ReduceLROnPlateau):
        raise ArgumentError("fit: ReduceLROnPlateau steps once an epoch, with the validation loss")
    _check_total(given, each_batch, epochs, steps)
    return Schedule(given, each_batch)


def _told(given: Any) -> tuple[bool, Any]:
    if len(given) != 2 or given[0] not in ("batch", "epoch"):
        raise ArgumentTypeError(
            'fit: scheduler must be a scheduler, or a pair ("batch", scheduler) or ("epoch", scheduler)',
            remedy="Several schedulers go into one with lr_scheduler.ChainedScheduler([...]).",
        )
    return given[0] == "batch", given[1]


def _check_total(scheduler: Any, each_batch: bool, epochs: int, steps: int | None) -> None:
    """Raise before training where OneCycleLR would run out of steps in the middle of it."""
    if not isinstance(scheduler, OneCycleLR) or (each_batch and steps is None):
        return
    needed = epochs * (steps or 1) if each_batch else epochs
    if needed > scheduler.total_steps:
        unit = f"{epochs} epochs of {steps} batches" if each_batch else f"{epochs} epochs"
        raise ArgumentError(
            f"fit: OneCycleLR was made for {scheduler.total_steps} steps, but {unit} take {needed}",
            remedy=f"Make it with OneCycleLR(optimizer, max_lr, total_steps={needed}).",
        )
