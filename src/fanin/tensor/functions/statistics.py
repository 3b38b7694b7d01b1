"""Variance and its relatives."""

from __future__ import annotations

import warnings
from typing import Any

from fanin._core.errors import ArgumentTypeError
from fanin.ops import reduce
from fanin.tensor.functions.operands import reduction_dims, require_tensor, to_out
from fanin.tensor.functions.reductions import mean
from fanin.tensor.tape import apply

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
    """Return the standard deviation: the root of the variance, whose divisor is n - correction."""
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


def var_mean(
    input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = _UNSET
) -> tuple[Any, Any]:
    """Return the variance and the mean."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return var(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)


def std_mean(
    input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = _UNSET
) -> tuple[Any, Any]:
    """Return the standard deviation and the mean."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return std(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)
