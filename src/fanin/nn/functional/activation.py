"""Activations. Those that take `inplace` write the result into the input when it is set."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError, OperationError
from fanin.nn.functional.checks import require_tensor
from fanin.ops import activation as ops
from fanin.ops.arithmetic import less_equal, where
from fanin.ops.elementwise import cast
from fanin.ops.index import getitem
from fanin.ops.op import Op
from fanin.ops.rules import refuse_overflow, wrap_dim
from fanin.ops.shape import reshape_op
from fanin.random.generator import default_generator
from fanin.random.unit import unit53
from fanin.tensor.base import TensorBase
from fanin.tensor.grad_mode import mode
from fanin.tensor.tape import apply, apply_in_place, label, wrap

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def _pointwise(op: Op, input: Any, inplace: bool, attrs: dict[str, Any]) -> Any:
    if not isinstance(input, TensorBase):
        require_tensor(op.name, input)
    return apply_in_place(op, (input,), attrs) if inplace else apply(op, (input,), attrs)


def relu(input: Any, inplace: bool = False) -> Any:
    """Return max(0, x). The derivative at 0 is 0.

    >>> import fanin as torch
    >>> torch.nn.functional.relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    if inplace or not isinstance(input, TensorBase):
        return _pointwise(ops.relu, input, inplace, {})
    return apply(ops.relu, (input,), {})


def relu6(input: Any, inplace: bool = False) -> Any:
    """Return min(max(0, x), 6).

    >>> import fanin as torch
    >>> torch.nn.functional.relu6(torch.tensor([-1.0, 2.0, 8.0]))
    tensor([0., 2., 6.])
    """
    return hardtanh(input, 0.0, 6.0, inplace)


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    """Return x limited to [min_val, max_val]. The derivative at the limits is 0.

    Raises ValueError when min_val is greater than max_val.

    >>> import fanin as torch
    >>> torch.nn.functional.hardtanh(torch.tensor([-3.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """
    if min_val > max_val:
        raise ArgumentError("min_val cannot be greater than max_val", remedy=f"Got {min_val} and {max_val}.")
    require_tensor("hardtanh", input)
    dtype = input._array.dtype
    if dtype.kind == "u" and min_val < 0:
        raise OperationError("cannot do hardtanh on an unsigned type with negative limits")
    refuse_overflow([min_val, max_val], dtype)
    return _pointwise(ops.hardtanh, input, inplace, {"low": min_val, "high": max_val})


def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Any:
    """Return x where it is above the threshold, else the value.

    >>> import fanin as torch
    >>> torch.nn.functional.threshold(torch.tensor([0.5, 2.0]), 1.0, -7.0)
    tensor([-7.,  2.])
    """
    return _pointwise(ops.threshold, input, inplace, {"threshold": threshold, "value": value})


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """Return x where it is positive, else negative_slope * x.

    >>> import fanin as torch
    >>> torch.nn.functional.leaky_relu(torch.tensor([-1.0, 2.0]), 0.5)
    tensor([-0.5000,  2.0000])
    """
    return _pointwise(ops.leaky_relu, input, inplace, {"slope": negative_slope})


def prelu(input: Any, weight: Any) -> Any:
    """Return x where it is positive, else w x, with one learned slope w for all, or one for each channel.

    Args:
        input: (N, C, *), or any shape when there is one slope.
        weight: (C,), (1,) or a scalar.

    Raises RuntimeError where the numbers of slopes and channels differ.

    >>> import fanin as torch
    >>> torch.nn.functional.prelu(torch.tensor([[-1.0, -1.0]]), torch.tensor([0.5, 0.25]))
    tensor([[-0.5000, -0.2500]])
    """
    require_tensor("prelu", input)
    shape, slopes = input._array.shape, weight._array
    if slopes.dtype != input._array.dtype:
        names = input.dtype.legacy_name, weight.dtype.legacy_name
        raise OperationError(f"prelu: Type promoting not supported. Got {names[0]} and {names[1]}")
    if slopes.ndim > 1:
        raise OperationError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {slopes.ndim}")
    if slopes.size != 1:
        _check_channels(shape, slopes.size)
    aligned = (1, -1) + (1,) * (len(shape) - 2) if len(shape) > 1 else (-1,) * len(shape)
    if slopes.shape != aligned:
        weight = apply(reshape_op, (weight,), {"shape": aligned})
    return apply(ops.prelu, (input, weight), {})


