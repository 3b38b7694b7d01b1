"""Time of a training step, batching included: fanin's native engine beside PyTorch, JAX and scikit-learn at their best.

    python benchmarks/training.py                          # all cases, some minutes
    python benchmarks/training.py --case small --rounds 3  # one of them
    python benchmarks/training.py --smoke                  # does it run at all

See benchmarks/README.md for who takes part, how fairness is kept, and how to read the tables.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from peers.cases import CASES, Case
from peers.machine import busy_seconds, header, table
from peers.workers import LeftOut, Seat, Worker

# A contender: the module under peers/, the library it needs, what the tables call it, how many of its ways are timed.
CONTENDERS = {
    "fanin": ("fanin_native", "fanin", "fanin", 2),
    "torch": ("torch_eager", "torch", "PyTorch at best", 3),
    "compiled": ("torch_compiled", "torch", "torch.compile", 1),
    "jax": ("jax_scan", "jax", "JAX", 2),
    "sklearn": ("sklearn_mlp", "sklearn", "scikit-learn", 1),
    "peak": ("fma_peak", "llvmlite", "FMA peak", 1),
}
TUTORIAL = "loader, default"
SMOKE = ("linear-100", "small", "one-row")
Summary = Callable[[list[float]], float]
GAP = 0.003  # seconds between measurements, in which threads that wait in a loop give up


@dataclass(frozen=True)
class Way:
    """How a contender does a case: which process, which variant."""

    contender: str
    seat: Seat
    variant: str

    def __str__(self) -> str:
        spins = ", spinning" if self.seat.spins else ""
        return f"{self.variant}; {self.seat.threads} thread{'s' * (self.seat.threads > 1)}{spins}"


@dataclass
class Results:
    """What was measured: seconds a step by case and way, losses to compare, and what disturbed."""

    samples: dict[str, dict[Way, list[float]]] = field(default_factory=dict)
    tried: dict[str, dict[Way, float]] = field(default_factory=dict)
    losses: dict[str, dict[str, float]] = field(default_factory=dict)
    engines: dict[str, str] = field(default_factory=dict)  # of fanin, by case
    peak: dict[int, list[float]] = field(default_factory=dict)  # operations a second, by threads
    idle: list[float] = field(default_factory=list)  # cores used by the waiting processes
    foreign: list[float] = field(default_factory=list)  # cores used by the rest of the machine
    left_out: list[str] = field(default_factory=list)

    def best(self, case: str, contender: str, variant: str | None = None) -> tuple[Way, list[float]] | None:
        """Return the way of a contender with the smallest median, and its times."""
        ways = self.samples.get(case, {}).items()
        found = [
            pair for pair in ways if pair[0].contender == contender and (variant is None or pair[0].variant == variant)
        ]
        return min(found, key=lambda pair: median(pair[1])) if found else None


# Measuring ------------------------------------------------------------------------------------------------------------


def seats(contenders: Iterable[str], threads: tuple[int, ...]) -> list[tuple[str, Seat]]:
    """Return every process to start; in one more, PyTorch's threads wait in a loop, which may be quicker."""
    found = [(name, Seat(CONTENDERS[name][0], count)) for name in contenders for count in threads]
    if "torch" in contenders and max(threads) > 1:
        found.append(("torch", Seat(CONTENDERS["torch"][0], max(threads), spins=True)))
    return found


