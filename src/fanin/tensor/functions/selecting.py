"""Picking elements by index: along a dimension, by mask, by position."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import DimensionError, DtypeError, IndexRangeError, OperationError, ShapeError
from fanin.ops import index as ops
from fanin.ops.rules import c_name, wrap_dim
from fanin.tensor.base import TensorBase, known
from fanin.tensor.functions.operands import number, numpy_names, require_dim, require_known, require_tensor, to_out
from fanin.tensor.functions.shaping import broadcast_tensors
from fanin.tensor.tape import apply, label, wrap


def along_dim(dim: int, item: Any) -> tuple[Any, ...]:
    """Return the index that picks `item` along dim and everything along the dimensions before and after it."""
    return (slice(None),) * dim + (item,)


def index_array(function: str, index: Any, size: int, dim: int) -> Any:
    """Return an index tensor as an array; raise RuntimeError for what is no integer, IndexError outside the size."""
    array = require_tensor(function, index, "index")._array
    if array.dtype not in (np.int64, np.int32):
        raise DtypeError(
            f"{function}(): Expected dtype int32/int64 for index", remedy=f"It has {index.dtype}; convert with .long()."
        )
    if array.size and known(array) and (array.min() < 0 or array.max() >= size):
        wrong = int(array[(array < 0) | (array >= size)][0]) if array.ndim else int(array)
        raise IndexRangeError(f"{function}(): index {wrong} is out of range for dimension {dim} with size {size}")
    message = f"{function}(): index {{index}} is out of range for dimension {dim} with size {size}"
    return existing(array, size, message, function == "index_add")


def existing(positions: Any, size: int, message: str, runtime: bool) -> Any:
    """Return positions, which are looked at when they come where they are not known yet."""
    return positions if known(positions) else ops.within(positions, size=size, message=message, runtime=runtime)


@numpy_names
def index_select(input: Any, dim: int, index: Any, *, out: Any = None) -> Any:
    """Return the slices along dim whose numbers are in a vector.

    Raises IndexError for a number out of range, RuntimeError when index is not a vector of integers.

    >>> import fanin as torch
    >>> torch.index_select(torch.tensor([5, 6, 7]), 0, torch.tensor([2, 0]))
    tensor([7, 5])
    """
    array = require_tensor("index_select", input)._array
    dim = wrap_dim(require_dim("index_select", dim), array.ndim)
    rows = index_array("index_select", index, array.shape[dim] if array.ndim else 1, dim)
    if rows.ndim > 1:
        raise DimensionError("index_select(): Index is supposed to be a vector")
    if not array.ndim:
        return to_out(out, input.clone(), "index_select")
    result = apply(ops.getitem, (input,), {"index": along_dim(dim, rows.reshape(-1))})
    return to_out(out, label(result, "IndexSelectBackward0"), "index_select")


@numpy_names
def select(input: Any, dim: int, index: Any) -> Any:
    """Return the view at one position along dim, without that dimension.

    >>> import fanin as torch
    >>> torch.select(torch.tensor([[1, 2], [3, 4]]), 1, -1)
    tensor([2, 4])
    """
    array = require_tensor("select", input)._array
    if not array.ndim:
        raise DimensionError("select() cannot be applied to a 0-dim tensor.")
    dim = wrap_dim(dim, array.ndim)
    if isinstance(index, TensorBase) and not known(index._array):
        return input[(*(slice(None),) * dim, index)]
    index = int(number(index))
    if not -array.shape[dim] <= index < array.shape[dim]:
        raise IndexRangeError(
            f"select(): index {index} out of range for tensor of size {list(array.shape)} at dimension {dim}"
        )
    return label(apply(ops.getitem, (input,), {"index": along_dim(dim, index)}), "SelectBackward0")


@numpy_names
def narrow(input: Any, dim: int, start: Any, length: int) -> Any:
    """Return the view of `length` positions along dim, from start on.

    >>> import fanin as torch
    >>> torch.narrow(torch.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    array = require_tensor("narrow", input)._array
    if not array.ndim:
        raise OperationError("narrow() cannot be applied to a 0-dim tensor.")
    dim, start = wrap_dim(dim, array.ndim), int(number(start))
    n = array.shape[dim]
    if length < 0:
        raise OperationError("narrow(): length must be non-negative.")
    if not -n <= start <= n:
        raise IndexRangeError(f"start out of range (expected to be in range of [{-n}, {n}], but got {start})")
    start = start + n if start < 0 else start
    if start + length > n:
        raise OperationError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    index = along_dim(dim, slice(start, start + length))
    return label(apply(ops.getitem, (input,), {"index": index}), "SliceBackward0")


# By position, one index for each element of the result ----------------------------------------------------------------


def checked_positions(function: str, input: Any, dim: int, index: Any) -> tuple[int, Any]:
    """Return dim from the front and the index array of a gather or scatter, inside the dimension."""
    array = require_tensor(function, input)._array
    dim = wrap_dim(require_dim(function, dim), array.ndim)
    positions = require_tensor(function, index, "index")._array
    if positions.dtype not in (np.int64, np.int32):
        raise DtypeError(
            f"{function}(): Expected dtype int32/int64 for index", remedy=f"It has {index.dtype}; convert with .long()."
        )
    size = array.shape[dim] if array.ndim else 1
    if positions.size and max(positions.ndim, 1) != max(array.ndim, 1):
        raise ShapeError(
            "Index tensor must have the same number of dimensions as input tensor",
            remedy=f"They have {positions.ndim} and {array.ndim}.",
        )
    if positions.size and known(positions) and (positions.min() < 0 or positions.max() >= size):
        wrong = int(positions[(positions < 0) | (positions >= size)].reshape(-1)[0])
        raise ShapeError(f"index {wrong} is out of bounds for dimension {dim} with size {size}")
    return dim, positions


@numpy_names
def gather(input: Any, dim: int, index: Any, *, sparse_grad: bool = False, out: Any = None) -> Any:
    """Return out[i][j] = input[index[i][j]][j] for dim 0, input[i][index[i][j]] for dim 1, and so on.

    Raises RuntimeError for an index out of range, of another number of dimensions or not of integers.

    >>> import fanin as torch
    >>> torch.gather(torch.tensor([[1, 2], [3, 4]]), 1, torch.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    dim, positions = checked_positions("gather", input, dim, index)
    if not input._array.ndim or not positions.ndim:
        result = apply(ops.gather, (input.reshape(-1), positions.reshape(-1)), {"dim": 0}).reshape(positions.shape)
    elif not positions.size:
        result = wrap(np.empty(positions.shape, input._array.dtype))
    else:
        result = apply(ops.gather, (input, positions), {"dim": dim})
    return to_out(out, label(result, "GatherBackward0"), "gather")


def take_along_dim(input: Any, indices: Any, dim: int | None = None, *, out: Any = None) -> Any:
    """Return `gather`, the other dimensions being broadcast; the flattened tensor when dim is None.

    >>> import fanin as torch
    >>> x = torch.tensor([[3, 1], [2, 4]])
    >>> torch.take_along_dim(x, torch.argsort(x, dim=1), dim=1)
    tensor([[1, 3],
            [2, 4]])
    """
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1), out=out)
    if input._array.ndim != indices._array.ndim:
        raise ShapeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {input._array.ndim} dimensions for input, and {indices._array.ndim} dimensions for indices"
        )
    dim = wrap_dim(dim, input._array.ndim)
    lead = list(np.broadcast_shapes(_without(input, dim), _without(indices, dim)))
    shape, index_shape = list(lead), list(lead)
    shape[dim], index_shape[dim] = input._array.shape[dim], indices._array.shape[dim]
    return gather(input.expand(shape), dim, indices.expand(index_shape), out=out)


def _without(x: Any, dim: int) -> tuple[int, ...]:
    return tuple(1 if axis == dim else n for axis, n in enumerate(x._array.shape))


def take(input: Any, index: Any) -> Any:
    """Return the elements of the flattened tensor at the positions of an index tensor, in its shape.

    >>> import fanin as torch
    >>> torch.take(torch.tensor([[5, 6], [7, 8]]), torch.tensor([3, 0]))
    tensor([8, 5])
    """
    if require_tensor("take", index, "index")._array.dtype != np.int64:
        raise DtypeError(f"take(): Expected a long tensor for index, but got {index.type()}")
    size = input._array.size
    if index._array.size and not size:
        raise IndexRangeError("take(): tried to take from an empty tensor")
    if index._array.size and known(index._array) and (index._array.max() >= size or index._array.min() < -size):
        raise IndexRangeError(f"out of range: tried to access an index outside a tensor of {size} elements.")
    return label(apply(ops.getitem, (input.reshape(-1),), {"index": (index._array,)}), "TakeBackward0")


# Where something holds ------------------------------------------------------------------------------------------------


def require_mask(function: str, mask: Any) -> Any:
    """Return the array of a mask; raise RuntimeError unless it is a tensor of bools."""
    if require_tensor(function, mask, "mask")._array.dtype.kind != "b":
        raise DtypeError(f"{function} only supports boolean masks, but got mask with dtype {c_name(mask._array.dtype)}")
    return mask._array


def masked_select(input: Any, mask: Any, *, out: Any = None) -> Any:
    """Return the elements where the mask is true, as a vector; the two broadcast.

    >>> import fanin as torch
    >>> x = torch.tensor([1.0, 5.0, 3.0])
    >>> torch.masked_select(x, x > 2)
    tensor([5., 3.])
    """
    if require_tensor("masked_select", mask, "mask")._array.dtype.kind != "b":
        raise DtypeError("masked_select: expected BoolTensor for mask", remedy=f"Its dtype is {mask.dtype}.")
    values, where = broadcast_tensors(require_tensor("masked_select", input), mask)
    result = apply(ops.getitem, (values,), {"index": (where._array,)})
    if not values._array.ndim:
        result = result.reshape(-1)
    return to_out(out, label(result, "MaskedSelectBackward0"), "masked_select")


def nonzero(input: Any, *, as_tuple: bool = False, out: Any = None) -> Any:
    """Return the indices of the elements that are not 0: one row each, or one vector for each dimension as a tuple.

    >>> import fanin as torch
    >>> torch.nonzero(torch.tensor([0, 3, 0, 4]))
    tensor([[1],
            [3]])
    """
    array = require_known(
        "nonzero",
        require_tensor("nonzero", input),
        "returns a row for each element that is not 0",
        "Keep the shape: torch.where(mask, x, 0), or x * mask. How many they are is (x != 0).sum().",
    )
    if as_tuple:
        return tuple(wrap(found) for found in np.nonzero(array.reshape(-1) if not array.ndim else array))
    if not array.ndim:
        return wrap(np.empty((int(bool(array)), 0), np.int64))
    return to_out(out, wrap(np.argwhere(array).astype(np.int64)), "nonzero")


def argwhere(input: Any) -> Any:
    """Return the indices of the elements that are not 0, one row each.

    >>> import fanin as torch
    >>> torch.argwhere(torch.tensor([[0, 1], [2, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    return nonzero(input)


def tensors_in(indices: Any) -> tuple[Any, ...]:
    """Return the index of `index_put`: a tuple of index tensors and masks."""
    given = (indices,) if isinstance(indices, TensorBase) else tuple(indices)
    for i, index in enumerate(given):
        require_tensor("index_put", index, f"indices[{i}]")
    return given
