"""How far a fit is, for whoever watches: told after each epoch of each network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fanin.tabular.fitting.criteria import explained
from fanin.tabular.fitting.settings import Settings
from fanin.training import Callback


@dataclass(frozen=True)
class Moment:
    """Where a fit is.

    share:   of all that there may be to do, in [0, 1]; networks that end before their last epoch make it jump.
    network: the kind of the network that has ended an epoch, and `number` of how many `networks` it is.
    epoch:   the one that has ended, of at most `epochs`.
    best:    the lowest criterion on the network's validation rows so far.
    r2:      for numbers, the R2 of all these rows at that epoch; None for classes and quantiles.
    """

    share: float
    network: str
    number: int
    networks: int
    epoch: int
    epochs: int
    best: float
    r2: float | None = None


Listener = Callable[[Moment], Any]


class Watch:
    """Tells a listener how far a fit is.

    Args:
        listener: called with a `Moment`, from the thread that trains, one at a time.
        stages: how the networks of each kind are trained.
        networks: how many there are of each kind, in all.
    """

    def __init__(self, listener: Listener, stages: Sequence[Settings], networks: int) -> None:
        self._listener, self._stages = listener, stages
        self._each = networks
        self._total = networks * sum(map(work, stages))
        self._done: list[float] = []  # of each network that has begun

    def of_stage(self, stage: int) -> Callable[[Any], Callback]:
        """Return what makes the callback of a network of this stage, from the `Selection` of its best epoch."""
        return lambda selection: self._callback(self._stages[stage], selection)

    def _callback(self, settings: Settings, selection: Any) -> Callback:
        self._done.append(0.0)
        return _Teller(self, len(self._done), settings, selection)

    def tell(
        self, number: int, settings: Settings, epoch: int, best: float, is_over: bool, r2: float | None = None
    ) -> None:
        """Note how far a network is, and tell the listener."""
        self._done[number - 1] = work(settings) * (1.0 if is_over else epoch / settings.epochs)
        share, count = min(1.0, sum(self._done) / self._total), self._each * len(self._stages)
        self._listener(Moment(share, settings.network, number, count, epoch, settings.epochs, best, r2))


class _Teller(Callback):
    def __init__(self, watch: Watch, number: int, settings: Settings, selection: Any) -> None:
        self._watch, self._number, self._settings, self._selection = watch, number, settings, selection
        self._r2: tuple[int, float | None] = 0, None  # the epoch that it is of

    def on_epoch_end(self, training: Any) -> None:
        """Tell."""
        self._tell(training, is_over=bool(training.reason))

    def on_train_end(self, training: Any) -> None:
        """Tell that nothing of this network is left to do."""
        self._tell(training, is_over=True)

    def _tell(self, training: Any, is_over: bool) -> None:
        if self._selection.epoch != self._r2[0]:
            self._r2 = self._selection.epoch, _explained(self._selection)
        self._watch.tell(self._number, self._settings, training.epoch, self._selection.best, is_over, self._r2[1])


def _explained(selection: Any) -> float | None:
    """Return the R2 of a network's best epoch: the criterion may hold rows down that are unlike all others."""
    judged = selection.judged
    if judged.target.ndim < 2 or selection.outputs.shape[-1] != judged.target.shape[-1]:
        return None
    return explained(selection.outputs, judged.target, judged.weights)


def work(settings: Settings) -> float:
    """Return how much work a network is beside others: products of one row, times the epochs."""
    products = sum(a * b for a, b in pairwise((32, *settings.hidden)))
    return float(settings.epochs * settings.members * products)


@contextmanager
def watched(model: Any, listener: Listener) -> Iterator[None]:
    """Let `listener` hear how far the fits of an estimator are that begin inside.

    >>> from fanin.tabular import TabularRegressor
    >>> import numpy as np
    >>> shares, x = [], np.arange(40.0)[:, None]
    >>> model = TabularRegressor("fast", epochs=2, random_state=0)
    >>> with watched(model, lambda moment: shares.append(moment.share)):
    ...     _ = model.fit(x, x[:, 0])
    >>> shares
    [0.5, 1.0, 1.0]
    """
    model._listener = listener
    try:
        yield
    finally:
        del model._listener
