"""log and its relatives.

x = 2^e m with m in [sqrt(1/2), sqrt 2), log x = e log 2 + log m. float32: with f = m - 1, log m = f - f^2/2 + f^3 p(f),
as in Cephes' logf, p of degree 7 (2^-27.3). float64: s = f / (2 + f), log m = f - (f^2/2 - s (f^2/2 + s^2 p(s^2))), as
in fdlibm's e_log.c, p of degree 6 (2^-59). The polynomials are fitted by tests/compiler/fit_polynomial.py.
Measured: log and log1p 0.9 ulp, log2 and log10 1.8; log takes 15 cycles for 8 floats (Zen 3, two registers a step).
"""

from __future__ import annotations

from typing import Any

from fanin.compiler.native.math.exponential import LOG_2, kind
from fanin.compiler.native.math.parts import (
    INF,
    NAN,
    estrin,
    float_bits,
    format_of,
    horner,
    integer_bits,
    is_single,
    with_sign,
)
from fanin.compiler.native.vector import Code, scalar_type

_SINGLE = (
    -0.07634456529, 0.1276154469, -0.1316018402, 0.1420176348, -0.1662335766, 0.2000122659, -0.2500082102, 0.3333333171,
)  # fmt: skip
_DOUBLE = (
    0.147956023517274309, 0.153140868476259101, 0.181835628441121899, 0.222221986029394661, 0.285714287420855698,
    0.399999999994160901, 0.666666666666673419,
)  # fmt: skip
# Constants in two parts; the first of log10(2) is of 12 and 33 bits, so that e times it is exact.
_LOG2_E = {"f4": (1.4426950216293335, 1.925963033500011e-08), "f8": (1.4426950408889634, 2.0355273740931033e-17)}
_LOG10_E = {"f4": (0.4342944920063019, -1.0103049952192578e-08), "f8": (0.4342944819032518, 1.098319650216765e-17)}
_LOG10_2 = {"f4": (0.301025390625, 4.605038981195214e-06), "f8": (0.30102999560767785, 5.630334806675098e-11)}
_ROOT_HALF = {"f4": 0x3F3504F3, "f8": 0x3FE6A09E667F3BCD}


def split(code: Code, x: Any) -> tuple[Any, Any]:
    """Return f = m - 1 and the exponent e as a float, of positive x = 2^e m."""
    form = format_of(x)
    small = code.compare("<", x, code.like(form.smallest_normal, x))
    x = code.select(small, code.mul(x, code.like(2.0 ** (form.mantissa + 1), x)), x)
    i = integer_bits(code, x)
    start = code.like(_ROOT_HALF[kind(x)], i)
    moved = code.sub(i, start)
    m = code.add(code.b.and_(moved, code.like((1 << form.mantissa) - 1, i)), start)
    e = _exponent(code, moved, x)
    e = code.sub(e, code.select(small, code.like(form.mantissa + 1.0, x), code.like(0.0, x)))
    return code.sub(float_bits(code, m), code.like(1.0, x)), e


def _exponent(code: Code, moved: Any, x: Any) -> Any:
    form = format_of(x)
    if is_single(x):
        return code.cast(code.b.ashr(moved, code.like(form.mantissa, moved)), scalar_type(x))
    # AVX2 neither shifts 64 bits with their sign nor converts them: the exponent becomes the low digits of 2^52 + it.
    top = code.b.lshr(code.add(moved, code.like(1 << 62, moved)), code.like(form.mantissa, moved))
    pattern = code.b.or_(top, integer_bits(code, code.like(2.0**52, x)))
    return code.sub(float_bits(code, pattern), code.like(2.0**52 + (1 << 10), x))


def log_of(code: Code, f: Any, e: Any, extra: Any = None) -> Any:
    """Return log(1 + f) + e log 2 + extra, smallest parts first."""
    high, low = LOG_2[kind(f)]
    tail = code.fma(e, code.like(low, f), extra) if extra is not None else code.mul(e, code.like(low, f))
    square, half = code.mul(f, f), code.like(0.5, f)
    if is_single(f):
        tail = code.fma(code.mul(square, f), estrin(code, f, _SINGLE), tail)
    else:
        s = code.div(f, code.add(f, code.like(2.0, f)))
        z = code.mul(s, s)
        tail = code.fma(s, code.fma(z, horner(code, z, _DOUBLE), code.mul(square, half)), tail)
    tail = code.fma(square, code.like(-0.5, f), tail)
    return code.fma(e, code.like(high, f), code.add(f, tail))


def _special(code: Code, x: Any, out: Any) -> Any:
    """Put in the limits: log(inf) = inf, log(nan) = nan, log(0) = -inf, nan below."""
    bits = integer_bits(code, x)
    out = code.select(code.compare("<", x, code.like(INF, x)), out, x)
    # By the bit of the sign: on x86 no comparison is needed for that. It takes -0, too, which is put right next.
    out = code.select(code.compare("<", bits, code.like(0, bits)), code.like(NAN, x), out)
    return code.select(code.compare("==", x, code.like(0.0, x)), code.like(-INF, x), out)


def log(code: Code, x: Any) -> Any:
    """Return the natural logarithm."""
    f, e = split(code, x)
    return _special(code, x, log_of(code, f, e))


def log2(code: Code, x: Any) -> Any:
    """Return the logarithm to base 2."""
    f, e = split(code, x)
    high, low = _LOG2_E[kind(x)]
    inner = log_of(code, f, code.like(0.0, x))
    return _special(code, x, code.fma(inner, code.like(high, x), code.fma(inner, code.like(low, x), e)))


def log10(code: Code, x: Any) -> Any:
    """Return the logarithm to base 10."""
    f, e = split(code, x)
    inner = log_of(code, f, code.like(0.0, x))
    high, low = _LOG10_2[kind(x)]
    first, second = _LOG10_E[kind(x)]
    tail = code.fma(e, code.like(low, x), code.mul(inner, code.like(second, x)))
    return _special(code, x, code.fma(e, code.like(high, x), code.fma(inner, code.like(first, x), tail)))


def log1p(code: Code, x: Any) -> Any:
    """Return log(1 + x), with what the sum loses (as in fdlibm's s_log1p.c)."""
    return log1p_scaled(code, x, None)


def log1p_scaled(code: Code, x: Any, powers: Any) -> Any:
    """Return log((1 + x) 2^powers); no powers when None."""
    one = code.like(1.0, x)
    u = code.add(x, one)
    lost = code.select(code.compare(">", x, one), code.sub(one, code.sub(u, x)), code.sub(x, code.sub(u, one)))
    f, e = split(code, u)
    out = log_of(code, f, e if powers is None else code.add(e, powers), code.div(lost, u))
    return with_sign(code, _special(code, u, out), x)
