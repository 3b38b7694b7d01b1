"""`evaluate`: judge a fitted model by rows that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError
from fanin.tabular.evaluation import details
from fanin.tabular.evaluation.baselines import Flat, Said, boosted_trees, constant, doubles, linear_model
from fanin.tabular.evaluation.bootstrap import effective, interval_of, lead_of, quantiles, resampled, resamples_for
from fanin.tabular.evaluation.copies import copies
from fanin.tabular.evaluation.importance import permutation_importance
from fanin.tabular.evaluation.measures import (
    Floats,
    Measure,
    class_measures,
    interval_measures,
    log_loss,
    number_measures,
    weighted,
)
from fanin.tabular.evaluation.reading import Held, numbers, probabilities, read_held, some_of
from fanin.tabular.evaluation.records import MODEL, Importance, Lead, Score, Task
from fanin.tabular.evaluation.report import Evaluation
from fanin.tabular.evaluation.verdict import findings
from fanin.tabular.evaluation.words import label_text
from fanin.tabular.inputs.unfamiliar import gathered

COVERAGE = 0.9
Progress = Callable[[str], None]


def evaluate(
    model: Any,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    train: tuple[Any, ...] | None = None,
    baselines: bool = True,
    importance: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Judge a fitted model by held-out rows.

    Scores have 95% intervals: of shares of rows by Wilson's formula, of all else by resampling rows; leads over
    baselines are of the same rows. Rows without a target are left out.

    Args:
        model: a fitted TabularClassifier or TabularRegressor, or what predicts as they do.
        X: held-out rows: a frame of pandas, polars or Arrow, or an array (rows, columns).
        y: their target: labels (rows,), or numbers (rows,) or (rows, targets).
        sample_weight: how much each row counts in scores, baselines, calibration and importance, (rows,); rows of
            weight 0 are left out, and counts of rows count rows.
        train: X and y of the rows that the model was trained on, from which linear model and boosted trees learn, and
            perhaps their weights. Without, the only baseline is a constant.
        baselines: whether to compare with baselines.
        importance: whether to shuffle columns, which takes several predictions for each.
        seed: of all that is drawn.
        progress: called with a sentence before each step that takes time.

    Raises:
        ValueError: X and y of different lengths, fewer than two rows with a target, labels that the model cannot know,
            weights that are not one for each row, or below 0.
        TypeError: a model that does not predict.
        ImportError: scikit-learn is not installed.

    >>> from sklearn.linear_model import LinearRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 3))
    >>> y = X[:, 0] + 0.5 * rng.normal(size=400)
    >>> found = evaluate(LinearRegression().fit(X[:200], y[:200]), X[200:], y[200:], train=(X[:200], y[:200]))
    >>> print(found.findings[0].text)  # doctest: +ELLIPSIS
    Better than boosted trees by ... RMSE ...
    """
    held = read_held(model, X, y, sample_weight)
    learned = None if train is None else _learned(model, train)
    asked = _Asked(baselines, importance, seed, progress or _nothing)
    with gathered() as strange:
        parts = _judgement(model, held, learned, asked)
    # What the first prediction has told; of shuffled columns all is told again.
    first = {(each.column, each.kind): each for each in reversed(strange)}
    report = Evaluation(**_about(model, held, learned, seed), **parts, unfamiliar=tuple(reversed(first.values())))
    return replace(report, findings=findings(report, held.known))


@dataclass(frozen=True)
class _Asked:
    """What a caller wants to have in a report."""

    baselines: bool
    importance: bool
    seed: int
    tell: Progress


def _judgement(model: Any, held: Held, learned: Held | None, asked: _Asked) -> dict[str, Any]:
    """Return what is found out about a model, by the names of the report's fields."""
    asked.tell("predictions")
    answer, measures = _judged(model, held)
    flat = None if learned is None or not asked.baselines else Flat(learned.table)
    repeated = (0.0, 0.0) if flat is None or learned is None else doubles(learned, held, flat)
    said = _baselines(learned, held, flat, asked.seed, asked.tell) if asked.baselines else []
    asked.tell("intervals")
    scores, leads = _scores(held, measures, said, asked.seed)
    found = _details(model, held, answer, asked.seed, asked.tell)
    columns = _importance(model, held, asked.seed, asked.tell) if asked.importance else None
    return found | {
        "scores": scores,
        "leads": leads,
        "baselines": tuple(each.baseline for each in said),
        "importance": columns,
        "copies": copies(held, asked.seed),
        "repeated": repeated[0],
        "repeated_usual": repeated[1],
        "notes": _notes(held, learned, asked.baselines, columns),
    }


