"""Threads that run one native function together, each with its own number (SPMD).

The threads are Python's: they wait in a queue, and call the function through ctypes, which lets go of the interpreter's
lock. A run costs 13 to 40 us for two threads, so that a function should do much work: inside, threads meet at a
`barrier` for 0.1 us.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from fanin.compiler.native.placing import Apart, allowed, leave, stay

TASK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def task(address: int) -> Any:
    """Return what `Team.run` takes: the function `void f(void *context, int64 thread, int64 threads)` at an address."""
    return TASK(address)


@dataclass(eq=False, slots=True)
class _Run:
    """One call of a function by all threads.

    ended:  what the calling thread's part returned; empty until it has run.
    number: tells it from all other runs of the process.
    where:  the processors on which the calling thread might run; empty where nobody knows.
    taken:  those of the threads that have begun.
    """

    function: Any
    context: int | None
    threads: int
    ended: list[Any] = field(default_factory=list)
    number: int = field(default_factory=itertools.count(1).__next__)
    where: set[int] = field(default_factory=set)
    taken: list[int] = field(default_factory=list)


class _Worker:
    """A thread that waits for runs. It holds no reference to its team, so that a forgotten team's threads end."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls: SimpleQueue[_Run | None] = SimpleQueue()
        self.answers: SimpleQueue[None] = SimpleQueue()
        self.last = 0
        self.apart = Apart()
        # A daemon, so that a program does not wait for it at its end.
        threading.Thread(target=self._work, name=f"fanin-{number}", daemon=True).start()

    def _work(self) -> None:
        while self._serve():
            pass

    def _serve(self) -> bool:
        """Wait for a run and do it; return False when there are no more. Between runs, nothing is held on to."""
        run = self.calls.get()
        if run is not None and run.number != self.last:  # else the caller, interrupted, asked twice
            self.apart.take(run.taken, run.where)
            run.function(run.context, self.number, run.threads)
            self.last = run.number
        self.answers.put(None)
        return run is not None

    def wait(self, run: _Run) -> None:
        """Return when the run has ended here. An answer too many, of a run that was asked for twice, does no harm."""
        while self.last != run.number:
            self.answers.get()


class Team:
    """Threads that wait for native functions to run.

    Args:
        threads: how many threads, the calling one included.

    A team serves one caller at a time: while it is busy, another Python thread's run has that thread only. In a process
    made by `fork`, where no other thread survives, it makes its threads anew. They start with the first run.
    """

    def __init__(self, threads: int) -> None:
        self._wanted = max(1, threads)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._process = os.getpid()
        self._busy = threading.Lock()
        self._workers: list[_Worker] | None = None

    @property
    def threads(self) -> int:
        """How many threads a run has; fewer than were asked for where the system does not give more."""
        return self._wanted if self._workers is None else len(self._workers) + 1

    def run(self, function: Any, context: int | None = None) -> int:
        """Call function(context, thread, threads) in all threads; return how many there were when all have ended.

        Args:
            function: made by `task`. It must be content with any number of threads from 1 on.
            context: an address that the function knows what to do with.

        The calling thread is thread 0. An exception that a signal raises in it meanwhile (KeyboardInterrupt) is raised
        after all threads have ended.
        """
        if self._process != os.getpid():
            self._begin_anew()
        if self._wanted == 1:
            function(context, 0, 1)
            return 1
        claim: list[bool] = []
        where = allowed()
        try:
            _exactly_once(claim, self._busy.acquire, False)
            run = _Run(function, context, len(self._started()) + 1 if claim[0] else 1)
            if run.threads > 1:
                run.where, run.taken = where, [stay(where)]
            _whatever_happens(lambda: self._finish(run))
        finally:
            try:
                _whatever_happens(lambda: leave(where))
            finally:
                if claim == [True]:
                    self._busy.release()
        return run.threads

    def _started(self) -> list[_Worker]:
        if self._workers is None:
            workers: list[_Worker] = []
            for number in range(1, self._wanted):
                try:
                    workers.append(_Worker(number))
                except RuntimeError:  # the system, or an interpreter about to end, gives no more threads
                    break
            self._workers = workers
        return self._workers

    def _finish(self, run: _Run) -> None:
        """Do what is left to do of a run; may be called again after it was interrupted anywhere."""
        workers = self._started()[: run.threads - 1]
        if not run.ended:
            for worker in workers:
                worker.calls.put(run)
            _exactly_once(run.ended, run.function, run.context, 0, run.threads)
        for worker in workers:
            worker.wait(run)

    def close(self) -> None:
        """End the threads; a later run starts new ones."""
        workers, self._workers = self._workers or [], None
        for worker in workers:
            worker.calls.put(None)

    def __del__(self) -> None:
        if getattr(self, "_process", None) == os.getpid():
            self.close()


def _exactly_once(results: list[Any], function: Callable[..., Any], *arguments: Any) -> None:
    """Append function(*arguments): the function, one of C's, has been called if and only if its result is there.

    Signals are handled between two instructions of Python's. This is one, which calls and appends.
    """
    results.extend(map(function, *((argument,) for argument in arguments)))


def _whatever_happens(finish: Callable[[], None]) -> None:
    """Call finish until it is through, and then raise the first exception that came in between.

    Threads that wait for each other at a barrier must all be there, and the memory they write to must not go: a run
    that has begun has to end.
    """
    first: BaseException | None = None
    while True:
        try:
            finish()
            break
        except BaseException as error:
            first = first or error
    if first is not None:
        raise first
