"""Variance and its relatives, covariances, and counts."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentTypeError, DtypeError, OperationError, UnsupportedDtypeError
from fanin.ops import intervals, reduce
from fanin.tensor import return_types
from fanin.tensor.base import known
from fanin.tensor.functions.operands import numpy_names, reduction_dims, require_known, require_tensor, to_out
from fanin.tensor.functions.reductions import mean
from fanin.tensor.tape import apply, label, wrap

_UNSET: Any = object()


def var(
    input: Any,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Any = _UNSET,
    axis: Any = None,
    keepdims: bool | None = None,
    out: Any = None,
) -> Any:
    """Return the variance: sum (x - mean) ** 2 / (n - correction); correction is 1 unless given (0 if not unbiased).

    >>> import fanin as torch
    >>> torch.var(torch.tensor([1.0, 2.0, 3.0]))
    tensor(1.)
    """
    return to_out(out, _spread("var", reduce.var, input, dim, unbiased, keepdim, correction, axis, keepdims), "var")


def std(
    input: Any,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Any = _UNSET,
    axis: Any = None,
    keepdims: bool | None = None,
    out: Any = None,
) -> Any:
    """Return the standard deviation: the root of the variance, whose divisor is n - correction.

    >>> import fanin as torch
    >>> torch.std(torch.tensor([1.0, 2.0, 3.0, 4.0])), torch.std(torch.tensor([1.0, 3.0]), correction=0)
    (tensor(1.2910), tensor(1.))
    """
    return to_out(out, _spread("std", reduce.std, input, dim, unbiased, keepdim, correction, axis, keepdims), "std")


def _spread(
    name: str, op: Any, input: Any, dim: Any, unbiased: Any, keepdim: Any, correction: Any, axis: Any, keepdims: Any
) -> Any:
    require_tensor(name, input)
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is _UNSET:
        correction = 1 if unbiased is None or unbiased else 0
    elif unbiased is not None:
        raise ArgumentTypeError(f"{name}() takes either unbiased or correction, not both")
    correction = 1 if correction is None else correction
    dims = reduction_dims(input, dim if axis is None else axis)
    if reduce.count(input._array.shape, dims) <= correction and input._array.size:
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor "
            "(input numel divided by output numel).",
            UserWarning,
            stacklevel=4,
        )
    keep = keepdim if keepdims is None else keepdims
    return apply(op, (input,), {"dim": dims, "correction": correction, "keepdim": bool(keep)})


@numpy_names
def var_mean(
    input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = _UNSET
) -> tuple[Any, Any]:
    """Return the variance and the mean.

    >>> import fanin as torch
    >>> torch.var_mean(torch.tensor([[1.0, 3.0], [2.0, 6.0]]), dim=1)
    (tensor([2., 8.]), tensor([2., 4.]))
    """
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    found = (var(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim))
    return label(found[0], "VarMeanBackward0"), label(found[1], "VarMeanBackward0")


@numpy_names
def std_mean(
    input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = _UNSET
) -> tuple[Any, Any]:
    """Return the standard deviation and the mean.

    >>> import fanin as torch
    >>> torch.std_mean(torch.tensor([1.0, 3.0]), correction=0)
    (tensor(1.), tensor(2.))
    """
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    found = (std(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim))
    return label(found[0], "StdMeanBackward0"), label(found[1], "StdMeanBackward0")


# Covariance -----------------------------------------------------------------------------------------------------------


def cov(input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """Return the covariances of variables (rows) over observations (columns): a matrix, a number for one variable.

    fweights: how often each observation counts; aweights: how much.

    >>> import fanin as torch
    >>> torch.cov(torch.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if require_tensor("cov", input)._array.ndim > 2:
        raise OperationError(f"cov(): expected input to have two or fewer dimensions but got {input._array.ndim}")
    if input._array.dtype.kind == "b":
        raise DtypeError("cov(): bool dtype is not supported for input")
    x = input.reshape(1, -1) if input._array.ndim < 2 else input
    x = x if x._array.dtype.kind == "f" else x.float()
    weights = _weights(fweights, aweights, x)
    total = x._array.shape[1] if weights is None else weights.sum()
    average = x.mean(1, keepdim=True) if weights is None else (x * weights).sum(1, keepdim=True) / total
    if weights is not None and aweights is not None and correction:
        divisor = total - correction * (weights * aweights).sum() / total
    else:
        divisor = total - correction
    centred = x - average
    found = centred @ (centred if weights is None else centred * weights).t()
    return (found / (divisor.clamp(min=0) if hasattr(divisor, "_array") else max(divisor, 0))).squeeze()


def _weights(fweights: Any, aweights: Any, x: Any) -> Any:
    given = [w for w in (fweights, aweights) if w is not None]
    for w in given:
        if w._array.shape != (x._array.shape[1],):
            raise OperationError("cov(): expected fweights and aweights to have one entry for each observation")
        if known(w._array) and (w._array < 0).any():
            raise OperationError("cov(): fweights and aweights cannot be negative")
    if not given:
        return None
    return given[0].to(x.dtype) if len(given) == 1 else given[0].to(x.dtype) * given[1]


def corrcoef(input: Any) -> Any:
    """Return the correlations of variables (rows) over observations (columns), in [-1, 1].

    >>> import fanin as torch
    >>> torch.corrcoef(torch.tensor([[0.0, 1.0, 2.0], [4.0, 2.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    found = cov(input)
    if not found._array.ndim:
        return found / found
    deviation = found.diagonal().sqrt()
    return (found / deviation.unsqueeze(1) / deviation).clamp(-1, 1)


# Counts ---------------------------------------------------------------------------------------------------------------


def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """Return how often each number from 0 on occurs, or the sum of its weights.

    Raises RuntimeError for anything but a vector of non-negative integers.

    >>> import fanin as torch
    >>> torch.bincount(torch.tensor([1, 1, 3]), minlength=5)
    tensor([0, 2, 0, 1, 0])
    """
    array = require_known(
        "bincount",
        require_tensor("bincount", input),
        "returns as many counts as the largest number says",
        "Say how many there are: torch.nn.functional.one_hot(x, n).sum(0), or torch.zeros(n).index_add(0, x, weights).",
    )
    if array.dtype.kind == "f":
        raise UnsupportedDtypeError(f'"bincount_cpu" not implemented for {input.dtype}; convert with .long() first')
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array.size and array.min() < 0):
        raise OperationError("bincount only supports 1-d non-negative integral inputs.")
    if minlength < 0:
        raise OperationError("minlength should be >= 0")
    if weights is None:
        return wrap(np.bincount(array, minlength=minlength).astype(np.int64))
    if weights._array.shape != array.shape:
        raise OperationError("weights should be 1-d and have the same length as input")
    kind = weights._array.dtype if weights._array.dtype == np.float32 else np.float64
    if not array.size:
        return wrap(np.zeros(minlength, kind))
    return wrap(np.bincount(array, weights._array, minlength).astype(kind))


def histc(input: Any, bins: int = 100, min: Any = 0, max: Any = 0, *, out: Any = None) -> Any:
    """Return how many elements fall into each of `bins` equal parts of min to max (the data's when both are 0).

    >>> import fanin as torch
    >>> torch.histc(torch.tensor([1.0, 2.0, 1.0, 4.0]), bins=4, min=0, max=4)
    tensor([0., 2., 1., 1.])
    """
    require_tensor("histc", input)
    if bins <= 0:
        raise OperationError(f"bins must be > 0, but got {bins} for dimension 0")
    limits = {"bins": int(bins), "low": float(min), "high": float(max)}
    if limits["low"] > limits["high"]:
        raise OperationError("max must be larger than min")
    result = apply(intervals.histogram, (input,), {**limits, "exact": False})
    return to_out(out, result, "histc")


def histogram(
    input: Any, bins: Any = 100, *, range: Any = None, weight: Any = None, density: bool = False, out: Any = None
) -> Any:
    """Return (hist, bin_edges): the number (or weight) of elements in each interval, and the bounds.

    >>> import fanin as torch
    >>> torch.histogram(torch.tensor([1.0, 2.0, 1.0, 4.0]), bins=4, range=(0.0, 4.0)).hist
    tensor([0., 2., 1., 1.])
    """
    require_tensor("histogram", input)
    low, high = (0.0, 0.0) if range is None else map(float, range)
    if hasattr(bins, "_array"):
        edges, limits = bins, {"bins": 0, "low": low, "high": high}
        bounds = bins.to(input.dtype).clone()
    else:
        edges, limits = None, {"bins": int(bins), "low": low, "high": high}
        bounds = apply(intervals.histogram_edges, (input,), limits)
    counts = apply(intervals.histogram, (input, edges, weight), {**limits, "density": bool(density)})
    return return_types.histogram((counts, bounds))
