"""Functions of one tensor, element by element."""

from __future__ import annotations

import math
from typing import Any

from fanin._core.dtypes import default_numpy
from fanin._core.errors import DtypeError
from fanin.ops import activation, arithmetic, elementwise, probability
from fanin.tensor.functions.operands import converted, require_tensor, store_out, unary
from fanin.tensor.tape import apply, label


def abs(input: Any, *, out: Any = None) -> Any:
    """Return |x|.

    >>> import fanin as torch
    >>> torch.abs(torch.tensor([-1.0, 2.0]))
    tensor([1., 2.])
    """
    return unary(elementwise.absolute, input, out)


def neg(input: Any, *, out: Any = None) -> Any:
    """Return -x.

    >>> import fanin as torch
    >>> torch.neg(torch.tensor([-1.5, 2.0]))
    tensor([ 1.5000, -2.0000])
    """
    return unary(elementwise.negative, input, out)


def sign(input: Any, *, out: Any = None) -> Any:
    """Return -1, 0 or 1: the sign of x.

    >>> import fanin as torch
    >>> torch.sign(torch.tensor([-0.5, 0.0, 7.0]))
    tensor([-1.,  0.,  1.])
    """
    return unary(elementwise.sign, input, out)


def floor(input: Any, *, out: Any = None) -> Any:
    """Return the largest whole number <= x.

    >>> import fanin as torch
    >>> torch.floor(torch.tensor([-1.5, 1.5]))
    tensor([-2.,  1.])
    """
    return unary(elementwise.floor, input, out)


def ceil(input: Any, *, out: Any = None) -> Any:
    """Return the smallest whole number >= x.

    >>> import fanin as torch
    >>> torch.ceil(torch.tensor([-1.5, 1.5]))
    tensor([-1.,  2.])
    """
    return unary(elementwise.ceil, input, out)


def trunc(input: Any, *, out: Any = None) -> Any:
    """Return x without its fraction.

    >>> import fanin as torch
    >>> torch.trunc(torch.tensor([-1.5, 1.5]))
    tensor([-1.,  1.])
    """
    return unary(elementwise.trunc, input, out)


def frac(input: Any, *, out: Any = None) -> Any:
    """Return x - trunc(x).

    >>> import fanin as torch
    >>> torch.frac(torch.tensor([-1.25, 1.5]))
    tensor([-0.2500,  0.5000])
    """
    return unary(elementwise.frac, input, out)


def exp(input: Any, *, out: Any = None) -> Any:
    """Return e ** x.

    >>> import fanin as torch
    >>> torch.exp(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """
    return unary(elementwise.exp, input, out)


def exp2(input: Any, *, out: Any = None) -> Any:
    """Return 2 ** x.

    >>> import fanin as torch
    >>> torch.exp2(torch.tensor([0.0, 3.0, -1.0]))
    tensor([1.0000, 8.0000, 0.5000])
    """
    return unary(elementwise.exp2, input, out)


def expm1(input: Any, *, out: Any = None) -> Any:
    """Return e ** x - 1, exact for small x.

    >>> import fanin as torch
    >>> torch.expm1(torch.tensor([0.0, 1e-8]))
    tensor([0.0000e+00, 1.0000e-08])
    """
    return unary(elementwise.expm1, input, out)


def log(input: Any, *, out: Any = None) -> Any:
    """Return the natural logarithm of x.

    >>> import fanin as torch
    >>> torch.log(torch.tensor([1.0, 0.0]))
    tensor([0., -inf])
    """
    return unary(elementwise.log, input, out)


def log2(input: Any, *, out: Any = None) -> Any:
    """Return the logarithm of x to base 2.

    >>> import fanin as torch
    >>> torch.log2(torch.tensor([0.5, 3.0, 8.0]))
    tensor([-1.0000,  1.5850,  3.0000])
    """
    return unary(elementwise.log2, input, out)


