"""Tensors from data: numbers, nested sequences, arrays, other tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core import dtypes
from fanin._core.errors import ArgumentError, ArgumentTypeError, DtypeError, FaninError, OperationError
from fanin.tensor.base import TensorBase
from fanin.tensor.device import check_device
from fanin.tensor.grad_mode import mode
from fanin.tensor.tape import wrap


def leaf(array: Any, requires_grad: bool = False, device: Any = None) -> Any:
    """Return a new leaf tensor around an array."""
    check_device(device)
    result = wrap(array)
    if mode.inference:
        result._is_inference = True
    if requires_grad:
        result.requires_grad = True
    return result


def data_array(data: Any, dtype: Any = None) -> Any:
    """Return a fresh array with the values of numbers, nested sequences, arrays or tensors."""
    if isinstance(data, TensorBase):
        return np.array(data._array, dtype=None if dtype is None else dtypes.to_numpy(dtype))
    data = _of_other_library(data)
    if isinstance(data, (np.ndarray, np.generic)):
        kind = dtypes.from_numpy(data.dtype) if dtype is None else dtype
        return np.array(data).astype(dtypes.to_numpy(kind))
    wanted = None if dtype is None else dtypes.to_numpy(dtype)
    if data.__class__ is float:
        return _cast(np.array(data), wanted, data)
    if isinstance(_first(data), (TensorBase, np.ndarray, np.generic)):
        wanted = _inferred(data) if wanted is None else wanted
        data = _without_tensors(data)
    try:
        return _cast(np.array(list(data) if isinstance(data, range) else data), wanted, data)
    except FaninError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise _data_error(data, error) from None


def _of_other_library(data: Any) -> Any:
    """Return what gives itself as an array of numbers, such as a column of pandas, as that array, of its dtype."""
    if data.__class__ in (float, int, bool, list, tuple) or not hasattr(data, "__array__"):
        return data
    array = np.asarray(data)
    return array if array.dtype.kind in "biuf" else data


def _first(data: Any) -> Any:
    """Return the first element that is no sequence."""
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return data


def _inferred(data: Any) -> np.dtype[Any]:
    """Return the dtype of nested sequences of tensors, arrays, NumPy's numbers and Python's."""
    if isinstance(data, (TensorBase, np.ndarray, np.generic)):
        kind: np.dtype[Any] = data._array.dtype if isinstance(data, TensorBase) else data.dtype
        return kind
    if not isinstance(data, (list, tuple)):
        return dtypes.python_dtype(data)
    kinds = [_inferred(item) for item in data]
    result = kinds[0]
    for kind in kinds[1:]:
        result = dtypes.promote(result, kind)
    return result


def _without_tensors(data: Any) -> Any:
    if isinstance(data, TensorBase):
        if data._array.size != 1:
            raise ArgumentError("only one element tensors can be converted to Python scalars")
        return data._array.item()
    if isinstance(data, (list, tuple)):
        return [_without_tensors(item) for item in data]
    return data


def _cast(array: Any, wanted: np.dtype[Any] | None, data: Any) -> Any:
    if array.dtype.kind not in "biuf":
        raise TypeError(f"not numbers: {array.dtype}")
    if wanted is None:
        kinds = {"b": array.dtype, "i": dtypes.int64.numpy, "u": array.dtype, "f": dtypes.default_numpy()}
        wanted = dtypes.default_numpy() if not array.size else kinds[array.dtype.kind]
    if wanted.kind in "iu" and array.dtype.kind != "b" and array.size:
        _check_range(array, wanted)
    with np.errstate(all="ignore"):
        return array.astype(wanted)


def _check_range(array: Any, wanted: np.dtype[Any]) -> None:
    if array.dtype.kind == "u" and array.dtype.itemsize == 8:
        raise _overflow()
    info = np.iinfo(wanted)
    if not (array.max() <= info.max and array.min() >= -int(info.max) - 1):  # nan is neither
        raise DtypeError(f"value cannot be converted to type {wanted} without overflow")


def _data_error(data: Any, error: Exception) -> Exception:
    if isinstance(error, OverflowError):
        return ArgumentError(f"Overflow when unpacking long long: {error}")
    if isinstance(data, (list, tuple)):
        return _sequence_error(data)
    if isinstance(data, (str, bytes, complex)):
        return ArgumentTypeError(f"new(): invalid data type '{type(data).__name__}'", remedy="Data must be numbers.")
    if isinstance(data, int):
        return _overflow()
    return OperationError(f"Could not infer dtype of {type(data).__name__}")


def _overflow() -> Exception:
    return ArgumentError("Overflow when unpacking long long: the number needs more than 64 bits with its sign")


def _sequence_error(data: Any) -> Exception:
    """Say what is wrong with nested sequences: not rectangular, or not made of numbers."""
    level, dim = list(data), 0
    while level and any(isinstance(item, (list, tuple)) for item in level):
        if not all(isinstance(item, (list, tuple)) for item in level):
            return ArgumentTypeError(f"not a sequence: numbers and sequences stand side by side at dim {dim}")
        lengths = [len(item) for item in level]
        if len(set(lengths)) > 1:
            other = next(n for n in lengths if n != lengths[0])
            return ArgumentError(f"expected sequence of length {lengths[0]} at dim {dim + 1} (got {other})")
        level, dim = [part for item in level for part in item], dim + 1
    strange = [item for item in level if not isinstance(item, (bool, int, float))]
    if not strange:
        return _overflow()  # of numbers, NumPy holds as objects what is wider than 64 bits
    odd = strange[0]
    if isinstance(odd, (str, bytes)):
        return ArgumentError(f"too many dimensions '{type(odd).__name__}'", remedy="Data must be numbers.")
    return OperationError(f"Could not infer dtype of {type(odd).__name__}")


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Any:
    """Return a tensor with a copy of data: a number, nested sequences, a NumPy array or a tensor.

    Python floats become the default dtype (float32), ints int64, bools bool; NumPy arrays keep their dtype.

    Raises ValueError for ragged sequences, TypeError or RuntimeError for what is not numbers.

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


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool | None = None
) -> Any:
    """Return a tensor of obj, copied when asked for or needed; it stays on the tape unless requires_grad is False.

    >>> import fanin as torch
    >>> torch.asarray([1, 2])
    tensor([1, 2])
    """
    result = as_tensor(obj, dtype, device)
    if copy and isinstance(obj, TensorBase):
        result = result.clone()
    elif copy and isinstance(obj, np.ndarray):
        result = wrap(result._array.copy())
    if requires_grad:
        return result if result.requires_grad else result.requires_grad_(True)
    return result.detach() if requires_grad is False and isinstance(obj, TensorBase) else result


