"""Making tensors: from data, filled, ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core import dtypes
from fanin._core.errors import ArgumentError, ArgumentTypeError, OperationError, ShapeError
from fanin.tensor.base import TensorBase
from fanin.tensor.device import check_device
from fanin.tensor.tape import wrap


def leaf(array: Any, requires_grad: bool = False, device: Any = None) -> Any:
    """Return a new leaf tensor around an array."""
    check_device(device)
    result = wrap(array)
    if requires_grad:
        result.requires_grad_(True)
    return result


def shape_from(size: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the shape from `f(2, 3)`, `f((2, 3))` or `f(torch.Size([2, 3]))`."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    shape = tuple(int(n) for n in _whole(size))
    if any(n < 0 for n in shape):
        raise OperationError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    return shape


def _whole(size: tuple[Any, ...]) -> tuple[Any, ...]:
    for n in size:
        whole = isinstance(n, (int, np.integer)) or (isinstance(n, TensorBase) and n._array.ndim == 0)
        if not whole or isinstance(n, bool):
            raise ArgumentTypeError(f"a size must be made of ints, but found {type(n).__name__} in {size}")
    return size


def data_array(data: Any, dtype: Any = None) -> Any:
    """Return a fresh array with the values of numbers, nested sequences, arrays or tensors."""
    if isinstance(data, TensorBase):
        return np.array(data._array, dtype=None if dtype is None else dtypes.to_numpy(dtype))
    if isinstance(data, (np.ndarray, np.generic)):
        kind = dtypes.from_numpy(data.dtype) if dtype is None else dtype
        return np.array(data).astype(dtypes.to_numpy(kind))
    values = _without_tensors(data)
    wanted = _inferred(values) if dtype is None else dtypes.to_numpy(dtype)
    try:
        return _numbers(values, wanted)
    except (ValueError, TypeError, OverflowError) as error:
        raise _data_error(data, error) from None


def _without_tensors(data: Any) -> Any:
    if isinstance(data, TensorBase):
        return data._array.item() if data._array.ndim == 0 else data._array.tolist()
    if isinstance(data, (list, tuple)):
        return [_without_tensors(item) for item in data]
    if isinstance(data, range):
        return list(data)
    return data.tolist() if isinstance(data, (np.ndarray, np.generic)) else data


def _numbers(values: Any, wanted: np.dtype[Any]) -> Any:
    array = np.array(values) if wanted.kind in "iu" else np.array(values, dtype=wanted)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"not numbers: {array.dtype}")
    return array.astype(wanted)


def _inferred(values: Any) -> np.dtype[Any]:
    array = np.array(values) if not isinstance(values, list) or _regular(values) else np.array(0)
    if array.size == 0 or array.dtype.kind == "f":
        return dtypes.default_numpy()
    if array.dtype.kind in "biu":
        return array.dtype if array.dtype.kind == "b" else dtypes.int64.numpy
    return dtypes.default_numpy()


def _regular(values: Any) -> bool:
    try:
        np.array(values)
    except ValueError:
        return False
    return True


def _data_error(data: Any, error: Exception) -> Exception:
    kind = type(_first_element(data)).__name__
    if isinstance(error, ValueError) and "inhomogeneous" in str(error):
        return ArgumentError(f"expected sequences of equal lengths at every level, but they differ: {error}")
    if isinstance(error, OverflowError):
        return OperationError(f"a number is too large for the dtype asked for: {error}")
    return ArgumentTypeError(f"new(): data must be numbers or nested sequences of numbers; invalid data type {kind!r}")


def _first_element(data: Any) -> Any:
    while isinstance(data, (list, tuple)) and data:
        data = next((item for item in data if not isinstance(item, (int, float))), data[0])
    return data


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Any:
    """Return a tensor with a copy of data: a number, nested sequences, a NumPy array or a tensor.

    Python floats become the default dtype (float32), ints int64, bools bool; NumPy arrays keep their dtype.

    Raises ValueError for ragged sequences, TypeError for what is not numbers.

    >>> import fanin as torch
    >>> torch.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    return leaf(data_array(data, dtype), requires_grad, device)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Any:
    """Return a tensor, sharing memory with data where that is possible.

    >>> import fanin as torch
    >>> torch.as_tensor([1.0, 2.0])
    tensor([1., 2.])
    """
    check_device(device)
    if isinstance(data, TensorBase):
        return data if dtype is None else data.to(dtype)  # type: ignore[attr-defined]
    if isinstance(data, np.ndarray) and (dtype is None or dtypes.to_numpy(dtype) == data.dtype):
        return from_numpy(data)
    return wrap(data_array(data, dtype))


