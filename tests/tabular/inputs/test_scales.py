"""Scales: values worked by hand, the largest and smallest numbers there are, and scikit-learn's quantile transform."""

from __future__ import annotations

import json
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin._core.errors import TableError
from fanin.tabular.inputs.scales import (
    QuantileScale,
    RobustScale,
    normal_quantile,
    scale_from_dict,
    smooth_clip,
)
from fanin.tabular.inputs.summary import Floats, summarise


def column(*values: float) -> Floats:
    return np.array(values, np.float64)[:, None]


def bent(x: float) -> float:
    return float(x / np.sqrt(1 + (x / 3) ** 2))


def robust(values: Floats) -> RobustScale:
    return RobustScale.fit(summarise(values))


def test_distances_from_the_median_in_interquartile_ranges_bent() -> None:
    # Quartiles of 1 2 3 4 500 are 2, 3 and 4.
    scaled = robust(column(1, 2, 3, 4, 500))(column(1, 2, 3, 4, 500)).ravel()
    np.testing.assert_allclose(scaled, [bent(x) for x in (-1, -0.5, 0, 0.5, 248.5)], rtol=1e-6)


def test_half_the_range_where_the_quartiles_are_equal_and_nothing_where_all_are() -> None:
    scale = robust(np.concatenate([column(*[0] * 9, 4), column(*[7] * 10)], axis=1))
    assert scale.centre.tolist() == [0, 7]
    assert scale.factor.tolist() == [0.5, 0]


def test_missing_values_become_0_and_infinite_ones_the_ends() -> None:
    scale = robust(column(1, 2, 3, 4, 5))
    np.testing.assert_allclose(scale(column(np.nan, np.inf, -np.inf)).ravel(), [0, 3, -3], atol=1e-6)


def test_columns_in_which_only_infinite_values_differ_keep_them_apart() -> None:
    values = np.array([[5.0, np.inf], [5.0, -np.inf], [np.inf, np.inf]])
    scaled = robust(values)(values)
    np.testing.assert_allclose(scaled, [[0, 3], [0, -3], [3, 3]], atol=1e-6)


@pytest.mark.parametrize("size", [1e308, 1.7e308, 1e-308, 5e-324, 1e200])
def test_the_largest_and_smallest_numbers_keep_their_order(size: float) -> None:
    values = column(-size, 0, size)
    scaled = robust(values)(values).ravel()
    assert np.isfinite(scaled).all()
    assert scaled[0] < scaled[1] < scaled[2]


def test_whole_numbers_beyond_float32_keep_their_differences() -> None:
    values = (2**40 + np.arange(5))[:, None]
    assert values.astype(np.float32).ptp() == 0 if hasattr(values, "ptp") else np.ptp(values.astype(np.float32)) == 0
    np.testing.assert_allclose(robust(values)(values).ravel(), [bent(x) for x in (-1, -0.5, 0, 0.5, 1)], rtol=1e-6)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20))
def test_whatever_comes_becomes_finite_and_at_most_3(values: list[float]) -> None:
    scaled = robust(column(*values))(column(*values))
    assert scaled.dtype == np.float32
    assert np.isfinite(scaled).all()
    assert np.abs(scaled).max() <= 3


def test_smooth_clip_is_its_formula() -> None:
    x = np.linspace(-10, 10, 41)
    np.testing.assert_allclose(smooth_clip(x.copy()), x / (1 + (x / 3) ** 2) ** 0.5, rtol=1e-14)


def test_normal_quantiles_are_right_to_seven_digits() -> None:
    ranks = np.concatenate([np.linspace(1e-7, 1 - 1e-7, 2001), np.geomspace(1e-7, 0.1, 300)])
    exact = [NormalDist().inv_cdf(rank) for rank in ranks]
    np.testing.assert_allclose(normal_quantile(ranks), exact, atol=1e-6)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(normal_quantile(ranks), np.array(exact) + 3e-6, atol=1e-6)


def test_quantile_scale_is_scikit_learns() -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    rng = np.random.default_rng(0)
    values = np.stack([rng.normal(size=600), rng.exponential(size=600)], axis=1)
    count = QuantileScale.count(len(values))
    theirs = preprocessing.QuantileTransformer(n_quantiles=count, output_distribution="normal", subsample=10**9)
    scale = QuantileScale.fit(summarise(values, quantiles=count))
    for rows in (values, values + 0.05, values * 3):
        np.testing.assert_allclose(scale(rows), theirs.fit(values).transform(rows), atol=2e-6)


def test_repeated_values_get_the_middle_of_their_ranks_as_with_a_little_noise() -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    rng = np.random.default_rng(0)
    values = rng.integers(0, 4, (6000, 1)).astype(float)
    count = QuantileScale.count(len(values))
    theirs = preprocessing.QuantileTransformer(n_quantiles=count, output_distribution="normal", subsample=10**9)
    theirs.fit(values + rng.normal(0, 1e-5, values.shape))  # as TabM does
    np.testing.assert_allclose(QuantileScale.fit(summarise(values, count))(values), theirs.transform(values), atol=0.05)


def test_quantile_scale_of_missing_and_infinite_values() -> None:
    scale = QuantileScale.fit(summarise(column(*range(100), np.nan, np.inf), quantiles=10))
    np.testing.assert_allclose(scale(column(np.nan, np.inf, -np.inf)).ravel(), [0, 5.1993375, -5.1993375], atol=1e-5)


def test_scales_are_the_same_after_json() -> None:
    values = np.random.default_rng(2).normal(size=(40, 3))
    found = summarise(values, quantiles=10)
    for scale in (RobustScale.fit(found), QuantileScale.fit(found), RobustScale.fit(found)[np.array([2])]):
        again = scale_from_dict(json.loads(json.dumps(scale.to_dict(), allow_nan=False)))
        width = len(again.centre) if isinstance(again, RobustScale) else again.quantiles.shape[1]
        np.testing.assert_array_equal(again(values[:, :width]), scale(values[:, :width]))
    with pytest.raises(TableError, match="a saved scale"):
        scale_from_dict({"kind": "minmax"})
