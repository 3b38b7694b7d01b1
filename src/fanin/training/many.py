"""`fit_many`: many training runs side by side."""

from __future__ import annotations

import inspect
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

from fanin._core.errors import ArgumentError, ArgumentTypeError, JobsError
from fanin._core.threads import cores
from fanin.random.generator import default_generator
from fanin.training.data import Sources
from fanin.training.fit import fit, prepared
from fanin.training.history import History
from fanin.training.interrupt import Interrupt
from fanin.training.progress import Progress
from fanin.training.threads import product_threads
from fanin.training.turn import Turn

_COMMON = ("engine", "threads", "progress")  # what all jobs share
_DEFAULTS = {
    name: p.default
    for name, p in inspect.signature(fit).parameters.items()
    if p.default is not p.empty and name not in _COMMON
}
_SHOWN = 5  # errors in a message


@dataclass
class Job:
    """One training run: what `fit` takes, except what all runs share (engine, threads, progress).

    What is None is as in the arguments that all jobs share, or as `fit` has it.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> model, x = torch.nn.Linear(2, 1), torch.zeros(4, 2)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> job = torch.training.Job(model, (x, x[:, :1]), torch.nn.MSELoss(), optimizer, epochs=2)
    >>> [len(history) for history in torch.fit_many([job])]
    [2]
    """

    model: Any
    train: Any
    loss: Callable[[Any, Any], Any]
    optimizer: Any
    epochs: int | None = None
    batch_size: int | None = None
    shuffle: bool | None = None
    drop_last: bool | None = None
    generator: Any = None
    validation: Any = None
    metrics: Any = None
    scheduler: Any = None
    clip_grad_norm: float | None = None
    callbacks: Any = None
    patience: int | None = None
    restore_best: bool | None = None
    checkpoint: Any = None
    resume: bool | None = None

    def given(self) -> dict[str, Any]:
        """Return the fields that are not None, by name."""
        named = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: value for name, value in named.items() if value is not None}


_OF_A_JOB = frozenset(entry.name for entry in fields(Job))


def fit_many(
    jobs: Iterable[Job | Mapping[str, Any]],
    *,
    engine: str = "auto",
    threads: int | None = None,
    progress: bool = True,
    **common: Any,
) -> list[History]:
    """Train many networks side by side, one thread for each, and return their histories in the order of the jobs.

    Each job is trained as `fit` trains it alone, after `manual_seed` with a seed of its own: these seeds are drawn from
    the default generator in the order of the jobs, so that the results do not depend on the number of threads. A
    network of one shape is compiled once, however many jobs have it. Matrix products of NumPy use one thread meanwhile.

    Args:
        jobs: `Job`s, or dictionaries with the arguments of `fit`: at least model, train, loss and optimizer.
        engine: as in `fit`; eager steps need Python, and so take turns.
        threads: how many networks are trained at a time; as many as there are cores for this process, if not given.
        progress: show a bar over all jobs on the terminal, when they take more than a second.
        common: arguments of `fit` for the jobs that do not say otherwise, as epochs=20.

    A job that fails does not stop the others. Ctrl-C ends every job after its current epoch.

    Raises:
        JobsError: after all others have ended, when jobs failed; it has their errors by number, and the histories.
        TypeError, ValueError: before any training, for jobs that are no jobs, or that share a model or an optimizer.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> x = torch.randn(64, 3)
    >>> y = x.sum(dim=1, keepdim=True)
    >>> models = [torch.nn.Linear(3, 1) for _ in range(4)]
    >>> jobs = [
    ...     {"model": m, "train": (x, y), "loss": torch.nn.MSELoss(), "optimizer": torch.optim.SGD(m.parameters(), lr)}
    ...     for m, lr in zip(models, (0.01, 0.03, 0.1, 0.3))
    ... ]
    >>> histories = torch.fit_many(jobs, epochs=5, batch_size=16)
    >>> [len(history) for history in histories]
    [5, 5, 5, 5]
    """
    listed = [_complete(number, job, common) for number, job in enumerate(jobs)]
    _check_apart(listed)
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ArgumentError(f"fit_many: threads must be 1 or more, not {threads!r}")
    if not listed:
        return []
    workers = min(len(listed), threads or cores())
    seeds = [default_generator.random_int() for _ in listed]
    crowd = _Crowd(listed, seeds, engine)
    # One thread for each product: with more, its rounding depends on their number.
    with product_threads(1), crowd.interrupt:
        crowd.run(workers, progress)
    return crowd.results()


def _complete(number: int, job: Any, common: Mapping[str, Any]) -> dict[str, Any]:
    """Return all arguments of fit for one job."""
    if not isinstance(job, (Job, Mapping)):
        raise ArgumentTypeError(f"fit_many: job {number} is neither a Job nor a dictionary, but {type(job).__name__}")
    given = job.given() if isinstance(job, Job) else job
    unknown = [name for name in (*given, *common) if name not in _OF_A_JOB]
    if unknown:
        raise ArgumentTypeError(f"fit_many: job {number} has an argument that no job has: {unknown[0]!r}")
    missing = [name for name in ("model", "train", "loss", "optimizer") if name not in given and name not in common]
    if missing:
        raise ArgumentTypeError(f"fit_many: job {number} has no {', '.join(missing)}")
    return {**_DEFAULTS, **common, **given}


