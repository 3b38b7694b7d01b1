"""Reading and writing by position with square brackets."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError, ArgumentTypeError, IndexRangeError
from fanin.ops import index as ops
from fanin.ops.rules import refuse_overflow
from fanin.tensor.base import TensorBase, known
from fanin.tensor.functions.shaping import expand
from fanin.tensor.grad_mode import mode
from fanin.tensor.in_place import bump, check_memory, check_writable
from fanin.tensor.tape import apply, apply_in_place, label, refresh


def normalise(index: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Return an index as the tuple that the operations take: tensors and lists as arrays, checked against the shape."""
    items = index if index.__class__ is tuple else (index,)
    result = tuple(_item(item) for item in items)
    _check(result, shape)
    return result


def _item(item: Any) -> Any:
    kind = item.__class__
    if kind is int or item is None or item is Ellipsis:
        return item
    if kind is slice:
        return item if item == _WHOLE else _slice(item)
    if isinstance(item, np.integer):
        return int(item)
    if isinstance(item, (str, bytes)):
        raise ArgumentTypeError(f"a tensor is indexed by numbers and tensors, not by {kind.__name__} {item!r}")
    if isinstance(item, (float, complex)):
        raise IndexRangeError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
            f"(got {kind.__name__})"
        )
    array = item._array if isinstance(item, TensorBase) else np.asarray(item)
    if array.size == 0 and kind is list:
        array = array.astype(np.int64)
    if array.dtype.kind not in "biu":
        raise IndexRangeError(
            "tensors used as indices must be long, int, byte or bool tensors",
            remedy=f"This one holds {array.dtype}; convert with .long().",
        )
    if array.dtype == np.uint8 and isinstance(item, TensorBase):
        return array.astype(np.bool_)  # a tensor of bytes is a mask
    return array if array.dtype.kind == "b" or array.ndim or not known(array) else int(array)


_WHOLE = slice(None)


def _slice(item: slice) -> slice:
    step = _bound(item.step)
    if step == 0:
        raise ArgumentError("slice step cannot be zero")
    if step is not None and step < 0:
        raise ArgumentError("step must be greater than zero", remedy="Use .flip(dim) to reverse.")
    return slice(_bound(item.start), _bound(item.stop), step)


def _bound(value: Any) -> Any:
    return value if value is None else value.__index__()


def _used(item: Any) -> int:
    """Return how many dimensions of the tensor an item speaks for."""
    if getattr(item, "dtype", None) == np.bool_:
        return int(item.ndim)
    return 0 if item is None or item is Ellipsis else 1


def _check(items: tuple[Any, ...], shape: tuple[int, ...]) -> None:
    used = [_used(item) for item in items]
    if sum(used) > len(shape):
        raise IndexRangeError(f"too many indices for tensor of dimension {len(shape)}")
    axis = 0
    for position, item in enumerate(items):
        if item is Ellipsis:
            axis = len(shape) - sum(used[position + 1 :])
            continue
        if item.__class__ is int and not -shape[axis] <= item < shape[axis]:
            raise IndexRangeError(f"index {item} is out of bounds for dimension {axis} with size {shape[axis]}")
        if getattr(item, "dtype", None) == np.bool_ and item.shape != shape[axis : axis + item.ndim]:
            raise IndexRangeError(
                f"The shape of the mask {list(item.shape)} at index {position} does not match the shape of the indexed "
                f"tensor {list(shape)} at index {axis}"
            )
        axis += used[position]


def _in_two(where: tuple[Any, ...], ndim: int) -> tuple[Any, Any]:
    """Part an index with both ints and arrays: first the ints, slices and None, which give a view, then the arrays.

    NumPy would take the ints for index arrays, too, and could put the new dimensions in front.
    """
    first: list[Any] = []
    second: list[Any] = []
    rest = ndim - sum(_used(item) for item in where)
    for item in where if Ellipsis in _plain(where) else (*where, Ellipsis):
        if item is Ellipsis:
            first += [_WHOLE] * rest
            second += [_WHOLE] * rest
        elif item.__class__ is np.ndarray:
            first += [_WHOLE] * _used(item)
            second.append(item)
        else:
            first.append(item)
            second += [] if item.__class__ is int else [_WHOLE]
    return tuple(first), tuple(second)


