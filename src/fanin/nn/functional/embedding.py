"""Rows of a table by number."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import (
    ArgumentConflictError,
    ArgumentError,
    CaptureError,
    IndexRangeError,
    OperationError,
    UnsupportedDtypeError,
)
from fanin.nn.functional.checks import require_tensor
from fanin.ops.arithmetic import equal
from fanin.ops.elementwise import cast
from fanin.ops.index import scatter_add_zeros, take_rows
from fanin.ops.shape import reshape
from fanin.tensor.base import TensorBase, known
from fanin.tensor.in_place import bump
from fanin.tensor.tape import apply, wrap


def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    """Return a row with a single 1 for each class number.

    Args:
        tensor: (*), int64, each in [0, num_classes).
        num_classes: one more than the largest number when -1.

    Returns (*, num_classes), int64. Raises RuntimeError for other dtypes and for numbers outside the range.

    >>> import fanin as torch
    >>> torch.nn.functional.one_hot(torch.tensor([0, 2]), 3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    require_tensor("one_hot", tensor)
    classes = tensor._array
    if classes.dtype != np.int64:
        raise OperationError("one_hot is only applicable to index tensor of type LongTensor.")
    if not classes.size:
        if num_classes <= 0:
            raise OperationError("Can not infer total number of classes from empty tensor.")
        return wrap(np.zeros((*classes.shape, num_classes), np.int64))
    if not known(classes):
        return wrap(_later_one_hot(classes, num_classes))
    if classes.min() < 0:
        raise OperationError("Class values must be non-negative.")
    if num_classes == -1:
        num_classes = int(classes.max()) + 1
    elif classes.max() >= num_classes:
        raise OperationError(
            "Class values must be smaller than num_classes.",
            remedy=f"The largest is {int(classes.max())}, and num_classes is {num_classes}.",
        )
    return wrap(np.eye(num_classes, dtype=np.int64)[classes])


def _later_one_hot(classes: Any, num_classes: int) -> Any:
    """Return the rows of class numbers that come later."""
    if num_classes == -1:
        raise CaptureError(
            "one_hot without num_classes reads the largest class number, which cannot be captured",
            remedy="Say how many classes there are: one_hot(tensor, num_classes).",
        )
    return rows_of_ones(classes, num_classes, np.dtype(np.int64))


def rows_of_ones(classes: Any, count: int, dtype: Any) -> Any:
    """Return rows of zeros and a one at the class, (*, count), of class numbers (*)."""
    here = equal(reshape(classes, (*classes.shape, 1)), np.arange(count))
    return cast(here, dtype=dtype)


def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """Return the rows of weight with the numbers in input.

    Args:
        input: (*), int64 or int32, each in [0, rows).
        weight: (rows, size).
        padding_idx: the row that gets no gradient; counted from the end when negative.
        max_norm: rows that are used and longer are first shortened, in place, to this length.
        norm_type: p of that length.
        scale_grad_by_freq: divide a row's gradient by how often the row is used.
        sparse: accepted; gradients are dense.

    Returns (*, size). Raises IndexError for numbers outside the range, RuntimeError for other dtypes.

    >>> import fanin as torch
    >>> torch.nn.functional.embedding(torch.tensor([1]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.]])
    """
    index = _row_numbers("embedding", input, weight)
    rows = weight._array.shape[0]
    padding_idx = _padding(padding_idx, rows)
    if max_norm is not None:
        _shorten(weight, index, max_norm, norm_type)
    how = {"padding_idx": padding_idx, "by_frequency": bool(scale_grad_by_freq)}
    return apply(take_rows, (weight, input if input._array is index else index), how)


def _row_numbers(function: str, input: Any, weight: Any) -> Any:
    require_tensor(function, input)
    require_tensor(function, weight, "weight", 2)
    index, table = input._array, weight._array
    if table.ndim != 2:
        raise OperationError("'weight' must be 2-D")
    if index.dtype not in (np.int64, np.int32):
        raise OperationError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but "
            f"got torch.{input.dtype.legacy_name}Tensor instead (while checking arguments for {function})",
            remedy="Convert with .long().",
        )
    if index.size and known(index) and (index.min() < 0 or index.max() >= len(table)):
        wrong = int(index[(index < 0) | (index >= len(table))].flat[0])
        raise IndexRangeError("index out of range in self", remedy=f"It is {wrong}, in a table of {len(table)} rows.")
    return index


