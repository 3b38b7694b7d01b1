"""How far predictions may go: ends that the held-out rows bear out, and the score that one row does not decide."""

from __future__ import annotations

import numpy as np
import pytest

from fanin.tabular.fitting.criteria import moderate_squared_error, squared_error
from fanin.tabular.fitting.reach import FEWEST, reach


def house_prices(rows=400, seed=0):
    """Return predictions and prices that agree but for noise, and one prediction that is far above its price."""
    rng = np.random.default_rng(seed)
    numbers = rng.gamma(4.0, 50.0, rows)
    predicted = numbers + rng.normal(0, 5, rows)
    predicted[0], numbers[0] = 2000.0, 100.0
    return predicted, numbers


def test_one_row_far_beyond_all_others_ends_the_range_at_what_the_rows_up_there_had():
    predicted, numbers = house_prices()
    _, high = reach(predicted, numbers, numbers.min(), numbers.max())
    assert high == pytest.approx(numbers[np.argsort(-predicted)[:FEWEST]].mean())
    assert np.sum((np.minimum(predicted, high) - numbers) ** 2) < 0.1 * np.sum((predicted - numbers) ** 2)


def test_the_range_ends_below_as_it_does_above():
    predicted, numbers = house_prices()
    low, high = reach(predicted, numbers, numbers.min(), numbers.max())
    mirrored = reach(-predicted, -numbers, -numbers.max(), -numbers.min())
    np.testing.assert_allclose(mirrored, (-high, -low))


def test_predictions_that_come_true_keep_the_whole_range():
    numbers = np.random.default_rng(0).normal(size=300)
    assert reach(numbers, numbers, numbers.min(), numbers.max()) == (numbers.min(), numbers.max())


def test_a_range_is_taken_only_where_it_makes_the_error_smaller():
    """Of 25 rows, the upper 20 would end the range at their mean, which is further off than what was predicted."""
    numbers = np.arange(25.0)
    assert reach(numbers - 0.1, numbers, 0.0, 24.0) == (0.0, 24.0)


def test_the_range_ends_at_the_first_row_that_is_predicted_as_high_as_the_mean_of_those_before():
    predicted = np.repeat([100.0, 50.0, 0.0], [20, 1, 20])
    numbers = np.repeat([50.0, 0.0, 0.0], [20, 1, 20])
    assert reach(predicted, numbers, 0.0, 100.0) == (0.0, 50.0)


def test_few_rows_keep_the_whole_range():
    predicted, numbers = (each[:FEWEST] for each in house_prices())
    assert reach(predicted, numbers, 0.0, 500.0) == (0.0, 500.0)


def test_rows_that_weigh_nothing_say_nothing():
    predicted, numbers = house_prices()
    weights = np.where(np.arange(len(numbers)) == 0, 1e-12, 1.0)
    assert reach(predicted[1:], numbers[1:], 0.0, 5000.0)[1] == pytest.approx(
        reach(predicted, numbers, 0.0, 5000.0, weights)[1], rel=0.03
    )
    assert reach(predicted, numbers, 0.0, 5000.0, np.full(len(numbers), 3.0)) == reach(predicted, numbers, 0.0, 5000.0)


@pytest.mark.parametrize(("rows", "held"), [(2, 1), (100, 1), (101, 2), (200, 2), (250, 3)])
def test_the_moderate_error_counts_the_largest_hundredth_as_the_largest_of_the_others(rows: int, held: int):
    rng = np.random.default_rng(0)
    outputs, numbers = rng.normal(size=(rows, 1)), rng.normal(size=(rows, 1))
    squares = np.sort(((outputs - numbers) ** 2)[:, 0])
    expected = np.concatenate([squares[:-held], np.repeat(squares[-held - 1], held)]).mean()
    assert moderate_squared_error(outputs, numbers) == pytest.approx(expected)


def test_the_moderate_error_of_members_is_that_of_their_mean_and_of_one_row_that_of_all():
    rng = np.random.default_rng(0)
    outputs, numbers = rng.normal(size=(50, 4, 2)), rng.normal(size=(50, 2))
    assert moderate_squared_error(outputs, numbers) == moderate_squared_error(outputs.mean(axis=1), numbers)
    assert moderate_squared_error(outputs[:1], numbers[:1]) == squared_error(outputs[:1], numbers[:1])
