"""Networks that learn on, piece by piece: what `partial_fit` keeps between its calls."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fanin
from fanin.nn.utils import clip_grad_norm_
from fanin.tabular.fitting.ensemble import Ensemble, Goal, Stage
from fanin.tabular.fitting.members import Part, Plan, in_double, make_network, make_optimizer
from fanin.tabular.fitting.settings import Settings
from fanin.tabular.nets import Inputs, RealMLP, start_from_data
from fanin.tabular.seeding import seeded
from fanin.training.threads import product_threads

HELD = 0.1  # share of each piece that is held out
MOST_HELD = 1000  # rows that are held out at a time, the latest ones
FEW = 10  # pieces with fewer rows are learned from as a whole
EAGER = 64  # steps of a network before one is compiled
SLOWER = 0.1  # than the top of a schedule's waves is the rate of a network that learns on without one


class Pupil:
    """A network, its optimiser, and its step, which always takes a batch of the same shape.

    A shorter batch is filled up with rows of weight 0, so that one compiled step serves pieces of any size.
    """

    def __init__(self, network: Any, settings: Settings, goal: Goal, number: int) -> None:
        if settings.rates != "steady":
            settings = replace(settings, rates="steady", rate=SLOWER * settings.rate)
        self.network, self.settings, self.number = network.train(), settings, number
        self.loss = goal.loss(settings.smoothing)
        self.optimizer = make_optimizer(network, settings, 1)
        self.steps = 0
        self._compiled: Any = None

    def learn(self, part: Part, rng: np.random.Generator) -> None:
        """Take the steps of one pass."""
        size = self.settings.batch_size
        order = rng.permutation(len(part))
        for start in range(0, len(part), size):
            rows = order[start : start + size]
            batch = part[np.resize(rows, size)]
            weights = np.ones(size, np.float32) if batch.weights is None else batch.weights.copy()
            weights[len(rows) :] = 0
            # The loss is the mean over the batch, which should be that over the rows that count.
            weights *= size / len(rows)
            arrays = [*batch.inputs, batch.target, weights.astype(np.float32)]
            self._step()(*(fanin.from_numpy(np.ascontiguousarray(each)) for each in arrays))
            self.steps += 1

    def _step(self) -> Any:
        if self.steps < EAGER:
            return self._take
        if self._compiled is None:
            self._compiled = fanin.compile(self._take)
        return self._compiled

    def _take(self, *tensors: Any) -> Any:
        *inputs, target, weights = tensors
        self.optimizer.zero_grad()
        loss = self.loss(self.network(*inputs), (target, weights))
        loss.backward()
        if self.settings.clip is not None:
            clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self.optimizer.step()
        return loss.detach()

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but compiled code, which a copy makes for itself."""
        return {**self.__dict__, "_compiled": None}


@dataclass
class Learner:
    """What learns on.

    goals:  what ensembles are for; stages: of each the pupils of one kind, and their shares of the mixture.
    held:   the rows that were held out, the latest of them.
    result: the ensembles as they were made last.
    """

    goals: Sequence[Goal]
    stages: list[list[tuple[list[Pupil], float, Settings]]]
    rng: np.random.Generator
    held: Part | None = None
    result: tuple[Ensemble, ...] = ()

    @classmethod
    def new(cls, goals: Sequence[Goal], settings: Settings, inputs: Inputs, part: Part, seed: int) -> Learner:
        """Return one with new networks, of which weights may start from the first rows."""
        stages = []
        for number, goal in enumerate(goals):
            with seeded(seed % 2**30 + number), product_threads(1):
                plan = Plan(inputs, goal.outputs, settings, goal.loss(0.0), goal.criterion, goal.gain)
                network = make_network(plan)
                if isinstance(network, RealMLP):
                    start_from_data(network, [fanin.from_numpy(np.ascontiguousarray(each)) for each in part.inputs])
            stages.append([([Pupil(network, settings, goal, number)], 1.0, settings)])
        return cls(goals, stages, np.random.default_rng(seed))

    @classmethod
    def of(cls, goals: Sequence[Goal], ensembles: Sequence[Ensemble], seed: int) -> Learner:
        """Return one that goes on with networks that `fit` has trained."""
        stages = [
            [
                (
                    [_pupil(network, stage, goal, i) for i, network in enumerate(stage.networks)],
                    stage.share,
                    stage.settings,
                )
                for stage in ensemble.stages
            ]
            for goal, ensemble in zip(goals, ensembles, strict=True)
        ]
        return cls(goals, stages, np.random.default_rng(seed), None, tuple(ensembles))

    def learn(self, part: Part) -> Part:
        """Learn from a piece but for its share that is held out; return the rows to calibrate by."""
        held, learned = self._parted(part)
        if held is not None:
            self.held = held if self.held is None else _latest(self.held, held)
        seed = int(self.rng.integers(2**31))
        for number, pupil in enumerate(self._pupils()):
            with seeded(seed + number), product_threads(1):
                pupil.learn(learned, np.random.default_rng([seed, number]))
        # Of pieces with a few rows none is held out; then those that were learned from have to do.
        return part if self.held is None else self.held

    def ensembles(self, judged: Part) -> list[Ensemble]:
        """Return the networks as they are, with what they predict for rows."""
        found = [self._ensemble(goal, stages, judged) for goal, stages in zip(self.goals, self.stages, strict=True)]
        self.result = tuple(found)
        return found

    def _pupils(self) -> list[Pupil]:
        return [pupil for stages in self.stages for pupils, *_ in stages for pupil in pupils]

    def _parted(self, part: Part) -> tuple[Part | None, Part]:
        rows = len(part)
        drawn = self.rng.random(rows)
        if rows < FEW:
            return None, part
        out = drawn < HELD
        out[drawn.argmin()] = True
        return part[out], part[~out]

    def _ensemble(self, goal: Goal, stages: Any, judged: Part) -> Ensemble:
        made = tuple(
            Stage(tuple(in_double(pupil.network) for pupil in pupils), share, settings)
            for pupils, share, settings in stages
        )
        rows = np.arange(len(judged))
        empty = Ensemble(made, goal.classes, rows, np.empty((0, goal.outputs)), ())
        answers = empty.predict(judged.inputs)
        value = goal.criterion(answers, judged.target, judged.weights)
        record = tuple(_told(pupil, value) for pupils, *_ in stages for pupil in pupils)
        return replace(empty, held_out=answers, record=record)


def _pupil(network: Any, stage: Stage, goal: Goal, number: int) -> Pupil:
    return Pupil(copy.deepcopy(network).float(), stage.settings, goal, number)


def _latest(before: Part, new: Part) -> Part:
    both = [np.concatenate(pair)[-MOST_HELD:] for pair in zip(before.inputs, new.inputs, strict=True)]
    target = np.concatenate([before.target, new.target])[-MOST_HELD:]
    weights = None
    if before.weights is not None or new.weights is not None:
        weights = np.concatenate([_weights(before), _weights(new)])[-MOST_HELD:]
    return Part(tuple(both), target, weights)


def _weights(part: Part) -> NDArray[np.float32]:
    return np.ones(len(part), np.float32) if part.weights is None else part.weights


def _told(pupil: Pupil, value: float) -> dict[str, Any]:
    engine = "eager" if pupil.steps <= EAGER else "native"
    return {"network": pupil.settings.network, "steps": pupil.steps, "criterion": value, "engine": engine}
