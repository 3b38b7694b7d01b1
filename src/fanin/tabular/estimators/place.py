"""What `fit` learns from once it has been looked at, and where its rows stand in the table that was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _check_sample_weight

from fanin.tabular.checking import checked_groups
from fanin.tabular.fitting.ensemble import Goal
from fanin.tabular.fitting.splits import Splits, folds, folds_of, folds_of_groups, hold_out, hold_out_groups, spread


@dataclass(frozen=True)
class Place:
    """Where the rows that are learned from stand in the table that was given.

    rows:   of that table.
    kept:   the numbers of those that have a weight; None for all.
    groups: of the rows that are kept; None where they have none.
    """

    rows: int
    kept: NDArray[np.int64] | None = None
    groups: NDArray[Any] | None = None

    @classmethod
    def of(cls, rows: int, sample_weight: Any, groups: Any) -> Place:
        """Return the place of rows with these weights and groups; both may be None.

        Raises ValueError for groups that are not one for each row, or missing.

        >>> Place.of(3, [1.0, 0.0, 2.0], ["a", "a", "b"]).kept.tolist()
        [0, 2]
        """
        if groups is not None:
            groups = checked_groups(groups, rows)
        if sample_weight is None:
            return cls(rows, None, groups)
        weights = _check_sample_weight(sample_weight, np.empty((rows, 1)), dtype=np.float64)
        kept = np.flatnonzero(weights > 0)
        return cls(rows, kept, None if groups is None else groups[kept])

    def out_of_fold(
        self, predicted: NDArray[Any], judged: NDArray[np.int64], count: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Return what was predicted for rows that were judged: for all rows, and for these, with their numbers.

        Args:
            predicted: (judged rows, outputs).
            judged: the numbers of these rows among those that are kept; one may come several times.
            count: of the rows that are kept.

        Returns a row for each of the table's, NaN where it was not judged; the rows that are not NaN; and which of the
        rows that are kept these are.
        """
        inner = spread(predicted, judged, count)
        known = np.flatnonzero(np.isfinite(inner).all(axis=1))
        if self.kept is None:
            return inner, inner[known], known
        outer = np.full((self.rows, inner.shape[1]), np.nan)
        outer[self.kept] = inner
        return outer, inner[known], known


@dataclass(frozen=True)
class Ready:
    """A table and its target, looked at, without the rows of weight 0.

    X:       the rows.
    y:       the numbers of their classes (rows,), or numbers (rows, targets) in their own units.
    target:  what networks learn: the numbers of classes, or numbers with mean 0 and deviation 1.
    weights: of the rows; None where all weigh the same.
    goals:   what ensembles are trained for.
    place:   where the rows stand in the table.
    """

    X: Any
    y: NDArray[Any]
    target: NDArray[Any]
    weights: NDArray[np.float64] | None
    goals: Sequence[Goal]
    place: Place

    @property
    def classes(self) -> NDArray[np.int64] | None:
        """The numbers of the classes; None for numbers."""
        return self.y if self.goals[0].classes else None

    def splits(self, cv: Any, most: tuple[int, int], share: float, seed: int) -> Splits:
        """Return the rows that each network learns from, and those that judge it.

        Args:
            cv: what the user wants; None for what the preset does.
            most: the preset's folds (1 for none) and, where there are none, shares that are held out.
            share: of the rows, where a share is held out.
            seed: of random splits.
        """
        rng, rows, groups, classes = np.random.default_rng(seed), len(self.y), self.place.groups, self.classes
        if cv is not None:
            return folds_of(cv, self.X, self.target, rng, classes, groups, self.place.kept)
        count, repeats = most
        if count > 1 and rows > 2:
            return folds(rows, count, rng, classes) if groups is None else folds_of_groups(groups, count, rng, classes)
        if groups is None:
            return [part for _ in range(repeats) for part in hold_out(rows, share, rng, classes)]
        return [part for _ in range(repeats) for part in hold_out_groups(groups, share, rng)]
