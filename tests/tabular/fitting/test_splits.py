"""Splits by groups and by a user's folds: no group on both sides, every row judged, nothing named that is not there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import KFold, PredefinedSplit, StratifiedKFold

from fanin.tabular.fitting.splits import folds_of, folds_of_groups, hold_out_groups, spread

GROUPS = st.lists(st.integers(0, 6), min_size=6, max_size=60).filter(lambda groups: len(set(groups)) > 1)


def apart(splits: Any, groups: Any) -> bool:
    """Say whether no split has a group on both sides."""
    return not any(set(groups[learned]) & set(groups[judged]) for learned, judged in splits)


def test_the_check_sees_a_group_on_both_sides() -> None:
    groups = np.array([0, 0, 1])
    assert not apart([(np.array([0]), np.array([1, 2]))], groups)
    assert apart([(np.array([0, 1]), np.array([2]))], groups)


@given(GROUPS, st.integers(2, 5), st.booleans(), st.integers(0, 3))
def test_folds_of_groups(names: list[int], count: int, with_classes: bool, seed: int) -> None:
    groups = np.array(names)
    classes = np.arange(len(groups)) % 3 if with_classes else None
    splits = folds_of_groups(groups, count, np.random.default_rng(seed), classes)
    assert apart(splits, groups)
    assert sorted(np.concatenate([judged for _, judged in splits])) == list(range(len(groups)))
    for learned, judged in splits:
        assert len(groups) - len(judged) - len(learned) <= max(1, 0.01 * len(groups))


@given(GROUPS, st.floats(0.05, 0.95), st.integers(0, 3))
def test_a_share_of_whole_groups(names: list[int], share: float, seed: int) -> None:
    groups = np.array(names)
    ((learned, judged),) = hold_out_groups(groups, share, np.random.default_rng(seed))
    assert apart([(learned, judged)], groups)
    assert sorted([*learned, *judged]) == list(range(len(groups)))
    assert min(len(learned), len(judged)) > 0
    # No further from the share than by half of the largest group, where neither side is empty.
    largest = np.bincount(groups).max()
    assert abs(len(judged) - share * len(groups)) <= largest


@given(st.lists(st.integers(0, 9), max_size=30))
def test_spread_is_a_mean_for_each_row(judged: list[int]) -> None:
    values = np.arange(len(judged), dtype=float)[:, None]
    found = spread(values, np.array(judged, np.int64), 10)[:, 0]
    for row in range(10):
        those = [value for value, other in enumerate(judged) if other == row]
        assert (np.isnan(found[row]) and not those) or found[row] == pytest.approx(np.mean(those))


def of(cv: Any, **options: Any) -> Any:
    return folds_of(cv, np.zeros((30, 1)), np.arange(30.0), np.random.default_rng(0), **options)


def test_splitters_see_classes_and_groups() -> None:
    classes = np.repeat([0, 1], [24, 6])
    for _, judged in of(StratifiedKFold(3), classes=classes):
        assert np.bincount(classes[judged]).tolist() == [8, 2]
    assert [len(judged) for _, judged in of(PredefinedSplit(np.arange(30) // 10 - 1))] == [10, 10]


def test_folds_of_almost_one_size_learn_from_as_many_rows() -> None:
    assert {len(learned) for learned, _ in of(KFold(4))} == {22}
    assert [len(learned) for learned, _ in of([(np.arange(20), [29]), (np.arange(10), [28])])] == [20, 10]


def test_flags_name_rows_and_rows_of_no_weight_drop_out() -> None:
    flags = np.arange(30) < 20
    ((learned, judged),) = of([(flags, ~flags)])
    assert (len(learned), judged.tolist()) == (20, list(range(20, 30)))
    ((learned, judged),) = of([([0, 2, 4, 58, 59], [6, 7])], kept=2 * np.arange(30))
    assert (learned.tolist(), judged.tolist()) == ([0, 1, 2, 29], [3])


@pytest.mark.parametrize("seed", range(3))
def test_folds_of_groups_keep_the_shares_of_classes_beside_one_that_is_rare(seed: int) -> None:
    """Six groups of the first class, five of the second, and one row of the third: in each of 3 folds two, or one."""
    groups = np.concatenate([np.repeat(np.arange(11), 4), [11]])
    classes = np.concatenate([np.repeat([0] * 6 + [1] * 5, 4), [2]])
    found = folds_of_groups(groups, 3, np.random.default_rng(seed), classes)
    counts = np.array([np.bincount(classes[judged], minlength=3) for _, judged in found]) // 4
    assert counts[:, 0].tolist() == [2, 2, 2]
    assert sorted(counts[:, 1]) == [1, 2, 2]
