"""The fused multiply-add and the Cephes functions, against exact fractions and the standard library."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.random import cephes
from fanin.random.fma import fma32, fma64

# Away from the ends of the range, where the rounding error of a product underflows.
magnitudes = st.floats(1e-100, 1e100)
doubles = st.just(0.0) | magnitudes | magnitudes.map(lambda x: -x)
singles = st.floats(width=32, min_value=-(2.0**40), max_value=2.0**40, allow_subnormal=False)


def exact64(a: float, b: float, c: float) -> float:
    """Round the exact value once: Python turns a fraction into the nearest float64."""
    return float(Fraction(a) * Fraction(b) + Fraction(c))


def exact32(a: float, b: float, c: float) -> float:
    """Round the exact value once to float32, by looking at the two neighbours of a first guess."""
    value = Fraction(a) * Fraction(b) + Fraction(c)
    guess = np.float32(float(value))
    around = [guess, np.nextafter(guess, np.float32(-np.inf)), np.nextafter(guess, np.float32(np.inf))]
    return float(min(around, key=lambda x: (abs(Fraction(float(x)) - value), x.view(np.uint32) & 1)))


@given(doubles, doubles, doubles)
def test_fma64_rounds_once(a: float, b: float, c: float) -> None:
    assert fma64(np.array([a]), b, c)[0] == exact64(a, b, c)


def test_fma64_rounds_once_where_two_roundings_differ() -> None:
    rng = np.random.RandomState(0)
    a = rng.random_sample(2000)
    b, c = -1.9, 0.7
    expected = np.array([exact64(x, b, c) for x in a.tolist()])
    assert np.array_equal(fma64(a, b, c), expected)
    assert np.sum(a * b + c != expected) > 500, "the oracle must tell one rounding from two"


def test_fma64_at_the_largest_numbers() -> None:
    a = np.array([0.5, 0.25, 0.9])
    expected = [exact64(x, 1.5e308, -7e307) for x in a.tolist()]
    assert fma64(a, 1.5e308, -7e307).tolist() == expected


@given(singles, singles, singles)
def test_fma32_rounds_once(a: float, b: float, c: float) -> None:
    expected = exact32(a, b, c)
    if expected == 0 or abs(expected) > 1e-30:
        assert float(fma32(np.array([a], np.float32), b, c)[0]) == expected


def test_fma32_where_float64_would_round_to_the_middle() -> None:
    """(1 + 2**-12)**2 is the middle of two float32 numbers, and a float64 sum swallows the 2**-80 that decides."""
    a = np.array([1 + 2.0**-12], np.float32)
    below, above = 1 + 2.0**-11, 1 + 2.0**-11 + 2.0**-23
    assert float(fma32(a, 1 + 2.0**-12, 2.0**-80)[0]) == above == exact32(1 + 2.0**-12, 1 + 2.0**-12, 2.0**-80)
    assert float(fma32(a, 1 + 2.0**-12, -(2.0**-80))[0]) == below
    assert float(fma32(a, 1 + 2.0**-12, 0.0)[0]) == below, "the even one of the two"


def within_ulps(found: Any, expected: Any, ulps: float) -> bool:
    return bool(np.all(np.abs(found - expected) <= ulps * np.spacing(np.abs(expected).astype(np.float32))))


def test_log_is_near_the_logarithm() -> None:
    x = (1.0 - np.arange(0, 2**24, 997) * 2.0**-24).astype(np.float32)
    assert within_ulps(cephes.log32(x), np.array([math.log(v) for v in x.tolist()]), 1.0)


def test_sine_and_cosine_are_near_theirs() -> None:
    x = np.linspace(0, 2 * math.pi, 9973).astype(np.float32).astype(np.float64)
    sine, cosine = cephes.sincos32(x)
    assert np.max(np.abs(sine - np.sin(x))) < 1.2e-7
    assert np.max(np.abs(cosine - np.cos(x))) < 1.2e-7


def test_results_are_float32_numbers() -> None:
    x = np.linspace(0.01, 1, 501).astype(np.float32)
    for values in (cephes.log32(x), *cephes.sincos32(x.astype(np.float64))):
        assert np.array_equal(values, values.astype(np.float32).astype(np.float64))


@pytest.mark.parametrize("name", ["_LOG_COEFFICIENTS", "_SINE_COEFFICIENTS", "_COSINE_COEFFICIENTS"])
def test_wrong_coefficient_is_rejected(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    first, *others = getattr(cephes, name)
    monkeypatch.setattr(cephes, name, (first * 1.1, *others[:-1], others[-1] * 1.001))
    with pytest.raises(AssertionError):
        test_log_is_near_the_logarithm() if "LOG" in name else test_sine_and_cosine_are_near_theirs()
