"""Warnings of unfamiliar values: one for each call, at the caller's line, and none where nobody asked."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.inspection import permutation_importance
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from fanin.tabular import TabularClassifier, TabularRegressor, UnfamiliarWarning, evaluate
from tests.tabular.saving.tables import TINY


def table(rows: int = 60) -> Any:
    x = np.arange(float(rows))
    return pandas.DataFrame({"x": x, "letter": [f"{'abc'[row % 3]}" for row in range(rows)]})


def strange() -> Any:
    return table().assign(x=1e6, letter=["new"] * 5 + ["a"] * 55)


@pytest.fixture(scope="module")
def regressor() -> Any:
    return TabularRegressor(**TINY).fit(table(), table()["x"])


def told(function: Any, *arguments: Any) -> list[Any]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        function(*arguments)
    return [each for each in found if issubclass(each.category, UnfamiliarWarning)]


@pytest.mark.parametrize("name", ["predict", "predict_interval", "predict_quantiles"])
def test_one_warning_for_each_call(regressor: Any, name: str) -> None:
    (found,) = told(getattr(regressor, name), strange())
    assert found.filename == __file__, "the warning names another line than the caller's"
    assert "this TabularRegressor has learned from" in str(found.message)
    assert "column \"letter\": 'new' in 5 rows" in str(found.message)
    assert 'column "x": 1e+06 in 60 rows, far outside of 0 to 59' in str(found.message)
    assert told(getattr(regressor, name), table()) == []


def test_a_classifier_and_a_pipeline() -> None:
    steps = make_pipeline(FunctionTransformer(), TabularClassifier(**TINY)).fit(table(), table()["letter"])
    for name in ("predict", "predict_proba", "predict_log_proba"):
        assert len(told(getattr(steps, name), strange())) == 1


def test_it_can_be_turned_off(regressor: Any) -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("ignore", UnfamiliarWarning)
        regressor.predict(strange())
    assert not found
    assert issubclass(UnfamiliarWarning, UserWarning)


def test_judgements_are_silent(regressor: Any) -> None:
    """Folds that lack a category, and shuffled columns, are looked at again and again."""
    X = table().assign(letter=["a"] * 20 + ["b"] * 20 + ["c"] * 20)
    y = X["x"]
    assert told(cross_val_score, TabularRegressor(**TINY), X, y) == []
    assert told(cross_val_predict, TabularRegressor(**TINY), X, y) == []
    assert told(lambda: permutation_importance(regressor, strange(), y, n_repeats=1)) == []
    assert told(lambda: evaluate(regressor, strange(), y, train=(table(), y))) == []


def test_learning_on_is_silent() -> None:
    model = TabularRegressor(**TINY).partial_fit(table(), table()["x"])
    assert told(model.partial_fit, strange(), table()["x"]) == []
