"""Arithmetic of two or three tensors, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.dtypes import result_dtype
from fanin._core.errors import ArgumentTypeError, DtypeError, OperationError, UnsupportedDtypeError
from fanin.ops import activation, power
from fanin.ops import arithmetic as ops
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.operands import binary, binary_of_tensors, converted, require_tensor, to_out
from fanin.tensor.tape import apply, label


def scaled(other: Any, alpha: Any, input: Any) -> Any:
    """Return alpha * other; a fraction of integers is an error, as it would be rounded away."""
    if isinstance(alpha, float) and not _any_float(input, other):
        raise DtypeError("For integral input tensors, argument alpha must not be a floating point number.")
    return other * alpha


def _kind(value: Any) -> str:
    if isinstance(value, TensorBase):
        return value._array.dtype.kind
    return {bool: "b", float: "f"}.get(type(value), "i")


def _any_float(*values: Any) -> bool:
    return any(_kind(value) == "f" for value in values)


def add(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """Return input + alpha * other.

    >>> import fanin as torch
    >>> torch.add(torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0]), alpha=2)
    tensor([21., 42.])
    """
    return binary(ops.add, input, other if alpha == 1 else scaled(other, alpha, input), out)


def sub(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """Return input - alpha * other.

    >>> import fanin as torch
    >>> torch.sub(torch.tensor([[1.0], [2.0]]), torch.tensor([0.5, 1.0]))
    tensor([[0.5000, 0.0000],
            [1.5000, 1.0000]])
    """
    return binary(ops.subtract, input, other if alpha == 1 else scaled(other, alpha, input), out)


def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """Return other - alpha * input.

    >>> import fanin as torch
    >>> torch.rsub(torch.tensor([1.0, 2.0]), 10)
    tensor([9., 8.])
    """
    return binary(ops.subtract, other, input if alpha == 1 else scaled(input, alpha, other))


def mul(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input * other.

    >>> import fanin as torch
    >>> torch.mul(torch.tensor([[1], [2]]), torch.tensor([10, 20]))
    tensor([[10, 20],
            [20, 40]])
    """
    return binary(ops.multiply, input, other, out)


def div(input: Any, other: Any, *, rounding_mode: str | None = None, out: Any = None) -> Any:
    """Return input / other; rounding_mode "floor" rounds down, "trunc" towards zero.

    Raises ValueError for another rounding_mode.

    >>> import fanin as torch
    >>> torch.div(torch.tensor([-7, 7]), 2, rounding_mode="floor")
    tensor([-4,  3])
    """
    if rounding_mode is None:
        return binary(ops.divide, input, other, out)
    if rounding_mode == "floor":
        return binary(ops.floor_divide, input, other, out)
    if rounding_mode == "trunc":
        return binary(ops.trunc_divide, input, other, out)
    raise OperationError(
        f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
    )


