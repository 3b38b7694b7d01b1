"""How networks of two kinds are mixed: with shares that the held-out rows ask for, and not for a trifle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fanin import nn
from fanin.tabular.fitting import criteria
from fanin.tabular.fitting.ensemble import Ensemble, Goal, fit_ensemble
from fanin.tabular.fitting.losses import SquareLoss
from fanin.tabular.fitting.members import Part, Trained
from fanin.tabular.fitting.presets import Recipe
from fanin.tabular.fitting.settings import tabm
from fanin.tabular.nets import Inputs

GOAL = Goal(1, lambda smoothing: SquareLoss(), criteria.squared_error, classes=False)
ROWS = 400
NUMBERS = np.random.default_rng(0).normal(size=(ROWS, 1)).astype(np.float32)
LEARNED, JUDGED = np.arange(0, ROWS, 2), np.arange(1, ROWS, 2)
HALF = np.arange(len(JUDGED)) % 2 == 0


def mixed(errors: Sequence[Any], weights: Any = None, seeds: list[int] | None = None) -> Ensemble:
    """Return the ensemble of kinds of which each has one network, that is wrong by these errors, (judged rows,)."""
    waiting = list(errors)

    def trainer(plan: Any, part: Part, splits: Any, seed: int, *_: Any) -> list[Trained]:
        if seeds is not None:
            seeds.append(seed)
        wrong = np.broadcast_to(np.asarray(waiting.pop(0), np.float32), JUDGED.shape)
        outputs = NUMBERS[JUDGED] + wrong[:, None]
        return [Trained(nn.Linear(1, 1), outputs, 1.0, 1, 1, "eager", "finished", 0.0)]

    part = Part((NUMBERS,), NUMBERS, weights)
    recipe = Recipe((tabm(),) * len(errors))
    return fit_ensemble(part, Inputs(1, 0), GOAL, recipe, [(LEARNED, JUDGED)], 7, trainer=trainer)


def shares(*errors: Any, weights: Any = None) -> Any:
    return pytest.approx([stage.share for stage in mixed(errors, weights).stages])


def test_the_better_kind_has_the_larger_share() -> None:
    assert shares(0.5, -1.5) == [0.75, 0.25]
    assert shares(-1.4, 0.6) == [0.3, 0.7]
    found = mixed([0.5, -1.5])
    assert found.held_out == pytest.approx(NUMBERS[JUDGED], abs=1e-6)
    assert found.judged.tolist() == JUDGED.tolist()


@pytest.mark.parametrize(("more", "share"), [(1.0, 0.5), (1.25, 0.5), (1.4, 0.6)])
def test_equal_shares_stay_unless_others_are_better_by_a_hundredth(more: float, share: float) -> None:
    """Errors of different rows: s^2 + more (1 - s)^2, at one half and at 0.6 .5625 and .56, or .6 and .584."""
    assert shares(HALF * 1.0, ~HALF * more**0.5) == [share, 1 - share]


def test_rows_that_weigh_nothing_do_not_choose_shares() -> None:
    weights = np.ones(ROWS, np.float32)
    weights[JUDGED[~HALF]] = 0
    first, second = np.where(HALF, 0.5, -1.5), np.where(HALF, -1.5, 0.5)
    assert shares(first, second, weights=weights) == [0.75, 0.25]
    assert shares(first, second) == [0.5, 0.5]


def test_three_kinds_have_equal_shares_and_each_kind_its_seed() -> None:
    assert shares(0.0, 1.0, 2.0) == [1 / 3] * 3
    seeds: list[int] = []
    mixed([0.0, 1.0], seeds=seeds)
    assert seeds == [7, 8]
