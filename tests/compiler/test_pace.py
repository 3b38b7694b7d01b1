"""The choice between one thread and several, on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from fanin.compiler.native.pace import AGAIN, HOPELESS, LATEST, MOST, PATIENCE, PIECE, TRIALS, WAKING, Pace, pace_of

Taken = list[tuple[float, int, int]]


def paced(seconds: Callable[[int, float], float], until: float, call: int = 50, most: int = 2) -> Taken:
    """Return (when, threads, steps) of each piece; `seconds` of (threads, when) is what a step takes."""
    pace, taken, now = Pace(), [], 0.0
    while now < until:
        left = call
        while left:
            threads, steps = pace.choose(most, left)
            assert threads in (1, most)
            assert 1 <= steps <= left
            taken.append((now, threads, steps))
            step = seconds(threads, now)
            pace.note(threads, step, steps)
            now, left = now + steps * step, left - steps
    return taken


def share(taken: Taken, threads: int, since: float = 0.0) -> float:
    """Return the part of the steps that were done by so many threads."""
    steps = [(n, count) for when, n, count in taken if when >= since]
    return sum(count for n, count in steps if n == threads) / sum(count for _, count in steps)


def test_both_numbers_are_tried_and_the_quicker_one_is_kept() -> None:
    for quick in (1, 2):
        taken = paced(lambda threads, _, quick=quick: 1e-3 if threads == quick else 3e-3, until=20.0)
        assert {threads for _, threads, _ in taken[: 30 * TRIALS]} == {1, 2}
        assert share(taken, quick, since=1.0) > 0.95


def test_long_steps_are_tried_one_by_one() -> None:
    taken = paced(lambda threads, _: 0.04 / threads, until=4.0, call=10)
    alone = [steps for _, threads, steps in taken if threads == 1]
    assert alone[0] == 1
    assert set(alone) == {1}
    assert len(alone) <= 4  # once at the begin, and after 0.3, 0.9 and 2.1 seconds


def test_short_steps_are_tried_for_about_a_millisecond() -> None:
    taken = paced(lambda threads, _: 2e-5 / threads, until=1.0, call=100_000)
    alone = [steps for _, threads, steps in taken if threads == 1]
    assert max(alone) <= 2 * PIECE / 1e-5


def test_the_other_number_is_tried_again_at_growing_intervals() -> None:
    taken = paced(lambda threads, _: 5e-4 * threads, until=40.0, call=40)
    begins = [
        when for (_, before, _), (when, threads, _) in pairwise(taken) if threads == 2 and before == 1 and when > WAKING
    ]
    gaps = [later - earlier for earlier, later in pairwise(begins)]
    assert begins[0] == pytest.approx(AGAIN + 2 * WAKING, abs=0.1)
    assert gaps[:2] == pytest.approx([2 * AGAIN, 4 * AGAIN], abs=0.15)
    assert gaps[-1] == pytest.approx(LATEST, abs=0.15)


def test_a_slow_first_piece_does_not_count() -> None:
    taken = paced(lambda threads, when: 1.0 if when == 0 else 0.02 / threads, until=10.0, call=4)
    assert share(taken, 2, since=2.0) > 0.9


def test_a_processor_that_has_to_wake_up_gets_time_for_it() -> None:
    asleep = 0.6 * WAKING
    taken = paced(lambda threads, when: 1e-3 if threads == 1 else 2e-3 if when < asleep else 5e-4, until=0.8 * AGAIN)
    assert share(taken, 2, since=2 * WAKING) > 0.9


def test_long_steps_are_given_time_once_however_slow_they_seem() -> None:
    """A second processor works after 130 ms of being asked to, and until then every step takes twice as long."""
    for wakes in (True, False):
        asked = 0.0

        def seconds(threads: int, _: float, wakes: bool = wakes) -> float:
            nonlocal asked
            asked += 0.02 * (threads - 1)
            return 0.006 if threads == 2 and asked > 0.13 and wakes else 0.01 * threads

        taken = paced(seconds, until=2.0, call=10)
        if wakes:
            assert share(taken, 2, since=0.25) > 0.95
        else:
            assert sum(when < 0.2 + PATIENCE and threads == 2 for when, threads, _ in taken) >= PATIENCE / 0.02
            assert share(taken, 1, since=0.2 + PATIENCE) > 0.8


def test_what_one_run_has_learned_is_there_for_the_next() -> None:
    first = pace_of("a program", "of steps")
    assert pace_of("a program", "of steps") is first
    assert pace_of("a program", "drawing") is not first
    for number in range(MOST):
        assert pace_of(f"program {number}").seconds == {}
    assert pace_of("a program", "of steps") is not first


def test_runs_side_by_side_do_not_mix_their_trials() -> None:
    pace = Pace()
    assert pace.choose(2, 1)[0] == 2
    for _ in range(30):
        pace.note(1, 1e-6)  # of a run that had begun with one thread
    assert pace.choose(2, 1)[0] == 2
    for _ in range(TRIALS):
        pace.note(2, 0.1)
    assert pace.choose(2, 1) == (1, 1)


def test_long_steps_that_gain_nothing_yet_are_given_more_time() -> None:
    """A second processor works after 150 ms of being asked to, until nobody asks for 100 ms; one does all till then."""
    asked = idle = 0.0

    def seconds(threads: int, _: float) -> float:
        nonlocal asked, idle
        idle = 0.0 if threads == 2 else idle + 0.013
        asked = 0.0 if idle > 0.1 else asked + 0.0135 * (threads - 1)
        return 0.0135 if threads == 2 and asked < 0.15 else 0.013 / threads

    assert share(paced(seconds, until=8.0, call=10), 2, since=1.0) > 0.95


def test_a_single_thread_far_behind_gets_one_piece_only() -> None:
    far = paced(lambda threads, _: 1e-3 if threads == 2 else HOPELESS * 1.1e-3, until=0.2)
    near = paced(lambda threads, _: 1e-3 if threads == 2 else HOPELESS * 0.9e-3, until=0.2)
    assert [sum(threads == 1 for _, threads, _ in taken) for taken in (far, near)] == [1, TRIALS]


def test_what_becomes_slower_is_left_and_found_again() -> None:
    def seconds(threads: int, when: float) -> float:
        busy = 3.0 < when < 10.0
        return 1e-3 if threads == 1 else 2.5e-3 if busy else 5e-4

    taken = paced(seconds, until=20.0)
    assert share([t for t in taken if 1.0 < t[0] < 3.0], 2) > 0.9
    assert share([t for t in taken if 5.0 < t[0] < 10.0], 1) > 0.9
    assert share([t for t in taken if t[0] > 14.0], 2) > 0.9


def test_another_most_is_kept_to() -> None:
    pace = Pace()
    for number in range(200):
        most = (2, 3)[number % 2]
        threads, steps = pace.choose(most, 5)
        assert threads in (1, most)
        pace.note(threads, 1e-2 / threads, steps)
    assert pace.choose(3, 5)[0] == 3
