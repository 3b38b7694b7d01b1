"""The text of the functions that draw the orders of epochs, and of what they do to a generator's words.

Reference: M. Matsumoto and T. Nishimura, "Mersenne Twister", 1998, with the seeding of 2002.
"""

from __future__ import annotations

from typing import Any

from fanin.compiler.native import ir
from fanin.compiler.native.helpers.shuffle import BLOCK, add_permute, renew, tempered
from fanin.compiler.native.orders import FIELDS
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import I32, I64, POINTER, Code, function


def text(isa: Isa) -> str:
    """Return LLVM's text of void orders(int64 *told, int64 epochs)."""
    module = ir.Module("orders")
    draw = add_draw(module, isa)
    made, code = function(module, "orders", [POINTER, I64], isa, internal=False)
    told, epochs = made.args
    with code.loop(0, epochs) as epoch:
        code.b.call(draw, [told, epoch])
    code.b.ret_void()
    return str(module)


def add_draw(module: ir.Module, isa: Isa) -> Any:
    """Add void draw(int64 *told, int64 epoch), which draws the order of an epoch; it is told `FIELDS`.

    The words of a generator are 624 of 32 bits, followed by the position of the next one.
    """
    permute, skip, seed = add_permute(module, isa), _add_skip(module, isa), _add_seed(module, isa)
    made, code = function(module, "draw", [POINTER, I64], isa)
    told, epoch = made.args
    base, stream, rest = (code.b.inttoptr(field(code, told, name), POINTER) for name in ("base", "stream", "rest"))
    private, n, first, second = (field(code, told, name) for name in ("private", "rows", "first", "second"))
    own = code.b.alloca(ir.ArrayType(I32, BLOCK + 1))
    rows = place_of(code, told, epoch)
    code.b.call(skip, [base, I64(2)])
    with code.b.if_else(code.b.icmp_signed("!=", private, I64(0))) as (seeded, drawn):
        with seeded:
            code.b.call(skip, [stream, I64(2)])
            code.b.call(seed, [own, _last_word(code, stream)])
            code.b.call(permute, [own, _position(code, own), n, rows])
        with drawn:
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


def _add_seed(module: ir.Module, isa: Isa) -> Any:
    """Add void seed(words, int32 number), which starts the stream of a number."""
    made, code = function(module, "seed", [POINTER, I32], isa)
    words, number = made.args
    b, last = code.b, code.variable(number)
    code.store(number, words)
    with code.loop(1, BLOCK) as i:
        before = code.get(last)
        mixed = b.mul(b.xor(before, b.lshr(before, I32(30))), I32(1812433253))
        code.set(last, b.add(mixed, b.trunc(i, I32)))
        code.store(code.get(last), code.at(words, i, I32))
    code.store(I32(BLOCK), _position(code, words))
    b.ret_void()
    return made
