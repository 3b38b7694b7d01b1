"""The single-precision logarithm, sine and cosine of the Cephes library, with fused multiply-adds.

PyTorch makes its float32 normals in bulk with these polynomials, so a frozen stream needs the same ones: NumPy's
float32 functions differ from them (and from each other between machines) in the last bit. Working arrays are float64
and hold float32 numbers: one float64 operation followed by `_round` is that operation in float32, and a product and a
sum followed by one `_round` is a float32 fused multiply-add, which costs two passes instead of a call each. (The sum
is rounded to float64 first. That shows only when it is inexact there and lands on the middle of two float32 numbers,
about once in 2**30 operations, and this rule is the stream's.)

Reference: S. L. Moshier, Cephes Mathematical Library, single precision, logf.c and sinf.c.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]


def _singles(*values: float) -> tuple[float, ...]:
    return tuple(float(np.float32(value)) for value in values)


_LOG_COEFFICIENTS = _singles(
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
_SQRT_HALF, _LN2_LOW, _LN2_HIGH = _singles(0.707106781186547524, -2.12194440e-4, 0.693359375)
_COSINE_COEFFICIENTS = _singles(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_SINE_COEFFICIENTS = _singles(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
# Minus pi / 4 in three pieces, so that j times each piece is (nearly) exact.
_REDUCTION = _singles(-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)
(_FOUR_OVER_PI,) = _singles(1.27323954473516)


def _round(x: Floats) -> Floats:
    """Round to float32 in place."""
    x[...] = x.astype(np.float32)
    return x


def _horner(x: Floats, coefficients: tuple[float, ...]) -> Floats:
    """Evaluate a polynomial from its highest coefficient down, one fused multiply-add a step."""
    y = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        y *= x
        y += coefficient
        _round(y)
    return y


def log32(x: Singles) -> Floats:
    """Return the float32 natural logarithm of positive normal numbers, as float64 that hold float32."""
    bits = x.view(np.int32)
    exponent = ((bits >> 23) - 126).astype(np.float64)
    mantissa = ((bits & 0x007FFFFF) | 0x3F000000).view(np.float32).astype(np.float64)
    below = mantissa < _SQRT_HALF
    exponent -= below
    mantissa *= 1.0 + below
    mantissa -= 1.0
    square = _round(mantissa * mantissa)
    y = _horner(mantissa, _LOG_COEFFICIENTS)
    y *= mantissa
    _round(y)
    y *= square
    y += _round(exponent * _LN2_LOW)
    _round(y)
    y -= square * 0.5
    _round(y)
    y += mantissa
    _round(y)
    y += exponent * _LN2_HIGH
    return _round(y)


def sincos32(x: Floats) -> tuple[Floats, Floats]:
    """Return the float32 sine and cosine of non-negative float32 numbers below 8192, as float64 that hold float32."""
    octant = (_round(x * _FOUR_OVER_PI).astype(np.int32) + 1) & ~1
    turns = octant.astype(np.float64)
    reduced = x
    for piece in _REDUCTION:
        reduced = _round(turns * piece + reduced)
    square = _round(reduced * reduced)
    cosine, sine = _cosine_part(square), _sine_part(reduced, square)
    swap = (octant & 2) != 0
    sine_sign = 1.0 - 2.0 * ((octant & 4) != 0)
    cosine_sign = 1.0 - 2.0 * (((octant + 2) & 4) != 0)
    return np.where(swap, cosine, sine) * sine_sign, np.where(swap, sine, cosine) * cosine_sign


def _cosine_part(square: Floats) -> Floats:
    y = _horner(square, _COSINE_COEFFICIENTS)
    y *= square
    _round(y)
    y *= square
    y -= square * 0.5
    _round(y)
    y += 1.0
    return _round(y)


def _sine_part(reduced: Floats, square: Floats) -> Floats:
    y = _horner(square, _SINE_COEFFICIENTS)
    y *= square
    _round(y)
    y *= reduced
    y += reduced
    return _round(y)
