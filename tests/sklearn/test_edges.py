"""When training stops, to the epoch, and modules that are given."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.neural_network import MLPRegressor as TheirRegressor

import fanin
from fanin.sklearn import MLPClassifier, MLPRegressor

X = np.random.default_rng(0).normal(size=(60, 2))
Y = np.zeros(60, int)
Y[:6] = 1


@pytest.mark.parametrize("tol", [0.0, 1e-4])
def test_scores_that_stay_as_they_are_count_as_scikit_learn_counts_them(tol: float) -> None:
    options: dict[str, Any] = {"early_stopping": True, "tol": tol, "n_iter_no_change": 3, "max_iter": 12}
    options |= {"hidden_layer_sizes": (3,), "learning_rate_init": 1e-4, "random_state": 0}
    found = []
    for kind in (MLPClassifier, Theirs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = kind(**options).fit(X, Y)
        found.append((model.n_iter_, model.validation_scores_))
    assert found[0] == found[1]
    assert found[0][0] == (12 if tol == 0 else 5)


def test_a_module_that_is_given_stays_as_it_is_and_each_layer_has_its_own() -> None:
    given = fanin.nn.PReLU()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 2))
    model = MLPRegressor(hidden_layer_sizes=(4, 4), activation=given, max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, np.abs(x[:, 0]))
    learned = [stage[0].weight.item() for stage in model._network.stages]
    assert given.weight.item() == 0.25
    assert len({0.25, *learned}) == 3


@pytest.mark.parametrize("tol", [1e-1, 1e-2])
def test_lbfgs_ends_at_the_slope_that_is_asked_for(tol: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    options: dict[str, Any] = {"solver": "lbfgs", "tol": tol, "random_state": 0, "hidden_layer_sizes": (4,)}
    ours, theirs = (kind(**options, alpha=0.1, max_iter=500).fit(x, x[:, 0]) for kind in (MLPRegressor, TheirRegressor))
    assert ours.n_iter_ == theirs.n_iter_


def rows(count: int, seed: int = 0) -> tuple[Any, Any]:
    x = np.random.default_rng(seed).normal(size=(count, 2))
    return x, x[:, 0]


def quiet(model: Any, *data: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*data)


SMALL: dict[str, Any] = {"hidden_layer_sizes": (3,), "random_state": 0}


@pytest.mark.parametrize(("batch_size", "count", "taken"), [(1, 7, 4), (2, 7, 4), (3, 7, 4), (3, 8, 3), (2, 8, 2)])
def test_no_row_is_alone_where_batches_are_normalised(batch_size: int, count: int, taken: int) -> None:
    model = MLPRegressor(batch_norm=True, batch_size=batch_size, max_iter=1, **SMALL)
    quiet(model, *rows(count))
    assert model._rows_of_a_batch(count) == taken


@pytest.mark.parametrize("count", [400, 40], ids=["compiled", "a few steps, one by one"])
def test_calls_in_a_row_draw_other_masks(count: int) -> None:
    model = MLPRegressor(
        dropout=0.5, shuffle=False, solver="sgd", learning_rate_init=1e-30, momentum=0, alpha=0, batch_size=8, **SMALL
    )
    for _ in range(3):
        model.partial_fit(*rows(count))
    assert len(set(model.loss_curve_)) == 3


def test_what_a_fit_held_out_does_not_judge_pieces_that_come_later() -> None:
    model = quiet(MLPRegressor(early_stopping=True, max_iter=2, **SMALL), *rows(200))
    model.partial_fit(*rows(50, seed=1))
    later, _ = rows(50, seed=1)
    assert model._held.inputs.shape == (5, 2)
    assert all((row == later).all(axis=1).any() for row in model._held.inputs)
    before = model._held.inputs
    model.partial_fit(*rows(60, seed=2))
    assert model._held.inputs is before


def test_pieces_are_judged_whatever_classes_they_have() -> None:
    """A class of one row cannot be on both sides."""
    x, _ = rows(40)
    model = MLPClassifier(early_stopping=True, **SMALL)
    model.partial_fit(x, np.eye(1, 40, 3, dtype=int)[0], classes=[0, 1])
    assert len(model.validation_scores_) == 1


def test_pieces_after_a_fit_that_has_ended_have_their_own_patience() -> None:
    model = MLPRegressor(early_stopping=True, tol=10.0, n_iter_no_change=2, max_iter=50, **SMALL)
    model.fit(*rows(100))
    assert (model.converged_, model.n_iter_) == (True, 4)
    ended = []
    for seed in range(5):
        model.partial_fit(*rows(100, seed))
        ended.append(model._has_ended)
    assert ended == [False, False, True, True, True]


@pytest.mark.parametrize("weighted", [True, False])
def test_a_loss_of_pytorchs_kind_takes_weights_and_stays_as_it_is(weighted: bool) -> None:
    given, (x, y) = fanin.nn.L1Loss(), rows(60)
    weights = np.random.default_rng(1).random(60) if weighted else None
    one, other = (
        quiet(MLPRegressor(loss=loss, max_iter=3, **SMALL), x, y, weights) for loss in (given, "absolute_error")
    )
    assert one.loss_curve_ == pytest.approx(other.loss_curve_, rel=1e-12)
    assert given.reduction == "mean"


@pytest.mark.parametrize(("log_input", "activation"), [(True, "exp"), (False, "identity")])
def test_a_poisson_loss_says_whether_outputs_are_logarithms(log_input: bool, activation: str) -> None:
    x, y = rows(60)
    loss = fanin.nn.PoissonNLLLoss(log_input=log_input)
    model = quiet(MLPRegressor(loss=loss, max_iter=2, learning_rate_init=1e-6, **SMALL), x, np.exp(y).round())
    assert model.out_activation_ == activation
    raw = model._raw(x, model._network).ravel()
    np.testing.assert_allclose(model.predict(x), np.exp(raw) if log_input else raw)
