"""Other dtypes, copies and the memory that a tensor lies in."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core import dtypes
from fanin._core.errors import ArgumentError, ArgumentTypeError, GraphError, OperationError
from fanin.ops.elementwise import cast, copy
from fanin.ops.index import within
from fanin.tensor.base import TensorBase, known
from fanin.tensor.device import check_device, device
from fanin.tensor.functions.operands import converted
from fanin.tensor.grad_mode import mode
from fanin.tensor.tape import apply, wrap

_ACCEPTED = {"device", "dtype", "other", "non_blocking", "copy", "memory_format"}


def to(input: Any, *args: Any, **keywords: Any) -> Any:
    """Return the tensor in another dtype, or itself when it has that one: `to(dtype)`, `to(device, dtype)`, `to(x)`.

    copy=True always copies. The only device is "cpu".

    >>> import fanin as torch
    >>> torch.tensor([1.6, 2.0]).to(torch.int64)
    tensor([1, 2])
    """
    dtype, place, copy_wanted = _target(args, keywords)
    if place is not None:
        check_device(place)
    result = input if dtype is None else converted(input, dtype)
    return clone(input) if result is input and copy_wanted else result


def _target(args: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, Any, bool]:
    unknown = set(keywords) - _ACCEPTED
    if unknown:
        raise ArgumentTypeError(f"to() received an unexpected keyword argument {sorted(unknown)[0]!r}")
    dtype, place, copy_wanted = keywords.get("dtype"), keywords.get("device"), bool(keywords.get("copy", False))
    others = [*args, *([keywords["other"]] if "other" in keywords else [])]
    flags = [a for a in others if isinstance(a, bool)]
    for argument in others:
        if isinstance(argument, TensorBase):
            dtype = argument._array.dtype
        elif isinstance(argument, (str, device)):
            place = argument
        elif isinstance(argument, dtypes.dtype) or argument in (float, int, bool):
            dtype = argument
        elif argument is not None and not isinstance(argument, bool):
            raise ArgumentTypeError(f"to() takes a dtype, a device or a tensor, not {type(argument).__name__}")
    return dtype, place, copy_wanted or (len(flags) > 1 and flags[1])


def type_(input: Any, dtype: Any = None, non_blocking: bool = False, **unused: Any) -> Any:
    """Return the tensor in another dtype; without one, the name of its type, such as 'torch.FloatTensor'."""
    if dtype is None:
        return f"torch.{dtypes.from_numpy(input._array.dtype).legacy_name}Tensor"
    return converted(input, _named(dtype))


def _named(wanted: Any) -> Any:
    name = wanted if isinstance(wanted, str) else getattr(wanted, "__name__", "") if isinstance(wanted, type) else ""
    if name.endswith("Tensor"):
        legacy = name.rpartition(".")[2].removesuffix("Tensor")
        for candidate in dtypes.ALL:
            if candidate.legacy_name == legacy:
                return candidate
    if isinstance(wanted, str) or wanted in (int, float, bool):
        raise ArgumentError(f"invalid type: '{wanted}'")
    return wanted


def type_as(input: Any, other: Any) -> Any:
    """Return the tensor in the dtype of another one."""
    return converted(input, other._array.dtype)


def _converter(dtype: dtypes.dtype) -> Any:
    kind = dtype.numpy

    def convert(input: Any, memory_format: Any = None) -> Any:
        return input if input._array.dtype == kind else apply(cast, (input,), {"dtype": kind})

    convert.__name__ = dtype.name
    convert.__doc__ = f"Return the tensor as {dtype.name}, itself when it is."
    return convert


to_half = _converter(dtypes.float16)
to_float = _converter(dtypes.float32)
to_double = _converter(dtypes.float64)
to_byte = _converter(dtypes.uint8)
to_char = _converter(dtypes.int8)
to_short = _converter(dtypes.int16)
to_int = _converter(dtypes.int32)
to_long = _converter(dtypes.int64)
to_bool = _converter(dtypes.bool_)


def clone(input: Any, *, memory_format: Any = None) -> Any:
    """Return a copy; gradients flow through it.

    >>> import fanin as torch
    >>> x = torch.tensor([1.0])
    >>> torch.clone(x).zero_(), x
    (tensor([0.]), tensor([1.]))
    """
    return apply(copy, (input,), {})


def contiguous(input: Any, *, memory_format: Any = None) -> Any:
    """Return the tensor with its elements in row-major order, itself when they lie so."""
    if mode.capture is not None:
        return mode.capture.contiguous(input)
    return input if input._array.flags.c_contiguous else apply(copy, (input,), {"order": "C"})


def detach(input: Any) -> Any:
    """Return the same values and memory, off the tape.

    >>> import fanin as torch
    >>> torch.detach(torch.ones(1, requires_grad=True)).requires_grad
    False
    """
    return input.detach()


def result_type(tensor1: Any, tensor2: Any) -> Any:
    """Return the dtype that arithmetic of the two, tensors or numbers, gives.

    >>> import fanin as torch
    >>> torch.result_type(torch.tensor([1, 2]), 1.5)
    torch.float32
    """
    operands = tuple(x._array if isinstance(x, TensorBase) else x for x in (tensor1, tensor2))
    return dtypes.from_numpy(dtypes.result_dtype(operands))


def promote_types(type1: Any, type2: Any) -> Any:
    """Return the smallest dtype that holds both.

    >>> import fanin as torch
    >>> torch.promote_types(torch.int64, torch.float32)
    torch.float32
    """
    return dtypes.from_numpy(dtypes.promote(dtypes.to_numpy(type1), dtypes.to_numpy(type2)))


def typename(obj: Any) -> str:
    """Return the name of a type, or of an object's type; 'torch.FloatTensor' and its like for tensors."""
    if isinstance(obj, TensorBase):
        name: str = type_(obj)
        return name
    cls = obj if isinstance(obj, type) else obj.__class__
    module = "" if cls.__module__ == "builtins" else f"{cls.__module__}."
    return f"{module}{cls.__qualname__}"


