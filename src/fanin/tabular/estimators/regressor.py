"""`TabularRegressor`: numbers from a table, with quantiles and intervals."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_consistent_length

from fanin._core.errors import ArgumentError
from fanin.tabular.checking import checked_numbers, checked_table
from fanin.tabular.estimators.base import TabularEstimator, with_weight
from fanin.tabular.estimators.place import Place, Ready
from fanin.tabular.fitting import criteria
from fanin.tabular.fitting.conformal import quantile, shifts, upper, widening
from fanin.tabular.fitting.ensemble import Ensemble, Goal
from fanin.tabular.fitting.losses import PinballLoss, SquareLoss
from fanin.tabular.fitting.reach import reach

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


class TabularRegressor(RegressorMixin, TabularEstimator):  # type: ignore[misc]
    """Learn numbers from a table, with quantiles and intervals.

    Args:
        preset, time_limit, validation_fraction, cv, epochs, batch_size, learning_rate, hidden, settings,
            random_state: as of
            `TabularClassifier`.
        quantiles: levels for which networks of their own are trained by the pinball loss, as (0.05, 0.5, 0.95), so
            that intervals are wide where the table says little; one target only. Without, quantiles and intervals have
            one width everywhere, that of the errors on the rows that were held out.

    Attributes:
        oof_predictions_: for each row what the networks predicted that did not learn from it, shaped as y; NaN where it
            was not held out.
        oof_score_: their R2. The same rows have chosen the best epochs, so that it is a little too good.
        history_: for each network its kind, epochs, best epoch, criterion, engine.
        columns_: what each column holds (`name`, `kind`) and what became of it (`becomes`, `note`).
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
        cv: Any = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        hidden: tuple[int, ...] | None = None,
        settings: Mapping[str, Any] | None = None,
        quantiles: tuple[float, ...] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            preset,
            time_limit=time_limit,
            validation_fraction=validation_fraction,
            cv=cv,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            hidden=hidden,
            settings=settings,
            random_state=random_state,
        )
        self.quantiles = quantiles

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn may expect."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> TabularRegressor:
        """Learn from a table and one or several numbers for each row.

        Args:
            X: a frame of pandas, polars or Arrow, or an array (rows, columns); values may be missing.
            y: numbers (rows,) or (rows, targets), finite.
            sample_weight: how much each row counts; rows of weight 0 are left out.
            groups: of the rows, (rows,): no network is judged by a group that it learned from. A splitter is given
                them; without `cv`, the preset's folds or shares consist of whole groups.
        """
        self._started = time.monotonic()
        ready = self._prepared(X, y, sample_weight, groups)
        ensembles = self._train(ready)
        self._ensemble = ensembles[0]
        self._learn_errors(ensembles, ready.y, ready.weights)
        self._keep_out_of_fold(ready.y, ready.weights, ready.place)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> TabularRegressor:
        """Learn on from a piece of a table, as `TabularClassifier.partial_fit` does.

        Kinds, scales and levels of the columns, and the scale of the target, are those of the first call's rows.

        Args:
            X, y, sample_weight: as of `fit`; rows of any number.

        Raises ValueError for another number of targets, and for other columns than those of the first call.
        """
        from fanin.tabular.streaming.partial import partial_fit_numbers

        partial_fit_numbers(self, X, y, sample_weight)
        return self

    def _prepared(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> Ready:
        X = checked_table(self, X, reset=True)
        y = checked_numbers(self, y)
        check_consistent_length(X, y)
        self._single = y.ndim == 1
        y = y.reshape(len(y), -1)
        place = Place.of(len(y), sample_weight, groups)
        X, y, weights = with_weight(X, y, sample_weight)
        self._levels = self._checked_levels(y)
        self._learn_scale(y, weights)
        goals = [Goal(y.shape[1], _square_loss, criteria.moderate_squared_error, classes=False)]
        if self._levels:
            loss = partial(_pinball_loss, levels=self._levels)
            goals.append(Goal(len(self._levels), loss, criteria.pinball(self._levels), classes=False))
        scaled = ((y - self._centre) / self._spread).astype(np.float32)
        return Ready(X, y, scaled, weights, goals, place)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the expected numbers, (rows,) or (rows, targets) as y was, within the range of those learned from.

        Where the held-out rows speak against numbers at an end of this range, it ends sooner.
        """
        inputs = self._encoded(X)
        found = self._in_units(self._ensemble_of(0), inputs)
        return found[:, 0] if self._single else found

    def predict_quantiles(self, X: Any, levels: Sequence[float] | None = None) -> NDArray[np.float64]:
        """Return quantiles of each row's number, (rows, levels), never crossing.

        Networks' quantiles are shifted so that they cover their share of the held-out rows; between their levels they
        are interpolated. Without networks for it, they are the prediction and the quantiles of its errors there.

        Args:
            X: the table.
            levels: in (0, 1); with `quantiles`, between the least and the largest of them. If not given, those of
                `quantiles`, in rising order, or else 0.05, 0.25, 0.5, 0.75 and 0.95.

        Raises ValueError for other levels, and for several targets.
        """
        inputs = self._encoded(X)
        self._need_one_target("predict_quantiles")
        asked = self._checked_asked((self._levels or LEVELS) if levels is None else levels)
        if not self._levels:
            centre = self._in_units(self._ensemble_of(0), inputs)
            errors = np.array([quantile(self._errors, level, self._error_weights) for level in asked])
            return np.asarray(centre + errors)
        known = np.sort(self._network_quantiles(inputs) + self._shifts, axis=1)
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
        if not (isinstance(coverage, Real) and 0 < coverage < 1):
            raise ArgumentError(f"coverage must be one number between 0 and 1, not {coverage!r}")
        if not self._levels:
            centre = self._in_units(self._ensemble_of(0), inputs)
            width = upper(np.abs(self._errors), coverage, self._error_weights)
            return np.concatenate([centre - width, centre + width], axis=1)
        ends = np.argmin(np.abs(np.subtract.outer([(1 - coverage) / 2, (1 + coverage) / 2], self._levels)), axis=1)
        low, high = self._network_quantiles(inputs)[:, ends].T
        # Without the shifts: these rows would be covered by both, and new ones by less than was asked for.
        judged = (self._judged_quantiles - self._shifts)[:, ends]
        more = widening(judged[:, 0], judged[:, 1], self._judged_numbers, coverage, self._error_weights)
        middle = (low + high) / 2
        return np.stack([np.minimum(low - more, middle), np.maximum(high + more, middle)], axis=1)

    # What is learned besides the networks -----------------------------------------------------------------------------

    def _checked_levels(self, y: NDArray[Any]) -> tuple[float, ...]:
        if self.quantiles is None:
            return ()
        levels = tuple(sorted({float(level) for level in np.ravel(self.quantiles)}))
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
        means = ensembles[0].held_out * self._spread + self._centre
        each = zip(means.T, y[judged].T, *self._range, strict=True)
        low, high = zip(*(reach(*column, self._error_weights) for column in each), strict=True)
        self._range = np.array(low), np.array(high)
        self._errors = y[judged, 0] - np.clip(means[:, 0], low[0], high[0])
        self._quantile_ensemble = ensembles[1] if self._levels else None
        if self._levels:
            raw = np.sort(ensembles[1].held_out * self._spread + self._centre, axis=1)
            self._shifts = shifts(raw, self._judged_numbers, self._levels, self._error_weights)
            self._judged_quantiles = raw + self._shifts

    def _keep_out_of_fold(self, y: NDArray[Any], weights: Any, place: Place) -> None:
        """Keep what was predicted for the rows that were held out, and its score."""
        means = np.clip(self._ensemble.held_out * self._spread + self._centre, *self._range)
        every, found, known = place.out_of_fold(means, self._ensemble.judged, len(y))
        self.oof_predictions_ = every[:, 0] if self._single else every
        weight = None if weights is None else weights[known]
        self.oof_score_ = r2_score(y[known], found, sample_weight=weight) if len(known) > 1 else np.nan

    def _ensemble_of(self, number: int) -> Ensemble:
        found: Ensemble | None = self._quantile_ensemble if number else self._ensemble
        assert found is not None
        return found

    def _in_units(self, ensemble: Ensemble, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.clip(ensemble.predict(inputs) * self._spread + self._centre, *self._range)
        return found

    def _network_quantiles(self, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        """Return what the networks say, (rows, levels), before it is shifted."""
        raw = self._ensemble_of(1).predict(inputs) * self._spread + self._centre
        found: NDArray[np.float64] = np.sort(raw, axis=1)
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
