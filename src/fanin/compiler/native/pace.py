"""How many threads a program is given: one or several, whichever turns out to be quicker.

Results do not depend on the choice. What is quicker depends on the machine, and on what else runs on it.
"""

from __future__ import annotations

# Calls of each number before one is chosen. The first one does not count: threads begin, caches are cold.
TRIALS = 4
# Seconds until the other number is tried again, the first time; twice as many each time that it turns out slower.
AGAIN, LATEST = 0.3, 3.0
# How quickly the least time that was seen is forgotten, a call.
GROWTH = 1.05


class Pace:
    """Chooses between one thread and several by what each took.

    seconds: of a step, by number of threads: the least that was seen lately.
    """

    def __init__(self) -> None:
        self.seconds: dict[int, float] = {}
        self._calls: dict[int, int] = {}
        self._since, self._wait = 0.0, AGAIN

    def choose(self, threads: int) -> int:
        """Return how many threads to use, of 1 or `threads`."""
        numbers = (threads, 1)
        fewest = min(numbers, key=lambda n: self._calls.get(n, 0))
        if self._calls.get(fewest, 0) < TRIALS:
            return fewest
        best = min(numbers, key=self.seconds.__getitem__)
        return best if self._since < self._wait else threads + 1 - best

    def note(self, threads: int, seconds: float, steps: int = 1) -> None:
        """Take note of what each of some steps took."""
        calls = self._calls[threads] = self._calls.get(threads, 0) + 1
        before = self.seconds.get(threads)
        self.seconds[threads] = seconds if before is None or calls <= 2 else min(seconds, GROWTH * before)
        if min(self._calls.values()) < TRIALS:
            return
        if threads == min(self.seconds, key=self.seconds.__getitem__):
            self._since += seconds * steps
            return
        self._since, self._wait = 0.0, min(LATEST, 2 * self._wait)
