"""How many threads a program is given: one or several, whichever turns out to be quicker.

Results do not depend on the choice. What is quicker depends on the machine, and on what else runs on it. Each number is
tried for a few milliseconds of steps, now and then again: a run of long steps should not spend an epoch on the slower.
What a run has learned of a program is there for the next one.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field

# A trial has so many pieces, each of about so many seconds, or one step. The first one does not count: threads begin,
# caches are cold.
TRIALS, PIECE = 4, 1e-3
# More threads are tried for so many seconds, unless they are better before: a processor of a virtual machine that had
# nothing to do works only after 50 to 100 ms. They are given more time where they take hardly longer, as while one
# processor does the work of two, since waiting costs nothing then. Long steps, which every processor that is awake
# makes shorter, are given it once in any case, in a second trial right after the first one.
WAKING, PATIENCE, HARDLY, LONG = 0.05, 0.25, 1.15, 1e-3
# A single thread so much slower in one piece is not looked at any longer.
HOPELESS = 1.2
# Seconds until the other number is tried again, the first time; twice as many each time that it turns out slower.
AGAIN, LATEST = 0.3, 3.0
# How quickly the least time that was seen is forgotten, a call.
GROWTH = 1.05
# Programs of which it is remembered what they took.
MOST = 256


@dataclass
class _Trial:
    """A number of threads that is being tried: what a step took in each piece, and the seconds of all of them.

    patient: whether to wait in any case for processors that may be waking up.
    """

    threads: int
    patient: bool = False
    pieces: list[float] = field(default_factory=list)
    spent: float = 0.0

    @property
    def seconds(self) -> float:
        return min(self.pieces[1:] or self.pieces)

    def is_over(self, other: float | None) -> bool:
        """Say whether enough is known; `other` is what a step takes with the other number."""
        if self.threads == 1 and other is not None and self.seconds > HOPELESS * other:
            return True
        if self.threads == 1:
            return len(self.pieces) >= TRIALS
        if len(self.pieces) < TRIALS:
            return False
        if other is None:
            return self.spent >= WAKING
        may_wake = self.patient or self.seconds < HARDLY * other
        return self.seconds < other or self.spent >= (PATIENCE if may_wake else WAKING)


class Pace:
    """Chooses between one thread and several by what each took.

    seconds: of a step, by number of threads: the least that was seen lately.
    """

    def __init__(self) -> None:
        self.seconds: dict[int, float] = {}
        self._trial: _Trial | None = None
        self._since, self._wait = 0.0, AGAIN
        self._lock = threading.Lock()  # runs in several of Python's threads may have the same program

    def choose(self, threads: int, steps: int) -> tuple[int, int]:
        """Return how many threads to use, of 1 or `threads`, and for how many of the next steps."""
        with self._lock:
            return self._chosen(threads, steps)

    def _chosen(self, threads: int, steps: int) -> tuple[int, int]:
        unknown = [number for number in (threads, 1) if number not in self.seconds]
        if self._trial is not None and self._trial.threads not in (1, threads):  # another call was given more or fewer
            self._trial = None
        if self._trial is None and (unknown or self._since >= self._wait):
            number = unknown[0] if unknown else threads + 1 - self._best(threads)
            self._trial = _Trial(number, patient=not unknown and not self._wait)
        if self._trial is None:
            return self._best(threads), steps
        return self._trial.threads, min(steps, self._steps_of_a_piece())

    def note(self, threads: int, seconds: float, steps: int = 1) -> None:
        """Take note of what each of some steps took."""
        with self._lock:
            self._note(threads, seconds, steps)

    def _note(self, threads: int, seconds: float, steps: int) -> None:
        if self._trial is None or self._trial.threads != threads:
            self.seconds[threads] = min(seconds, GROWTH * self.seconds.get(threads, math.inf))
            self._since += seconds * steps
            return
        trial = self._trial
        trial.pieces.append(seconds)
        trial.spent += seconds * steps
        others = [taken for number, taken in self.seconds.items() if number != trial.threads]
        if trial.is_over(min(others, default=None)):
            self._end(trial)

    def _end(self, trial: _Trial) -> None:
        known = trial.threads in self.seconds
        self.seconds[trial.threads] = trial.seconds
        better = trial.seconds <= min(self.seconds.values())
        self._wait = min(LATEST, max(AGAIN, 2 * self._wait)) if known and not better else AGAIN
        if trial.threads == 1 and not known and better and len(self.seconds) > 1 and trial.seconds >= LONG:
            self._wait = 0.0
        self._trial, self._since = None, 0.0

    def _best(self, threads: int) -> int:
        return min((threads, 1), key=self.seconds.__getitem__)

    def _steps_of_a_piece(self) -> int:
        seen = [*self.seconds.values(), *(self._trial.pieces[-1:] if self._trial else [])]
        return max(1, math.ceil(PIECE / max(min(seen), 1e-9))) if seen else 1


_PACES: dict[tuple[str, ...], Pace] = {}


def pace_of(*program: str) -> Pace:
    """Return what is known of a program, by what tells it from others."""
    found = _PACES.get(program)
    if found is None:
        found = _PACES.setdefault(program, Pace())
        while len(_PACES) > MOST:
            _PACES.pop(next(iter(_PACES)), None)
    return found
