"""The rows that a model is judged by and those that baselines learn from, and the report on it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fanin._core.errors import TableError
from fanin.cli._show import count

if TYPE_CHECKING:
    from fanin.tabular.evaluation import Evaluation


@dataclass(frozen=True)
class Rows:
    """Rows with a target.

    X:       a frame with the columns of the model.
    y:       the target, a series with its name.
    weights: of the rows; None where all weigh the same.
    """

    X: Any
    y: Any
    weights: Any = None


def labelled(model: Any, frame: Any, target: str, source: str, weight: str | None = None) -> Rows:
    """Return those rows of a frame that have a target and that a model can use; a warning tells of others.

    Raises TableError where no row has a target or can be used, or only one, where no label is one that the model
    knows, for columns of other types than in training, and for weights that are none.
    """
    import polars

    from fanin.cli._reports import warn
    from fanin.tabular.tasks import labels_like, numbers_as, usable, weights_as

    frame = frame.filter(frame.get_column(target).is_not_null())
    if not frame.height:
        raise TableError(f'{source}: the target "{target}" is missing in all rows')
    X, kept, warnings = usable(frame.select([str(name) for name in model.feature_names_in_]), model, source)
    for each in warnings:
        warn(each)
    frame = frame.filter(kept)
    series, classes = frame.get_column(target), getattr(model, "classes_", None)
    values = numbers_as(series, source) if classes is None else labels_like(series, classes)
    weights = weights_as(frame, weight, source)
    _check_enough(len(values) if weights is None else int((weights > 0).sum()), weight, source)
    if classes is not None:
        _check_known(values.tolist(), classes.tolist(), target, source)
    return Rows(X, polars.Series(target, values), weights)


def _check_enough(rows: int, weight: str | None, source: str) -> None:
    if rows < 2:
        above = "" if weight is None else f' and a "{weight}" above 0'
        raise TableError(f"{source}: {count(rows, 'row')} with a target{above} can be used; at least 2 are needed")


def _check_known(labels: list[Any], classes: list[Any], target: str, source: str) -> None:
    """Raise TableError where the model knows none of the labels."""
    if set(labels) & set(classes):
        return
    found, known = (", ".join(f'"{each}"' for each in dict.fromkeys(some[:5])) for some in (labels, classes))
    raise TableError(
        f'{source}: no row has a class that the model knows: the target "{target}" has {found}, the model {known}',
        remedy="if another column has the classes, name it with --target",
    )


def with_sample(report: Evaluation, rows: int) -> Evaluation:
    """Return a report that says so where baselines learned from fewer rows than the model did, which are `rows`."""
    from fanin.tabular.evaluation.records import Finding

    fewer = [each.rows for each in report.baselines if each.name != "constant" and each.rows < rows]
    if not fewer:
        return report
    text = f"The linear model and boosted trees learned from {count(min(fewer), 'row')}, the model from up to {rows:,}."
    more = Finding(
        "baselines of a sample", "note", text, "The table is larger than memory; with more rows they may be better."
    )
    return replace(report, findings=(*report.findings, more))


def judged(
    model: Any, rows: Rows, learned: Rows | None, arguments: argparse.Namespace, interrupted: bool = False
) -> Evaluation:
    """Return the report on a model; after Ctrl-C without what takes time.

    Args:
        model: a fitted estimator.
        rows: to judge it by.
        learned: rows that baselines learn from; None for no others than a constant.
        arguments: of the command.
        interrupted: whether training was.
    """
    from fanin.cli._progress import Bar
    from fanin.tabular.evaluation import evaluate

    baselines = not (getattr(arguments, "no_baselines", False) or interrupted)
    train = None if learned is None or not baselines else (learned.X, learned.y, learned.weights)
    with Bar() as bar:
        return evaluate(
            model,
            rows.X,
            rows.y,
            sample_weight=rows.weights,
            train=train,
            baselines=baselines,
            importance=not (arguments.no_importance or interrupted),
            seed=arguments.seed,
            progress=bar.say,
        )