def log10(input: Any, *, out: Any = None) -> Any:
    """Return the logarithm of x to base 10.

    >>> import fanin as torch
    >>> torch.log10(torch.tensor([0.5, 1000.0]))
    tensor([-0.3010,  3.0000])
    """
    return unary(elementwise.log10, input, out)


def log1p(input: Any, *, out: Any = None) -> Any:
    """Return log(1 + x), exact for small x.

    >>> import fanin as torch
    >>> torch.log1p(torch.tensor([0.0, 1e-8]))
    tensor([0.0000e+00, 1.0000e-08])
    """
    return unary(elementwise.log1p, input, out)


def sqrt(input: Any, *, out: Any = None) -> Any:
    """Return the square root of x.

    >>> import fanin as torch
    >>> torch.sqrt(torch.tensor([2.0, 9.0, -1.0]))
    tensor([1.4142, 3.0000,    nan])
    """
    return unary(elementwise.sqrt, input, out)


def rsqrt(input: Any, *, out: Any = None) -> Any:
    """Return 1 / sqrt(x).

    >>> import fanin as torch
    >>> torch.rsqrt(torch.tensor([4.0, 0.0]))
    tensor([0.5000,    inf])
    """
    return unary(elementwise.rsqrt, input, out)


def reciprocal(input: Any, *, out: Any = None) -> Any:
    """Return 1 / x.

    >>> import fanin as torch
    >>> torch.reciprocal(torch.tensor([-4, 5]))
    tensor([-0.2500,  0.2000])
    """
    return unary(elementwise.reciprocal, input, out)


def square(input: Any, *, out: Any = None) -> Any:
    """Return x ** 2.

    >>> import fanin as torch
    >>> torch.square(torch.tensor([-3, 2]))
    tensor([9, 4])
    """
    return unary(elementwise.square, input, out)


def sin(input: Any, *, out: Any = None) -> Any:
    """Return the sine of x.

    >>> import fanin as torch
    >>> torch.sin(torch.tensor([0.0, 1.0, torch.pi / 2]))
    tensor([0.0000, 0.8415, 1.0000])
    """
    return unary(elementwise.sin, input, out)


def cos(input: Any, *, out: Any = None) -> Any:
    """Return the cosine of x.

    >>> import fanin as torch
    >>> torch.cos(torch.tensor([0.0, 1.0, torch.pi]))
    tensor([ 1.0000,  0.5403, -1.0000])
    """
    return unary(elementwise.cos, input, out)


def tan(input: Any, *, out: Any = None) -> Any:
    """Return the tangent of x.

    >>> import fanin as torch
    >>> torch.tan(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5574])
    """
    return unary(elementwise.tan, input, out)


def asin(input: Any, *, out: Any = None) -> Any:
    """Return the angle whose sine is x.

    >>> import fanin as torch
    >>> torch.asin(torch.tensor([0.5, 1.0, 2.0]))
    tensor([0.5236, 1.5708,    nan])
    """
    return unary(elementwise.asin, input, out)


def acos(input: Any, *, out: Any = None) -> Any:
    """Return the angle whose cosine is x.

    >>> import fanin as torch
    >>> torch.acos(torch.tensor([-1.0, 0.5]))
    tensor([3.1416, 1.0472])
    """
    return unary(elementwise.acos, input, out)


def atan(input: Any, *, out: Any = None) -> Any:
    """Return the angle whose tangent is x.

    >>> import fanin as torch
    >>> torch.atan(torch.tensor([1.0, float("inf")]))
    tensor([0.7854, 1.5708])
    """
    return unary(elementwise.atan, input, out)


def sinh(input: Any, *, out: Any = None) -> Any:
    """Return the hyperbolic sine of x: (e ** x - e ** -x) / 2.

    >>> import fanin as torch
    >>> torch.sinh(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-1.1752,  0.0000,  1.1752])
    """
    return unary(elementwise.sinh, input, out)


