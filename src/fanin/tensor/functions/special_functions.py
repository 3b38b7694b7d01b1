"""Special functions, of which `torch.special` has the longer list."""

from __future__ import annotations

import math
from typing import Any

from fanin._core.dtypes import default_numpy
from fanin._core.errors import OperationError
from fanin.ops import elementwise, power, probability
from fanin.tensor.functions.operands import binary, converted, require_tensor, to_out, unary
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

    >>> import fanin as torch
    >>> torch.mvlgamma(torch.tensor([2.0, 3.0]), 2)
    tensor([0.4516, 1.5502])
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
    """Return -x log(x): 0 at 0, -inf below.

    >>> import fanin as torch
    >>> torch.special.entr(torch.tensor([-1.0, 0.0, 0.5]))
    tensor([  -inf, 0.0000, 0.3466])
    """
    return unary(probability.entr, input, out)


def ndtr(input: Any, *, out: Any = None) -> Any:
    """Return the area under the standard normal density up to x: (1 + erf(x / sqrt(2))) / 2.

    >>> import fanin as torch
    >>> torch.special.ndtr(torch.tensor([-1.96, 0.0]))
    tensor([0.0250, 0.5000])
    """
    x = _floating("ndtr", input)
    return to_out(out, (-x * math.sqrt(0.5)).erfc() * 0.5, "ndtr")


def log_ndtr(input: Any, *, out: Any = None) -> Any:
    """Return log(ndtr(x)), in full precision where ndtr(x) is too small, or too close to 1, for a float.

    >>> import fanin as torch
    >>> torch.special.log_ndtr(torch.tensor([-20.0, 0.0]))
    tensor([-203.9172,   -0.6931])
    """
    return unary(probability.log_ndtr, input, out)


def erfcx(input: Any, *, out: Any = None) -> Any:
    """Return exp(x^2) erfc(x), which is about 1 / (x sqrt(pi)) for large x.

    >>> import fanin as torch
    >>> torch.special.erfcx(torch.tensor([0.0, 10.0]))
    tensor([1.0000, 0.0561])
    """
    return unary(probability.erfcx, input, out)


def ndtri(input: Any, *, out: Any = None) -> Any:
    """Return the x at which ndtr(x) is the input; nan outside [0, 1].

    >>> import fanin as torch
    >>> torch.special.ndtri(torch.tensor([0.5, 0.975]))
    tensor([0.0000, 1.9600])
    """
    return unary(probability.ndtri, input, out)


def xlog1py(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input * log(1 + other), and 0 where input is 0.

    >>> import fanin as torch
    >>> torch.special.xlog1py(torch.tensor([0.0, 2.0]), torch.tensor([-1.0, 3.0]))
    tensor([0.0000, 2.7726])
    """
    return binary(power.xlog1py, input, other, out)


def frexp(input: Any) -> Any:
    """Return (mantissa, exponent) with input = mantissa * 2 ** exponent and 0.5 <= |mantissa| < 1.

    >>> import fanin as torch
    >>> torch.frexp(torch.tensor([8.0, 0.75]))
    torch.return_types.frexp(
    mantissa=tensor([0.5000, 0.7500]),
    exponent=tensor([4, 0], dtype=torch.int32))
    """
    from fanin.tensor import return_types

    x = _floating("frexp", input)
    mantissa, exponent = apply(power.mantissa, (x,), {}), apply(power.exponent, (x,), {})
    return return_types.frexp((label(mantissa, "FrexpBackward0"), exponent))
