"""Many epochs in one native call: their orders are drawn, and one or two programs take their steps in turns.

Two programs there are where the last batch of an epoch is shorter. Where they have one thread, and there is a second
one, that one draws: for a small network drawing takes as long as training. A linear 10-1 takes 0.20 us for a batch of
100 with its share of the drawing, and 0.12 us with the drawing beside it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from fanin._core.addresses import address
from fanin._core.threads import cores
from fanin.compiler.native.barrier import new_barrier
from fanin.compiler.native.executable import Executable, team_of
from fanin.compiler.native.kept import library_of
from fanin.compiler.native.orders import Drawing
from fanin.compiler.native.team import task

# Rows to draw from which on waking a second thread, some 20 us, pays: drawing takes 1 ns a row.
ROWS_OF_A_TEAM = 50_000
# What native code is told first, 0 for orders that are there already. The counter is a barrier's memory: orders that
# are drawn are counted there, or threads meet there between two programs. Then what it is told of each of two programs.
HEAD, EACH = ("epochs", "programs", "orders", "counter"), ("context", "function", "steps", "key")


@dataclass(frozen=True)
class Turn:
    """What a program does: everything is bound to its code, stacked by step.

    numbers: the scalars of all its steps, (epochs * steps, n) float64.
    steps:   how many an epoch has.
    key:     that of its random masks, uint64 (2,), an array of its own, or None. The second entry counts the steps of
             both programs.
    """

    code: Executable
    numbers: Any
    steps: int
    key: Any = None


def draws_beside(codes: Sequence[Executable], steps: Sequence[int], threads: int | None) -> bool:
    """Say whether orders may be drawn while so many steps are taken: no program needs more than one thread, or NumPy.

    NumPy's operations may want the generators that are drawn from.
    """
    pairs = zip(codes, steps, strict=True)
    return all(not code.calls_back and code.threads_for(count, threads) == 1 for code, count in pairs)


def take_turns(turns: Sequence[Turn], epochs: int, threads: int | None, drawing: Drawing | None = None) -> None:
    """Take, `epochs` times, some steps of one program and then of the other, if there are two.

    Args:
        turns: of one program, or of two different ones.
        epochs: how often.
        threads: how many to use at most; None for as many as the work is worth.
        drawing: the orders, where they are drawn meanwhile.

    Raises IndexError when an index among the data is out of range.
    """
    first, steps = turns[0].code, epochs * turns[0].steps
    keys = [np.zeros(2, np.uint64) if turn.key is None else turn.key for turn in turns]
    told = [epochs, len(turns), 0 if drawing is None else drawing.address, 0]
    for turn, key in zip(turns, keys, strict=True):
        context = turn.code.prepare(turn.numbers, epochs * turn.steps)
        told += [context, turn.code.address, turn.steps, address(key)]
    if len(turns) == 1:
        told += told[-len(EACH) :]
    else:
        keys[1][1] += np.uint64(turns[0].steps)
    if drawing is None:
        # A last batch of few rows has nothing to share, but the others have.
        pace, most = first.pace, max(turn.code.threads_for(epochs * turn.steps, threads) for turn in turns)
    else:
        pace = first.pace_of_drawing
        most = min(2, cores() if threads is None else threads) if drawing.rows >= ROWS_OF_A_TEAM else 1
    wanted = pace.choose(most, steps)[0] if most > 1 else 1
    note = np.array(told, np.int64)
    started = time.perf_counter()
    if wanted == 1:
        _function()(address(note), 0, 1)
    else:
        counter = new_barrier()
        note[HEAD.index("counter")] = address(counter)
        team_of(wanted).run(_function(), address(note))
    if most > 1:
        pace.note(wanted, (time.perf_counter() - started) / steps, steps)
    for turn in turns:
        turn.code.check()


@lru_cache(maxsize=1)
def _function() -> Any:
    """Return the compiled function; the library lives as long as it does."""
    library = library_of("turns")
    made = task(library.address("turns"))
    made.library = library
    return made
