"""The text of a native shuffle, with the Mersenne Twister that it draws from.

Reference: M. Matsumoto and T. Nishimura, "Mersenne Twister", 1998; R. A. Fisher and F. Yates' shuffle, from the front.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fanin.compiler.native import ir
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import F64, I32, I64, POINTER, Code, function

# The words of a block, and how far apart the words are that make a new one.
BLOCK, _APART = 624, 397
# Rows that are swapped before they are written.
_AT_ONCE = 4

Strip = Callable[[Any, int], None]


def text(isa: Isa) -> str:
    """Return LLVM's text of void permute(uint32 *words, int32 *position, int64 n, int64 *out), for 2 <= n < LIMIT."""
    module = ir.Module("shuffle")
    add_permute(module, isa)
    return str(module)


def add_permute(module: ir.Module, isa: Isa) -> Any:
    """Add the function `permute` to a module and return it."""
    made, code = function(module, "permute", [POINTER, POINTER, I64, POINTER], isa, internal=False)
    words, position, n, out = made.args
    # The rows are shuffled in the second half of `out` and written from there: element i comes where only the elements
    # up to i were.
    rows = code.at(out, n, I32)
    _number(code, rows, n)
    _shuffle(code, words, position, n, rows, out)
    last = code.b.sub(n, I64(1))
    code.store(code.cast(code.load(code.at(rows, last, I32), I32), I64), code.at(out, last, I64))
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


def _shuffle(code: Code, words: Any, position: Any, n: Any, rows: Any, out: Any) -> None:
    """Do the steps 0 to n - 2, as many at a time as words are left in a block; a used-up block is renewed late."""
    b = code.b
    with b.goto_entry_block():
        partners = b.alloca(ir.ArrayType(I32, BLOCK))
    steps = b.sub(n, I64(1))
    used = b.zext(code.load(position, I32), I64)
    done = code.variable(I64(0))
    at = code.variable(used)
    rounds = b.sdiv(b.add(b.add(used, steps), I64(BLOCK - 1)), I64(BLOCK))
    with code.loop(0, rounds) as number:
        with b.if_then(b.icmp_signed(">", number, I64(0))):
            renew(code, words)
            code.set(at, I64(0))
        first, place = code.get(done), code.get(at)
        count = code.lesser(b.sub(I64(BLOCK), place), b.sub(steps, first))
        _draw_partners(code, code.at(words, place, I32), b.sub(n, first), first, count, partners)
        _swap(code, code.at(rows, first, I32), rows, partners, count, code.at(out, first, I64))
        code.set(done, b.add(first, count))
        code.set(at, b.add(place, count))
    code.store(b.trunc(code.get(at), I32), position)


def _draw_partners(code: Code, words: Any, left: Any, first: Any, count: Any, partners: Any) -> None:
    """Write first + k + word % (left - k) for k in 0 to count - 1."""

    def body(k: Any, width: int) -> None:
        word = tempered(code, code.load(code.at(words, k, I32), I32, width))
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


def _swap(code: Code, here: Any, rows: Any, partners: Any, count: Any, out: Any) -> None:
    """Let rows come to `out` from their partners' places, and those which are `here` go there.

    What has come is looked at no more, so that some rows are written together: one line of the cache takes two of these
    in the time of one that goes somewhere else.
    """
    whole = code.b.sub(count, code.b.srem(count, I64(_AT_ONCE)))
    for start, stop, step in ((I64(0), whole, _AT_ONCE), (whole, count, 1)):
        with code.loop(start, stop, step) as first:
            taken = []
            for k in (code.b.add(first, I64(i)) for i in range(step)):
                partner = code.b.zext(code.load(code.at(partners, k, I32), I32), I64)
                held = code.load(code.at(here, k, I32), I32)
                taken.append((k, code.load(code.at(rows, partner, I32), I32)))
                code.store(held, code.at(rows, partner, I32))
            for k, row in taken:
                code.store(code.cast(row, I64), code.at(out, k, I64))


# The Mersenne Twister -------------------------------------------------------------------------------------------------


def tempered(code: Code, y: Any) -> Any:
    """Return what is drawn where a word of a block is y."""
    b = code.b
    y = b.xor(y, b.lshr(y, code.like(11, y)))
    y = b.xor(y, b.and_(b.shl(y, code.like(7, y)), code.like(0x9D2C5680, y)))
    y = b.xor(y, b.and_(b.shl(y, code.like(15, y)), code.like(0xEFC60000, y)))
    return b.xor(y, b.lshr(y, code.like(18, y)))


def renew(code: Code, words: Any) -> None:
    """Write the next block in place of this one."""

    def body(ahead: int) -> Strip:
        def strip(k: Any, width: int) -> None:
            now, after, far = (
                code.load(code.at(words, code.b.add(k, I64(offset)), I32), I32, width) for offset in (0, 1, ahead)
            )
            code.store(_twisted(code, now, after, far), code.at(words, k, I32))

        return strip

    turn, last = BLOCK - _APART, BLOCK - 1
    _strips(code, I64(0), I64(turn), body(_APART))
    _strips(code, I64(turn), I64(last), body(-turn))
    now, after, far = (code.load(code.at(words, I64(i), I32), I32) for i in (last, 0, _APART - 1))
    code.store(_twisted(code, now, after, far), code.at(words, I64(last), I32))


def _twisted(code: Code, now: Any, after: Any, far: Any) -> Any:
    b = code.b
    mixed = b.or_(b.and_(now, code.like(0x80000000, now)), b.and_(after, code.like(0x7FFFFFFF, now)))
    odd = b.and_(b.neg(b.and_(after, code.like(1, now))), code.like(0x9908B0DF, now))
    return b.xor(b.xor(far, b.lshr(mixed, code.like(1, now))), odd)
