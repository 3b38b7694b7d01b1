"""`fit_file`: an estimator learns from a table in files, in memory that does not grow with the table."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from fanin._core.errors import ArgumentError, TableError
from fanin.tabular.checking import check_time_limit, checked_table
from fanin.tabular.estimators.base import inputs_of
from fanin.tabular.files import TableFile
from fanin.tabular.files.cleaning import Refused, clean, with_numbers
from fanin.tabular.files.opening import opened
from fanin.tabular.files.reading import Reading
from fanin.tabular.files.table_file import bytes_of
from fanin.tabular.fitting.ensemble import Ensemble, fit_ensemble, is_interrupted
from fanin.tabular.fitting.given import recipe_of
from fanin.tabular.fitting.members import Part
from fanin.tabular.fitting.presets import Recipe, recipe
from fanin.tabular.fitting.splits import hold_out
from fanin.tabular.inputs import Encoder
from fanin.tabular.nets import Inputs
from fanin.tabular.streaming.aside import Aside
from fanin.tabular.streaming.blocks import BlockTrainer
from fanin.tabular.streaming.budget import Budget, budget_of
from fanin.tabular.streaming.feed import Feed, Stretch, as_labels
from fanin.tabular.streaming.reservoir import Reservoir
from fanin.tabular.streaming.store import Arrays, Store
from fanin.tabular.streaming.targets import ClassTarget, NumberTarget, Target

MOST_JUDGED = 20_000  # rows that are held out
IN_SAMPLE = 1000  # rows at least
# Times the seconds of the first pass that are needed for the second, which took 2.2 times as long, and to learn.
ENCODING = 3.0
ROWS_TO_SEE = 20_000_000  # of all passes together, where nobody names their number
USUAL = Reading()
Progress = Callable[[str, float], Any]


def fit_file(
    model: Any,
    path: Any,
    target: str,
    *,
    ignore: Sequence[str] = (),
    reading: Reading = USUAL,
    sample_weight: str | None = None,
    memory: int | str | None = None,
    progress: Progress | None = None,
    aside: Aside | None = None,
) -> Any:
    """Let an estimator learn from a table in files; the arguments are those of its method of this name.

    reading: how the table is written.
    aside: rows that are not learned from, which are kept as they come by.
    """
    model._started = time.monotonic()
    check_time_limit(model.time_limit)
    if not 0 < model.validation_fraction < 1:
        raise ArgumentError(f"validation_fraction must lie between 0 and 1, not {model.validation_fraction}")
    table = path if isinstance(path, TableFile) else opened(path, reading)
    feed = Feed(table, target, ignore, sample_weight, numbers=model._task == "numbers", aside=aside)
    budget = budget_of(memory)
    whole = table.bytes_in_memory <= budget.whole
    if model.cv is not None and not whole:
        raise ArgumentError(
            f"cv is for tables that fit into memory, and {table.source} does not",
            remedy="leave cv out: a share of the rows is held out then; or give more memory",
        )
    fitted = _fit_whole(model, feed) if whole else _InPieces(model, feed, budget, progress or _silent).fit()
    fitted.about_ = about(table, target, sample_weight)
    return fitted


def about(table: TableFile, target: str, weight: str | None) -> dict[str, Any]:
    """Return what is kept of a table that a model has learned from, to read others alike."""
    named = {} if weight is None else {"weight": weight}
    return {"table": table.source, "target": target, **table.reading.about(), **named}


def _silent(what: str, share: float) -> None:
    """Tell nobody."""


def _fit_whole(model: Any, feed: Feed) -> Any:
    stretch = feed.stretch(feed.table.read(columns=feed.columns))
    _check_some(len(stretch), feed)
    _warn_of_left_out(feed)
    X = with_numbers(stretch.frame, Encoder().limits.one_hot_up_to)
    if feed.numbers:
        return model.fit(X, stretch.target.to_numpy(), stretch.weights)
    texts, codes = np.unique(stretch.target.to_numpy(), return_inverse=True)
    return model.fit(X, as_labels(texts.tolist())[codes], stretch.weights)


@dataclass
class _InPieces:
    """One training in bounded memory: a pass that looks, a pass that encodes, and the epochs."""

    model: Any
    feed: Feed
    budget: Budget
    progress: Progress
    refused: dict[str, list[Any]] = field(default_factory=dict)

    def fit(self) -> Any:
        model = self.model
        seed = int(check_random_state(model.random_state).randint(2**31 - 1))
        rng = np.random.default_rng(seed)
        sample_file = self.feed.table.read(1000, self.feed.columns)
        self.row = max(16, bytes_of(sample_file) // sample_file.height)
        self.rows = int(np.clip(self.budget.piece // self.row, 256, 1 << 16))
        source = self.feed.table.source
        target: Target = NumberTarget(model, source) if self.feed.numbers else ClassTarget(model, source)
        sample, places, count = self._look(target, rng)
        inputs, arrays, sample = self._learn_encoder(sample)
        part = Part(arrays, *target.encode(sample))
        split = self._split(count, sample, target, rng)
        plan = recipe_of(model.settings, recipe(model.preset, model._task, count, model._changes()), model._task)
        store, stretches = self._store(part, split, count, places, target, rng)
        with store.opened():
            for parts in stretches:
                store.add(parts)
            ensembles = self._train(store, part, inputs, target, _single(plan), split, seed, count)
        self._tell_of_refused()
        _warn_of_left_out(self.feed)
        model._inputs = inputs
        model.history_ = [entry for ensemble in ensembles for entry in ensemble.record]
        model.n_iter_ = max(entry["epochs"] for entry in model.history_)
        judged = ensembles[0].judged
        ensembles = [_renumbered(each) for each in ensembles]
        target.finish(ensembles, sample[judged])
        return model

    # The first pass ---------------------------------------------------------------------------------------------------

    def _look(self, target: Target, rng: np.random.Generator) -> tuple[Stretch, NDArray[np.int64], int]:
        """Return a sample of the rows, their places among those that are learned from, and the number of these."""
        started = time.monotonic()
        kept = Reservoir(max(IN_SAMPLE, self.budget.sample // self.row), rng)
        whole = self.feed.table.bytes_in_memory
        for stretch in self.feed.stretches(self.rows):
            target.look(stretch)
            kept.add(stretch)
            self.progress("reading", min(1.0, kept.seen * self.row / whole))
        _check_some(kept.seen, self.feed)
        target.settle()
        self._seconds = time.monotonic() - started
        return kept.stretch(), kept.rows(), kept.seen

    def _learn_encoder(self, sample: Stretch) -> tuple[Inputs, tuple[NDArray[Any], ...], Stretch]:
        """Learn scales and levels, and return the sample encoded, and with no more of its columns than one."""
        encoder = Encoder()
        frame = with_numbers(sample.frame, encoder.limits.one_hot_up_to)
        checked_table(self.model, frame, reset=True)
        self.model._encoder = encoder.fit(frame)
        inputs, arrays = inputs_of(encoder.transform(frame))
        return inputs, arrays, Stretch(frame[:, :1], sample.target, sample.weights)

    def _split(
        self, count: int, sample: Stretch, target: Target, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows = len(sample)
        wanted = min(round(self.model.validation_fraction * count), MOST_JUDGED, rows // 2)
        classes = target.classes_of(sample) if isinstance(target, ClassTarget) else None
        return hold_out(rows, max(wanted, 1) / rows, rng, classes)[0]

    # The second pass --------------------------------------------------------------------------------------------------

    def _store(
        self, part: Part, split: Any, count: int, places: NDArray[np.int64], target: Target, rng: np.random.Generator
    ) -> tuple[Store, Any]:
        """Return where encoded rows go, and these: all of them, or those of the sample where time is short."""
        learned, judged = split
        like = [each[:0] for each in (*part.inputs, part.target)]
        like += [] if part.weights is None else [part.weights[:0]]
        limit = self.model.time_limit
        if limit is not None and self.model._started + limit - time.monotonic() < ENCODING * self._seconds:
            warnings.warn(
                f"time_limit={limit:g} leaves no time to read {self.feed.table.source} a second time: learning from a "
                f"random sample of {len(learned):,} of its {count:,} rows",
                UserWarning,
                stacklevel=6,
            )
            return Store(len(learned), like, self.budget.block, rng), [_arrays(part[learned])]
        store = Store(count - len(judged), like, self.budget.block, rng)
        return store, self._encoded(places[judged], target, count)

    def _encoded(self, judged: NDArray[np.int64], target: Target, count: int) -> Any:
        """Yield the rows that are learned from, encoded."""
        first = 0
        for stretch in self.feed.stretches(self.rows):
            learned = np.ones(len(stretch), bool)
            low, high = np.searchsorted(judged, (first, first + len(stretch)))
            learned[judged[low:high] - first] = False
            some = stretch[np.flatnonzero(learned)]
            first += len(stretch)
            if len(some):
                frame, refused = clean(some.frame, self.model._encoder)
                self._note(refused, some.rows)
                inputs = inputs_of(self.model._encoder.transform(frame))[1]
                yield _arrays(Part(inputs, *target.encode(some)))
            self.progress("encoding", first / count)

    def _note(self, refused: Sequence[Refused], rows: NDArray[np.int64]) -> None:
        """Count values that were refused; `rows` are their numbers in the file."""
        for each in refused:
            at, value = next(iter(each))
            known = self.refused.setdefault(each.column, [0, f"{value!r} in row {rows[at]}", each.reason])
            known[0] += int(each.where.sum())

    def _tell_of_refused(self) -> None:
        for column, (count, first, reason) in self.refused.items():
            warnings.warn(
                f'{self.feed.table.source}, column "{column}": {count:,} value{"s" * (count > 1)}, the first of them '
                f"{first}, where {reason}; counted as missing",
                UserWarning,
                stacklevel=5,
            )

    # The epochs -------------------------------------------------------------------------------------------------------

    def _train(
        self,
        store: Store,
        part: Part,
        inputs: Inputs,
        target: Target,
        plan: Recipe,
        split: Any,
        seed: int,
        count: int,
    ) -> list[Ensemble]:
        model = self.model
        end = None if model.time_limit is None else model._started + model.time_limit
        named = model.epochs is not None or (model.settings or {}).get("epochs") is not None
        passes = None if named else max(1, -(-ROWS_TO_SEE // count))
        trainer = BlockTrainer(store, passes, self.progress)
        found: list[Ensemble] = []
        for number, goal in enumerate(target.goals):
            now = time.monotonic()
            due = None if end is None else now + (end - now) / (len(target.goals) - number)
            if found and is_interrupted(found[-1].record):
                due = now
            found.append(fit_ensemble(part, inputs, goal, plan, [split], seed % (2**30) + number, due, trainer=trainer))
        return found


def _single(plan: Recipe) -> Recipe:
    return Recipe(plan.stages)


def _arrays(part: Part) -> Arrays:
    return [*part.inputs, part.target, *([] if part.weights is None else [part.weights])]


def _renumbered(ensemble: Ensemble) -> Ensemble:
    """Return the ensemble with judged rows numbered by themselves: those learned from are kept nowhere."""
    return replace(ensemble, judged=np.arange(len(ensemble.judged)))


def _check_some(count: int, feed: Feed) -> None:
    if not count:
        raise TableError(
            f'{feed.table.source} has no row to learn from: all lack "{feed.target}"'
            + ("" if feed.weight is None else " or have the weight 0")
        )


def _warn_of_left_out(feed: Feed) -> None:
    lacking = feed.left_out
    if lacking:
        what = f'no "{feed.target}"' + ("" if feed.weight is None else " or no weight above 0")
        have = "row has" if lacking == 1 else "rows have"
        warnings.warn(f"{feed.table.source}: {lacking:,} {have} {what}; left out", UserWarning, stacklevel=5)
