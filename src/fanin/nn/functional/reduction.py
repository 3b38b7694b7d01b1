"""How a loss of every element becomes one number, and what the losses ask of their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core import advice
from fanin._core.dtypes import can_cast, from_numpy
from fanin._core.errors import ArgumentError, DtypeError, MissingNameError, ShapeError
from fanin.ops.elementwise import cast
from fanin.ops.reduce import mean, sum_
from fanin.ops.rules import broadcast_shape
from fanin.tensor.base import TensorBase
from fanin.tensor.tape import apply, label

REDUCTIONS = ("none", "mean", "sum")
CHOICES = f"Choose a reduction from {', '.join(REDUCTIONS)}."


def reduction_of(reduction: str, size_average: bool | None = None, reduce: bool | None = None) -> str:
    """Return "none", "mean" or "sum"; the two arguments of old programs stand in its place where they are given.

    Raises ValueError for any other reduction.
    """
    if size_average is not None or reduce is not None:
        return legacy_reduction(size_average, reduce)
    if reduction in REDUCTIONS:
        return reduction
    if reduction == "elementwise_mean":
        advice.give(UserWarning, "reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.")
        return "mean"
    raise ArgumentError(f"{reduction} is not a valid value for reduction", remedy=CHOICES)


def legacy_reduction(size_average: bool | None, reduce: bool | None) -> str:
    """Return the reduction that two arguments of old programs mean, and warn of them."""
    if reduce is not None and not reduce:
        reduction = "none"
    else:
        reduction = "mean" if size_average is None or size_average else "sum"
    advice.give(
        UserWarning,
        f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.",
    )
    return reduction


def reduced(values: Any, reduction: str) -> Any:
    """Return the values, their mean or their sum."""
    if reduction == "none":
        return values
    dims = tuple(range(values._array.ndim))
    return apply(mean if reduction == "mean" else sum_, (values,), {"dim": dims, "keepdim": False})


def require_tensors(function: str, *values: Any) -> None:
    """Raise AttributeError, as PyTorch's losses do, unless all are tensors."""
    for value in values:
        if not isinstance(value, TensorBase):
            raise MissingNameError(
                f"'{type(value).__name__}' object has no attribute 'size'",
                remedy=f"{function} takes tensors; make one with torch.tensor(...).",
            )


def in_dtype_of(result: Any, like: Any) -> Any:
    """Return a loss in the dtype of one of its arguments, in which PyTorch keeps it where the arguments' dtypes differ.

    Raises RuntimeError for a dtype that cannot hold it.
    """
    given, wanted = result._array.dtype, like._array.dtype
    if given == wanted:
        return result
    if not can_cast(from_numpy(given), from_numpy(wanted)):
        raise DtypeError(
            f"result type {from_numpy(given).legacy_name} can't be cast to the desired output type "
            f"{from_numpy(wanted).legacy_name}",
            remedy="Convert the target with .float().",
        )
    name = None if result._node is None else result._node.name()
    cast_ = apply(cast, (result,), {"dtype": wanted})
    return cast_ if name is None else label(cast_, name)


def require_within(name: str, value: Any, input: Any) -> None:
    """Raise RuntimeError unless a tensor broadcasts to the shape of the input."""
    shape = input._array.shape
    if broadcast_shape(value._array.shape, shape) != shape:
        raise ShapeError(
            f"output with shape {list(shape)} doesn't match the broadcast shape "
            f"{list(broadcast_shape(value._array.shape, shape))}",
            remedy=f"The {name} must broadcast to the shape of the input.",
        )


def size_text(x: Any) -> str:
    """Return a tensor's shape as PyTorch prints it."""
    return f"torch.Size({list(np.shape(x._array))})"


def named_by_reduction(result: Any, reduction: str, plain: str) -> Any:
    """Let a fused loss print the node that PyTorch's ends with: that of the mean, of the sum, or its own."""
    return label(result, {"mean": "MeanBackward0", "sum": "SumBackward0", "none": plain}[reduction])