class Contest:
    """All processes, one of which works at a time."""

    def __init__(self, wanted: list[tuple[str, Seat]]) -> None:
        self.results = Results()
        self.workers: dict[Seat, Worker] = {}
        self.contender = {seat: name for name, seat in wanted}
        for name, seat in wanted:
            library = CONTENDERS[name][1]
            if library != "fanin" and importlib.util.find_spec(library) is None:
                self.leave_out(f"{CONTENDERS[name][2]}: {library} is not installed")
                continue
            try:
                self.workers[seat] = Worker(seat)
            except LeftOut as reason:
                self.leave_out(str(reason))

    def leave_out(self, reason: str) -> None:
        if reason not in self.results.left_out:
            self.results.left_out.append(reason)

    def versions(self) -> dict[str, str]:
        return {CONTENDERS[self.contender[seat]][1]: worker.version for seat, worker in self.workers.items()}

    def time(self, way: Way, case: str, seconds: float) -> float:
        """Return the seconds of a step, and note what the other processes and the rest of the machine did meanwhile."""
        time.sleep(GAP)
        before, start = self._used(), time.perf_counter()
        result: float = self.workers[way.seat].ask("time", case, way.variant, seconds)
        elapsed, after = time.perf_counter() - start, self._used()
        used = {seat: after[1][seat] - before[1][seat] for seat in self.workers}
        if elapsed > 0.1:  # the system counts in hundredths of a second
            self.results.idle.append(sum(v for seat, v in used.items() if seat != way.seat) / elapsed)
            self.results.foreign.append(max(0.0, (after[0] - before[0] - sum(used.values())) / elapsed))
        return result

    def _used(self) -> tuple[float, dict[Seat, float]]:
        return busy_seconds(), {seat: worker.processor_time() for seat, worker in self.workers.items()}

    def calibrate(self, case: Case) -> list[Way]:
        """Try every way of every contender shortly, and return those to be timed."""
        tried = self.results.tried.setdefault(case.name, {})
        for seat, worker in self.workers.items():
            if self.contender[seat] == "peak":
                continue
            try:
                for variant in worker.ask("variants", case.name):
                    way = Way(self.contender[seat], seat, variant)
                    tried[way] = min(self.time(way, case.name, 0.05) for _ in range(2))
            except LeftOut as reason:
                self.leave_out(str(reason))
        chosen: list[Way] = []
        for name, (_, _, _, count) in CONTENDERS.items():
            ranked = sorted((way for way in tried if way.contender == name), key=tried.__getitem__)
            tutorial = [way for way in ranked if way.variant == TUTORIAL][:1]
            chosen += dict.fromkeys(ranked[:count] + tutorial)
        self.compare_losses(case, chosen)
        for way in chosen[:1]:
            self.results.engines[case.name] = self.workers[way.seat].ask("engine", case.name, way.variant) or ""
        return chosen

    def compare_losses(self, case: Case, ways: list[Way]) -> None:
        """Note the loss that each contender reaches in an epoch from the same weights: all do the same work."""
        losses = self.results.losses.setdefault(case.name, {})
        for way in ways:
            if way.contender in losses:
                continue
            try:
                loss = self.workers[way.seat].ask("check", case.name, way.variant)
            except LeftOut as reason:
                self.leave_out(str(reason))
                continue
            if loss is not None:
                losses[way.contender] = loss

    def measure_peak(self) -> None:
        for seat in self.workers:
            if self.contender[seat] == "peak":
                seconds = self.time(Way("peak", seat, "chains"), "linear-1", 0.1)
                self.results.peak.setdefault(seat.threads, []).append(1 / seconds)

    def measure(self, cases: list[Case], rounds: int, seconds: float) -> None:
        """Go round: in every round each case, in every case each way that was chosen for it."""
        ways = {}
        for case in cases:
            note(f"trying all ways of {case.name}")
            ways[case.name] = self.calibrate(case)
        for number in range(rounds):
            note(f"round {number + 1} of {rounds}")
            self.measure_peak()
            for name, chosen in ways.items():
                for way in chosen:
                    taken = self.time(way, name, seconds)
                    self.results.samples.setdefault(name, {}).setdefault(way, []).append(taken)

    def stop(self) -> None:
        for worker in self.workers.values():
            worker.stop()


