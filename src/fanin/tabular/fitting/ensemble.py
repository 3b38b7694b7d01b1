"""From encoded rows to an ensemble: splits, stages, their mixture, and what was predicted for rows held out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.threads import cores
from fanin.nn import Module
from fanin.tabular.fitting.criteria import Criterion, log_probabilities
from fanin.tabular.fitting.members import Part, Plan, Trained, in_double, outputs_of, train
from fanin.tabular.fitting.presets import Recipe
from fanin.tabular.fitting.settings import Settings
from fanin.tabular.fitting.watching import Watch
from fanin.tabular.nets import Inputs
from fanin.training.threads import threads_to_use

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Goal:
    """What networks learn.

    outputs:   of a network.
    loss:      that the steps minimise, by the smoothing of labels.
    criterion: that epochs and mixtures are compared by.
    classes:   whether outputs are logits.
    """

    outputs: int
    loss: Any
    criterion: Criterion
    classes: bool

    @property
    def gain(self) -> tuple[float, float]:
        """By how much the criterion has to fall for patience to begin anew; a log-loss may go to 0 without an end."""
        return (2e-3, 0.0) if self.classes else (0.0, 2e-3)


@dataclass(frozen=True)
class Stage:
    """Networks of one kind, in double precision, their share of the mixture, and how they were made."""

    networks: tuple[Module, ...]
    share: float
    settings: Settings


@dataclass(frozen=True)
class Ensemble:
    """Networks that answer as one.

    judged: the rows that were held out, and `held_out` what was predicted for them, by networks that did not learn
            from them: log-probabilities (rows, classes), or numbers (rows, outputs).
    record: for each network its kind, epochs, best epoch, criterion, engine.
    """

    stages: tuple[Stage, ...]
    classes: bool
    judged: Rows
    held_out: NDArray[np.float64]
    record: tuple[dict[str, Any], ...]

    def predict(self, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        """Return log-probabilities (rows, classes), or numbers (rows, outputs).

        In double precision, so that a row's prediction depends on the rows beside it in its last digit at most.
        """
        wide = [each.astype(np.float64) if each.dtype == np.float32 else each for each in inputs]
        parts = [
            np.mean([_answer(outputs_of(network, wide), self.classes) for network in stage.networks], axis=0)
            for stage in self.stages
        ]
        return _ending(_mixed(parts, [stage.share for stage in self.stages]), self.classes)


def fit_ensemble(
    part: Part,
    inputs: Inputs,
    goal: Goal,
    recipe: Recipe,
    splits: Sequence[tuple[Rows, Rows]],
    seed: int,
    deadline: float | None = None,
    watch: Watch | None = None,
    trainer: Callable[..., list[Trained]] | None = None,
) -> Ensemble:
    """Train a recipe's networks.

    Args:
        part: all rows.
        inputs: what a row has.
        goal: what is learned.
        recipe: the kinds of networks.
        splits: the rows that each network learns from, and those that judge it.
        seed: of everything that is drawn.
        deadline: the time by `time.monotonic` at which training shall have ended.
        watch: hears how far training is.
        trainer: what trains the networks of one kind, in place of `train` on the rows of `part`.

    Ctrl-C ends training with what is trained by then: the networks of later splits and stages are left out.

    Raises KeyboardInterrupt where that is nothing.
    """
    done = _Done(goal, list(splits))
    for number, settings in enumerate(recipe.stages):
        due = _due(deadline, len(recipe.stages) - number)
        if done.networks and due is not None and due - time.monotonic() < 0.05 * _elapsed(done.record):
            break
        plan = Plan(inputs, goal.outputs, settings, goal.loss(settings.smoothing), goal.criterion, goal.gain)
        watching = None if watch is None else watch.of_stage(number)
        started = time.monotonic()
        trained = (trainer or _train)(plan, part, done.splits, seed + number, due, watching)
        if not done.take(trained, settings.network, time.monotonic() - started):
            break
    return done.ensemble(part, recipe.stages)


@dataclass
class _Done:
    """What is trained so far.

    splits:   those that all kinds of networks have; of the first kind that Ctrl-C has ended, as many as are trained.
    networks: of each kind, in double precision, and `answers` what they said of the rows that judged them.
    record:   of each network.
    """

    goal: Goal
    splits: list[tuple[Rows, Rows]]
    networks: list[tuple[Module, ...]] = field(default_factory=list)
    answers: list[NDArray[np.float64]] = field(default_factory=list)
    record: list[dict[str, Any]] = field(default_factory=list)

    def take(self, trained: Sequence[Trained], kind: str, seconds: float) -> bool:
        """Take the networks of a kind, and say whether there is to be another; raises KeyboardInterrupt if none is."""
        self.record += [_told(each, kind, seconds) for each in trained]
        whole = [place for place, each in enumerate(trained) if each.epoch]
        if self.networks and len(whole) < len(self.splits):
            return False
        if not whole:
            raise KeyboardInterrupt
        self.splits = [self.splits[place] for place in whole]
        self.networks.append(tuple(in_double(trained[place].network) for place in whole))
        self.answers.append(np.concatenate([_answer(trained[place].outputs, self.goal.classes) for place in whole]))
        return not is_interrupted(self.record)

    def ensemble(self, part: Part, settings: Sequence[Settings]) -> Ensemble:
        """Return the networks with their shares of the mixture; a kind without one is left out."""
        judged, classes = np.concatenate([rows for _, rows in self.splits]), self.goal.classes
        shares = _shares(self.answers, part[judged], self.goal)
        kept = [each for each in zip(self.networks, shares, settings, strict=False) if each[1] > 0]
        held_out = _ending(_mixed(self.answers, shares), classes)
        return Ensemble(tuple(Stage(*each) for each in kept), classes, judged, held_out, tuple(self.record))


def is_interrupted(record: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether Ctrl-C has ended a training, by what was told of its networks."""
    return any(each["stopped"] == "interrupted" for each in record)


