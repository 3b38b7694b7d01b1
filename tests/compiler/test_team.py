"""Threads and their barrier: everybody comes, nobody too early; signals, forks, exits, callers at once."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from fanin.compiler.native import barrier as barrier_module
from fanin.compiler.native import ir
from fanin.compiler.native import team as team_module
from fanin.compiler.native.barrier import BYTES, new_barrier
from fanin.compiler.native.helpers.barrier import emit_barrier
from fanin.compiler.native.target import Library, compiled, host, named
from fanin.compiler.native.team import Team, task
from fanin.compiler.native.vector import I64, POINTER, Code, function

posix = pytest.mark.skipif(sys.platform == "win32", reason="forks and timers are POSIX's")
SLOT = 16  # numbers of 64 bits between those of two threads
Write = Callable[[Code, Any, Any, Any], None]


def native(name: str, write: Write) -> Any:
    """Return the task that `write` writes: it is given code, context, thread, threads."""
    module = ir.Module()
    made, code = function(module, name, [POINTER, I64, I64], host(), internal=False)
    write(code, *made.args)
    code.b.ret_void()
    library = Library(compiled(str(module), host()))
    made_task = task(library.address(name))
    made_task.library = library
    return made_task


def slot(code: Code, context: Any, thread: Any, first: int) -> Any:
    return code.at(context, code.b.add(I64(first), code.b.mul(thread, I64(SLOT))), I64)


def load(code: Code, pointer: Any) -> Any:
    return code.b.load_atomic(pointer, "monotonic", 8, typ=I64)


def increment(code: Code, pointer: Any) -> None:
    code.store(code.b.add(load(code, pointer), I64(1)), pointer)


class Meeting:
    """Memory of a task: [rounds, address of the barrier, 14 unused], a counter of each thread, errors of each."""

    def __init__(self, rounds: int, threads: int = 4) -> None:
        self.barrier = new_barrier()
        self.memory = np.zeros(SLOT * (1 + 2 * threads), np.int64)
        self.memory[:2] = rounds, self.barrier.ctypes.data
        self.address = self.memory.ctypes.data
        self.counts = self.memory[SLOT::SLOT][:threads]
        self.errors = self.memory[SLOT * (1 + threads) :: SLOT]


def meet(with_barrier: bool) -> Write:
    """Write: in each round count on, meet, see that all have counted on, meet."""

    def write(code: Code, context: Any, thread: Any, threads: Any) -> None:
        barrier = code.b.inttoptr(code.load(code.at(context, I64(1), I64), I64), POINTER)
        mine, wrong = slot(code, context, thread, SLOT), slot(code, context, thread, SLOT * 5)
        with code.loop(I64(0), load(code, context)):
            increment(code, mine)
            if with_barrier:
                emit_barrier(code, barrier, threads)
            now = load(code, mine)
            with code.loop(I64(0), threads) as other:
                same = code.b.icmp_signed("==", load(code, slot(code, context, other, SLOT)), now)
                with code.b.if_then(code.b.not_(same)):
                    increment(code, wrong)
            if with_barrier:
                emit_barrier(code, barrier, threads)

    return write


MEET = native("meet", meet(True))
PASS = native("pass", meet(False))


def note(code: Code, context: Any, thread: Any, threads: Any) -> None:
    """Write: leave the number of threads at one's place."""
    code.store(threads, code.at(context, thread, I64))


NOTE = native("note", note)


def spin(code: Code, context: Any, thread: Any, threads: Any) -> None:
    """Write: count to context[0] in one's place, slowly (5 ns a step), then mark it."""
    place = code.at(context, code.b.add(thread, I64(1)), I64)
    with code.loop(I64(0), load(code, context)) as i:
        code.b.atomic_rmw("xchg", place, i, "monotonic")
    code.store(I64(-1), place)


SPIN = native("spin", spin)


@contextmanager
def a_team(threads: int) -> Iterator[Team]:
    team = Team(threads)
    yield team
    team.close()


