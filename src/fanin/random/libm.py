"""The C library's elementary functions of arrays of float64, with which PyTorch turns uniform numbers into others.

NumPy's own are the same where it calls the C library. On processors with registers of 64 bytes it has others for some
functions, which are off by one in the last place now and then: log1p at one number in twelve, log at one in 300.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
_PROBES = 4096
_TURN = 2.0 * math.pi


def log(x: Array) -> Array:
    """Return the natural logarithm of each element.

    >>> bool(log(np.array([3.0]))[0] == math.log(3.0))
    True
    """
    return _function(np.log, math.log, 0.0, 1.0)(x)


def log1p(x: Array) -> Array:
    """Return log(1 + x) for each element."""
    return _function(np.log1p, math.log1p, -1.0, 0.0)(x)


def exp(x: Array) -> Array:
    """Return e to the power of each element."""
    return _function(np.exp, math.exp, -8.0, 8.0)(x)


def sin(x: Array) -> Array:
    """Return the sine of each element."""
    return _function(np.sin, math.sin, 0.0, _TURN)(x)


def cos(x: Array) -> Array:
    """Return the cosine of each element."""
    return _function(np.cos, math.cos, 0.0, _TURN)(x)


def tan(x: Array) -> Array:
    """Return the tangent of each element."""
    return _function(np.tan, math.tan, -_TURN / 4, _TURN / 4)(x)


@cache
def _function(fast: Any, exact: Callable[[float], float], low: float, high: float) -> Callable[[Array], Array]:
    """Return NumPy's function if it is the C library's between two numbers, else one that calls the latter."""
    probes = np.random.default_rng(0).uniform(low, high, _PROBES)
    return fast if np.array_equal(fast(probes), [exact(x) for x in probes.tolist()]) else one_by_one(fast, exact)


def one_by_one(fast: Any, exact: Callable[[float], float]) -> Callable[[Array], Array]:
    """Return a function that calls `exact` for each element, where the result is a number: 0.06 us an element."""

    def call(x: Array) -> Array:
        out: Array = np.array(fast(x))
        finite = np.isfinite(out)  # beside these, Python's functions raise errors
        out[finite] = list(map(exact, x[finite].tolist()))
        return out

    return call
