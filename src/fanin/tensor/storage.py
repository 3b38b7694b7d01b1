"""The memory behind a tensor and its views, as a row of elements: what lessons on strides and views look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fanin._core.dtypes import dtype, from_numpy
from fanin.tensor.device import CPU, device


class UntypedStorage:
    """The memory as bytes.

    >>> import fanin as torch
    >>> x = torch.zeros(2, 3)
    >>> x.untyped_storage().data_ptr() == x[1].untyped_storage().data_ptr(), x.untyped_storage().nbytes()
    (True, 24)
    """

    def __init__(self, memory: Any) -> None:
        self._memory = memory

    @property
    def device(self) -> device:
        """Where it lies: the CPU."""
        return CPU

    def data_ptr(self) -> int:
        """Return the address of the first element."""
        return int(self._memory.__array_interface__["data"][0])

    def nbytes(self) -> int:
        """Return the number of bytes."""
        return int(self._memory.nbytes)

    def element_size(self) -> int:
        """Return the bytes of one element."""
        return int(self._memory.itemsize)

    def size(self) -> int:
        """Return the number of elements."""
        return int(self._memory.size)

    def tolist(self) -> list[Any]:
        """Return the elements."""
        found: list[Any] = self._memory.tolist()
        return found

    def __len__(self) -> int:
        return self.size()

    def __getitem__(self, index: int) -> Any:
        return self._memory[index].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._memory[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __repr__(self) -> str:
        rows = "".join(f" {value}\n" for value in self.tolist())
        return f"{rows}[torch.storage.{type(self).__name__}({self._kind()}device={CPU}) of size {self.size()}]"

    def _kind(self) -> str:
        return ""


class TypedStorage(UntypedStorage):
    """The memory as elements of the tensor's dtype.

    >>> import fanin as torch
    >>> torch.arange(6).reshape(2, 3).t().storage().tolist()
    [0, 1, 2, 3, 4, 5]
    """

    @property
    def dtype(self) -> dtype:
        """The type of the elements."""
        return from_numpy(self._memory.dtype)

    def _kind(self) -> str:
        return f"dtype={self.dtype}, "


def memory_of(tensor: Any) -> Any:
    """Return the elements of the tensor that owns the memory in the order in which they lie, without a copy."""
    while tensor._base is not None:
        tensor = tensor._base
    array = tensor._array
    in_order = array.transpose(np.argsort([-step for step in array.strides], kind="stable")) if array.ndim else array
    return in_order.reshape(-1)
