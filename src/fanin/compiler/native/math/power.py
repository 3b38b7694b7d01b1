"""pow, and the remainders and quotients of division.

pow: |x|^y = e^(y log |x|), the logarithm to 64 digits or more as a sum of two doubles (T. J. Dekker, "A floating-point
technique for extending the available precision", Numer. Math. 18, 1971): log m = 2 s + 2 s^3 / 3 + s^5 p(s^2) with
s = f / (2 + f), of which the first two terms are carried twice as long (p by tests/compiler/fit_polynomial.py). Floats
are widened, and need none of that. Measured: 0.5 ulp in float32, 1.3 in float64.

fmod: r = |x| - trunc(|x| / |y|) |y| is exact while the quotient is small; for larger ones a multiple 2^j |y| is taken
off first, in a loop that is rarely entered.
"""

from __future__ import annotations

from typing import Any

from fanin.compiler.native import ir
from fanin.compiler.native.math import rounding
from fanin.compiler.native.math.exponential import LOG_2, exp, power_of_e, reduced, scaled
from fanin.compiler.native.math.logarithm import log_of, split
from fanin.compiler.native.math.parts import (
    INF,
    NAN,
    and_bits,
    any_lane,
    float_bits,
    format_of,
    horner,
    integer_bits,
    is_single,
    no_less,
    no_more,
    sign_bit,
    with_sign,
)
from fanin.compiler.native.vector import F32, F64, Code

_REST = (
    0.131964724628041602,
    0.132568052755226923,
    0.153867577286344176,
    0.181817843617013798,
    0.222222225199455921,
    0.285714285700996842,
    0.400000000000022553,
)
_TWO_THIRDS, _TWO_THIRDS_LOW = 0.6666666666666666, 3.700743415417188e-17
Pair = tuple[Any, Any]


def _product(code: Code, a: Any, c: Any) -> Pair:
    """Return a * c and what its rounding loses."""
    p = code.mul(a, c)
    if code.isa.fma:
        return p, code.fma(a, c, code.neg(p))
    (a, a_low), (c, c_low) = _halves(code, a), _halves(code, c)
    lost = code.sub(code.mul(a, c), p)
    return p, code.add(code.add(code.add(lost, code.mul(a, c_low)), code.mul(a_low, c)), code.mul(a_low, c_low))


def _halves(code: Code, a: Any) -> Pair:
    head = and_bits(code, a, -(1 << 27))
    return head, code.sub(a, head)


def _sum(code: Code, a: Any, c: Any) -> Pair:
    """Return a + c and what its rounding loses, of |a| >= |c| or a = 0."""
    total = code.add(a, c)
    return total, code.sub(c, code.sub(total, a))


def _long_log(code: Code, x: Any) -> Pair:
    """Return the logarithm of positive finite doubles in two parts."""
    f, e = split(code, x)
    s, s_low = _long_quotient(code, f)
    z, z_low = _product(code, s, s)
    z_low = code.fma(code.add(s, s), s_low, z_low)
    cube, cube_low = _product(code, s, z)
    cube_low = code.add(cube_low, code.fma(s, z_low, code.mul(s_low, z)))
    third, third_low = _product(code, cube, code.like(_TWO_THIRDS, x))
    third_low = code.add(
        third_low, code.fma(cube, code.like(_TWO_THIRDS_LOW, x), code.mul(cube_low, code.like(_TWO_THIRDS, x)))
    )
    rest = code.fma(code.mul(cube, z), horner(code, z, _REST), third_low)
    high, low = LOG_2["f8"]
    rest = code.add(code.fma(e, code.like(low, x), code.add(s_low, s_low)), rest)
    total, lost = _sum(code, code.mul(e, code.like(high, x)), code.add(s, s))
    total, more = _sum(code, total, third)
    return _sum(code, total, code.add(code.add(lost, more), rest))


def _long_quotient(code: Code, f: Any) -> Pair:
    """Return f / (2 + f) in two parts."""
    two = code.like(2.0, f)
    below = code.add(f, two)
    below_low = code.sub(f, code.sub(below, two))
    s = code.div(f, below)
    p, p_low = _product(code, s, below)
    rest = code.sub(code.sub(code.sub(f, p), p_low), code.mul(s, below_low))
    return s, code.div(rest, below)


def _long_power(code: Code, x: Any, y: Any) -> Any:
    log, log_low = _long_log(code, x)
    p, p_low = _product(code, y, log)
    # The small part means something only while the result is finite.
    p_low = no_more(code, no_less(code, code.fma(y, log_low, p_low), -1e-9), 1e-9)
    r, n = reduced(code, no_more(code, no_less(code, p, -746.0), 710.0))
    return scaled(code, power_of_e(code, code.add(r, p_low)), n)


def _short_power(code: Code, x: Any, y: Any) -> Any:
    return exp(code, code.mul(y, log_of(code, *split(code, x))))


def power(code: Code, x: Any, y: Any) -> Any:
    """Return x^y, with the limits of C's pow."""
    if is_single(x):
        x, y = code.cast(x, F64), code.cast(y, F64)
        return code.cast(_with_limits(code, x, y, _short_power), F32)
    return _with_limits(code, x, y, _long_power)


