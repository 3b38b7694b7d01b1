"""Successive halving: many settings with few epochs, the best third with three times as many, and so on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fanin._core.threads import cores
from fanin.tabular.fitting.criteria import Criterion
from fanin.tabular.fitting.given import named
from fanin.tabular.fitting.members import Part, Plan, Trained, train_each
from fanin.tabular.fitting.settings import Settings
from fanin.training import Callback
from fanin.training.progress import Progress
from fanin.training.threads import threads_to_use

THIRD = 3  # of the settings goes on, with so many times the epochs
RUNGS = 3  # at most
AT_ONCE = 16  # networks that are trained side by side, where no clock has to be looked at in between
SHARES = 4  # of a rung's time that is left, of which those side by side take one: no setting takes it all
STEPS = 27  # at least, in a first rung that tells settings apart


@dataclass
class Trial:
    """A setting, and how far it has come.

    rung:    that it reached, from 1; 0 before the first.
    score:   there, the lower the better; infinite where its loss was no longer finite.
    epochs:  there, of the network that took most.
    seconds: of all networks of all rungs.
    """

    number: int
    settings: Settings
    rung: int = 0
    score: float = math.inf
    epochs: int = 0
    seconds: float = 0.0
    ended: str = ""

    @property
    def order(self) -> tuple[int, float, int]:
        """What ranks are made by: those that got further first."""
        return (-self.rung, self.score, self.number)


@dataclass
class Halving:
    """The trials of a search.

    plan:     returns what is trained with settings.
    score:    of (outputs, targets, weights), that trials are compared by, the lower the better; epochs are compared by
              the criterion of the plan.
    pairs:    the rows that each trial's networks learn from, and those that judge them.
    trials:   settings, with the epochs of the last rung; those of one structure follow each other.
    seed:     of all networks.
    deadline: the time by `time.monotonic` at which the last rung shall have ended.
    told:     is called with each trial after each of its rungs; True ends the search.
    """

    plan: Callable[[Settings], Plan]
    score: Criterion
    pairs: Sequence[tuple[Part, Part]]
    trials: Sequence[Trial]
    seed: int
    deadline: float | None = None
    told: Callable[[Trial], Any] | None = None
    progress: bool = True
    stopped: str = "finished"
    _shares: dict[int, float] = field(default_factory=dict)
    _running: tuple[int, int] = (1, 1)  # the rung, and how many networks it has
    _bar: Progress | None = None

    @property
    def rungs(self) -> int:
        """How many there are: as many as have two settings to choose from."""
        left, count = len(self.trials), 1
        while count < RUNGS and -(-left // THIRD) > 1:
            left, count = -(-left // THIRD), count + 1
        return count

    def run(self) -> None:
        """Run all rungs; what is known is kept when Ctrl-C, a listener or the clock ends it.

        A setting begins anew in each rung, as its schedule ends with its last epoch: a setting whose schedule was cut
        off tells little about one that came to its end. Going on would save a third of the time at most.
        """
        trials = list(self.trials)
        bar = self._bar = Progress(self.progress, self._describe)
        try:
            for rung in range(1, self.rungs + 1):
                self._rung(rung, trials)
                trials = [trial for trial in trials if trial.rung == rung and math.isfinite(trial.score)]
                trials = sorted(trials, key=lambda trial: trial.order)[: max(1, -(-len(trials) // THIRD))]
                trials.sort(key=lambda trial: trial.number)
                if self.stopped not in ("finished", "time") or len(trials) < 2:
                    break
        except KeyboardInterrupt:
            self.stopped = "interrupted"
        finally:
            bar.close()

    def _rung(self, rung: int, trials: Sequence[Trial]) -> None:
        due = self._due(rung)
        waiting, longest = list(trials), 0.0
        self._running, self._shares = (rung, len(trials) * len(self.pairs)), {}
        while waiting:
            now = time.monotonic()
            if due is not None and (longest or rung > 1) and now + 0.5 * longest > due:
                self.stopped = "time"
                return
            count = self._at_once()
            share = min(SHARES, -(-len(waiting) // count))
            chunk, waiting = waiting[:count], waiting[count:]
            self._train(rung, chunk, None if due is None else now + (due - now) / share)
            longest = max(longest, time.monotonic() - now)
            if self.stopped not in ("finished", "time"):
                return

    def _at_once(self) -> int:
        """Return how many trials are trained side by side: with a deadline, as many as there are cores for."""
        networks = AT_ONCE if self.deadline is None else threads_to_use() or cores()
        return max(1, networks // len(self.pairs))

    def _due(self, rung: int) -> float | None:
        """Return when a rung shall have ended: each has the same time."""
        if self.deadline is None:
            return None
        now = time.monotonic()
        return now + (self.deadline - now) / (self.rungs - rung + 1)

    def _train(self, rung: int, chunk: Sequence[Trial], due: float | None) -> None:
        plans = [self.plan(self._settings(trial, rung)) for trial in chunk]
        tasks = [(plan, *pair) for plan in plans for pair in self.pairs]
        seed = self.seed + 10_000 * rung + chunk[0].number
        found = train_each(tasks, seed, due, watch=lambda _: _Ticks(self))
        for trial, first in zip(chunk, range(0, len(tasks), len(self.pairs)), strict=True):
            self._judge(trial, rung, found[first : first + len(self.pairs)])

    def _settings(self, trial: Trial, rung: int) -> Settings:
        epochs = trial.settings.epochs / THIRD ** (self.rungs - rung)
        return replace(trial.settings, epochs=max(1, math.ceil(epochs)))

    def _judge(self, trial: Trial, rung: int, found: Sequence[Trained | BaseException]) -> None:
        """Take note of what came of a trial's networks."""
        trained = [each for each in found if isinstance(each, Trained)]
        trial.seconds += sum(each.seconds for each in trained)
        if any(each.stopped == "interrupted" for each in trained):
            self.stopped = "interrupted"
            return
        trial.rung = rung
        failed = len(trained) < len(found) or not all(math.isfinite(each.best) for each in trained)
        trial.score = math.inf if failed else self._score(trained)
        trial.epochs = max((each.epochs for each in trained), default=0)
        trial.ended = "diverged" if failed else max(trained, key=lambda each: each.epochs).stopped
        if self.told is not None and self.told(trial) is True and self.stopped == "finished":
            self.stopped = "callback"

    def _score(self, trained: Sequence[Trained]) -> float:
        judged = [rows for _, rows in self.pairs]
        pairs = zip(trained, judged, strict=True)
        return sum(self.score(each.outputs, rows.target, rows.weights) for each, rows in pairs) / len(judged)

    # Progress ---------------------------------------------------------------------------------------------------------

    def took(self, network: int, share: float) -> None:
        """Take note of how far a network is."""
        self._shares[network] = share
        if self._bar is not None:
            self._bar.update(self._share(), 1.0)

    def _share(self) -> float:
        rung, networks = self._running
        return (rung - 1 + sum(self._shares.values()) / networks) / self.rungs

    def _describe(self) -> str:
        rung, networks = self._running
        ended = sum(share == 1.0 for share in self._shares.values())
        known = [trial for trial in self.trials if trial.rung]
        best = f"  best {min(known, key=lambda trial: trial.order).score:.4g}" if known else ""
        return f"rung {rung}/{self.rungs}  {ended} of {networks} networks{best}"


class _Ticks(Callback):
    """Tells how far one network is."""

    def __init__(self, halving: Halving) -> None:
        self._halving = halving

    def on_epoch_end(self, training: Any) -> None:
        """Tell."""
        self._halving.took(id(self), training.epoch / (training.epochs + 1))

    def on_train_end(self, training: Any) -> None:
        """Tell that it is done."""
        self._halving.took(id(self), 1.0)


def columns(trial: Trial, names: Sequence[str]) -> dict[str, Any]:
    """Return the settings of a trial by these names; None where one means nothing for its kind of network."""
    values = named(trial.settings)
    return {name: values.get(name) for name in names}
