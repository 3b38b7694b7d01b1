"""How long the first step of a compiled training takes in a fresh process, with an empty and with a full disk cache.

    python benchmarks/compile_time.py
    python benchmarks/compile_time.py --smoke

The time is from having the model and the data to the end of the first step, on all cores, which compile side by side
where a library can; the processor's time is told beside. Importing the library is told apart, and so is the second
step. A cache is empty in the first process of a round and full in the second. torch.compile has one
round, as each costs half a minute.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

from peers.cases import CASES, Case, data_of
from peers.machine import header, table
from peers.workers import Seat, first_line

WANTED = {"empty": 0.6, "full": 0.2}  # of fanin, in seconds
NAMES = ("small", "digits")


@dataclass(frozen=True)
class Contender:
    """What compiles: module, variant, the library it needs, how its cache's folder is named, rounds at most."""

    title: str
    module: str
    variant: str
    library: str
    settings: dict[str, str]
    rounds: int = 99

    def environment(self, folder: str) -> dict[str, str]:
        settings = {name: value.format(folder=folder) for name, value in self.settings.items()}
        return {**Seat(self.module, os.cpu_count() or 1).environment(), **settings}


JAX = {
    "JAX_COMPILATION_CACHE_DIR": "{folder}",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
CONTENDERS = [
    Contender("fanin", "fanin_native", "fit", "fanin", {"FANIN_CACHE_DIR": "{folder}"}),
    Contender("JAX", "jax_scan", "scan", "jax", JAX),
    Contender("torch.compile", "torch_compiled", "loss", "torch", {"TORCHINDUCTOR_CACHE_DIR": "{folder}"}, 1),
]


def one_step(case: Case) -> Case:
    return replace(case, rows=case.batch)


def first_steps(module: str, variant: str, name: str) -> dict[str, float | str]:
    """Return the seconds of import, of making model and data, and of the first two steps, in this process."""
    start = time.perf_counter()
    contender = importlib.import_module(f"peers.{module}")
    contender.start(1)
    imported = time.perf_counter()
    case = one_step(CASES[name])
    job = contender.prepare(case, data_of(case), variant, 1)
    step = job.epochs or job.run
    times = [imported - start, time.perf_counter() - imported]
    spent = time.process_time()
    for _ in range(2):
        start = time.perf_counter()
        step(1)
        times.append(time.perf_counter() - start)
        spent = time.process_time() - spent if len(times) == 3 else spent
    found: dict[str, float | str] = dict(zip(("import", "model", "first", "second"), times, strict=True))
    found["processor"] = spent
    return found | {"version": contender.VERSION, "engine": job.engine() if job.engine else ""}


def fresh(contender: Contender, name: str, folder: str) -> dict[str, float | str]:
    """Return first_steps of a fresh process, or the reason why there is none under "error"."""
    command = [sys.executable, __file__, "--worker", contender.module, contender.variant, name]
    done = subprocess.run(command, env=contender.environment(folder), capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines() or [json.dumps({"error": f"ended with status {done.returncode}"})]
    answer: dict[str, float | str] = json.loads(lines[-1])
    return answer


Samples = dict[tuple[str, str, str], list[dict[str, float | str]]]  # by contender's title, case, cache


def measure(contenders: list[Contender], rounds: int) -> Samples:
    samples: Samples = {}
    for number in range(rounds):
        for name in NAMES:
            for contender in contenders:
                if number >= contender.rounds:
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    for cache in WANTED:
                        samples.setdefault((contender.title, name, cache), []).append(fresh(contender, name, folder))
    return samples


def rows_of(samples: Samples) -> Iterator[list[str]]:
    yield ["case", "cache", "library", "first step, s", "wanted", "processor, s", "import, s", "second step, s", ""]
    for (title, name, cache), found in sorted(samples.items(), key=lambda item: (item[0][1], item[0][2], item[0][0])):
        case = [f"{'-'.join(map(str, CASES[name].widths))}, {CASES[name].rule}", cache, title]
        good = [answer for answer in found if "error" not in answer]
        if not good:
            yield [*case, "-", "-", "-", "-", "-", str(found[0]["error"])]
            continue
        keys = ("first", "processor", "import", "second")
        first, processor, imported, second = ([float(a[key]) for a in good] for key in keys)
        wanted = f"{WANTED[cache]:g}" if title == "fanin" else ""
        engine = f"engine {good[0]['engine']}" if good[0]["engine"] else ""
        spread = f"{median(first):.2f} ({min(first):.2f}..{max(first):.2f})"
        rest = [f"{median(processor):.2f}", f"{median(imported):.2f}", f"{median(second):.4f}"]
        yield [*case, spread, wanted, *rest, engine]


def versions_in(samples: Samples) -> dict[str, str]:
    answers = [(title, answer) for (title, _, _), found in samples.items() for answer in found if "version" in answer]
    return {title: str(answer["version"]) for title, answer in answers}


def main() -> None:
    parser = argparse.ArgumentParser(description="time the first step of a compiled training")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", action="store_true", help="print the table for a README")
    parser.add_argument("--smoke", action="store_true", help="one round of fanin: does it run")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        try:
            print(json.dumps(first_steps(*arguments.worker)))
        except Exception as error:
            print(json.dumps({"error": first_line(error)}))
        return
    there = [c for c in CONTENDERS if c.library == "fanin" or importlib.util.find_spec(c.library) is not None]
    contenders = there[:1] if arguments.smoke else there
    samples = measure(contenders, 1 if arguments.smoke else arguments.rounds)
    print(header("compile_time.py", versions_in(samples)))
    for contender in CONTENDERS:
        if contender not in contenders:
            print(
                f"Left out: {contender.title}"
                + ("" if contender in there else f": {contender.library} is not installed")
            )
    print("\n" + table(list(rows_of(samples)), markdown=arguments.markdown))


if __name__ == "__main__":
    main()