def _with_limits(code: Code, x: Any, y: Any, positive: Any) -> Any:
    b, zero, one = code.b, code.like(0.0, x), code.like(1.0, x)
    size = code.abs(x)
    # No y above 2^64 gives anything but 0, 1 and infinity; products with it stay finite.
    out = positive(code, size, no_more(code, no_less(code, y, -(2.0**64)), 2.0**64))
    infinite = code.compare("==", size, code.like(INF, x))
    up = b.xor(b.not_(infinite), code.compare(">", y, zero))
    edge = code.select(up, code.like(INF, x), zero)
    out = code.select(b.or_(infinite, code.compare("==", size, zero)), edge, out)
    whole = code.compare("==", rounding.trunc(code, y), y)
    half = code.mul(y, code.like(0.5, y))
    odd = b.and_(whole, code.compare("!=", rounding.trunc(code, half), half))
    signed = float_bits(code, b.or_(integer_bits(code, out), sign_bit(code, x)))
    out = code.select(odd, signed, out)
    bad = b.and_(b.and_(code.compare("<", x, zero), b.not_(infinite)), b.not_(whole))
    bad = b.or_(bad, b.or_(code.is_nan(x), code.is_nan(y)))
    out = code.select(bad, code.like(NAN, x), out)
    return code.select(b.or_(code.compare("==", y, zero), code.compare("==", x, one)), one, out)


# Division -------------------------------------------------------------------------------------------------------------


def fmod(code: Code, x: Any, y: Any) -> Any:
    """Return x - trunc(x / y) y, exactly, with the sign of x."""
    if is_single(x):
        x, y = code.cast(x, F64), code.cast(y, F64)
        return code.cast(_fmod(code, x, y, 28, exact=True), F32)
    return _fmod(code, x, y, 50 if code.isa.fma else 25, exact=code.isa.fma)


def _fmod(code: Code, x: Any, y: Any, digits: int, exact: bool) -> Any:
    b, zero = code.b, code.like(0.0, x)
    size, by = code.abs(x), code.abs(y)
    endless = code.compare("==", by, code.like(INF, x))
    good = b.and_(code.compare("<", size, code.like(INF, x)), code.compare(">", by, zero))
    r, by = (
        code.select(b.and_(good, b.not_(endless)), size, zero),
        code.select(b.and_(good, b.not_(endless)), by, code.like(1.0, x)),
    )
    held = code.variable(ir.Constant(r.type, None))
    code.set(held, r)
    limit = code.mul(by, code.like(2.0**digits, x))
    head, body, end = (b.append_basic_block(f"fmod.{name}") for name in ("head", "body", "end"))
    b.branch(head)
    b.position_at_end(head)
    b.cbranch(any_lane(code, code.compare(">=", code.get(held), limit)), body, end)
    b.position_at_end(body)
    code.set(held, _less_multiple(code, code.get(held), _raised(code, code.get(held), by, digits), exact))
    b.branch(head)
    b.position_at_end(end)
    r = _less_multiple(code, code.get(held), by, exact)
    out = with_sign(code, code.select(endless, size, r), x)
    return code.select(good, out, code.like(NAN, x))


def _less_multiple(code: Code, r: Any, by: Any, exact: bool) -> Any:
    """Return r - trunc(r / by) by. The quotient, once rounded, may be one too large."""
    q = rounding.trunc(code, code.div(r, by))
    if exact:
        rest = code.fma(code.neg(q), by, r)
    else:
        head, low = _halves(code, by)
        rest = code.sub(code.sub(r, code.mul(q, head)), code.mul(q, low))
        # Only here the first difference could need a bit more than there is.
        rest = code.select(code.compare("==", q, code.like(1.0, r)), code.sub(r, by), rest)
    return code.select(code.compare("<", rest, code.like(0.0, r)), code.add(rest, by), rest)


def _raised(code: Code, r: Any, by: Any, digits: int) -> Any:
    """Return by 2^j, j >= 0, of which r is less than 2^digits times as large."""
    form, zero = format_of(r), integer_bits(code, code.like(0.0, r))
    small = code.compare("<", by, code.like(form.smallest_normal, by))
    normal = code.select(small, code.mul(by, code.like(2.0**60, by)), by)
    raised = code.select(small, code.like(60, zero), zero)
    j = code.sub(_power_of_two(code, r), code.add(_power_of_two(code, normal), code.like(digits - 2, zero)))
    return scaled(code, normal, code.sub(code.greater(code.add(j, raised), zero), raised))


def _power_of_two(code: Code, x: Any) -> Any:
    i = integer_bits(code, x)
    return code.b.lshr(i, code.like(format_of(x).mantissa, i))


def remainder(code: Code, x: Any, y: Any) -> Any:
    """Return x - floor(x / y) y, with the sign of y."""
    rest = fmod(code, x, y)
    zero = code.like(0.0, x)
    wrong = code.b.xor(code.compare("<", y, zero), code.compare("<", rest, zero))
    moved = code.select(wrong, code.add(rest, y), rest)
    return code.select(code.compare("==", rest, zero), rounding.copysign(code, zero, y), moved)


def floor_divide(code: Code, x: Any, y: Any) -> Any:
    """Return floor(x / y) as NumPy has it: from the exact remainder; x / y for y = 0."""
    rest = fmod(code, x, y)
    zero, one = code.like(0.0, x), code.like(1.0, x)
    quotient = code.div(code.sub(x, rest), y)
    below = code.b.xor(code.compare("<", y, zero), code.compare("<", rest, zero))
    below = code.b.and_(below, code.compare("!=", rest, zero))
    quotient = code.select(below, code.sub(quotient, one), quotient)
    down = rounding.floor(code, quotient)
    off = code.compare(">", code.sub(quotient, down), code.like(0.5, x))
    down = code.select(off, code.add(down, one), down)
    plain = code.div(x, y)
    down = code.select(code.compare("==", quotient, zero), rounding.copysign(code, zero, plain), down)
    return code.select(code.compare("==", y, zero), plain, down)


def trunc_divide(code: Code, x: Any, y: Any) -> Any:
    """Return trunc(x / y), the quotient rounded first."""
    return rounding.trunc(code, code.div(x, y))
