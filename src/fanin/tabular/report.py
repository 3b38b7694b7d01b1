"""The report of a training: plain data first, then text for a file or a pipe, or tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fanin.tabular.columns import LevelPlan, NumberPlan, Plan
from fanin.tabular.job import Prepared, Result
from fanin.tabular.kinds import Column
from fanin.tabular.scores import ClassScores, NumberScores
from fanin.tabular.training import Fitted, Settings

MOST_COLUMNS = 60
MOST_CLASSES = 40


@dataclass(frozen=True)
class Grid:
    """A table to print: a title, headings (numbers are flush right), rows, and the row to stress."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    stressed: int | None = None


@dataclass(frozen=True)
class Facts:
    """A few named lines."""

    title: str
    lines: tuple[tuple[str, str], ...]


Block = Grid | Facts


def describe_data(prepared: Prepared) -> list[Block]:
    """Tell what was read: the columns as they were told, the task, and the split; known before training."""
    goal, split = prepared.goal, prepared.split
    lines = [
        ("table", f"{goal.table.source}: {_count(goal.table.rows + goal.dropped, 'row')}, {_columns(prepared)}"),
        ("target", f'"{goal.name}"'),
        ("task", f"{_task(prepared)} ({goal.reason})"),
    ]
    if goal.dropped:
        lines.append(("left out", f"{_count(goal.dropped, 'row')} without a target"))
    learned = f"{len(split.train):,} to train on, {len(split.validation):,} to choose the best epoch"
    lines.append(("rows", f"{learned}, {len(split.held_out):,} held out for the score"))
    return [_column_grid(prepared), Facts("Task", tuple(lines))]


def describe_result(result: Result) -> list[Block]:
    """Tell the network, its best epoch, the scores beside the baselines, and the classes one by one."""
    blocks: list[Block] = [_network(result.fitted, result.prepared.settings)]
    if result.scores:
        blocks.append(_score_grid(result))
    network = result.scores.get("network")
    if isinstance(network, ClassScores):
        blocks.append(_class_grid(result, network))
    return blocks


def _network(fitted: Fitted, settings: Settings) -> Facts:
    shape, weights = fitted.network.architecture, fitted.network.weight_count()
    vectors = f" + {len(shape.levels)} x {shape.embedding}" if shape.levels else ""
    widths = " - ".join([f"{shape.numbers}{vectors}", *map(str, shape.hidden), str(shape.outputs)])
    dropout = f", dropout {settings.dropout:g}" if settings.dropout else ""
    how = f"AdamW, batches of {settings.batch_size}, learning rate {settings.rate:g} (rises, then falls along a cosine)"
    stopped = f", stopped by Ctrl-C after {len(fitted.history)}" if fitted.interrupted else ""
    best = f"{fitted.best.number} of {settings.epochs}{stopped} (validation loss {fitted.best.validation_loss:.4g})"
    lines = (
        ("layers", f"{widths}, {shape.activation}{dropout}, {weights:,} weights"),
        ("training", how),
        ("best epoch", best),
    )
    return Facts("Network", lines)


def _columns(prepared: Prepared) -> str:
    used = sum(column.kind != "left out" for column in prepared.columns)
    others = len(prepared.columns) - used
    return _count(used, "column") + " to learn from" + (f", {others} left out" if others else "")


def _task(prepared: Prepared) -> str:
    if prepared.goal.task == "regression":
        return "regression"
    return f"{prepared.target.outputs} classes"


def _column_grid(prepared: Prepared) -> Grid:
    plans = {plan.name: plan for plan in prepared.plans}
    shown = prepared.columns[:MOST_COLUMNS]
    rows = [_column_row(column, plans.get(column.name)) for column in shown]
    if len(shown) < len(prepared.columns):
        rows.append((f"and {len(prepared.columns) - len(shown)} more", "", "", "", ""))
    headings = ("column", "kind", "missing", "different", "becomes")
    return Grid("Columns", headings, tuple(rows), frozenset({2, 3}))


