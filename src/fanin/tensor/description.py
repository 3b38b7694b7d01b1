"""What a tensor is like: its shape, its dtype, and how it lies in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.dtypes import dtype, from_numpy
from fanin.ops.rules import wrap_dim
from fanin.tensor.base import TensorBase
from fanin.tensor.device import CPU, device
from fanin.tensor.grad_mode import mode
from fanin.tensor.layout import layout, strided
from fanin.tensor.size import Size
from fanin.tensor.storage import TypedStorage, UntypedStorage, memory_of


class Description(TensorBase):
    """What can be told of a tensor without a look at its elements or at the tape."""

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return Size(self._array.shape)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    @property
    def dtype(self) -> dtype:
        """The type of the elements."""
        return from_numpy(self._array.dtype)

    @property
    def device(self) -> device:
        """Where it lies: the CPU."""
        return CPU

    @property
    def layout(self) -> layout:
        """How it is stored: dense, with strides."""
        return strided

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._array.nbytes

    is_cpu = True
    is_cuda = is_sparse = is_quantized = is_meta = is_mps = is_nested = is_mkldnn = is_xpu = False
    name: str | None = None
    output_nr = 0

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the size of one dimension."""
        if dim is None:
            return Size(self._array.shape)
        return self._array.shape[wrap_dim(dim, self._array.ndim)]

    def dim(self) -> int:
        """Return the number of dimensions."""
        return self._array.ndim

    ndimension = dim

    def numel(self) -> int:
        """Return the number of elements."""
        return self._array.size

    nelement = numel

    def element_size(self) -> int:
        """Return the bytes of one element."""
        return self._array.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """Return the steps between elements, counted in elements, of all dimensions or of one."""
        array = self._array if mode.capture is None else mode.capture.layout(self)[0]
        steps = tuple(s // array.itemsize for s in array.strides)
        return steps if dim is None else steps[dim]

    def storage_offset(self) -> int:
        """Return where the first element lies in the memory of the base, counted in elements."""
        base: Any = self
        if mode.capture is not None:
            part, whole = mode.capture.layout(self)
            return int((part.__array_interface__["data"][0] - whole.__array_interface__["data"][0]) // part.itemsize)
        while base._base is not None:
            base = base._base
        start = self._array.__array_interface__["data"][0] - base._array.__array_interface__["data"][0]
        return int(start) // self._array.itemsize

    def data_ptr(self) -> int:
        """Return the address of the first element."""
        return int(self._array.__array_interface__["data"][0])

    def storage(self) -> TypedStorage:
        """Return the memory that it shares with its views, as elements of its dtype."""
        return TypedStorage(memory_of(self))

    def untyped_storage(self) -> UntypedStorage:
        """Return the memory that it shares with its views, as bytes."""
        return UntypedStorage(memory_of(self).view(np.uint8))

    def is_set_to(self, tensor: Any) -> bool:
        """Say whether another tensor is the same view of the same memory."""
        mine, other = self._array, tensor._array
        return self.data_ptr() == tensor.data_ptr() and (mine.shape, mine.strides) == (other.shape, other.strides)

    def get_device(self) -> int:
        """Return -1: the CPU."""
        return -1

    def pin_memory(self, *unused: Any) -> Any:
        """Return the tensor: there is no device to copy it to."""
        return self

    def is_pinned(self, *unused: Any) -> bool:
        """Return False."""
        return False

    def share_memory_(self) -> Any:
        """Return the tensor; processes do not share it."""
        return self

    def is_shared(self) -> bool:
        """Return False."""
        return False

    def is_floating_point(self) -> bool:
        """Say whether the dtype is a floating one."""
        return self._array.dtype.kind == "f"

    def is_complex(self) -> bool:
        """Return False: fanin has no complex dtypes."""
        return False

    def is_signed(self) -> bool:
        """Say whether the dtype holds negative numbers."""
        return self._array.dtype.kind in "if"

    def is_inference(self) -> bool:
        """Say whether it was made in inference mode."""
        return self._is_inference

    def is_contiguous(self, **unused: Any) -> bool:
        """Say whether the elements lie in row-major order without gaps."""
        array = self._array if mode.capture is None else mode.capture.layout(self)[0]
        return bool(array.flags.c_contiguous)
