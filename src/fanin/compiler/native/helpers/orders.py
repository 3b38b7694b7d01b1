"""The text of the functions that draw the orders of epochs, and of what they do to a generator's words.

Reference: M. Matsumoto and T. Nishimura, "Mersenne Twister", 1998, with the seeding of 2002.
"""

from __future__ import annotations

from typing import Any

from fanin.compiler.native import ir
from fanin.compiler.native.helpers.shuffle import BLOCK, add_permute, renew, tempered
from fanin.compiler.native.lane_shuffles import SQUARE, mixed, transposed
from fanin.compiler.native.orders import FIELDS
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import I32, I64, POINTER, Code, function

# How many private generators are seeded at once, and the words of each.
SEEDED, WORDS = 16, BLOCK + 1


def text(isa: Isa) -> str:
    """Return LLVM's text of void orders(int64 *told, int64 epochs)."""
    module = ir.Module("orders")
    draw = add_draw(module, isa)
    made, code = function(module, "orders", [POINTER, I64], isa, internal=False)
    told, epochs = made.args
    own = own_words(code)
    with code.loop(0, epochs) as epoch:
        code.b.call(draw, [told, epoch, epochs, own])
    code.b.ret_void()
    return str(module)


def own_words(code: Code) -> Any:
    """Return memory for the words of the private generators of some epochs."""
    return code.b.bitcast(code.b.alloca(ir.ArrayType(I32, SEEDED * WORDS)), POINTER)


def add_draw(module: ir.Module, isa: Isa) -> Any:
    """Add void draw(int64 *told, int64 epoch, int64 epochs, int32 *own), which draws the order of an epoch.

    It is told `FIELDS`, called for one epoch after the other, and given `own_words`, the same every time. The words of
    a generator are 624 of 32 bits, followed by the position of the next one.
    """
    permute, skip = add_permute(module, isa), _add_skip(module, isa)
    prepare = _add_prepare(module, isa, skip)
    made, code = function(module, "draw", [POINTER, I64, I64, POINTER], isa)
    told, epoch, epochs, own = made.args
    base, stream, rest = (code.b.inttoptr(field(code, told, name), POINTER) for name in ("base", "stream", "rest"))
    private, n, first, second = (field(code, told, name) for name in ("private", "rows", "first", "second"))
    rows = place_of(code, told, epoch)
    with code.b.if_else(code.b.icmp_signed("!=", private, I64(0))) as (seeded, drawn):
        with seeded:
            number = code.b.srem(epoch, I64(SEEDED))
            with code.b.if_then(code.b.icmp_signed("==", number, I64(0))):
                count = code.lesser(code.b.sub(epochs, epoch), I64(SEEDED))
                code.b.call(prepare, [base, stream, count, own])
            words = code.at(own, code.b.mul(number, I64(WORDS)), I32)
            code.b.call(permute, [words, _position(code, words), n, rows])
        with drawn:
            code.b.call(skip, [base, I64(2)])
            code.b.call(permute, [stream, _position(code, stream), n, rows])
            code.b.call(skip, [stream, code.b.sub(n, I64(1))])
    with code.loop(0, second) as i:
        row = code.load(code.at(rows, code.b.add(first, i), I64), I64)
        code.store(row, code.at(rest, code.b.add(code.b.mul(epoch, second), i), I64))
    code.b.ret_void()
    return made


def field(code: Code, told: Any, name: str) -> Any:
    """Return one of the `FIELDS`, an i64."""
    return code.load(code.at(told, I64(FIELDS.index(name)), I64), I64)


def place_of(code: Code, told: Any, epoch: Any) -> Any:
    """Return where the order of an epoch is drawn to."""
    out, first = code.b.inttoptr(field(code, told, "out"), POINTER), field(code, told, "first")
    return code.at(out, code.b.mul(epoch, first), I64)


def _position(code: Code, words: Any) -> Any:
    return code.at(words, I64(BLOCK), I32)


def _last_word(code: Code, words: Any) -> Any:
    """Return the word that was drawn last, which is the low half of a number of 64 bits."""
    position = code.b.zext(code.load(_position(code, words), I32), I64)
    return tempered(code, code.load(code.at(words, code.b.sub(position, I64(1)), I32), I32))


def _add_skip(module: ir.Module, isa: Isa) -> Any:
    """Add void skip(words, int64 count), which draws words, at least one, that nobody looks at."""
    made, code = function(module, "skip", [POINTER, I64], isa)
    words, count = made.args
    b, place = code.b, _position(code, words)
    after = b.add(b.zext(code.load(place, I32), I64), count)
    used_up = b.sdiv(b.sub(after, I64(1)), I64(BLOCK))
    with code.loop(0, used_up):
        renew(code, words)
    code.store(b.trunc(b.sub(after, b.mul(used_up, I64(BLOCK))), I32), place)
    b.ret_void()
    return made


def _add_prepare(module: ir.Module, isa: Isa, skip: Any) -> Any:
    """Add void prepare(base, stream, int64 count, own): what `count` passes draw before their orders, from 1 to SEEDED.

    A seed's words follow from each other, one every six cycles. So the private generators of several passes are seeded
    side by side, one in each lane.
    """
    made, code = function(module, "prepare", [POINTER, POINTER, I64, POINTER], isa)
    base, stream, count, own = made.args
    seeds = code.b.bitcast(code.b.alloca(ir.VectorType(I32, SEEDED)), POINTER)
    code.store(code.lanes(I32, [0] * SEEDED), seeds)
    with code.loop(0, count) as number:
        code.b.call(skip, [base, I64(2)])
        code.b.call(skip, [stream, I64(2)])
        code.store(_last_word(code, stream), code.at(seeds, number, I32))
    last = code.variable(code.load(seeds, I32, SEEDED))
    with code.loop(0, BLOCK, SEEDED) as at:
        found = []
        for i in range(SEEDED):
            word = code.get(last)
            found.append(word)
            after = code.splat(code.b.trunc(code.b.add(at, I64(i + 1)), I32), SEEDED)
            shifted = code.b.xor(word, code.b.lshr(word, code.like(30, word)))
            code.set(last, code.b.add(code.b.mul(shifted, code.like(1812433253, word)), after))
        for first in range(0, SEEDED, SQUARE):
            for i in range(0, SEEDED, SQUARE):
                block = [mixed(code, x, x, range(first, first + SQUARE)) for x in found[i : i + SQUARE]]
                for number, words in enumerate(transposed(code, block)):
                    code.store(words, code.at(own, code.b.add(at, I64((first + number) * WORDS + i)), I32))
    for number in range(SEEDED):
        code.store(I32(BLOCK), code.at(own, I64(number * WORDS + BLOCK), I32))
    code.b.ret_void()
    return made
