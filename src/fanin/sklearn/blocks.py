"""Many epochs in one native call, in the order that scikit-learn takes the rows."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fanin.sklearn.epochs import DrawnRows
from fanin.training.engines import Task
from fanin.training.engines.blocks import Blocks, Orders


class DrawnOrders(Orders):
    """The orders of several epochs, for native code."""

    def __init__(self, source: DrawnRows) -> None:
        super().__init__(source)
        assert source.drawing is not None
        self._drawing = source.drawing
        self.last: NDArray[np.int64] = np.empty((0, 0), np.int64)

    def generators(self) -> tuple[Any, ...]:
        """Return none: nothing is drawn from fanin's generators."""
        return ()

    def draw(self, epochs: int) -> list[NDArray[np.int64]]:
        """Return the row numbers of the batches of each part, for all epochs in sequence."""
        self.last = np.stack([self._drawing.next() for _ in range(epochs)])
        result, first = [], 0
        for size, count in self.parts:
            result.append(np.ascontiguousarray(self.last[:, first : first + size * count]).reshape(-1))
            first += size * count
        return result


class DrawnBlocks(Blocks):
    """Many epochs in one native call."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._orders: DrawnOrders = DrawnOrders(cast(DrawnRows, task.source))

    def run(self, epochs: int) -> Any:
        """Take epochs, and return the losses of their steps; None where that cannot be done at once."""
        self._orders.last = self._orders.last[:0]  # nothing to give back, should it end before orders are drawn
        return super().run(epochs)

    def undo(self, place: Any) -> None:
        """Go back to a place, with the orders drawn since."""
        self.go_to(place)
        self._orders._drawing.give_back(self._orders.last)
        self._orders.last = self._orders.last[:0]
