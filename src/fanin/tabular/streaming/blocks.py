"""Training of a network on blocks of rows that take each other's place in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import fanin
from fanin.tabular.fitting.members import Pace, Part, Plan, Selection, Trained, make_network, make_optimizer, outputs_of
from fanin.tabular.nets import RealMLP, start_from_data
from fanin.tabular.seeding import seeded
from fanin.tabular.streaming.store import Store
from fanin.training import Callback, fit
from fanin.training.threads import product_threads, threads_to_use

JUDGED = 16  # how often a network is judged where there are fewer passes than this
Tell = Callable[[str, float], Any]


@dataclass
class BlockTrainer:
    """Trains networks on the rows of a store, in the place of `fitting.ensemble`'s trainer.

    To `fit`, a block is an epoch: its rows are shuffled, and its steps are one call of native code. After it the rows
    of the next block are read into the same arrays, so that a step is compiled once. Each pass takes the blocks in
    another order; which rows are together in a block stays the same.

    passes: over all rows; None for those of the settings.
    tell:   is told the share of the training that is done.
    """

    store: Store
    passes: int | None = None
    tell: Tell | None = None

    def __call__(
        self, plan: Plan, part: Part, splits: Sequence[Any], seed: int, deadline: float | None, watch: Any = None
    ) -> list[Trained]:
        """Train one network.

        Args:
            plan: what is trained.
            part: a sample of the rows.
            splits: one pair: which rows of the sample are learned from, so that weights may start from them, and which
                judge.
            seed: of initial weights, orders and masks.
            deadline: the time by `time.monotonic` at which training shall have ended.
            watch: not used.
        """
        ((learned, judged),) = splits
        passes = plan.settings.epochs if self.passes is None else min(self.passes, plan.settings.epochs)
        with seeded(seed), product_threads(1):
            return [self._train(plan, part[learned], part[judged], passes, seed, deadline)]

    def _train(self, plan: Plan, sample: Part, judged: Part, passes: int, seed: int, deadline: Any) -> Trained:
        store, settings = self.store, plan.settings
        network = make_network(plan)
        if isinstance(network, RealMLP):
            start_from_data(network, [fanin.from_numpy(np.ascontiguousarray(each)) for each in sample.inputs])
        batch_size = min(settings.batch_size, store.height)
        steps, turns = store.height // batch_size, passes * store.blocks
        selection = _BlockSelection(network, judged, plan, store.blocks, turns)
        feeder = _Feeder(store, np.random.default_rng(seed), turns, self.tell)
        feeder.bring(1)
        history = fit(
            model=network,
            train=_tensors(store, len(sample.inputs)),
            loss=plan.loss,
            optimizer=make_optimizer(network, settings, turns * steps),
            epochs=turns,
            batch_size=batch_size,
            drop_last=True,
            clip_grad_norm=settings.clip,
            callbacks=[feeder, Pace(deadline, steps), selection],
            threads=threads_to_use(),
            progress=False,
        )
        return selection.result(network, history)


def _tensors(store: Store, inputs: int) -> tuple[Any, Any]:
    """Return the store's arrays as `fit` takes them; tensors lie where the arrays do."""
    tensors = tuple(map(fanin.from_numpy, store.arrays))
    target = tensors[inputs:]
    return tensors[:inputs], target[0] if len(target) == 1 else target


class _Feeder(Callback):
    """Reads the next block before each epoch."""

    def __init__(self, store: Store, rng: np.random.Generator, turns: int, tell: Tell | None) -> None:
        self._store, self._rng, self._turns, self._tell = store, rng, turns, tell
        self._there = 0

    def bring(self, turn: int) -> None:
        """Bring the block of a turn, counted from 1, unless it is there."""
        if turn == self._there:
            return
        place = (turn - 1) % self._store.blocks
        if place == 0:
            self._order = self._rng.permutation(self._store.blocks).tolist()
        self._store.load(self._order[place])
        self._there = turn

    def on_epoch_begin(self, training: Any) -> None:
        """Bring the block."""
        self.bring(training.epoch)

    def on_epoch_end(self, training: Any) -> None:
        """Tell how far training is."""
        if self._tell is not None:
            self._tell("training", 1.0 if training.reason else training.epoch / self._turns)


class _BlockSelection(Selection):
    """Judges after each pass, or more often where there are few passes, and in the end."""

    def __init__(self, network: Any, judged: Part, plan: Plan, blocks: int, turns: int) -> None:
        super().__init__(network, judged, plan)
        self._blocks, self._turns = blocks, turns
        self._every = min(blocks, math.ceil(turns / JUDGED))
        # Patience counts passes.
        patience = plan.settings.patience
        often = math.ceil(blocks / self._every)
        self.plan = replace(
            plan, settings=replace(plan.settings, patience=None if patience is None else patience * often)
        )

    def on_epoch_end(self, training: Any) -> None:
        """Judge where it is time for it."""
        if training.epoch % self._every == 0 or training.epoch == self._turns or training.reason:
            super().on_epoch_end(_Turn(training, math.ceil(training.epoch / self._every)))

    def on_train_end(self, training: Any) -> None:
        """Judge what Ctrl-C left where nothing was judged before."""
        if self.outputs is None and training.epoch:
            super().on_epoch_end(_Turn(training, 1))

    def result(self, network: Any, history: Any) -> Trained:
        """Return the network with its best weights; epochs are passes."""
        self.kept.put_back()
        network.eval()
        outputs = outputs_of(network, self.judged.inputs) if self.outputs is None else self.outputs
        best, epochs = (math.ceil(turns / self._blocks) for turns in (self.epoch * self._every, len(history)))
        best = min(best, epochs)
        return Trained(network, outputs, self.best, best, epochs, history.engine, history.stopped, sum(history.seconds))


@dataclass
class _Turn:
    """A training as `Selection` sees it: judgements are its epochs."""

    training: Any
    epoch: int

    def stop(self, reason: str) -> None:
        """End training."""
        self.training.stop(reason)
