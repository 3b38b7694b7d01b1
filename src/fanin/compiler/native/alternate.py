"""Epochs whose last batch is shorter: the programs of both batch sizes in turns, without Python in between."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import numpy as np

from fanin.compiler.native import ir
from fanin.compiler.native.cache import compiled_once
from fanin.compiler.native.executable import Executable, team_of
from fanin.compiler.native.target import Isa, Library, host
from fanin.compiler.native.team import task
from fanin.compiler.native.vector import I64, POINTER, Code, function

# What `alternate` is told of each of the two: the context, the function, its steps of an epoch, and the random key.
_EACH = 4
_FIELDS = 5  # of a context: sources, numbers, the numbers of a step, first step, steps


def alternate(one: Executable, other: Executable, turns: Any, epochs: int, threads: int | None) -> None:
    """Take, `epochs` times, some steps of one program and then some of the other; everything is bound, stacked by step.

    Args:
        one, other: two different executables.
        turns: for each (numbers, steps, key): the scalars of all its steps, (epochs * steps, n) float64; its steps of
            an epoch; and its key for random masks, uint64 (2,), an array of its own, or None. The second entry of a
            key counts the steps of both.
        epochs: how often.
        threads: how many to use at most; None for as many as the work is worth.

    Raises IndexError when an index among the data is out of range.
    """
    told = np.zeros(2 * _EACH + 1, np.int64)
    keys = [np.zeros(2, np.uint64) if key is None else key for _, _, key in turns]
    for i, (code, (numbers, steps, _)) in enumerate(zip((one, other), turns, strict=True)):
        context = code.prepare(numbers, epochs * steps)
        told[_EACH * i : _EACH * (i + 1)] = context, code.address, steps, _address(keys[i])
    keys[1][1] += np.uint64(turns[0][1])
    told[-1] = epochs
    steps = epochs * turns[0][1]
    most = min(code.threads_for(epochs * turn[1], threads) for code, turn in ((one, turns[0]), (other, turns[1])))
    wanted = one.pace.choose(most, steps)[0] if most > 1 else 1
    started = time.perf_counter()
    if wanted == 1:
        _function()(_address(told), 0, 1)
    else:
        team_of(wanted).run(_function(), _address(told))
    if most > 1:
        one.pace.note(wanted, (time.perf_counter() - started) / steps, steps)
    one.check()
    other.check()


def _address(array: Any) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


@lru_cache(maxsize=1)
def _function() -> Any:
    """Return the compiled function; the library lives as long as it does."""
    library = Library(compiled_once(alternate_text(host()), host()))
    made = task(library.address("alternate"))
    made.library = library
    return made


def alternate_text(isa: Isa) -> str:
    """Return LLVM's text of void alternate(int64 *told, int64 thread, int64 threads).

    Each thread counts in contexts of its own. The keys are moved on by the first thread, each while the other's program
    runs, at whose end all threads meet.
    """
    module = ir.Module("alternate")
    made, code = function(module, "alternate", [POINTER, I64, I64], isa, internal=False)
    told, thread, threads = made.args
    turns = [_Turn(code, told, i) for i in (0, 1)]
    epochs = code.load(code.at(told, I64(2 * _EACH), I64), I64)
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
            code.load(code.at(told, I64(_EACH * number + i), I64), I64) for i in range(_EACH)
        )
        context, self._key = code.b.inttoptr(context, POINTER), code.b.inttoptr(key, POINTER)
        kind = ir.FunctionType(ir.VoidType(), [POINTER, I64, I64]).as_pointer()
        self._function = code.b.inttoptr(address, kind)
        self._own = code.b.alloca(ir.ArrayType(I64, _FIELDS))
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
