"""tanh, sinh, cosh.

Measured: tanh 1.9 ulp in float32 (all values; 2.0 without fused multiply-add) and 2.5 in float64, sinh 1.4 and 1.7,
cosh 1.4 and 1.6. tanh takes 11 cycles for 8 floats (Zen 3, four registers a step); 13 where a small x is corrected
after the division, and 19 with a polynomial of its own for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fanin.compiler.native.math.exponential import LOG2_E, expm1_reduced, half_exp, reduced
from fanin.compiler.native.math.parts import (
    SINGLE,
    float_bits,
    horner,
    horner_of,
    integer_bits,
    is_single,
    no_more,
    two_to,
    with_sign,
)
from fanin.compiler.native.vector import Code

# ((e^(2 r) - 1) / 2 - r) / r^2 for |r| < log(2) / 4: that of expm1, the fifth a little smaller, which makes the largest
# errors, at 0.23, as large above as below.
_TANH = (0.01268876239, 0.04458939667, 0.133334682, 0.3333317565, 0.666666412, 1.0)
# (sinh x - x) / x^3 in x^2 for |x| < 1: 2^-33 and 2^-63.
_SINH = {
    "f4": (2.816951517e-6, 0.0001983615972, 0.008333350059, 0.166666665),
    "f8": (
        7.75874931499729039e-13, 1.6057259750988467e-10, 2.50521231369643973e-8, 2.75573191570702428e-6,
        0.000198412698414318781, 0.00833333333333314773, 0.166666666666666674,
    ),
}  # fmt: skip
_NEAR_ZERO = 0.3  # of tanh
# ((e^(2 r) - 1) / 2 - r) / r^2 for -log(2) / 16 < r < 7 log(2) / 16: 2^-26 of e^(2 r) - 1, the roundings' errors
# balanced with _SCALE over all floats.
_TANH_ABOVE = (0.05452180345, 0.13088725, 0.3335389927, 0.666664653, 0.9999997583)
_SCALE = 1.4765625  # of seven bits, so that what it is multiplied with stays exact


def tanh(code: Code, x: Any) -> Any:
    """Return tanh x."""
    size = no_more(code, code.abs(x), 10.0 if is_single(x) else 20.0)
    rule = (_tanh_fused if code.isa.fma else _tanh_unfused) if is_single(x) else _tanh_double
    return with_sign(code, rule(code, size), x)


def _tanh_fused(code: Code, x: Any) -> Any:
    """Return h / (h + 1) with h = (e^(2 x) - 1) / 2, both of them times a number that keeps their roundings small.

    Where x is small, h + 1 is little more than 1, where a float has the largest gaps for its size: 1.48 (h + 1) has
    smaller ones, and 1.48 h is made from x itself with one rounding. x = n log(2) / 2 + r with n from x rounded to
    eighths of log 2 and then down, so that r is hardly ever negative: no digits are lost to a difference.
    """
    magic, scale, half = code.like(SINGLE.magic / 4, x), code.like(_SCALE, x), code.like(0.5, x)
    quarters = integer_bits(code, code.fma(x, code.like(2 * LOG2_E, x), magic))
    n = code.b.and_(quarters, code.like(-4, quarters))
    r = code.fma(code.sub(float_bits(code, n), magic), code.like(-0.5 / LOG2_E, x), x)
    exponent = code.b.shl(n, code.like(SINGLE.mantissa - 2, n))
    power = float_bits(code, code.add(exponent, integer_bits(code, scale)))
    square = code.mul(r, r)
    above = code.mul(square, _by_pairs(code, r, square, _TANH_ABOVE))
    h = code.fma(power, r, code.fma(power, above, code.fma(power, half, code.like(-_SCALE / 2, x))))
    return code.div(h, code.add(h, scale))


def _tanh_unfused(code: Code, x: Any) -> Any:
    """Return t = h / (h + 1) with h = (e^(2 x) - 1) / 2, and h - h t near zero, where that rounds less.

    An error of e^(2 x) counts less the larger x is: one constant for log 2 is enough, and 2^n only moves the exponent.
    """
    magic, one, half = code.like(SINGLE.magic, x), code.like(1.0, x), code.like(0.5, x)
    shifted = code.fma(x, code.like(2 * LOG2_E, x), magic)
    r = code.fma(code.sub(shifted, magic), code.like(-0.5 / LOG2_E, x), x)
    n = integer_bits(code, shifted)
    exponent = code.b.shl(n, code.like(SINGLE.mantissa, n))
    power = float_bits(code, code.add(exponent, integer_bits(code, one)))
    square = code.mul(r, r)
    half_expm1 = code.fma(square, _by_pairs(code, r, square, _TANH), r)
    h = code.fma(power, half_expm1, code.fma(power, half, code.neg(half)))
    t = code.div(h, code.add(h, one))
    near_zero = code.compare("<", x, code.like(_NEAR_ZERO, x))
    return code.select(near_zero, code.fma(code.neg(h), t, h), t)


def _by_pairs(code: Code, x: Any, square: Any, coefficients: Sequence[float]) -> Any:
    """Return a polynomial; pairs of terms do not wait for each other."""
    values = [code.like(c, x) for c in coefficients]
    alone, rest = values[: len(values) % 2], values[len(values) % 2 :]
    return horner_of(code, square, alone + [code.fma(c, x, d) for c, d in zip(rest[::2], rest[1::2], strict=True)])


def _tanh_double(code: Code, x: Any) -> Any:
    """Return E / (E + 2) with E = e^(2 x) - 1, which is right to the last digits at 0, too."""
    r, n = reduced(code, x, scale=2.0)
    power = two_to(code, n)
    e = code.fma(power, expm1_reduced(code, r, scale=2.0), code.sub(power, code.like(1.0, x)))
    return code.div(e, code.add(e, code.like(2.0, x)))


def cosh(code: Code, x: Any) -> Any:
    """Return h + 1 / (4 h) with h = e^|x| / 2."""
    h = half_exp(code, code.abs(x))
    return code.add(h, code.div(code.like(0.25, x), h))


def sinh(code: Code, x: Any) -> Any:
    """Return h - 1 / (4 h) with h = e^|x| / 2, and a polynomial below 1."""
    size = code.abs(x)
    h = half_exp(code, size)
    far = code.sub(h, code.div(code.like(0.25, x), h))
    z = code.mul(size, size)
    near = code.fma(code.mul(z, size), horner(code, z, _SINH["f4" if is_single(x) else "f8"]), size)
    return with_sign(code, code.select(code.compare("<", size, code.like(1.0, x)), near, far), x)