def _check_channels(shape: tuple[int, ...], slopes: int) -> None:
    if not shape:
        raise OperationError("Not allow zero-dim input tensor.")
    channels = shape[1] if len(shape) > 1 else 1
    if channels != slopes:
        raise OperationError(
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {slopes} and channel "
            f"size = {channels}."
        )


def rrelu(
    input: Any, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Any:
    """Return x where it is positive, else a x with a random slope a, uniform in [lower, upper).

    Args:
        input: any shape.
        lower: smallest slope.
        upper: largest slope.
        training: when False the slope is (lower + upper) / 2.
        inplace: write the result into the input.

    Raises RuntimeError when lower is greater than upper.

    Reference: B. Xu et al., "Empirical evaluation of rectified activations in convolutional network", 2015.
    """
    require_tensor("rrelu", input)
    if lower > upper:
        raise OperationError("Lower bound should be less than or equal to the upper bound")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    noise = wrap(_random_slopes(ops.floats_only("rrelu_with_noise_out_cpu")((input._array,))[0], lower, upper))
    apply_it = apply_in_place if inplace else apply
    return apply_it(ops.rrelu, (input, noise), {})


def _random_slopes(x: Any, lower: float, upper: float) -> Any:
    # Only elements that are not positive take a draw, of two words each, in row-major order. The bounds are rounded to
    # the dtype first, and then it is computed in float64.
    low, high = float(x.dtype.type(lower)), float(x.dtype.type(upper))
    if mode.capture is not None:
        return _later_slopes(x, low, high)
    noise = np.ones(x.shape, x.dtype)
    drawn = x <= 0
    noise[drawn] = unit53(default_generator, int(np.count_nonzero(drawn))) * (high - low) + low
    return noise


def _later_slopes(x: Any, low: float, high: float) -> Any:
    """Return slopes that are drawn at each call of a compiled step, of 24 random bits each."""
    share = sum(cast(mode.capture.keep(x.shape, 0.5), dtype=x.dtype) * 0.5**bit for bit in range(1, 25))
    return where(less_equal(x, 0), share * (high - low) + low, 1.0)


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """Return x where it is positive, else alpha (e^x - 1).

    Reference: D.-A. Clevert et al., "Fast and accurate deep network learning by exponential linear units", 2015.

    >>> import fanin as torch
    >>> torch.nn.functional.elu(torch.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return _pointwise(ops.elu, input, inplace, {"alpha": alpha, "scale": 1.0, "input_scale": 1.0})


def selu(input: Any, inplace: bool = False) -> Any:
    """Return scale * elu(x, alpha), with the two constants that make mean 0 and variance 1 a fixed point.

    Reference: G. Klambauer et al., "Self-normalizing neural networks", 2017, equations 2 and 14.

    >>> import fanin as torch
    >>> torch.nn.functional.selu(torch.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """
    attrs = {"alpha": _SELU_ALPHA, "scale": _SELU_SCALE, "input_scale": 1.0}
    return _pointwise(ops.elu, input, inplace, attrs)


def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """Return max(0, x) + min(0, alpha (e^(x / alpha) - 1)).

    Raises RuntimeError for alpha = 0.

    >>> import fanin as torch
    >>> torch.nn.functional.celu(torch.tensor([-1.0, 2.0]), 2.0)
    tensor([-0.7869,  2.0000])
    """
    if alpha == 0:
        raise OperationError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _pointwise(ops.celu, input, inplace, {"alpha": alpha, "scale": 1.0, "input_scale": 1.0 / alpha})


def gelu(input: Any, *, approximate: str = "none") -> Any:
    """Return x Phi(x), where Phi is the normal distribution's function.

    Args:
        input: any shape.
        approximate: "none", or "tanh" for x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.

    Raises RuntimeError for another approximation.

    Reference: D. Hendrycks and K. Gimpel, "Gaussian error linear units", 2016.

    >>> import fanin as torch
    >>> torch.nn.functional.gelu(torch.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """
    if approximate not in ("none", "tanh"):
        raise OperationError("approximate argument must be either none or tanh.", remedy=f"Got {approximate!r}.")
    return _pointwise(ops.gelu, input, False, {"approximate": approximate})


def silu(input: Any, inplace: bool = False) -> Any:
    """Return x sigmoid(x).

    >>> import fanin as torch
    >>> torch.nn.functional.silu(torch.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])
    """
    return _pointwise(ops.silu, input, inplace, {})


def mish(input: Any, inplace: bool = False) -> Any:
    """Return x tanh(softplus(x)).

    Reference: D. Misra, "Mish: a self regularized non-monotonic activation function", 2019.

    >>> import fanin as torch
    >>> torch.nn.functional.mish(torch.tensor([-1.0, 2.0]))
    tensor([-0.3034,  1.9440])
    """
    return _pointwise(ops.mish, input, inplace, {})


def softplus(input: Any, beta: float = 1, threshold: float = 20) -> Any:
    """Return log(1 + e^(beta x)) / beta, and x itself where beta x is above the threshold.

    >>> import fanin as torch
    >>> torch.nn.functional.softplus(torch.tensor([0.0, 100.0]))
    tensor([  0.6931, 100.0000])
    """
    return _pointwise(ops.softplus, input, False, {"beta": beta, "threshold": threshold})


def softsign(input: Any) -> Any:
    """Return x / (1 + |x|).

    >>> import fanin as torch
    >>> torch.nn.functional.softsign(torch.tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])
    """
    return _pointwise(ops.softsign, input, False, {})


def sigmoid(input: Any) -> Any:
    """Return 1 / (1 + e^-x).

    >>> import fanin as torch
    >>> torch.nn.functional.sigmoid(torch.tensor([0.0]))
    tensor([0.5000])
    """
    return _pointwise(ops.sigmoid, input, False, {})


def logsigmoid(input: Any) -> Any:
    """Return log(1 / (1 + e^-x)), as min(x, 0) - log(1 + e^-|x|).

    >>> import fanin as torch
    >>> torch.nn.functional.logsigmoid(torch.tensor([0.0, -1000.0]))
    tensor([-6.9315e-01, -1.0000e+03])
    """
    return _pointwise(ops.log_sigmoid, input, False, {})


def hardsigmoid(input: Any, inplace: bool = False) -> Any:
    """Return relu6(x + 3) / 6.

    >>> import fanin as torch
    >>> torch.nn.functional.hardsigmoid(torch.tensor([-4.0, 0.0]))
    tensor([0.0000, 0.5000])
    """
    return _pointwise(ops.hard_sigmoid, input, inplace, {})


def hardswish(input: Any, inplace: bool = False) -> Any:
    """Return x relu6(x + 3) / 6.

    >>> import fanin as torch
    >>> torch.nn.functional.hardswish(torch.tensor([-4.0, 3.0]))
    tensor([-0., 3.])
    """
    return _pointwise(ops.hard_swish, input, inplace, {})


def tanh(input: Any) -> Any:
    """Return (e^x - e^-x) / (e^x + e^-x).

    >>> import fanin as torch
    >>> torch.nn.functional.tanh(torch.tensor([0.0]))
    tensor([0.])
    """
    return _pointwise(ops.tanh, input, False, {})


def tanhshrink(input: Any) -> Any:
    """Return x - tanh(x).

    >>> import fanin as torch
    >>> torch.nn.functional.tanhshrink(torch.tensor([1.0]))
    tensor([0.2384])
    """
    return _pointwise(ops.tanh_shrink, input, False, {})


def hardshrink(input: Any, lambd: float = 0.5) -> Any:
    """Return x, and 0 in [-lambd, lambd].

    >>> import fanin as torch
    >>> torch.nn.functional.hardshrink(torch.tensor([0.3, 1.0]))
    tensor([0., 1.])
    """
    return _pointwise(ops.hard_shrink, input, False, {"lambd": lambd})


def softshrink(input: Any, lambd: float = 0.5) -> Any:
    """Return x moved by lambd towards 0, and 0 in [-lambd, lambd].

    Raises RuntimeError for a negative lambd.

    >>> import fanin as torch
    >>> torch.nn.functional.softshrink(torch.tensor([0.3, 1.0]))
    tensor([0.0000, 0.5000])
    """
    require_tensor("softshrink", input)
    if lambd < 0 and input._array.dtype.kind == "f":
        limits = np.finfo(input._array.dtype)
        raise OperationError(
            f"lambda must be in range [0, {float(limits.max):g}] for input dtype {input.dtype.legacy_name}, "
            f"but found {lambd:g}"
        )
    return _pointwise(ops.soft_shrink, input, False, {"lambd": lambd})


def glu(input: Any, dim: int = -1) -> Any:
    """Return a sigmoid(b), where a and b are the two halves of the input along a dimension.

    Args:
        input: (*, 2 n, *).
        dim: the one that is halved.

    Raises RuntimeError for an odd size.

    Reference: Y. Dauphin et al., "Language modeling with gated convolutional networks", 2016.

    >>> import fanin as torch
    >>> torch.nn.functional.glu(torch.tensor([1.0, 2.0, 0.0, 0.0]))
    tensor([0.5000, 1.0000])
    """
    require_tensor("glu", input)
    shape = input._array.shape
    if not shape:
        raise OperationError("glu does not support scalars because halving size must be even")
    axis = wrap_dim(dim, len(shape))
    half = shape[axis] // 2
    if shape[axis] % 2:
        raise OperationError(f"Halving dimension must be even, but dimension {axis} is size {shape[axis]}")
    ops.floats_only("glu_cpu")((input._array,))
    before = (slice(None),) * axis
    a = apply(getitem, (input,), {"index": (*before, slice(None, half))})
    b = apply(getitem, (input,), {"index": (*before, slice(half, None))})
    return label(a * apply(ops.sigmoid, (b,), {}), "GluBackward0")


def relu_(input: Any) -> Any:
    """Do what `relu` does, in place."""
    return relu(input, True)


def threshold_(input: Any, threshold: float, value: float) -> Any:
    """Do what `threshold` does, in place."""
    return _pointwise(ops.threshold, input, True, {"threshold": threshold, "value": value})


def hardtanh_(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """Do what `hardtanh` does, in place."""
    return hardtanh(input, min_val, max_val, True)


def leaky_relu_(input: Any, negative_slope: float = 0.01) -> Any:
    """Do what `leaky_relu` does, in place."""
    return leaky_relu(input, negative_slope, True)


def rrelu_(input: Any, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Any:
    """Do what `rrelu` does, in place."""
    return rrelu(input, lower, upper, training, True)


def elu_(input: Any, alpha: float = 1.0) -> Any:
    """Do what `elu` does, in place."""
    return elu(input, alpha, True)


def selu_(input: Any) -> Any:
    """Do what `selu` does, in place."""
    return selu(input, True)


def celu_(input: Any, alpha: float = 1.0) -> Any:
    """Do what `celu` does, in place."""
    return celu(input, alpha, True)