def _about(model: Any, held: Held, learned: Held | None, seed: int) -> dict[str, Any]:
    """Return what a report is about, by the names of its fields."""
    task: Task = "classes" if held.numbers is None else "numbers"
    return {
        "task": task,
        "model": type(model).__name__,
        "rows": len(held),
        "left_out": held.given - len(held),
        "trained_on": None if learned is None else len(learned),
        "targets": tuple(label_text(name) for name in held.targets),
        "labels": tuple(label_text(label) for label in held.labels),
        "seed": seed,
        "findings": (),
        "effective_rows": None if held.weights is None else effective(held.weights, len(held)),
    }


def _nothing(step: str) -> None:
    return


def _learned(model: Any, given: tuple[Any, ...]) -> Held:
    """Return the training rows whose class the model knows."""
    if not 2 <= len(given) <= 3:
        raise ArgumentError(f"train is X and y, and perhaps the weights of the rows, not {len(given)} things")
    X, y, *weights = given
    train = read_held(model, X, y, weights[0] if weights else None, name="train")
    if train.classes is None or len(train.labels) == train.known:
        return train
    return some_of(train, np.flatnonzero(train.classes < train.known))


# Scores ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """A measure of one method on one target."""

    method: str
    target: str
    measure: Measure


def _judged(model: Any, held: Held) -> tuple[Floats, list[Judged]]:
    """Return what the model says, and its measures."""
    if held.numbers is None:
        answer = probabilities(model, held.table, held.labels, held.known)
        return answer, _measures(MODEL, held, answer)
    answer = numbers(model, held.table, held.numbers.shape[1])
    found = _measures(MODEL, held, answer)
    if _has_intervals(model, held):
        ends = np.asarray(model.predict_interval(held.table, COVERAGE), np.float64)
        more = interval_measures(held.numbers[:, 0], ends[:, 0], ends[:, 1], COVERAGE, held.weights)
        found += [Judged(MODEL, held.targets[0], each) for each in more]
    return answer, found


def _has_intervals(model: Any, held: Held) -> bool:
    return held.numbers is not None and held.numbers.shape[1] == 1 and hasattr(model, "predict_interval")


def _measures(method: str, held: Held, answer: Floats) -> list[Judged]:
    if held.numbers is None:
        assert held.classes is not None
        return [Judged(method, held.targets[0], each) for each in class_measures(held.classes, answer, held.weights)]
    return [
        Judged(method, target, each)
        for number, target in enumerate(held.targets)
        for each in number_measures(held.numbers[:, number], answer[:, number], held.weights)
    ]


def _baselines(train: Held | None, held: Held, flat: Flat | None, seed: int, tell: Progress) -> list[Said]:
    found = [constant(train, held)]
    if train is None or (train.classes is not None and len(np.unique(train.classes)) < 2):
        return found
    if flat is not None and flat.columns:
        tell("linear model")
        found.append(linear_model(train, held, flat, seed))
        tell("boosted trees")
        found.append(boosted_trees(train, held, flat, seed))
    return found


def _scores(
    held: Held, judged: list[Judged], said: Sequence[Said], seed: int
) -> tuple[tuple[Score, ...], tuple[Lead, ...]]:
    """Return all scores, and the leads over the baselines, with intervals from the same resamples."""
    judged = judged + [each for one in said for each in _measures(one.baseline.name, held, one.answer)]
    drawn = resampled([each.measure for each in judged], len(held), seed, held.weights)
    scores = tuple(
        Score(
            e.method,
            label_text(e.target),
            e.measure.name,
            e.measure.value,
            *interval_of(e.measure, d),
            e.measure.better,
        )
        for e, d in zip(judged, drawn.T, strict=True)
    )
    place = {(each.method, each.target, each.measure.name): number for number, each in enumerate(judged)}
    leads = []
    for number, each in enumerate(judged):
        if each.method != MODEL:
            own = place[MODEL, each.target, each.measure.name]
            better = each.measure.better
            value = lead_of(np.array(judged[own].measure.value), np.array(each.measure.value), better)
            ends = quantiles(lead_of(drawn[:, own], drawn[:, number], better))
            leads.append(Lead(each.method, label_text(each.target), each.measure.name, float(value), *ends))
    return scores, tuple(leads)