def cosh(input: Any, *, out: Any = None) -> Any:
    """Return the hyperbolic cosine of x: (e ** x + e ** -x) / 2.

    >>> import fanin as torch
    >>> torch.cosh(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([1.5431, 1.0000, 1.5431])
    """
    return unary(elementwise.cosh, input, out)


def asinh(input: Any, *, out: Any = None) -> Any:
    """Return the inverse of sinh."""
    return unary(elementwise.asinh, input, out)


def acosh(input: Any, *, out: Any = None) -> Any:
    """Return the inverse of cosh."""
    return unary(elementwise.acosh, input, out)


def atanh(input: Any, *, out: Any = None) -> Any:
    """Return the inverse of tanh.

    >>> import fanin as torch
    >>> torch.atanh(torch.tensor([0.5, 1.0]))
    tensor([0.5493,    inf])
    """
    return unary(elementwise.atanh, input, out)


def erf(input: Any, *, out: Any = None) -> Any:
    """Return the error function: 2 / sqrt(pi) times the integral of exp(-t ** 2) from 0 to x.

    >>> import fanin as torch
    >>> torch.erf(torch.tensor([0.0, 1.0, -10.0]))
    tensor([ 0.0000,  0.8427, -1.0000])
    """
    return unary(elementwise.erf, input, out)


def erfc(input: Any, *, out: Any = None) -> Any:
    """Return 1 - erf(x), exact for large x.

    >>> import fanin as torch
    >>> torch.erfc(torch.tensor([0.0, 5.0]))
    tensor([1.0000e+00, 1.5375e-12])
    """
    return unary(elementwise.erfc, input, out)


def erfinv(input: Any, *, out: Any = None) -> Any:
    """Return the inverse of erf."""
    return unary(elementwise.erfinv, input, out)


def lgamma(input: Any, *, out: Any = None) -> Any:
    """Return log |gamma(x)|.

    >>> import fanin as torch
    >>> torch.lgamma(torch.tensor([0.5, 5.0]))
    tensor([0.5724, 3.1781])
    """
    return unary(elementwise.lgamma, input, out)


def digamma(input: Any, *, out: Any = None) -> Any:
    """Return the derivative of lgamma.

    >>> import fanin as torch
    >>> torch.digamma(torch.tensor([1.0, 0.5]))
    tensor([-0.5772, -1.9635])
    """
    return unary(elementwise.digamma, input, out)


def sinc(input: Any, *, out: Any = None) -> Any:
    """Return sin(pi x) / (pi x), and 1 at 0.

    >>> import fanin as torch
    >>> torch.sinc(torch.tensor([0.0, 0.5]))
    tensor([1.0000, 0.6366])
    """
    return unary(elementwise.sinc, input, out)


def sigmoid(input: Any, *, out: Any = None) -> Any:
    """Return 1 / (1 + e ** -x).

    >>> import fanin as torch
    >>> torch.sigmoid(torch.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """
    return unary(activation.sigmoid, input, out)


def tanh(input: Any, *, out: Any = None) -> Any:
    """Return (e ** x - e ** -x) / (e ** x + e ** -x).

    >>> import fanin as torch
    >>> torch.tanh(torch.tensor([-1.0, 0.0, 10.0]))
    tensor([-0.7616,  0.0000,  1.0000])
    """
    return unary(activation.tanh, input, out)


