"""asin, acos, atan, atan2, asinh, acosh and atanh, of doubles; floats are widened.

asin: x + x^3 p(x^2) up to 1/2 (2^-56), above pi/2 - 2 asin(sqrt((1 - x) / 2)). atan: |x| is brought below tan(pi/8) by
atan x = pi/4 + atan((x - 1) / (x + 1)) or pi/2 - atan(1 / x), then x + x^3 p(x^2) (2^-64). The others are log1p of what
keeps the digits near zero (fdlibm's s_asinh.c, e_acosh.c, e_atanh.c). Fitted by tests/compiler/fit_polynomial.py.
Measured: 0.5 ulp in float32; in float64 asin 2.2, acos 1.2, atan 1.8, atan2 1.8, asinh 1.6, acosh 2.0, atanh 2.0.
"""

from __future__ import annotations

from typing import Any

from fanin.compiler.native.math.logarithm import log1p, log1p_scaled
from fanin.compiler.native.math.parts import INF, NAN, horner, integer_bits, is_single, through_double, with_sign
from fanin.compiler.native.vector import Code

_ASIN = (
    0.031912197530357958, -0.0162241490561627461, 0.0195282006257680394, 0.00652799810769805376, 0.0121692065835289922,
    0.013885236198292775, 0.0173597046928669483, 0.0223717580548628886, 0.0303819591367976803, 0.0446428568283316478,
    0.0750000000033701252, 0.166666666666654089,
)  # fmt: skip
_ATAN = (
    0.0151945661829806928, -0.0334732656426859694, 0.0450346954468811311, -0.0521837701357989901, 0.0587701622513627141,
    -0.0666622603937850256, 0.076922826988567388, -0.0909090814133263556, 0.11111111088072128, -0.142857142853860048,
    0.199999999999976504, -0.333333333333333275,
)  # fmt: skip
_TAN_EIGHTH = 0.41421356237309503
# pi in two parts.
_PI, _PI_LOW = 3.141592653589793, 1.2246467991473532e-16
_LARGE = 2.0**60


def _asin_parts(code: Code, size: Any) -> tuple[Any, Any]:
    """Return where |x| > 1/2, and asin of |x| or, there, of sqrt((1 - |x|) / 2)."""
    half = code.like(0.5, size)
    above = code.compare(">", size, half)
    z = code.select(above, code.fma(size, code.like(-0.5, size), half), code.mul(size, size))
    y = code.select(above, code.sqrt(z), size)
    return above, code.fma(code.mul(y, z), horner(code, z, _ASIN), y)


def asin(code: Code, x: Any) -> Any:
    """Return the angle in [-pi/2, pi/2] with this sine."""
    if is_single(x):
        return through_double(code, asin, x)
    above, angle = _asin_parts(code, code.abs(x))
    far = code.sub(code.like(_PI / 2, x), code.sub(code.add(angle, angle), code.like(_PI_LOW / 2, x)))
    return with_sign(code, code.select(above, far, angle), x)


def acos(code: Code, x: Any) -> Any:
    """Return the angle in [0, pi] with this cosine."""
    if is_single(x):
        return through_double(code, acos, x)
    above, angle = _asin_parts(code, code.abs(x))
    twice = code.add(angle, angle)
    negative = code.compare("<", x, code.like(0.0, x))
    behind = code.sub(code.like(_PI, x), code.sub(twice, code.like(_PI_LOW, x)))
    signed = with_sign(code, angle, x)
    middle = code.sub(code.like(_PI / 2, x), code.sub(signed, code.like(_PI_LOW / 2, x)))
    return code.select(above, code.select(negative, behind, twice), middle)


def _atan_of_ratio(code: Code, above: Any, below: Any) -> Any:
    """Return atan(above / below) for 0 <= above <= below."""
    big = code.compare(">", above, code.mul(below, code.like(_TAN_EIGHTH, below)))
    top = code.select(big, code.sub(above, below), above)
    t = code.div(top, code.select(big, code.add(above, below), below))
    z = code.mul(t, t)
    small = code.mul(code.mul(t, z), horner(code, z, _ATAN))
    small = code.add(small, code.select(big, code.like(_PI_LOW / 4, t), code.like(0.0, t)))
    turned = code.add(code.like(_PI / 4, t), code.add(t, small))
    return code.select(big, turned, code.add(t, small))


