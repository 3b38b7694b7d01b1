"""sin, cos and tan.

x = n pi/2 + r, |r| <= pi/4. float32 is reduced in float64, pi/2 in two parts (three without a fused multiply-add, so
that n times a part is exact), and evaluated in float32. float64 takes pi/2 in four parts and keeps what the differences
lose (Cody & Waite, "Software Manual for the Elementary Functions", 1980, chapter 8). Larger arguments go lane by lane
through one function that multiplies by the digits of 2/pi that count (M. H. Payne & R. N. Hanek, "Radian reduction for
trigonometric functions", SIGNUM Newsletter 18, 1983), behind a branch that is rarely taken.
Polynomials by tests/compiler/fit_polynomial.py: sin 2^-28 and 2^-57.9, cos 2^-33 and 2^-63.9 of the result.
Measured: float32 sin and cos 1.6 ulp over all values, 17 cycles for 8 (Zen 3, two registers a step), tan 0.5; float64
sin and cos 1.5, tan 2.8.
"""

from __future__ import annotations

from typing import Any

from fanin.compiler.native import ir
from fanin.compiler.native.math.parts import (
    any_lane,
    float_bits,
    format_of,
    horner,
    integer_bits,
    is_single,
    through_double,
    two_to,
)
from fanin.compiler.native.vector import F32, F64, I1, I8, I32, I64, Code, function, scalar_type, width_of

_SIN = {
    "f4": (-0.0001951463541, 0.008332156085, -0.1666665454),
    "f8": (
        1.58959039027759288e-10, -2.50507422925786786e-8, 2.7557313587513292e-6, -0.00019841269829495149,
        0.00833333333332200498, -0.166666666666666303,
    ),
}  # fmt: skip
_COS = {
    "f4": (2.443241319e-5, -0.001388730987, 0.04166664555),
    "f8": (
        -1.13583101828273665e-11, 2.08756965663366979e-9, -2.75573141485745794e-7, 0.0000248015872887480032,
        -0.00138888888888728948, 0.041666666666666592,
    ),
}  # fmt: skip
TWO_OVER_PI = 0.6366197723675814


def _pi_digits(count: int) -> int:
    """Return floor(pi 2^count), by Machin's formula in integers."""
    one = 1 << (count + 64)

    def arctan_of_inverse(q: int) -> int:
        total = term = one // q
        k, sign = 3, -1
        while term:
            term //= q * q
            total += sign * (term // k)
            k, sign = k + 2, -sign
        return total

    return (4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))) >> 64


def _split_half_pi(sizes: tuple[int, ...]) -> list[float]:
    """Return pi/2 as a sum of floats of that many bits each, every one rounded down."""
    digits, left, parts = 400, _pi_digits(400) >> 1, []
    for size in sizes:
        shift = left.bit_length() - size
        head = left >> shift << shift
        parts.append(float(head >> shift) * 2.0 ** (shift - digits))
        left -= head
    return parts


_HALF_PI_FUSED = _split_half_pi((53, 53))
_HALF_PI_SINGLE = _split_half_pi((27, 27, 53))
_HALF_PI_DOUBLE = _split_half_pi((33, 33, 33, 53))
_HUGE_SINGLE, _HUGE_DOUBLE = 2.0**25, 2.0**20

# 2/pi in binary: what _reduce_huge reads. A window of 256 bits at any place of it is loaded.
_DIGITS, _WINDOW = 1216, 190


def _table() -> bytes:
    two_over_pi = (1 << (2 * _DIGITS + 1)) // _pi_digits(_DIGITS)
    return two_over_pi.to_bytes(176, "little")


def _reduce_huge(code: Code) -> Any:
    """Return the module's function of a large double: (r, quadrant); r is NaN for an infinite one."""
    module, name = code.b.module, "fanin.reduce_huge"
    found = module.globals.get(name)
    if found is not None:
        return found
    kind = ir.ArrayType(I8, 176)
    table = ir.GlobalVariable(module, kind, "fanin.two_over_pi")
    table.global_constant, table.linkage = True, "internal"
    table.initializer = ir.Constant(kind, bytearray(_table()))
    made, inner = function(module, name, [F64], code.isa, result=ir.LiteralStructType([F64, I64]))
    made.attributes.add("noinline")
    _write_reduction(inner, made.args[0], table)
    return made


