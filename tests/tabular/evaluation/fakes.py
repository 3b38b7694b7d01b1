"""Models that are fitted without training: what they say is a function of the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.tabular.evaluation import Evaluation, evaluate

Floats = NDArray[np.float64]


class Classifier:
    """Says probabilities (rows, classes) that a function makes of the table."""

    def __init__(self, classes: list[Any], proba: Callable[[Any], Floats]) -> None:
        self.classes_ = np.array(classes)
        self.predict_proba = proba

    def predict(self, X: Any) -> NDArray[Any]:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Regressor:
    """Says numbers that a function makes of the table, and intervals of a width."""

    def __init__(self, predict: Callable[[Any], Floats]) -> None:
        self.predict = predict


class WithIntervals(Regressor):
    """Says intervals, too: of `width` standard errors of a normal distribution for each coverage."""

    def __init__(self, predict: Callable[[Any], Floats], width: float) -> None:
        super().__init__(predict)
        self.width = width

    def predict_interval(self, X: Any, coverage: float) -> Floats:
        from scipy.stats import norm

        reach = self.width * norm.ppf((1 + coverage) / 2)
        return np.stack([self.predict(X) - reach, self.predict(X) + reach], axis=1)


def sigmoid(z: Floats) -> Floats:
    return 1 / (1 + np.exp(-z))


def two(score: Floats) -> Floats:
    """Return probabilities of two classes from that of the second."""
    return np.stack([1 - score, score], axis=1)


def said(proba: Floats) -> Callable[[Any], Floats]:
    """Return a function that says these probabilities of a table whose first column numbers its rows."""
    return lambda X: proba[np.asarray(X)[:, 0].astype(int)]


def numbered(rows: int) -> Floats:
    """Return a table for `said`."""
    return np.arange(float(rows))[:, None]


def judged(proba: Floats, y: Any, classes: list[Any] | None = None) -> Evaluation:
    """Return the report on given probabilities, without importance."""
    model = Classifier(list(range(proba.shape[1])) if classes is None else classes, said(proba))
    return evaluate(model, numbered(len(proba)), y, importance=False)


def kinds(report: Evaluation) -> set[str]:
    return {each.kind for each in report.findings}
