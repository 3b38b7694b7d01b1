"""Random permutations in native code: `fanin.random.randperm`, number for number, and the same state afterwards.

A permutation orders the rows of each epoch, and an epoch of a small network takes some ten nanoseconds a row. With
NumPy the permutation takes longer than that; here it takes 1 ns a row. Three parts make it so: the Mersenne Twister's
block is renewed and tempered in vectors; the remainders come from divisions in double precision, which are vectors,
too; and the swaps are done on numbers of 32 bits, so that twice as many rows stay in the cache.

Reference: M. Matsumoto and T. Nishimura, "Mersenne Twister", 1998; R. A. Fisher and F. Yates' shuffle, from the front.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fanin import random
from fanin._core.errors import ArgumentError
from fanin.compiler.native.kept import library_of
from fanin.random import Generator

_BLOCK = 624  # words of the generator, which its position follows
# Longer permutations are left to `fanin.random`: positions are numbers of 32 bits here, and one word is a step.
LIMIT = 2**27

_Place = ctypes.c_char * 1


def randperm(generator: Generator, n: int) -> npt.NDArray[np.int64]:
    """Return the numbers 0 to n - 1 in random order, as int64.

    Args:
        generator: the stream that is drawn from, one word a step.
        n: the length, at least 0.

    Raises:
        OperationError: when n is negative.

    >>> from fanin.random import Generator
    >>> randperm(Generator().manual_seed(0), 5)
    array([4, 0, 1, 3, 2])
    """
    if n < 2:
        return random.randperm(generator, n)
    out = np.empty(n, np.int64)
    randperm_into(generator, out)
    return out


def randperm_into(generator: Generator, out: npt.NDArray[np.int64]) -> None:
    """Write the numbers 0 to n - 1 in random order: `randperm` without an array of its own.

    Args:
        generator: the stream that is drawn from.
        out: int64, of shape (n,), in C order.

    Raises:
        ArgumentError: for an array of another kind.
    """
    n = out.size
    if out.dtype != np.int64 or out.ndim != 1 or not out.flags.c_contiguous:
        raise ArgumentError(f"randperm_into expected a contiguous row of int64, got {out.dtype} of {out.shape}")
    if not 2 <= n < LIMIT or not _layout_is_known():
        out[:] = random.randperm(generator, n)
        return
    permute = _permute()
    place = _Place.from_buffer(out)  # type: ignore[arg-type]  # 0.5 us, where out.ctypes.data takes 2
    bits = generator._bits
    with bits.lock:
        words = bits.ctypes.state_address
        permute(words, words + 4 * _BLOCK, n, place)


@lru_cache(maxsize=1)
def _permute() -> Any:
    """Return the compiled function; the library lives as long as it does."""
    library = library_of("shuffle")
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
    permute = kind(library.address("permute"))
    permute.library = library  # type: ignore[attr-defined]
    return permute


@lru_cache(maxsize=1)
def _layout_is_known() -> bool:
    """Say whether NumPy's generator lies in memory as its words, followed by the position of the next one."""
    bits = Generator().manual_seed(1)._bits
    bits.random_raw(5)
    memory = (ctypes.c_uint32 * (_BLOCK + 1)).from_address(bits.ctypes.state_address)
    state: Any = bits.state["state"]
    return list(memory) == [*state["key"].tolist(), state["pos"]]