def relu(input: Any) -> Any:
    """Return max(x, 0).

    >>> import fanin as torch
    >>> torch.relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return unary(activation.relu, input)


def round(input: Any, *, decimals: int = 0, out: Any = None) -> Any:
    """Return x rounded to a number of decimals, halves to the even neighbour.

    >>> import fanin as torch
    >>> torch.round(torch.tensor([0.5, 1.5, 2.5]))
    tensor([0., 2., 2.])
    """
    return unary(elementwise.round_, input, out, decimals=decimals)


def positive(input: Any) -> Any:
    """Return x itself.

    Raises RuntimeError for bool tensors.
    """
    if require_tensor("positive", input)._array.dtype.kind == "b":
        raise DtypeError("The `+` operator, on a bool tensor is not supported.")
    return input


def sgn(input: Any, *, out: Any = None) -> Any:
    """Return the sign of x, as `sign` does."""
    return sign(input, out=out)


def deg2rad(input: Any, *, out: Any = None) -> Any:
    """Return degrees as radians: x * pi / 180.

    >>> import fanin as torch
    >>> torch.deg2rad(torch.tensor([90.0, -180.0]))
    tensor([ 1.5708, -3.1416])
    """
    return _scaled("deg2rad", input, math.pi / 180, out)


def rad2deg(input: Any, *, out: Any = None) -> Any:
    """Return radians as degrees: x * 180 / pi.

    >>> import fanin as torch
    >>> torch.rad2deg(torch.tensor([1.0, torch.pi]))
    tensor([ 57.2958, 180.0000])
    """
    return _scaled("rad2deg", input, 180 / math.pi, out)


def _scaled(name: str, input: Any, factor: float, out: Any) -> Any:
    result = apply(arithmetic.multiply, (require_tensor(name, input), factor), {})
    result = label(result, f"{name[:3].capitalize()}2{name[4:].capitalize()}Backward0")
    return result if out is None else store_out(out, result)


def logit(input: Any, eps: float | None = None, *, out: Any = None) -> Any:
    """Return log(x / (1 - x)), x being kept in [eps, 1 - eps] when eps is given.

    >>> import fanin as torch
    >>> torch.logit(torch.tensor([0.5, 0.75]))
    tensor([0.0000, 1.0986])
    """
    if require_tensor("logit", input)._array.dtype.kind != "f":
        input = converted(input, default_numpy())
    if eps is not None:
        input = clamp(input, eps, 1 - eps)
    return unary(probability.logit, input, out)


def nan_to_num(
    input: Any, nan: float | None = None, posinf: float | None = None, neginf: float | None = None, *, out: Any = None
) -> Any:
    """Return x with nan, inf and -inf replaced: by 0 and the largest and smallest number of the dtype by default.

    >>> import fanin as torch
    >>> torch.nan_to_num(torch.tensor([float("nan"), 1.0]))
    tensor([0., 1.])
    """
    return unary(elementwise.nan_to_num, input, out, nan=0.0 if nan is None else nan, posinf=posinf, neginf=neginf)


def clamp(input: Any, min: Any = None, max: Any = None, *, out: Any = None) -> Any:
    """Return min(max(x, min), max); a bound that is None does not bind, a tensor bounds each element.

    The gradient passes where the value was kept, the bounds included.

    Raises RuntimeError when both bounds are None.

    >>> import fanin as torch
    >>> torch.clamp(torch.tensor([-2.0, 0.5, 2.0]), min=-1, max=1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    result = apply(elementwise.clamp, (input, min, max), {})
    return result if out is None else store_out(out, result, "clamp")


def clamp_min(input: Any, min: Any, *, out: Any = None) -> Any:
    """Return max(x, min).

    >>> import fanin as torch
    >>> torch.clamp_min(torch.tensor([-2.0, 0.5, 2.0]), 0)
    tensor([0.0000, 0.5000, 2.0000])
    """
    return label(clamp(input, min, None, out=out), "ClampMinBackward0")


def clamp_max(input: Any, max: Any, *, out: Any = None) -> Any:
    """Return min(x, max).

    >>> import fanin as torch
    >>> torch.clamp_max(torch.tensor([-2.0, 0.5, 2.0]), 1)
    tensor([-2.0000,  0.5000,  1.0000])
    """
    return label(clamp(input, None, max, out=out), "ClampMaxBackward0")


absolute = abs
negative = neg
fix = trunc
clip = clamp
arcsin, arccos, arctan, arcsinh, arccosh, arctanh = asin, acos, atan, asinh, acosh, atanh
