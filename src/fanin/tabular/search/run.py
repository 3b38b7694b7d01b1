"""`TabularClassifier.search` and `TabularRegressor.search`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sklearn.utils import check_random_state

from fanin._core.errors import ArgumentError
from fanin.tabular.fitting.given import named, recipe_of, settings_of
from fanin.tabular.fitting.members import Plan
from fanin.tabular.fitting.presets import FEW, recipe
from fanin.tabular.fitting.settings import Settings
from fanin.tabular.search.halving import RUNGS, STEPS, THIRD, Halving, Trial, columns
from fanin.tabular.search.result import Search, Trials
from fanin.tabular.search.space import Space, default_space, draw

EPOCHS = 90  # of the last rung, where the table has rows enough
ROWS = 50_000  # with more, fewer epochs, so that the time grows no further
FOLDS = 3  # up to FEW rows, where one share that is held out tells too little
OF_THE_TIME = 0.6  # for the search; the rest is for the fit at the end


def search(
    kind: Any,
    X: Any,
    y: Any,
    *,
    space: Space | None,
    trials: int,
    time_limit: float | None,
    cv: Any,
    validation_fraction: float,
    epochs: int | None,
    sample_weight: Any,
    groups: Any,
    callbacks: Callable[[dict[str, Any]], Any] | Iterable[Callable[[dict[str, Any]], Any]],
    refit: bool,
    progress: bool,
    random_state: Any,
    parameters: Mapping[str, Any],
) -> Search:
    """Search for settings of an estimator of a kind; see `TabularEstimator.search`."""
    started = time.monotonic()
    if not isinstance(trials, int) or trials < 1:
        raise ArgumentError(f"search: trials must be 1 or more, not {trials!r}")
    if time_limit is not None and not time_limit > 0:
        raise ArgumentError(f"search: time_limit must be above 0 seconds, or None, not {time_limit!r}")
    seed = int(check_random_state(random_state).randint(2**30))
    model = kind(**parameters)
    ready = model._prepared(X, y, sample_weight, groups)
    inputs, part = model._part(ready)
    preset = recipe_of(model.settings, recipe(model.preset, kind._task, len(part), model._changes()), kind._task)
    splits = ready.splits(cv, (FOLDS if len(part) <= FEW else 1, 1), validation_fraction, seed)
    given = draw(default_space(kind._task, len(part)) if space is None else space, trials, seed)
    names = list(dict.fromkeys(name for each in given for name in each if name != "epochs"))
    last = epochs or _epochs(min(len(learned) for learned, _ in splits))
    # The preset's own settings are the first that are tried.
    every = [{}, *given][:trials]
    tried = [
        Trial(number, settings_of({"epochs": last, **each}, preset, kind._task)) for number, each in enumerate(every)
    ]
    goal = ready.goals[0]
    label, unit = _criterion(model, goal)
    calls = [callbacks] if callable(callbacks) else list(callbacks)

    def plan(settings: Settings) -> Plan:
        return Plan(inputs, goal.outputs, settings, goal.loss(settings.smoothing), goal.criterion, goal.gain)

    def told(trial: Trial) -> bool:
        record = _record(trial, names, label, unit)
        return True in [call(record) for call in calls]

    deadline = None if time_limit is None else started + OF_THE_TIME * time_limit
    halving = Halving(plan, [(part[a], part[b]) for a, b in splits], tried, seed, deadline, told, progress)
    halving.run()
    known = sorted((trial for trial in tried if trial.rung), key=lambda trial: trial.order)
    if not known:
        raise KeyboardInterrupt
    table = Trials({"rank": i, **_record(trial, names, label, unit)} for i, trial in enumerate(known, 1))
    best = named(known[0].settings)
    fitted = None
    if refit and halving.stopped != "interrupted":
        left = None if time_limit is None else max(0.1 * time_limit, started + time_limit - time.monotonic())
        usual = {"cv": cv, "validation_fraction": validation_fraction, "random_state": seed, **parameters}
        fitted = kind(**{**usual, "settings": best, "time_limit": left})
        fitted.fit(X, y, sample_weight=sample_weight, groups=groups)
        fitted.set_params(time_limit=parameters.get("time_limit"))
    return Search(table, best, halving.stopped, fitted)


def _epochs(rows: int) -> int:
    """Return the epochs of the last rung: enough that the first has a few dozen steps."""
    more: int = THIRD ** (RUNGS - 1)  # times those of the first
    first = math.ceil(STEPS / max(1, rows // 256))
    return max(min(EPOCHS, EPOCHS * ROWS // rows), first * more)


def _criterion(model: Any, goal: Any) -> tuple[str, Callable[[float], float]]:
    """Return the name of the criterion in the table, and what makes it of the one that is compared."""
    if goal.classes:
        return "log_loss", float
    if goal.outputs > 1:
        return "scaled_rmse", math.sqrt
    spread = float(model._spread[0])
    return "rmse", lambda squared: math.sqrt(squared) * spread


def _record(trial: Trial, names: list[str], label: str, unit: Callable[[float], float]) -> dict[str, Any]:
    return {
        "trial": trial.number,
        **columns(trial, names),
        "rung": trial.rung,
        "epochs": trial.epochs,
        label: unit(trial.criterion),
        "seconds": trial.seconds,
        "ended": trial.ended,
    }
