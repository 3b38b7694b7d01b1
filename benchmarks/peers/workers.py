"""Processes that work when they are told to: one for each library and number of threads, over pipes.

    python -m peers.workers torch_eager 2      # reads requests and writes answers, one JSON line each

Only one works at a time, so that no library's threads disturb another's; the processor time that the idle ones use
meanwhile is added up and can be looked at.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.cases import CASES, Case, Job, data_of

BENCHMARKS = Path(__file__).resolve().parent.parent
CHECKED_EPOCHS = {"full": 50}  # where an epoch is one step; elsewhere one epoch


@dataclass(frozen=True)
class Seat:
    """A place at the table: a module of this package, a number of threads, what the environment says of waiting."""

    module: str
    threads: int
    spins: bool = False  # PyTorch's threads wait in a loop, as they do by default

    @property
    def name(self) -> str:
        return f"{self.module} on {self.threads}" + (", spinning" if self.spins else "")

    def environment(self) -> dict[str, str]:
        count = str(self.threads)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")  # NPROC is what XLA asks
        settings = dict.fromkeys(names, count) | {"JAX_PLATFORMS": "cpu", "PYTHONWARNINGS": "ignore"}
        if not self.spins:
            settings["OMP_WAIT_POLICY"] = "PASSIVE"
        sources = [str(BENCHMARKS), str(BENCHMARKS.parent / "src"), os.environ.get("PYTHONPATH", "")]
        return {**os.environ, **settings, "PYTHONPATH": os.pathsep.join(filter(None, sources))}


class LeftOut(Exception):
    """Says why a contender does not run."""


class Worker:
    """A seat's process, seen from outside."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        command = [sys.executable, "-m", "peers.workers", seat.module, str(seat.threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=seat.environment()
        )
        self.version: str = self._answer()

    def _answer(self) -> Any:
        line = self.process.stdout.readline() if self.process.stdout else ""
        answer = json.loads(line) if line else {"error": f"ended with status {self.process.wait()}"}
        if "error" in answer:
            raise LeftOut(f"{self.seat.name}: {answer['error']}")
        return answer["result"]

    def ask(self, request: str, *arguments: Any) -> Any:
        """Send a request and return its result; LeftOut where the worker could not."""
        if self.process.stdin is None or self.process.poll() is not None:
            raise LeftOut(f"{self.seat.name}: no longer runs")
        self.process.stdin.write(json.dumps([request, *arguments]) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def processor_time(self) -> float:
        """Return the seconds that all threads of the process have used, 0 where the system does not say."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        if not stat.exists():
            return 0.0
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()


# Inside the process ---------------------------------------------------------------------------------------------------


class Bench:
    """Answers the requests by means of one contender."""

    def __init__(self, contender: Any, threads: int) -> None:
        self.contender, self.threads = contender, threads
        self.jobs: dict[tuple[str, str], Job] = {}
        self.seconds: dict[tuple[str, str], float] = {}  # of a unit, as measured last

    def variants(self, name: str) -> list[str]:
        found: list[str] = self.contender.variants(CASES[name])
        return found

    def check(self, name: str, variant: str) -> float | None:
        """Return the loss over all rows after an epoch from the weights that all start from."""
        job = self.job(name, variant, fresh=True)
        if job.loss is None:
            return None
        (job.epochs or job.run)(CHECKED_EPOCHS.get(name, 1))
        return job.loss()

    def time(self, name: str, variant: str, seconds: float) -> float:
        """Train for about so many seconds, after a sixth of that to warm the caches; return the seconds of a step.

        One epoch at least is for warming: a process that waited has lost its caches, and in a virtual machine perhaps
        its memory and its second core. Where an epoch takes a second, that hardly shows.
        """
        key, job = (name, variant), self.job(name, variant)
        if key not in self.seconds:
            job.run(1)  # compiles
            self.seconds[key] = self.timed(job, 1)
        if self.seconds[key] <= 1:
            self.seconds[key] = self.timed(job, max(1, round(seconds / 6 / self.seconds[key])))
        self.seconds[key] = self.timed(job, max(1, round(seconds / self.seconds[key])))
        return self.seconds[key] / job.steps

    def engine(self, name: str, variant: str) -> str | None:
        engine = self.job(name, variant).engine
        return engine() if engine else None

    def timed(self, job: Job, units: int) -> float:
        start = time.perf_counter()
        job.run(units)
        return (time.perf_counter() - start) / units

    def job(self, name: str, variant: str, *, fresh: bool = False) -> Job:
        case: Case = CASES[name]
        if fresh or (name, variant) not in self.jobs:
            self.jobs[name, variant] = self.contender.prepare(case, data_of(case), variant, self.threads)
        return self.jobs[name, variant]


def serve(module: str, threads: int) -> None:
    answers = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no answer

    def answer(**fields: Any) -> None:
        print(json.dumps(fields), file=answers, flush=True)

    try:
        contender = importlib.import_module(f"peers.{module}")
        contender.start(threads)
    except Exception as error:
        answer(error=first_line(error))
        return
    answer(result=contender.VERSION)
    bench = Bench(contender, threads)
    for line in sys.stdin:
        request, *arguments = json.loads(line)
        try:
            answer(result=getattr(bench, request)(*arguments))
        except BrokenPipeError:
            raise
        except Exception as error:
            answer(error=first_line(error))


def first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that drives, which reports what it has
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more
        serve(sys.argv[1], int(sys.argv[2]))