def from_numpy(ndarray: Any) -> Any:
    """Return a tensor that shares memory with a NumPy array.

    Raises TypeError for what is no array, or an array of text, objects or complex numbers.

    >>> import numpy as np, fanin as torch
    >>> torch.from_numpy(np.array([1.0, 2.0]))
    tensor([1., 2.], dtype=torch.float64)
    """
    if not isinstance(ndarray, np.ndarray):
        raise ArgumentTypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    dtypes.from_numpy(ndarray.dtype)
    if any(stride < 0 for stride in ndarray.strides):
        raise ArgumentError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
            "supported. (You can fix this by making a copy of your array with array.copy().)"
        )
    return wrap(ndarray if ndarray.dtype.isnative else ndarray.astype(ndarray.dtype.newbyteorder("=")))


def _filled(make: Any, size: tuple[Any, ...], dtype: Any, requires_grad: bool, device: Any) -> Any:
    kind = dtypes.default_numpy() if dtype is None else dtypes.to_numpy(dtype)
    return leaf(make(shape_from(size), kind), requires_grad, device)


def zeros(
    *size: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None, out: Any = None, **unused: Any
) -> Any:
    """Return a tensor of zeros: `zeros(2, 3)` or `zeros((2, 3))`."""
    return _filled(np.zeros, size_argument(size, unused), dtype, requires_grad, device)


def ones(
    *size: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None, out: Any = None, **unused: Any
) -> Any:
    """Return a tensor of ones: `ones(2, 3)` or `ones((2, 3))`."""
    return _filled(np.ones, size_argument(size, unused), dtype, requires_grad, device)


def empty(
    *size: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None, out: Any = None, **unused: Any
) -> Any:
    """Return a tensor whose values are not set; fanin sets them to zero, so that a forgotten fill shows."""
    return _filled(np.zeros, size_argument(size, unused), dtype, requires_grad, device)


_ACCEPTED = {"layout", "pin_memory", "memory_format", "names"}


def size_argument(size: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, ...]:
    """Return the sizes given in a row, or as `size=`."""
    if "size" in keywords:
        size = (keywords.pop("size"),)
    accepted(keywords)
    return size


def accepted(keywords: dict[str, Any]) -> None:
    """Raise TypeError for a keyword that PyTorch does not take, either."""
    unknown = set(keywords) - _ACCEPTED
    if unknown:
        raise ArgumentTypeError(f"got an unexpected keyword argument {sorted(unknown)[0]!r}")


def full(
    size: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None, **unused: Any
) -> Any:
    """Return a tensor with every element equal to fill_value, whose type gives the dtype.

    >>> import fanin as torch
    >>> torch.full((2,), 3.5)
    tensor([3.5000, 3.5000])
    """
    value = fill_value._array.item() if isinstance(fill_value, TensorBase) else fill_value
    kind = dtypes.python_dtype(value) if dtype is None else dtypes.to_numpy(dtype)
    shape = shape_from(size if isinstance(size, tuple) else (size,))
    return leaf(np.full(shape, value).astype(kind), requires_grad, device)


def _like(make: Any, input: Any, dtype: Any, requires_grad: bool, device: Any) -> Any:
    kind = input._array.dtype if dtype is None else dtypes.to_numpy(dtype)
    return leaf(make(input._array.shape, kind), requires_grad, device)


def zeros_like(input: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None, **unused: Any) -> Any:
    """Return zeros of the shape and dtype of another tensor."""
    return _like(np.zeros, input, dtype, requires_grad, device)


def ones_like(input: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None, **unused: Any) -> Any:
    """Return ones of the shape and dtype of another tensor."""
    return _like(np.ones, input, dtype, requires_grad, device)


