"""The random orders of many epochs, drawn by one native function as a pass over a DataLoader draws each of them.

A pass draws an int64 first, of which nothing is used (PyTorch seeds its workers with it). Without a generator of its
own the sampler then seeds a private Mersenne Twister with another one, and the private one permutes the rows; with a
generator the sampler draws the permutation from it, and a second one, of which nothing is used. Seeding takes 1 us.

Reference: M. Matsumoto and T. Nishimura, "Mersenne Twister", 1998, with the seeding of 2002.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from contextlib import ExitStack
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fanin.compiler.native import ir
from fanin.compiler.native.cache import compiled_once
from fanin.compiler.native.shuffle import _BLOCK, _layout_is_known, _renew, _tempered, add_permute
from fanin.compiler.native.shuffle import LIMIT as MOST_ROWS
from fanin.compiler.native.target import Isa, Library, host
from fanin.compiler.native.vector import I32, I64, POINTER, Code, function
from fanin.random import Generator


def can_draw(n: int) -> bool:
    """Say whether `draw_orders` works for this number of rows, and with this version of NumPy."""
    return 2 <= n < MOST_ROWS and _layout_is_known()


def draw_orders(
    base: Generator, stream: Generator, private: bool, epochs: int, n: int, parts: Sequence[int]
) -> list[npt.NDArray[np.int64]]:
    """Draw the orders of epochs, and return their parts: the first rows of each, then the ones that follow.

    Args:
        base: the generator of the int64 that each pass begins with.
        stream: the generator that permutes, or with `private`, from which the private one of each pass is seeded.
        private: whether each pass seeds one of its own.
        epochs, n: how many orders, of how many rows: `can_draw(n)`.
        parts: how many rows each part has in an epoch, one or two numbers; those that are left over belong to none.

    Returns for each part an int64 array of shape (epochs * rows,).

    >>> from fanin.random import Generator
    >>> stream = Generator().manual_seed(0)
    >>> draw_orders(stream, stream, True, 2, 4, (3, 1))
    [array([2, 1, 3, 0, 1, 3]), array([0, 2])]
    """
    first, second = (*parts, 0)[:2]
    # An order is drawn to where its first part belongs; what follows the part lies where the next order comes to.
    out, rest = np.empty(epochs * first + n - first, np.int64), np.empty(epochs * second, np.int64)
    with ExitStack() as held:
        for bits in {id(generator._bits): generator._bits for generator in (base, stream)}.values():
            held.enter_context(bits.lock)
        words = [generator._bits.ctypes.state_address for generator in (base, stream)]
        _draw()(*words, private, epochs, n, first, second, _address(out), _address(rest))
    return [out[: epochs * first], rest][: len(parts)]


def _address(array: npt.NDArray[np.int64]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


@lru_cache(maxsize=1)
def _draw() -> Any:
    """Return the compiled function; the library lives as long as it does."""
    library = Library(compiled_once(orders_text(host()), host()))
    place, number = ctypes.c_void_p, ctypes.c_int64
    draw = ctypes.CFUNCTYPE(None, place, place, number, number, number, number, number, place, place)(
        library.address("orders")
    )
    draw.library = library  # type: ignore[attr-defined]
    return draw


def orders_text(isa: Isa) -> str:
    """Return LLVM's text of void orders(base, stream, private, epochs, n, first, second, out, rest).

    Two generators' words, five numbers of 64 bits, and two arrays of such numbers, as in `draw_orders`.
    The words of a generator are 624 of 32 bits, followed by the position of the next one.
    """
    module = ir.Module("orders")
    permute, skip, seed = add_permute(module, isa), _add_skip(module, isa), _add_seed(module, isa)
    made, code = function(module, "orders", [POINTER] * 2 + [I64] * 5 + [POINTER] * 2, isa, internal=False)
    base, stream, private, epochs, n, first, second, out, rest = made.args
    own = code.b.alloca(ir.ArrayType(I32, _BLOCK + 1))
    with code.loop(0, epochs) as epoch:
        rows = code.at(out, code.b.mul(epoch, first), I64)
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
    return str(module)


def _position(code: Code, words: Any) -> Any:
    return code.at(words, I64(_BLOCK), I32)


def _last_word(code: Code, words: Any) -> Any:
    """Return the word that was drawn last, which is the low half of a number of 64 bits."""
    position = code.b.zext(code.load(_position(code, words), I32), I64)
    return _tempered(code, code.load(code.at(words, code.b.sub(position, I64(1)), I32), I32))


def _add_skip(module: ir.Module, isa: Isa) -> Any:
    """Add void skip(words, int64 count), which draws words, at least one, that nobody looks at."""
    made, code = function(module, "skip", [POINTER, I64], isa)
    words, count = made.args
    b, place = code.b, _position(code, words)
    after = b.add(b.zext(code.load(place, I32), I64), count)
    used_up = b.sdiv(b.sub(after, I64(1)), I64(_BLOCK))
    with code.loop(0, used_up):
        _renew(code, words)
    code.store(b.trunc(b.sub(after, b.mul(used_up, I64(_BLOCK))), I32), place)
    b.ret_void()
    return made


def _add_seed(module: ir.Module, isa: Isa) -> Any:
    """Add void seed(words, int32 number), which starts the stream of a number."""
    made, code = function(module, "seed", [POINTER, I32], isa)
    words, number = made.args
    b, last = code.b, code.variable(number)
    code.store(number, words)
    with code.loop(1, _BLOCK) as i:
        before = code.get(last)
        mixed = b.mul(b.xor(before, b.lshr(before, I32(30))), I32(1812433253))
        code.set(last, b.add(mixed, b.trunc(i, I32)))
        code.store(code.get(last), code.at(words, i, I32))
    code.store(I32(_BLOCK), _position(code, words))
    b.ret_void()
    return made
