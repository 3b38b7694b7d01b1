"""What carries out the steps of an epoch, seen from the training loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fanin.training.source import Source
from fanin.training.weights import Members


class Steps(NamedTuple):
    """The steps of one epoch: the loss of each before its update, and how many rows it was of."""

    losses: NDArray[np.float64]
    rows: NDArray[np.int64]

    def mean(self) -> float:
        """Return the mean loss of a row."""
        return means(self.losses[None], self.rows)[0] if len(self.rows) else float("nan")


def means(losses: NDArray[np.float64], rows: NDArray[np.int64]) -> list[float]:
    """Return the mean loss of a row in each epoch; losses are (epochs, steps), finite where the mean is."""
    alike = len(rows) > 0 and bool(rows.min() == rows.max())
    sums = np.add.reduce(losses, axis=1) / len(rows) if alike else np.add.reduce(losses * rows, axis=1) / rows.sum()
    found: list[float] = sums.tolist()
    return found


class NotFinite(Exception):
    """A step's loss is NaN or infinite. It never reaches a user: the loop makes a DivergenceError of it.

    step:   its number in the epoch, from 0.
    batch:  its rows, a `Batch`.
    losses: those of the epoch up to this step.
    before: whether the weights are still those that the loss was computed with.
    """

    def __init__(self, step: int, batch: Any, losses: list[float], before: bool) -> None:
        super().__init__(step)
        self.step, self.batch, self.losses, self.before = step, batch, losses, before


class Watch(Protocol):
    """Is told now and then how far an epoch is."""

    def step(self, done: int, loss: float) -> None:
        """Take note that `done` steps of the epoch are done, the last one with this loss."""


@dataclass(frozen=True)
class Task:
    """What an engine trains, and with what.

    per_step: the scheduler that takes a step after each step of the optimiser, or None.
    clip:     the largest norm of the gradients of the optimiser's parameters together, or None.
    threads:  how many threads an engine may use, None for its own choice.
    aside:    surrounds work that leaves Python alone: meanwhile other networks may use it.
    looked:   what the model was made of when somebody looked last.
    goes_on:  whether blocks of epochs go on after a loss that is not finite, from which a loop may come back.
    """

    model: Any
    loss: Any
    optimizer: Any
    source: Source
    per_step: Any = None
    clip: float | None = None
    threads: int | None = None
    aside: Callable[[], AbstractContextManager[Any]] = nullcontext
    looked: Members | None = None
    goes_on: bool = False

    def members(self) -> Members:
        """Return what the model is made of."""
        return Members.of(self.model) if self.looked is None else self.looked.now(self.model)

    def optimized(self) -> list[Any]:
        """Return the parameters that a step changes, those of the optimiser; the model may have others."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]


class Engine(Protocol):
    """Carries out epochs.

    Before each epoch the tensors of the model and the optimiser hold the state, and after it they hold it again: what
    an engine keeps elsewhere while it works, it brings back. A change between two epochs (a callback that writes a
    weight, a scheduler that writes a rate, a state that is loaded) is seen by the next.
    """

    name: str

    def run_epoch(self, watch: Watch) -> Steps:
        """Take one pass over the source, a step for each batch.

        Raises NotFinite at the first loss that is NaN or infinite.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Return what of a run lies in the engine alone, as numbers and text; nothing before the first epoch."""
        ...

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        ...

    def close(self) -> None:
        """Give back memory and threads."""
        ...
