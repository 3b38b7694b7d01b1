"""The exponential moving average: worked values, a naive loop, kinds in and out, mistakes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import fanin as torch
from fanin._core.errors import FaninError

FIVE = [1, 2, 3, 4, 5]
finite = st.floats(-1e6, 1e6)
betas = st.floats(0, 0.999)


def weighted_sum(series, beta, bias_correction):
    """Return each average from its definition as a weighted sum of all values up to it, without a recursion."""
    averages = []
    for t in range(len(series)):
        weights = np.array([(1 - beta) * beta ** (t - i) for i in range(t + 1)])
        if bias_correction:
            weights = weights / weights.sum()
        else:
            weights[0] = beta**t
        averages.append(np.tensordot(weights, np.asarray(series[: t + 1], dtype=np.float64), axes=1))
    return np.array(averages)


@pytest.mark.parametrize(
    ("beta", "expected"), [(0.1, [1, 1.9, 2.89, 3.889, 4.8889]), (0.9, [1, 1.1, 1.29, 1.561, 1.9049])]
)
def test_worked_values(beta, expected):
    assert torch.ema(FIVE, beta) == pytest.approx(expected, rel=1e-14)


def test_worked_values_with_correction():
    # v = .5 1.25 2.125, over 1/2 3/4 7/8.
    assert torch.ema([1, 2, 3], 0.5, bias_correction=True) == pytest.approx([1, 5 / 3, 17 / 7], rel=1e-14)


def test_correction_is_adams():
    # The first moment of Adam, step by step as in its paper's algorithm 1.
    moment, expected = 0.0, []
    for t, x in enumerate(FIVE, start=1):
        moment = 0.9 * moment + (1 - 0.9) * x
        expected.append(moment / (1 - 0.9**t))
    assert torch.ema(FIVE, beta=0.9, bias_correction=True) == pytest.approx(expected, rel=1e-14)


@given(st.lists(finite, min_size=1, max_size=30), betas, st.booleans())
def test_is_the_weighted_sum(series, beta, bias_correction):
    expected = weighted_sum(series, beta, bias_correction)
    scale = max(1.0, *(abs(x) for x in series))
    np.testing.assert_allclose(torch.ema(series, beta, bias_correction), expected, rtol=1e-9, atol=1e-10 * scale)


def test_the_weighted_sum_tells_the_two_starts_apart():
    wrong = weighted_sum(FIVE, 0.9, bias_correction=True)
    assert not np.allclose(torch.ema(FIVE, 0.9), wrong)


@given(arrays.arrays(np.float64, (7, 3), elements=finite), betas, st.booleans())
def test_columns_are_averaged_alone(table, beta, bias_correction):
    together = torch.ema(table, beta, bias_correction)
    for column in range(3):
        np.testing.assert_array_equal(together[:, column], torch.ema(table[:, column], beta, bias_correction))


@given(finite, betas, st.booleans())
def test_a_constant_stays(value, beta, bias_correction):
    assert torch.ema([value] * 6, beta, bias_correction) == pytest.approx([value] * 6, rel=1e-12, abs=1e-300)


@given(st.lists(finite, min_size=1, max_size=20), st.booleans())
def test_beta_zero_is_the_series(series, bias_correction):
    assert torch.ema(series, 0, bias_correction) == series


def test_one_value():
    assert torch.ema([3.0], 0.9) == [3.0]
    assert torch.ema([3.0], 0.9, bias_correction=True) == pytest.approx([3.0])


def test_the_series_is_left_alone():
    series = np.array([1.0, 2.0, 3.0])
    torch.ema(series, 0.5)
    torch.ema(series, 0.5, bias_correction=True)
    assert series.tolist() == [1.0, 2.0, 3.0]


# ---------------------------------------------------------------------------------------------- what comes out


@pytest.mark.parametrize("series", [FIVE, tuple(FIVE), [True, False], [np.float64(1), 2]])
def test_lists(series):
    averages = torch.ema(series, 0.5)
    assert type(averages) is list
    assert all(type(a) is float for a in averages)


def test_nested_lists():
    assert torch.ema([[1, 10], [3, 30]], 0.5) == [[1.0, 10.0], [2.0, 20.0]]


def test_a_list_of_losses():
    weight = torch.tensor(2.0, requires_grad=True)
    assert torch.ema([weight * 1, weight * 2], 0.5) == [2.0, 3.0]


@pytest.mark.parametrize(
    ("given_dtype", "dtype"), [("float32", "float32"), ("float64", "float64"), ("int64", "float64")]
)
def test_arrays(given_dtype, dtype):
    averages = torch.ema(np.array(FIVE, dtype=given_dtype), 0.9)
    assert isinstance(averages, np.ndarray)
    assert averages.dtype == dtype
    np.testing.assert_allclose(averages, [1, 1.1, 1.29, 1.561, 1.9049], rtol=1e-6)


@pytest.mark.parametrize(
    ("given_dtype", "dtype"), [("float32", "float32"), ("float64", "float64"), ("int64", "float32")]
)
def test_tensors(given_dtype, dtype):
    averages = torch.ema(torch.tensor(FIVE, dtype=getattr(torch, given_dtype)), 0.9)
    assert isinstance(averages, torch.Tensor)
    assert averages.dtype is getattr(torch, dtype)
    np.testing.assert_allclose(averages.numpy(), [1, 1.1, 1.29, 1.561, 1.9049], rtol=1e-6)


def test_no_gradient_flows_back():
    series = torch.tensor([1.0, 2.0], requires_grad=True)
    assert not torch.ema(series, 0.5).requires_grad


def test_float32_is_summed_in_float64():
    # Summed in float32 the average would stand still: each step is below half a unit in the last place of 1.
    series = torch.tensor([1.0, *[1.0001] * 200_000])
    last = torch.ema(series, 0.99999)[-1].item()
    assert last == pytest.approx(1 + 1e-4 * (1 - 0.99999**200_000), rel=1e-6)


# ---------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize("beta", [-0.1, 1, 1.0, 2, float("nan"), float("inf")])
def test_beta_outside(beta):
    with pytest.raises(ValueError, match=r"beta must be in \[0, 1\)"):
        torch.ema(FIVE, beta)


@pytest.mark.parametrize("beta", ["0.9", None, [0.9], 1j])
def test_beta_is_no_number(beta):
    with pytest.raises(TypeError, match="beta is a number"):
        torch.ema(FIVE, beta)


@pytest.mark.parametrize("series", [[], (), np.zeros(0), np.zeros((3, 0)), np.zeros((0, 3)), [[]]])
def test_empty(series):
    with pytest.raises(ValueError, match="the series is empty"):
        torch.ema(series, 0.5)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_not_finite(bad):
    with pytest.raises(ValueError, match=r"series\[2\] is -?(nan|inf)"):
        torch.ema([1.0, 2.0, bad, 4.0], 0.5)
    with pytest.raises(ValueError, match=r"series\[1, 0\] is"):
        torch.ema(torch.tensor([[1.0, 2.0], [bad, 4.0]]), 0.5)


@pytest.mark.parametrize("series", ["text", ["a", "b"], [None, 1], {"a": 1}, [1j], [object()]])
def test_not_numbers(series):
    with pytest.raises(TypeError, match="made of real numbers"):
        torch.ema(series, 0.5)


@pytest.mark.parametrize("series", [3, 3.0, np.float64(3), np.array(3.0), torch.tensor(3.0)])
def test_one_number(series):
    with pytest.raises(ValueError, match="at least one dimension"):
        torch.ema(series, 0.5)


def test_ragged():
    with pytest.raises(ValueError, match="rows of a series have one shape"):
        torch.ema([[1, 2], [3]], 0.5)


def test_they_are_of_the_house():
    with pytest.raises(FaninError):
        torch.ema([], 0.5)
