"""exp, exp2, expm1 and the logistic function.

x = n log 2 + r with |r| <= log(2) / 2, e^x = 2^n e^r (Cody & Waite, "Software Manual for the Elementary Functions",
1980, chapter 6). n is rounded by adding 1.5 * 2^mantissa, which leaves it in the low bits, where the exponent is made
from it. e^r = 1 + r + r^2 p(r), p by tests/compiler/fit_polynomial.py: 2^-28.3 relative in float32 (degree 4), 2^-57.9
in float64 (degree 9); for expm1 one degree more, 2^-31 and 2^-61.
Measured, float32 (all values of exp and sigmoid) and float64: exp 0.9, exp2 0.9, expm1 1.5 and 1.9, sigmoid 1.4 ulp;
1.2 for exp without fused multiply-add. Cycles for 8 floats (Zen 3, two registers a step): exp 9, expm1 11, sigmoid 17.
"""

from __future__ import annotations

from typing import Any

from fanin.compiler.native.math.parts import (
    DOUBLE,
    SINGLE,
    Format,
    format_of,
    horner,
    integer_bits,
    is_single,
    minus_size,
    no_less,
    no_more,
    two_to,
    with_sign,
)
from fanin.compiler.native.vector import Code

LOG2_E = 1.4426950408889634
# log 2 in two parts, the first of 12 and 33 bits so that n times it is exact; both positive, to keep the sign of -0.
LOG_2 = {"f4": (0.693115234375, 3.1946184945309417e-5), "f8": (6.93147180369123816490e-1, 1.90821492927058770002e-10)}
_EXP = {
    "f4": (0.001381421293, 0.008368921851, 0.04166840736, 0.1666651894, 0.4999999334),
    "f8": (
        2.49997440684674619e-8, 2.76306684913475929e-7, 2.75575895240839149e-6, 0.0000248014920125330784,
        0.000198412695006859541, 0.00138888889445775669, 0.00833333333349824037, 0.0416666666665270102,
        0.166666666666664051, 0.500000000000001093,
    ),
}  # fmt: skip
_EXPM1 = {
    "f4": (0.0001982619123, 0.001393418646, 0.008333417626, 0.04166646956, 0.166666663, 0.5000000004),
    "f8": (
        2.0877756085080451e-9, 2.51091085216031699e-8, 2.75573929221561845e-7, 2.75572441383235741e-6,
        0.0000248015871880314998, 0.000198412698860363475, 0.00138888888889503553, 0.00833333333332174722,
        0.0416666666666665526, 0.166666666666666763, 0.5,
    ),
}  # fmt: skip


def kind(x: Any) -> str:
    """Return the name of the tables' column."""
    return "f4" if is_single(x) else "f8"


def rounded(code: Code, x: Any, scale: float) -> tuple[Any, Any]:
    """Return n = x * scale rounded to an integer, as a float and as an integer."""
    form = format_of(x)
    shifted = code.fma(x, code.like(scale, x), code.like(form.magic, x))
    zero = integer_bits(code, code.like(form.magic, x))
    return code.sub(shifted, code.like(form.magic, x)), code.sub(integer_bits(code, shifted), zero)


def reduced(code: Code, x: Any, scale: float = 1.0) -> tuple[Any, Any]:
    """Return r = x - n log(2) / scale, and the integer n."""
    high, low = LOG_2[kind(x)]
    n, whole = rounded(code, x, LOG2_E * scale)
    r = code.fma(n, code.like(-high / scale, x), x)
    return code.fma(n, code.like(-low / scale, x), r), whole


