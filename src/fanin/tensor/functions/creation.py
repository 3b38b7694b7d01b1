"""Making tensors of a size: filled, like another one, ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core import dtypes
from fanin._core.errors import ArgumentTypeError, OperationError, ShapeError
from fanin.ops.intervals import equal_steps
from fanin.ops.rules import refuse_overflow
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.data import leaf
from fanin.tensor.functions.operands import number, require_tensor, to_out


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


def _filled(make: Any, size: tuple[Any, ...], dtype: Any, requires_grad: bool, device: Any) -> Any:
    kind = dtypes.default_numpy() if dtype is None else dtypes.to_numpy(dtype)
    return leaf(make(shape_from(size), kind), requires_grad, device)


def zeros(
    *size: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None, out: Any = None, **unused: Any
) -> Any:
    """Return a tensor of zeros: `zeros(2, 3)` or `zeros((2, 3))`.

    >>> import fanin as torch
    >>> torch.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return to_out(out, _filled(np.zeros, size_argument(size, unused), dtype, requires_grad, device))


def ones(
    *size: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None, out: Any = None, **unused: Any
) -> Any:
    """Return a tensor of ones: `ones(2, 3)` or `ones((2, 3))`.

    >>> import fanin as torch
    >>> torch.ones((2, 2), dtype=torch.int64)
    tensor([[1, 1],
            [1, 1]])
    """
    return to_out(out, _filled(np.ones, size_argument(size, unused), dtype, requires_grad, device))


def empty(
    *size: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None, out: Any = None, **unused: Any
) -> Any:
    """Return a tensor whose values are not set; fanin sets them to zero, so that a forgotten fill shows.

    >>> import fanin as torch
    >>> torch.empty(2, 3).shape
    torch.Size([2, 3])
    """
    return to_out(out, _filled(np.zeros, size_argument(size, unused), dtype, requires_grad, device))


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
    size: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
    out: Any = None,
    **unused: Any,
) -> Any:
    """Return a tensor with every element equal to fill_value, whose type gives the dtype.

    >>> import fanin as torch
    >>> torch.full((2,), 3.5)
    tensor([3.5000, 3.5000])
    """
    if not isinstance(size, (tuple, list)):
        raise ArgumentTypeError(
            f"full(): argument 'size' (position 1) must be tuple of ints, not {type(size).__name__}"
        )
    value = number(fill_value)
    accepted(unused)
    kind = dtypes.python_dtype(value) if dtype is None else dtypes.to_numpy(dtype)
    return to_out(out, leaf(_constant(shape_from((size,)), value, kind), requires_grad, device))


def _constant(shape: tuple[int, ...], value: Any, kind: np.dtype[Any]) -> Any:
    refuse_overflow([value], kind)
    with np.errstate(all="ignore"):
        return np.full(shape, np.asarray(value).astype(kind), kind)


def _like(make: Any, input: Any, dtype: Any, requires_grad: bool, device: Any, unused: dict[str, Any]) -> Any:
    require_tensor("zeros_like", input)
    accepted(unused)
    kind = input._array.dtype if dtype is None else dtypes.to_numpy(dtype)
    return leaf(make(input._array.shape, kind), requires_grad, device)


def zeros_like(input: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None, **unused: Any) -> Any:
    """Return zeros of the shape and dtype of another tensor.

    >>> import fanin as torch
    >>> torch.zeros_like(torch.tensor([[1, 2], [3, 4]]))
    tensor([[0, 0],
            [0, 0]])
    """
    return _like(np.zeros, input, dtype, requires_grad, device, unused)


def ones_like(input: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None, **unused: Any) -> Any:
    """Return ones of the shape and dtype of another tensor.

    >>> import fanin as torch
    >>> torch.ones_like(torch.tensor([1, 2]), dtype=torch.float32)
    tensor([1., 1.])
    """
    return _like(np.ones, input, dtype, requires_grad, device, unused)


def empty_like(input: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None, **unused: Any) -> Any:
    """Return a tensor of the shape and dtype of another one, its values not set (zero in fanin).

    >>> import fanin as torch
    >>> x = torch.empty_like(torch.tensor([[1, 2, 3]]))
    >>> x.shape, x.dtype
    (torch.Size([1, 3]), torch.int64)
    """
    return _like(np.zeros, input, dtype, requires_grad, device, unused)


def full_like(
    input: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None, **unused: Any
) -> Any:
    """Return a tensor of the shape and dtype of another one, filled with one value.

    >>> import fanin as torch
    >>> torch.full_like(torch.tensor([1, 2]), 7)
    tensor([7, 7])
    """
    value = number(fill_value)
    return _like(lambda shape, kind: _constant(shape, value, kind), input, dtype, requires_grad, device, unused)


