"""Normalisation layers.

`moments` are the mean and the inverse deviation where the caller has found them before. As values they are found anew,
in the same terms: what was computed twice is then computed once (common subexpressions).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin.compiler.passes.lower.common import average
from fanin.compiler.passes.lower.rules import lowers
from fanin.ops.elementwise import rsqrt
from fanin.ops.normalise import GROUP_DIMS, by_group
from fanin.ops.reduce import Dims
from fanin.ops.shape import reshape


def _standard(x: Any, dims: Dims, eps: float, moments: Any) -> tuple[Any, Any]:
    """Return x minus its mean over dims, and the inverse deviation."""
    if moments is not None and all(isinstance(m, np.ndarray) for m in moments):
        return x - moments[0], moments[1]
    rest = x - average(x, dims, keepdim=True)
    return rest, rsqrt(average(rest * rest, dims, keepdim=True) + eps)


def _scale_and_shift(x: Any, weight: Any, bias: Any) -> Any:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


@lowers("batch_norm", "layer_norm", "instance_norm")
def standardise(x: Any, weight: Any = None, bias: Any = None, *, dims: Dims, eps: float, moments: Any = None) -> Any:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias."""
    rest, rstd = _standard(x, dims, eps, moments)
    return _scale_and_shift(rest * rstd, weight, bias)


@lowers("batch_norm_fixed")
def batch_norm_fixed(x: Any, centre: Any, variance: Any, weight: Any = None, bias: Any = None, *, eps: float) -> Any:
    """Return x * scale + shift, both found from the given moments."""
    scale = rsqrt(variance + eps)
    scale = scale if weight is None else scale * weight
    shift = -centre * scale
    return x * scale + (shift if bias is None else shift + bias)


@lowers("group_norm")
def group_norm(x: Any, weight: Any = None, bias: Any = None, *, groups: int, eps: float, moments: Any = None) -> Any:
    """Return each group of channels of each sample standardised, then scaled and shifted by channel."""
    rest, rstd = _standard(reshape(x, by_group(x.shape, groups)), GROUP_DIMS, eps, moments)
    channels = (x.shape[1],) + (1,) * (x.ndim - 2)
    weight, bias = (None if p is None else reshape(p, channels) for p in (weight, bias))
    return _scale_and_shift(reshape(rest * rstd, x.shape), weight, bias)


@lowers("rms_norm")
def rms_norm(x: Any, weight: Any = None, *, dims: Dims, eps: float) -> Any:
    """Return x / sqrt(mean(x^2) + eps) * weight."""
    rstd = rsqrt(average(x * x, dims, keepdim=True) + eps)
    return _scale_and_shift(x * rstd, weight, None)
