"""Functions of one value, element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fanin._core.dtypes import category, default_numpy
from fanin._core.errors import DtypeError, OperationError, UnsupportedDtypeError
from fanin.ops import rules, special
from fanin.ops.arithmetic import (
    equal,
    expand,
    greater,
    greater_equal,
    isfinite,
    less,
    less_equal,
    logical_and,
    logical_or,
    sum_to,
    where,
    zeros_like,
)
from fanin.ops.op import Op, Spec, define
from fanin.ops.rules import same, to_float


def float_spec(x: Spec, **_: Any) -> Spec:
    """Return the rule of functions whose result is always floating: integers become the default dtype."""
    return Spec(x.shape, x.dtype if category(x.dtype) == 2 else default_numpy())


def float_op(name: str, evaluate: Callable[..., Any], vjp: Callable[..., Any], **record: Any) -> Op:
    """Define a function whose result is always floating."""
    return define(name, evaluate, float_spec, vjps=(vjp,), promote=to_float, **record)


_INPUT: dict[str, Any] = {"reads": (0,)}
_OUT: dict[str, Any] = {"reads_out": True}


def _negative_spec(x: Spec) -> Spec:
    if x.dtype.kind == "b":
        raise DtypeError(
            "Negation, the `-` operator, on a bool tensor is not supported. "
            "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return x


negative: Op = define("neg", np.negative, _negative_spec, vjps=(lambda g, out, x: -g,))


def _refuse_bools(name: str, x: Any) -> None:
    if x.dtype.kind == "b":
        raise UnsupportedDtypeError(f"\"{name}\" not implemented for 'Bool'; convert with .int() first")


def _not_of_bools(name: str) -> Callable[..., Spec]:
    """Return the rule of functions that keep a type, and refuse bools."""

    def infer(x: Spec, **_: Any) -> Spec:
        _refuse_bools(name, x)
        return same(x)

    return infer


def _absolute(x: Any) -> Any:
    _refuse_bools("abs_cpu", x)
    return np.absolute(x)


def _sign(x: Any) -> Any:
    # By comparison, because the sign of nan is 0 in PyTorch and nan in NumPy, which has none for bools.
    if x.dtype.kind in "bu":
        return (x > 0).astype(x.dtype)
    return np.subtract(x > 0, x < 0, dtype=np.int8).astype(x.dtype)


absolute: Op = define("abs", _absolute, _not_of_bools("abs_cpu"), vjps=(lambda g, out, x: g * sign(x),), **_INPUT)
sign: Op = define("sign", _sign, same, vjps=(lambda g, out, x: zeros_like(g),))


def _rounding(name: str, evaluate: Callable[..., Any]) -> Op:
    kernel = f"{name}_vml_cpu"
    kept = _keep_integers(kernel, evaluate)
    return define(name, kept, _not_of_bools(kernel), vjps=(lambda g, out, x: zeros_like(g),))


def _round_spec(x: Any, *, decimals: int = 0) -> Spec:
    _refuse_bools("round_cpu", x)
    if decimals and x.dtype.kind != "f":
        raise UnsupportedDtypeError(
            f'"round_cpu" not implemented for {x.dtype} with decimals; convert with .float() first'
        )
    return same(x)


def _round(x: Any, *, decimals: int = 0) -> Any:
    _round_spec(x, decimals=decimals)
    if not decimals:
        return np.rint(x) if x.dtype.kind == "f" else x.copy()
    # PyTorch scales, rounds to even and scales back in the element's own precision.
    scale = x.dtype.type(10.0 ** abs(decimals))
    return np.rint(x * scale) / scale if decimals > 0 else np.rint(x / scale) * scale


def _keep_integers(name: str, evaluate: Callable[..., Any]) -> Callable[..., Any]:
    def keep(x: Any) -> Any:
        if x.dtype.kind == "f":
            return evaluate(x)
        _refuse_bools(name, x)
        return x.copy()

    return keep


def _frac_spec(x: Any) -> Spec:
    if x.dtype.kind != "f":
        raise UnsupportedDtypeError(f'"frac_cpu" not implemented for {x.dtype}; convert with .float() first')
    return same(x)


def _frac(x: Any) -> Any:
    _frac_spec(x)
    return x - np.trunc(x)


floor: Op = _rounding("floor", np.floor)
ceil: Op = _rounding("ceil", np.ceil)
trunc: Op = _rounding("trunc", np.trunc)
round_: Op = define("round", _round, _round_spec, vjps=(lambda g, out, x, **_: zeros_like(g),))
frac: Op = define("frac", _frac, _frac_spec, vjps=(lambda g, out, x: g,))

exp: Op = float_op("exp", np.exp, lambda g, out, x: g * out, **_OUT)
exp2: Op = float_op("exp2", np.exp2, lambda g, out, x: g * out * 0.6931471805599453, **_OUT)
expm1: Op = float_op("expm1", np.expm1, lambda g, out, x: g * (out + 1), **_OUT)
log: Op = float_op("log", np.log, lambda g, out, x: g / x, **_INPUT)
log2: Op = float_op("log2", np.log2, lambda g, out, x: g / (x * 0.6931471805599453), **_INPUT)
log10: Op = float_op("log10", np.log10, lambda g, out, x: g / (x * 2.302585092994046), **_INPUT)
log1p: Op = float_op("log1p", np.log1p, lambda g, out, x: g / (x + 1), grad_name="Log1PBackward0", **_INPUT)
sqrt: Op = float_op("sqrt", np.sqrt, lambda g, out, x: g / (out * 2), **_OUT)
rsqrt: Op = float_op(
    "rsqrt", lambda x: x.dtype.type(1) / np.sqrt(x), lambda g, out, x: g * -0.5 * (out * out * out), **_OUT
)
reciprocal: Op = float_op("reciprocal", np.reciprocal, lambda g, out, x: -g * (out * out), **_OUT)
square: Op = define(
    "square",
    np.square,
    same,
    vjps=(lambda g, out, x: g * (x * 2),),
    promote=lambda inputs: inputs if inputs[0].dtype.kind != "b" else (inputs[0].astype(np.int64),),
    grad_name="PowBackward0",
    **_INPUT,
)

sin: Op = float_op("sin", np.sin, lambda g, out, x: g * cos(x), **_INPUT)
cos: Op = float_op("cos", np.cos, lambda g, out, x: -g * sin(x), **_INPUT)
tan: Op = float_op("tan", np.tan, lambda g, out, x: g * (out * out + 1), **_OUT)
asin: Op = float_op("asin", np.arcsin, lambda g, out, x: g * rsqrt(1 - x * x), **_INPUT)
acos: Op = float_op("acos", np.arccos, lambda g, out, x: -g * rsqrt(1 - x * x), **_INPUT)
atan: Op = float_op("atan", np.arctan, lambda g, out, x: g / (x * x + 1), **_INPUT)
sinh: Op = float_op("sinh", np.sinh, lambda g, out, x: g * cosh(x), **_INPUT)
cosh: Op = float_op("cosh", np.cosh, lambda g, out, x: g * sinh(x), **_INPUT)
asinh: Op = float_op("asinh", np.arcsinh, lambda g, out, x: g * rsqrt(x * x + 1), **_INPUT)
acosh: Op = float_op("acosh", np.arccosh, lambda g, out, x: g * rsqrt(x * x - 1), **_INPUT)
atanh: Op = float_op("atanh", np.arctanh, lambda g, out, x: g / (1 - x * x), **_INPUT)

_TWO_OVER_ROOT_PI = 1.1283791670955126
_ROOT_PI_OVER_TWO = 0.8862269254527580
erf: Op = float_op("erf", special.erf, lambda g, out, x: g * (exp(-(x * x)) * _TWO_OVER_ROOT_PI), **_INPUT)
erfc: Op = float_op("erfc", special.erfc, lambda g, out, x: -g * (exp(-(x * x)) * _TWO_OVER_ROOT_PI), **_INPUT)
erfinv: Op = float_op("erfinv", special.erfinv, lambda g, out, x: g * (exp(out * out) * _ROOT_PI_OVER_TWO), **_OUT)
lgamma: Op = float_op("lgamma", special.lgamma, lambda g, out, x: g * digamma(x), **_INPUT)
digamma: Op = float_op("digamma", special.digamma, lambda g, out, x: g * polygamma(x, n=1), **_INPUT)
polygamma: Op = float_op("polygamma", special.polygamma, lambda g, out, x, *, n: g * polygamma(x, n=n + 1), **_INPUT)
sinc: Op = float_op("sinc", np.sinc, lambda g, out, x: g * _sinc_slope(x), **_INPUT)


def _sinc_slope(x: Any) -> Any:
    turn = x * np.pi
    size = turn * x
    slope = (turn * cos(turn) - sin(turn)) / size
    return where(equal(size, 0), zeros_like(slope), slope)


# Limits: the gradient passes where the value was kept, and at the bound itself, as in PyTorch. ------------------------


def _clamp(x: Any, low: Any, high: Any) -> Any:
    out = x
    if low is not None:
        out = np.maximum(out, low)
    if high is not None:
        out = np.minimum(out, high)
    return out


def _clamp_spec(x: Spec, low: Any, high: Any) -> Spec:
    return rules.broadcast(x, *(bound for bound in (low, high) if bound is not None))


def _clamp_promote(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(inputs) < 3 or (inputs[1] is None and inputs[2] is None):
        raise OperationError("torch.clamp: At least one of 'min' or 'max' must not be None")
    x, *bounds = inputs
    given = [bound for bound in bounds if bound is not None]
    rules.require_numbers(given)
    if x.__class__ is np.ndarray and x.dtype.kind == "f" and not any(isinstance(b, np.ndarray) for b in bounds):
        return inputs
    present = rules.to_common(tuple(x for x in inputs if x is not None))
    rules.refuse_overflow(given, present[0].dtype)
    filled = iter(present)
    return tuple(None if x is None else next(filled) for x in inputs)


def _inside(x: Any, low: Any, high: Any) -> Any:
    if low is None:
        return less_equal(x, high)
    if high is None:
        return greater_equal(x, low)
    return logical_and(greater_equal(x, low), less_equal(x, high))


def _clamp_vjp_low(g: Any, out: Any, x: Any, low: Any, high: Any) -> Any:
    taken = less(x, low) if high is None else logical_and(less(x, low), less(low, high))
    return sum_to(where(taken, g, zeros_like(g)), rules.shape_of(low))


def _clamp_vjp_high(g: Any, out: Any, x: Any, low: Any, high: Any) -> Any:
    taken = greater(x, high) if low is None else logical_or(greater(x, high), greater(low, high))
    return sum_to(where(taken, g, zeros_like(g)), rules.shape_of(high))


def _clamp_vjp(g: Any, out: Any, x: Any, low: Any, high: Any) -> Any:
    return sum_to(where(expand(_inside(x, low, high), g.shape), g, zeros_like(g)), rules.shape_of(x))


clamp: Op = define(
    "clamp",
    _clamp,
    _clamp_spec,
    vjps=(_clamp_vjp, _clamp_vjp_low, _clamp_vjp_high),
    reads=None,
    promote=_clamp_promote,
)


def _cast_spec(x: Spec, *, dtype: np.dtype[Any]) -> Spec:
    return Spec(x.shape, dtype)


def _cast(x: Any, *, dtype: np.dtype[Any]) -> Any:
    return x.astype(dtype)


cast: Op = define(
    "cast",
    _cast,
    _cast_spec,
    vjps=(lambda g, out, x, *, dtype: cast_like(g, x),),
    grad_name="ToCopyBackward0",
)


def cast_like(x: Any, like: Any) -> Any:
    """Cast x to the dtype of another value of its kind."""
    dtype = like.dtype
    dtype = getattr(dtype, "numpy", dtype)
    return cast(x, dtype=dtype)


copy: Op = define("clone", lambda x, *, order="K": x.copy(order), same, vjps=(lambda g, out, x, **_: g,))
nan_to_num: Op = define(
    "nan_to_num",
    lambda x, *, nan=0.0, posinf=None, neginf=None: np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf),
    same,
    vjps=(lambda g, out, x, **_: where(isfinite(x), g, zeros_like(g)),),
    **_INPUT,
)
