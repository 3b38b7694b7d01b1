"""Fused multiply-add, `a * b + c` with one rounding, where NumPy rounds twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Veltkamp's constant: splits a double into two halves of at most 26 bits (T. J. Dekker, 1971).
_SPLITTER = 2.0**27 + 1.0
# Dekker's split overflows above 2**996; such operands are scaled down first, which is exact.
_LARGE = 2.0**900
_DOWN, _UP = 2.0**-200, 2.0**200
# The bits that a double has and a float32 has not, and their value in the middle of two float32 numbers.
_BELOW_FLOAT32, _HALF_FLOAT32 = 2**29 - 1, 2**28


def fma32(a: Any, b: float, c: float) -> npt.NDArray[np.float32]:
    """Return `a * b + c` in float32, rounded once, for an array and two numbers that are all float32 numbers.

    The product is exact in float64. The sum may be rounded there, and then again to float32; that goes wrong only
    where the first rounding lands on the middle of two float32 numbers, so only those few are looked at closer.
    """
    product: Floats = np.multiply(a, b, dtype=np.float64)
    if c == 0.0:
        return product.astype(np.float32)
    total: Floats = product + c
    middle = (total.view(np.int64) & _BELOW_FLOAT32) == _HALF_FLOAT32
    if middle.any():
        nearest, error = _exact_sum(product[middle], c)
        total[middle] = np.where(error == 0.0, nearest, np.nextafter(nearest, np.copysign(np.inf, error)))
    return total.astype(np.float32)


def fma64(a: Any, b: float, c: float) -> Floats:
    """Return `a * b + c` in float64, rounded once, for an array and two numbers.

    The product is taken apart without error, and its pieces are added in the order and with the rounding to odd of
    S. Boldo and G. Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to
    odd", 2008, figure 5.
    """
    if c == 0.0 or b == 1.0:
        return np.asarray(a * b + c, dtype=np.float64)
    if max(abs(b), abs(c)) > _LARGE:
        return fma64(a, b * _DOWN, c * _DOWN) * _UP
    product, product_error = _exact_product(a, b)
    low_sum, low_error = _exact_sum(product_error, c)
    total, total_error = _exact_sum(product, low_sum)
    return np.asarray(total + _sum_to_odd(low_error, total_error), dtype=np.float64)


def _exact_product(a: Floats, b: float) -> tuple[Floats, Floats]:
    """Return the rounded product and its rounding error (Dekker's product)."""
    product = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(np.float64(b))
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


def _split(x: Any) -> tuple[Any, Any]:
    scaled = x * _SPLITTER
    high = scaled - (scaled - x)
    return high, x - high


def _exact_sum(a: Any, b: Any) -> tuple[Floats, Floats]:
    """Return the rounded sum and its rounding error (Knuth's sum)."""
    total = a + b
    b_seen = total - a
    return total, (a - (total - b_seen)) + (b - b_seen)


def _sum_to_odd(a: Floats, b: Floats) -> Floats:
    """Return `a + b` rounded to odd: an inexact sum becomes whichever neighbour has an odd last bit."""
    total, error = _exact_sum(a, b)
    even = (total.view(np.int64) & 1) == 0
    toward = np.where(error > 0, np.inf, -np.inf)
    return np.where((error != 0) & even, np.nextafter(total, toward), total)
