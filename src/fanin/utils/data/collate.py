"""Putting rows together into batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fanin._core.dtypes import float64
from fanin._core.errors import ArgumentTypeError, ShapeError
from fanin.tensor import Tensor
from fanin.tensor.functions.data import as_tensor, tensor
from fanin.tensor.functions.joining import stack


def default_collate(batch: Sequence[Any]) -> Any:
    """Return a batch of rows: tensors are stacked, numbers become tensors, containers are kept and filled.

    Raises TypeError for rows of another kind, RuntimeError for rows of different sizes.

    >>> from fanin.utils.data import default_collate
    >>> default_collate([(1, 2.0), (3, 4.0)])
    [tensor([1, 3]), tensor([2., 4.], dtype=torch.float64)]
    """
    row = batch[0]
    if isinstance(row, Tensor):
        return stack(list(batch), 0)
    if isinstance(row, np.ndarray):
        return stack([as_tensor(b) for b in batch], 0)
    if isinstance(row, np.generic):
        return as_tensor(np.asarray(batch))
    if isinstance(row, float):
        return tensor(batch, dtype=float64)
    if isinstance(row, int):
        return tensor(batch)
    if isinstance(row, (str, bytes)):
        return batch
    if isinstance(row, (Mapping, Sequence)):
        return _collate_container(batch, row)
    raise ArgumentTypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {type(row)}",
        remedy="Give the DataLoader a collate_fn for such rows.",
    )


def _collate_container(batch: Sequence[Any], row: Any) -> Any:
    if isinstance(row, Mapping):
        values = {key: default_collate([b[key] for b in batch]) for key in row}
        return values if type(row) is dict else type(row)(values)  # type: ignore[call-arg]
    if any(len(b) != len(row) for b in batch):
        raise ShapeError("each element in list of batch should be of equal size")
    columns = [default_collate(column) for column in zip(*batch, strict=True)]
    return type(row)(*columns) if hasattr(row, "_fields") else columns


def default_convert(data: Any) -> Any:
    """Return data with its NumPy arrays as tensors; what the DataLoader does when batch_size is None.

    >>> import fanin as torch
    >>> from fanin.utils.data import default_convert
    >>> default_convert([1, "a"])
    [1, 'a']
    """
    return _mapped(data, lambda x: as_tensor(x) if isinstance(x, (np.ndarray, np.generic)) else x)


def _mapped(data: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(data, Mapping):
        return {key: _mapped(value, function) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(_mapped(value, function) for value in data))
    if isinstance(data, (list, tuple)):
        return (
            type(data)(_mapped(value, function) for value in data)
            if isinstance(data, list)
            else [_mapped(value, function) for value in data]
        )
    return function(data)
