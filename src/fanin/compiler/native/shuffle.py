"""Random permutations in native code: `fanin.random.randperm`, number for number, and the same state afterwards.

A permutation orders the rows of each epoch, and an epoch of a small network takes some ten nanoseconds a row. With
NumPy the permutation takes longer than that; here it takes 2 ns a row. Three parts make it so: the Mersenne Twister's
block is renewed and tempered in vectors; the remainders come from divisions in double precision, which are vectors,
too; and the swaps are done on numbers of 32 bits, so that twice as many rows stay in the cache.

Reference: M. Matsumoto and T. Nishimura, "Mersenne Twister", 1998; R. A. Fisher and F. Yates' shuffle, from the front.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fanin import random
from fanin._core.errors import ArgumentError
from fanin.compiler.native import ir
from fanin.compiler.native.cache import compiled_once
from fanin.compiler.native.target import Isa, Library, host
from fanin.compiler.native.vector import F64, I32, I64, POINTER, Code, function
from fanin.random import Generator

# The words of a block, and how far apart the words are that make a new one.
_BLOCK, _APART = 624, 397
# Longer permutations are left to `fanin.random`: positions are numbers of 32 bits here, and one word is a step.
LIMIT = 2**27

Strip = Callable[[Any, int], None]
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
    library = Library(compiled_once(shuffle_text(host()), host()))
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


# Code -----------------------------------------------------------------------------------------------------------------


def shuffle_text(isa: Isa) -> str:
    """Return LLVM's text of void permute(uint32 *words, int32 *position, int64 n, int64 *out), for 2 <= n < LIMIT."""
    module = ir.Module("shuffle")
    add_permute(module, isa)
    return str(module)


def add_permute(module: ir.Module, isa: Isa) -> Any:
    """Add the function `permute` to a module and return it."""
    made, code = function(module, "permute", [POINTER, POINTER, I64, POINTER], isa, internal=False)
    words, position, n, out = made.args
    # The rows are shuffled in the second half of `out` and widened from there: element i is written where only the
    # elements up to i were.
    rows = code.at(out, n, I32)
    _number(code, rows, n)
    _shuffle(code, words, position, n, rows)
    _widen(code, rows, n, out)
    code.b.ret_void()
    return made


def _strips(code: Code, start: Any, stop: Any, body: Strip) -> None:
    """Run body(first, width) over all elements from start to stop: in vectors, and the rest one by one."""
    width = code.isa.lanes(np.int32)
    whole = code.b.sub(stop, code.b.srem(code.b.sub(stop, start), I64(width)))
    with code.loop(start, whole, width) as i:
        body(i, width)
    with code.loop(whole, stop) as i:
        body(i, 1)


def _number(code: Code, rows: Any, n: Any) -> None:
    def body(i: Any, width: int) -> None:
        code.store(_counting(code, i, width), code.at(rows, i, I32))

    _strips(code, I64(0), n, body)


def _counting(code: Code, start: Any, width: int) -> Any:
    """Return start, start + 1, ... in 32 bits."""
    first = code.splat(code.b.trunc(start, I32), width)
    return code.b.add(first, code.lanes(I32, range(width)))


def _widen(code: Code, rows: Any, n: Any, out: Any) -> None:
    def body(i: Any, width: int) -> None:
        narrow = code.load(code.at(rows, i, I32), I32, width)
        code.store(code.cast(narrow, I64), code.at(out, i, I64))

    _strips(code, I64(0), n, body)