def arange(
    *bounds: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None, out: Any = None, **keywords: Any
) -> Any:
    """Return start, start + step, ... below end: `arange(end)`, `arange(start, end)` or `arange(start, end, step)`.

    The dtype is int64 when all three are integers, else the default one.

    Raises RuntimeError when step is 0, or leads away from end.

    >>> import fanin as torch
    >>> torch.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    start, end, step = _bounds(bounds, keywords)
    if step == 0:
        raise OperationError("step must be nonzero")
    if not all(np.isfinite(float(b)) for b in (start, end)):
        raise OperationError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise OperationError("upper bound and lower bound inconsistent with step sign")
    whole = all(isinstance(b, (int, np.integer)) for b in (start, end, step))
    kind = (dtypes.int64.numpy if whole else dtypes.default_numpy()) if dtype is None else dtypes.to_numpy(dtype)
    if kind.kind in "iu" and not whole:
        start, end, step = (int(b) for b in (start, end, step))
        whole = True
    count = -((start - end) // step) if whole else int(np.ceil((end - start) / step))
    return to_out(out, leaf(_progression(start, step, count, whole, kind), requires_grad, device))


def _progression(start: Any, step: Any, count: int, whole: bool, kind: np.dtype[Any]) -> Any:
    """Return start + i * step, rounded as PyTorch's loop rounds it.

    It works on vectors of 32 bytes, two at a time: the first of a vector is start + i * step, and the others are so
    many steps from there; what is left at the end is computed by itself. Products and sums are fused, rounded once to
    float64, which a wider type does here.
    """
    if whole or kind.itemsize < 4 or (float(start).is_integer() and float(step).is_integer()):
        accumulate: Any = np.int64 if whole else np.float64
        values = np.asarray(start, accumulate) + np.arange(count, dtype=accumulate) * np.asarray(step, accumulate)
        return values.astype(kind)
    lanes = 32 // kind.itemsize
    i = np.arange(count)
    lane = i % lanes
    lane[count - count % (2 * lanes) :] = 0
    wide_start, wide_step = np.longdouble(start), np.longdouble(step)
    first = (wide_start + wide_step * (i - lane)).astype(np.float64).astype(kind)
    return (first.astype(np.longdouble) + wide_step * lane).astype(np.float64).astype(kind)


def range(start: Any = 0, end: Any = None, step: Any = 1, *, dtype: Any = None, **keywords: Any) -> Any:
    """Return start, start + step, ... up to and including end; PyTorch's old form, `arange` is the usual one.

    >>> import fanin as torch
    >>> torch.range(1, 2, 0.5)
    tensor([1.0000, 1.5000, 2.0000])
    """
    start, end = (0, start) if end is None else (start, end)
    count = int((end - start) / step + 1)
    values = float(start) + np.arange(count) * float(step)
    kind = dtypes.default_numpy() if dtype is None else dtypes.to_numpy(dtype)
    return leaf(values.astype(kind), keywords.get("requires_grad", False), keywords.get("device"))


def _bounds(bounds: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, Any, Any]:
    plain = [b._array.item() if isinstance(b, TensorBase) else b for b in bounds]
    if len(plain) == 1:
        plain = [keywords.pop("start", 0), *plain]
    start = keywords.pop("start", plain[0] if plain else 0)
    end = keywords.pop("end", plain[1] if len(plain) > 1 else None)
    step = keywords.pop("step", plain[2] if len(plain) > 2 else 1)
    accepted(keywords)
    if end is None:
        raise ArgumentTypeError("arange() needs an end: arange(end), arange(start, end) or arange(start, end, step)")
    return start, end, step


def _steps(start: Any, end: Any, steps: int, dtype: Any) -> tuple[Any, np.dtype[Any]]:
    steps = int(number(steps))
    if steps < 0:
        raise OperationError("number of steps must be non-negative")
    kind = dtypes.default_numpy() if dtype is None else dtypes.to_numpy(dtype)
    start, end = float(number(start)), float(number(end))
    if kind.kind != "f":
        return np.linspace(start, end, steps), kind
    return equal_steps(start, end, steps, kind), kind


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
    out: Any = None,
    **unused: Any,
) -> Any:
    """Return `steps` values from start to end, both included, at equal distances.

    >>> import fanin as torch
    >>> torch.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    values, kind = _steps(start, end, steps, dtype)
    return to_out(out, leaf(values.astype(kind), requires_grad, device))


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
    """Return base ** v for `steps` values v from start to end at equal distances.

    >>> import fanin as torch
    >>> torch.logspace(-1, 2, 4)
    tensor([  0.1000,   1.0000,  10.0000, 100.0000])
    """
    values, kind = _steps(start, end, steps, dtype)
    return leaf(np.power(float(base), values.astype(np.float64)).astype(kind), requires_grad, device)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
    out: Any = None,
    **unused: Any,
) -> Any:
    """Return the n x m matrix with ones on the diagonal and zeros elsewhere.

    >>> import fanin as torch
    >>> torch.eye(2, 3)
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if n < 0 or (m is not None and m < 0):
        raise ShapeError(f"n must be greater or equal to 0, got {n if n < 0 else m}")
    kind = dtypes.default_numpy() if dtype is None else dtypes.to_numpy(dtype)
    return to_out(out, leaf(np.eye(n, m, dtype=kind), requires_grad, device))


# Methods: like the functions, with the dtype of the tensor they are called on. ----------------------------------------


def _own(self: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    dtype = keywords.pop("dtype", None)
    return {"dtype": dtypes.from_numpy(self._array.dtype) if dtype is None else dtype, **keywords}


def new_zeros(self: Any, *size: Any, **keywords: Any) -> Any:
    """Return zeros of a size, in this tensor's dtype."""
    return zeros(*size, **_own(self, keywords))


def new_ones(self: Any, *size: Any, **keywords: Any) -> Any:
    """Return ones of a size, in this tensor's dtype."""
    return ones(*size, **_own(self, keywords))


def new_empty(self: Any, *size: Any, **keywords: Any) -> Any:
    """Return a tensor of a size, in this tensor's dtype, its values not set (zero in fanin)."""
    return empty(*size, **_own(self, keywords))


def new_full(self: Any, size: Any, fill_value: Any, **keywords: Any) -> Any:
    """Return a tensor of a size filled with one value, in this tensor's dtype."""
    return full(size, fill_value, **_own(self, keywords))
