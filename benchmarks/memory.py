"""The most memory that training takes: fit beside PyTorch, JAX and scikit-learn, each in a fresh process.

    python benchmarks/memory.py
    python benchmarks/memory.py --smoke

What counts is the largest resident size of the process, less what it was once the libraries were imported (for fanin
with LLVM's library of 40 MB, which `import fanin` alone does not load). fanin is wanted to take at most the data, four
times the parameters (themselves, their gradients, two moments), the activations of one batch, and 60 MB. Its first run
compiles, for which LLVM takes some 35 MB of them; the others find the code on the disk.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import median

from peers.cases import CASES, Case, data_of
from peers.machine import header, table
from peers.workers import Seat, first_line

MB = 1e6
EXTRA = 60 * MB
# Module, variant, library, title; the first is fanin.
CONTENDERS = [
    ("fanin_native", "fit", "fanin", "fanin"),
    ("torch_eager", "hand, fused", "torch", "PyTorch, by hand"),
    ("torch_eager", "loader, default", "torch", "PyTorch, DataLoader"),
    ("jax_scan", "scan", "jax", "JAX"),
    ("sklearn_mlp", "partial_fit", "sklearn", "scikit-learn"),
]
TRAINED = {
    "small": CASES["small"],
    "classes": CASES["classes"],
    "digits": replace(CASES["digits"], title="784-256-128-10, Adam, batch 64, 60,000 rows", rows=60_000),
    "widest": replace(
        CASES["wide"], title="784-4096-4096-10, Adam, batch 256, 2,560 rows", widths=(784, 4096, 4096, 10)
    ),
}


def allowed(case: Case) -> float:
    """Return the bytes that fanin may take: data + 4 parameters + activations of a batch + 60 MB."""
    target = 8 if case.classes else 4 * case.widths[-1]
    data = case.rows * (4 * case.widths[0] + target)
    return data + 4 * 4 * case.parameters + 4 * case.batch * sum(case.widths) + EXTRA


def largest() -> int:
    """Return the largest resident size of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) * 1024
    import resource  # which Windows does not have

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def taken(module: str, variant: str, name: str) -> dict[str, float | str]:
    """Return the bytes that an epoch takes in this process, over those of the imported libraries."""
    contender = importlib.import_module(f"peers.{module}")
    contender.start(1)
    if module == "fanin_native":
        importlib.import_module("fanin.compiler.native.executable")  # with LLVM, which fit would load
    before = largest()
    case = TRAINED[name]
    job = contender.prepare(case, data_of(case), variant, 1)
    (job.epochs or job.run)(1)
    engine = job.engine() if job.engine else ""
    return {"bytes": largest() - before, "imported": before, "version": contender.VERSION, "engine": engine}


def fresh(module: str, variant: str, name: str, cache: str) -> dict[str, float | str]:
    """Return taken() of a fresh process, or the reason why there is none under "error"."""
    command = [sys.executable, __file__, "--worker", module, variant, name]
    environment = {**Seat(module, 1).environment(), "FANIN_CACHE_DIR": cache}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines() or [json.dumps({"error": f"ended with status {done.returncode}"})]
    answer: dict[str, float | str] = json.loads(lines[-1])
    return answer


def can(module: str, name: str) -> bool:
    return module != "sklearn_mlp" or TRAINED[name].rule != "AdamW"  # which scikit-learn does not have


def rows_of(names: list[str], contenders: list[tuple[str, str, str, str]], rounds: int) -> list[list[str]]:
    rows = [["case", "library", "MB over its imports", "allowed", "met", "MB imported", ""]]
    for name, (module, variant, library, title) in product(names, contenders):
        if not can(module, name):
            continue
        with tempfile.TemporaryDirectory() as cache:
            first = fresh(module, variant, name, cache)
            runs = [fresh(module, variant, name, cache) for _ in range(rounds)]
        if "error" in first:
            rows.append([TRAINED[name].title, title, "-", "-", "-", "-", str(first["error"])])
            continue
        own = library == "fanin"
        rows += [row_of(name, f"{title}, compiling", [first], own)] if own else []
        rows.append(row_of(name, title, runs, own))
    return rows


def row_of(name: str, title: str, found: list[dict[str, float | str]], own: bool) -> list[str]:
    """Return the row of some runs; `own` is judged by what it may take."""
    size, imported = (median(float(a[key]) for a in found) for key in ("bytes", "imported"))
    limit = allowed(TRAINED[name])
    judged = [f"{limit / MB:.0f}", "yes" if size <= limit else "no"] if own else ["", ""]
    engine = f"engine {found[0]['engine']}" if found[0]["engine"] else ""
    return [TRAINED[name].title, title, f"{size / MB:.0f}", *judged, f"{imported / MB:.0f}", engine]


def main() -> None:
    parser = argparse.ArgumentParser(description="measure the memory that training takes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--markdown", action="store_true", help="print the table for a README")
    parser.add_argument("--smoke", action="store_true", help="one round of fanin in one case: does it run")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        try:
            print(json.dumps(taken(*arguments.worker)))
        except Exception as error:
            print(json.dumps({"error": first_line(error)}))
        return
    there = [c for c in CONTENDERS if c[2] == "fanin" or importlib.util.find_spec(c[2]) is not None]
    contenders, names, rounds = there, list(TRAINED), arguments.rounds
    if arguments.smoke:
        contenders, names, rounds = there[:1], ["small"], 1
    print(header("memory.py", {}))
    for missing in dict.fromkeys(c[2] for c in CONTENDERS if c not in there):
        print(f"Left out: {missing} is not installed")
    print("\n" + table(rows_of(names, contenders, rounds), markdown=arguments.markdown))


if __name__ == "__main__":
    main()