def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **unused: Any) -> Any:
    """Return a zero-dimensional tensor of the default dtype.

    >>> import fanin as torch
    >>> torch.scalar_tensor(2)
    tensor(2.)
    """
    kind = dtypes.default_numpy() if dtype is None else dtypes.to_numpy(dtype)
    return leaf(np.asarray(s).astype(kind), requires_grad, device)


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
            "currently supported. (You can probably work around this by making a copy of your array  with "
            "array.copy().) "
        )
    if not ndarray.dtype.isnative:
        ndarray = ndarray.astype(ndarray.dtype.newbyteorder("="))
    return leaf(ndarray.view(np.ndarray))


class _Capsule:
    """A capsule of DLPack's, as the object that NumPy asks for one."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # the CPU


class _Memory:
    """An array's memory, to be written to; NumPy takes what an old capsule holds for read-only."""

    def __init__(self, array: Any) -> None:
        interface = array.__array_interface__
        self.array, self.__array_interface__ = array, {**interface, "data": (interface["data"][0], False)}


def from_dlpack(ext_tensor: Any) -> Any:
    """Return a tensor that shares memory with an array of another library, which speaks DLPack, or with a capsule.

    >>> import numpy as np, fanin as torch
    >>> torch.from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    is_capsule = not hasattr(ext_tensor, "__dlpack__")
    array = np.from_dlpack(_Capsule(ext_tensor) if is_capsule else ext_tensor)
    dtypes.from_numpy(array.dtype)
    if is_capsule or isinstance(ext_tensor, TensorBase):
        array = np.asarray(_Memory(array))
    return leaf(array)


def new(self: Any, *data: Any, device: Any = None) -> Any:
    """Return a tensor of this one's dtype: of a sequence, or of the sizes given, its values not set (zero in fanin)."""
    return leaf(legacy_array(data, dtypes.from_numpy(self._array.dtype)), False, device)


def new_tensor(self: Any, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """Return a tensor with a copy of data, of this tensor's dtype unless another is named."""
    return leaf(data_array(data, self._array.dtype if dtype is None else dtype), requires_grad, device)


# PyTorch's old constructors -------------------------------------------------------------------------------------------


class _TypedMeta(type):
    """Lets `isinstance(x, torch.FloatTensor)` ask for the dtype."""

    dtype: Any

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, TensorBase) and instance._array.dtype == cls.dtype.numpy

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


def legacy_array(arguments: tuple[Any, ...], dtype: Any) -> Any:
    """Return the array of `FloatTensor([1, 2])` or of `FloatTensor(2, 3)`, whose values are not set (zero here)."""
    if not arguments:
        return np.zeros(0, dtype.numpy)
    if all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in arguments):
        return np.zeros(arguments, dtype.numpy)
    (data,) = arguments
    if data.__class__.__name__ == "Size":
        return np.zeros(data, dtype.numpy)
    if isinstance(data, TensorBase):
        if data._array.dtype != dtype.numpy:
            raise ArgumentTypeError(f"expected a tensor of {dtype}, got one of {data._array.dtype}; use .to({dtype})")
        return data._array
    if isinstance(data, (bool, float, int)):
        raise ArgumentTypeError(f"new(): data must be a sequence (got {type(data).__name__})")
    return data_array(data, dtype)


def _typed(dtype: dtypes.dtype) -> Any:
    name = f"{dtype.legacy_name}Tensor"

    def new(cls: Any, *data: Any, device: Any = None) -> Any:
        return leaf(legacy_array(data, dtype), False, device)

    documented = f"Make a tensor of {dtype.name} from a sequence, or of the sizes given, its values not set."
    return _TypedMeta(name, (), {"__new__": new, "__doc__": documented, "dtype": dtype, "__module__": "torch"})


FloatTensor = _typed(dtypes.float32)
DoubleTensor = _typed(dtypes.float64)
HalfTensor = _typed(dtypes.float16)
ByteTensor = _typed(dtypes.uint8)
CharTensor = _typed(dtypes.int8)
ShortTensor = _typed(dtypes.int16)
IntTensor = _typed(dtypes.int32)
LongTensor = _typed(dtypes.int64)
BoolTensor = _typed(dtypes.bool_)


def set_default_tensor_type(t: Any) -> None:
    """Let Python floats become tensors of the dtype of a constructor, named or given, such as torch.DoubleTensor."""
    name = t.rpartition(".")[2] if isinstance(t, str) else getattr(t, "__name__", "")
    found = {f"{d.legacy_name}Tensor": d for d in dtypes.ALL}.get(name)
    if found is None:
        raise ArgumentTypeError(f"invalid type object: {t!r} is not a tensor type such as torch.FloatTensor")
    dtypes.set_default_dtype(found)
