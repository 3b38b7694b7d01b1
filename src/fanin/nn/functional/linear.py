"""Affine maps."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ShapeError
from fanin.nn.functional.checks import require_tensor
from fanin.ops import linalg
from fanin.tensor.base import TensorBase
from fanin.tensor.tape import apply, label

# PyTorch's last step, by the number of dimensions of the input.
_WITHOUT_BIAS = {1: "SqueezeBackward4", 2: "MmBackward0"}


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """Return x W^T + b.

    Args:
        input: (*, in_features).
        weight: (out_features, in_features), or (in_features,), which gives (*).
        bias: (out_features,), or None.

    Raises RuntimeError where the sizes or the dtypes differ, or a weight is no matrix or vector; TypeError for what is
    no tensor.

    >>> import fanin as torch
    >>> torch.nn.functional.linear(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([[11.]])
    """
    if not isinstance(input, TensorBase):
        require_tensor("linear", input)
    if not isinstance(weight, TensorBase):
        require_tensor("linear", weight, "weight", 2)
    if not 0 < weight._array.ndim < 3:
        raise _misshapen(input, weight)
    if bias is None:
        result = apply(linalg.linear, (input, weight), {})
        return label(result, _WITHOUT_BIAS.get(input._array.ndim, "UnsafeViewBackward0"))
    result = apply(linalg.linear, (input, weight, bias), {})
    return result if input._array.ndim == 2 else label(result, "ViewBackward0")


def _misshapen(input: Any, weight: Any) -> ShapeError:
    """Return the error for a weight that is neither a matrix nor a vector."""
    sizes, ndim = list(weight._array.shape), weight._array.ndim
    what = (
        f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D"
        if ndim
        else f"both arguments to linear need to be at least 1D, but they are {input._array.ndim}D and 0D"
    )
    return ShapeError(what, remedy=f"A weight is (out_features, in_features) or (in_features,), this one is {sizes}.")
