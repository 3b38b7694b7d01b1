"""Generators that native code draws from meanwhile: other threads, and processes made by `fork`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import fanin as torch
from fanin._core.errors import IndexRangeError
from fanin.compiler.native import orders
from fanin.compiler.native.orders import Drawing
from fanin.random.generator import Generator, default_generator
from fanin.training import several
from fanin.training.engines import blocks
from tests.training.by_hand import Setting, default_state, fitted, loop

posix = pytest.mark.skipif(sys.platform == "win32", reason="forks are POSIX's")


@pytest.fixture
def often() -> Iterator[None]:
    """Let threads of Python's change places all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_a_child(seconds: float = 20.0) -> int:
    """Draw from the default generator in a forked process; return its exit code, negative when it took too long."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any fork beside threads
        child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        torch.manual_seed(0)
        os._exit(0 if abs(torch.randn(1).item() - 1.5409961) < 1e-6 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def elsewhere(drawing: Drawing) -> tuple[threading.Thread, threading.Event]:
    """Let another thread draw until the event is set; return both when it has begun."""
    begun, over = threading.Event(), threading.Event()

    def draw() -> None:
        with drawing.alone():
            begun.set()
            over.wait(20)

    thread = threading.Thread(target=draw)
    thread.start()
    begun.wait(20)
    return thread, over


@posix
@pytest.mark.parametrize("apart", [False, True])
def test_a_forked_process_does_not_wait_for_a_thread_that_it_does_not_have(apart: bool) -> None:
    stream = Generator() if apart else default_generator
    thread, over = elsewhere(Drawing(default_generator, stream, True, 1, 10, [10]))
    try:
        assert in_a_child() == 0
        assert not default_generator._bits.lock.acquire(blocking=False)  # here somebody else still has it
    finally:
        over.set()
        thread.join()
    assert not orders._HELD


@posix
def test_a_lock_that_stays_held_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    thread, over = elsewhere(Drawing(default_generator, default_generator, True, 1, 10, [10]))
    monkeypatch.setattr(orders, "_HELD", [])
    try:
        assert in_a_child(0.2) == -signal.SIGALRM
    finally:
        over.set()
        monkeypatch.undo()
        thread.join()


def test_two_threads_with_the_same_two_generators(often: None) -> None:
    one, other = Generator(), Generator()
    drawings = [Drawing(one, other, False, 1, 10, [10]), Drawing(other, one, False, 1, 10, [10])]
    done: list[int] = []

    def draw(drawing: Drawing) -> None:
        for _ in range(3000):
            with drawing.alone():
                pass
        done.append(1)

    threads = [threading.Thread(target=draw, args=(drawing,), daemon=True) for drawing in drawings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert done == [1, 1]
    assert not orders._HELD


@pytest.mark.parametrize("seeded", [True, False])
def test_what_is_taken_back_is_what_the_run_drew(seeded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread draws from the default generator while a block is taken, which then has to be undone."""
    drawn: list[int] = []

    def meanwhile(*_: Any) -> None:
        default_generator.word()
        drawn.append(1)
        raise IndexRangeError("out of range")

    monkeypatch.setattr(blocks, "take_turns", meanwhile)
    monkeypatch.setattr(several.Several, "_count", lambda self, _: 4 if len(drawn) < 2 else 0)
    setting = Setting(rows=43, epochs=6, seeded=seeded)
    fitted(setting, engine="native")
    found = default_state()
    monkeypatch.undo()
    loop(setting)
    if seeded:
        default_generator.words(2)  # of another thread's, which this run has no part in
    assert default_state() == found
    assert len(drawn) == 2
