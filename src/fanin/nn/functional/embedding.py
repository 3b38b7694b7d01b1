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
from fanin.ops.arithmetic import equal, logical_and, where
from fanin.ops.elementwise import cast
from fanin.ops.index import gather, scatter_add_zeros, take_rows, within
from fanin.ops.linalg import norm
from fanin.ops.order import searchsorted, winners_of
from fanin.ops.shape import cat, reshape
from fanin.tensor.base import TensorBase, known
from fanin.tensor.grad_mode import no_grad
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
    message = "Class values must be smaller than num_classes, and not negative."
    remedy = f"One is {{index}}, and num_classes is {num_classes}."
    classes = within(classes, size=num_classes, message=message, runtime=True, remedy=remedy)
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
    padding_idx = padding_row(padding_idx, rows)
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


def padding_row(padding_idx: int | None, rows: int) -> int | None:
    """Return the number of the row that stands for padding, counted from the front."""
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise ArgumentConflictError("Padding_idx must be within num_embeddings")
    return padding_idx % rows


def _shorten(weight: Any, index: Any, max_norm: float, norm_type: float) -> None:
    if not known(index):
        _shorten_later(weight, index, max_norm, norm_type)
        return
    used = np.unique(index)
    table = weight._array
    lengths = np.linalg.norm(table[used], norm_type, axis=1)
    long = lengths > max_norm
    table[used[long]] *= (max_norm / (lengths[long] + 1e-7)).astype(table.dtype)[:, None]
    bump(weight)


def _shorten_later(weight: Any, index: Any, max_norm: float, norm_type: float) -> None:
    """Shorten the rows of numbers that are not known yet."""
    with no_grad():
        rows, kind = weight._array.shape[0], weight._array.dtype
        ones, numbers = wrap(np.ones(index.size, kind)), wrap(reshape(index, (index.size,)))
        uses = apply(scatter_add_zeros, (ones, numbers), {"shape": (rows,), "dim": 0})
        lengths = apply(norm, (weight,), {"p": float(norm_type), "dim": (1,), "keepdim": True})
        long = apply(logical_and, (uses.unsqueeze(1) > 0, lengths > max_norm), {})
        weight.mul_(apply(where, (long, max_norm / (lengths + 1e-7), 1.0), {}))


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

    >>> import fanin as torch
    >>> rows, table = torch.tensor([0, 1, 2, 2]), torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    >>> torch.nn.functional.embedding_bag(rows, table, offsets=torch.tensor([0, 2]), mode="sum")
    tensor([[1., 1.],
            [4., 4.]])
    """
    if mode not in ("mean", "sum", "max"):
        raise ArgumentError("mode has to be one of sum, mean or max")
    index = _row_numbers("embedding_bag", input, weight)
    if per_sample_weights is not None and mode != "sum":
        raise UnsupportedDtypeError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}')."
        )
    bag_of, count = _bags(input, offsets, include_last_offset)
    numbers = input.reshape(-1)
    padding_idx = padding_row(padding_idx, len(weight._array))
    rows = embedding(numbers, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    counted = wrap(np.ones(index.size, np.bool_)) if padding_idx is None else numbers != padding_idx
    if mode == "max":
        return _largest(rows, bag_of, count, counted)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    return _bag_sums(rows, bag_of, count, counted, mode == "mean")


def _bags(input: Any, offsets: Any, include_last_offset: bool) -> tuple[Any, int]:
    """Return the bag of each number, and how many bags there are."""
    index = input._array
    if index.ndim == 2:
        if offsets is not None:
            raise ArgumentError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of bags"
            )
        return wrap(np.repeat(np.arange(index.shape[0]), index.shape[1])), index.shape[0]
    if index.ndim != 1:
        raise ArgumentError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {index.ndim}")
    if not isinstance(offsets, TensorBase):
        raise ArgumentError("offsets has to be a 1D Tensor but got None")
    if offsets._array.ndim != 1:
        raise ArgumentError("offsets has to be a 1D Tensor")
    given: Any = offsets
    given = given[:-1] if include_last_offset else given
    starts = given._array
    if known(starts) and starts.size and (starts[0] != 0 or starts[-1] > index.size):
        raise OperationError(f"offsets must start at 0 and end within the {index.size} numbers, got {starts.tolist()}")
    places = wrap(np.arange(index.size))
    # The last of the bags that start here or before: others that start at the same place are empty.
    return apply(searchsorted, (given, places), {"side": "right"}) - 1, starts.size


def _bag_sums(rows: Any, bag_of: Any, count: int, counted: Any, mean: bool) -> Any:
    size, kind = rows._array.shape[1], rows.dtype
    if not (known(counted._array) and counted._array.all()):
        rows = rows * counted.unsqueeze(1).to(kind)
    target = bag_of.unsqueeze(1).expand(bag_of.numel(), size)
    sums = apply(scatter_add_zeros, (rows, target), {"shape": (count, size), "dim": 0})
    if not mean:
        return sums
    lengths = apply(scatter_add_zeros, (counted.long(), bag_of), {"shape": (count,), "dim": 0}).clamp(min=1)
    return sums / lengths.unsqueeze(1).to(kind)


def _largest(rows: Any, bag_of: Any, count: int, counted: Any) -> Any:
    winners = apply(winners_of, (rows.detach(), bag_of, counted), {"count": count})
    # One row of zeros more, for the bags in which nothing counts.
    padded = apply(cat, (rows, wrap(np.zeros((1, rows._array.shape[1]), rows._array.dtype))), {"dim": 0})
    return apply(gather, (padded, winners), {"dim": 0})