def _shuffle(code: Code, words: Any, position: Any, n: Any, rows: Any) -> None:
    """Do the steps 0 to n - 2, as many at a time as words are left in a block; a used-up block is renewed late."""
    b = code.b
    with b.goto_entry_block():
        partners = b.alloca(ir.ArrayType(I32, _BLOCK))
    steps = b.sub(n, I64(1))
    used = b.zext(code.load(position, I32), I64)
    done = code.variable(I64(0))
    at = code.variable(used)
    rounds = b.sdiv(b.add(b.add(used, steps), I64(_BLOCK - 1)), I64(_BLOCK))
    with code.loop(0, rounds) as number:
        with b.if_then(b.icmp_signed(">", number, I64(0))):
            _renew(code, words)
            code.set(at, I64(0))
        first, place = code.get(done), code.get(at)
        count = code.lesser(b.sub(I64(_BLOCK), place), b.sub(steps, first))
        _draw_partners(code, code.at(words, place, I32), b.sub(n, first), first, count, partners)
        _swap(code, code.at(rows, first, I32), rows, partners, count)
        code.set(done, b.add(first, count))
        code.set(at, b.add(place, count))
    code.store(b.trunc(code.get(at), I32), position)


def _draw_partners(code: Code, words: Any, left: Any, first: Any, count: Any, partners: Any) -> None:
    """Write first + k + word % (left - k) for k in 0 to count - 1."""

    def body(k: Any, width: int) -> None:
        word = _tempered(code, code.load(code.at(words, k, I32), I32, width))
        offset = _remainder(code, word, code.b.neg(_counting(code, code.b.sub(k, left), width)))
        partner = code.b.add(_counting(code, code.b.add(first, k), width), offset)
        code.store(partner, code.at(partners, k, I32))

    _strips(code, I64(0), count, body)


def _remainder(code: Code, word: Any, divisor: Any) -> Any:
    """Return word % divisor, for 2 <= divisor < 2**31.

    The quotient is exact: word / divisor lies 1 / divisor or more below the next integer, and a double's rounding
    error is below 2**-53 * 2**32 / divisor. It is below 2**31, and so converts as a signed number.
    """
    quotient = code.cast(code.div(code.cast(word, F64, unsigned=True), code.cast(divisor, F64)), I32)
    return code.sub(word, code.mul(quotient, divisor))


def _swap(code: Code, here: Any, rows: Any, partners: Any, count: Any) -> None:
    with code.loop(0, count) as k:
        partner = code.b.zext(code.load(code.at(partners, k, I32), I32), I64)
        one, other = code.at(here, k, I32), code.at(rows, partner, I32)
        held, taken = code.load(one, I32), code.load(other, I32)
        code.store(taken, one)
        code.store(held, other)


# The Mersenne Twister -------------------------------------------------------------------------------------------------


def _tempered(code: Code, y: Any) -> Any:
    b = code.b
    y = b.xor(y, b.lshr(y, code.like(11, y)))
    y = b.xor(y, b.and_(b.shl(y, code.like(7, y)), code.like(0x9D2C5680, y)))
    y = b.xor(y, b.and_(b.shl(y, code.like(15, y)), code.like(0xEFC60000, y)))
    return b.xor(y, b.lshr(y, code.like(18, y)))


def _renew(code: Code, words: Any) -> None:
    """Write the next block in place of this one."""

    def body(ahead: int) -> Strip:
        def renew(k: Any, width: int) -> None:
            now, after, far = (
                code.load(code.at(words, code.b.add(k, I64(offset)), I32), I32, width) for offset in (0, 1, ahead)
            )
            code.store(_twisted(code, now, after, far), code.at(words, k, I32))

        return renew

    turn, last = _BLOCK - _APART, _BLOCK - 1
    _strips(code, I64(0), I64(turn), body(_APART))
    _strips(code, I64(turn), I64(last), body(-turn))
    now, after, far = (code.load(code.at(words, I64(i), I32), I32) for i in (last, 0, _APART - 1))
    code.store(_twisted(code, now, after, far), code.at(words, I64(last), I32))


def _twisted(code: Code, now: Any, after: Any, far: Any) -> Any:
    b = code.b
    mixed = b.or_(b.and_(now, code.like(0x80000000, now)), b.and_(after, code.like(0x7FFFFFFF, now)))
    odd = b.and_(b.neg(b.and_(after, code.like(1, now))), code.like(0x9908B0DF, now))
    return b.xor(b.xor(far, b.lshr(mixed, code.like(1, now))), odd)
