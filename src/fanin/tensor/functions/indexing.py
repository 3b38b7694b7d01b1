"""Reading and writing by position."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import IndexRangeError
from fanin.ops import index as ops
from fanin.tensor.base import TensorBase
from fanin.tensor.grad_mode import mode
from fanin.tensor.in_place import bump, check_writable
from fanin.tensor.tape import apply, apply_in_place, refresh


def normalise(index: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Return an index as the tuple that the operations take: tensors and lists as arrays, checked against the shape."""
    items = index if isinstance(index, tuple) else (index,)
    result = tuple(_item(item) for item in items)
    _check(result, shape)
    return result


def _item(item: Any) -> Any:
    if item is None or item is Ellipsis or isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        return item
    if isinstance(item, slice):
        return _slice(item)
    if isinstance(item, TensorBase):
        item = item._array
    array = np.asarray(item)
    if array.size == 0 and not isinstance(item, np.ndarray):
        array = array.astype(np.int64)
    if array.dtype.kind not in "biu":
        raise IndexRangeError(
            f"tensors used as indices must be long, int, byte or bool tensors, got {array.dtype}; convert with .long()"
        )
    return array if array.dtype.kind == "b" or array.ndim else int(array)


def _slice(item: slice) -> slice:
    step = _bound(item.step)
    if step is not None and step <= 0:
        raise ValueError("step must be greater than zero; use .flip(dim) to reverse")
    return slice(_bound(item.start), _bound(item.stop), step)


def _bound(value: Any) -> Any:
    return value if value is None else value.__index__()


def _check(items: tuple[Any, ...], shape: tuple[int, ...]) -> None:
    used = sum(i.ndim if isinstance(i, np.ndarray) and i.dtype.kind == "b" else i is not None and i is not Ellipsis for i in items)
    if used > len(shape):
        raise IndexRangeError(f"too many indices for tensor of dimension {len(shape)}")
    if any(isinstance(i, np.ndarray) for i in items):
        return
    axis = 0
    for position, item in enumerate(items):
        if item is Ellipsis:
            axis = len(shape) - sum(i is not None for i in items[position + 1 :])
        elif item is not None:
            if not isinstance(item, slice) and not -shape[axis] <= item < shape[axis]:
                raise IndexRangeError(f"index {item} is out of bounds for dimension {axis} with size {shape[axis]}")
            axis += 1


def getitem(input: Any, index: Any) -> Any:
    """Return the elements that an index selects: a view for slices and ints, a copy for masks and index tensors."""
    try:
        return apply(ops.getitem, (input,), {"index": normalise(index, input._array.shape)})
    except IndexRangeError:
        raise
    except IndexError as error:
        raise IndexRangeError(str(error)) from None


def setitem(input: Any, index: Any, value: Any) -> None:
    """Write value, broadcast, to the elements that an index selects."""
    where = normalise(index, input._array.shape)
    if input._base is not None:
        refresh(input)
    try:
        _set(input, where, value)
    except IndexRangeError:
        raise
    except IndexError as error:
        raise IndexRangeError(str(error)) from None


def _set(input: Any, where: Any, value: Any) -> None:
    tracked = mode.enabled and (input._requires_grad or isinstance(value, TensorBase) and value.requires_grad)
    values = value if isinstance(value, TensorBase) else input._like(value)
    if tracked:
        apply_in_place(ops.index_put, (input, values), {"index": where})
        return
    check_writable(input)
    source = values._array
    target = input._array[where]
    while source.ndim > np.ndim(target) and source.shape[0] == 1:
        source = source[0]
    try:
        input._array[where] = source
    except ValueError:
        raise ops.ShapeError(
            f"shape mismatch: value tensor of shape {list(source.shape)} cannot be broadcast to indexing result of "
            f"shape {list(np.shape(target))}"
        ) from None
    bump(input)