def _check_apart(listed: list[dict[str, Any]]) -> None:
    for name in ("model", "optimizer", "scheduler", "generator", "checkpoint"):
        seen: dict[int | str, int] = {}
        for number, job in enumerate(listed):
            if job[name] is None:
                continue
            key = os.path.realpath(job[name]) if name == "checkpoint" else id(job[name])
            if key in seen:
                raise ArgumentError(
                    f"fit_many: jobs {seen[key]} and {number} share one {name}; each needs its own",
                    remedy="Make the models in a loop, [make() for _ in range(k)]; [model] * k is one model k times.",
                )
            seen[key] = number


class _Waiting:
    """The jobs that nobody has taken: each worker has a stretch of them, and helps another one when that is done.

    Networks that were made one after the other lie side by side in memory, and two cores that write to one line of it
    wait for each other: trained at the same time, neighbours of 10-64-64-1 take 1.92 ms each, networks from two
    stretches 1.56 ms.
    """

    def __init__(self, jobs: int, workers: int) -> None:
        ends = [jobs * i // workers for i in range(workers + 1)]
        self._stretches = [deque(range(*pair)) for pair in pairwise(ends)]

    def take(self, worker: int) -> int | None:
        """Return the next job of a worker, or the last one of who has the most left; None when there is none."""
        try:
            return self._stretches[worker].popleft()
        except IndexError:
            pass
        try:
            return max(self._stretches, key=len).pop()
        except IndexError:
            return None

    def clear(self) -> None:
        """Leave no job to take."""
        for stretch in self._stretches:
            stretch.clear()


@dataclass
class _Crowd:
    """The jobs, and how far each is."""

    jobs: list[dict[str, Any]]
    seeds: list[int]
    engine: str
    interrupt: Interrupt = field(default_factory=Interrupt)
    lock: threading.Lock = field(default_factory=threading.Lock)
    histories: dict[int, History] = field(default_factory=dict)
    errors: dict[int, BaseException] = field(default_factory=dict)
    shares: dict[int, float] = field(default_factory=dict)
    sources: Sources = field(default_factory=Sources)

    def run(self, workers: int, progress: bool) -> None:
        """Run all jobs."""
        bar, waiting = Progress(progress, self._describe), _Waiting(len(self.jobs), workers)
        pool = ThreadPoolExecutor(workers, thread_name_prefix="fit_many")
        try:
            # One task for each thread, not for each job: what ends wakes this thread up, which costs 50 us. No thread
            # begins before all are there: the first one would keep Python to itself for a millisecond.
            with self.lock:
                futures = [pool.submit(self._work, waiting, worker) for worker in range(workers)]
            for future in futures:
                while not _done(future):
                    bar.update(sum(self.shares.values()), len(self.jobs))
        finally:
            self.interrupt.wanted = self.interrupt.wanted or len(self.histories) + len(self.errors) < len(self.jobs)
            waiting.clear()
            pool.shutdown(cancel_futures=True)
            bar.close()

    def _work(self, waiting: _Waiting, worker: int) -> None:
        """Run jobs while there are some that nobody has taken."""
        turn = Turn(self.lock)
        while (number := waiting.take(worker)) is not None:
            self._run_one(number, turn.next(self.seeds[number]))

    def _run_one(self, number: int, turn: Turn) -> None:
        try:
            with turn.taken():
                shared: dict[str, Any] = {"engine": self.engine, "threads": 1, "progress": False}
                run = prepared(**self.jobs[number], **shared, sources=self.sources, aside=turn.aside)
                run.interrupt = self.interrupt.shared()
                run.tell = lambda share: self.shares.__setitem__(number, share)
                self.histories[number] = run.go()
        except BaseException as error:
            self.errors[number] = error
        self.shares[number] = 1.0

    def _describe(self) -> str:
        done = len(self.histories) + len(self.errors)
        failed = f", {len(self.errors)} failed" if self.errors else ""
        return f"{done} of {len(self.jobs)} networks{failed}"

    def results(self) -> list[History]:
        """Return the histories.

        Raises JobsError when a job failed.
        """
        if self.errors:
            numbers = sorted(self.errors)
            told = [f"job {n}: {type(self.errors[n]).__name__}: {self.errors[n]}" for n in numbers[:_SHOWN]]
            more = f"\n  and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
            histories: list[object] = [self.histories.get(number) for number in range(len(self.jobs))]
            raise JobsError(
                f"fit_many: {len(numbers)} of {len(self.jobs)} jobs failed; the others are trained:\n  "
                + "\n  ".join(told)
                + more,
                errors=dict(self.errors),
                histories=histories,
            ) from self.errors[numbers[0]]
        return [self.histories[number] for number in range(len(self.jobs))]


def _done(future: Any) -> bool:
    """Wait a moment, and say whether a job has ended."""
    try:
        future.result(timeout=0.1)
    except TimeoutError:
        return False
    return True
