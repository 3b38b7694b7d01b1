"""Copies of a tensor with some elements written: scatter, index_add, masked_fill and their relatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.dtypes import category
from fanin._core.errors import DimensionError, DtypeError, IndexRangeError, OperationError, ShapeError
from fanin.ops import arithmetic
from fanin.ops import index as ops
from fanin.ops import shape as shape_ops
from fanin.ops.rules import refuse_overflow, wrap_dim
from fanin.tensor.base import TensorBase, known
from fanin.tensor.functions.indexing import normalise
from fanin.tensor.functions.operands import as_tensor_like, number, require_tensor, to_out
from fanin.tensor.functions.selecting import (
    along_dim,
    checked_positions,
    existing,
    index_array,
    require_mask,
    tensors_in,
)
from fanin.tensor.tape import apply, label, wrap


def _put(input: Any, index: Any, values: Any, name: str, accumulate: bool = False) -> Any:
    values = as_tensor_like(values, input)
    return label(apply(ops.index_put, (input, values), {"index": index, "accumulate": accumulate}), name)


# scatter: the reverse of gather ---------------------------------------------------------------------------------------


def scatter(input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Any:
    """Return a copy with copy[index[i][j]][j] = src[i][j] for dim 0, copy[i][index[i][j]] = src[i][j] for dim 1, ...

    src is a tensor at least as large as index, or a number. reduce "add" or "multiply" combines with what is there.

    >>> import fanin as torch
    >>> torch.scatter(torch.zeros(2, 3), 1, torch.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    src = value if src is None else src
    dim, positions = checked_positions("scatter", input, dim, index)
    if reduce is not None:
        if reduce not in ("add", "multiply"):
            raise OperationError("reduce argument must be either add or multiply.")
        source = as_tensor_like(src, input)
        source = source if source._array.ndim else source.expand(positions.shape)
        return scatter_reduce(input, dim, index, source, {"add": "sum", "multiply": "prod"}[reduce])
    if not positions.size:
        return input.clone()
    name = "ScatterBackward0" if isinstance(src, TensorBase) else "ScatterBackward1"
    return _put(input, _places(input, dim, positions), _source("scatter", input, positions, src), name)


def _places(input: Any, dim: int, positions: Any) -> Any:
    if not input._array.ndim:
        return ()
    size = input._array.shape[dim]
    positions = existing(
        positions, size, f"index {{index}} is out of bounds for dimension {dim} with size {size}", True
    )
    return ops.along(positions if positions.ndim else positions.reshape(1), dim)


def _added(input: Any, dim: int, positions: Any, source: Any) -> Any:
    """Return a sum with what goes to positions that are not known yet."""
    shape = input._array.shape
    moved = apply(ops.scatter_add_zeros, (source, wrap(positions)), {"shape": shape, "dim": dim})
    return input + moved


def _source(function: str, input: Any, positions: Any, src: Any) -> Any:
    """Return the part of src that index covers; a number as it is."""
    if not isinstance(src, TensorBase):
        if function != "scatter":
            require_tensor(function, src, "src")
        return src
    source: Any = src
    if source._array.dtype != input._array.dtype:
        raise DtypeError(
            "scatter(): Expected self.dtype to be equal to src.dtype",
            remedy=f"self is {input.dtype}, src {source.dtype}: convert one of them.",
        )
    if any(n > m for n, m in zip(positions.shape, source._array.shape, strict=False)):
        raise ShapeError(
            f"Expected index {list(positions.shape)} to be no larger than src {list(source._array.shape)} anywhere"
        )
    if not input._array.ndim:
        return source.reshape(())
    return source if source._array.shape == positions.shape else source[tuple(slice(0, n) for n in positions.shape)]


def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """Return a copy with src added at the places that index names; several may meet at one place.

    >>> import fanin as torch
    >>> torch.scatter_add(torch.zeros(3), 0, torch.tensor([0, 2, 0]), torch.tensor([1.0, 2.0, 3.0]))
    tensor([4., 0., 2.])
    """
    dim, positions = checked_positions("scatter_add", input, dim, index)
    if not positions.size:
        return input.clone()
    source = _source("scatter_add", input, positions, src)
    if not known(positions) and input._array.ndim:
        return label(_added(input, dim, positions, source), "ScatterAddBackward0")
    return _put(input, _places(input, dim, positions), source, "ScatterAddBackward0", accumulate=True)


_REDUCE = {"sum": "sum", "prod": "prod", "mean": "mean", "amax": "amax", "amin": "amin", "max": "amax", "min": "amin"}


def scatter_reduce(input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    """Return a copy in which the src values of one place are combined: "sum", "prod", "mean", "amax" or "amin".

    include_self says whether what the input holds there takes part.

    >>> import fanin as torch
    >>> torch.scatter_reduce(torch.zeros(2), 0, torch.tensor([0, 1, 0]), torch.tensor([1.0, 2.0, 3.0]), "amax")
    tensor([3., 2.])
    """
    if reduce not in _REDUCE:
        raise OperationError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}.")
    reduce = _REDUCE[reduce]
    dim, positions = checked_positions("scatter_reduce", input, dim, index)
    if not positions.size:
        return input.clone()
    source = _source("scatter_reduce", input, positions, src)
    if not known(positions) and input._array.ndim:
        return _reduced_later(input, dim, positions, source, reduce, include_self)
    places = _places(input, dim, positions)
    start = input if include_self else _put(input, places, _neutral(reduce, input._array.dtype), "")
    if reduce in ("sum", "mean"):
        total = _put(start, places, source, "ScatterReduceBackward0", accumulate=True)
        return total if reduce == "sum" else _divided(total, input, places, include_self)
    result = apply(ops.scatter_combine, (start, source), {"index": places, "how": reduce})
    return label(result, "ScatterReduceBackward0")


def _reduced_later(input: Any, dim: int, positions: Any, source: Any, reduce: str, include_self: bool) -> Any:
    """Do what scatter_reduce does with positions that are not known yet."""
    shape, kind = input._array.shape, input._array.dtype
    ones = wrap(np.ones(positions.shape, np.int64))
    counts = apply(ops.scatter_add_zeros, (ones, wrap(positions)), {"shape": shape, "dim": dim})
    neutral = wrap(np.asarray(_neutral(reduce, kind), kind))
    start = input if include_self else apply(arithmetic.where, (counts > 0, neutral, input), {})
    if reduce in ("sum", "mean"):
        total = _added(start, dim, positions, source)
        divisor = (counts + int(include_self)).clamp(min=1).to(input.dtype)
        result = total if reduce == "sum" else total / divisor if category(kind) == 2 else total // divisor
    else:
        places = {"index": _places(input, dim, positions), "how": reduce}
        result = apply(ops.scatter_combine, (start, source), places)
    return label(result, "ScatterReduceBackward0")


def _neutral(reduce: str, dtype: np.dtype[Any]) -> Any:
    if reduce in ("sum", "mean"):
        return 0
    if reduce == "prod":
        return 1
    if dtype.kind == "f":
        return -np.inf if reduce == "amax" else np.inf
    info = np.iinfo(dtype)
    return info.min if reduce == "amax" else info.max


def _divided(total: Any, input: Any, places: Any, include_self: bool) -> Any:
    counts = np.full(input._array.shape, int(include_self))
    np.add.at(counts, places, 1)
    divisor = as_tensor_like(np.maximum(counts, 1), input)
    return total / divisor if category(input._array.dtype) == 2 else total // divisor


# Along a dimension ----------------------------------------------------------------------------------------------------


def _rows(function: str, input: Any, dim: int, index: Any) -> tuple[int, Any]:
    array = require_tensor(function, input)._array
    dim = wrap_dim(dim, array.ndim)
    size = array.shape[dim] if array.ndim else 1
    try:
        rows = index_array(function, index, size, dim)
    except IndexRangeError as error:
        if function == "index_add":
            raise OperationError(str(error)) from None  # PyTorch's IndexError is a RuntimeError here
        raise
    if rows.ndim > 1:
        raise DimensionError(f"{function}(): Index is supposed to be a vector, but got dim: {rows.ndim}")
    return dim, rows.reshape(-1)


def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """Return a copy with alpha * source added to the slices along dim whose numbers are in index.

    >>> import fanin as torch
    >>> torch.index_add(torch.ones(3), 0, torch.tensor([0, 2, 0]), torch.tensor([1.0, 2.0, 3.0]), alpha=10)
    tensor([41.,  1., 21.])
    """
    dim, rows = _rows("index_add", input, dim, index)
    _require_slices("index_add", input, dim, rows, source)
    source = source if alpha == 1 else source * alpha
    if not known(rows) and input._array.ndim:
        spread = shape_ops.reshape(rows, (-1,) + (1,) * (input._array.ndim - 1 - dim))
        positions = arithmetic.expand(spread, source._array.shape)
        return to_out(out, label(_added(input, dim, positions, source), "IndexAddBackward0"), "index_add")
    place = along_dim(dim, rows) if input._array.ndim else ()
    source = source if input._array.ndim else source.reshape(-1).sum()
    return to_out(out, _put(input, place, source, "IndexAddBackward0", accumulate=True), "index_add")


def index_reduce(
    input: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True, out: Any = None
) -> Any:
    """Return a copy in which the slices of source of one place are combined: "prod", "mean", "amax" or "amin".

    include_self says whether what the input holds there takes part.

    >>> import fanin as torch
    >>> torch.index_reduce(torch.zeros(2), 0, torch.tensor([0, 0, 1]), torch.tensor([1.0, 3.0, 2.0]), "amax")
    tensor([3., 2.])
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise OperationError(f"reduce argument must be either prod, mean, amax or amin, got {reduce}.")
    dim, rows = _rows("index_reduce", input, dim, index)
    _require_slices("index_reduce", input, dim, rows, source)
    spread = index.reshape((-1,) + (1,) * (input._array.ndim - 1 - dim)).expand(source._array.shape)
    return to_out(out, scatter_reduce(input, dim, spread, source, reduce, include_self=include_self), "index_reduce")


_UNEQUAL = {
    "index_add": "index_add_(): self ({}) and source ({}) must have the same scalar type",
    "index_put": "Index put requires the source and destination dtypes match, got {} for the destination and {} for "
    "the source.",
}


def _require_same_dtype(function: str, input: Any, source: Any) -> None:
    if source._array.dtype != input._array.dtype:
        other = f"{function}_(): self and source expected to have the same dtype, but got (self) {{}} and (source) {{}}"
        kinds = (t.type().rpartition(".")[2].removesuffix("Tensor") for t in (input, source))
        raise DtypeError(_UNEQUAL.get(function, other).format(*kinds))


def _require_slices(function: str, input: Any, dim: int, rows: Any, source: Any) -> None:
    _require_same_dtype(function, input, source)
    shape = source._array.shape
    count = shape[dim] if shape else 1
    if count != rows.size:
        error = IndexRangeError if function == "index_copy" else OperationError
        raise error(
            f"{function}_(): Number of indices ({rows.size}) should be equal to source.size(dim): "
            f"({count}), for dim: {dim}"
        )
    rest = tuple(n for axis, n in enumerate(shape) if axis != dim)
    expected = tuple(n for axis, n in enumerate(input._array.shape) if axis != dim)
    if rest != expected:
        raise ShapeError(
            f"{function}(): source {list(shape)} must have input's sizes {list(input._array.shape)}, dim {dim} aside"
        )


def index_copy(input: Any, dim: int, index: Any, source: Any, *, out: Any = None) -> Any:
    """Return a copy with the slices along dim whose numbers are in index replaced by those of source.

    >>> import fanin as torch
    >>> torch.index_copy(torch.zeros(3), 0, torch.tensor([2, 0]), torch.tensor([5.0, 6.0]))
    tensor([6., 0., 5.])
    """
    dim, rows = _rows("index_copy", input, dim, index)
    _require_slices("index_copy", input, dim, rows, source)
    place = along_dim(dim, rows) if input._array.ndim else ()
    source = source if input._array.ndim else source.reshape(())
    return to_out(out, _put(input, place, source, "IndexCopyBackward0"), "index_copy")


def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """Return a copy with the slices along dim whose numbers are in index set to one value.

    >>> import fanin as torch
    >>> torch.index_fill(torch.zeros(2, 3), 1, torch.tensor([0, 2]), 7)
    tensor([[7., 0., 7.],
            [7., 0., 7.]])
    """
    array = require_tensor("index_fill", input)._array
    dim = wrap_dim(dim, array.ndim)
    positions = index._array
    if positions.dtype not in (np.int64, np.int32):
        raise DimensionError(f"index_fill_(): Expected dtype int64 for index, got {index.dtype}")
    if positions.ndim > 1:
        raise OperationError(f"Index has to be a vector/scalar, got {positions.ndim} dimensions")
    size = array.shape[dim] if array.ndim else 1
    if positions.size and known(positions) and (positions.min() < -size or positions.max() >= size):
        raise IndexRangeError(f"index_fill_(): an index is out of bounds for dimension {dim} with size {size}")
    if isinstance(value, TensorBase) and value._array.ndim:
        raise OperationError(
            "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._array.ndim} dimension(s)."
        )
    if not known(positions):  # which may count from the end
        message = f"index_fill_(): an index is out of bounds for dimension {dim} with size {size}"
        positions = ops.within(positions + size, size=2 * size, message=message) - size
    place = along_dim(dim, positions.reshape(-1)) if array.ndim else ()
    return _put(input, place, value, "IndexFillBackward0")


# By mask and by any index ---------------------------------------------------------------------------------------------


def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """Return a copy with the elements where the mask is true set to a value.

    Raises RuntimeError when the mask is not of bools.

    >>> import fanin as torch
    >>> x = torch.tensor([1.0, -2.0])
    >>> x.masked_fill(x < 0, 0)
    tensor([1., 0.])
    """
    require_mask("masked_fill_", mask)
    if isinstance(value, TensorBase):
        if value._array.ndim:
            raise OperationError(
                "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value._array.ndim} dimension(s)."
            )
        if known(value._array):
            refuse_overflow([number(value)], input._array.dtype)
        value = value.to(input.dtype)  # type: ignore[attr-defined]
    return label(apply(arithmetic.where, (mask, as_tensor_like(value, input), input), {}), "MaskedFillBackward0")


def masked_scatter(input: Any, mask: Any, source: Any) -> Any:
    """Return a copy with the elements where the mask is true taken from source, one after the other.

    >>> import fanin as torch
    >>> torch.masked_scatter(torch.zeros(3), torch.tensor([True, False, True]), torch.tensor([5.0, 6.0]))
    tensor([5., 0., 6.])
    """
    require_mask("masked_scatter_", mask)
    if source._array.dtype != input._array.dtype:
        raise DtypeError(
            f"masked_scatter_: expected self and source to have same dtypes but got {input.dtype} and {source.dtype}"
        )
    shape = np.broadcast_shapes(input._array.shape, mask._array.shape)
    if not known(mask._array):
        return _taken_in_turn(input.expand(shape), mask.expand(shape), source.reshape(-1))
    places = np.broadcast_to(mask._array, shape)
    count = int(places.sum())
    if count > source._array.size:
        raise OperationError("Number of elements of source < number of ones in mask")
    return _put(input.expand(shape), (places,), source.reshape(-1)[:count], "MaskedScatterBackward0")


def _taken_in_turn(input: Any, mask: Any, source: Any) -> Any:
    """Return the input where a mask that is not known yet is false, else the source's elements one after the other."""
    number = (mask.reshape(-1).cumsum(0) - 1).clamp(min=0)
    message = "Number of elements of source < number of ones in mask"
    number = apply(ops.within, (number,), {"size": max(source._array.size, 1), "message": message, "runtime": True})
    if not source._array.size:
        return input.clone()
    taken = apply(ops.gather, (source, number), {"dim": 0}).reshape(mask.shape)
    return label(apply(arithmetic.where, (mask, taken, input), {}), "MaskedScatterBackward0")


def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """Return a copy with values written, or added, at the elements that index tensors select.

    >>> import fanin as torch
    >>> torch.index_put(torch.zeros(2, 2), (torch.tensor([0, 1]), torch.tensor([1, 0])), torch.tensor([5.0, 6.0]))
    tensor([[0., 5.],
            [6., 0.]])
    """
    index = normalise(tensors_in(indices), input._array.shape)
    _require_same_dtype("index_put", input, require_tensor("index_put", values, "values"))
    return _put(input, index, values, "IndexPutBackward0", accumulate)


def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """Return a copy with source written, or added, at positions of the flattened tensor.

    >>> import fanin as torch
    >>> torch.put(torch.zeros(2, 2), torch.tensor([3, 0]), torch.tensor([5.0, 6.0]))
    tensor([[6., 0.],
            [0., 5.]])
    """
    _require_same_dtype("put", input, source)
    flat = _put(input.reshape(-1), (index._array,), source.reshape(index._array.shape), "", accumulate)
    return label(flat.reshape(input._array.shape), "PutBackward0")


def select_scatter(input: Any, src: Any, dim: int, index: int) -> Any:
    """Return a copy with src written at one position along dim.

    >>> import fanin as torch
    >>> torch.select_scatter(torch.zeros(2, 2), torch.tensor([5.0, 6.0]), 1, 0)
    tensor([[5., 0.],
            [6., 0.]])
    """
    return _put(input, along_dim(wrap_dim(dim, input._array.ndim), index), src, "SelectScatterBackward0")


def slice_scatter(
    input: Any, src: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Any:
    """Return a copy with src written at a slice along dim.

    >>> import fanin as torch
    >>> torch.slice_scatter(torch.zeros(5), torch.tensor([5.0, 6.0]), start=1, end=5, step=2)
    tensor([0., 5., 0., 6., 0.])
    """
    place = along_dim(wrap_dim(dim, input._array.ndim), slice(start, end, step))
    return _put(input, place, src, "SliceScatterBackward0")


def diagonal_scatter(input: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """Return a copy with src written along a diagonal.

    >>> import fanin as torch
    >>> torch.diagonal_scatter(torch.zeros(2, 2), torch.tensor([5.0, 6.0]))
    tensor([[5., 0.],
            [0., 6.]])
    """
    moved = input.movedim((dim1, dim2), (-2, -1))
    rows, columns = moved._array.shape[-2:]
    i = np.arange(max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns)))
    place = (Ellipsis, i + max(-offset, 0), i + max(offset, 0))
    return _put(moved, place, src, "DiagonalScatterBackward0").movedim((-2, -1), (dim1, dim2))
