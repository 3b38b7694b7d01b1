"""What is learned from a file: classes or numbers, as the first pass finds them and the second encodes them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import ArgumentError, TableError
from fanin.tabular.checking import checked_factors
from fanin.tabular.fitting import criteria
from fanin.tabular.fitting.calibration import temperature
from fanin.tabular.fitting.ensemble import Ensemble, Goal
from fanin.tabular.fitting.losses import ClassLoss
from fanin.tabular.frames import polars
from fanin.tabular.streaming.feed import Stretch, as_labels

MOST_CLASSES = 10_000


class Target(Protocol):
    """The target of an estimator, as its rows come by."""

    goals: list[Goal]
    weight: float  # the mean of all rows

    def look(self, stretch: Stretch) -> None:
        """Look at rows of the first pass."""

    def settle(self) -> None:
        """Put what was found onto the estimator."""

    def encode(self, stretch: Stretch) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        """Return what the networks learn, and the weights of the rows, with mean 1."""

    def finish(self, ensembles: Sequence[Ensemble], judged: Stretch) -> None:
        """Calibrate by the rows that were held out."""


class ClassTarget:
    """Classes: how many rows each label has, and how much they weigh."""

    def __init__(self, model: Any, source: str) -> None:
        self.model, self.source = model, source
        self.rows: dict[Any, int] = {}
        self.weights: dict[Any, float] = {}

    def look(self, stretch: Stretch) -> None:
        """Count labels."""
        weights = np.ones(len(stretch)) if stretch.weights is None else stretch.weights
        frame = polars.DataFrame({"label": stretch.target, "weight": weights})
        counted = frame.group_by("label").agg(polars.len(), polars.col("weight").sum())
        for label, count, weight in counted.iter_rows():
            self.rows[label] = self.rows.get(label, 0) + count
            self.weights[label] = self.weights.get(label, 0.0) + weight
        if len(self.rows) > MOST_CLASSES:
            raise TableError(
                f"{self.source}: the target has more than {MOST_CLASSES:,} different values, too many for classes",
                remedy="for numbers, use TabularRegressor",
            )

    def settle(self) -> None:
        """Give the estimator its classes."""
        self.texts = sorted(self.rows)
        labels = as_labels(self.texts)
        if labels.dtype.kind == "f" and not (labels == np.round(labels)).all():
            raise TableError(f"{self.source}: the target holds numbers such as {labels[0]:g}, which are no classes")
        self.model.classes_, self.codes = np.unique(labels, return_inverse=True)
        count = len(self.model.classes_)
        if count < 2:
            raise ArgumentError(
                f"{type(self.model).__name__} needs at least 2 classes to tell apart, but there is {count} class"
            )
        self.factors = self._factors()
        held = np.array([self.weights[text] for text in self.texts]) * self.factors[self.codes]
        self.weight = float(held.sum() / sum(self.rows.values()))
        self.goals = [Goal(count, ClassLoss, criteria.log_loss, classes=True)]

    def _factors(self) -> NDArray[np.float64]:
        from sklearn.utils import compute_class_weight

        classes = self.model.classes_
        if self.model.class_weight is None:
            return np.ones(len(classes))
        if self.model.class_weight == "balanced":
            counts = np.bincount(self.codes, [self.rows[text] for text in self.texts])
            balanced: NDArray[np.float64] = counts.sum() / (len(counts) * counts)
            return balanced
        found = compute_class_weight(self.model.class_weight, classes=classes, y=classes)
        return checked_factors(self.model.class_weight, found)

    def classes_of(self, stretch: Stretch) -> NDArray[np.int64]:
        """Return the class of each row by number."""
        codes = polars.Series(self.codes, dtype=polars.Int64)
        found = stretch.target.replace_strict(polars.Series(self.texts, dtype=stretch.target.dtype), codes)
        return np.asarray(found.to_numpy(), np.int64)

    def encode(self, stretch: Stretch) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        """Return classes by number, and weights."""
        classes = self.classes_of(stretch)
        if stretch.weights is None and self.model.class_weight is None:
            return classes, None
        weights = self.factors[classes] * (1.0 if stretch.weights is None else stretch.weights)
        return classes, (weights / self.weight).astype(np.float32)

    def finish(self, ensembles: Sequence[Ensemble], judged: Stretch) -> None:
        """Fit the temperature."""
        (self.model._ensemble,) = ensembles
        classes, weights = self.encode(judged)
        self.model.temperature_ = temperature(ensembles[0].held_out, classes, weights)


class NumberTarget:
    """Numbers: their mean, deviation and range."""

    def __init__(self, model: Any, source: str) -> None:
        self.model, self.source = model, source
        self.rows, self.held, self.mean, self.squares = 0, 0.0, 0.0, 0.0
        self.low, self.high = np.inf, -np.inf

    def look(self, stretch: Stretch) -> None:
        """Join mean and squared deviations of these rows to those before (T. Chan et al., 1983, eq. 1.5)."""
        if not len(stretch):
            return
        numbers = stretch.target.to_numpy()
        held = float(len(numbers) if stretch.weights is None else stretch.weights.sum())
        mean = float(np.average(numbers, weights=stretch.weights))
        squares = held * float(np.average((numbers - mean) ** 2, weights=stretch.weights))
        both, apart = self.held + held, mean - self.mean
        self.squares += squares + apart**2 * self.held * held / both
        self.mean += apart * held / both
        self.rows, self.held = self.rows + len(numbers), both
        self.low, self.high = min(self.low, float(numbers.min())), max(self.high, float(numbers.max()))

    def settle(self) -> None:
        """Give the estimator its scale, and what it is to learn."""
        model = self.model
        model._single = True
        model._levels = model._checked_levels(np.empty((0, 1)))
        deviation = np.sqrt(self.squares / self.held)
        model._centre, model._spread = np.array([self.mean]), np.array([deviation if deviation > 0 else 1.0])
        model._range = np.array([self.low]), np.array([self.high])
        self.weight = self.held / self.rows
        self.goals = goals_of_numbers(model._levels, 1)

    def encode(self, stretch: Stretch) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        """Return scaled numbers (rows, 1), and weights."""
        scaled = (stretch.target.to_numpy()[:, None] - self.model._centre) / self.model._spread
        weights = None if stretch.weights is None else (stretch.weights / self.weight).astype(np.float32)
        return scaled.astype(np.float32), weights

    def finish(self, ensembles: Sequence[Ensemble], judged: Stretch) -> None:
        """Learn the errors."""
        self.model._ensemble = ensembles[0]
        self.model._learn_errors(ensembles, judged.target.to_numpy()[:, None], judged.weights)


def goals_of_numbers(levels: tuple[float, ...], targets: int) -> list[Goal]:
    """Return what networks learn: the means, and the quantiles of these levels."""
    from fanin.tabular.estimators.regressor import _pinball_loss, _square_loss

    goals = [Goal(targets, _square_loss, criteria.moderate_squared_error, classes=False)]
    if levels:
        loss = partial(_pinball_loss, levels=levels)
        goals.append(Goal(len(levels), loss, criteria.pinball(levels), classes=False))
    return goals