def _column_row(column: Column, plan: Plan | None) -> tuple[str, ...]:
    name = column.name or "(no name)"
    return (name, column.kind, f"{column.missing:,}", f"{column.distinct:,}", _becomes(column, plan))


def _becomes(column: Column, plan: Plan | None) -> str:
    if plan is None:
        return column.note
    if isinstance(plan, LevelPlan):
        if plan.embedded:
            return f"a learned vector for each of {len(plan.levels)} levels"
        return "one input, +1 or -1" if len(plan.levels) == 2 else _count(len(plan.levels), "input") + ", one a level"
    if plan.kind == "date":
        return _count(plan.width, "input") + ": days and cycles" + _gaps(plan)
    return "one input" + _gaps(plan)


def _gaps(plan: NumberPlan) -> str:
    return ", and one that tells missing" if plan.tells_missing else ""


def _score_grid(result: Result) -> Grid:
    held_out = len(result.prepared.split.held_out)
    title = f"Score on {_count(held_out, 'held-out row')}"
    last = len(result.scores) - 1
    if isinstance(result.scores["network"], NumberScores):
        headings = ("", "R2", "RMSE", "MAE")
        rows = [
            (name, _four(each.r2), number(each.rmse), number(each.mae))
            for name, each in result.scores.items()
            if isinstance(each, NumberScores)
        ]
    else:
        headings = ("", "accuracy", "log-loss", "errors")
        rows = [
            (name, f"{each.accuracy:.4f}", f"{each.log_loss:.4f}", f"{round((1 - each.accuracy) * held_out):,}")
            for name, each in result.scores.items()
            if isinstance(each, ClassScores)
        ]
    return Grid(title, headings, tuple(rows), frozenset({1, 2, 3}), last)


def _class_grid(result: Result, scores: ClassScores) -> Grid:
    classes = result.model.target.classes  # type: ignore[union-attr]
    rows = [
        (name, f"{support:,}", _share(precision), _share(recall))
        for name, support, precision, recall in zip(
            classes, scores.support, scores.precision, scores.recall, strict=True
        )
    ]
    if len(rows) > MOST_CLASSES:
        rows = [*rows[:MOST_CLASSES], (f"and {len(rows) - MOST_CLASSES} more", "", "", "")]
    headings = ("class", "held-out rows", "precision", "recall")
    return Grid("Network, class by class", headings, tuple(rows), frozenset({1, 2, 3}))


def _four(value: float) -> str:
    return f"{round(value, 4) + 0.0:.4f}"  # + 0.0: a constant's R2 is 0.0000, not -0.0000


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def number(value: float) -> str:
    """Write a number with about four digits that say something.

    >>> number(553.1901), number(12345.6), number(0.0123456)
    ('553.2', '12,346', '0.01235')
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}" if digits <= 8 else f"{value:.3e}"


def as_text(blocks: Sequence[Block]) -> str:
    """Write the blocks as plain text, columns aligned with spaces.

    >>> print(as_text([Facts("Task", (("rows", "10"), ("target", "price")))]))
    Task
      rows    10
      target  price
    <BLANKLINE>
    """
    return "\n".join(_text_of(block) for block in blocks)


def _text_of(block: Block) -> str:
    if isinstance(block, Facts):
        width = max(len(name) for name, _ in block.lines)
        return "\n".join([block.title, *(f"  {name:<{width}}  {text}" for name, text in block.lines), ""])
    rows = [block.headings, *block.rows]
    widths = [max(len(row[place]) for row in rows) for place in range(len(block.headings))]
    lines = ["  " + "  ".join(_pad(block, row, place, widths) for place in range(len(widths))) for row in rows]
    return "\n".join([block.title, *(line.rstrip() for line in lines), ""])


def _pad(block: Grid, row: tuple[str, ...], place: int, widths: Sequence[int]) -> str:
    return row[place].rjust(widths[place]) if place in block.right else row[place].ljust(widths[place])