def empty_like(input: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None, **unused: Any) -> Any:
    """Return a tensor of the shape and dtype of another one, its values not set (zero in fanin)."""
    return _like(np.zeros, input, dtype, requires_grad, device)


def full_like(
    input: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None, **unused: Any
) -> Any:
    """Return a tensor of the shape and dtype of another one, filled with one value."""
    return _like(lambda shape, kind: np.full(shape, fill_value).astype(kind), input, dtype, requires_grad, device)


def arange(*bounds: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None, **keywords: Any) -> Any:
    """Return start, start + step, ... below end: `arange(end)`, `arange(start, end)` or `arange(start, end, step)`.

    >>> import fanin as torch
    >>> torch.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    start, end, step = _bounds(bounds, keywords)
    if step == 0:
        raise OperationError("step must be nonzero")
    if (end - start) * step < 0:
        raise OperationError("upper bound and lower bound inconsistent with step sign")
    whole = all(isinstance(b, int) for b in (start, end, step))
    kind = (dtypes.int64.numpy if whole else dtypes.default_numpy()) if dtype is None else dtypes.to_numpy(dtype)
    count = int(np.ceil((end - start) / step)) if not whole else max(0, -((start - end) // step))
    accumulate = np.int64 if whole else np.float64
    values = np.asarray(start, accumulate) + np.arange(count, dtype=accumulate) * np.asarray(step, accumulate)
    return leaf(values.astype(kind), requires_grad, device)


def _bounds(bounds: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, Any, Any]:
    plain = [b._array.item() if isinstance(b, TensorBase) else b for b in bounds]
    if len(plain) == 1:
        plain = [keywords.pop("start", 0), *plain]
    start = keywords.pop("start", plain[0] if plain else 0)
    end = keywords.pop("end", plain[1] if len(plain) > 1 else None)
    step = keywords.pop("step", plain[2] if len(plain) > 2 else 1)
    size_argument((), keywords)
    if end is None:
        raise ArgumentTypeError("arange() needs an end: arange(end), arange(start, end) or arange(start, end, step)")
    return start, end, step


def _steps(start: Any, end: Any, steps: int, dtype: Any) -> tuple[Any, np.dtype[Any]]:
    if steps < 0:
        raise OperationError("number of steps must be non-negative")
    kind = dtypes.default_numpy() if dtype is None else dtypes.to_numpy(dtype)
    start, end = float(start), float(end)
    if kind.kind != "f":
        return np.linspace(start, end, steps), kind
    # PyTorch counts from both ends towards the middle, in the dtype itself.
    step = kind.type((end - start) / (steps - 1)) if steps > 1 else kind.type(0)
    i = np.arange(steps)
    with np.errstate(all="ignore"):
        upward = kind.type(start) + step * i.astype(kind)
        downward = kind.type(end) - step * (steps - 1 - i).astype(kind)
    return np.where(i < steps // 2, upward, downward) if steps > 1 else np.full(steps, start), kind


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, requires_grad: bool = False, device: Any = None, **unused: Any
) -> Any:
    """Return `steps` values from start to end, both included, at equal distances.

    >>> import fanin as torch
    >>> torch.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    values, kind = _steps(start, end, steps, dtype)
    return leaf(values.astype(kind), requires_grad, device)


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
    **unused: Any,
) -> Any:
    """Return base ** v for `steps` values v from start to end at equal distances."""
    values, kind = _steps(start, end, steps, dtype)
    return leaf(np.power(float(base), values.astype(np.float64)).astype(kind), requires_grad, device)


def eye(
    n: int, m: int | None = None, *, dtype: Any = None, requires_grad: bool = False, device: Any = None, **unused: Any
) -> Any:
    """Return the n x m matrix with ones on the diagonal and zeros elsewhere."""
    if n < 0 or (m is not None and m < 0):
        raise ShapeError(f"n must be greater or equal to 0, got {n if n < 0 else m}")
    kind = dtypes.default_numpy() if dtype is None else dtypes.to_numpy(dtype)
    return leaf(np.eye(n, m, dtype=kind), requires_grad, device)
