"""What both estimators share: the table, the recipe, the training."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from fanin._core.advice import give
from fanin._core.errors import ArgumentError
from fanin.tabular.checking import check_time_limit, checked_table
from fanin.tabular.estimators.place import Ready
from fanin.tabular.fitting.ensemble import Ensemble, fit_ensemble, is_interrupted
from fanin.tabular.fitting.given import recipe_of
from fanin.tabular.fitting.members import Part
from fanin.tabular.fitting.presets import recipe
from fanin.tabular.fitting.settings import widths_of
from fanin.tabular.fitting.watching import Listener, Watch
from fanin.tabular.inputs import Encoder
from fanin.tabular.inputs.unfamiliar import Unfamiliar, tell
from fanin.tabular.nets import Inputs

if TYPE_CHECKING:
    from fanin.tabular.inputs.report import Column
    from fanin.tabular.search import Search
    from fanin.tabular.search.space import Space

_NOTHING = (
    "X has no column to learn from: each is empty, the same in all rows, or of texts that are all different, so that "
    "every row gets the same prediction"
)
_CHANGES = {"epochs": "epochs", "batch_size": "batch_size", "learning_rate": "rate", "hidden": "hidden"}


class TabularEstimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: the table, the recipe, the training."""

    _task: str
    _listener: Listener | None = None  # hears how far `fit` is

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
        random_state: Any = None,
    ) -> None:
        self.preset = preset
        self.time_limit = time_limit
        self.validation_fraction = validation_fraction
        self.cv = cv
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.hidden = hidden
        self.settings = settings
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn may expect."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    @property
    def columns_(self) -> list[Column]:
        """What each column of the table holds, and what becomes of it."""
        check_is_fitted(self, "n_iter_")
        return self._encoder.describe()

    def save(self, folder: str | os.PathLike[str], force: bool = False) -> None:
        """Save the fitted estimator in a folder, for `fanin.tabular.load_model`; as `fanin.tabular.save_model` does."""
        from fanin.tabular.saving import save_model

        save_model(self, folder, force)

    def fit_file(
        self,
        path: Any,
        target: str,
        *,
        ignore: Sequence[str] = (),
        missing: Sequence[str] = ("",),
        separator: str | None = None,
        decimal: str = ".",
        thousands: str | None = None,
        sample_weight: str | None = None,
        memory: int | str | None = None,
        progress: Callable[[str, float], Any] | None = None,
    ) -> Self:
        """Learn from a table in files, CSV (plain or gzipped) or Parquet, which may be larger than memory.

        A table that fits is read and learned from as by `fit`. A larger one is read twice. The first pass takes a
        random sample of its rows, from which scales and levels are learned, and of which some are held out, at most
        20,000, to choose the best epoch and to calibrate. The second deals all other rows out, encoded, to the blocks
        of a temporary file (in the folder that TMPDIR names), each a random sample of the table. Then networks learn
        from one block after the other.

        Other than by `fit`, rows are shuffled within their blocks, and blocks among each other, but two rows of
        different blocks never meet in a batch; one network of each kind is trained, without folds; a text that turns up
        in a column of numbers counts as missing, if the sample has no such text, and a warning tells of it; and where
        `epochs` is not given, there are no more passes than show 20 million rows.

        Args:
            path: as in `fanin.tabular.open_table`, or what it returned.
            target: the column to learn; rows without it are left out, and a warning says how many.
            ignore: columns not to learn from.
            missing, separator, decimal, thousands: as in `open_table`; kept, so that `predict_file` reads alike.
            sample_weight: the column with the rows' weights.
            memory: what this process may hold, in bytes or as "2 GB"; 1 GB if not given, or 0.5 GB more than it holds.
            progress: called with what is being done ("reading", "encoding", "training") and the share of it.

        Raises ValueError for what is no table or has no such column, for too little memory, and, before training, where
        the disk has no room for the temporary file. That is removed however training ends.
        """
        from fanin.tabular.files.reading import Reading
        from fanin.tabular.streaming.fitting import fit_file

        fit_file(
            self,
            path,
            target,
            ignore=ignore,
            reading=Reading.of({}, missing, separator, decimal, thousands),
            sample_weight=sample_weight,
            memory=memory,
            progress=progress,
        )
        return self

    @classmethod
    def search(
        cls,
        X: Any,
        y: Any,
        *,
        space: Space | None = None,
        trials: int = 32,
        time_limit: float | None = None,
        cv: Any = None,
        validation_fraction: float = 0.2,
        epochs: int | None = None,
        sample_weight: Any = None,
        groups: Any = None,
        callbacks: Any = (),
        refit: bool = True,
        progress: bool = True,
        random_state: Any = None,
        **parameters: Any,
    ) -> Search:
        """Try settings at random, and fit an estimator with the best.

        By successive halving: all settings are trained with a ninth of the epochs, the best third with a third of them,
        the best third of these with all; networks are trained side by side. The preset's own are the first that are
        tried. Ctrl-C ends the search, whose table then says what is known, without a fit.

        Args:
            X, y, sample_weight, groups: as of `fit`.
            space: what is tried, by the names of `settings`: a list of choices, a distribution with `rvs` (as of
                scipy.stats), or one value; or a list of such dictionaries, of which one is chosen first. What is not
                named is as in the preset. `fanin.tabular.search.default_space` returns the default.
            trials: how many settings are tried.
            time_limit: seconds for all, the last fit included; then results depend on the machine's speed.
            cv, validation_fraction: what settings are judged by, as of the estimators; without `cv` by 3 folds of up to
                1,500 rows, else by a share that is held out. The fit at the end uses them, too, or the preset's folds.
            epochs: of the last rung; by the rows if not given.
            callbacks: a function or several, called with the record of each setting after each of its rungs; one that
                returns True ends the search.
            refit: whether an estimator is fitted with the best settings.
            progress: whether a terminal shows how far the search is.
            random_state: a seed.
            parameters: of the estimator, as class_weight; its preset decides what is not searched.

        Raises:
            TypeError, ValueError: for what is no space, and as `fit`.

        K. Jamieson, A. Talwalkar, "Non-stochastic best arm identification", arXiv 1502.07943.
        """
        from fanin.tabular.search.run import Options, search

        options = Options(
            space,
            trials,
            time_limit,
            cv,
            validation_fraction,
            epochs,
            callbacks,
            refit,
            progress,
            random_state,
            parameters,
        )
        return search(cls, (X, y), {"sample_weight": sample_weight, "groups": groups}, options)

    def _prepared(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> Ready:
        """Return a table and its target as they are learned from, and take note of columns, classes and units."""
        raise NotImplementedError

    def _part(self, ready: Ready) -> tuple[Inputs, Part]:
        """Return the rows as networks take them, and learn the encoder for it."""
        self._encoder = Encoder().fit(ready.X, ready.target)
        inputs, arrays = inputs_of(self._encoder.transform(ready.X))
        if all(column.kind == "left out" for column in self._encoder.describe()):
            give(UserWarning, _NOTHING)
        weights = ready.weights
        return inputs, Part(arrays, ready.target, None if weights is None else (weights / weights.mean()).astype("f4"))

    def _train(self, ready: Ready) -> list[Ensemble]:
        """Encode the table, and train an ensemble for each goal, on the same rows."""
        goals = ready.goals
        check_time_limit(self.time_limit)
        end = None if self.time_limit is None else self._started + self.time_limit
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        inputs, part = self._part(ready)
        plan = recipe_of(self.settings, recipe(self.preset, self._task, len(part), self._changes()), self._task)
        splits = ready.splits(self.cv, (plan.folds, plan.repeats), self.validation_fraction, seed)
        watch = self._listener and Watch(self._listener, plan.stages, len(splits) * len(goals))
        found: list[Ensemble] = []
        for number, goal in enumerate(goals):
            now = time.monotonic()
            due = None if end is None else now + (end - now) / (len(goals) - number)
            if found and is_interrupted(found[-1].record):
                due = now
            found.append(fit_ensemble(part, inputs, goal, plan, splits, seed % (2**30) + number, due, watch))
        self._inputs = inputs
        self.about_: dict[str, Any] = {}  # of a table in a file; those who fit from one say more
        self.history_ = [entry for ensemble in found for entry in ensemble.record]
        self.n_iter_ = max(entry["epochs"] for entry in self.history_)
        return found

    def _changes(self) -> dict[str, Any]:
        given = {field: getattr(self, name) for name, field in _CHANGES.items()}
        changes = {field: value for field, value in given.items() if value is not None}
        return {**changes, "hidden": widths_of(self.hidden)} if self.hidden is not None else changes

    def _encoded(self, X: Any) -> tuple[NDArray[Any], ...]:
        check_is_fitted(self, "n_iter_")
        strange: list[Unfamiliar] = []
        encoded = self._encoder.transform(checked_table(self, X, reset=False), strange)
        tell(strange, type(self).__name__)
        return inputs_of(encoded)[1]


def with_weight(X: Any, target: NDArray[Any], sample_weight: Any) -> tuple[Any, NDArray[Any], NDArray[Any] | None]:
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


def inputs_of(encoded: Any) -> tuple[Inputs, tuple[NDArray[Any], ...]]:
    """Return the sizes of encoded rows, and those of their arrays that are not empty."""
    numbers, flags = encoded.numbers, encoded.flags
    if not numbers.shape[1] + flags.shape[1] + len(encoded.sizes):
        flags = np.zeros((len(numbers), 1), np.float32)  # nothing tells rows apart: all get the same prediction
    inputs = Inputs(numbers.shape[1], flags.shape[1], tuple(encoded.sizes))
    named = {"numbers": numbers, "flags": flags, "levels": encoded.levels}
    return inputs, tuple(named[name] for name in inputs.parts)
