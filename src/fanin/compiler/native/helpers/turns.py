"""The text of the function that takes many epochs: draws their orders, and lets one or two programs take their steps.

Two programs there are where the last batch of an epoch is shorter.
"""

from __future__ import annotations

from typing import Any

from fanin.compiler.native import ir
from fanin.compiler.native.barrier import GENERATION, YIELD
from fanin.compiler.native.helpers.barrier import emit_barrier, load_shared, wait_until
from fanin.compiler.native.helpers.orders import add_draw, field, own_words, place_of
from fanin.compiler.native.product.kernel import prefetch
from fanin.compiler.native.target import Isa
from fanin.compiler.native.turns import EACH, HEAD
from fanin.compiler.native.vector import I8, I32, I64, POINTER, Code, function

_CONTEXT = 5  # fields of a context: sources, numbers, the numbers of a step, first step, steps
_FETCHED = 4096  # rows that are brought over at once: what a core's first cache takes
_LINE = 8  # rows of a line of it


def text(isa: Isa) -> str:
    """Return LLVM's text of void turns(int64 *told, int64 thread, int64 threads).

    Where the orders are there, the programs run in all threads, which wait for each other between two: a program that
    has nothing to share runs in the first one. Otherwise both run in the first one, and the last one draws: it may be
    ahead by any number of epochs. One thread does both.
    """
    module = ir.Module("turns")
    draw = add_draw(module, isa)
    made, code = function(module, "turns", [POINTER, I64, I64], isa, internal=False)
    told, thread, threads = made.args
    b = code.b
    epochs, programs, orders, counter = (code.load(code.at(told, I64(i), I64), I64) for i in range(len(HEAD)))
    draws = b.icmp_signed("!=", orders, I64(0))
    apart = b.and_(draws, b.icmp_signed(">", threads, I64(1)))
    is_last = b.icmp_signed("==", thread, b.sub(threads, I64(1)))
    is_first = b.icmp_signed("==", thread, I64(0))
    drawing = _Drawing(code, draw, orders, counter, epochs)
    with b.if_then(b.and_(apart, b.not_(is_first))):
        with b.if_then(is_last):
            drawing.draw_all()
        b.ret_void()
    thread, threads = b.select(draws, I64(0), thread), b.select(draws, I64(1), threads)
    barrier = b.inttoptr(counter, POINTER)
    turns = [_Turn(code, told, i) for i in (0, 1)]
    has_two = b.icmp_signed(">", programs, I64(1))
    with code.loop(0, epochs) as epoch:
        with b.if_then(apart):
            drawing.wait_for(epoch)
        with b.if_then(b.and_(draws, b.not_(apart))):
            drawing.draw(epoch)
        again = b.and_(b.and_(is_first, has_two), b.icmp_signed(">", epoch, I64(0)))
        turns[1].move_key(again, turns[0].steps)
        turns[0].run(epoch, thread, threads)
        with b.if_then(has_two):
            emit_barrier(code, barrier, threads)
            turns[0].move_key(is_first, turns[1].steps)
            turns[1].run(epoch, thread, threads)
            emit_barrier(code, barrier, threads)
    b.ret_void()
    return str(module)


class _Drawing:
    """The orders, which one thread draws and another one takes."""

    def __init__(self, code: Code, function: Any, told: Any, counter: Any, epochs: Any) -> None:
        self._code, self._function, self._told = code, function, code.b.inttoptr(told, POINTER)
        self._epochs, self._own = epochs, own_words(code)
        self._counter = code.at(code.b.inttoptr(counter, POINTER), I64(GENERATION), I8)
        self._give_way = code.at(code.b.inttoptr(counter, POINTER), I64(YIELD), I8)

    def draw(self, epoch: Any) -> None:
        """Draw the order of an epoch."""
        self._code.b.call(self._function, [self._told, epoch, self._epochs, self._own])

    def draw_all(self) -> None:
        """Draw all orders, and count them for the other thread."""
        with self._code.loop(0, self._epochs) as epoch:
            self.draw(epoch)
            self._code.b.atomic_rmw("add", self._counter, I32(1), "release")

    def wait_for(self, epoch: Any) -> None:
        """Wait until the order of an epoch is drawn."""
        code = self._code

        def is_drawn() -> Any:
            count = code.b.zext(load_shared(code, self._counter, "acquire"), I64)
            return code.b.icmp_signed(">", count, epoch)

        wait_until(code, is_drawn, code.load(self._give_way, I64))
        self._fetch(epoch)

    def _fetch(self, epoch: Any) -> None:
        """Have the order brought over from the other core's cache, all lines at once instead of each when it is met."""
        code, order = self._code, place_of(self._code, self._told, epoch)
        rows = field(code, self._told, "rows")
        with code.loop(0, code.lesser(rows, I64(_FETCHED)), _LINE) as row:
            prefetch(code, code.at(order, row, I64))


class _Turn:
    """One of the programs; the second one may not be there."""

    def __init__(self, code: Code, told: Any, number: int) -> None:
        self._code = code
        context, address, self.steps, key = (
            code.load(code.at(told, I64(len(HEAD) + len(EACH) * number + i), I64), I64) for i in range(len(EACH))
        )
        context, self._key = code.b.inttoptr(context, POINTER), code.b.inttoptr(key, POINTER)
        kind = ir.FunctionType(ir.VoidType(), [POINTER, I64, I64]).as_pointer()
        self._function = code.b.inttoptr(address, kind)
        self._own = code.b.alloca(ir.ArrayType(I64, _CONTEXT))
        for i in range(3):
            code.store(code.load(code.at(context, I64(i), I64), I64), code.at(self._own, I64(i), I64))
        code.store(self.steps, code.at(self._own, I64(4), I64))

    def run(self, epoch: Any, thread: Any, threads: Any) -> None:
        """Take the steps of an epoch."""
        code = self._code
        code.store(code.b.mul(epoch, self.steps), code.at(self._own, I64(3), I64))
        code.b.call(self._function, [self._own, thread, threads])

    def move_key(self, when: Any, steps: Any) -> None:
        """Count steps of the other program, so that the key and the own steps together count all.

        The first thread does so before the other program runs, at whose end all threads meet.
        """
        code = self._code
        with code.b.if_then(when):
            place = code.at(self._key, I64(1), I64)
            code.store(code.b.add(code.load(place, I64), steps), place)