def _write_reduction(code: Code, x: Any, table: Any) -> None:
    b, wide, window = code.b, ir.IntType(256), ir.IntType(192)
    bits = b.bitcast(x, I64)
    power = b.and_(b.lshr(bits, I64(52)), I64(0x7FF))
    digits = b.or_(b.and_(bits, I64((1 << 52) - 1)), I64(1 << 52))
    # x = digits 2^(power - 1075); the window holds 2/pi 2^(power - 1075) modulo 4, with 190 bits after the point.
    shift = b.sub(I64(_DIGITS - _WINDOW + 1075), power)
    place = b.gep(table, [b.lshr(shift, I64(3))], source_etype=I8)
    part = b.lshr(b.load(place, align=1, typ=wide), b.zext(b.and_(shift, I64(7)), wide))
    product = b.mul(b.trunc(part, window), b.zext(digits, window))
    half = b.trunc(b.lshr(product, window(_WINDOW - 1)), I64)
    quadrant = b.lshr(b.add(half, I64(1)), I64(1))
    r = _fraction_times_half_pi(code, b.shl(product, window(2)))
    negative = b.icmp_signed("<", bits, I64(0))
    r = b.select(negative, b.fneg(r), r)
    quadrant = b.select(negative, b.neg(quadrant), quadrant)
    r = b.select(b.icmp_unsigned("==", power, I64(0x7FF)), F64(float("nan")), r)
    out = b.insert_value(ir.Constant(ir.LiteralStructType([F64, I64]), ir.Undefined), r, 0)
    b.ret(b.insert_value(out, quadrant, 1))


def _fraction_times_half_pi(code: Code, fraction: Any) -> Any:
    """Return a signed fraction of 192 bits times pi/2, rounded once: in 64 bits after the leading zeros are dropped."""
    b, window, pair = code.b, fraction.type, ir.IntType(128)
    negative = b.icmp_signed("<", fraction, window(0))
    size = b.select(negative, b.neg(fraction), fraction)
    zeros = _leading_zeros(code, size)
    top = b.lshr(b.shl(size, zeros), window(64))
    product = b.mul(b.lshr(b.trunc(top, pair), pair(64)), pair(_pi_digits(62)))
    scaled = b.uitofp(b.trunc(b.lshr(product, pair(64)), I64), F64)
    r = b.fmul(scaled, two_to(code, b.sub(I64(-63), b.trunc(zeros, I64))))
    return b.select(negative, b.fneg(r), r)


def _leading_zeros(code: Code, value: Any) -> Any:
    name = f"llvm.ctlz.i{value.type.width}"
    module = code.b.module
    made = module.globals.get(name) or ir.Function(module, ir.FunctionType(value.type, [value.type, I1]), name)
    return code.b.call(made, [value, I1(0)])


def _near_single(code: Code, x: Any) -> tuple[Any, Any]:
    """Return r in float32 and n in its low bits as i32, of |x| < 2^25."""
    x = code.cast(x, F64)
    n, whole = _quarters(code, x)
    for part in _HALF_PI_FUSED if code.isa.fma else _HALF_PI_SINGLE:
        x = code.fma(n, code.like(-part, x), x)
    return code.cast(x, F32), code.cast(whole, I32)


def _quarters(code: Code, x: Any) -> tuple[Any, Any]:
    magic = code.like(format_of(x).magic, x)
    shifted = code.fma(x, code.like(TWO_OVER_PI, x), magic)
    return code.sub(shifted, magic), integer_bits(code, shifted)


