"""Write a pickle that says what PyTorch's would say: its names for tensors, and a number for each storage.

The names cannot be imported where PyTorch is not installed, and Python's fast pickler insists on importing what it
names, so this one is the slower one that is written in Python.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from fanin._core import dtypes
from fanin.serialization.storages import Array, Place, Span, blocks, memory_bytes, place_of
from fanin.tensor.base import TensorBase
from fanin.tensor.device import device
from fanin.tensor.size import Size


@dataclass(frozen=True)
class _Name:
    """A global name of PyTorch's, which the pickle mentions and nobody calls here."""

    module: str
    name: str

    def __call__(self, *_: Any) -> None:
        """Exist, because pickle refuses to write a call of what is not callable."""


_TENSOR = _Name("torch._utils", "_rebuild_tensor_v2")
_PARAMETER = _Name("torch._utils", "_rebuild_parameter")
_SIZE = _Name("torch", "Size")
_DEVICE = _Name("torch", "device")


@dataclass(frozen=True)
class _Storage:
    """A stretch of memory, read as elements of one dtype."""

    key: str
    dtype: dtypes.dtype
    memory: Array
    span: Span

    def persistent_id(self) -> tuple[Any, ...]:
        """Return the tuple by which the pickle names it; the last item counts elements."""
        count = (self.span[1] - self.span[0]) // self.dtype.itemsize
        return "storage", _storage_name(self.dtype), self.key, "cpu", count


@cache
def _storage_name(dtype: dtypes.dtype) -> _Name:
    # One object for each, because a pickle writes an object once and refers back to it afterwards.
    return _Name("torch", f"{dtype.legacy_name}Storage")


Owner = tuple[int, dtypes.dtype]


def to_pickle(obj: Any, protocol: int) -> tuple[bytes, list[memoryview]]:
    """Return the pickle of an object, and the bytes of the storages that it calls "0", "1" and so on.

    Whether tensors overlap is known when all were seen. So the first run writes memory whole, which is right in the
    common case that each tensor has its own; else a second run writes only the stretches that are in use.
    """
    first = _Pickler(protocol, {})
    content = first.run(obj)
    stretches = {owner: blocks(spans) for owner, spans in first.spans.items()}
    whole = {owner: [(0, memory.nbytes)] for owner, memory in first.memories.items()}
    if stretches == whole:
        return content, first.contents()
    second = _Pickler(protocol, stretches)
    return second.run(obj), second.contents()


class _Pickler(pickle._Pickler):
    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def __init__(self, protocol: int, stretches: dict[Owner, list[Span]]) -> None:
        self._file = io.BytesIO()
        super().__init__(self._file, protocol)
        self._stretches = stretches
        self._storages: dict[tuple[Owner, Span], _Storage] = {}
        # Keyed by identity, so the arrays are kept alive: another one must not get the same.
        self.memories: dict[Owner, Array] = {}
        self.spans: dict[Owner, list[Span]] = {}

    def run(self, obj: Any) -> bytes:
        """Return the pickle of an object."""
        self.dump(obj)
        return self._file.getvalue()

    def contents(self) -> list[memoryview]:
        """Return the bytes of the storages in the order of their keys."""
        return [memory_bytes(storage.memory, storage.span) for storage in self._storages.values()]

    def persistent_id(self, obj: Any) -> Any:
        """Write storages as a reference to a record of the archive."""
        return obj.persistent_id() if type(obj) is _Storage else None

    def reducer_override(self, obj: Any) -> Any:
        """Describe what PyTorch has its own words for."""
        if isinstance(obj, TensorBase):
            return self._any_tensor(obj)
        if type(obj) is Size:
            return _SIZE, (tuple(obj),)
        if type(obj) is device:
            return _DEVICE, (str(obj),)
        return NotImplemented

    def _any_tensor(self, tensor: Any) -> tuple[Any, ...]:
        from fanin.nn.parameter import Parameter, is_lazy

        if is_lazy(tensor):
            return _Name("torch.nn.parameter", type(tensor).__name__), (bool(tensor.requires_grad),)
        return self._parameter(tensor) if isinstance(tensor, Parameter) else self._tensor(tensor)

    def _tensor(self, tensor: Any) -> tuple[Any, ...]:
        place = place_of(tensor._array)
        storage = self._storage(place, dtypes.from_numpy(tensor._array.dtype))
        offset = (place.start - storage.span[0]) // place.itemsize
        requires_grad = bool(tensor.requires_grad)
        return _TENSOR, (storage, offset, place.size, place.stride, requires_grad, OrderedDict())

    def _parameter(self, parameter: Any) -> tuple[Any, ...]:
        return _PARAMETER, (parameter.detach(), bool(parameter.requires_grad), OrderedDict())

    def _storage(self, place: Place, dtype: dtypes.dtype) -> _Storage:
        owner, (start, end) = (id(place.memory), dtype), place.span
        self.memories[owner] = place.memory
        self.spans.setdefault(owner, []).append((start, end))
        stretches = self._stretches.get(owner, [(0, place.memory.nbytes)])
        span = next(block for block in stretches if block[0] <= start and end <= block[1])
        if (owner, span) not in self._storages:
            self._storages[owner, span] = _Storage(str(len(self._storages)), dtype, place.memory, span)
        return self._storages[owner, span]

    def _write_name(self, obj: _Name | dtypes.dtype) -> None:
        module, name = ("torch", obj.name) if isinstance(obj, dtypes.dtype) else (obj.module, obj.name)
        # Both are methods of the class, though not of its type stubs.
        self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())  # type: ignore[attr-defined]
        self.memoize(obj)  # type: ignore[attr-defined]

    dispatch[_Name] = _write_name
    dispatch[dtypes.dtype] = _write_name