def true_divide(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input / other, floating even for integers.

    >>> import fanin as torch
    >>> torch.true_divide(torch.tensor([1, 4]), 2)
    tensor([0.5000, 2.0000])
    """
    return binary(ops.divide, input, other, out)


def floor_divide(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return floor(input / other).

    >>> import fanin as torch
    >>> torch.floor_divide(torch.tensor([-7, 7]), 2)
    tensor([-4,  3])
    """
    return binary(ops.floor_divide, input, other, out)


def remainder(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input - other * floor(input / other): the remainder with the sign of the divisor, as Python's %.

    >>> import fanin as torch
    >>> torch.remainder(torch.tensor([-7, 7]), 3)
    tensor([2, 1])
    """
    return binary(ops.remainder, input, other, out)


def fmod(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input - other * trunc(input / other): the remainder with the sign of the dividend, as C's fmod.

    >>> import fanin as torch
    >>> torch.fmod(torch.tensor([-7, 7]), 3)
    tensor([-1,  1])
    """
    return binary(ops.fmod, input, other, out)


def pow(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """Return input ** exponent.

    Raises RuntimeError for an integer tensor to a negative number.

    >>> import fanin as torch
    >>> torch.pow(torch.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    if not isinstance(input, TensorBase) and not isinstance(exponent, TensorBase):
        raise ArgumentTypeError("pow() needs a Tensor as base or exponent, got two numbers")
    return binary(power.power, input, exponent, out)


def float_power(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """Return input ** exponent in float64.

    >>> import fanin as torch
    >>> torch.float_power(torch.tensor([2, 3]), -1)
    tensor([0.5000, 0.3333], dtype=torch.float64)
    """
    if out is not None and out._array.dtype != np.float64:
        raise DtypeError(f"float_power(): the operation's result requires dtype float64, but out has {out.dtype}")
    a, b = (x.double() if isinstance(x, TensorBase) else x for x in (input, exponent))  # type: ignore[attr-defined]
    return binary(power.power, a, b * 1.0, out)


def float_power_(self: Any, exponent: Any) -> Any:
    """Raise to a power in place; the tensor must hold float64, which the result is."""
    if self._array.dtype != np.float64:
        raise DtypeError(
            f"the base given to float_power_ has dtype {self.dtype} but the operation's result requires dtype Double"
        )
    return self.pow_(exponent)


def maximum(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the larger of the two; nan when one is nan. Equal values share the gradient.

    >>> import fanin as torch
    >>> torch.maximum(torch.tensor([1.0, 2.0, float("nan")]), torch.tensor([3.0, 0.0, 1.0]))
    tensor([3., 2., nan])
    """
    return binary_of_tensors(ops.maximum, input, other, out)


def minimum(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the smaller of the two; nan when one is nan. Equal values share the gradient.

    >>> import fanin as torch
    >>> torch.minimum(torch.tensor([1.0, 2.0, float("nan")]), torch.tensor([3.0, 0.0, 1.0]))
    tensor([1., 0., nan])
    """
    return binary_of_tensors(ops.minimum, input, other, out)


def fmax(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the larger of the two; the other one when one is nan.

    >>> import fanin as torch
    >>> torch.fmax(torch.tensor([1.0, float("nan")]), torch.tensor([3.0, 1.0]))
    tensor([3., 1.])
    """
    return binary_of_tensors(ops.fmax, input, other, out)


def fmin(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the smaller of the two; the other one when one is nan.

    >>> import fanin as torch
    >>> torch.fmin(torch.tensor([1.0, float("nan")]), torch.tensor([3.0, 1.0]))
    tensor([1., 1.])
    """
    return binary_of_tensors(ops.fmin, input, other, out)


def hypot(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return sqrt(input ** 2 + other ** 2), without overflow.

    >>> import fanin as torch
    >>> torch.hypot(torch.tensor([3.0, 3e30]), torch.tensor([4.0, 4e30]))
    tensor([5.0000e+00, 5.0000e+30])
    """
    return binary_of_tensors(ops.hypot, input, other, out)


def copysign(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the size of input with the sign of other.

    >>> import fanin as torch
    >>> torch.copysign(torch.tensor([1.0, -2.0]), torch.tensor([-0.0, 5.0]))
    tensor([-1.,  2.])
    """
    return binary(ops.copysign, input, other, out)


def heaviside(input: Any, values: Any, *, out: Any = None) -> Any:
    """Return 0 below 0, 1 above 0, and `values` at 0.

    >>> import fanin as torch
    >>> torch.heaviside(torch.tensor([-1.5, 0.0, 2.0]), torch.tensor(0.5))
    tensor([0.0000, 0.5000, 1.0000])
    """
    return binary_of_tensors(ops.heaviside, input, values, out)


def ldexp(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input * 2 ** other.

    >>> import fanin as torch
    >>> torch.ldexp(torch.tensor([0.5, 3.0]), torch.tensor([3, -1]))
    tensor([4.0000, 1.5000])
    """
    return mul(input, pow(2.0, require_tensor("ldexp", other, "other")), out=out)


def nextafter(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the next number that the dtype holds, in the direction of other.

    >>> import fanin as torch
    >>> torch.nextafter(torch.tensor(1.0), torch.tensor(2.0)) - 1
    tensor(1.1921e-07)
    """
    return binary_of_tensors(ops.nextafter, input, other, out)


def gcd(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the greatest common divisor of integers.

    >>> import fanin as torch
    >>> torch.gcd(torch.tensor([12, -8, 0]), torch.tensor([18, 12, 5]))
    tensor([6, 4, 5])
    """
    return binary_of_tensors(ops.gcd, input, other, out)


def lcm(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the least common multiple of integers.

    >>> import fanin as torch
    >>> torch.lcm(torch.tensor([4, 6]), torch.tensor([6, 9]))
    tensor([12, 18])
    """
    return binary_of_tensors(ops.lcm, input, other, out)


def logaddexp2(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return log2(2 ** input + 2 ** other), without overflow.

    >>> import fanin as torch
    >>> torch.logaddexp2(torch.tensor([1.0, 1000.0]), torch.tensor([2.0, 1000.0]))
    tensor([   2.5850, 1001.0000])
    """
    _require_float("logaddexp2", input, other)
    ln2 = 0.6931471805599453
    kind = result_dtype((input._array, other._array))
    a, b = (converted(x, kind) * ln2 for x in (input, other))
    return to_out(out, label(binary(activation.logaddexp, a, b) / ln2, "Logaddexp2Backward0"), "logaddexp2")


def atan2(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the angle of the point (other, input), in (-pi, pi].

    >>> import fanin as torch
    >>> torch.atan2(torch.tensor([1.0, 1.0, -1.0]), torch.tensor([1.0, -1.0, 0.0]))
    tensor([ 0.7854,  2.3562, -1.5708])
    """
    return binary_of_tensors(ops.atan2, input, other, out)


def logaddexp(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return log(e ** input + e ** other), without overflow.

    >>> import fanin as torch
    >>> torch.logaddexp(torch.tensor([0.0, 1000.0]), torch.tensor([0.0, 1000.0]))
    tensor([6.9315e-01, 1.0007e+03])
    """
    _require_float("logaddexp", input, other)
    return binary_of_tensors(activation.logaddexp, input, other, out)


def _require_float(name: str, *tensors: Any) -> None:
    if not _any_float(*(require_tensor(name, x) for x in tensors)):
        raise UnsupportedDtypeError(f'"{name}_cpu" not implemented for integers; convert with .float() first')


def xlogy(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return input * log(other), and 0 where input is 0.

    >>> import fanin as torch
    >>> torch.xlogy(torch.tensor([0.0, 2.0]), torch.tensor([0.0, 3.0]))
    tensor([0.0000, 2.1972])
    """
    return binary(power.xlogy, input, other, out)


def where(condition: Any, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """Return input where the condition holds, else other; with the condition alone, the indices where it holds.

    >>> import fanin as torch
    >>> x = torch.tensor([-1.0, 2.0])
    >>> torch.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    if input is None and other is None:
        from fanin.tensor.functions.selecting import nonzero

        return nonzero(condition, as_tuple=True)
    if input is None or other is None:
        raise ArgumentTypeError(
            "where() received an invalid combination of arguments",
            remedy="Give what to take where the condition holds and where it does not, or the condition alone.",
        )
    return to_out(out, apply(ops.where, (condition, input, other), {}), "where")


def lerp(input: Any, end: Any, weight: Any, *, out: Any = None) -> Any:
    """Return input + weight * (end - input).

    >>> import fanin as torch
    >>> torch.lerp(torch.tensor([0.0, 10.0]), torch.tensor([4.0, 20.0]), 0.25)
    tensor([ 1.0000, 12.5000])
    """
    return to_out(out, apply(ops.lerp, (input, end, weight), {}), "lerp")


def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1, out: Any = None) -> Any:
    """Return input + value * tensor1 * tensor2.

    >>> import fanin as torch
    >>> torch.addcmul(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), torch.tensor([5.0, 6.0]), value=0.5)
    tensor([ 8.5000, 14.0000])
    """
    value = value if _any_float(input, tensor1, tensor2) else int(value)
    product = tensor1 * tensor2 if value == 1 else tensor1 * value * tensor2
    return to_out(out, label(input + product, "AddcmulBackward0"), "addcmul")


def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1, out: Any = None) -> Any:
    """Return input + value * tensor1 / tensor2.

    >>> import fanin as torch
    >>> torch.addcdiv(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), torch.tensor([6.0, 2.0]), value=2)
    tensor([2., 6.])
    """
    if not _any_float(tensor1, tensor2):
        raise DtypeError("Integer division with addcdiv is no longer supported; convert with .float() first")
    quotient = (tensor1 if value == 1 else tensor1 * value) / tensor2
    return to_out(out, label(input + quotient, "AddcdivBackward0"), "addcdiv")


subtract, multiply, divide = sub, mul, div
arctan2 = atan2