def _padding(padding_idx: int | None, rows: int) -> int | None:
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise ArgumentConflictError("Padding_idx must be within num_embeddings")
    return padding_idx % rows


def _shorten(weight: Any, index: Any, max_norm: float, norm_type: float) -> None:
    used = np.unique(index)
    table = weight._array
    lengths = np.linalg.norm(table[used], norm_type, axis=1)
    long = lengths > max_norm
    table[used[long]] *= (max_norm / (lengths[long] + 1e-7)).astype(table.dtype)[:, None]
    bump(weight)


def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """Return the mean, sum or maximum of the rows of weight in each bag.

    Args:
        input: (bags, length), or (numbers,) with offsets.
        weight: (rows, size).
        offsets: (bags,), where each bag starts in a one-dimensional input.
        max_norm: rows that are used and longer are first shortened, in place, to this length.
        norm_type: p of that length.
        scale_grad_by_freq: divide a row's gradient by how often the row is used.
        mode: "mean", "sum" or "max".
        sparse: accepted; gradients are dense.
        per_sample_weights: like input, factors of the rows; with mode "sum" only.
        include_last_offset: the last offset is the end of the last bag.
        padding_idx: the row that does not count.

    Returns (bags, size); zeros for an empty bag. Raises ValueError where the arguments do not fit together.
    """
    if mode not in ("mean", "sum", "max"):
        raise ArgumentError("mode has to be one of sum, mean or max")
    index = _row_numbers("embedding_bag", input, weight)
    if per_sample_weights is not None and mode != "sum":
        raise UnsupportedDtypeError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}')."
        )
    starts, count = _bags(index, offsets, include_last_offset)
    numbers = index.reshape(-1)
    bag_of = np.repeat(np.arange(count), np.diff(np.append(starts, numbers.size)))
    padding_idx = _padding(padding_idx, len(weight._array))
    rows = embedding(wrap(numbers), weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    counted = np.ones(numbers.size, np.bool_) if padding_idx is None else numbers != padding_idx
    if mode == "max":
        return _largest(rows, bag_of, count, counted)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    return _bag_sums(rows, bag_of, count, counted, mode == "mean")


def _bags(index: Any, offsets: Any, include_last_offset: bool) -> tuple[Any, int]:
    if index.ndim == 2:
        if offsets is not None:
            raise ArgumentError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of bags"
            )
        return np.arange(index.shape[0]) * index.shape[1], index.shape[0]
    if index.ndim != 1:
        raise ArgumentError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {index.ndim}")
    if not isinstance(offsets, TensorBase):
        raise ArgumentError("offsets has to be a 1D Tensor but got None")
    starts = offsets._array
    if starts.ndim != 1:
        raise ArgumentError("offsets has to be a 1D Tensor")
    if include_last_offset:
        starts = starts[:-1]
    if starts.size and (starts[0] != 0 or starts[-1] > index.size):
        raise OperationError(f"offsets must start at 0 and end within the {index.size} numbers, got {starts.tolist()}")
    return starts, starts.size


def _bag_sums(rows: Any, bag_of: Any, count: int, counted: Any, mean: bool) -> Any:
    array = rows._array
    size = array.shape[1]
    if not counted.all():
        rows = rows * wrap(counted[:, None].astype(array.dtype))
    target = np.broadcast_to(bag_of[:, None], (bag_of.size, size))
    sums = apply(scatter_add_zeros, (rows, target), {"shape": (count, size), "dim": 0})
    if not mean:
        return sums
    lengths = np.bincount(bag_of[counted], minlength=count).clip(1).astype(array.dtype)
    return sums / wrap(lengths[:, None])


def _largest(rows: Any, bag_of: Any, count: int, counted: Any) -> Any:
    from fanin.ops.index import gather
    from fanin.ops.shape import cat

    array = rows._array
    winners = np.full((count, array.shape[1]), len(array))
    for bag in range(count):
        members = np.flatnonzero((bag_of == bag) & counted)
        if members.size:
            winners[bag] = members[np.argmax(array[members], axis=0)]
    # One row of zeros more, for the bags in which nothing counts.
    padded = apply(cat, (rows, wrap(np.zeros((1, array.shape[1]), array.dtype))), {"dim": 0})
    return apply(gather, (padded, winners), {"dim": 0})