def is_floating_point(input: Any) -> bool:
    """Say whether the dtype is a floating one.

    >>> import fanin as torch
    >>> torch.is_floating_point(torch.tensor([1])), torch.is_floating_point(torch.tensor([1.0]))
    (False, True)
    """
    return bool(input._array.dtype.kind == "f")


def is_complex(input: Any) -> bool:
    """Return False: fanin has no complex dtypes."""
    return False


def numel(input: Any) -> Any:
    """Return the number of elements.

    >>> import fanin as torch
    >>> torch.numel(torch.ones(2, 3))
    6
    """
    return input._array.size


def is_signed(input: Any) -> bool:
    """Say whether the dtype holds negative numbers."""
    return input._array.dtype.kind in "if"


def is_conj(input: Any) -> bool:
    """Return False: fanin has no complex dtypes."""
    return False


def is_inference(input: Any) -> bool:
    """Say whether a tensor was made in inference mode."""
    made: bool = input._is_inference
    return made


def itself(input: Any) -> Any:
    """Return the tensor: what `real`, `conj` and `resolve_conj` do with real numbers."""
    return input


real = conj = conj_physical = resolve_conj = resolve_neg = itself


def as_strided(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """Return a view of the memory with given sizes and steps, both counted in elements.

    Raises RuntimeError when it would reach beyond the memory, or when a gradient would have to flow through it.

    >>> import fanin as torch
    >>> torch.as_strided(torch.arange(6.0), (2, 2), (3, 1))
    tensor([[0., 1.],
            [3., 4.]])
    """
    if input.requires_grad:
        raise GraphError("as_strided of a tensor that requires a gradient is not part of fanin; index or reshape it")
    base = input if input._base is None else input._base
    flat = base._array.reshape(-1)
    if flat.size and not np.may_share_memory(flat, base._array):
        raise OperationError("as_strided needs memory in row-major order; call .contiguous() first")
    start = input.storage_offset() if storage_offset is None else storage_offset
    last = start + sum((n - 1) * s for n, s in zip(size, stride, strict=True) if n)
    if min(size, default=1) and last >= flat.size:
        raise OperationError(
            f"setStorage: sizes {list(size)}, strides {list(stride)} reach beyond {flat.size} elements"
        )
    step = flat.itemsize
    view = np.lib.stride_tricks.as_strided(flat[start:], tuple(size), tuple(s * step for s in stride))
    result = wrap(view)
    result._base = base
    return result


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Any:
    """Return a vector that shares memory with bytes.

    >>> import fanin as torch
    >>> torch.frombuffer(bytearray([1, 2]), dtype=torch.uint8)
    tensor([1, 2], dtype=torch.uint8)
    """
    result = wrap(np.frombuffer(buffer, dtypes.to_numpy(dtype), count, offset))
    return result.requires_grad_(requires_grad)


def unravel_index(indices: Any, shape: Any) -> tuple[Any, ...]:
    """Return for flat positions the index along each dimension of a shape.

    >>> import fanin as torch
    >>> torch.unravel_index(torch.tensor(5), (2, 4))
    (tensor(1), tensor(1))
    """
    sizes, rest, found = [int(n) for n in shape], indices, []
    if known(indices._array):
        return tuple(wrap(np.asarray(place)) for place in np.unravel_index(indices._array, sizes))
    for size in reversed(sizes[1:]):
        found.append(rest % size)
        rest = rest // size
    return (*(apply(within, (rest,), {"size": size}) for size in sizes[:1]), *reversed(found))
