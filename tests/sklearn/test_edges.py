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
