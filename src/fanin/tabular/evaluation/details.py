"""What lies behind the scores: confusions of classes, residuals of numbers, and whether probabilities come true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from fanin.tabular.evaluation.bootstrap import effective, wilson
from fanin.tabular.evaluation.measures import BINS, Classes, Floats, calibration_error, said_and_so, weighted
from fanin.tabular.evaluation.records import Bin, Calibration, ClassScore, Confusion, Residuals, WorstRow

MOST_CLASSES = 12  # in a matrix
MOST_MISTAKES = 15
MOST_POINTS = 800
WORST = 10
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
COVERAGES = (0.5, 0.7, 0.8, 0.9, 0.95)
DRAWS = 500


def confusion(classes: Classes, proba: Floats, labels: Sequence[str], weights: Floats | None = None) -> Confusion:
    """Return which classes are taken for which, in rows, and how well each is found, by the rows' weights."""
    predicted, numbers = proba.argmax(axis=1), np.arange(len(labels))
    matrix = confusion_matrix(classes, predicted, labels=numbers)
    precision, recall, f1, _ = precision_recall_fscore_support(
        classes, predicted, labels=numbers, zero_division=np.nan, sample_weight=weights
    )
    rows, found = matrix.sum(axis=1), matrix.sum(axis=0)
    scores = tuple(
        ClassScore(label, int(rows[i]), int(found[i]), float(precision[i]), float(recall[i]), float(f1[i]))
        for i, label in enumerate(labels)
    )
    shown = tuple(tuple(row) for row in matrix.tolist()) if len(labels) <= MOST_CLASSES else ()
    return Confusion(scores, shown, _mistakes(matrix, labels))


def _mistakes(matrix: Classes, labels: Sequence[str]) -> tuple[tuple[str, str, int], ...]:
    wrong = matrix * (1 - np.eye(len(labels), dtype=np.int64))
    places = np.argsort(-wrong, axis=None, kind="stable")[:MOST_MISTAKES]
    pairs = [divmod(int(place), len(labels)) for place in places]
    return tuple((labels[true], labels[said], int(wrong[true, said])) for true, said in pairs if wrong[true, said])


def residuals(
    actual: Floats, predicted: Floats, target: str, rows: Classes, seed: int, weights: Floats | None = None
) -> Residuals:
    """Return the errors of one target, (rows,) each; `rows` are their numbers in the table that was given."""
    errors = actual - predicted
    worst = np.argsort(-np.abs(errors), kind="stable")[:WORST]
    some = np.arange(len(errors))
    if len(errors) > MOST_POINTS:
        some = np.sort(np.random.default_rng(seed).choice(len(errors), MOST_POINTS, replace=False))
    return Residuals(
        target,
        float(np.average(errors, weights=weights)),
        _spread(errors, weights),
        tuple(zip(LEVELS, _quantiles(errors, weights), strict=True)),
        tuple(WorstRow(int(rows[i]), float(predicted[i]), float(actual[i])) for i in worst),
        tuple(zip(predicted[some].tolist(), errors[some].tolist(), strict=True)),
    )


def _spread(errors: Floats, weights: Floats | None) -> float:
    rows = effective(weights, len(errors))
    if rows <= 1 or weights is None:
        return float(errors.std(ddof=1))
    squares = (errors - np.average(errors, weights=weights)) ** 2
    return float(np.sqrt(np.average(squares, weights=weights) * rows / (rows - 1)))


def _quantiles(errors: Floats, weights: Floats | None) -> list[float]:
    how: dict[str, Any] = {} if weights is None else {"weights": weights, "method": "inverted_cdf"}
    found: list[float] = np.quantile(errors, LEVELS, **how).tolist()
    return found


def class_calibration(
    classes: Classes, proba: Floats, labels: Sequence[str], seed: int, weights: Floats | None = None
) -> Calibration:
    """Return how often it was so, for rows of similar probability."""
    said, so, bins = said_and_so(classes, proba)
    found = []
    for number in range(BINS):
        here = bins == number
        count, held = int(here.sum()), None if weights is None else weights[bins == number]
        if count:
            mean, share = (float(np.average(each[here], weights=held)) for each in (said, so))
            found.append(Bin(mean, share, *wilson(share, effective(held, count)), count))
    (error,) = weighted([calibration_error(classes, proba)], weights)
    of = f'the class "{labels[1]}"' if proba.shape[1] == 2 else "the class that is predicted"
    return Calibration(of, tuple(found), error.value, _usual(said, bins, seed, weights))


def _usual(said: Floats, bins: Classes, seed: int, weights: Floats | None) -> float:
    """Return the calibration error that 95% of draws stay below in which every probability is right."""
    rng, errors = np.random.default_rng(seed), []
    held = np.ones(len(said)) if weights is None else weights
    for _ in range(DRAWS if len(said) <= 10**5 else 100):
        gaps = np.bincount(bins, held * ((rng.random(len(said)) < said) - said), BINS)
        errors.append(np.abs(gaps).sum() / held.sum())
    return float(np.quantile(errors, 0.95))


def number_calibration(
    actual: Floats, intervals: Sequence[tuple[float, Floats]], weights: Floats | None = None
) -> Calibration:
    """Return how many rows intervals cover: for each nominal coverage the ends, (rows, 2)."""
    found, rows = [], effective(weights, len(actual))
    for level, ends in intervals:
        share = float(np.average((ends[:, 0] <= actual) & (actual <= ends[:, 1]), weights=weights))
        found.append(Bin(level, share, *wilson(share, rows), len(actual)))
    error = float(np.mean([abs(each.found - each.said) for each in found]))
    return Calibration("the interval", tuple(found), error, float("nan"))
