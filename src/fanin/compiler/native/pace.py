"""How many threads a program is given: one or several, whichever turns out to be quicker.

Results do not depend on the choice. What is quicker depends on the machine, and on what else runs on it. Each number is
tried for a few milliseconds of steps, now and then again: a run of long steps should not spend an epoch on the slower.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

# A trial has so many pieces, each of about so many seconds, or one step. The first one does not count: threads begin,
# caches are cold.
TRIALS, PIECE = 4, 1e-3
# More threads are tried for so many seconds, unless they are better before: a processor of a virtual machine that had
# nothing to do works only after 50 to 100 ms. Where they take hardly longer, as while one processor does the work of
# two, waiting costs nothing, and they are given more time.
WAKING, PATIENCE, HARDLY = 0.05, 0.25, 1.15
# A single thread so much slower in one piece is not looked at any longer.
HOPELESS = 1.2
# Seconds until the other number is tried again, the first time; twice as many each time that it turns out slower.
AGAIN, LATEST = 0.3, 3.0
# How quickly the least time that was seen is forgotten, a call.
GROWTH = 1.05


@dataclass
class _Trial:
    """A number of threads that is being tried: what a step took in each piece, and the seconds of all of them."""

    threads: int
    pieces: list[float] = field(default_factory=list)
    spent: float = 0.0

    @property
    def seconds(self) -> float:
        return min(self.pieces[1:] or self.pieces)

    def is_over(self, other: float | None) -> bool:
        """Say whether enough is known; `other` is what a step takes with the other number."""
        if self.threads == 1 and other is not None and self.seconds > HOPELESS * other:
            return True
        if len(self.pieces) < TRIALS:
            return False
        if self.threads == 1:
            return True
        if other is None:
            return self.spent >= WAKING
        return self.seconds < other or self.spent >= (PATIENCE if self.seconds < HARDLY * other else WAKING)


class Pace:
    """Chooses between one thread and several by what each took.

    seconds: of a step, by number of threads: the least that was seen lately.
    """

    def __init__(self) -> None:
        self.seconds: dict[int, float] = {}
        self._trial: _Trial | None = None
        self._since, self._wait = 0.0, AGAIN

    def choose(self, threads: int, steps: int) -> tuple[int, int]:
        """Return how many threads to use, of 1 or `threads`, and for how many of the next steps."""
        unknown = [number for number in (threads, 1) if number not in self.seconds]
        if self._trial is not None and self._trial.threads not in (1, threads):  # another call was given more or fewer
            self._trial = None
        if self._trial is None and (unknown or self._since >= self._wait):
            self._trial = _Trial(unknown[0] if unknown else threads + 1 - self._best(threads))
        if self._trial is None:
            return self._best(threads), steps
        return self._trial.threads, min(steps, self._steps_of_a_piece())

    def note(self, threads: int, seconds: float, steps: int = 1) -> None:
        """Take note of what each of some steps took."""
        if self._trial is None:
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
        self._wait = min(LATEST, 2 * self._wait) if known and not better else AGAIN
        self._trial, self._since = None, 0.0

    def _best(self, threads: int) -> int:
        return min((threads, 1), key=self.seconds.__getitem__)

    def _steps_of_a_piece(self) -> int:
        seen = [*self.seconds.values(), *(self._trial.pieces[-1:] if self._trial else [])]
        return max(1, math.ceil(PIECE / max(min(seen), 1e-9))) if seen else 1