def scaled(code: Code, x: Any, n: Any) -> Any:
    """Return x * 2^n where 2^n itself may be no normal number: in two steps, of which only the last rounds."""
    form: Format = SINGLE if is_single(x) else DOUBLE
    # An offset makes n positive: AVX2 shifts 64 bits to the right without their sign only.
    offset = 4 * (form.bias + 1)
    half = code.b.lshr(code.add(n, code.like(offset, n)), code.like(1, n))
    first = code.sub(half, code.like(offset // 2, n))
    return code.mul(code.mul(x, two_to(code, first)), two_to(code, code.sub(n, first)))


def _scaled_down(code: Code, x: Any, n: Any) -> Any:
    """Return x * 2^n of n <= 0, where a constant is enough to keep the power of two normal."""
    offset = format_of(x).bias // 2 + 1
    large = code.mul(x, two_to(code, code.add(n, code.like(offset, n))))
    return code.mul(large, code.like(2.0**-offset, x))


def _limits(x: Any) -> tuple[float, float]:
    """Return arguments whose exponentials are 0 and infinite."""
    return (-104.0, 89.0) if is_single(x) else (-746.0, 710.0)


def power_of_e(code: Code, r: Any, scale: float = 1.0) -> Any:
    """Return e^(scale r) of a reduced argument."""
    series = (*_EXP[kind(r)], 1.0, 1.0)
    return horner(code, r, [c * scale ** (len(series) - 1 - i) for i, c in enumerate(series)])


def exp(code: Code, x: Any) -> Any:
    """Return e^x."""
    low, high = _limits(x)
    r, n = reduced(code, no_more(code, no_less(code, x, low), high))
    return scaled(code, power_of_e(code, r), n)


def half_exp(code: Code, x: Any) -> Any:
    """Return e^x / 2, which overflows later."""
    low, high = _limits(x)
    r, n = reduced(code, no_more(code, no_less(code, x, low), high + 1))
    return scaled(code, power_of_e(code, r), code.sub(n, code.like(1, n)))


def exp2(code: Code, x: Any) -> Any:
    """Return 2^x."""
    low, high = (-151.0, 129.0) if is_single(x) else (-1076.0, 1025.0)
    x = no_more(code, no_less(code, x, low), high)
    n, whole = rounded(code, x, 1.0)
    r = code.mul(code.sub(x, n), code.like(0.6931471805599453, x))
    return scaled(code, power_of_e(code, r), whole)


def expm1_reduced(code: Code, r: Any, scale: float = 1.0) -> Any:
    """Return e^(scale r) - 1 of a reduced argument, right to the last digits near zero."""
    tail = _EXPM1[kind(r)]
    powers = [c * scale ** (len(tail) + 1 - i) for i, c in enumerate(tail)]
    # The first term is exact, so only the sum is rounded.
    first = r if scale == 1.0 else code.mul(r, code.like(scale, r))
    return code.fma(code.mul(r, r), horner(code, r, powers), first)


def expm1(code: Code, x: Any) -> Any:
    """Return e^x - 1."""
    low, high = (-18.0, 89.0) if is_single(x) else (-40.0, 710.0)
    r, n = reduced(code, no_more(code, no_less(code, x, low), high))
    q = expm1_reduced(code, r)
    # Half of the power of two, because 2^n itself may be too large.
    half = two_to(code, code.sub(n, code.like(1, n)))
    out = code.fma(half, q, code.sub(half, code.like(0.5, x)))
    out = code.select(code.compare("==", n, code.like(0, n)), q, code.add(out, out))
    return with_sign(code, out, x)  # of -0


def sigmoid(code: Code, x: Any) -> Any:
    """Return 1 / (1 + e^-x), from e^-|x|, which keeps the digits of small results.

    Rounding e^-|x|, the sum and the quotient would make up to 2.6 ulp; what the first two lose is put right at the end.
    """
    y = no_less(code, minus_size(code, x), _limits(x)[0])
    power, power_lost, n = _precise_power_of_e(code, y)
    e, zero, one = _scaled_down(code, power, n), code.like(0.0, x), code.like(1.0, x)
    below = code.add(e, one)
    negative = code.compare("<", x, zero)
    q = code.div(code.select(negative, e, one), below)
    sum_lost = code.sub(e, code.sub(below, one))
    # In proportion to q: 0.8 stands for 1 / below, 1 for 1 / power, near enough for corrections of half an ulp.
    lost = code.fma(sum_lost, code.like(-0.8, x), code.select(negative, power_lost, zero))
    return code.fma(q, lost, q)


def _precise_power_of_e(code: Code, x: Any) -> tuple[Any, Any, Any]:
    """Return e^x / 2^n, what its last rounding lost, and n. What r and 1 + r lose is added before."""
    high, low = LOG_2[kind(x)]
    n, whole = rounded(code, x, LOG2_E)
    head = code.fma(n, code.like(-high, x), x)
    r = code.fma(n, code.like(-low, x), head)
    lost = code.fma(n, code.like(-low, x), code.sub(head, r))
    total = code.add(r, code.like(1.0, x))
    lost = code.add(lost, code.sub(r, code.sub(total, code.like(1.0, x))))
    tail = code.fma(code.mul(r, r), horner(code, r, _EXP[kind(r)]), lost)
    power = code.add(total, tail)
    return power, code.sub(tail, code.sub(power, total)), whole
