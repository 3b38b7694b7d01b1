"""Random masks that depend on a position only: the counter-based generator Philox4x32-10.

A step of training that is compiled draws its dropout masks here. Element i is a function of seed, step, stream and i:
no state is carried along, so that the numbers are the same in whatever order, and by however many threads, they are
drawn.

Reference: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fanin._core.dtypes import bool_
from fanin._core.errors import ArgumentError
from fanin.ops.op import Spec, define

Words = npt.NDArray[np.uint64]

# The constants of the paper: the multipliers of Philox4x32, and the steps of its keys (golden ratio, sqrt(3) - 1).
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
# The words of so many blocks stay in the cache between rounds: twice as fast as all blocks of a large mask at once.
_BLOCKS_AT_ONCE = 16384


def philox(counter: tuple[Any, Any, Any, Any], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """Return the four 32-bit words of each block.

    Args:
        counter: four words in uint64 arrays of one shape, or that broadcast to one.
        key: two words.

    >>> [hex(int(word)) for word in philox((0, 0, 0, 0), (0, 0))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = (np.asarray(word, np.uint64) for word in counter)
    m0, m1 = map(np.uint64, MULTIPLIERS)
    for number in range(ROUNDS):
        k0, k1 = (np.uint64((k + number * step) & 0xFFFFFFFF) for k, step in zip(key, KEY_STEPS, strict=True))
        p0, p1 = c0 * m0, c2 * m1
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW
    return c0, c1, c2, c3


def threshold(p_keep: float) -> int:
    """Return how many of the 2**32 words keep an element: floor(p_keep * 2**32).

    Raises:
        ArgumentError: when p_keep is not a probability.
    """
    if not 0.0 <= p_keep <= 1.0:
        raise ArgumentError(f"random_keep expected a probability p_keep in [0, 1], got {p_keep!r}")
    return math.floor(p_keep * 2.0**32)


def _blocks(key: Any, start: int, stop: int, stream: int) -> Words:
    """Return the words of the blocks from start to stop, one after the other."""
    seed, step = int(key[0]), int(key[1])
    block = np.arange(start, stop, dtype=np.uint64)
    counter = (block & _LOW, block >> _HALF, step & 0xFFFFFFFF, stream)
    return np.stack(philox(counter, (seed & 0xFFFFFFFF, seed >> 32 ^ step >> 32)), axis=1)


def _keep(key: Any, *, p_keep: float, shape: tuple[int, ...], stream: int) -> npt.NDArray[np.bool_]:
    count, limit = math.prod(shape), np.uint64(threshold(p_keep))
    blocks = -(-count // 4)
    kept = np.empty((blocks, 4), np.bool_)
    for start in range(0, blocks, _BLOCKS_AT_ONCE):
        stop = min(start + _BLOCKS_AT_ONCE, blocks)
        np.less(_blocks(key, start, stop, stream), limit, out=kept[start:stop])
    return kept.reshape(-1)[:count].reshape(shape)


def _keep_spec(key: Spec, *, p_keep: float, shape: tuple[int, ...], stream: int) -> Spec:
    threshold(p_keep)
    if key.shape != (2,) or key.dtype != np.uint64:
        raise ArgumentError(f"random_keep expected a key of two uint64 (seed, step), got {key.dtype} of {key.shape}")
    if not 0 <= stream < 2**32:
        raise ArgumentError(f"random_keep expected a stream in [0, 2**32), got {stream}")
    return Spec(tuple(shape), bool_.numpy)


# random_keep(key, *, p_keep, shape, stream): True with probability p_keep at each place of `shape`, for key = (seed,
# step). Element i, counted in row-major order, is kept when word i % 4 of its block is below floor(p_keep * 2**32).
# The block has the counter (i // 4 low, i // 4 high, step low, stream) and the key (seed low, seed high ^ step high).
random_keep = define("random_keep", _keep, _keep_spec)
