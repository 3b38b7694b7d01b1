"""Time of one training step: fanin beside PyTorch, in the loops that people write.

    python benchmarks/eager.py            # a table for the record
    python benchmarks/eager.py --smoke    # does it run at all

The same source runs under both. Each library at each number of threads has a process of its own; they take turns in
every round, so that what else the machine does meets all alike. A figure is the median over the rounds, with the
smallest and the largest. Both are taken at their better number of threads. Without PyTorch only fanin is timed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
THREADS = (1, 2)


@dataclass(frozen=True)
class Loop:
    """A training loop: data, network, loss, rule, and how much faster than PyTorch it is to be."""

    title: str
    rows: int
    widths: tuple[int, ...]
    batch: int
    rule: str
    target: float
    classes: bool = False


LOOPS = {
    "linear-1": Loop("10-1, SGD, batch 1", 1000, (10, 1), 1, "SGD", 6),
    "linear-100": Loop("10-1, SGD, batch 100", 1000, (10, 1), 100, "SGD", 10),
    "linear-1000": Loop("10-1, SGD, batch 1000", 1000, (10, 1), 1000, "SGD", 10),
    "small": Loop("10-64-64-1, Adam, batch 32", 1000, (10, 64, 64, 1), 32, "Adam", 5),
    "digits": Loop("784-256-128-10, Adam, batch 64", 3200, (784, 256, 128, 10), 64, "Adam", 1, classes=True),
}
# How the batches come: from a DataLoader, or cut from the tensors by hand; "fused" also asks for the fused optimiser.
VARIANTS = ("loader", "hand", "fused")


# The loops, as they would be written for either library ---------------------------------------------------------------


def network(torch: Any, widths: tuple[int, ...]) -> Any:
    layers: list[Any] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]) if len(layers) > 2 else layers[0]


def by_hand(torch: Any, x: Any, y: Any, batch: int) -> Iterator[tuple[Any, Any]]:
    order = torch.randperm(len(x))
    for start in range(0, len(x), batch):
        rows = order[start : start + batch]
        yield x[rows], y[rows]


def epoch_of(torch: Any, loop: Loop, variant: str) -> Callable[[], int]:
    """Return a function that trains for one epoch and returns the number of steps."""
    torch.manual_seed(0)
    x = torch.randn(loop.rows, loop.widths[0])
    y = torch.randint(0, loop.widths[-1], (loop.rows,)) if loop.classes else torch.randn(loop.rows, loop.widths[-1])
    dataset = torch.utils.data.TensorDataset(x, y)
    loader = torch.utils.data.DataLoader(dataset, batch_size=loop.batch, shuffle=True)
    model = network(torch, loop.widths)
    criterion = torch.nn.CrossEntropyLoss() if loop.classes else torch.nn.MSELoss()
    options = {"fused": True} if variant == "fused" else {}
    optimizer = getattr(torch.optim, loop.rule)(model.parameters(), lr=0.001, **options)

    def epoch() -> int:
        steps = 0
        for inputs, targets in loader if variant == "loader" else by_hand(torch, x, y, loop.batch):
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimizer.step()
            steps += 1
        return steps

    return epoch


# A process that trains when it is told to -----------------------------------------------------------------------------


def work(library: str, threads: int) -> None:
    """Answer requests, one line each: train a loop for a while, say how long a step took in microseconds."""
    torch = importlib.import_module(library)
    importlib.import_module(f"{library}.utils.data")
    torch.set_num_threads(threads)
    epochs: dict[tuple[str, str], Callable[[], int]] = {}
    print(json.dumps(torch.__version__), flush=True)
    for line in sys.stdin:
        name, variant, seconds = json.loads(line)
        if (name, variant) not in epochs:
            epochs[name, variant] = epoch_of(torch, LOOPS[name], variant)
            epochs[name, variant]()
        print(json.dumps(time_of_step(epochs[name, variant], seconds)), flush=True)


def time_of_step(epoch: Callable[[], int], seconds: float) -> float:
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds or not steps:
        steps += epoch()
    return (time.perf_counter() - start) / steps * 1e6


class Worker:
    """The process of one library at one number of threads, seen from outside."""

    def __init__(self, library: str, threads: int) -> None:
        self.library, self.threads = library, threads
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}  # or PyTorch's waiting threads hold up the others
        paths = [str(ROOT / "src"), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)
        command = [sys.executable, __file__, "--worker", library, "--threads", str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.version = self._answer()

    def _answer(self) -> Any:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise SystemExit(f"the process of {self.library} ended with status {self.process.wait()}")
        return json.loads(line)

    def time(self, loop: str, variant: str, seconds: float) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([loop, variant, seconds]) + "\n")
        self.process.stdin.flush()
        result: float = self._answer()
        return result

    def stop(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()


# Measuring and reporting ----------------------------------------------------------------------------------------------

Times = dict[tuple[str, str, str, int], list[float]]  # by loop, variant, library, threads


def measure(workers: list[Worker], rounds: int, seconds: float) -> Times:
    times: Times = {}
    for _ in range(rounds):
        for loop in LOOPS:
            for variant in VARIANTS:
                for worker in workers:
                    if worker.library == "torch" or variant != "fused":
                        key = (loop, variant, worker.library, worker.threads)
                        times.setdefault(key, []).append(worker.time(loop, variant, seconds))
    return times


def best(times: Times, loop: str, variant: str, library: str) -> tuple[list[float], int] | None:
    """Return the times at the number of threads whose median is smallest, and that number."""
    found = [(values, key[3]) for key, values in times.items() if key[:3] == (loop, variant, library)]
    return min(found, key=lambda pair: median(pair[0])) if found else None


def shown(found: tuple[list[float], int] | None) -> str:
    if found is None:
        return "-"
    values, threads = found
    return f"{median(values):.0f} ({min(values):.0f}..{max(values):.0f}) on {threads}"


def report(times: Times, workers: list[Worker], rounds: int, machine: str) -> str:
    versions = ", ".join(f"{library} {version}" for library, version in {w.library: w.version for w in workers}.items())
    numpy = importlib.import_module("numpy").__version__
    command = " ".join(["python", "benchmarks/eager.py", *sys.argv[1:]])
    lines = [
        f"{machine}; Python {platform.python_version()}, NumPy {numpy}, {versions}",
        f"{date.today()}; {rounds} rounds; `{command}`",
        "",
        "Microseconds a step: median (smallest..largest) on the better number of threads. A shuffling DataLoader.",
        "",
        "| loop | fanin | PyTorch | ratio | wanted |",
        "|---|---|---|---|---|",
    ]
    for name, loop in LOOPS.items():
        ours, theirs = (best(times, name, "loader", library) for library in ("fanin", "torch"))
        lines.append(f"| {loop.title} | {shown(ours)} | {shown(theirs)} | {ratio(ours, theirs)} | {loop.target} |")
    lines += ["", "For information: batches cut by hand, and PyTorch's fused optimiser.", ""]
    lines += ["| loop | fanin by hand | PyTorch by hand | PyTorch by hand, fused |", "|---|---|---|---|"]
    for name, loop in LOOPS.items():
        cells = [shown(best(times, name, "hand", "fanin"))]
        cells += [shown(best(times, name, variant, "torch")) for variant in ("hand", "fused")]
        lines.append(f"| {loop.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def ratio(ours: tuple[list[float], int] | None, theirs: tuple[list[float], int] | None) -> str:
    return "-" if ours is None or theirs is None else f"{median(theirs[0]) / median(ours[0]):.1f}"


def machine() -> str:
    load = f", load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    return f"{processor()}, {os.cpu_count()} cores{load}"


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    names = (
        [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")] if cpuinfo.exists() else []
    )
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description="time a training step of fanin beside PyTorch")
    parser.add_argument("--smoke", action="store_true", help="one short round, to see that it runs")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.worker, arguments.threads)
        return
    rounds, seconds = (1, 0.0) if arguments.smoke else (arguments.rounds, 0.25)
    libraries = ["fanin", "torch"] if importlib.util.find_spec("torch") is not None else ["fanin"]
    workers = [Worker(library, threads) for threads in THREADS for library in libraries]
    try:
        busy = machine()
        print(report(measure(workers, rounds, seconds), workers, rounds, busy))
    finally:
        for worker in workers:
            worker.stop()


if __name__ == "__main__":
    main()