def _near_double(code: Code, x: Any) -> tuple[Any, Any]:
    """Return r and n in its low bits, of |x| < 2^20: products with parts of 33 bits are exact."""
    n, whole = _quarters(code, x)
    first, second, third, fourth = (code.mul(n, code.like(part, x)) for part in _HALF_PI_DOUBLE)
    head = code.sub(x, first)
    r = code.sub(head, second)
    lost = code.sub(code.sub(code.sub(head, r), second), third)
    total = code.add(r, lost)
    rest = code.add(code.sub(r, total), lost)
    return code.add(total, code.sub(rest, fourth)), whole


def _reduced(code: Code, x: Any) -> tuple[Any, Any]:
    """Return r and the number of the quadrant in the low bits, of any x."""
    single = is_single(x)
    r, quadrant = (_near_single if single else _near_double)(code, x)
    huge = code.compare(">", code.abs(x), code.like(_HUGE_SINGLE if single else _HUGE_DOUBLE, x))
    held_r, held_quadrant = (code.variable(ir.Constant(value.type, None)) for value in (r, quadrant))
    code.set(held_r, r)
    code.set(held_quadrant, quadrant)
    with code.b.if_then(any_lane(code, huge), likely=False):
        _replace_huge(code, x, huge, held_r, held_quadrant)
    return code.get(held_r), code.get(held_quadrant)


def _replace_huge(code: Code, x: Any, huge: Any, held_r: Any, held_quadrant: Any) -> None:
    reduce, b, width = _reduce_huge(code), code.b, width_of(x)

    def lane(value: Any, i: Any) -> Any:
        return value if width == 1 else b.extract_element(value, i)

    with code.loop(0, width, 1, "lane") as i, b.if_then(lane(huge, i)):
        r, quadrant = (b.extract_value(b.call(reduce, [code.cast(lane(x, i), F64)]), k) for k in (0, 1))
        for held, new in ((held_r, r), (held_quadrant, quadrant)):
            old = code.get(held)
            new = code.cast(new, scalar_type(old))
            code.set(held, new if width == 1 else b.insert_element(old, new, i))


def _sin_cos(code: Code, r: Any) -> tuple[Any, Any]:
    """Return sin r and cos r of |r| <= pi/4."""
    column = "f4" if is_single(r) else "f8"
    z = code.mul(r, r)
    sine = code.fma(code.mul(r, z), horner(code, z, _SIN[column]), r)
    half = code.mul(z, code.like(0.5, r))
    one = code.like(1.0, r)
    head = code.sub(one, half)
    tail = code.mul(code.mul(z, z), horner(code, z, _COS[column]))
    if not is_single(r):
        tail = code.add(tail, code.sub(code.sub(one, head), half))
    return sine, code.add(head, tail)


def _quadrant_of(code: Code, r: Any, quadrant: Any, shift: int) -> Any:
    """Return sin(r + (quadrant + shift) pi/2)."""
    sine, cosine = _sin_cos(code, r)
    n = code.add(quadrant, code.like(shift, quadrant)) if shift else quadrant
    odd = code.compare("!=", code.b.and_(n, code.like(1, n)), code.like(0, n))
    out = integer_bits(code, code.select(odd, cosine, sine))
    place = code.like(format_of(r).bits - 2, n)
    sign = code.b.and_(code.b.shl(n, place), code.like(format_of(r).sign, n))
    return float_bits(code, code.b.xor(out, sign))


def sin(code: Code, x: Any) -> Any:
    """Return the sine."""
    out = _quadrant_of(code, *_reduced(code, x), 0)
    return code.select(code.compare("==", x, code.like(0.0, x)), x, out)


def cos(code: Code, x: Any) -> Any:
    """Return the cosine."""
    return _quadrant_of(code, *_reduced(code, x), 1)


def tan(code: Code, x: Any) -> Any:
    """Return sin r / cos r, or -cos r / sin r in odd quadrants; float32 in float64."""
    if is_single(x):
        return through_double(code, tan, x)
    r, n = _reduced(code, x)
    sine, cosine = _sin_cos(code, r)
    odd = code.compare("!=", code.b.and_(n, code.like(1, n)), code.like(0, n))
    out = code.div(code.select(odd, code.neg(cosine), sine), code.select(odd, sine, cosine))
    return code.select(code.compare("==", x, code.like(0.0, x)), x, out)
