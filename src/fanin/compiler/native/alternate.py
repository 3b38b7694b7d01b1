"""Epochs whose last batch is shorter: the programs of both batch sizes in turns, without Python in between."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import numpy as np

from fanin.compiler.native.executable import Executable, team_of
from fanin.compiler.native.kept import library_of
from fanin.compiler.native.team import task

# What `alternate` is told of each of the two: the context, the function, its steps of an epoch, and the random key.
_EACH = 4


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
    library = library_of("alternate")
    made = task(library.address("alternate"))
    made.library = library
    return made
