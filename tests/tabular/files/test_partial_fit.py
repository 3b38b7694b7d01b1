"""`partial_fit`: pieces of a table, one after the other, in scikit-learn's contract."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from fanin._core.errors import ArgumentError
from fanin.tabular import TabularClassifier, TabularRegressor, UnfamiliarWarning
from fanin.tabular.fitting.ensemble import Goal
from fanin.tabular.fitting.losses import SquareLoss
from fanin.tabular.fitting.members import Part
from fanin.tabular.fitting.settings import tabm
from fanin.tabular.streaming import learner
from fanin.tabular.streaming.learner import Learner, Pupil

SMALL: dict[str, Any] = {"hidden": (16,), "random_state": 0}


def pieces(count: int, rows: int = 300, seed: int = 0) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(seed)
    tables = [rng.normal(size=(rows, 3)) for _ in range(count)]
    return [(X, 2.0 * X[:, 0] - X[:, 1] + 5) for X in tables]


def labelled(z: Any) -> Any:
    return np.where(z > 5, "up", "down")


TEST_X, TEST_Z = pieces(1, 1000, seed=1)[0]


def test_a_classifier_gets_better_piece_by_piece() -> None:
    model = TabularClassifier(**SMALL, learning_rate=0.02)
    scores = []
    for X, z in pieces(8):
        model.partial_fit(X, labelled(z), classes=["up", "down"])
        scores.append(model.score(TEST_X, labelled(TEST_Z)))
    assert scores[-1] > 0.95
    assert scores[-1] > scores[0]
    assert model.classes_.tolist() == ["down", "up"]
    assert model.n_iter_ == 8
    assert model.temperature_ != 1
    assert model.history_[0]["steps"] == 8 * 2  # batches of 256 of 270 rows


def test_a_regressor_with_quantiles_gets_better_and_covers() -> None:
    model = TabularRegressor(**SMALL, learning_rate=0.02, quantiles=(0.1, 0.5, 0.9))
    for X, z in pieces(12):
        model.partial_fit(X, z)
    assert model.score(TEST_X, TEST_Z) > 0.9
    low, high = model.predict_interval(TEST_X, 0.8).T
    assert 0.7 < np.mean((low <= TEST_Z) & (high >= TEST_Z)) < 0.9
    assert model.predict_quantiles(TEST_X, [0.2]).shape == (1000, 1)


def test_the_range_grows_with_the_pieces_and_the_scale_stays() -> None:
    model = TabularRegressor(**SMALL)
    X = np.arange(20.0)[:, None]
    model.partial_fit(X, np.arange(20.0))
    centre = model._centre.copy()
    model.partial_fit(X + 5, np.arange(20.0) + 30)
    assert (model._range[0][0], model._range[1][0]) == (0.0, 49.0)
    assert model._centre == centre


def test_a_compiled_step_takes_over_and_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "EAGER", 3)
    model = TabularRegressor(**SMALL, batch_size=64)
    for X, z in pieces(3):
        model.partial_fit(X[: 150 + len(X) // 3], z[: 150 + len(X) // 3])
    model.partial_fit(*[each[:7] for each in pieces(1)[0]])
    ((pupils, _, _),) = model._learner.stages[0]
    assert pupils[0]._compiled.captures == 1
    assert model.history_[0]["engine"] == "native"


def test_a_short_batch_learns_what_its_rows_say_and_nothing_of_the_filling() -> None:
    part = Part((TEST_X[:6].astype(np.float32),), TEST_Z[:6, None].astype(np.float32))
    goal = Goal(1, lambda smoothing: SquareLoss(), None, classes=False)  # type: ignore[arg-type]
    found = []
    for size in (6, 64):
        settings = tabm(hidden=(4,), members=2, dropout=0.0, batch_size=size, clip=None)
        made = Learner.new([goal], settings, _inputs(), part, seed=0)
        ((pupils, _, _),) = made.stages[0]
        pupils[0].learn(part, np.random.default_rng(0))
        found.append(np.concatenate([p.detach().numpy().ravel() for p in pupils[0].network.parameters()]))
    start = Learner.new([goal], settings, _inputs(), part, seed=0).stages[0][0][0][0]
    before = np.concatenate([p.detach().numpy().ravel() for p in start.network.parameters()])
    assert isinstance(start, Pupil)
    assert np.abs(found[0] - before).max() > 1e-4
    np.testing.assert_allclose(found[1], found[0], atol=2e-6)


def _inputs() -> Any:
    from fanin.tabular.nets import Inputs

    return Inputs(3, 0)


def test_it_goes_on_after_fit_and_fit_begins_anew() -> None:
    (X, z), *more = pieces(5)
    model = TabularRegressor("fast", **SMALL, epochs=3).fit(X, z)
    before = model.score(TEST_X, TEST_Z)
    for piece in more:
        model.partial_fit(*piece)
    assert model.score(TEST_X, TEST_Z) > before
    assert model.n_iter_ == 3 + 4
    assert not hasattr(model, "oof_score_")
    again = model.fit(X, z)
    assert again.score(TEST_X, TEST_Z) == before
    np.testing.assert_array_equal(
        again.partial_fit(*more[0]).predict(TEST_X),
        TabularRegressor("fast", **SMALL, epochs=3).fit(X, z).partial_fit(*more[0]).predict(TEST_X),
    )


def test_equal_seeds_give_equal_models_and_so_do_copies() -> None:
    one, two = (TabularClassifier(**SMALL) for _ in range(2))
    first, second, third = pieces(3, 80)
    for model in (one, two):
        for X, z in (first, second):
            model.partial_fit(X, labelled(z), classes=["down", "up"])
    np.testing.assert_array_equal(one.predict_proba(TEST_X), two.predict_proba(TEST_X))
    copy = pickle.loads(pickle.dumps(one))
    for model in (one, copy):
        model.partial_fit(third[0], labelled(third[1]))
    np.testing.assert_array_equal(one.predict_proba(TEST_X), copy.predict_proba(TEST_X))
    assert np.abs(one.predict_proba(TEST_X) - two.predict_proba(TEST_X)).max() > 1e-4


def test_new_categories_and_wider_ranges_are_taken() -> None:
    import polars

    model = TabularClassifier(**SMALL)
    model.partial_fit(polars.DataFrame({"c": ["a", "b"] * 10, "x": [1.0, 2.0, 3.0, 4.0] * 5}), [0, 1] * 10, [0, 1, 2])
    later = polars.DataFrame({"c": ["new", None] * 10, "x": [1e6, None] * 10})
    model.partial_fit(later, [2, 2] * 10)
    # The range has become wider, but a category stays unknown.
    with pytest.warns(UnfamiliarWarning) as told:
        assert model.predict_proba(later).shape == (20, 3)
    assert [str(each.message).count("\n- column") for each in told] == [1]
    assert "'new' in 10 rows" in str(told[0].message)


def test_rows_of_weight_0_are_not_learned_from() -> None:
    X, z = pieces(1, 100)[0]
    weights = np.repeat([1.0, 0.0], 50)
    some = TabularRegressor(**SMALL).partial_fit(X, z, sample_weight=weights)
    assert np.isfinite(some.predict(X)).all()
    with pytest.raises(ValueError, match=r"weight 0|non-zero"):
        some.partial_fit(X, z, sample_weight=np.zeros(100))


def test_the_contract_of_classes() -> None:
    X, z = pieces(1, 40)[0]
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        TabularClassifier(**SMALL).partial_fit(X, labelled(z))
    with pytest.raises(ArgumentError, match=r"y has the label 'down', which is none of the classes .*: 'a', 'b'"):
        TabularClassifier(**SMALL).partial_fit(X, labelled(z), classes=["a", "b"])
    model = TabularClassifier(**SMALL).partial_fit(X, labelled(z), classes=["up", "down"])
    with pytest.raises(ValueError, match="is not the same as on last call"):
        model.partial_fit(X, labelled(z), classes=["up", "sideways"])
    with pytest.raises(ValueError, match="2 features, but TabularClassifier is expecting 3"):
        model.partial_fit(X[:, :2], labelled(z))
    with pytest.raises(ArgumentError, match='class_weight="balanced" is not for partial_fit'):
        TabularClassifier(**SMALL, class_weight="balanced").partial_fit(X, labelled(z), classes=["up", "down"])
    with pytest.raises(ArgumentError, match="y has 2 targets, but there were 1 before"):
        TabularRegressor(**SMALL).partial_fit(X, z).partial_fit(X, np.stack([z, z], axis=1))


def test_a_first_call_that_fails_leaves_an_estimator_that_may_begin() -> None:
    X, z = pieces(1, 40)[0]
    model = TabularClassifier(**SMALL)
    with pytest.raises(ValueError, match="inconsistent"):
        model.partial_fit(X, labelled(z)[:-1], classes=["up", "down"])
    assert model.partial_fit(X, labelled(z), classes=["up", "down"]).n_iter_ == 1


def test_pieces_of_one_row() -> None:
    model = TabularRegressor(**SMALL)
    for X, z in pieces(3, 1):
        model.partial_fit(X, z)
    assert model.predict_interval(TEST_X[:2]).shape == (2, 2)
