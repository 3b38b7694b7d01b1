"""Between arrays and storages: which memory a tensor lies in, and where."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Span = tuple[int, int]


@dataclass(frozen=True)
class Place:
    """A strided window on memory: it begins `start` bytes into it; size and stride count elements.

    `memory` is the array that owns it: its identity tells whether two tensors can share.
    """

    memory: Array
    itemsize: int
    start: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def span(self) -> Span:
        """The bytes from the first element to behind the last."""
        if 0 in self.size:
            return 0, 0
        reach = sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        return self.start, self.start + (reach + 1) * self.itemsize


def place_of(array: Array) -> Place:
    """Return where an array lies; what PyTorch's strides cannot say (negative ones) is copied to a block of its own."""
    memory = _owner(array)
    if array.size and _fits(array, memory):
        start = _address(array) - _address(memory)
        return Place(
            memory, array.itemsize, start, array.shape, tuple(step // array.itemsize for step in array.strides)
        )
    copy = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).reshape(array.shape)
    return Place(_owner(copy), array.itemsize, 0, array.shape, contiguous_stride(array.shape))


def _owner(array: Array) -> Array:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def _fits(array: Array, memory: Array) -> bool:
    """Say whether whole, forward steps of the array's own element reach it from the start of a block without gaps."""
    return (
        memory.flags.forc
        and array.dtype.isnative
        and memory.nbytes % array.itemsize == 0
        and (_address(array) - _address(memory)) % array.itemsize == 0
        and all(step >= 0 and step % array.itemsize == 0 for step in array.strides)
    )


def contiguous_stride(size: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides, in elements, of a contiguous tensor."""
    return tuple(math.prod(max(n, 1) for n in size[axis + 1 :]) for axis in range(len(size)))


def memory_bytes(memory: Array, span: Span) -> memoryview:
    """Return a stretch of the bytes that an array owns, in the order in which they lie there, without a copy."""
    flat = memory.ravel(order="K") if memory.size else np.empty(0, np.uint8)
    return flat.view(np.uint8)[slice(*span)].data


def blocks(spans: Iterable[Span]) -> list[Span]:
    """Return disjoint stretches that cover the spans: those that overlap become one."""
    found: list[Span] = []
    for start, end in sorted(set(spans)):
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def window(memory: Array, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Array:
    """Return the array that lies at a place in a one-dimensional block.

    Raises ValueError when any element would lie outside: sizes and strides come from a file that may be damaged or
    made to read other memory.
    """
    if len(size) != len(stride) or min((offset, *size, *stride)) < 0:
        raise ValueError(f"offset {offset}, size {size} and strides {stride} are no place in a storage")
    if 0 in size:
        return np.empty(size, memory.dtype)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if last >= memory.size:
        raise ValueError(f"a tensor of size {size} reaches element {last} of a storage of {memory.size}")
    itemsize = memory.itemsize
    strides = tuple(step * itemsize for step in stride)
    return np.ndarray(size, memory.dtype, buffer=memory, offset=offset * itemsize, strides=strides)
