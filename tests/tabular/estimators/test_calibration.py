"""The temperature of classes: fitted on the rows that were held out, by their weights, for one network or several."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fanin.tabular import TabularClassifier
from fanin.tabular.fitting.calibration import temperature

RNG = np.random.default_rng(3)
X = RNG.normal(size=(240, 2))
Y = (X[:, 0] + RNG.normal(size=240) > 0).astype(np.int64)
WEIGHTS = np.where(RNG.random(240) < 0.5, 0.2, 3.0)


def fitted(weights: Any = None, **options: Any) -> TabularClassifier:
    return TabularClassifier("fast", epochs=2, random_state=0, **options).fit(X, Y, weights)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weights"])
@pytest.mark.parametrize("cv", [None, 3])
def test_the_temperature_is_that_of_the_held_out_rows(cv: Any, weights: Any) -> None:
    model = fitted(weights, cv=cv)
    held, rows = model._ensemble.held_out, model._ensemble.judged
    given = None if weights is None else weights[rows]
    assert model.temperature_ == pytest.approx(temperature(held, Y[rows], given, averaged=cv is not None))
    others = [temperature(held, Y[rows], given, averaged=cv is None), temperature(held, Y[rows], None)]
    assert all(abs(model.temperature_ - other) > 1e-3 for other in others[: 1 + (weights is not None)])
    right = model.oof_predictions_[rows].argmax(axis=1) == Y[rows]
    assert model.oof_score_ == pytest.approx(np.average(right, weights=given))
