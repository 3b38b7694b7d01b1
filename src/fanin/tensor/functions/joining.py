"""Putting tensors together, taking them apart, repeating and turning them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError, CaptureError, DimensionError, OperationError, ShapeError
from fanin.ops import shape as ops
from fanin.ops.elementwise import copy
from fanin.ops.index import getitem
from fanin.ops.order import searchsorted
from fanin.ops.rules import wrap_dim, wrap_dims
from fanin.tensor.base import TensorBase, known
from fanin.tensor.functions.operands import is_dim, numpy_names, require_dim, require_tensor, require_tensors, to_out
from fanin.tensor.functions.shaping import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    expand,
    named_or_rest,
    reshape,
    sizes,
    unsqueeze,
)
from fanin.tensor.tape import apply, label, wrap


def cat(tensors: Any, dim: int = 0, *, out: Any = None, axis: int | None = None) -> Any:
    """Return the tensors one after the other along an existing dimension; dtypes are promoted.

    Raises RuntimeError when shapes differ in another dimension, ValueError when there are no tensors.

    >>> import fanin as torch
    >>> torch.cat([torch.zeros(1, 2), torch.ones(1, 2)], dim=0)
    tensor([[0., 0.],
            [1., 1.]])
    """
    given = require_tensors("cat", tensors)
    if not given:
        raise ArgumentError("torch.cat(): expected a non-empty list of Tensors")
    for i, x in enumerate(given):
        if not x._array.ndim:
            raise ShapeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated; use torch.stack")
    ndim = max(x._array.ndim for x in given)
    dim = wrap_dim(require_dim("cat", dim if axis is None else axis), ndim)
    return to_out(out, apply(ops.cat, given, {"dim": dim}), "cat")


@numpy_names
def stack(tensors: Any, dim: int = 0, *, out: Any = None) -> Any:
    """Return tensors of one shape one after the other along a new dimension.

    Raises RuntimeError when the shapes differ.

    >>> import fanin as torch
    >>> torch.stack([torch.tensor(1), torch.tensor(2)])
    tensor([1, 2])
    """
    given = require_tensors("stack", tensors)
    if not given:
        raise OperationError("stack expects a non-empty TensorList")
    first = given[0]._array.shape
    for i, x in enumerate(given):
        if x._array.shape != first:
            raise ShapeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and "
                f"{list(x._array.shape)} at entry {i}"
            )
    dim = wrap_dim(require_dim("stack", dim), len(first) + 1)
    result = apply(ops.cat, tuple(unsqueeze(x, dim) for x in given), {"dim": dim})
    return to_out(out, label(result, "StackBackward0"), "stack")


def hstack(tensors: Any, *, out: Any = None) -> Any:
    """Return the tensors side by side: along the second dimension, vectors along their only one.

    >>> import fanin as torch
    >>> torch.hstack([torch.tensor([[1], [2]]), torch.tensor([[3], [4]])])
    tensor([[1, 3],
            [2, 4]])
    """
    given = [atleast_1d(x) for x in _some("hstack", tensors)]
    return cat(given, 0 if given[0]._array.ndim == 1 else 1, out=out)


def vstack(tensors: Any, *, out: Any = None) -> Any:
    """Return the tensors below each other, vectors as rows.

    >>> import fanin as torch
    >>> torch.vstack([torch.tensor([1, 2]), torch.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return cat([atleast_2d(x) for x in _some("vstack", tensors)], 0, out=out)


def dstack(tensors: Any, *, out: Any = None) -> Any:
    """Return the tensors behind each other, along the third dimension.

    >>> import fanin as torch
    >>> torch.dstack([torch.tensor([1, 2]), torch.tensor([3, 4])])
    tensor([[[1, 3],
             [2, 4]]])
    """
    return cat([atleast_3d(x) for x in _some("dstack", tensors)], 2, out=out)


def column_stack(tensors: Any, *, out: Any = None) -> Any:
    """Return the tensors side by side, vectors as columns.

    >>> import fanin as torch
    >>> torch.column_stack([torch.tensor([1, 2]), torch.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    given = _some("column_stack", tensors)
    return hstack([reshape(x, (x.numel(), 1)) if x._array.ndim < 2 else x for x in given], out=out)


def _some(function: str, tensors: Any) -> tuple[Any, ...]:
    given = require_tensors(function, tensors)
    if not given:
        raise OperationError(f"{function} expects a non-empty TensorList")
    return given


# Taking apart ---------------------------------------------------------------------------------------------------------


def _part(input: Any, dim: int, start: int, stop: int, name: str) -> Any:
    index = (slice(None),) * dim + (slice(start, stop),)
    return label(apply(getitem, (input,), {"index": index}), name)


def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Return views of split_size elements along dim, the last one perhaps smaller, or of the sizes listed.

    >>> import fanin as torch
    >>> [len(part) for part in torch.split(torch.arange(5), 2)]
    [2, 2, 1]
    """
    array = require_tensor("split", tensor)._array
    if not array.ndim:
        raise OperationError("split expects at least a 1-dimensional tensor")
    dim = wrap_dim(dim, array.ndim)
    n = array.shape[dim]
    if not is_dim(split_size_or_sections):
        return _sections(tensor, tuple(int(s) for s in split_size_or_sections), dim)
    size = int(split_size_or_sections)
    if size < 0:
        raise OperationError(f"split expects split_size be non-negative, but got split_size={size}")
    if size == 0 and n:
        raise OperationError(f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
    starts = range(0, n, size) if n else [0]
    return tuple(_part(tensor, dim, i, min(i + size, n), "SplitBackward0") for i in starts)


def _sections(tensor: Any, sections: tuple[int, ...], dim: int) -> tuple[Any, ...]:
    n = tensor._array.shape[dim]
    if any(s < 0 for s in sections) or sum(sections) != n:
        raise OperationError(
            f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {dim}), but "
            f"got split_sizes={list(sections)}"
        )
    ends = np.cumsum(sections, dtype=np.int64).tolist()
    return tuple(_part(tensor, dim, e - s, e, "SplitWithSizesBackward0") for s, e in zip(sections, ends, strict=True))


def split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> tuple[Any, ...]:
    """Return views of the sizes listed along dim.

    >>> import fanin as torch
    >>> torch.split_with_sizes(torch.arange(3), (1, 2))
    (tensor([0]), tensor([1, 2]))
    """
    return _sections(input, tuple(split_sizes), wrap_dim(dim, input._array.ndim))


@numpy_names
def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """Return at most `chunks` views of equal size along dim, the last one perhaps smaller.

    >>> import fanin as torch
    >>> [len(part) for part in torch.chunk(torch.arange(7), 3)]
    [3, 3, 1]
    """
    array = require_tensor("chunk", input)._array
    if not array.ndim:
        raise OperationError("chunk expects at least a 1-dimensional tensor")
    if chunks < 1:
        raise OperationError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    dim = wrap_dim(dim, array.ndim)
    n = array.shape[dim]
    if not n:
        return tuple(_part(input, dim, 0, 0, "SplitBackward0") for _ in range(chunks))
    return split(input, -(-n // chunks), dim)


@numpy_names
def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Return views cut at the indices, or a number of views whose sizes differ by at most 1.

    >>> import fanin as torch
    >>> [len(part) for part in torch.tensor_split(torch.arange(7), 3)]
    [3, 2, 2]
    """
    array = require_tensor("tensor_split", input)._array
    if not array.ndim:
        raise OperationError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    dim = wrap_dim(dim, array.ndim)
    n = array.shape[dim]
    if isinstance(indices_or_sections, TensorBase):
        indices_or_sections = indices_or_sections._array.tolist()
    if is_dim(indices_or_sections):
        if indices_or_sections < 1:
            raise OperationError(f"number of sections must be larger than 0, got {indices_or_sections}")
        size, longer = divmod(n, indices_or_sections)
        cuts = [i * size + min(i, longer) for i in range(1, indices_or_sections)]
    else:
        cuts = [int(i) for i in indices_or_sections]
    bounds = zip([0, *cuts], [*cuts, n], strict=True)
    return tuple(_part(input, dim, start, stop, "SliceBackward0") for start, stop in bounds)


def hsplit(input: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """Return views cut along the second dimension, or the only one.

    >>> import fanin as torch
    >>> torch.hsplit(torch.tensor([[1, 2], [3, 4]]), 2)
    (tensor([[1],
            [3]]), tensor([[2],
            [4]]))
    """
    return _even_split("hsplit", input, indices_or_sections, 0 if input._array.ndim == 1 else 1, 1)


def vsplit(input: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """Return views cut along the first dimension.

    >>> import fanin as torch
    >>> torch.vsplit(torch.tensor([[1, 2], [3, 4]]), 2)
    (tensor([[1, 2]]), tensor([[3, 4]]))
    """
    return _even_split("vsplit", input, indices_or_sections, 0, 2)


def dsplit(input: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """Return views cut along the third dimension.

    >>> import fanin as torch
    >>> [x.shape for x in torch.dsplit(torch.ones(1, 2, 4), 2)]
    [torch.Size([1, 2, 2]), torch.Size([1, 2, 2])]
    """
    return _even_split("dsplit", input, indices_or_sections, 2, 3)


def _even_split(function: str, input: Any, parts: Any, dim: int, least: int) -> tuple[Any, ...]:
    shape = input._array.shape
    if len(shape) < least:
        raise OperationError(
            f"torch.{function} requires a tensor with at least {least} dimension, but got a tensor with {len(shape)} "
            "dimensions!"
        )
    if is_dim(parts) and (parts < 1 or shape[dim] % parts):
        raise OperationError(
            f"torch.{function} attempted to split along dimension {dim}, but the size of the dimension {shape[dim]} is "
            f"not divisible by the split_size {parts}!"
        )
    return tensor_split(input, parts, dim)


@numpy_names
def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """Return the views that remain when dim is taken out, one for each position along it.

    >>> import fanin as torch
    >>> torch.unbind(torch.tensor([[1, 2], [3, 4]]), dim=1)
    (tensor([1, 3]), tensor([2, 4]))
    """
    array = require_tensor("unbind", input)._array
    if not array.ndim:
        raise DimensionError("Dimension specified as 0 but tensor has no dimensions")
    dim = wrap_dim(dim, array.ndim)
    lead = (slice(None),) * dim
    parts = (apply(getitem, (input,), {"index": (*lead, i)}) for i in range(array.shape[dim]))
    return tuple(label(part, "UnbindBackward0") for part in parts)


# Repeating ------------------------------------------------------------------------------------------------------------


def repeat(input: Any, *repeats: Any, **keywords: Any) -> Any:
    """Return the tensor repeated as often as said along each dimension; new dimensions come in front.

    >>> import fanin as torch
    >>> torch.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    times, shape = sizes(named_or_rest("repeat", "repeats", repeats, keywords)), input._array.shape
    if len(times) < len(shape):
        raise OperationError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"
        )
    if any(n < 0 for n in times):
        raise OperationError(f"Trying to create tensor with negative dimension: repeats {list(times)}")
    shape = (1,) * (len(times) - len(shape)) + shape
    apart = reshape(input, [n for size in shape for n in (1, size)])
    spread = expand(apart, [n for pair in zip(times, shape, strict=True) for n in pair])
    copied = apply(copy, (spread,), {"order": "C"})
    return label(reshape(copied, [n * size for n, size in zip(times, shape, strict=True)]), "RepeatBackward0")


def tile(input: Any, *dims: Any, **keywords: Any) -> Any:
    """Return the tensor repeated as often as said along each dimension, the last ones when fewer are named.

    >>> import fanin as torch
    >>> torch.tile(torch.tensor([[1, 2], [3, 4]]), (2,))
    tensor([[1, 2, 1, 2],
            [3, 4, 3, 4]])
    """
    times = sizes(named_or_rest("tile", "dims", dims, keywords))
    return repeat(input, (1,) * (input._array.ndim - len(times)) + times)


@numpy_names
def repeat_interleave(
    input: Any, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Any:
    """Return each element repeated on the spot, a number of times or as often as `repeats` says for it.

    With repeats alone: 0 repeats[0] times, then 1 repeats[1] times, and so on.

    >>> import fanin as torch
    >>> torch.repeat_interleave(torch.tensor([5, 6]), 2)
    tensor([5, 5, 6, 6])
    """
    if repeats is None:
        return _repeated(input, input.numel(), output_size)
    if dim is None:
        input, dim = reshape(input, (input.numel(),)), 0
    if not input._array.ndim:
        input = reshape(input, (1,))
    dim = wrap_dim(dim, input._array.ndim)
    counts = repeats if isinstance(repeats, TensorBase) else wrap(np.asarray(repeats))
    array, n = counts._array, input._array.shape[dim]
    if array.dtype.kind not in "iu":
        raise OperationError(f"repeats has to be Long or Int tensor, got {array.dtype}")
    if known(array) and (array < 0).any():
        raise OperationError("repeats can not be negative")
    if array.size not in (1, n) or array.ndim > 1:
        raise OperationError(f"repeats must have the same size as input along dim, got {array.shape} for {n}")
    rows = _repeated(counts, n, output_size)
    return apply(getitem, (input,), {"index": (slice(None),) * dim + (rows._array,)})


def _repeated(counts: Any, n: int, length: int | None) -> Any:
    """Return 0, 1, ..., n - 1, each as often as it counts; `length` of them together."""
    array = counts._array
    if known(array):
        return wrap(np.repeat(np.arange(n), np.broadcast_to(array.reshape(-1), (n,))).astype(np.int64))
    if length is None:
        raise CaptureError(
            "repeat_interleave() returns as many elements as its repeats add up to, which is not known in a captured "
            "step",
            remedy="Say how many they are: repeat_interleave(x, repeats, output_size=n).",
        )
    ends = reshape(counts, (array.size,)).expand(n).cumsum(0)
    return apply(searchsorted, (ends, wrap(np.arange(length))), {"side": "right"})


# Turning --------------------------------------------------------------------------------------------------------------


def flip(input: Any, *dims: Any, **keywords: Any) -> Any:
    """Return a copy with the order along the dimensions reversed.

    >>> import fanin as torch
    >>> torch.flip(torch.tensor([[1, 2], [3, 4]]), dims=(0, 1))
    tensor([[4, 3],
            [2, 1]])
    """
    axes = sizes(named_or_rest("flip", "dims", dims, keywords))
    wrapped = wrap_dims(axes, require_tensor("flip", input)._array.ndim) if axes else ()
    return apply(ops.flip, (input,), {"dims": wrapped})


def fliplr(input: Any) -> Any:
    """Return a copy with the columns in reverse order.

    >>> import fanin as torch
    >>> torch.fliplr(torch.tensor([[1, 2], [3, 4]]))
    tensor([[2, 1],
            [4, 3]])
    """
    if input._array.ndim < 2:
        raise OperationError("Input must be >= 2-d.")
    return flip(input, 1)


def flipud(input: Any) -> Any:
    """Return a copy with the rows in reverse order.

    >>> import fanin as torch
    >>> torch.flipud(torch.tensor([[1, 2], [3, 4]]))
    tensor([[3, 4],
            [1, 2]])
    """
    if input._array.ndim < 1:
        raise OperationError("Input must be >= 1-d.")
    return flip(input, 0)


def roll(input: Any, shifts: Any, dims: Any = None) -> Any:
    """Return a copy with the elements moved along the dimensions; what leaves at one end enters at the other.

    >>> import fanin as torch
    >>> torch.roll(torch.arange(4), 1)
    tensor([3, 0, 1, 2])
    """
    moves = (shifts,) if is_dim(shifts) else tuple(shifts)
    if dims is None or (not is_dim(dims) and not len(dims)):
        if len(moves) != 1:
            raise OperationError(f"shifts and dimensions must align. shifts: {len(moves)}, dims:0")
        return apply(ops.roll, (input,), {"shifts": moves[0], "dims": None})
    axes = (dims,) if is_dim(dims) else tuple(dims)
    if len(axes) != len(moves):
        raise OperationError(f"shifts and dimensions must align. shifts: {len(moves)}, dims:{len(axes)}")
    if not input._array.ndim:
        raise DimensionError(f"Dimension specified as {axes[0]} but tensor has no dimensions")
    axes = tuple(wrap_dim(d, input._array.ndim) for d in axes)
    return apply(ops.roll, (input,), {"shifts": moves, "dims": axes})


def rot90(input: Any, k: int = 1, dims: Any = (0, 1)) -> Any:
    """Return a copy turned k times by 90 degrees from the first towards the second of two dimensions.

    >>> import fanin as torch
    >>> torch.rot90(torch.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    if input._array.ndim < 2:
        raise OperationError(f"expected total dims >= 2, but got total dims = {input._array.ndim}")
    a, b = (wrap_dim(d, input._array.ndim) for d in dims)
    if a == b:
        raise OperationError("expected rotation dims to be different")
    turns = k % 4
    if turns == 0:
        return input.clone()
    if turns == 2:
        return label(flip(input, a, b), "Rot90Backward0")
    return label(flip(input, b if turns == 1 else a).transpose(a, b), "Rot90Backward0")


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Any, ...]:
    """Return for each vector a tensor over the grid of all, in which it runs along its own dimension.

    indexing "ij" (the default) puts the first vector along the rows, "xy" along the columns.

    >>> import fanin as torch
    >>> x, y = torch.meshgrid(torch.tensor([1, 2]), torch.tensor([3, 4, 5]), indexing="ij")
    >>> x.shape
    torch.Size([2, 3])
    """
    given = require_tensors(
        "meshgrid", tensors[0] if len(tensors) == 1 and not isinstance(tensors[0], TensorBase) else tensors
    )
    if not given:
        raise OperationError("meshgrid expects a non-empty TensorList")
    if indexing not in (None, "ij", "xy"):
        raise OperationError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    for x in given:
        if x._array.ndim > 1:
            raise OperationError(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {x!r}")
    shape = [x.numel() for x in given]
    swapped = indexing == "xy" and len(given) > 1
    grids = []
    for i, x in enumerate(given):
        along = reshape(x, [-1 if axis == i else 1 for axis in range(len(given))]) if x.numel() else x
        grid = expand(along, shape)
        grids.append(grid.transpose(0, 1) if swapped else grid)
    return tuple(grids)


concat = concatenate = cat
row_stack = vstack
