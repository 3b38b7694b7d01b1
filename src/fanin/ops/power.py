"""Powers, and the product with a logarithm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin._core.errors import OperationError
from fanin.ops.arithmetic import (
    equal,
    expand,
    float_broadcast,
    greater_equal,
    less_equal,
    logical_and,
    ones_like,
    refuse_bools,
    sum_to,
    where,
    zeros_like,
)
from fanin.ops.elementwise import cast_like, log, log1p
from fanin.ops.op import Op, Spec, define
from fanin.ops.rules import broadcast, refuse_overflow, shape_of, to_common, to_float


def _power(a: Any, b: Any) -> Any:
    # A square is what people raise to most, and pow() costs 20 times a product.
    if b.__class__ in (int, float):
        if b == 2:
            return np.multiply(a, a)
        if b == 0.5:
            return np.sqrt(a)
    if np.result_type(a, b).kind != "f":
        return _whole_power(a, b)
    return np.power(a, b)


def _negative_exponent() -> OperationError:
    return OperationError(
        "Integers to negative integer powers are not allowed.", remedy="Convert the base with .float() first."
    )


def _whole_power(a: Any, b: Any) -> Any:
    refuse_bools("pow", a, b)
    if not np.any(np.less(b, 0)):
        return np.power(a, b)
    if np.ndim(b) == 0:
        raise _negative_exponent()
    # 1 / a ** -b, rounded towards zero: only 1 and -1 leave something.
    sign = np.where(np.remainder(b, 2) == 0, 1, a)
    inverse = np.where(np.abs(a) == 1, sign, 0)
    return np.where(np.less(b, 0), inverse, np.power(a, np.maximum(b, 0))).astype(np.result_type(a, b))


def _power_vjp_base(g: Any, out: Any, a: Any, b: Any) -> Any:
    if b.__class__ in (int, float):
        return zeros_like(sum_to(g, shape_of(a))) if b == 0 else sum_to(g * (power(a, b - 1) * b), shape_of(a))
    safe = power(a, b - 1) * b
    return sum_to(g * where(equal(b, 0), zeros_like(safe), safe), shape_of(a))


def _power_vjp_exponent(g: Any, out: Any, a: Any, b: Any) -> Any:
    # d/db a^b = a^b log a, and 0 where a is 0 and b >= 0: the limit that keeps 0^b usable.
    if a.__class__ in (int, float):
        full = g * out * (float(np.log(a)) if a else -math.inf)
        return sum_to(full if a else where(greater_equal(b, 0), zeros_like(full), full), shape_of(b))
    at_zero = logical_and(equal(a, 0), greater_equal(b, 0))
    full = out * log(where(at_zero, ones_like(out), expand(a, shape_of(out))))
    return sum_to(g * where(at_zero, zeros_like(full), full), shape_of(b))


def _power_promote(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    base, exponent = inputs
    if exponent.__class__ is int and exponent < 0 and base.dtype.kind in "iu":
        raise _negative_exponent()  # before it becomes a number without a sign
    if exponent.__class__ is int:
        refuse_overflow([exponent], base.dtype)
    if base.__class__ is np.ndarray and base.dtype.kind == "f" and exponent.__class__ in (int, float):
        return inputs
    return to_common(inputs)


power: Op = define(
    "pow",
    _power,
    broadcast,
    vjps=(_power_vjp_base, _power_vjp_exponent),
    reads=None,
    reads_out=True,
    reads_by=((0, 1), (0, 1, -1)),
    promote=_power_promote,
)


def _xlogy(a: Any, b: Any) -> Any:
    log_b = float(np.log(b)) if b.__class__ in (int, float) else np.log(b)  # a Python number stays weak
    product = np.multiply(a, log_b)
    return np.where(np.equal(a, 0) & ~np.isnan(b), np.zeros_like(product), product)


def _xlogy_vjp_a(g: Any, out: Any, a: Any, b: Any) -> Any:
    gradient = g * log(b)
    hidden = logical_and(equal(a, 0), less_equal(b, 0))
    return sum_to(where(hidden, zeros_like(gradient), gradient), shape_of(a))


xlogy: Op = define(
    "xlogy",
    _xlogy,
    float_broadcast,
    vjps=(_xlogy_vjp_a, lambda g, out, a, b: sum_to(g * (a / b), shape_of(b))),
    reads=None,
    promote=to_float,
)


def _xlog1py(a: Any, b: Any) -> Any:
    log_b = float(np.log1p(b)) if b.__class__ in (int, float) else np.log1p(b)
    product = np.multiply(a, log_b)
    return np.where(np.equal(a, 0) & ~np.isnan(b), np.zeros_like(product), product)


def _xlog1py_vjp_a(g: Any, out: Any, a: Any, b: Any) -> Any:
    gradient = g * log1p(b)
    hidden = logical_and(equal(a, 0), less_equal(b, -1))
    return sum_to(where(hidden, zeros_like(gradient), gradient), shape_of(a))


xlog1py: Op = define(
    "xlog1py",
    _xlog1py,
    float_broadcast,
    vjps=(_xlog1py_vjp_a, lambda g, out, a, b: sum_to(g * (a / (b + 1)), shape_of(b))),
    reads=None,
    promote=to_float,
    grad_name="SpecialXlog1PyBackward0",
)

# The two parts of a number: x = mantissa * 2^exponent with 0.5 <= |mantissa| < 1. -------------------------------------

exponent: Op = define(
    "exponent", lambda x: np.frexp(x)[1].astype(np.int32), lambda x: Spec(x.shape, np.dtype(np.int32))
)
mantissa: Op = define(
    "mantissa",
    lambda x: np.frexp(x)[0],
    lambda x: x,
    vjps=(lambda g, out, x: g * power(2.0, cast_like(-exponent(x), g)),),
    reads=(0,),
    grad_name="FrexpBackward0",
)
