"""What lies behind the scores: confusions of classes, residuals of numbers, and whether probabilities come true."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from fanin.tabular.evaluation.bootstrap import wilson
from fanin.tabular.evaluation.measures import BINS, Classes, Floats, calibration_error, said_and_so
from fanin.tabular.evaluation.records import Bin, Calibration, ClassScore, Confusion, Residuals, WorstRow

MOST_CLASSES = 12  # in a matrix
MOST_MISTAKES = 15
MOST_POINTS = 800
WORST = 10
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
COVERAGES = (0.5, 0.7, 0.8, 0.9, 0.95)
DRAWS = 500


def confusion(classes: Classes, proba: Floats, labels: Sequence[str]) -> Confusion:
    """Return which classes are taken for which, and how well each is found."""
    predicted, numbers = proba.argmax(axis=1), np.arange(len(labels))
    matrix = confusion_matrix(classes, predicted, labels=numbers)
    precision, recall, f1, rows = precision_recall_fscore_support(
        classes, predicted, labels=numbers, zero_division=np.nan
    )
    found = matrix.sum(axis=0)
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


def residuals(actual: Floats, predicted: Floats, target: str, rows: Classes, seed: int) -> Residuals:
    """Return the errors of one target, (rows,) each; `rows` are their numbers in the table that was given."""
    errors = actual - predicted
    worst = np.argsort(-np.abs(errors), kind="stable")[:WORST]
    some = np.arange(len(errors))
    if len(errors) > MOST_POINTS:
        some = np.sort(np.random.default_rng(seed).choice(len(errors), MOST_POINTS, replace=False))
    return Residuals(
        target,
        float(errors.mean()),
        float(errors.std(ddof=1)),
        tuple(zip(LEVELS, np.quantile(errors, LEVELS).tolist(), strict=True)),
        tuple(WorstRow(int(rows[i]), float(predicted[i]), float(actual[i])) for i in worst),
        tuple(zip(predicted[some].tolist(), errors[some].tolist(), strict=True)),
    )


def class_calibration(classes: Classes, proba: Floats, labels: Sequence[str], seed: int) -> Calibration:
    """Return how often it was so, for rows of similar probability."""
    said, so, bins = said_and_so(classes, proba)
    found = []
    for number in range(BINS):
        here = bins == number
        count = int(here.sum())
        if count:
            share = float(so[here].mean())
            found.append(Bin(float(said[here].mean()), share, *wilson(share, count), count))
    of = f'the class "{labels[1]}"' if proba.shape[1] == 2 else "the class that is predicted"
    return Calibration(of, tuple(found), calibration_error(classes, proba).value, _usual(said, bins, seed))


def _usual(said: Floats, bins: Classes, seed: int) -> float:
    """Return the calibration error that 95% of draws stay below in which every probability is right."""
    rng, errors = np.random.default_rng(seed), []
    for _ in range(DRAWS if len(said) <= 10**5 else 100):
        gaps = np.bincount(bins, (rng.random(len(said)) < said) - said, BINS)
        errors.append(np.abs(gaps).sum() / len(said))
    return float(np.quantile(errors, 0.95))


def number_calibration(actual: Floats, intervals: Sequence[tuple[float, Floats]]) -> Calibration:
    """Return how many rows intervals cover: for each nominal coverage the ends, (rows, 2)."""
    found = []
    for level, ends in intervals:
        share = float(((ends[:, 0] <= actual) & (actual <= ends[:, 1])).mean())
        found.append(Bin(level, share, *wilson(share, len(actual)), len(actual)))
    error = float(np.mean([abs(each.found - each.said) for each in found]))
    return Calibration("the interval", tuple(found), error, float("nan"))
