"""Numbers in [0, 1) from the stream's words: one word gives 24 bits, two words give 53."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from fanin._core.errors import UnsupportedDtypeError
from fanin.random.generator import Generator, Words

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

# Elements in one pass. A million float32 uniforms take 6 ms in passes of this length, and 19 ms in a single one, which
# works outside the cache and asks the system for fresh memory at every step.
PASS = 16384

_MASK_24 = np.uint64(2**24 - 1)
_MASK_53 = np.uint64(2**53 - 1)


def unit24(generator: Generator, count: int) -> npt.NDArray[np.float32]:
    """Return `count` multiples of 2**-24 in [0, 1) as float32, one word each."""
    words = generator.words(count)
    words &= _MASK_24
    # By way of int32, which processors convert eight at a time.
    singles = words.astype(np.int32).astype(np.float32)
    singles *= np.float32(2.0**-24)
    return singles


def unit53(generator: Generator, count: int) -> npt.NDArray[np.float64]:
    """Return `count` multiples of 2**-53 in [0, 1) as float64, two words each."""
    doubles = integers53(generator, count).view(np.int64).astype(np.float64)
    doubles *= 2.0**-53
    return doubles


def integers53(generator: Generator, count: int) -> Words:
    """Return `count` integers in [0, 2**53), two words each: the numerators of `unit53`."""
    words = generator.double_words(count)
    words &= _MASK_53
    return words


def check_floating(dtype: Any, name: str) -> np.dtype[Any]:
    """Return the NumPy dtype, and refuse what is not a float as PyTorch does."""
    checked: np.dtype[Any] = np.dtype(dtype)
    if checked.kind != "f":
        raise UnsupportedDtypeError(f"{name} not implemented for {checked}: expected a floating-point dtype")
    return checked


def in_passes(shape: Shape, dtype: npt.DTypeLike, draw: Callable[[int], Array]) -> Array:
    """Return an array of draws, `draw(count)` giving the next `count` of them, a cache's worth at a time."""
    count = math.prod(shape)
    if count <= PASS:
        return narrowed(draw(count), dtype).reshape(shape)
    out = np.empty(count, dtype)
    for start in range(0, count, PASS):
        part = out[start : start + PASS]
        part[...] = narrowed(draw(part.size), dtype)
    return out.reshape(shape)


def narrowed(values: Array, dtype: npt.DTypeLike) -> Array:
    """Convert to a dtype; to float16 by way of float32, which rounds twice, as PyTorch does."""
    if np.dtype(dtype).char == "e":
        values = values.astype(np.float32)
    return values.astype(dtype, copy=False)