def _plain(where: tuple[Any, ...]) -> list[Any]:
    return [item for item in where if item.__class__ is not np.ndarray]


def _is_mixed(where: tuple[Any, ...]) -> bool:
    kinds = {item.__class__ for item in where}
    return np.ndarray in kinds and int in kinds


def getitem(input: Any, index: Any) -> Any:
    """Return the elements that an index selects: a view for slices and ints, a copy for masks and index tensors.

    Raises IndexError for an index out of range, of a wrong type, or too long.

    >>> import fanin as torch
    >>> x = torch.arange(6).reshape(2, 3)
    >>> x[:, 1]
    tensor([1, 4])
    >>> x[x > 3]
    tensor([4, 5])
    """
    where = normalise(index, input._array.shape)
    try:
        if len(where) > 1 and _is_mixed(where):
            first, second = _in_two(where, input._array.ndim)
            input, where = apply(ops.getitem, (input,), {"index": first}), second
        return apply(ops.getitem, (input,), {"index": where})
    except IndexError as error:
        raise IndexRangeError(str(error).replace("for axis", "for dimension")) from None


def setitem(input: Any, index: Any, value: Any) -> None:
    """Write value, broadcast, to the elements that an index selects.

    Raises IndexError as reading does, RuntimeError when the value does not broadcast to what is selected.
    """
    where = normalise(index, input._array.shape)
    if input._base is not None:
        refresh(input)
    try:
        if len(where) > 1 and _is_mixed(where):
            first, second = _in_two(where, input._array.ndim)
            check_writable(input)
            input, where = apply(ops.getitem, (input,), {"index": first}), second
        _set(input, where, value)
    except IndexError as error:
        raise IndexRangeError(str(error).replace("for axis", "for dimension")) from None


def _set(input: Any, where: Any, value: Any) -> None:
    if isinstance(value, (list, tuple, str, bytes)) or value is None:
        raise ArgumentTypeError(
            f"can't assign a {type(value).__name__} to a {input.type()}", remedy="Make it a tensor first."
        )
    if not isinstance(value, TensorBase):
        refuse_overflow([value], input._array.dtype)
    values: Any = value if isinstance(value, TensorBase) else input._like(value)
    if mode.capture is not None:
        if values._array.dtype != input._array.dtype:
            values = values.to(input.dtype)
        if all(item is None or item is Ellipsis or item.__class__ in (int, slice) for item in where):
            values = _trimmed(values, np.empty(input._array.shape, np.bool_)[where])
        apply_in_place(ops.index_put, (input, values), {"index": where})
        return
    if mode.enabled and (input._requires_grad or values.requires_grad):
        check_writable(input)
        if values._array.dtype != input._array.dtype:
            values = values.to(input.dtype)
        values = _trimmed(values, input._array[where])
        label(apply_in_place(ops.index_put, (input, values), {"index": where}), "CopySlices")
        return
    check_writable(input)
    target = input._array[where]
    if target.__class__ is np.ndarray and 0 in target.strides and ops.is_basic(where):
        check_memory(target)
    try:
        input._array[where] = _trimmed(values, target)._array
    except (ValueError, TypeError):  # TypeError: of a mask, values of two dimensions
        check_memory(input._array)
        raise _misfit(values, target, ops.is_basic(where)) from None
    bump(input)


def _misfit(values: Any, target: Any, is_basic: bool) -> Exception:
    """Return the error about a value that does not broadcast to what an index selects."""
    if is_basic:
        try:
            expand(values, np.shape(target))
        except ops.ShapeError as error:
            return error
    return ops.ShapeError(
        f"shape mismatch: value tensor of shape {list(values._array.shape)} cannot be broadcast to indexing result of "
        f"shape {list(np.shape(target))}"
    )


def _trimmed(values: Any, target: Any) -> Any:
    """Return values without leading dimensions of size 1 that what is selected does not have."""
    surplus = values._array.ndim - np.ndim(target)
    if surplus > 0 and all(n == 1 for n in values._array.shape[:surplus]):
        return values.reshape(values._array.shape[surplus:])
    return values
