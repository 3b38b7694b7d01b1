"""scikit-learn's own checks of an estimator, all of them."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fanin.sklearn import MLPClassifier, MLPRegressor

QUICK: dict[str, Any] = {"max_iter": 20, "learning_rate_init": 0.02}
ESTIMATORS = [
    MLPClassifier(**QUICK),
    MLPRegressor(**QUICK),
    MLPClassifier(**QUICK, solver="adamw", loss="focal", activation=["silu"], dropout=0.1, batch_norm=True),
    MLPRegressor(**QUICK, loss="huber", early_stopping=True, validation_fraction=0.5),
]
WEIGHTS = ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data")


def known(estimator: Any) -> dict[str, str]:
    """Say which checks ask for what a setting cannot give; there are none for the defaults."""
    if getattr(estimator, "batch_norm", False):
        return dict.fromkeys(WEIGHTS, "masks are drawn, and batches normalised, for each row, be it there twice")
    if getattr(estimator, "early_stopping", False):
        return dict.fromkeys(WEIGHTS, "the rows that are held out are drawn by their number")
    return {}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=known)
def test_is_an_estimator(estimator: Any, check: Any) -> None:
    check(estimator)
