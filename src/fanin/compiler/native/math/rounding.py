"""Rounding to integers, signs, roots and other functions of one or a few instructions."""

from __future__ import annotations

from typing import Any

from fanin.compiler.native.math.parts import and_bits, format_of, with_sign
from fanin.compiler.native.vector import Code


def absolute(code: Code, x: Any) -> Any:
    """Return |x|."""
    return code.abs(x)


def negative(code: Code, x: Any) -> Any:
    """Return -x."""
    return code.neg(x)


def sign(code: Code, x: Any) -> Any:
    """Return -1, 0 or 1; 0 for NaN, as PyTorch has it."""
    zero, one = code.like(0.0, x), code.like(1.0, x)
    below = code.select(code.compare("<", x, zero), code.like(-1.0, x), zero)
    return code.select(code.compare(">", x, zero), one, below)


def square(code: Code, x: Any) -> Any:
    """Return x^2."""
    return code.mul(x, x)


def sqrt(code: Code, x: Any) -> Any:
    """Return the square root."""
    return code.sqrt(x)


def rsqrt(code: Code, x: Any) -> Any:
    """Return 1 / sqrt x, with two roundings, as NumPy's evaluation has it."""
    return code.div(code.like(1.0, x), code.sqrt(x))


def reciprocal(code: Code, x: Any) -> Any:
    """Return 1 / x."""
    return code.div(code.like(1.0, x), x)


def round_even(code: Code, x: Any) -> Any:
    """Return the nearest integer, of two the even one."""
    if code.isa.name != "sse":
        return code.intrinsic("llvm.roundeven", x)
    # SSE2 has no rounding, and LLVM would call the C library: at 2^mantissa only integers are left.
    size, big = code.abs(x), code.like(2.0 ** format_of(x).mantissa, x)
    near = code.sub(code.add(size, big), big)
    return with_sign(code, code.select(code.compare("<", size, big), near, size), x)


def floor(code: Code, x: Any) -> Any:
    """Return the largest integer that is not above x."""
    if code.isa.name != "sse":
        return code.intrinsic("llvm.floor", x)
    near = round_even(code, x)
    return with_sign(code, code.sub(near, _one_where(code, code.compare(">", near, x), x)), x)


def ceil(code: Code, x: Any) -> Any:
    """Return the smallest integer that is not below x."""
    if code.isa.name != "sse":
        return code.intrinsic("llvm.ceil", x)
    near = round_even(code, x)
    return with_sign(code, code.add(near, _one_where(code, code.compare("<", near, x), x)), x)


def trunc(code: Code, x: Any) -> Any:
    """Return the integer part."""
    if code.isa.name != "sse":
        return code.intrinsic("llvm.trunc", x)
    size = code.abs(x)
    near = round_even(code, size)
    return with_sign(code, code.sub(near, _one_where(code, code.compare(">", near, size), x)), x)


def _one_where(code: Code, mask: Any, x: Any) -> Any:
    return code.select(mask, code.like(1.0, x), code.like(0.0, x))


def copysign(code: Code, x: Any, y: Any) -> Any:
    """Return |x| with the sign of y."""
    return with_sign(code, and_bits(code, x, ~format_of(x).sign), y)


def maximum(code: Code, x: Any, y: Any) -> Any:
    """Return the larger, NaN when one is NaN."""
    return code.maximum(x, y)


def minimum(code: Code, x: Any, y: Any) -> Any:
    """Return the smaller, NaN when one is NaN."""
    return code.minimum(x, y)


def fmax(code: Code, x: Any, y: Any) -> Any:
    """Return the larger, the other one when one is NaN."""
    return code.select(code.is_nan(y), x, code.greater(x, y))


def fmin(code: Code, x: Any, y: Any) -> Any:
    """Return the smaller, the other one when one is NaN."""
    return code.select(code.is_nan(y), x, code.lesser(x, y))