# Running --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_every_thread_has_its_number(threads: int) -> None:
    with a_team(threads) as team:
        for _ in range(100):
            out = np.zeros(5, np.int64)
            assert team.run(NOTE, out.ctypes.data) == threads == team.threads
            assert out.tolist() == [threads] * threads + [0] * (5 - threads)


@pytest.mark.parametrize(("threads", "rounds"), [(1, 50_000), (2, 50_000), (4, 5_000)])
def test_many_barriers(threads: int, rounds: int) -> None:
    """Two barriers a round. More threads than cores take 10 us and more a barrier."""
    meeting = Meeting(rounds)
    with a_team(threads) as team:
        team.run(MEET, meeting.address)
    assert meeting.counts.tolist() == [rounds] * threads + [0] * (4 - threads)
    assert not meeting.errors.any()


def test_one_barrier_serves_many_runs_and_numbers_of_threads() -> None:
    meeting = Meeting(3)
    with a_team(2) as two, a_team(3) as three:
        for _ in range(100):
            meeting.counts[:] = 0
            for team in (two, three):
                meeting.counts[:] = 0
                team.run(MEET, meeting.address)
                assert meeting.counts.tolist() == [3] * team.threads + [0] * (4 - team.threads)
    assert not meeting.errors.any()


def test_the_meeting_notices_a_barrier_that_is_missing() -> None:
    meeting = Meeting(50_000)
    with a_team(2) as team:
        team.run(PASS, meeting.address)
    assert meeting.errors.any()


def test_a_barrier_without_a_way_to_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    assert barrier_module._yield_address() != 0
    monkeypatch.setattr(barrier_module, "_yield_address", lambda: 0)
    meeting = Meeting(50, 4)
    with a_team(2) as team:
        team.run(MEET, meeting.address)
    assert not meeting.errors.any()


def test_the_barriers_memory() -> None:
    memory = new_barrier()
    assert memory.shape == (BYTES,)
    assert memory.ctypes.data % 128 == 0


def test_the_barrier_can_be_assembled_for_arm() -> None:
    module = ir.Module()
    made, code = function(module, "meet", [POINTER, I64], named("neon"), internal=False)
    emit_barrier(code, *made.args)
    emit_barrier(code, *made.args)
    code.b.ret_void()
    assert str(module).count("define") == 2
    assert compiled(str(module), named("neon"))


# Signals --------------------------------------------------------------------------------------------------------------


class Interruption(BaseException):
    """What the signal's handler raises."""


@contextmanager
def interrupted_after(seconds: float) -> Iterator[list[bool]]:
    """Raise an Interruption after so long; yield what is no longer empty from then on, even if it was lost."""
    came: list[bool] = []

    def handler(*_: Any) -> None:
        came.append(True)
        raise Interruption

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield came
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Keep the garbage collector away: what a signal raises while it calls back, as hypothesis has it do, is lost."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@posix
@pytest.mark.usefixtures("no_collection")
def test_an_interrupted_run_ends_first() -> None:
    memory = np.zeros(3, np.int64)
    memory[0] = 30_000_000
    with a_team(2) as team:
        team.run(NOTE, np.zeros(2, np.int64).ctypes.data)
        timer = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            team.run(SPIN, memory.ctypes.data)
        assert memory[1:].tolist() == [-1, -1]
        out = np.zeros(2, np.int64)
        assert team.run(NOTE, out.ctypes.data) == 2
        assert out.tolist() == [2, 2]


def run_until(came: list[bool], team: Team, meeting: Meeting) -> None:
    while not came:
        team.run(MEET, meeting.address)


@posix
@pytest.mark.usefixtures("no_collection")
def test_interruptions_at_any_place_break_no_run() -> None:
    """Every run is done once by each thread, or not at all; the team is never left busy or waiting."""
    meeting, delays = Meeting(2), np.random.RandomState(0).uniform(0.0001, 0.002, 400)
    interruptions = 0
    with a_team(2) as team:
        team.run(MEET, meeting.address)
        for delay in delays:
            try:
                with interrupted_after(delay) as came:
                    run_until(came, team, meeting)
            except Interruption:
                interruptions += 1
            assert meeting.counts[0] == meeting.counts[1]
            assert team.run(MEET, meeting.address) == 2
    assert interruptions > 300
    assert meeting.counts[0] % 2 == 0
    assert not meeting.errors.any()


