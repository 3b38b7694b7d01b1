"""Arithmetic, limits, choices and constants that are composed of simpler arithmetic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin.compiler.passes.lower.common import astype, full, is_value, truth
from fanin.compiler.passes.lower.rules import Rule, lowers
from fanin.ops import arithmetic
from fanin.ops.arithmetic import (
    equal,
    expand,
    greater,
    isinf,
    isnan,
    less,
    logical_and,
    logical_or,
    maximum,
    minimum,
    where,
)
from fanin.ops.elementwise import absolute, erfc, exp, log, log1p, reciprocal, round_, sin, sqrt, trunc
from fanin.ops.probability import erfcx


@lowers("identity", "clone")
def same(x: Any, **_: Any) -> Any:
    """Return x: nothing changes a value, so that nobody needs a copy."""
    return x


@lowers("zeros_like")
def zeros_like(x: Any) -> Any:
    """Return zeros."""
    return full(x.shape, 0, x.dtype)


@lowers("ones_like")
def ones_like(x: Any) -> Any:
    """Return ones."""
    return full(x.shape, 1, x.dtype)


@lowers("overwrite")
def overwrite(x: Any, values: Any) -> Any:
    """Return the values in the shape and dtype of x."""
    if not is_value(values):
        return full(x.shape, values, x.dtype)
    return expand(astype(values, x.dtype), x.shape)


def _on_bools(op: Any) -> Rule:
    def rule(*xs: Any) -> Any:
        if all(is_value(x) and x.dtype.kind == "b" for x in xs):
            return None
        return op(*(truth(x) if is_value(x) else bool(x) for x in xs))

    return rule


for _op in (arithmetic.logical_and, arithmetic.logical_or, arithmetic.logical_xor, arithmetic.logical_not):
    lowers(_op.name)(_on_bools(_op))


# Limits and choices ---------------------------------------------------------------------------------------------------


@lowers("clamp")
def clamp(x: Any, low: Any, high: Any) -> Any:
    """Return x, at least low, and then at most high."""
    x = x if low is None else maximum(x, low)
    return x if high is None else minimum(x, high)


@lowers("lerp")
def lerp(a: Any, b: Any, weight: Any) -> Any:
    """Return a + w (b - a), from the end that w is nearer to: 0 gives a, and 1 gives b, exactly."""
    if is_value(weight) and weight.weak:
        return None
    difference = b - a
    if not is_value(weight):
        return a + difference * weight if abs(weight) < 0.5 else b - difference * (1 - weight)
    near = less(absolute(weight), 0.5)
    return where(near, a, b) + where(near, weight, weight - 1) * difference


@lowers("heaviside")
def heaviside(a: Any, b: Any) -> Any:
    """Return 0 below 0, 1 above, and b at 0."""
    return where(equal(a, 0), b, astype(greater(a, 0), a.dtype))


@lowers("nan_to_num")
def nan_to_num(x: Any, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """Replace nan, inf and -inf: by default by 0, the largest and the smallest number."""
    if x.dtype.kind != "f":
        return x
    limits = np.finfo(x.dtype)
    top = float(limits.max) if posinf is None else posinf
    bottom = float(limits.min) if neginf is None else neginf
    finite = where(equal(x, math.inf), top, where(equal(x, -math.inf), bottom, x))
    return where(isnan(x), 0.0 if nan is None else nan, finite)


# Rounding -------------------------------------------------------------------------------------------------------------


@lowers("frac")
def frac(x: Any) -> Any:
    """Return what follows the point."""
    return x - trunc(x)


@lowers("round")
def round_to(x: Any, *, decimals: int = 0) -> Any:
    """Scale, round to even, scale back."""
    if not decimals or x.dtype.kind != "f":
        return None
    scale = 10.0 ** abs(decimals)
    return round_(x * scale) / scale if decimals > 0 else round_(x / scale) * scale


# Powers and logarithms ------------------------------------------------------------------------------------------------


@lowers("pow")
def power(a: Any, b: Any) -> Any:
    """Return a product or a root where the exponent is a number that has one."""
    if is_value(b) or not is_value(a):
        return None
    if b == 2:
        return a * a
    if a.dtype.kind != "f":
        return None
    short: dict[float, Rule] = {
        0: ones_like,
        0.5: sqrt,
        1: same,
        -1: reciprocal,
        3: lambda x: x * x * x,
        4: lambda x: (x * x) * (x * x),
    }
    return short[b](a) if b in short else None


def _times_logarithm(op: Any, record: Any) -> Rule:
    """Return the rule of a op(b), which is 0 where a is 0 and b is not nan."""

    def rule(a: Any, b: Any) -> Any:
        if not is_value(a):
            return op(b) * a if a else where(isnan(b), b, 0.0)
        if is_value(b):
            return where(logical_and(equal(a, 0), arithmetic.logical_not(isnan(b))), 0.0, a * op(b))
        with np.errstate(all="ignore"):
            product = a * float(record(b))
        return product if math.isnan(b) else where(equal(a, 0), 0.0, product)

    return rule


lowers("xlogy")(_times_logarithm(log, np.log))
lowers("xlog1py")(_times_logarithm(log1p, np.log1p))


@lowers("logaddexp")
def logaddexp(a: Any, b: Any) -> Any:
    """Return log(e^a + e^b): the larger one, and log(1 + e^-|a - b|); equal infinities have no difference."""
    apart = maximum(a, b) + log1p(exp(-absolute(a - b)))
    return where(equal(a, b), a + math.log(2), apart)


@lowers("logit")
def logit(x: Any) -> Any:
    """Return log(x / (1 - x))."""
    return log(x / (1 - x))


@lowers("entr")
def entr(x: Any) -> Any:
    """Return -x log x: 0 at 0, -inf below."""
    return where(less(x, 0), -math.inf, where(equal(x, 0), 0.0, -x * log(x)))


@lowers("log_ndtr")
def log_ndtr(x: Any) -> Any:
    """Return the logarithm of the area under the normal density up to x; below -1 from the scaled error function."""
    t = x * math.sqrt(0.5)
    return where(less(x, -1), log(erfcx(-t) * 0.5) - t * t, log1p(erfc(t) * -0.5))


@lowers("hypot")
def hypot(a: Any, b: Any) -> Any:
    """Return sqrt(a^2 + b^2): in double precision, or with the larger one taken out, so that nothing overflows."""
    if any(not is_value(x) for x in (a, b)):
        return None
    if a.dtype.itemsize < 8:
        wide_a, wide_b = (astype(x, np.dtype(np.float64)) for x in (a, b))
        root = astype(sqrt(wide_a * wide_a + wide_b * wide_b), a.dtype)
    else:
        large, small = maximum(absolute(a), absolute(b)), minimum(absolute(a), absolute(b))
        ratio = small / large
        root = where(equal(large, 0), large, large * sqrt(ratio * ratio + 1))
    return where(logical_or(isinf(a), isinf(b)), math.inf, root)


@lowers("sinc")
def sinc(x: Any) -> Any:
    """Return sin(pi x) / (pi x), and 1 at 0."""
    turn = x * math.pi
    return where(equal(x, 0), 1.0, sin(turn) / turn)