def note(text: str) -> None:
    """Say on a terminal how far it is; each text takes the place of the one before."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


# Reporting ------------------------------------------------------------------------------------------------------------


def microseconds(seconds: float) -> str:
    value = seconds * 1e6
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def shown(found: tuple[Way, list[float]] | None) -> str:
    if found is None:
        return "-"
    times = found[1]
    return f"{microseconds(median(times))} ({microseconds(min(times))}..{microseconds(max(times))})"


def rows_of_times(results: Results, cases: list[Case]) -> list[list[str]]:
    names = [name for name in CONTENDERS if name != "peak"]
    rows = [["case", *(CONTENDERS[name][2] for name in names), "PyTorch as in tutorials"]]
    for case in cases:
        found = [results.best(case.name, name) for name in names]
        rows.append([case.title, *map(shown, found), shown(results.best(case.name, "torch", TUTORIAL))])
    return rows


def rows_of_ratios(results: Results, cases: list[Case]) -> list[list[str]]:
    """Return a row for each thing wanted: by which factor fanin is faster, which part of the peak it reaches.

    The minima tell more than the medians where the machine was busy with something else.
    """
    rows = [["case", "against", "wanted", "reached", "of the minima", "met"]]
    for case in cases:
        for against, wanted in case.wanted.items():
            unit = {"peak": "{:.0%}", "us": "{:.3g} us"}.get(against, "{:.3g}x")
            reached, of_minima = (reached_of(results, case, against, of) for of in (median, min))
            met = reached is not None and (reached <= wanted if against == "us" else reached >= wanted)
            cells = ["-" if value is None else unit.format(value) for value in (wanted, reached, of_minima)]
            rows.append([case.title, titles()[against], *cells, "-" if reached is None else "yes" if met else "no"])
    return rows


def titles() -> dict[str, str]:
    ours = {"tutorial": "PyTorch as in tutorials", "peak": "FMA peak of the threads used", "us": "time of a call"}
    return {name: contender[2] for name, contender in CONTENDERS.items()} | ours


def reached_of(results: Results, case: Case, against: str, of: Summary) -> float | None:
    ours = results.best(case.name, "fanin")
    if ours is None:
        return None
    if against == "us":
        return of(ours[1]) * 1e6
    if against == "peak":
        return part_of_peak(results, case, ours, of)
    theirs = results.best(case.name, "torch", TUTORIAL) if against == "tutorial" else results.best(case.name, against)
    return of(theirs[1]) / of(ours[1]) if theirs else None


def part_of_peak(
    results: Results, case: Case, found: tuple[Way, list[float]] | None, of: Summary = median
) -> float | None:
    if found is None or found[0].seat.threads not in results.peak:
        return None
    return case.flops / of(found[1]) / max(results.peak[found[0].seat.threads])


def rows_of_peak(results: Results, cases: list[Case]) -> list[list[str]]:
    names = [name for name in CONTENDERS if name != "peak"]
    rows = [["case", "Mflop a step", *(CONTENDERS[name][2] for name in names)]]
    for case in cases:
        parts = [part_of_peak(results, case, results.best(case.name, name)) for name in names]
        rows.append([case.title, f"{case.flops / 1e6:.3g}", *("-" if p is None else f"{p:.0%}" for p in parts)])
    return rows


def rows_of_ways(results: Results, cases: list[Case]) -> list[list[str]]:
    rows = [["case", "contender", "its fastest way", "us", "loss then"]]
    for case in cases:
        for name in CONTENDERS:
            found = results.best(case.name, name)
            loss = results.losses.get(case.name, {}).get(name)
            if found is not None:
                engine = results.engines.get(case.name) if name == "fanin" else ""
                way = f"{found[0]}; engine {engine}" if engine else str(found[0])
                cells = [microseconds(median(found[1])), "-" if loss is None else f"{loss:.4g}"]
                rows.append([case.title, CONTENDERS[name][2], way, *cells])
    return rows


def disturbance(results: Results) -> str:
    if not results.idle:
        return "What else ran meanwhile could not be measured."
    return (
        f"While one process worked, the waiting ones used {median(results.idle):.2f} cores (at most "
        f"{max(results.idle):.2f}), the rest of the machine {median(results.foreign):.2f} (at most "
        f"{max(results.foreign):.2f})."
    )


def report(results: Results, cases: list[Case], head: str, rounds: int, *, markdown: bool) -> str:
    peaks = [
        f"{max(values) / 1e9:.0f} GFLOP/s on {threads} (median {median(values) / 1e9:.0f})"
        for threads, values in sorted(results.peak.items())
    ]
    parts = [head, f"{rounds} rounds. FMA peak: {', '.join(peaks) or 'not measured'}.", disturbance(results)]
    parts += [f"Left out: {reason}" for reason in results.left_out]
    sections = {
        "Microseconds a step, batching included: median (smallest..largest), each in its fastest way": rows_of_times,
        "Wanted and reached": rows_of_ratios,
        "Part of the FMA peak of the threads used": rows_of_peak,
        "The fastest ways, and the loss after an epoch (or 50 of one step) from the same weights": rows_of_ways,
    }
    for title, rows in sections.items():
        parts += ["", f"**{title}**" if markdown else title, "", table(rows(results, cases), markdown=markdown)]
    return "\n".join(parts)


def as_json(results: Results, head: str) -> dict[str, Any]:
    def by_way(ways: dict[Way, Any]) -> dict[str, Any]:
        return {f"{way.contender}: {way}": value for way, value in ways.items()}

    return {
        "header": head,
        "seconds a step": {case: by_way(ways) for case, ways in results.samples.items()},
        "tried": {case: by_way(ways) for case, ways in results.tried.items()},
        "losses": results.losses,
        "peak": results.peak,
        "left out": results.left_out,
        "idle cores": results.idle,
        "foreign cores": results.foreign,
    }


def arguments_of() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="time a training step of fanin beside PyTorch, JAX and scikit-learn")
    parser.add_argument("--smoke", action="store_true", help="few cases, one short round, one thread: does it run")
    parser.add_argument("--case", action="append", choices=list(CASES), help="one case; may be given again")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="how long one measurement takes, about")
    parser.add_argument(
        "--peers", default=",".join(CONTENDERS), help=f"of {', '.join(CONTENDERS)}; separated by commas"
    )
    parser.add_argument("--markdown", action="store_true", help="print the tables for a README")
    parser.add_argument("--json", type=Path, help="write every sample to a file")
    arguments = parser.parse_args()
    unknown = set(arguments.peers.split(",")) - set(CONTENDERS)
    if unknown:
        parser.error(f"--peers knows {', '.join(CONTENDERS)}, not {', '.join(sorted(unknown))}")
    return arguments


def main() -> None:
    arguments = arguments_of()
    peers = arguments.peers.split(",")
    rounds, seconds, threads = arguments.rounds, arguments.seconds, (1, 2) if (os.cpu_count() or 1) > 1 else (1,)
    names = arguments.case or list(CASES)
    if arguments.smoke:
        rounds, seconds, threads, names = 1, 0.01, (1,), arguments.case or list(SMOKE)
    wanted = [pair for pair in seats(peers, threads) if not (arguments.smoke and pair[0] == "compiled")]
    cases = [CASES[name] for name in names]
    contest = Contest(wanted)
    if arguments.smoke and "compiled" in peers:
        contest.leave_out("torch.compile: takes a minute to compile")
    head = header("training.py", contest.versions())
    try:
        contest.measure(cases, rounds, seconds)
    except KeyboardInterrupt:
        contest.leave_out("what was to come when Ctrl-C was pressed")
    finally:
        contest.stop()
    results = contest.results
    note("")
    print(report(results, cases, head, rounds, markdown=arguments.markdown))
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(results, head), indent=1))


if __name__ == "__main__":
    main()
