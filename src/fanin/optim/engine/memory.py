"""The state of a group's parameters, each kind in one flat array, of which `optimizer.state` shows the pieces."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from fanin._core.addresses import address
from fanin._core.errors import ShapeError
from fanin.tensor.base import TensorBase, move
from fanin.tensor.tape import wrap


@dataclass(frozen=True)
class Scalar:
    """The start of a state that is one number for each parameter, not an array of the parameter's shape."""

    value: float = 0.0


@dataclass(frozen=True)
class Shaped:
    """The start of a state that is an array of another shape than the parameter's.

    shape: from the parameter's shape to the state's; None where such a parameter has no state of this name.
    value: what the array is filled with.
    """

    shape: Callable[[tuple[int, ...]], tuple[int, ...] | None]
    value: float = 0.0


Start = float | Scalar | Shaped
# The state of this name counts steps, and is counted by the base class.
STEP = "step"
# What is worked on at once. A step of Adam on 235,000 numbers took 1320 us in pieces of 8192, 1020 us in ones of 32768
# and 1010 us at once: beyond this size a NumPy call's own cost no longer counts, and the buffers still fit the cache.
PIECE = 32768


class Block:
    """The memory of one state for the parameters of one dtype.

    Small parameters come first, so that those which are gathered lie side by side.
    """

    def __init__(
        self,
        params: Sequence[Any],
        starts: Mapping[str, Start],
        dtype: np.dtype[Any],
        scalar_dtype: np.dtype[Any],
        old: Block | None = None,
    ) -> None:
        order = sorted(range(len(params)), key=lambda i: params[i]._array.size > PIECE // 2)
        self.params = [params[i] for i in order]
        self.position = {p: i for i, p in enumerate(self.params)}
        self.shapes = [p._array.shape for p in self.params]
        self.kinds = kinds(starts)
        self.dtype = dtype
        sizes = [p._array.size for p in self.params]
        ends = [0, *accumulate(sizes)]
        self.spans = list(pairwise(ends))
        # Of arrays with shapes of their own: these shapes, and where each array is found in the memory of all.
        self.shaped = {n: _Layout.of(s, self.shapes) for n, s in starts.items() if isinstance(s, Shaped)}
        lengths = {n: ends[-1] for n, s in starts.items() if not isinstance(s, Scalar)}
        lengths.update((n, layout.length) for n, layout in self.shaped.items())
        self.flat = {n: np.zeros(length, dtype) for n, length in lengths.items()}
        self.scalars = {n: np.zeros(len(params), scalar_dtype) for n, s in starts.items() if isinstance(s, Scalar)}
        self._blank = set(range(len(params)))  # whose places still are the zeros of new memory
        # Steps, for rules whose state does not hold them.
        self.counts: list[int] = [old.counts[old.position[p]] if old and p in old.position else 0 for p in self.params]

    def serves(self, params: Sequence[Any], starts: Mapping[str, Start], dtype: np.dtype[Any]) -> bool:
        """Say whether this memory is laid out for these parameters and states."""
        return (
            dtype == self.dtype
            and kinds(starts) == self.kinds
            and len(params) == len(self.params)
            and all(p in self.position for p in params)
            and all(p._array.shape == shape for p, shape in zip(self.params, self.shapes, strict=True))
        )

    def piece(self, name: str, i: int) -> Any:
        """Return where a state of parameter i lives: an array of its shape, or a zero-dimensional one."""
        if name in self.scalars:
            return self.scalars[name][i : i + 1].reshape(())
        if name in self.shaped:
            layout = self.shaped[name]
            (start, end), shape = layout.spans[i], layout.shapes[i]
            return self.flat[name][start:end].reshape(shape)
        start, end = self.spans[i]
        return self.flat[name][start:end].reshape(self.shapes[i])

    def arrays_of(self, i: int) -> list[str]:
        """Return the names of the arrays in the state of parameter i."""
        return [n for n in self.flat if n not in self.shaped or self.shaped[n].shapes[i] is not None]

    def adopt(self, i: int, held: dict[Any, Any], starts: Mapping[str, Start]) -> None:
        """Let `held`, which is optimizer.state[p], show this memory; what it holds already moves in."""
        if not held and i in self._blank:
            self._begin(i, held, starts)
            return
        starts = starts_for(self.shapes[i], starts)
        fresh = any(held.get(name) is None for name in starts)
        for name, start in starts.items():
            place = self.piece(name, i)
            value = held.get(name)
            if value is None:
                place[...] = start.value if isinstance(start, (Scalar, Shaped)) else start
                held[name] = wrap(place)
            else:
                held[name] = _moved(value, place, name)
        self._blank.discard(i)
        if fresh:
            self.counts[i] = 0
        elif starts:
            self.counts[i] = max(self.counts[i], 1)  # the state was loaded, so steps were taken

    def _begin(self, i: int, held: dict[Any, Any], starts: Mapping[str, Start]) -> None:
        """Let `held`, which is empty, show the zeros of new memory, where a state starts otherwise with its start."""
        (start, end), shape = self.spans[i], self.shapes[i]
        for name, number in starts_for(shape, starts).items():
            if isinstance(number, (Scalar, Shaped)):
                number, place = number.value, self.piece(name, i)
            else:
                place = self.flat[name][start:end].reshape(shape)
            if number:
                place[...] = number
            held[name] = wrap(place)
        self._blank.discard(i)
        self.counts[i] = 0


@dataclass(frozen=True)
class _Layout:
    """The shapes of the arrays of one state, None where a parameter has none, and where each begins and ends."""

    shapes: list[tuple[int, ...] | None]
    spans: list[tuple[int, int]]
    length: int

    @classmethod
    def of(cls, start: Shaped, of_params: Sequence[tuple[int, ...]]) -> _Layout:
        shapes = [start.shape(shape) for shape in of_params]
        ends = [0, *accumulate(0 if shape is None else math.prod(shape) for shape in shapes)]
        return cls(shapes, list(pairwise(ends)), ends[-1])


def starts_for(shape: tuple[int, ...], starts: Mapping[str, Start]) -> Mapping[str, Start]:
    """Return the states that a parameter of this shape has, of all that a rule names."""
    if not any(isinstance(start, Shaped) for start in starts.values()):
        return starts
    return {n: s for n, s in starts.items() if not isinstance(s, Shaped) or s.shape(shape) is not None}


def kinds(starts: Mapping[str, Start]) -> dict[str, Any]:
    """Return which states are numbers, by name, and of arrays with shapes of their own what gives the shapes."""
    return {
        name: start.shape if isinstance(start, Shaped) else isinstance(start, Scalar) for name, start in starts.items()
    }


def _moved(value: Any, place: Any, name: str) -> Any:
    """Return the tensor of a state, its values now in `place`."""
    if not isinstance(value, TensorBase):
        value = wrap(np.asarray(value))
    array = value._array
    if array is place or _same_memory(array, place):
        value._array = place
        return value
    if array.shape != place.shape and (array.size != 1 or place.ndim):
        raise ShapeError(
            f"The size of tensor a ({list(place.shape)}) must match the size of tensor b ({list(array.shape)}): the "
            f"state {name!r} has not the shape of its parameter. Was it saved with another model?"
        )
    place[...] = array.reshape(place.shape)
    move(value, place)
    value._base, value._node, value._requires_grad = None, None, False
    return value


def _same_memory(a: Any, b: Any) -> bool:
    return bool(a.shape == b.shape and a.dtype == b.dtype and a.strides == b.strides and address(a) == address(b))


def overlap(arrays: Sequence[Any]) -> bool:
    """Say whether two of the arrays may share memory, by the addresses they span."""
    if all(a.base is None for a in arrays) and len(set(map(id, arrays))) == len(arrays):
        return False  # each has memory of its own
    spans = sorted(np.lib.array_utils.byte_bounds(a) for a in arrays if a.size)
    return any(end > start for (_, end), (start, _) in pairwise(spans))


def pieces(size: int, limit: int = PIECE) -> list[tuple[int, int]]:
    """Cut a length into as few equal pieces as the limit allows."""
    count = max(1, math.ceil(size / limit))
    bounds = [size * i // count for i in range(count + 1)]
    return list(pairwise(bounds))
