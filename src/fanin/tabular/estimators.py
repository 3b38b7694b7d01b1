"""`TabularClassifier` and `TabularRegressor`: scikit-learn estimators that take tables as they are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import ArgumentError, MissingExtraError

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_array, check_random_state, column_or_1d, compute_class_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_consistent_length, check_is_fitted
except ImportError as error:
    raise MissingExtraError(
        'the estimators need scikit-learn, which is not installed: pip install "fanin[tabular]"'
    ) from error

from fanin.tabular.checking import checked_table, checked_target
from fanin.tabular.fitting import criteria
from fanin.tabular.fitting.calibration import temperature, tempered
from fanin.tabular.fitting.conformal import shifts, upper, widening
from fanin.tabular.fitting.ensemble import Ensemble, Goal, fit_ensemble
from fanin.tabular.fitting.losses import ClassLoss, PinballLoss, SquareLoss
from fanin.tabular.fitting.members import Part
from fanin.tabular.fitting.presets import Recipe, recipe
from fanin.tabular.fitting.splits import folds, hold_out
from fanin.tabular.inputs import Encoder
from fanin.tabular.nets import Inputs

_CHANGES = {"epochs": "epochs", "batch_size": "batch_size", "learning_rate": "rate", "hidden": "hidden"}
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


class _TabularEstimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: the table, the recipe, the training."""

    _task: str

    def __init__(
        self,
        preset: str = "default",
        *,
        time_limit: float | None = None,
        validation_fraction: float = 0.2,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        hidden: tuple[int, ...] | None = None,
        random_state: Any = None,
    ) -> None:
        self.preset = preset
        self.time_limit = time_limit
        self.validation_fraction = validation_fraction
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.hidden = hidden
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn may expect."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def _train(
        self, X: Any, target: NDArray[Any], weights: NDArray[Any] | None, goals: Sequence[Goal], classes: Any = None
    ) -> list[Ensemble]:
        """Encode the table, and train an ensemble for each goal, on the same rows."""
        if self.time_limit is not None and not self.time_limit > 0:
            raise ArgumentError(f"time_limit must be above 0 seconds, or None, not {self.time_limit!r}")
        end = None if self.time_limit is None else self._started + self.time_limit
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._encoder = Encoder().fit(X, target)
        inputs, arrays = _inputs_of(self._encoder.transform(X))
        part = Part(arrays, target, None if weights is None else (weights / weights.mean()).astype(np.float32))
        plan = recipe(self.preset, self._task, len(part), self._changes())
        splits = self._splits(plan, len(part), seed, classes)
        found = []
        for number, goal in enumerate(goals):
            now = time.monotonic()
            due = None if end is None else now + (end - now) / (len(goals) - number)
            found.append(fit_ensemble(part, inputs, goal, plan, splits, seed % (2**30) + number, due))
        self._parts = inputs.parts
        self.history_ = [entry for ensemble in found for entry in ensemble.record]
        self.n_iter_ = max(entry["epochs"] for entry in self.history_)
        return found

    def _changes(self) -> dict[str, Any]:
        given = {field: getattr(self, name) for name, field in _CHANGES.items()}
        changes = {field: value for field, value in given.items() if value is not None}
        return {**changes, "hidden": tuple(self.hidden)} if self.hidden is not None else changes

    def _splits(self, plan: Recipe, rows: int, seed: int, classes: Any) -> Any:
        rng = np.random.default_rng(seed)
        if plan.folds > 1 and rows > 2:
            return folds(rows, plan.folds, rng, classes)
        return [part for _ in range(plan.repeats) for part in hold_out(rows, self.validation_fraction, rng, classes)]

    def _encoded(self, X: Any) -> tuple[NDArray[Any], ...]:
        check_is_fitted(self, "n_iter_")
        return _inputs_of(self._encoder.transform(checked_table(self, X, reset=False)))[1]


