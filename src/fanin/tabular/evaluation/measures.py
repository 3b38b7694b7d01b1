r"""Measures of predictions, each as a function of means over rows, so that bootstrap resamples are a matrix product.

A measure has values r_i for every row and a function f; on rows with weights w (how often a resample has each, times
what the row weighs) it is f(sum_i w_i r_i / sum_i w_i). Where a measure is not of that form (balanced accuracy, ROC
AUC), r_i are its influence values, and the weighted measure is right to first order: for the AUC these are DeLong's
structural components.

E. DeLong et al., "Comparing the areas under two or more correlated ROC curves", Biometrics 44 (1988), 837-845.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]
BINS = 10


@dataclass(frozen=True)
class Measure:
    """A measure on given predictions.

    better:   "higher", "lower" or empty.
    rows:     (rows, parts).
    finish:   from means (resamples, parts) to values (resamples,).
    limits:   the least and the largest value that it can have.
    interval: how its interval is made, see `bootstrap.interval_of`.
    weights:  of the rows, (rows,); None where all weigh the same.
    """

    name: str
    better: str
    rows: Floats
    finish: Callable[[Floats], Floats]
    limits: tuple[float, float] = (-np.inf, np.inf)
    interval: Literal["percentile", "basic", "wilson"] = "percentile"
    weights: Floats | None = None

    @property
    def value(self) -> float:
        """The measure on all rows."""
        means = np.average(self.rows, axis=0, weights=self.weights)
        return float(np.clip(self.finish(means[None])[0], *self.limits))


def _first(means: Floats) -> Floats:
    return means[:, 0]


def mean_measure(name: str, better: str, rows: NDArray[Any], **more: Any) -> Measure:
    """Return a measure that is a mean over rows."""
    return Measure(name, better, np.asarray(rows, np.float64).reshape(len(rows), 1), _first, **more)


# Classes --------------------------------------------------------------------------------------------------------------


def class_measures(classes: Classes, proba: Floats, weights: Floats | None = None) -> list[Measure]:
    """Return the measures of probabilities (rows, classes) for the classes that came, by number."""
    count, share = proba.shape[1], (0.0, 1.0)
    right = proba.argmax(axis=1) == classes
    hot = np.eye(count)[classes]
    square = ((proba - hot) ** 2).sum(axis=1) / (2 if count == 2 else 1)
    found = [
        log_loss(classes, proba),
        mean_measure("accuracy", "higher", right, limits=share, interval="wilson"),
        balanced_accuracy(classes, right, count, weights),
        roc_auc(classes, proba, weights),
        mean_measure("Brier score", "lower", square, limits=(0.0, 2.0)),
        calibration_error(classes, proba),
    ]
    return weighted(found, weights)


def weighted(measures: list[Measure], weights: Floats | None) -> list[Measure]:
    """Return measures of rows with these weights."""
    return [replace(each, weights=weights) for each in measures]


def log_loss(classes: Classes, proba: Floats) -> Measure:
    """Return the mean of -log of the probability of the class that came; one of 0 counts as 2^-52."""
    of_true = np.clip(proba[np.arange(len(classes)), classes], np.finfo(np.float64).eps, 1.0)
    return mean_measure("log-loss", "lower", -np.log(of_true), limits=(0.0, np.inf))


def balanced_accuracy(classes: Classes, right: NDArray[np.bool_], count: int, weights: Floats | None = None) -> Measure:
    """Return the mean of the recalls of the classes that there are."""
    held = np.ones(len(classes)) if weights is None else weights
    of_class = np.bincount(classes, held, count)
    there = of_class > 0
    recalls = np.bincount(classes, right * held, count) / np.where(there, of_class, 1.0)
    influence = (right - recalls[classes]) * (held.sum() / of_class[classes]) / there.sum()
    mean = recalls[there].mean()
    rows = influence + mean
    return mean_measure("balanced accuracy", "higher", rows, limits=(0.0, 1.0), weights=weights)


def roc_auc(classes: Classes, proba: Floats, weights: Floats | None = None) -> Measure:
    """Return the area under the ROC curve; for several classes the mean of those of each against the others.

    Classes that no row or every row has are left out of the mean; nan if there is no other.
    """
    asked = [1] if proba.shape[1] == 2 else range(proba.shape[1])
    positives = [(classes == number, proba[:, number]) for number in asked]
    held = np.ones(len(classes)) if weights is None else weights
    areas = [_area(positive, score, held) for positive, score in positives if 0 < positive.sum() < len(positive)]
    mean = np.mean(areas, axis=0) if areas else np.full(len(classes), np.nan)
    name = "ROC AUC" if proba.shape[1] == 2 else "ROC AUC, one vs rest"
    return mean_measure(name, "higher", mean, limits=(0.0, 1.0), weights=weights)


def _area(positive: NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """Return for each row the area under the curve and the row's influence on it, added."""
    place = np.unique(score, return_inverse=True)[1]
    of_ones, of_zeros = weights * positive, weights * ~positive
    ones, zeros = of_ones.sum(), of_zeros.sum()
    component = np.where(positive, _beneath(place, of_zeros) / zeros, 1 - _beneath(place, of_ones) / ones)
    area = np.average(component, weights=of_ones)
    found: Floats = area + (component - area) * weights.sum() / np.where(positive, ones, zeros)
    return found