# What lies behind them ------------------------------------------------------------------------------------------------


def _details(model: Any, held: Held, answer: Floats, seed: int, tell: Progress) -> dict[str, Any]:
    labels, weights = [label_text(label) for label in held.labels], held.weights
    if held.classes is not None:
        calibration = details.class_calibration(held.classes, answer, labels, seed, weights)
        confusion = details.confusion(held.classes, answer, labels, weights)
        return {"confusion": confusion, "residuals": (), "calibration": calibration}
    assert held.numbers is not None
    found = tuple(
        details.residuals(held.numbers[:, number], answer[:, number], label_text(target), held.rows, seed, weights)
        for number, target in enumerate(held.targets)
    )
    coverage = None
    if _has_intervals(model, held):
        tell("coverage of intervals")
        ends = [(level, np.asarray(model.predict_interval(held.table, level))) for level in details.COVERAGES]
        coverage = details.number_calibration(held.numbers[:, 0], ends, weights)
    return {"confusion": None, "residuals": found, "calibration": coverage}


def _importance(model: Any, held: Held, seed: int, tell: Progress) -> Importance:
    """Return by how much log-loss or RMSE rises; of several targets, the root of the mean of R2's complements."""
    weights = np.ones(len(held)) if held.weights is None else held.weights
    if held.classes is not None:
        classes = held.classes

        def loss(table: Any, rows: Any) -> float:
            said = probabilities(model, table, held.labels, held.known)
            return weighted([log_loss(classes[rows], said)], weights[rows])[0].value

        return permutation_importance(held.table, loss, "log-loss", seed, tell)
    assert held.numbers is not None
    targets = held.numbers
    centre = np.average(targets, axis=0, weights=weights)
    units = np.sqrt(np.average((targets - centre) ** 2, axis=0, weights=weights))
    units = units if targets.shape[1] > 1 else np.ones(1)
    units = np.where(units > 0, units, 1.0)

    def error(table: Any, rows: Any) -> float:
        off = (numbers(model, table, targets.shape[1]) - targets[rows]) / units
        return float(np.sqrt(np.average((off**2).mean(axis=1), weights=weights[rows])))

    name = "RMSE" if targets.shape[1] == 1 else "RMSE in standard deviations"
    return permutation_importance(held.table, error, name, seed, tell)


def _notes(held: Held, train: Held | None, baselines: bool, columns: Importance | None) -> tuple[str, ...]:
    """Say how the numbers were made."""
    rows = "accuracy" if held.numbers is None else "coverage"
    how = f"Intervals are 95%: of {rows} by Wilson's formula, of all else from {resamples_for(len(held)):,} bootstrap "
    how += "resamples of the held-out rows; of leads, both methods on the same resamples. "
    how += "They tell how much other rows would change the numbers, not how much another training would."
    found = [how]
    if held.weights is not None:
        found.append(
            "Rows are weighted in all scores; counts of rows are not. Their weights differ so that they tell as much "
            f"as {effective(held.weights, len(held)):,.0f} rows of equal weight."
        )
    if held.classes is not None:
        found.append("Calibration error: the mean over ten bins of |share that is so - mean probability|.")
    if baselines and train is None:
        found.append(
            "No training rows were given, so that the constant is the only baseline, and the best there can be."
        )
    if columns:
        found.append(
            f"Importance: by how much {columns.measure} rises when a column is shuffled, on {columns.rows:,} rows, "
            f"{columns.repeats} times. Columns that say the same can stand in for each other; then each looks small."
        )
    if columns and columns.others:
        found.append(
            "The table is wide: columns were shuffled in groups, and the group that mattered most was halved again and "
            f"again; {len(columns.columns):,} columns were looked at one by one."
        )
    return tuple(found)
