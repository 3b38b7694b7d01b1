"""Threads of one run on processors of their own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fanin.compiler.native import placing
from fanin.compiler.native.placing import processor, take_own

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
def test_a_thread_leaves_a_processor_that_is_taken_and_may_go_where_it_might_before() -> None:
    def leave() -> tuple[list[int], int, bool]:
        before = os.sched_getaffinity(0)
        here = min(before)
        os.sched_setaffinity(0, {here})
        os.sched_setaffinity(0, before)
        taken = [processor()]
        take_own(taken)
        return taken, len(before), os.sched_getaffinity(0) == before

    taken, _, unchanged = in_a_thread(leave)
    assert len(set(taken)) == 2
    assert unchanged


@needs_places
def test_a_thread_stays_where_no_other_processor_is_allowed() -> None:
    def stay() -> tuple[list[int], int]:
        here = processor()
        os.sched_setaffinity(0, {here})
        taken = [here]
        take_own(taken)
        return taken, here

    taken, here = in_a_thread(stay)
    assert taken == [here, here]


@needs_places
def test_a_processor_of_its_own_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    moves: list[Any] = []
    monkeypatch.setattr(placing.os, "sched_setaffinity", lambda *where: moves.append(where))
    taken: list[int] = [-2]
    take_own(taken)
    assert not moves
    assert len(taken) == 2


@pytest.fixture
def _a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    placing._asked.cache_clear()
    monkeypatch.delattr(placing.os, "sched_setaffinity", raising=False)
    yield
    placing._asked.cache_clear()


@pytest.mark.usefixtures("_a_system_that_does_not_tell")
def test_a_system_that_does_not_tell_is_left_alone() -> None:
    taken = [processor()]
    take_own(taken)
    assert taken == [-1, -1]
