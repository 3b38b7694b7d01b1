"""Learning piece by piece: short batches, the latest rows that are held out, orders of blocks, weights with mean 1."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars
import pytest

from fanin.tabular import TabularClassifier
from fanin.tabular.fitting import criteria
from fanin.tabular.fitting.ensemble import Goal
from fanin.tabular.fitting.losses import SquareLoss
from fanin.tabular.fitting.members import Part, Plan, make_network
from fanin.tabular.fitting.settings import tabm
from fanin.tabular.nets import Inputs
from fanin.tabular.seeding import seeded
from fanin.tabular.streaming import learner
from fanin.tabular.streaming.blocks import _Feeder
from fanin.tabular.streaming.feed import Stretch
from fanin.tabular.streaming.learner import Pupil
from fanin.tabular.streaming.targets import ClassTarget

GOAL = Goal(1, lambda smoothing: SquareLoss(), criteria.squared_error, classes=False)


def moments(batch_size: int, weights: Any = None) -> list[Any]:
    """Return the mean gradients after one pass over 6 rows, in batches of this size."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 2)).astype(np.float32), rng.normal(size=(6, 1)).astype(np.float32)
    settings = tabm(hidden=(4,), members=2, dropout=0.0, batch_size=batch_size, clip=None)
    with seeded(0):
        network = make_network(Plan(Inputs(2, 0), 1, settings, SquareLoss(), criteria.squared_error))
    pupil = Pupil(network, settings, GOAL, 0)
    pupil.learn(Part((x,), y, weights), np.random.default_rng(1))
    return [state["exp_avg"].numpy() for state in pupil.optimizer.state.values()]


@pytest.mark.parametrize("weights", [None, np.arange(6, dtype=np.float32) / 2.5])
def test_a_batch_that_is_filled_up_has_the_gradient_of_its_rows(weights: Any) -> None:
    for short, whole in zip(moments(16, weights), moments(6, weights), strict=True):
        np.testing.assert_allclose(short, whole, rtol=1e-4, atol=1e-7)


def test_the_latest_rows_are_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "MOST_HELD", 4)
    rows = np.arange(3.0)
    one = Part((rows[:, None],), rows)
    two = Part((rows[:, None] + 10,), rows + 10, np.full(3, 2, np.float32))
    found = learner._latest(one, two)
    assert found.inputs[0].ravel().tolist() == found.target.tolist() == [2, 10, 11, 12]
    assert found.weights is not None
    assert found.weights.tolist() == [1, 2, 2, 2]


def test_each_pass_takes_all_blocks_in_another_order() -> None:
    loaded: list[int] = []
    told: list[float] = []
    feeder = _Feeder(
        SimpleNamespace(blocks=5, load=loaded.append),  # type: ignore[arg-type]
        np.random.default_rng(0),
        15,
        lambda what, share: told.append(share),
    )
    for turn in range(1, 16):
        feeder.bring(turn)
        feeder.bring(turn)
        feeder.on_epoch_end(SimpleNamespace(reason="", epoch=turn))
    passes = [loaded[:5], loaded[5:10], loaded[10:]]
    assert [sorted(each) for each in passes] == [[*range(5)]] * 3
    assert passes[0] != passes[1] != passes[2]
    assert told == pytest.approx([turn / 15 for turn in range(1, 16)])


@pytest.mark.parametrize(
    ("class_weight", "ratio"),
    [(None, 1.0), ("balanced", 70 / 30), ({"a": 3.0, "b": 1.0}, 3.0)],
    ids=["none", "balanced", "given"],
)
def test_weights_of_a_whole_file_have_the_mean_1(class_weight: Any, ratio: float) -> None:
    labels, weights = polars.Series("y", ["a"] * 30 + ["b"] * 70), np.linspace(0.5, 4, 100)
    target = ClassTarget(TabularClassifier(class_weight=class_weight), "t")
    whole = Stretch(polars.DataFrame({"x": np.arange(100)}), labels, weights)
    for part in np.split(np.arange(100), [20, 55]):
        target.look(whole[part])
    target.settle()
    classes, found = target.encode(whole)
    assert classes.tolist() == [0] * 30 + [1] * 70
    assert found is not None
    assert found.mean() == pytest.approx(1, rel=1e-5)
    assert found[0] / found[99] == pytest.approx(ratio * weights[0] / weights[99], rel=1e-5)
