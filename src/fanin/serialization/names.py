"""The names that a pickle of PyTorch's uses, and what each stands for in fanin.

This table is also the list of what `load` agrees to call; nothing else in a file is ever imported or run.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from fanin._core import dtypes
from fanin._core.errors import CheckpointError
from fanin.serialization.storages import window
from fanin.tensor.base import TensorBase
from fanin.tensor.device import CPU, device
from fanin.tensor.size import Size
from fanin.tensor.tape import wrap

Key = tuple[str, str]
# What state_dict() hangs on its dictionary, and the mark of a Buffer.
_HARMLESS = ("_metadata", "_is_buffer")


@dataclass(frozen=True)
class StorageType:
    """A class such as torch.FloatStorage: it says how the bytes of a record are to be read."""

    dtype: dtypes.dtype


def rebuild_tensor(
    memory: Any,
    offset: int,
    size: Any,
    stride: Any,
    requires_grad: bool = False,
    hooks: Any = None,
    metadata: Any = None,
) -> Any:
    """Make a tensor of a window on a loaded storage; hooks and metadata are not carried over."""
    if not isinstance(memory, np.ndarray):
        raise TypeError(f"a tensor without a storage: {type(memory).__name__}")
    tensor: Any = wrap(window(memory, int(offset), _integers(size), _integers(stride)))
    if requires_grad:
        tensor.requires_grad_()
    return tensor


def _integers(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def rebuild_parameter(data: Any, requires_grad: Any = True, hooks: Any = None) -> Any:
    """Make a Parameter of a tensor."""
    from fanin.nn.parameter import Parameter

    if not isinstance(data, TensorBase):
        raise TypeError(f"a parameter without a tensor: {type(data).__name__}")
    tensor: Any = data
    return Parameter(tensor.detach(), bool(requires_grad))


def _rebuild_parameter_with_state(data: Any, requires_grad: Any, hooks: Any, state: Any) -> Any:
    parameter = rebuild_parameter(data, requires_grad)
    set_attributes(parameter, state)
    return parameter


def _rebuild_from_type(function: Any, kind: Any, arguments: Any, state: Any) -> Any:
    """Make a tensor that carries Python attributes, such as the mark of a Buffer."""
    if not any(function is allowed for allowed in (rebuild_tensor, rebuild_parameter)):
        raise TypeError("a tensor that is rebuilt in an unknown way")
    tensor = function(*arguments)
    set_attributes(tensor, state)
    return tensor


def set_attributes(instance: Any, state: Any) -> None:
    """Set plain attributes, never one that the class itself uses: that would change what the object does."""
    if not isinstance(state, dict):
        raise TypeError(f"attributes of {type(instance).__name__} in a {type(state).__name__}")
    for name, value in state.items():
        private = name.startswith("_") and name not in _HARMLESS
        if private or hasattr(type(instance), name):
            raise TypeError(f"the attribute {name!r} of {type(instance).__name__} is not a file's to set")
        setattr(instance, name, value)


def _device(kind: Any = "cpu", index: Any = None) -> device:
    """Return the CPU, also for a file that was written on another device: tensors from there arrive here as well."""
    return device(kind, index) if str(kind).startswith("cpu") else CPU


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Undo how protocol 2 writes bytes."""
    if encoding != "latin1":
        raise ValueError(f"bytes in the encoding {encoding!r}")
    return text.encode("latin1")


def _bytes() -> bytes:
    """Return no bytes: protocol 2 has its own words for them."""
    return b""


def _bytearray(content: bytes = b"") -> bytearray:
    # A number would make bytearray set aside that many bytes.
    return bytearray(bytes(memoryview(content)))


@cache
def functions() -> dict[Key, Any]:
    """Return what a file may call, by module and name."""
    from fanin.nn.parameter import UninitializedBuffer, UninitializedParameter

    found: dict[Key, Any] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("collections", "Counter"): Counter,
        ("_codecs", "encode"): _encode,
        ("torch", "Size"): Size,
        ("torch", "device"): _device,
        ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
        ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
        ("torch._utils", "_rebuild_parameter_with_state"): _rebuild_parameter_with_state,
        ("torch._tensor", "_rebuild_from_type_v2"): _rebuild_from_type,
        ("torch.nn.parameter", "UninitializedParameter"): UninitializedParameter,
        ("torch.nn.parameter", "UninitializedBuffer"): UninitializedBuffer,
    }
    builtin = {"set": set, "frozenset": frozenset, "complex": complex, "bytes": _bytes, "bytearray": _bytearray}
    for module in ("builtins", "__builtin__"):
        found.update({(module, name): value for name, value in builtin.items()})
    return found


@cache
def values() -> dict[Key, Any]:
    """Return what a file may name, but not call: dtypes, kinds of storage, the tensor classes."""
    from fanin.nn.parameter import Parameter
    from fanin.tensor.tensor import Tensor

    found: dict[Key, Any] = {("torch", "Tensor"): Tensor, ("torch.nn.parameter", "Parameter"): Parameter}
    for dtype in dtypes.ALL:
        found["torch", dtype.name] = dtype
        found["torch", f"{dtype.legacy_name}Storage"] = StorageType(dtype)
    return found


OUTSIDE = {
    "BFloat16Storage": "bfloat16",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}


def refuse_foreign_storage(module: str, name: str) -> None:
    """Raise for a tensor of a kind that fanin does not have."""
    if module == "torch" and name in OUTSIDE:
        raise CheckpointError(
            f"load: the file holds tensors of torch.{OUTSIDE[name]}, which fanin does not have; "
            "convert them in PyTorch, with .float() for instance, and save again"
        )