def test_a_finish_that_is_interrupted_goes_on() -> None:
    calls: list[int] = []

    def finish() -> None:
        calls.append(1)
        if len(calls) < 3:
            raise KeyboardInterrupt(len(calls))

    with pytest.raises(KeyboardInterrupt) as caught:
        team_module._whatever_happens(finish)
    assert caught.value.args == (1,)
    assert len(calls) == 3


# Processes and threads ------------------------------------------------------------------------------------------------


@posix
def test_a_forked_process_makes_threads_of_its_own() -> None:
    with a_team(2) as team, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any fork beside threads
        team.run(NOTE, np.zeros(2, np.int64).ctypes.data)
        team._busy.acquire()  # as if another thread were in the middle of a run
        child = os.fork()
        if child == 0:
            out = np.zeros(2, np.int64)
            ran = team.run(NOTE, out.ctypes.data) == 2 and out.tolist() == [2, 2]
            os._exit(0 if ran and team.run(NOTE, out.ctypes.data) == 2 else 1)
        team._busy.release()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert team.run(NOTE, np.zeros(2, np.int64).ctypes.data) == 2


def test_callers_at_once() -> None:
    """Whoever finds the team busy works alone; every run is whole."""
    seen: list[tuple[int, list[int]]] = []

    def call() -> None:
        for _ in range(300):
            out = np.zeros(3, np.int64)
            seen.append((team.run(NOTE, out.ctypes.data), out.tolist()))

    with a_team(3) as team:
        callers = [threading.Thread(target=call) for _ in range(4)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(60)
    assert len(seen) == 1200
    assert {(1, (1, 0, 0)), (3, (3, 3, 3))} >= {(threads, tuple(out)) for threads, out in seen}


def test_a_run_inside_a_run_has_one_thread() -> None:
    inner: list[int] = []

    @team_module.TASK
    def outer(context: int, thread: int, threads: int) -> None:
        inner.append(team.run(NOTE, context))

    out = np.zeros(2, np.int64)
    with a_team(2) as team:
        assert team.run(outer, out.ctypes.data) == 2
        assert inner == [1, 1]


def test_a_system_that_gives_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def two_only(thread: threading.Thread) -> None:
        if thread.name == "fanin-3":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", two_only)
    out = np.zeros(5, np.int64)
    with a_team(5) as team:
        assert team.run(NOTE, out.ctypes.data) == team.threads == 3
        assert out.tolist() == [3, 3, 3, 0, 0]


def test_a_forgotten_teams_threads_end() -> None:
    before = set(threading.enumerate())
    team = Team(3)
    assert set(threading.enumerate()) <= before
    team.run(NOTE, np.zeros(3, np.int64).ctypes.data)
    started = set(threading.enumerate()) - before
    assert {thread.name for thread in started} == {"fanin-1", "fanin-2"}
    del team
    gc.collect()
    for thread in started:
        thread.join(10)
        assert not thread.is_alive()


PROGRAM = """
import threading
import numpy as np
from tests.compiler.test_team import NOTE, SPIN, Team
team = Team(3)
out = np.zeros(4, np.int64)
team.run(NOTE, out.ctypes.data)
"""
IN_THE_MIDDLE = """
out[0] = 2**62
threading.Thread(target=team.run, args=(SPIN, out.ctypes.data), daemon=True).start()
while not out[1:].all():
    pass
"""
AT_EXIT = """
import atexit
atexit.register(lambda: print(Team(2).run(NOTE, out.ctypes.data) in (1, 2)))
"""


@pytest.mark.parametrize("rest", [IN_THE_MIDDLE, AT_EXIT], ids=["in the middle", "at exit"])
def test_a_program_ends_without_waiting(rest: str) -> None:
    paths = os.pathsep.join(path for path in sys.path if path)
    ended = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", PROGRAM + rest],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": paths}, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == ("True\n" if rest == AT_EXIT else "")
