"""Philox4x32-10 in vectors, and the mask of `random_keep` for consecutive elements; bit for bit as the record has it.

The words are held in lanes of 64 bits, of which the low half counts: the products of 32 bits by 32 that a round
consists of are one instruction there (vpmuludq, umull), and nothing has to be widened or narrowed between rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fanin.compiler.native import ir
from fanin.compiler.native.vector import I1, I32, I64, Code, scalar_type, width_of
from fanin.ops.counter_random import KEY_STEPS, MULTIPLIERS, ROUNDS, threshold

_LOW = 0xFFFFFFFF


def philox(code: Code, counter: Sequence[Any], key: Sequence[Any]) -> list[Any]:
    """Return the four words of as many blocks as there are lanes.

    Args:
        code: where the instructions are written.
        counter: four words in i32 (or in the low half of i64), scalars or vectors of one width.
        key: two words of the same kind, scalars or vectors of that width.

    Returns:
        four values of i32, scalars or vectors of the width.
    """
    width = max(width_of(word) for word in (*counter, *key))
    c0, c1, c2, c3 = (_wide(code, word, width) for word in counter)
    k0, k1 = (_wide(code, word, 1 if width_of(word) == 1 else width) for word in key)
    for number in range(ROUNDS):
        p0, p1 = _product(code, c0, MULTIPLIERS[0]), _product(code, c2, MULTIPLIERS[1])
        now0, now1 = (_key(code, k, number * step, width) for k, step in zip((k0, k1), KEY_STEPS, strict=True))
        c0, c1, c2, c3 = _mixed(code, p1, c1, now0), p1, _mixed(code, p0, c3, now1), p0
    return [code.b.trunc(word, code.vector(I32, width)) for word in (c0, c1, c2, c3)]


def _wide(code: Code, word: Any, width: int) -> Any:
    if scalar_type(word) != I64:
        word = code.b.zext(word, code.vector(I64, width_of(word)))
    return code.splat(word, width) if width_of(word) < width else word


def _product(code: Code, word: Any, multiplier: int) -> Any:
    return code.b.mul(code.b.and_(word, code.like(_LOW, word)), code.like(multiplier, word))


def _key(code: Code, word: Any, step: int, width: int) -> Any:
    return code.splat(code.b.add(word, code.like(step, word)), width if width_of(word) == 1 else 1)


def _mixed(code: Code, product: Any, word: Any, key: Any) -> Any:
    return code.b.xor(code.b.xor(code.b.lshr(product, code.like(32, product)), word), key)


def keep_mask(
    code: Code, seed: Any, step: Any, base: Any, width: int, *, p_keep: float, stream: int, aligned: bool = False
) -> Any:
    """Return which of the elements base, base + 1, ..., base + width - 1 are kept, one bit a lane.

    Args:
        code: where the instructions are written.
        seed: i64, the first entry of the operation's key.
        step: i64, the second one.
        base: i64, the number of the first element in row-major order.
        width: 1, or a multiple of 4. 16 or more keep registers of 32 bytes busy.
        p_keep: the probability, known as the code is made.
        stream: the number of the mask in its graph.
        aligned: a promise that base is a multiple of 4; without it a block more is drawn.
    """
    limit = threshold(p_keep)
    if limit in (0, 2**32):
        return code.const(limit > 0, I1, width)
    words = _element_words(code, (seed, step), base, width, stream, aligned)
    return code.b.icmp_unsigned("<", words, code.like(limit, words))


def _element_words(code: Code, key: tuple[Any, Any], base: Any, width: int, stream: int, aligned: bool) -> Any:
    if width == 1:
        return _chosen(code, base, _block_words(code, key, base, 1, stream))
    if width % 4:
        raise ValueError(f"keep_mask has code for 1 element, or a multiple of 4, not for {width}")
    blocks = width // 4 + (not aligned)
    words = _interleaved(code, _block_words(code, key, base, blocks, stream))
    return words if aligned else _chosen(code, base, [_part(code, words, shift, width) for shift in range(4)])


def _block_words(code: Code, key: tuple[Any, Any], base: Any, blocks: int, stream: int) -> list[Any]:
    """Return the words of the block with element `base` and of those after it."""
    seed, step = key
    block = code.splat(code.b.lshr(base, I64(2)), blocks)
    if blocks > 1:
        block = code.b.add(block, code.lanes(I64, range(blocks)))
    high = code.like(32, block)
    counter = (block, code.b.lshr(block, high), step, I64(stream))
    return philox(code, counter, (seed, code.b.xor(code.b.lshr(seed, I64(32)), code.b.lshr(step, I64(32)))))


def _chosen(code: Code, base: Any, candidates: list[Any]) -> Any:
    """Return the candidate with the number base % 4."""
    place = code.b.and_(base, I64(3))
    odd = code.b.trunc(place, I1)
    low, high = (code.b.select(odd, candidates[i + 1], candidates[i]) for i in (0, 2))
    return code.b.select(code.b.icmp_unsigned(">=", place, I64(2)), high, low)


def _interleaved(code: Code, words: list[Any]) -> Any:
    """Return the words of block 0, of block 1, ...: element 4 * b + j comes from lane b of words[j]."""
    blocks = width_of(words[0])
    if blocks == 1:
        return _gathered(code, words)
    low, high = (_shuffled(code, words[i], words[i + 1], range(2 * blocks)) for i in (0, 2))
    order = [(j // 2) * 2 * blocks + (j % 2) * blocks + b for b in range(blocks) for j in range(4)]
    return _shuffled(code, low, high, order)


def _gathered(code: Code, scalars: list[Any]) -> Any:
    out: Any = ir.Constant(code.vector(I32, len(scalars)), ir.Undefined)
    for lane, scalar in enumerate(scalars):
        out = code.b.insert_element(out, scalar, I32(lane))
    return out


def _part(code: Code, words: Any, start: int, width: int) -> Any:
    return _shuffled(code, words, words, range(start, start + width))


def _shuffled(code: Code, a: Any, c: Any, order: Sequence[int]) -> Any:
    return code.b.shuffle_vector(a, c, code.lanes(I32, order))
