"""What `TabularClassifier.search` and `TabularRegressor.search` do."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from sklearn.utils import check_random_state

from fanin._core.errors import ArgumentError
from fanin.tabular.checking import check_time_limit
from fanin.tabular.fitting import criteria
from fanin.tabular.fitting.ensemble import Goal
from fanin.tabular.fitting.given import named, recipe_of, settings_of
from fanin.tabular.fitting.members import Plan
from fanin.tabular.fitting.presets import FEW, Recipe, recipe
from fanin.tabular.fitting.settings import Settings
from fanin.tabular.search.halving import RUNGS, STEPS, THIRD, Halving, Trial, columns
from fanin.tabular.search.result import Search, Trials
from fanin.tabular.search.space import Setting, Space, default_space, draw

EPOCHS = 90  # of the last rung, where the table has rows enough
ROWS = 50_000  # with more, fewer epochs, so that the time grows no further
FOLDS = 3  # up to FEW rows, where one share that is held out tells too little
OF_THE_TIME = 0.6  # for the search; the rest is for the fit at the end

Record = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What a search is asked for; see `TabularEstimator.search`."""

    space: Space | None
    trials: int
    time_limit: float | None
    cv: Any
    validation_fraction: float
    epochs: int | None
    callbacks: Callable[[Record], Any] | Iterable[Callable[[Record], Any]]
    refit: bool
    progress: bool
    random_state: Any
    parameters: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.trials, Integral) or self.trials < 1:
            raise ArgumentError(f"search: trials must be 1 or more, not {self.trials!r}")
        check_time_limit(self.time_limit, "search: ")


def search(kind: Any, rows: tuple[Any, Any], weights: dict[str, Any], options: Options) -> Search:
    """Search for settings of an estimator of a kind.

    Args:
        kind: the class.
        rows: X and y.
        weights: sample_weight and groups, as `fit` takes them.
        options: all else.
    """
    started = time.monotonic()
    seed = int(check_random_state(options.random_state).randint(2**30))
    model = kind(**options.parameters)
    ready = model._prepared(*rows, **weights)
    inputs, part = model._part(ready)
    preset = recipe(model.preset, kind._task, len(part), model._changes())
    preset = recipe_of(model.settings, preset, kind._task)
    folds = FOLDS if len(part) <= FEW else 1
    pairs = [(part[a], part[b]) for a, b in ready.splits(options.cv, (folds, 1), options.validation_fraction, seed)]
    epochs = _epochs(min(len(learned) for learned, _ in pairs)) if options.epochs is None else options.epochs
    given = _given(options, kind._task, len(part), seed)
    trials = _trials(given, preset, kind._task, epochs)
    goal = ready.goals[0]

    def plan(settings: Settings) -> Plan:
        return Plan(inputs, goal.outputs, settings, goal.loss(settings.smoothing), goal.criterion, goal.gain)

    writer = _Writer.of(given, goal, model)
    deadline = None if options.time_limit is None else started + OF_THE_TIME * options.time_limit
    score = criteria.log_loss if goal.classes else criteria.squared_error
    halving = Halving(plan, score, pairs, trials, seed, deadline, writer.teller(options.callbacks), options.progress)
    halving.run()
    known = sorted((trial for trial in trials if trial.rung), key=lambda trial: trial.order)
    if not known:
        raise KeyboardInterrupt
    best, fitted = named(known[0].settings), None
    if options.refit and halving.stopped != "interrupted":
        fitted = _refitted(kind, rows, weights, options, best, seed, started)
    return Search(writer.table(known), best, halving.stopped, fitted)


def _given(options: Options, task: str, rows: int, seed: int) -> list[Setting]:
    """Return what differs from the preset in each trial; in the first, nothing."""
    space = default_space(task, rows) if options.space is None else options.space
    return [{}, *draw(space, options.trials, seed)][: options.trials]


def _trials(given: Sequence[Setting], preset: Recipe, task: str, epochs: int) -> list[Trial]:
    every = [settings_of({"epochs": epochs, **each}, preset, task) for each in given]
    return [Trial(number, settings) for number, settings in enumerate(every)]


def _epochs(rows: int) -> int:
    """Return the epochs of the last rung: enough that the first has a few dozen steps."""
    more: int = THIRD ** (RUNGS - 1)  # times those of the first
    first = math.ceil(STEPS / max(1, rows // 256))
    return max(min(EPOCHS, EPOCHS * ROWS // rows), first * more)


def _refitted(
    kind: Any,
    rows: tuple[Any, Any],
    weights: dict[str, Any],
    options: Options,
    best: Setting,
    seed: int,
    started: float,
) -> Any:
    """Return an estimator with the best settings, fitted in what is left of the time."""
    limit = options.time_limit
    left = None if limit is None else max(0.1 * limit, started + limit - time.monotonic())
    usual = {"cv": options.cv, "validation_fraction": options.validation_fraction, "random_state": seed}
    model = kind(**{**usual, **options.parameters, "settings": best, "time_limit": left}).fit(*rows, **weights)
    return model.set_params(time_limit=options.parameters.get("time_limit"))


@dataclass(frozen=True)
class _Writer:
    """Makes records of trials.

    names: of the settings that are searched.
    label: of the score, and `unit` makes it of the one that is compared.
    """

    names: tuple[str, ...]
    label: str
    unit: Callable[[float], float]

    @classmethod
    def of(cls, given: Sequence[Setting], goal: Goal, model: Any) -> _Writer:
        names = tuple(dict.fromkeys(name for each in given for name in each if name != "epochs"))
        if goal.classes:
            return cls(names, "log_loss", float)
        if goal.outputs > 1:
            return cls(names, "scaled_rmse", math.sqrt)
        spread = float(model._spread[0])
        return cls(names, "rmse", lambda squared: math.sqrt(squared) * spread)

    def record(self, trial: Trial) -> Record:
        return {
            "trial": trial.number,
            **columns(trial, self.names),
            "rung": trial.rung,
            "epochs": trial.epochs,
            self.label: self.unit(trial.score),
            "seconds": trial.seconds,
            "ended": trial.ended,
        }

    def table(self, known: Sequence[Trial]) -> Trials:
        return Trials({"rank": rank, **self.record(trial)} for rank, trial in enumerate(known, 1))

    def teller(self, callbacks: Any) -> Callable[[Trial], bool]:
        """Return what tells the callbacks of a trial, and says whether one of them ends the search."""
        calls = [callbacks] if callable(callbacks) else list(callbacks)
        return lambda trial: True in [call(self.record(trial)) for call in calls]
