"""Epochs in blocks: many at once where nothing has to happen between them, and Python takes longer than they do."""

from __future__ import annotations

import math
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fanin.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from fanin.training.engines.engine import means

if TYPE_CHECKING:
    from fanin.training.loop import Run

SECONDS = 0.06  # of a block: how long Ctrl-C and the progress bar may have to wait
_ENTRIES = 1 << 20  # row numbers, or numbers of steps, that a block may need: 8 MB


class Several:
    """Takes epochs of a run in blocks.

    A block whose losses are not all finite is undone, and its epochs are taken one by one, so that the loop sees the
    first bad step as it always does. When the best epoch so far lies inside a block, a copy of the state at the block's
    beginning is kept: should its weights be asked for, so many epochs are taken again.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._possible = not (run.judge or run.callbacks) and _is_blind(run.schedule, run.task.optimizer)
        self._singly = 0  # epochs that have to be taken one by one

    def take(self, engine: Any) -> bool:
        """Take some epochs and record them; False where the next one has to be taken alone."""
        if self._singly:
            self._singly -= 1
            return False
        if not self._possible or not hasattr(engine, "blocks"):
            return False
        blocks = engine.blocks()
        if blocks is None:
            return False
        blocks.scheduler = self._run.schedule.scheduler
        count = self._count(blocks)
        return count > 0 and self._take(blocks, count)

    def _limit(self) -> int:
        """Return how many epochs there may be in the next block, as far as the run knows."""
        run = self._run
        wanted: int = run.training.epochs - len(run.history)
        if run.history.seconds:
            wanted = min(wanted, int(SECONDS / max(run.history.seconds[-1], 1e-7)))
        if run.patience is not None:
            wanted = min(wanted, run.patience - run.waited)  # no earlier epoch can be the last
        return wanted

    def _count(self, blocks: Any) -> int:
        wanted: int = min(self._limit(), _ENTRIES // max(blocks.rows, 4 * len(blocks.sizes)))
        return wanted if self._run.history.seconds else min(wanted, int(SECONDS / max(blocks.guess(), 1e-7)))

    def _take(self, blocks: Any, count: int) -> bool:
        started = time.perf_counter()
        place = blocks.place()
        try:
            losses = blocks.run(count)
        except Exception:  # which shows again when the epochs are taken one by one
            losses = np.full((1, blocks.sizes.size), math.nan)
        except BaseException:
            blocks.go_to(place)
            raise
        found = [] if losses is None else means(losses, blocks.sizes)
        if not found or not all(map(math.isfinite, found)):
            blocks.go_to(place)
            self._singly = count - 1 if found else 0
            return False
        with self._run.interrupt.later():
            self._keep_best(blocks, place, found)
            self._run.record_block(found, blocks.rates, losses, started)
        self._run.save(final=False)
        return True

    def _keep_best(self, blocks: Any, place: Any, means: list[float]) -> None:
        best = means.index(min(means))
        kept, run = self._run.best, self._run
        if not means[best] < run.lowest:
            return
        if best == len(means) - 1:
            if len(run.history) + len(means) == run.training.epochs:
                kept.promise(partial(kept.take, same=True))  # mostly nobody asks for it, as the run is over
            else:
                kept.take(same=True)
            return

        def again() -> None:
            blocks.look()
            now = blocks.place()
            blocks.go_to(place)
            blocks.run(best + 1)
            kept.take(same=True)
            blocks.go_to(now)

        kept.promise(again)


def _is_blind(schedule: Any, optimizer: Any) -> bool:
    """Say whether the rates of the epochs to come do not depend on what they bring."""
    scheduler = schedule.scheduler
    if scheduler is None:
        return True
    own = isinstance(scheduler, LRScheduler) and type(scheduler).__module__.startswith("fanin.")
    plain = not any(hasattr(value, "_array") for group in optimizer.param_groups for value in group.values())
    return own and plain and not schedule.each_batch and not isinstance(scheduler, ReduceLROnPlateau)