def _train(
    plan: Plan, part: Part, splits: Sequence[tuple[Rows, Rows]], seed: int, deadline: float | None, watch: Any
) -> list[Trained]:
    """Train a network for each split; with a deadline as many at a time as there are cores, each with its time."""
    at_once = len(splits) if deadline is None else threads_to_use() or cores()
    found: list[Trained] = []
    while len(found) < len(splits) and not any(each.stopped == "interrupted" for each in found):
        chosen = splits[len(found) : len(found) + at_once]
        due = _due(deadline, -(-(len(splits) - len(found)) // at_once))
        pairs = [(part[a], part[b]) for a, b in chosen]
        found += train(plan, pairs, seed + 1000 * len(found), due, watch=watch)
    return found


def _due(deadline: float | None, turns: int) -> float | None:
    """Return when the first of so many turns shall have ended."""
    if deadline is None:
        return None
    now = time.monotonic()
    return now + (deadline - now) / turns


def _elapsed(record: Sequence[dict[str, Any]]) -> float:
    return max((float(each["seconds"]) for each in record), default=0.0)


def _told(trained: Trained, network: str, seconds: float) -> dict[str, Any]:
    return {
        "network": network,
        "epochs": trained.epochs,
        "best_epoch": trained.epoch,
        "criterion": trained.best,
        "engine": trained.engine,
        "stopped": trained.stopped,
        "seconds": seconds,
    }


# Mixing ---------------------------------------------------------------------------------------------------------------


def _answer(outputs: NDArray[Any], classes: bool) -> NDArray[np.float64]:
    """Return what is averaged: probabilities, or numbers; of members, their mean."""
    if classes:
        return np.exp(log_probabilities(outputs))
    mean: NDArray[np.float64] = (outputs.mean(axis=1) if outputs.ndim == 3 else outputs).astype(np.float64)
    return mean


def _mixed(answers: Sequence[NDArray[np.float64]], shares: Sequence[float]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.sum([s * a for s, a in zip(shares, answers, strict=True)], axis=0)
    return total


def _ending(mixed: NDArray[np.float64], classes: bool) -> NDArray[np.float64]:
    return np.log(np.maximum(mixed, 1e-12)) if classes else mixed


def _shares(answers: Sequence[NDArray[np.float64]], judged: Part, goal: Goal) -> list[float]:
    """Return the shares of the stages: for two, of one quarter to three the best by the criterion; else equal ones.

    The share that is nearest to one half is taken unless another is better by a hundredth: the rows that were held out
    have chosen the epochs already, and are soon asked too much.
    """
    if len(answers) != 2:
        return [1.0 / len(answers)] * len(answers)
    best, found = np.inf, 0.5
    for share in (0.5, 0.4, 0.6, 0.3, 0.7, 0.25, 0.75):
        mixed = _ending(_mixed(answers, [share, 1 - share]), goal.classes)
        value = goal.criterion(mixed, judged.target, judged.weights)
        if value < 0.99 * best:
            best, found = value, share
    return [found, 1 - found]