def atan(code: Code, x: Any) -> Any:
    """Return the angle in [-pi/2, pi/2] with this tangent."""
    if is_single(x):
        return through_double(code, atan, x)
    size, one = code.abs(x), code.like(1.0, x)
    steep = code.compare(">", size, one)
    # Above 2^60 the angle is pi/2; the sums below must stay finite.
    size = code.lesser(code.like(_LARGE, x), size)
    angle = _atan_of_ratio(code, code.select(steep, one, size), code.select(steep, size, one))
    return with_sign(code, code.select(steep, _quarter_less(code, angle), angle), x)


def _quarter_less(code: Code, angle: Any) -> Any:
    return code.sub(code.like(_PI / 2, angle), code.sub(angle, code.like(_PI_LOW / 2, angle)))


def atan2(code: Code, y: Any, x: Any) -> Any:
    """Return the angle of the point (x, y) in [-pi, pi]; a zero's sign tells its side."""
    if is_single(x):
        return through_double(code, atan2, y, x)
    a, b = code.abs(y), code.abs(x)
    steep = code.compare(">", a, b)
    above, below = code.select(steep, b, a), code.select(steep, a, b)
    above, below = _comparable(code, above, below)
    angle = _atan_of_ratio(code, above, below)
    angle = code.select(steep, _quarter_less(code, angle), angle)
    bits = integer_bits(code, x)
    behind = code.compare("<", bits, code.like(0, bits))
    angle = code.select(behind, code.sub(code.like(_PI, x), code.sub(angle, code.like(_PI_LOW, x))), angle)
    bad = code.b.or_(code.is_nan(x), code.is_nan(y))
    return code.select(bad, code.like(NAN, x), with_sign(code, angle, y))


def _comparable(code: Code, above: Any, below: Any) -> tuple[Any, Any]:
    """Return the same ratio in numbers that can be added; inf / inf as 1, 0 / 0 as 0."""
    one, zero = code.like(1.0, below), code.like(0.0, below)
    infinite = code.compare("==", below, code.like(INF, below))
    both = code.select(code.compare("==", above, code.like(INF, above)), one, zero)
    above, below = code.select(infinite, both, above), code.select(infinite, one, below)
    large = code.compare(">", below, code.like(2.0**1000, below))
    quarter = code.select(large, code.like(0.25, below), one)
    below = code.select(code.compare("==", below, zero), one, below)
    return code.mul(above, quarter), code.mul(below, quarter)


def asinh(code: Code, x: Any) -> Any:
    """Return log(|x| + sqrt(x^2 + 1)) with the sign of x."""
    if is_single(x):
        return through_double(code, asinh, x)
    size, one = code.abs(x), code.like(1.0, x)
    square = code.mul(size, size)
    more = code.div(square, code.add(code.sqrt(code.add(square, one)), one))
    large, doubled = _beyond(code, size)
    return with_sign(code, log1p_scaled(code, code.select(large, size, code.add(size, more)), doubled), x)


def _beyond(code: Code, x: Any) -> tuple[Any, Any]:
    """Return where x is so large that the square root is x itself, and the power of two that stands for x + x."""
    large = code.compare(">", x, code.like(_LARGE, x))
    return large, code.select(large, code.like(1.0, x), code.like(0.0, x))


def acosh(code: Code, x: Any) -> Any:
    """Return log(x + sqrt(x^2 - 1))."""
    if is_single(x):
        return through_double(code, acosh, x)
    t = code.sub(x, code.like(1.0, x))
    large, doubled = _beyond(code, x)
    root = code.sqrt(code.mul(t, code.add(t, code.like(2.0, x))))
    out = log1p_scaled(code, code.select(large, x, code.add(t, root)), doubled)
    return code.select(code.compare("<", x, code.like(1.0, x)), code.like(NAN, x), out)


def atanh(code: Code, x: Any) -> Any:
    """Return log((1 + x) / (1 - x)) / 2."""
    if is_single(x):
        return through_double(code, atanh, x)
    size, one = code.abs(x), code.like(1.0, x)
    ratio = code.div(code.add(size, size), code.sub(one, size))
    return with_sign(code, code.mul(log1p(code, ratio), code.like(0.5, x)), x)