class TabularClassifier(ClassifierMixin, _TabularEstimator):  # type: ignore[misc]
    """Learn classes from a table: numbers, categories, dates, missing values, as they are.

    Networks that are good on tables (TabM, RealMLP) are trained by native code; their probabilities are calibrated on
    rows that were held out.

    Args:
        preset: "fast", "default", or "best", which mixes networks of two kinds, each trained on five folds.
        time_limit: seconds that `fit` may take: schedules are shortened to keep it. Then results depend on the
            machine's speed; without, on `random_state` alone, whatever the number of threads.
        validation_fraction: the share of the rows that is held out, to choose the best epoch and to calibrate; with
            folds ("best", and up to 1,500 rows "default") each row is held out once instead.
        epochs, batch_size, learning_rate, hidden: the preset's if not given; hidden are the widths of hidden layers.
        class_weight: factors of the classes by label, "balanced", or None.
        random_state: a seed.

    Attributes:
        classes_: the labels, sorted.
        temperature_: by which logits are divided.
        history_: for each network its kind, epochs, best epoch, criterion, engine.
        n_features_in_, feature_names_in_: of the table.

    Raises:
        ValueError: one class, fewer than two rows, sizes that do not fit, a parameter outside its domain.

    Y. Gorishniy et al., "TabM", arXiv 2410.24210; D. Holzmueller et al., "Better by default", arXiv 2407.04491.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 2))
    >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
    >>> model = TabularClassifier("fast", random_state=0).fit(X, y)
    >>> model.predict([[1.0, 1.0], [1.0, -1.0]]).tolist()
    ['same', 'other']
    """

    _task = "classes"

    def __init__(
        self,
        preset: str = "default",
        *,
        time_limit: float | None = None,
        validation_fraction: float = 0.2,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        hidden: tuple[int, ...] | None = None,
        class_weight: Any = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            preset,
            time_limit=time_limit,
            validation_fraction=validation_fraction,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            hidden=hidden,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TabularClassifier:
        """Learn from a table and the class of each row.

        Args:
            X: a frame of pandas, polars or Arrow, or an array (rows, columns); values may be missing.
            y: labels (rows,).
            sample_weight: how much each row counts; rows of weight 0 are left out.
        """
        self._started = time.monotonic()
        X = checked_table(self, X, reset=True)
        y = column_or_1d(checked_target(y), warn=True)
        check_consistent_length(X, y)
        check_classification_targets(y)
        self.classes_, classes = np.unique(y, return_inverse=True)
        X, classes, weights = _with_weight(X, classes, sample_weight)
        if len(np.unique(classes)) < 2:
            raise ArgumentError(f"{type(self).__name__} needs at least 2 classes to tell apart, but there is 1 class")
        if self.class_weight is not None:
            factors = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_[classes])
            weights = factors[classes] if weights is None else weights * factors[classes]
        goal = Goal(len(self.classes_), ClassLoss, criteria.log_loss, classes=True)
        (self._ensemble,) = self._train(X, classes.astype(np.int64), weights, [goal], classes)
        judged = self._ensemble.judged
        self.temperature_ = temperature(
            self._ensemble.held_out, classes[judged], None if weights is None else weights[judged]
        )
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the calibrated probability of each class, (rows, classes), in the order of `classes_`."""
        inputs = self._encoded(X)
        result: NDArray[np.float64] = np.exp(tempered(self._ensemble.predict(inputs), self.temperature_))
        return result

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the logarithm of the probabilities, (rows, classes)."""
        inputs = self._encoded(X)
        return tempered(self._ensemble.predict(inputs), self.temperature_)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest class of each row."""
        chosen = self.predict_proba(X).argmax(axis=1)
        result: NDArray[Any] = self.classes_[chosen]
        return result


class TabularRegressor(RegressorMixin, _TabularEstimator):  # type: ignore[misc]
    """Learn numbers from a table, with quantiles and intervals.

    Args:
        preset, time_limit, validation_fraction, epochs, batch_size, learning_rate, hidden, random_state: as of
            `TabularClassifier`.
        quantiles: levels for which networks of their own are trained by the pinball loss, as (0.05, 0.5, 0.95), so
            that intervals are wide where the table says little; one target only. Without, quantiles and intervals have
            one width everywhere, that of the errors on the rows that were held out.

    Attributes:
        history_: for each network its kind, epochs, best epoch, criterion, engine.
        n_features_in_, feature_names_in_: of the table.

    Raises:
        ValueError: fewer than two rows, a target that is not finite, a parameter outside its domain.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 2))
    >>> model = TabularRegressor("fast", random_state=0).fit(X, X[:, 0] * X[:, 1])
    >>> model.score(X, X[:, 0] * X[:, 1]) > 0.9
    True
    >>> low, high = model.predict_interval(X, coverage=0.8).T
    >>> bool((low < high).all())
    True
    """

    _task = "numbers"

    def __init__(
        self,
        preset: str = "default",
        *,
        time_limit: float | None = None,
        validation_fraction: float = 0.2,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        hidden: tuple[int, ...] | None = None,
        quantiles: tuple[float, ...] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            preset,
            time_limit=time_limit,
            validation_fraction=validation_fraction,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            hidden=hidden,
            random_state=random_state,
        )
        self.quantiles = quantiles

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn may expect."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TabularRegressor:
        """Learn from a table and one or several numbers for each row.

        Args:
            X: a frame of pandas, polars or Arrow, or an array (rows, columns); values may be missing.
            y: numbers (rows,) or (rows, targets), finite.
            sample_weight: how much each row counts; rows of weight 0 are left out.
        """
        self._started = time.monotonic()
        X = checked_table(self, X, reset=True)
        y = check_array(checked_target(y), ensure_2d=False, dtype=np.float64, input_name="y", estimator=self)
        check_consistent_length(X, y)
        self._single = y.ndim == 1
        y = y.reshape(len(y), -1)
        X, y, weights = _with_weight(X, y, sample_weight)
        self._levels = self._checked_levels(y)
        self._learn_scale(y, weights)
        goals = [Goal(y.shape[1], _square_loss, criteria.squared_error, classes=False)]
        if self._levels:
            loss = partial(_pinball_loss, levels=self._levels)
            goals.append(Goal(len(self._levels), loss, criteria.pinball(self._levels), classes=False))
        scaled = ((y - self._centre) / self._spread).astype(np.float32)
        ensembles = self._train(X, scaled, weights, goals)
        self._ensemble = ensembles[0]
        self._learn_errors(ensembles, y, weights)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the expected numbers, (rows,) or (rows, targets) as y was, within the range of those learned from."""
        inputs = self._encoded(X)
        found = self._in_units(self._ensemble_of(0), inputs)
        return found[:, 0] if self._single else found

    def predict_quantiles(self, X: Any, levels: Sequence[float] = LEVELS) -> NDArray[np.float64]:
        """Return quantiles of each row's number, (rows, levels), never crossing.

        Networks' quantiles are shifted so that they cover their share of the held-out rows; between their levels they
        are interpolated. Without networks for it, they are the prediction and the quantiles of its errors there.

        Args:
            X: the table.
            levels: in (0, 1); with `quantiles`, between the least and the largest of them.

        Raises ValueError for other levels, and for several targets.
        """
        inputs = self._encoded(X)
        self._need_one_target("predict_quantiles")
        asked = self._checked_asked(levels)
        if not self._levels:
            centre = self._in_units(self._ensemble_of(0), inputs)
            errors = np.array([upper(self._errors, level, self._error_weights) for level in asked])
            return np.asarray(centre + errors)
        known = self._network_quantiles(inputs)
        return np.stack([_between(known, self._levels, level) for level in asked], axis=1)

    def predict_interval(self, X: Any, coverage: float = 0.9) -> NDArray[np.float64]:
        """Return an interval for each row's number, (rows, 2), that covers it with this probability.

        With `quantiles`, the interval between two of them, as (1 - coverage) / 2 and (1 + coverage) / 2 or those next
        to these, widened by what the held-out rows need (conformalised quantile regression). Without, the prediction
        plus and minus the quantile of the errors there. The held-out rows have also chosen the best epoch, so that the
        coverage on new rows may be a little smaller.

        Raises ValueError for a coverage outside (0, 1), and for several targets.
        """
        inputs = self._encoded(X)
        self._need_one_target("predict_interval")
        if not 0 < coverage < 1:
            raise ArgumentError(f"coverage must lie between 0 and 1, not {coverage!r}")
        if not self._levels:
            centre = self._in_units(self._ensemble_of(0), inputs)
            width = upper(np.abs(self._errors), coverage, self._error_weights)
            return np.concatenate([centre - width, centre + width], axis=1)
        ends = np.argmin(np.abs(np.subtract.outer([(1 - coverage) / 2, (1 + coverage) / 2], self._levels)), axis=1)
        low, high = self._network_quantiles(inputs)[:, ends].T
        judged = self._judged_quantiles[:, ends]
        more = widening(judged[:, 0], judged[:, 1], self._judged_numbers, coverage, self._error_weights)
        middle = (low + high) / 2
        return np.stack([np.minimum(low - more, middle), np.maximum(high + more, middle)], axis=1)

    # What is learned besides the networks -----------------------------------------------------------------------------

    def _checked_levels(self, y: NDArray[Any]) -> tuple[float, ...]:
        if self.quantiles is None:
            return ()
        levels = tuple(sorted({float(level) for level in self.quantiles}))
        if not levels or not 0 < levels[0] <= levels[-1] < 1:
            raise ArgumentError(f"quantiles must lie between 0 and 1, not {self.quantiles!r}")
        if y.shape[1] > 1:
            raise ArgumentError(f"quantiles are of one target, but y has {y.shape[1]}")
        return levels

    def _learn_scale(self, y: NDArray[Any], weights: Any) -> None:
        self._centre = np.average(y, axis=0, weights=weights)
        spread = np.sqrt(np.average((y - self._centre) ** 2, axis=0, weights=weights))
        self._spread = np.where(spread > 0, spread, 1.0)
        self._range = y.min(axis=0), y.max(axis=0)

    def _learn_errors(self, ensembles: Sequence[Ensemble], y: NDArray[Any], weights: Any) -> None:
        """Remember how far off the held-out rows were."""
        judged = ensembles[0].judged
        self._judged_numbers = y[judged, 0]
        self._error_weights = None if weights is None else weights[judged]
        means = np.clip(ensembles[0].held_out * self._spread + self._centre, *self._range)
        self._errors = y[judged, 0] - means[:, 0]
        self._quantile_ensemble = ensembles[1] if self._levels else None
        if self._levels:
            raw = np.sort(ensembles[1].held_out * self._spread + self._centre, axis=1)
            self._shifts = shifts(raw, self._judged_numbers, self._levels, self._error_weights)
            self._judged_quantiles = np.sort(raw + self._shifts, axis=1)

    def _ensemble_of(self, number: int) -> Ensemble:
        found: Ensemble | None = self._quantile_ensemble if number else self._ensemble
        assert found is not None
        return found

    def _in_units(self, ensemble: Ensemble, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.clip(ensemble.predict(inputs) * self._spread + self._centre, *self._range)
        return found

    def _network_quantiles(self, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        raw = np.sort(self._ensemble_of(1).predict(inputs) * self._spread + self._centre, axis=1)
        found: NDArray[np.float64] = np.sort(raw + self._shifts, axis=1)
        return found

    def _need_one_target(self, name: str) -> None:
        if len(self._spread) > 1:
            raise ArgumentError(f"{name} is for one target, but y had {len(self._spread)}")

    def _checked_asked(self, levels: Sequence[float]) -> tuple[float, ...]:
        asked = tuple(float(level) for level in np.atleast_1d(levels))
        low, high = (self._levels[0], self._levels[-1]) if self._levels else (0.0, 1.0)
        if not all(0 < level < 1 and low <= level <= high for level in asked):
            raise ArgumentError(f"levels of quantiles must lie between {low:g} and {high:g}, not {levels!r}")
        return asked


def _square_loss(smoothing: float) -> SquareLoss:
    return SquareLoss()


def _pinball_loss(smoothing: float, levels: tuple[float, ...]) -> PinballLoss:
    return PinballLoss(levels)


def _between(known: NDArray[np.float64], levels: tuple[float, ...], level: float) -> NDArray[np.float64]:
    """Return the quantile of a level, interpolated between those that are known."""
    after = min(max(1, int(np.searchsorted(levels, level))), max(1, len(levels) - 1))
    if len(levels) == 1:
        return known[:, 0]
    share = (level - levels[after - 1]) / (levels[after] - levels[after - 1])
    found: NDArray[np.float64] = known[:, after - 1] * (1 - share) + known[:, after] * share
    return found


def _with_weight(X: Any, target: NDArray[Any], sample_weight: Any) -> tuple[Any, NDArray[Any], NDArray[Any] | None]:
    """Return the rows that have a weight, and their weights; None where all weigh the same."""
    if sample_weight is None:
        return X, target, None
    weights = _check_sample_weight(sample_weight, target, dtype=np.float64, ensure_non_negative=True)
    used = weights > 0
    if not used.any():
        raise ArgumentError("all rows have the weight 0: sample_weight leaves nothing to learn from")
    weights = weights[used]
    if not used.all():
        X = _rows(X, np.flatnonzero(used))
    return X, target[used], None if (weights == weights[0]).all() else weights


def _rows(X: Any, rows: NDArray[np.int64]) -> Any:
    """Return some rows of a frame or an array."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    if hasattr(X, "take") and hasattr(X, "schema"):  # Arrow
        return X.take(rows)
    return X[rows]


def _inputs_of(encoded: Any) -> tuple[Inputs, tuple[NDArray[Any], ...]]:
    """Return the sizes of encoded rows, and those of their arrays that are not empty."""
    numbers, flags = encoded.numbers, encoded.flags
    if not numbers.shape[1] + flags.shape[1] + len(encoded.sizes):
        flags = np.zeros((len(numbers), 1), np.float32)  # nothing tells rows apart: all get the same prediction
    inputs = Inputs(numbers.shape[1], flags.shape[1], tuple(encoded.sizes))
    named = {"numbers": numbers, "flags": flags, "levels": encoded.levels}
    return inputs, tuple(named[name] for name in inputs.parts)
