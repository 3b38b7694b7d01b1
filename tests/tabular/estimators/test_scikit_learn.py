"""scikit-learn's own checks, and what its users do: clone, pickle, pipelines, cross-validation."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from fanin.tabular import TabularClassifier, TabularRegressor

# Members of a network start at random and take batches in random order, as those of scikit-learn's MLPClassifier do,
# for which scikit-learn expects this check to fail, too.
EXPECTED = {"check_sample_weight_equivalence_on_dense_data": "training is stochastic"}
QUICK: dict[str, Any] = {"preset": "fast", "epochs": 12, "hidden": (32,), "learning_rate": 0.02, "random_state": 0}


@pytest.mark.parametrize("estimator", [TabularClassifier, TabularRegressor])
@pytest.mark.filterwarnings("ignore")
def test_check_estimator(estimator: Any) -> None:
    results = check_estimator(estimator(**QUICK), expected_failed_checks=EXPECTED, on_skip=None)
    assert len(results) > 50
    assert {result["check_name"] for result in results if result["status"] == "xfail"} == set(EXPECTED)


def rows(count: int = 120) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(count, 3))
    return X, np.where(X[:, 0] > 0, "up", "down")


def test_clone_and_pickle() -> None:
    X, y = rows()
    model = TabularClassifier(**QUICK).fit(X, y)
    assert clone(model).get_params() == model.get_params()
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(clone(model).fit(X, y).predict_proba(X), model.predict_proba(X))


def test_cross_validation() -> None:
    X, y = rows()
    assert cross_val_score(TabularClassifier(**QUICK), X, y, cv=2).mean() > 0.8


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"preset": "good"}, "preset must be one of fast, default, best, not 'good'"),
        ({"time_limit": 0}, "time_limit must be above 0 seconds"),
        ({"validation_fraction": 1.0}, "must lie between 0 and 1, not 1.0"),
        ({"epochs": 0}, "must be 1 or more"),
    ],
)
def test_parameters_outside_their_domain(parameters: Any, message: str) -> None:
    X, y = rows(20)
    with pytest.raises(ValueError, match=message):
        TabularClassifier(**{**QUICK, **parameters}).fit(X, y)
