"""Normalisation: subtract the mean, divide by the standard deviation, scale and shift; each layer one operation.

The derivative needs the mean and the spread of the input again. A caller who has found them before hands them over as
`moments`, and the arithmetic on arrays uses them, which saves half of its time. On tensors they are operations of the
input, so that the derivative has a derivative.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.dtypes import from_numpy
from fanin._core.errors import DtypeError, UnsupportedDtypeError
from fanin.ops.arithmetic import sum_to
from fanin.ops.elementwise import rsqrt
from fanin.ops.op import Op, Spec, define
from fanin.ops.reduce import Dims, count, mean
from fanin.ops.rules import shape_of
from fanin.ops.shape import reshape

Moments = tuple[Any, Any] | None


def _same_floats(kernel: str, mixed: str = "all inputs must share same datatype.") -> Any:
    def check(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        dtype = inputs[0].dtype
        if dtype.kind != "f":
            name = from_numpy(dtype).legacy_name
            raise UnsupportedDtypeError(
                f"\"{kernel}\" not implemented for '{name}'", remedy="Convert with .float() first."
            )
        for x in inputs:
            if x is not None and x.dtype != dtype:
                names = from_numpy(dtype).legacy_name, from_numpy(x.dtype).legacy_name
                raise DtypeError(
                    f"mixed dtype (CPU): {mixed.format(names[0])}",
                    remedy=f"The input is {names[0]}, a parameter {names[1]}; convert one of them.",
                )
        return inputs

    return check


def moments_of(x: Any, dims: Dims, eps: float) -> tuple[Any, Any]:
    """Return the mean over dims, which are kept, and 1 / sqrt(variance + eps)."""
    centre, variance = mean_and_variance(x, dims)
    return centre, inverse_deviation(variance, eps)


def mean_and_variance(x: Any, dims: Dims) -> tuple[Any, Any]:
    """Return the mean and the variance (divided by n) over dims, which are kept."""
    n = count(x.shape, dims)
    kind = x.dtype.type
    centre = np.add.reduce(x, axis=dims, keepdims=True) / kind(n)
    rest = x - centre
    rest *= rest
    return centre, np.add.reduce(rest, axis=dims, keepdims=True) / kind(n)


def inverse_deviation(variance: Any, eps: float) -> Any:
    """Return 1 / sqrt(variance + eps)."""
    return np.reciprocal(np.sqrt(variance + eps))


def _scale_and_shift(out: Any, weight: Any, bias: Any) -> Any:
    if weight is not None:
        out *= weight
    if bias is not None:
        out += bias
    return out


def _standardise(x: Any, weight: Any, bias: Any, dims: Dims, eps: float, moments: Moments) -> Any:
    centre, rstd = moments_of(x, dims, eps) if moments is None else moments
    out = x - centre
    if weight is not None and weight.ndim == x.ndim and weight.size == rstd.size:
        out *= rstd * weight  # one pass over the input less
        weight = None
    else:
        out *= rstd
    return _scale_and_shift(out, weight, bias)


def _standard(x: Any, dims: Dims, eps: float, moments: Moments) -> tuple[Any, Any]:
    """Return the standardised input and the inverse deviation, in terms that can be differentiated."""
    if moments is not None and x.__class__ is np.ndarray:
        centre, rstd = moments
        return (x - centre) * rstd, rstd
    centred = x - mean(x, dim=dims, keepdim=True)
    rstd = rsqrt(mean(centred * centred, dim=dims, keepdim=True) + eps)
    return centred * rstd, rstd


def _back(g: Any, standard: Any, rstd: Any, dims: Dims, centred: bool = True) -> Any:
    """Return the gradient of the input from that of the standardised input.

    With h = g - x mean(g x), x standardised: (h - mean(h)) / deviation. Without a mean to subtract, h / deviation.
    S. Ioffe and C. Szegedy, "Batch normalization", 2015, section 3.
    """
    rest = g - standard * mean(g * standard, dim=dims, keepdim=True)
    if centred:
        rest = rest - mean(g, dim=dims, keepdim=True)
    return rest * rstd


def _vjp_x(
    g: Any, out: Any, x: Any, weight: Any = None, bias: Any = None, *, dims: Dims, eps: float, moments: Moments = None
) -> Any:
    standard, rstd = _standard(x, dims, eps, moments)
    return _back(g if weight is None else g * weight, standard, rstd, dims)


def _vjp_weight(
    g: Any, out: Any, x: Any, weight: Any, bias: Any = None, *, dims: Dims, eps: float, moments: Moments = None
) -> Any:
    standard, _ = _standard(x, dims, eps, moments)
    return sum_to(g * standard, shape_of(weight))


def _evaluate(x: Any, weight: Any = None, bias: Any = None, *, dims: Dims, eps: float, moments: Moments = None) -> Any:
    return _standardise(x, weight, bias, dims, eps, moments)


def _like_input(x: Spec, *_: Any, **__: Any) -> Spec:
    return x


def _normalisation(name: str, promote: Any) -> Op:
    """Define y = (x - mean) / sqrt(variance + eps) * weight + bias, the moments over dims.

    Weight and bias have shapes that broadcast against the input's.
    """
    return define(
        name,
        _evaluate,
        _like_input,
        vjps=(_vjp_x, _vjp_weight, lambda g, out, x, weight, bias, **_: sum_to(g, shape_of(bias))),
        reads=(0, 1),
        promote=promote,
        grad_name=f"Native{''.join(part.capitalize() for part in name.split('_'))}Backward0",
    )


batch_norm = _normalisation("batch_norm", _same_floats("batch_norm"))
layer_norm = _normalisation(
    "layer_norm", _same_floats("LayerNormKernelImpl", "expect parameter to have scalar type of {}")
)
instance_norm = _normalisation("instance_norm", _same_floats("batch_norm"))

# Batch norm with fixed moments: y = (x - mean) / sqrt(variance + eps) * weight + bias ---------------------------------


def _fixed_scale(variance: Any, weight: Any, eps: float) -> Any:
    rstd = rsqrt(variance + eps)
    return rstd if weight is None else rstd * weight


def _batch_norm_fixed(x: Any, centre: Any, variance: Any, weight: Any = None, bias: Any = None, *, eps: float) -> Any:
    scale = inverse_deviation(variance, eps)
    if weight is not None:
        scale = scale * weight
    shift = -centre * scale
    if bias is not None:
        shift = shift + bias
    out = x * scale
    out += shift
    return out


batch_norm_fixed = define(
    "batch_norm_fixed",
    _batch_norm_fixed,
    _like_input,
    vjps=(
        lambda g, out, x, centre, variance, weight=None, bias=None, *, eps: g * _fixed_scale(variance, weight, eps),
        None,
        None,
        lambda g, out, x, centre, variance, weight, bias=None, *, eps: sum_to(
            g * ((x - centre) * rsqrt(variance + eps)), shape_of(weight)
        ),
        lambda g, out, x, centre, variance, weight, bias, *, eps: sum_to(g, shape_of(bias)),
    ),
    reads=(0, 1, 2, 3),
    promote=_same_floats("batch_norm"),
    grad_name="NativeBatchNormBackward0",
)

# Group norm: the channels (dimension 1) in groups, each group of a sample standardised; one scale for each channel. ---

# The three shapes in which the input is seen: (N, C, *) as it comes, one row for each group, one row for each channel.
GROUP_DIMS: Dims = (2,)


def by_group(shape: tuple[int, ...], groups: int) -> tuple[int, ...]:
    """Return the shape with one row for each group."""
    return (shape[0], groups, shape[1] // groups * int(np.prod(shape[2:])))


def _by_channel(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:2], int(np.prod(shape[2:])))


def _group_norm(
    x: Any, weight: Any = None, bias: Any = None, *, groups: int, eps: float, moments: Moments = None
) -> Any:
    shape = x.shape
    out = _standardise(x.reshape(by_group(shape, groups)), None, None, GROUP_DIMS, eps, moments)
    weight = None if weight is None else weight[:, None]
    bias = None if bias is None else bias[:, None]
    return _scale_and_shift(out.reshape(_by_channel(shape)), weight, bias).reshape(shape)


def _group_norm_vjp_x(
    g: Any,
    out: Any,
    x: Any,
    weight: Any = None,
    bias: Any = None,
    *,
    groups: int,
    eps: float,
    moments: Moments = None,
) -> Any:
    shape = shape_of(x)
    rows = by_group(shape, groups)
    standard, rstd = _standard(reshape(x, rows), GROUP_DIMS, eps, moments)
    if weight is not None:
        g = reshape(g, _by_channel(shape)) * reshape(weight, (shape[1], 1))
    return reshape(_back(reshape(g, rows), standard, rstd, GROUP_DIMS), shape)


def _group_norm_vjp_weight(
    g: Any, out: Any, x: Any, weight: Any, bias: Any = None, *, groups: int, eps: float, moments: Moments = None
) -> Any:
    shape = shape_of(x)
    standard, _ = _standard(reshape(x, by_group(shape, groups)), GROUP_DIMS, eps, moments)
    product = reshape(g, _by_channel(shape)) * reshape(standard, _by_channel(shape))
    return reshape(sum_to(product, (shape[1], 1)), shape_of(weight))


def _group_norm_vjp_bias(g: Any, out: Any, x: Any, weight: Any, bias: Any, **_: Any) -> Any:
    shape = shape_of(x)
    return reshape(sum_to(reshape(g, _by_channel(shape)), (shape[1], 1)), shape_of(bias))


group_norm = define(
    "group_norm",
    _group_norm,
    _like_input,
    vjps=(_group_norm_vjp_x, _group_norm_vjp_weight, _group_norm_vjp_bias),
    reads=(0, 1),
    promote=_same_floats("GroupNormKernelImpl"),
    grad_name="NativeGroupNormBackward0",
)

# RMS norm: y = x / sqrt(mean(x^2) + eps) * weight ---------------------------------------------------------------------


def _rms_norm(x: Any, weight: Any = None, *, dims: Dims, eps: float) -> Any:
    size = np.add.reduce(x * x, axis=dims, keepdims=True) / x.dtype.type(count(x.shape, dims))
    return _scale_and_shift(x * inverse_deviation(size, eps), weight, None)


def _rms_standard(x: Any, dims: Dims, eps: float) -> tuple[Any, Any]:
    rstd = rsqrt(mean(x * x, dim=dims, keepdim=True) + eps)
    return x * rstd, rstd


def _rms_norm_vjp_x(g: Any, out: Any, x: Any, weight: Any = None, *, dims: Dims, eps: float) -> Any:
    standard, rstd = _rms_standard(x, dims, eps)
    return _back(g if weight is None else g * weight, standard, rstd, dims, centred=False)


def _rms_norm_vjp_weight(g: Any, out: Any, x: Any, weight: Any, *, dims: Dims, eps: float) -> Any:
    standard, _ = _rms_standard(x, dims, eps)
    return sum_to(g * standard, shape_of(weight))


rms_norm = define(
    "rms_norm",
    _rms_norm,
    _like_input,
    vjps=(_rms_norm_vjp_x, _rms_norm_vjp_weight),
    reads=(0, 1),
    promote=_same_floats("rms_norm"),
    grad_name="MulBackward0",
)
