"""`TabularClassifier`: classes from a table."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import check_consistent_length, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from fanin._core.errors import ArgumentError
from fanin.tabular.checking import checked_factors, checked_labels, checked_table
from fanin.tabular.estimators.base import TabularEstimator, with_weight
from fanin.tabular.estimators.place import Place, Ready
from fanin.tabular.fitting import criteria
from fanin.tabular.fitting.calibration import temperature, tempered
from fanin.tabular.fitting.ensemble import Goal
from fanin.tabular.fitting.losses import ClassLoss


class TabularClassifier(ClassifierMixin, TabularEstimator):  # type: ignore[misc]
    """Learn classes from a table: numbers, categories, dates, missing values, as they are.

    Networks that are good on tables (TabM, RealMLP) are trained by native code; their probabilities are calibrated on
    rows that were held out.

    Args:
        preset: "fast", "default", or "best", which mixes networks of two kinds, each trained on five folds.
        time_limit: seconds that `fit` may take: schedules are shortened to keep it. Then results depend on the
            machine's speed; without, on `random_state` alone, whatever the number of threads.
        validation_fraction: the share of the rows that is held out, to choose the best epoch and to calibrate; with
            folds ("best", and "default" up to 1,500 rows, for numbers 5,000) each row is held out once instead.
        cv: None for what the preset does; or how many folds, a splitter of scikit-learn, or pairs of row numbers: one
            network of each kind is trained for each fold, side by side, judged by the rows that it did not learn from,
            and all answer together.
        epochs, batch_size, learning_rate, hidden: the preset's if not given; hidden are the widths of hidden layers.
        settings: of one kind of network that is trained in place of the preset's, as a search returns them in
            `best_settings`: network ("tabm", "realmlp"), hidden, members, activation, periodic, dropout,
            learning_rate, weight_decay, label_smoothing, batch_size, epochs, patience.
        class_weight: factors of the classes by label, "balanced", or None.
        random_state: a seed.

    Attributes:
        classes_: the labels, sorted.
        temperature_: by which logits are divided.
        oof_predictions_: for each row the calibrated probabilities of the networks that did not learn from it, (rows,
            classes); NaN where it was not held out.
        oof_score_: their accuracy. The same rows have chosen the best epochs, so that it is a little too good.
        history_: for each network its kind, epochs, best epoch, criterion, engine.
        columns_: what each column holds (`name`, `kind`) and what became of it (`becomes`, `note`).
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
        cv: Any = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        hidden: tuple[int, ...] | None = None,
        settings: Mapping[str, Any] | None = None,
        class_weight: Any = None,
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
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> TabularClassifier:
        """Learn from a table and the class of each row.

        Args:
            X: a frame of pandas, polars or Arrow, or an array (rows, columns); values may be missing.
            y: labels (rows,).
            sample_weight: how much each row counts; rows of weight 0 are left out.
            groups: of the rows, (rows,): no network is judged by a group that it learned from. A splitter is given
                them; without `cv`, the preset's folds or shares consist of whole groups.
        """
        self._started = time.monotonic()
        ready = self._prepared(X, y, sample_weight, groups)
        (self._ensemble,) = self._train(ready)
        judged, weights = self._ensemble.judged, ready.weights
        several = len(self._ensemble.stages[0].networks) > 1
        self.temperature_ = temperature(
            self._ensemble.held_out, ready.y[judged], None if weights is None else weights[judged], several
        )
        probabilities = np.exp(tempered(self._ensemble.held_out, self.temperature_))
        self.oof_predictions_, found, known = ready.place.out_of_fold(probabilities, judged, len(ready.y))
        right = found.argmax(axis=1) == ready.y[known]
        self.oof_score_ = float(np.average(right, weights=None if weights is None else weights[known]))
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> TabularClassifier:
        """Learn on from a piece of a table.

        The first call learns kinds, scales and levels of the columns from its rows, which should be many and as the
        later ones; it makes a network (TabM, 128-128, 8 members, without the preset's schedules). After `fit`, its
        networks learn on. Each call is one pass over its rows but for a tenth of them, which is held out to calibrate:
        the latest 1,000 such rows are kept. What later pieces have as new categories counts as unknown.

        Args:
            X, y, sample_weight: as of `fit`; rows of any number.
            classes: all labels there will be; needed in the first call, and not looked for in later ones.

        Raises ValueError for labels that are none of the classes, and for other columns than those of the first call.

        >>> rng = np.random.default_rng(0)
        >>> model = TabularClassifier(random_state=0)
        >>> for _ in range(8):
        ...     X = rng.normal(size=(500, 2))
        ...     model = model.partial_fit(X, X[:, 0] > X[:, 1], classes=[False, True])
        >>> model.predict([[2.0, 0.0], [0.0, 2.0]]).tolist()
        [True, False]
        """
        from fanin.tabular.streaming.partial import partial_fit_classes

        partial_fit_classes(self, X, y, classes, sample_weight)
        return self

    def _prepared(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> Ready:
        X = checked_table(self, X, reset=True)
        y = checked_labels(y)
        check_consistent_length(X, y)
        check_classification_targets(y)
        self.classes_, classes = np.unique(y, return_inverse=True)
        place = Place.of(len(classes), sample_weight, groups)
        X, classes, weights = with_weight(X, classes.astype(np.int64), sample_weight)
        if len(np.unique(classes)) < 2:
            raise ArgumentError(f"{type(self).__name__} needs at least 2 classes to tell apart, but there is 1 class")
        if self.class_weight is not None:
            found = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_[classes])
            factors = checked_factors(self.class_weight, found)
            weights = factors[classes] if weights is None else weights * factors[classes]
            if not weights.any():
                raise ArgumentError("all rows have the weight 0: class_weight leaves nothing to learn from")
        goal = Goal(len(self.classes_), ClassLoss, criteria.log_loss, classes=True)
        return Ready(X, classes, classes, weights, [goal], place)

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
