"""Functions that reduce dimensions: sums, means, extremes, and questions about all elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import DimensionError, DtypeError, OperationError
from fanin.ops import arithmetic, reduce
from fanin.ops.index import gather
from fanin.ops.rules import wrap_dim
from fanin.tensor import return_types
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.operands import (
    binary,
    converted,
    numpy_names,
    reduction_dims,
    require_dim,
    require_tensor,
    store_out,
    to_out,
)
from fanin.tensor.grad_mode import mode
from fanin.tensor.tape import apply, label

# Names of the nodes when dimensions are given.
_ALONG = {"sum": "SumBackward1", "mean": "MeanBackward1", "prod": "ProdBackward1"}


def _reduce(op: Any, input: Any, dim: Any, keepdim: Any, axis: Any, keepdims: Any, out: Any) -> Any:
    if not isinstance(input, TensorBase):
        require_tensor(op.name, input)
    dim = dim if axis is None else axis
    dims = reduction_dims(input, dim)
    result = apply(op, (input,), {"dim": dims, "keepdim": keepdim if keepdims is None else keepdims})
    if dim is not None and result._node is not None:
        result._node.label = _ALONG.get(op.name)
    return result if out is None else store_out(out, result, op.name)


def sum(
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    axis: Any = None,
    keepdims: bool | None = None,
    out: Any = None,
) -> Any:
    """Return the sum over the dimensions, all of them when dim is None; integers and bools add up in int64.

    >>> import fanin as torch
    >>> torch.sum(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    tensor([3., 7.])
    """
    if dtype is not None:
        input = converted(input, dtype)
    result = _reduce(reduce.sum_, input, dim, keepdim, axis, keepdims, out)
    return result if dtype is None else converted(result, dtype)


def mean(
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    axis: Any = None,
    keepdims: bool | None = None,
    out: Any = None,
) -> Any:
    """Return the mean over the dimensions, all of them when dim is None; nan over no elements.

    Raises RuntimeError for integers: convert with .float() first.

    >>> import fanin as torch
    >>> torch.mean(torch.tensor([[1.0, 2.0], [3.0, 5.0]]), dim=1, keepdim=True)
    tensor([[1.5000],
            [4.0000]])
    """
    if dtype is not None:
        input = converted(input, dtype)
    return _reduce(reduce.mean, input, dim, keepdim, axis, keepdims, out)


def prod(
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    axis: Any = None,
    keepdims: bool | None = None,
    out: Any = None,
) -> Any:
    """Return the product over one dimension, or of all elements; integers and bools multiply in int64.

    >>> import fanin as torch
    >>> torch.prod(torch.tensor([[1, 2], [3, 4]]), dim=0)
    tensor([3, 8])
    """
    if dtype is not None:
        input = converted(input, dtype)
    dim = dim if axis is None else axis
    if dim is not None:
        dim = require_dim("prod", dim)
    result = _reduce(reduce.prod, input, dim, keepdim, None, keepdims, out)
    return result if dtype is None else converted(result, dtype)


@numpy_names
def nansum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None) -> Any:
    """Return the sum, nan counting as 0.

    >>> import fanin as torch
    >>> torch.nansum(torch.tensor([1.0, float("nan"), 3.0]))
    tensor(4.)
    """
    if dtype is not None:
        input = converted(input, dtype)
    return label(sum(_without_nan(input), dim, keepdim, out=out), "NansumBackward0")


@numpy_names
def nanmean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None) -> Any:
    """Return the mean of what is not nan.

    >>> import fanin as torch
    >>> torch.nanmean(torch.tensor([1.0, float("nan"), 3.0]))
    tensor(2.)
    """
    if input._array.dtype.kind != "f":
        raise DtypeError(f"nanmean(): expected input to have floating point or complex dtype but got {input.dtype}")
    if dtype is not None:
        input = converted(input, dtype)
        if input._array.dtype.kind != "f":
            raise DtypeError(f"nanmean(): could not infer output dtype: dtype must be floating, got {input.dtype}")
    present = apply(arithmetic.logical_not, (apply(arithmetic.isnan, (input,), {}),), {})
    return to_out(out, sum(_without_nan(input), dim, keepdim) / sum(present, dim, keepdim), "nanmean")


def _without_nan(input: Any) -> Any:
    if input._array.dtype.kind != "f":
        return input
    return apply(arithmetic.where, (apply(arithmetic.isnan, (input,), {}), 0.0, input), {})


# Questions ------------------------------------------------------------------------------------------------------------


def all(
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    *,
    axis: Any = None,
    keepdims: bool | None = None,
    out: Any = None,
) -> Any:
    """Return whether all elements are not 0; True over no elements.

    >>> import fanin as torch
    >>> torch.all(torch.tensor([[True, False], [True, True]]), dim=1)
    tensor([False,  True])
    """
    return _as_bytes(input, _reduce(reduce.all_, input, dim, keepdim, axis, keepdims, out))


def any(
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    *,
    axis: Any = None,
    keepdims: bool | None = None,
    out: Any = None,
) -> Any:
    """Return whether some element is not 0; False over no elements.

    >>> import fanin as torch
    >>> torch.any(torch.tensor([[0, 0], [0, 3]]), dim=1)
    tensor([False,  True])
    """
    return _as_bytes(input, _reduce(reduce.any_, input, dim, keepdim, axis, keepdims, out))


def _as_bytes(input: Any, result: Any) -> Any:
    # PyTorch's only exception: answers about bytes are bytes.
    return converted(result, np.dtype(np.uint8)) if input._array.dtype == np.uint8 else result


@numpy_names
def count_nonzero(input: Any, dim: Any = None) -> Any:
    """Return how many elements are not 0.

    >>> import fanin as torch
    >>> torch.count_nonzero(torch.tensor([[0, 1], [2, 3]]), dim=0)
    tensor([1, 2])
    """
    return sum(apply(arithmetic.not_equal, (input, 0), {}), dim)


# Extremes -------------------------------------------------------------------------------------------------------------


def max(
    input: Any,
    dim: Any = None,
    keepdim: Any = None,
    *,
    axis: Any = None,
    keepdims: Any = None,
    other: Any = None,
    out: Any = None,
) -> Any:
    """Return the largest element; with dim, (values, indices) along it; with a second tensor, the larger of each pair.

    >>> import fanin as torch
    >>> torch.max(torch.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    torch.return_types.max(
    values=tensor([5., 7.]),
    indices=tensor([1, 0]))
    """
    return _extreme("max", input, dim if axis is None else axis, keepdim if keepdims is None else keepdims, other, out)


def min(
    input: Any,
    dim: Any = None,
    keepdim: Any = None,
    *,
    axis: Any = None,
    keepdims: Any = None,
    other: Any = None,
    out: Any = None,
) -> Any:
    """Return the smallest element; with dim, (values, indices) along it; with a tensor, the smaller of each pair.

    >>> import fanin as torch
    >>> torch.min(torch.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    torch.return_types.min(
    values=tensor([1., 2.]),
    indices=tensor([0, 1]))
    """
    return _extreme("min", input, dim if axis is None else axis, keepdim if keepdims is None else keepdims, other, out)


_ELEMENT = {"max": reduce.amax, "min": reduce.amin}
_POSITION = {"max": reduce.argmax, "min": reduce.argmin}
_NODE = {"max": "MaxBackward0", "min": "MinBackward0"}
_PAIR = {"max": arithmetic.maximum, "min": arithmetic.minimum}


def _extreme(name: str, input: Any, dim: Any, keepdim: Any, other: Any, out: Any) -> Any:
    require_tensor(name, input)
    if isinstance(dim, TensorBase):
        other, dim = dim, None
    if other is not None:
        return binary(_PAIR[name], input, other, out)
    if dim is None:
        _require_some(name, input)
        result = apply(_ELEMENT[name], (input,), {"dim": tuple(range(input._array.ndim))})
        return to_out(out, label(result, f"{name.capitalize()}Backward1"), name)
    values, indices = _along(name, input, require_dim(name, dim), bool(keepdim))
    if out is not None:
        values, indices = store_out(out[0], values, name), store_out(out[1], indices, name)
    return getattr(return_types, name)((values, indices))


def _along(name: str, input: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    dim = wrap_dim(dim, input._array.ndim)
    _require_some_along(name, input, dim)
    if not input._array.ndim or not (mode.enabled and input.requires_grad):
        dims = (dim,) if input._array.ndim else ()
        values = label(apply(_ELEMENT[name], (input,), {"dim": dims, "keepdim": keepdim}), _NODE[name])
        return values, apply(_POSITION[name], (input,), {"dim": dim, "keepdim": keepdim})
    # The gradient goes to one of equal elements alone, so the values are taken from the positions.
    indices = apply(_POSITION[name], (input,), {"dim": dim, "keepdim": True})
    values = apply(gather, (input, indices), {"dim": dim})
    if not keepdim:
        values, indices = values.squeeze(dim), indices.squeeze(dim)
    return label(values, _NODE[name]), indices


def _require_some(name: str, input: Any) -> None:
    if not input._array.size:
        raise OperationError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )


def _require_some_of_all(name: str, input: Any, dim: Any) -> None:
    if dim == () and not require_tensor(name, input)._array.size:
        _require_some(name, input)


def _require_some_along(name: str, input: Any, dim: int) -> None:
    if input._array.ndim and not input._array.shape[dim]:
        raise DimensionError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")


def amax(
    input: Any, dim: Any = (), keepdim: bool = False, *, axis: Any = None, keepdims: bool | None = None, out: Any = None
) -> Any:
    """Return the largest elements over the dimensions; equal ones share the gradient.

    >>> import fanin as torch
    >>> torch.amax(torch.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    tensor([5., 7.])
    """
    _require_some_of_all("amax", input, dim if axis is None else axis)
    return _reduce(reduce.amax, input, dim, keepdim, axis, keepdims, out)


def amin(
    input: Any, dim: Any = (), keepdim: bool = False, *, axis: Any = None, keepdims: bool | None = None, out: Any = None
) -> Any:
    """Return the smallest elements over the dimensions; equal ones share the gradient.

    >>> import fanin as torch
    >>> torch.amin(torch.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=(0, 1))
    tensor(1.)
    """
    _require_some_of_all("amin", input, dim if axis is None else axis)
    return _reduce(reduce.amin, input, dim, keepdim, axis, keepdims, out)


@numpy_names
def aminmax(input: Any, *, dim: Any = None, keepdim: bool = False, out: Any = None) -> Any:
    """Return the smallest and the largest elements, of all or along a dimension.

    >>> import fanin as torch
    >>> torch.aminmax(torch.tensor([3, -1, 2]))
    torch.return_types.aminmax(
    min=tensor(-1),
    max=tensor(3))
    """
    dims = () if dim is None else dim
    both = (amin(input, dims, keepdim), amax(input, dims, keepdim))
    return return_types.aminmax(label(x, "AminmaxBackward0") for x in both)


def argmax(
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    *,
    axis: Any = None,
    keepdims: bool | None = None,
    out: Any = None,
) -> Any:
    """Return the index of the largest element, of the flattened tensor or along a dimension; the first among equals.

    >>> import fanin as torch
    >>> torch.argmax(torch.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    tensor([1, 0])
    """
    return _argextreme("argmax", reduce.argmax, input, dim if axis is None else axis, keepdims or keepdim, out)


def argmin(
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    *,
    axis: Any = None,
    keepdims: bool | None = None,
    out: Any = None,
) -> Any:
    """Return the index of the smallest element, of all elements or along a dimension; the first among equals.

    >>> import fanin as torch
    >>> torch.argmin(torch.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    tensor([0, 1])
    """
    return _argextreme("argmin", reduce.argmin, input, dim if axis is None else axis, keepdims or keepdim, out)


def _argextreme(name: str, op: Any, input: Any, dim: Any, keepdim: bool, out: Any) -> Any:
    if require_tensor(name, input)._array.dtype.kind == "b":
        raise DtypeError(f"\"{name}_cpu\" not implemented for 'Bool'; convert with .int() first")
    if dim is None:
        if not input._array.size:
            raise DimensionError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")
    else:
        dim = wrap_dim(require_dim(name, dim), input._array.ndim)
        _require_some_along(name, input, dim)
    return to_out(out, apply(op, (input,), {"dim": dim, "keepdim": keepdim}), name)
