"""Threads of one run on processors of their own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fanin.compiler.native import placing
from fanin.compiler.native.placing import Apart, allowed, leave, processor, stay
from fanin.compiler.native.team import TASK, Team

needs_places = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not place threads")
needs_two = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="one processor only"
)


def in_a_thread(function: Callable[[], Any]) -> Any:
    """Return what a function answers in a thread of its own, so that no other thread's place is changed."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(function()))
    thread.start()
    thread.join()
    return answers[0]


@needs_places
def test_the_processor_is_one_that_is_allowed() -> None:
    assert processor() in os.sched_getaffinity(0)


@needs_two
def test_a_thread_leaves_a_processor_that_is_taken_and_stays_away() -> None:
    def go() -> tuple[list[int], set[int], set[int]]:
        where = allowed()
        taken = [processor()]
        Apart().take(taken, where)
        return taken, where, os.sched_getaffinity(0)

    taken, before, after = in_a_thread(go)
    assert len(set(taken)) == 2
    assert after == before - {taken[0]}


@needs_places
def test_a_thread_that_is_away_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[set[int]] = []
    monkeypatch.setattr(placing, "_go", lambda where: told.append(where) or True)
    apart = Apart()
    for taken in ([0], [0], [1]):
        apart.take([*taken], {0, 1, 2})
    assert told == [{1, 2}, {0, 2}]


@needs_places
def test_a_thread_is_left_alone_where_no_processor_is_free() -> None:
    def go() -> tuple[set[int], set[int]]:
        where = allowed()
        Apart().take(sorted(where), where)
        return where, os.sched_getaffinity(0)

    before, after = in_a_thread(go)
    assert before == after


@needs_places
def test_a_thread_stays_until_it_leaves() -> None:
    def go() -> tuple[int, set[int], set[int], set[int]]:
        where = allowed()
        here = stay(where)
        kept = os.sched_getaffinity(0)
        leave(where)
        return here, kept, where, os.sched_getaffinity(0)

    here, kept, before, after = in_a_thread(go)
    assert kept == {here}
    assert before == after


@needs_two
def test_the_threads_of_a_run_are_apart_and_go_free_afterwards() -> None:
    seen: dict[int, tuple[int, set[int]]] = {}

    @TASK
    def look(context: int | None, thread: int, threads: int) -> None:
        seen[thread] = processor(), os.sched_getaffinity(0)

    team = Team(2)
    before = os.sched_getaffinity(0)
    for _ in range(20):
        seen.clear()
        team.run(look)
        (first, kept), (second, kept_too) = seen[0], seen[1]
        assert {first} == kept
        assert kept_too == before - kept
        assert first != second
        assert os.sched_getaffinity(0) == before
    team.close()


@pytest.fixture
def _a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    placing._asked.cache_clear()
    monkeypatch.delattr(placing.os, "sched_setaffinity", raising=False)
    yield
    placing._asked.cache_clear()


@pytest.mark.usefixtures("_a_system_that_does_not_tell")
def test_a_system_that_does_not_tell_is_left_alone() -> None:
    assert processor() == -1
    taken: list[int] = []
    Apart().take(taken, allowed())
    leave(allowed())
    assert (stay(allowed()), taken) == (-1, [-1])
