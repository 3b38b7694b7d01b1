"""The C library's functions: bit for bit what Python's `math` returns, whatever NumPy has of its own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fanin.random import libm

NAMES = ("log", "log1p", "exp", "sin", "cos", "tan")


@pytest.mark.parametrize("name", NAMES)
def test_functions_are_those_of_the_c_library(name: str) -> None:
    x = np.random.default_rng(1).random(20_000)
    expected = [getattr(math, name)(value) for value in x.tolist()]
    np.testing.assert_array_equal(getattr(libm, name)(x), expected, strict=True)


def test_a_function_of_numpys_own_is_found_out() -> None:
    def nearly(x: Any) -> Any:
        y = np.array([math.log(value) for value in x.tolist()])
        y[0] = np.nextafter(y[0], 1.0)
        return y

    x = np.random.default_rng(1).random(20)
    assert nearly(x)[0] != math.log(x[0])
    np.testing.assert_array_equal(libm._function(nearly, math.log, 0.0, 1.0)(x), [math.log(v) for v in x.tolist()])


def test_where_there_is_no_finite_result() -> None:
    """Python's functions raise errors there."""
    log, exp = libm.one_by_one(np.log, math.log), libm.one_by_one(np.exp, math.exp)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(
            log(np.array([0.0, -1.0, np.inf, np.nan, 1.0])), [-np.inf, np.nan, np.inf, np.nan, 0]
        )
        np.testing.assert_array_equal(exp(np.array([1e4, -1e4, -np.inf])), [np.inf, 0.0, 0.0])
    assert log(np.empty((0, 3))).shape == (0, 3)
    np.testing.assert_array_equal(log(np.array([[1.0, math.e], [2.0, 4.0]])), [[0, 1], [math.log(2), math.log(4)]])
