"""Scores against values worked by hand and by scikit-learn's definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fanin.tabular.scores import score_classes, score_numbers, softmax


def test_numbers() -> None:
    scores = score_numbers(np.array([2.5, 0.0, 2.0, 8.0]), np.array([3.0, -0.5, 2.0, 7.0]))
    assert scores.r2 == pytest.approx(0.9486081370449679)  # the example of scikit-learn's r2_score
    assert scores.rmse == pytest.approx(math.sqrt(0.375))  # ... of mean_squared_error
    assert scores.mae == pytest.approx(0.5)  # ... of mean_absolute_error


def test_r2_of_equal_numbers_is_not_a_number() -> None:
    assert math.isnan(score_numbers(np.array([1.0, 2.0]), np.array([1.0, 1.0])).r2)


def test_classes() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1], [0.2, 0.6, 0.2]])
    scores = score_classes(probabilities, np.array([0, 1, 1, 2]))
    assert scores.accuracy == 0.5
    assert scores.log_loss == pytest.approx(-(math.log(0.7) + math.log(0.8) + math.log(0.4) + math.log(0.2)) / 4)
    assert scores.precision[:2] == (0.5, 0.5)
    assert math.isnan(scores.precision[2])
    assert scores.recall == (1.0, 0.5, 0.0)
    assert scores.support == (1, 2, 1)


def test_a_probability_of_zero_costs_much_but_not_everything() -> None:
    assert score_classes(np.array([[1.0, 0.0]]), np.array([1])).log_loss == pytest.approx(-math.log(1e-15))


def test_softmax_does_not_overflow() -> None:
    assert softmax(np.array([[1e4, -1e4, 1e4]], np.float32)).tolist() == [[0.5, 0.0, 0.5]]
