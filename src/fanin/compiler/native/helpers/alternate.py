"""The text of the function that takes the steps of two programs in turns."""

from __future__ import annotations

from typing import Any

from fanin.compiler.native import ir
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import I64, POINTER, Code, function

# What the function is told of each of the two: the context, the function, its steps of an epoch, and the random key.
EACH = 4
FIELDS = 5  # of a context: sources, numbers, the numbers of a step, first step, steps


def text(isa: Isa) -> str:
    """Return LLVM's text of void alternate(int64 *told, int64 thread, int64 threads).

    Each thread counts in contexts of its own. The keys are moved on by the first thread, each while the other's program
    runs, at whose end all threads meet.
    """
    module = ir.Module("alternate")
    made, code = function(module, "alternate", [POINTER, I64, I64], isa, internal=False)
    told, thread, threads = made.args
    turns = [_Turn(code, told, i) for i in (0, 1)]
    epochs = code.load(code.at(told, I64(2 * EACH), I64), I64)
    is_first = code.b.icmp_signed("==", thread, I64(0))
    with code.loop(0, epochs) as epoch:
        again = code.b.and_(is_first, code.b.icmp_signed(">", epoch, I64(0)))
        turns[1].move_key(again, turns[0].steps)
        turns[0].run(epoch, thread, threads)
        turns[0].move_key(is_first, turns[1].steps)
        turns[1].run(epoch, thread, threads)
    code.b.ret_void()
    return str(module)


class _Turn:
    """One of the two programs, in the code of `alternate`."""

    def __init__(self, code: Code, told: Any, number: int) -> None:
        self._code = code
        context, address, self.steps, key = (
            code.load(code.at(told, I64(EACH * number + i), I64), I64) for i in range(EACH)
        )
        context, self._key = code.b.inttoptr(context, POINTER), code.b.inttoptr(key, POINTER)
        kind = ir.FunctionType(ir.VoidType(), [POINTER, I64, I64]).as_pointer()
        self._function = code.b.inttoptr(address, kind)
        self._own = code.b.alloca(ir.ArrayType(I64, FIELDS))
        for i in range(3):
            code.store(code.load(code.at(context, I64(i), I64), I64), code.at(self._own, I64(i), I64))
        code.store(self.steps, code.at(self._own, I64(4), I64))

    def run(self, epoch: Any, thread: Any, threads: Any) -> None:
        """Take the steps of an epoch."""
        code = self._code
        code.store(code.b.mul(epoch, self.steps), code.at(self._own, I64(3), I64))
        code.b.call(self._function, [self._own, thread, threads])

    def move_key(self, when: Any, steps: Any) -> None:
        """Count steps of the other program, so that the key and the own steps together count all."""
        code = self._code
        with code.b.if_then(when):
            place = code.at(self._key, I64(1), I64)
            code.store(code.b.add(code.load(place, I64), steps), place)