def _beneath(place: NDArray[np.int64], weights: Floats) -> Floats:
    """Return for each row the weight of those with a lower rank, and half of that of those with the same."""
    held = np.bincount(place, weights)
    found: Floats = (np.cumsum(held) - held / 2)[place]
    return found


def said_and_so(classes: Classes, proba: Floats) -> tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]:
    """Return what calibration compares: a probability for each row, whether it was so, and the bin of the probability.

    Of two classes it is the probability of the second; of more, that of the likeliest class.
    """
    said = proba[:, 1] if proba.shape[1] == 2 else proba.max(axis=1)
    so = classes == 1 if proba.shape[1] == 2 else proba.argmax(axis=1) == classes
    return said, so, np.minimum((said * BINS).astype(np.int64), BINS - 1)


def calibration_error(classes: Classes, proba: Floats) -> Measure:
    """Return the expected calibration error: the mean over ten bins of |share that is so - mean probability|.

    C. Guo et al., "On calibration of modern neural networks", arXiv 1706.04599, section 2.
    """
    said, so, bins = said_and_so(classes, proba)
    gaps = np.eye(BINS)[bins] * (so - said)[:, None]
    # Resampled rows are farther from the diagonal than rows are, as those are farther than the truth: hence "basic".
    return Measure("calibration error", "lower", gaps, _absolute, (0.0, 1.0), "basic")


def _absolute(means: Floats) -> Floats:
    found: Floats = np.abs(means).sum(axis=1)
    return found


# Numbers --------------------------------------------------------------------------------------------------------------


def number_measures(actual: Floats, predicted: Floats, weights: Floats | None = None) -> list[Measure]:
    """Return the measures of predicted numbers (rows,)."""
    square = (actual - predicted) ** 2
    centred = actual - np.average(actual, weights=weights)
    found = [
        Measure("RMSE", "lower", square[:, None], _root, (0.0, np.inf)),
        mean_measure("MAE", "lower", np.abs(actual - predicted), limits=(0.0, np.inf)),
        Measure("R2", "higher", np.stack([square, centred, centred**2], axis=1), _explained, (-np.inf, 1.0)),
    ]
    return weighted(found, weights)


def interval_measures(
    actual: Floats, low: Floats, high: Floats, coverage: float, weights: Floats | None = None
) -> list[Measure]:
    """Return how many rows intervals cover, and how wide they are."""
    inside = (low <= actual) & (actual <= high)
    name = f"{coverage:.0%} interval"
    found = [
        mean_measure(f"coverage of the {name}", "", inside, limits=(0.0, 1.0), interval="wilson"),
        mean_measure(f"width of the {name}", "", high - low, limits=(0.0, np.inf)),
    ]
    return weighted(found, weights)


def _root(means: Floats) -> Floats:
    found: Floats = np.sqrt(means[:, 0])
    return found


def _explained(means: Floats) -> Floats:
    variance = means[:, 2] - means[:, 1] ** 2
    found: Floats = 1 - means[:, 0] / np.where(variance > 1e-12 * np.maximum(means[:, 2], 1e-300), variance, np.nan)
    return found
