"""The whole job: a table and its target's name in, a model and its scores out, in steps that can be called alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import TableError
from fanin.tabular.baseline import constant_outputs, fit_linear, linear_outputs
from fanin.tabular.columns import Encoded, Plan, encode, fit_plans
from fanin.tabular.kinds import Column, describe
from fanin.tabular.model import Model, Predictions, read_outputs
from fanin.tabular.network import Architecture, plan_inputs
from fanin.tabular.scores import ClassScores, NumberScores, score_classes, score_numbers
from fanin.tabular.split import Split, split_rows
from fanin.tabular.table import Table
from fanin.tabular.target import Goal, NumberTarget, Target, Task, fit_target, read_goal
from fanin.tabular.training import Fitted, Part, Progress, Settings, Silent, defaults, train_network
from fanin.tabular.values import column

Scores = NumberScores | ClassScores


@dataclass(frozen=True)
class Options:
    """What the caller may decide; None and the empty mapping leave it to the table."""

    task: Task | None = None
    held_out: float = 0.2
    seed: int = 0
    categories: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """A table that is ready for training: columns told, rows split, plans fitted on the training rows, all encoded."""

    options: Options
    settings: Settings
    goal: Goal
    columns: tuple[Column, ...]
    split: Split
    plans: tuple[Plan, ...]
    target: Target
    encoded: Encoded

    def part(self, rows: NDArray[np.int64]) -> Part:
        """Return some rows, ready for the network."""
        return Part(self.encoded[rows], self.encoded_target()[rows])

    def encoded_target(self) -> NDArray[Any]:
        """Return the target of every row: class indices, or standardised numbers as a column."""
        if isinstance(self.target, NumberTarget):
            return self.target.encode(self.goal.values)
        return self.target.encode(list(self.goal.labels))


@dataclass(frozen=True)
class Result:
    """What training ended with; `scores` are of the held-out rows, by model: constant, linear model, network.

    After a Ctrl-C, `interrupted` is true; `scores` are empty when it came while they were computed.
    """

    prepared: Prepared
    model: Model
    fitted: Fitted
    scores: Mapping[str, Scores]
    interrupted: bool


def prepare(table: Table, target: str, options: Options | None = None) -> Prepared:
    """Tell task and columns, split the rows, and fit the plans on the training rows.

    Raises TableError when the target cannot be learned, or no column is left to learn it from.
    """
    options = options or Options()
    for name in (*options.categories, *options.ignore):
        column(table, name)
    goal = read_goal(table, target, options.task)
    used = [name for name in goal.table.names if name != target and name not in options.ignore]
    columns = tuple(describe(goal.table, name, name in options.categories) for name in used)
    split = split_rows(goal.table.rows, goal.labels, options.held_out, seed=options.seed)
    plans = fit_plans(goal.table, columns, split.train)
    if not any(plan.width or getattr(plan, "embedded", False) for plan in plans):
        raise TableError(f'{table.source} has no column to learn "{target}" from{_why_none(columns)}')
    settings = replace(defaults(goal.task, len(split.train), options.seed), **options.settings)
    return Prepared(
        options, settings, goal, columns, split, plans, fit_target(goal, split.train), encode(goal.table, plans)
    )


def train(prepared: Prepared, progress: Progress | None = None) -> Result:
    """Train a network for a prepared table, and score it on the held-out rows beside a constant and a linear model.

    >>> import polars
    >>> from fanin.tabular import Options, Table, prepare, train
    >>> x = [(7 * row) % 100 / 100 for row in range(200)]
    >>> table = Table("line", polars.DataFrame({"x": x, "y": [2 * each + 1 for each in x]}))
    >>> result = train(prepare(table, "y", Options(settings={"epochs": 40, "hidden": (16,)})))
    >>> result.scores["constant"].r2 < 0.1 < 0.9 < result.scores["network"].r2
    True
    """
    parts = (prepared.part(prepared.split.train), prepared.part(prepared.split.validation))
    fitted = train_network(_architecture(prepared), prepared.settings, prepared.goal.task, *parts, progress or Silent())
    model = Model(prepared.plans, prepared.target, fitted.network, prepared.options.missing)
    scores: dict[str, Scores] = {}
    interrupted = fitted.interrupted
    try:
        scores = _score_all(prepared, model)
    except KeyboardInterrupt:  # the network is trained: whoever has no patience for its scores still wants to keep it
        interrupted = True
    model = replace(model, training=_record(prepared, fitted, scores) | {"interrupted": interrupted})
    return Result(prepared, model, fitted, scores, interrupted)


def _why_none(columns: Sequence[Column]) -> str:
    if not columns:
        return ": it has no other column"
    if all(column.note == "one value in all rows" for column in columns):
        return ": all other columns are constant"
    notes = [f'"{column.name}" is {column.note or "constant in the training rows"}' for column in columns]
    return ": " + ", ".join(notes[:5]) + (", ..." if len(notes) > 5 else "")


def _architecture(prepared: Prepared) -> Architecture:
    settings = prepared.settings
    numbers, levels = plan_inputs(prepared.plans)
    return Architecture(
        numbers, levels, prepared.target.outputs, settings.hidden, settings.activation, settings.dropout
    )


def _score_all(prepared: Prepared, model: Model) -> dict[str, Scores]:
    split, goal = prepared.split, prepared.goal
    # Nothing chooses a linear model's best epoch, so it may learn from the validation rows as well.
    learned = prepared.part(np.sort(np.concatenate([split.train, split.validation])))
    judged = prepared.part(split.held_out)
    linear = fit_linear(learned, plan_inputs(prepared.plans)[1], prepared.target.outputs, goal.task)
    constant = constant_outputs(prepared.target, learned.target, len(split.held_out))
    predictions = {
        "constant": read_outputs(prepared.target, constant),
        "linear model": read_outputs(prepared.target, linear_outputs(linear, judged.encoded)),
        "network": model.predict_encoded(judged.encoded),
    }
    return {name: _score(prepared, each) for name, each in predictions.items()}


def _score(prepared: Prepared, predictions: Predictions) -> Scores:
    rows = prepared.split.held_out
    if predictions.probabilities is None:
        return score_numbers(predictions.values, prepared.goal.values[rows])
    return score_classes(predictions.probabilities, prepared.encoded_target()[rows])


def _record(prepared: Prepared, fitted: Fitted, scores: Mapping[str, Scores]) -> dict[str, Any]:
    split = prepared.split
    return {
        "rows": {"train": len(split.train), "validation": len(split.validation), "held out": len(split.held_out)},
        "settings": asdict(prepared.settings),
        "best epoch": asdict(fitted.best),
        "epochs": len(fitted.history),
        "scores": {name: asdict(each) for name, each in scores.items()},
    }
