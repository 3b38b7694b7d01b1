"""Special functions, of which `torch.special` has the longer list."""

from __future__ import annotations

import math
from typing import Any

from fanin._core.dtypes import default_numpy
from fanin._core.errors import OperationError
from fanin.ops import arithmetic, elementwise, power
from fanin.tensor.functions.operands import converted, require_tensor, to_out
from fanin.tensor.tape import apply, label


def _floating(function: str, input: Any) -> Any:
    kind = require_tensor(function, input)._array.dtype
    return input if kind.kind == "f" else converted(input, default_numpy())


def polygamma(n: int, input: Any, *, out: Any = None) -> Any:
    """Return the n-th derivative of digamma.

    Raises RuntimeError for a negative n.

    >>> import fanin as torch
    >>> torch.polygamma(1, torch.tensor([1.0]))
    tensor([1.6449])
    """
    if n < 0:
        raise OperationError("polygamma(n, x) does not support negative n.")
    op, attrs = (elementwise.digamma, {}) if n == 0 else (elementwise.polygamma, {"n": int(n)})
    return to_out(out, apply(op, (require_tensor("polygamma", input),), attrs), "polygamma")


def mvlgamma(input: Any, p: int, *, out: Any = None) -> Any:
    """Return the logarithm of the multivariate gamma function of p dimensions.

    p (p - 1) / 4 log(pi) + the sum over i < p of lgamma(x - i / 2).
    """
    if p < 1:
        raise OperationError("p has to be greater than or equal to 1")
    x = _floating("mvlgamma", input)
    constant = p * (p - 1) / 4 * math.log(math.pi)
    total = x.lgamma()
    for i in range(1, p):
        total = total + (x - i / 2).lgamma()
    return to_out(out, label(total + constant, "MvlgammaBackward0"), "mvlgamma")


def entr(input: Any, *, out: Any = None) -> Any:
    """Return -x log(x): 0 at 0, -inf below."""
    x = _floating("entr", input)
    inside = -x.xlogy(x)
    return to_out(out, apply(arithmetic.where, (x < 0, -math.inf, inside), {}), "entr")


def ndtr(input: Any, *, out: Any = None) -> Any:
    """Return the area under the standard normal density up to x: (1 + erf(x / sqrt(2))) / 2."""
    x = _floating("ndtr", input)
    return to_out(out, (-x * math.sqrt(0.5)).erfc() * 0.5, "ndtr")


def log_ndtr(input: Any, *, out: Any = None) -> Any:
    """Return log(ndtr(x))."""
    return to_out(out, ndtr(_floating("log_ndtr", input)).log(), "log_ndtr")


def ndtri(input: Any, *, out: Any = None) -> Any:
    """Return the x at which ndtr(x) is the input: sqrt(2) erfinv(2 p - 1)."""
    return to_out(out, (_floating("ndtri", input) * 2 - 1).erfinv() * math.sqrt(2), "ndtri")


def xlog1py(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input * log(1 + other), and 0 where input is 0."""
    from fanin.tensor.functions.arithmetic import xlogy

    return xlogy(input, other + 1, out=out)


def frexp(input: Any) -> Any:
    """Return (mantissa, exponent) with input = mantissa * 2 ** exponent and 0.5 <= |mantissa| < 1."""
    from fanin.tensor import return_types

    x = _floating("frexp", input)
    mantissa, exponent = apply(power.mantissa, (x,), {}), apply(power.exponent, (x,), {})
    return return_types.frexp((label(mantissa, "FrexpBackward0"), exponent))
