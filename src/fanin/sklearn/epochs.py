"""Epochs over rows in the order that scikit-learn takes them, by the engines of `fit`.

scikit-learn shuffles with NumPy's generator, and looks at the loss after every epoch. `fit` draws other orders and has
another rule to stop, so here its engines are given orders, and as many epochs at a time as nobody has to look between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.tensor.tape import wrap
from fanin.training.engines import NotFinite, Task, make_engine
from fanin.training.source import Batch, Order, Rows
from fanin.utils.data import DataLoader, TensorDataset

# Steps that are over before code for them is written. The choice must follow from shapes alone: eager and compiled
# steps differ in the last digit.
FEW = 40


class Drawing:
    """Draws the orders of epochs: each shuffles the one before, as scikit-learn does."""

    def __init__(self, rows: int, random: Any) -> None:
        self._rows, self._random = np.arange(rows), random
        self._returned: deque[NDArray[np.int64]] = deque()

    def next(self) -> NDArray[np.int64]:
        """Return the order of the next epoch."""
        if self._returned:
            return self._returned.popleft()
        if self._random is not None:
            positions = np.arange(len(self._rows))
            self._random.shuffle(positions)
            self._rows = self._rows[positions]
        return self._rows

    def give_back(self, orders: NDArray[np.int64]) -> None:
        """Take back orders of epochs that were not run, to be drawn again first."""
        self._returned.extendleft(orders[::-1])


@dataclass(frozen=True)
class DrawnRows(Rows):
    """Rows in memory, in orders that are drawn elsewhere."""

    drawing: Drawing | None = None

    def order(self, permute: Callable[[Any, int], Any] | None = None) -> Order:
        """Return the order of the next epoch."""
        assert self.drawing is not None
        rows = self.drawing.next()
        return self._cut(rows, len(rows), self.loader.batch_sampler)

    def batches(self) -> Iterator[Batch]:
        """Yield the batches of the next epoch."""
        order, first = self.order(), 0
        assert order.rows is not None
        for size in order.sizes.tolist():
            rows = order.rows[first : first + size]
            yield self.batch([wrap(array[rows]) for array in self.arrays])
            first += size


class Epochs:
    """The epochs of one run over arrays.

    scheduler: takes a step after each epoch, if there is one.
    most:      how many epochs there may be.
    """

    def __init__(self, task: Task, scheduler: Any, seed: int, most: int) -> None:
        self.task, self.scheduler, self.is_lost = task, scheduler, False
        task.model.train()
        self._engine = make_engine("eager" if most * (task.source.steps or 0) <= FEW else "auto", task)
        if hasattr(self._engine, "_blocks"):
            from fanin.sklearn.blocks import DrawnBlocks  # loads LLVM, which only a compiled fit needs

            self._engine._blocks = DrawnBlocks(task)
        self._engine.load_state({"seed": seed, "step": 0})

    def run(self, count: int, wanted: Callable[[list[float]], int] = len) -> list[float]:
        """Take epochs, and return their mean losses; fewer where the next ones have to be asked for.

        wanted: says, by the losses, how many of the epochs there should have been; the others are undone.
        """
        blocks = self._engine.blocks() if hasattr(self._engine, "blocks") else None
        if blocks is None:
            return [self._one()]
        blocks.scheduler = self.scheduler
        place = blocks.place()
        try:
            losses = blocks.run(count)
            if losses is None:
                blocks.undo(place)
                return [self._one()]
            sizes = blocks.sizes.astype(np.float64)
            means = [float(mean) for mean in losses @ sizes / sizes.sum()]
            fewer = wanted(means)
            if fewer < count:
                blocks.undo(place)
                blocks.run(fewer)
        except BaseException:
            blocks.undo(place)
            raise
        return means[:fewer]

    def _one(self) -> float:
        self.task.model.train()
        try:
            mean = self._engine.run_epoch(_Nobody()).mean()
        except NotFinite as problem:
            mean, self.is_lost = float(problem.losses[-1]), True  # this engine takes no step from here
        if self.scheduler is not None:
            self.scheduler.step()
        return mean

    def close(self) -> None:
        """Leave the compiled code to the next run."""
        self._engine.close()


class _Nobody:
    """Watches the steps of an epoch, and does nothing about them."""

    def step(self, done: int, loss: float) -> None:
        """Do nothing."""


def rows_of(inputs: Any, targets: tuple[Any, ...], batch_size: int, drawing: Drawing) -> DrawnRows:
    """Return arrays side by side as a source of batches; several targets are given to the loss as a tuple."""
    tensors = tuple(wrap(np.ascontiguousarray(array)) for array in (inputs, *targets))
    loader = DataLoader(TensorDataset(*tensors), batch_size, shuffle=False)
    return DrawnRows(loader, tensors, 1, len(targets) > 1, None, drawing)
