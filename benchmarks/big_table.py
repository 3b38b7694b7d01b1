"""Training from a CSV file larger than memory: the most memory it takes, seconds, rows a second, and the score.

    python benchmarks/big_table.py                   # 5 GB in the folder of temporary files, or TMPDIR
    python benchmarks/big_table.py --size 500MB --time-limit 120
    python benchmarks/big_table.py --smoke           # does it run

A table of 16 columns (numbers, categories, dates, missing values) and a target of two classes is made up, with a known
limit: labels are drawn, so that no model's log-loss on new rows is below the one that stands beside. Five million rows
are made, and repeated until the file is large enough. It is learned from by `fit_file("fast")` in a fresh process, of
which the largest resident size counts, imports and LLVM included. Beside it stands `fit` on a sample that fits into
memory, by the same number of seconds at most.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from peers.machine import header, table

import fanin

PIECE = 200_000  # rows made at a time
DISTINCT = 25  # such pieces
ROW = 112  # bytes, about
SAMPLE = 50_000  # rows of the fit beside
TEST = 50_000
GOAL = 1 << 30
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
CITIES = [f"city {i}" for i in range(300)]


def made(rows: int, seed: int) -> tuple[Any, Any]:
    """Return rows of the table, and the probability of "yes" in each."""
    import polars

    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 10)).round(4)
    city = rng.integers(0, len(CITIES), rows)
    kind = rng.integers(0, 5, rows)
    day = rng.integers(0, 1500, rows)
    effect = np.random.default_rng(12345).normal(size=len(CITIES))
    logit = 1.5 * x[:, 0] * x[:, 1] + np.abs(x[:, 2]) - np.sin(3 * x[:, 3]) + effect[city] + (kind == 2) - 0.5
    logit += np.cos(2 * np.pi * day / 365.25)
    p = 1 / (1 + np.exp(-logit))
    columns = {f"x{i}": x[:, i] for i in range(10)}
    columns |= {"count": rng.poisson(50, rows), "amount": np.exp(rng.normal(5, 2, rows)).round(2)}
    frame = polars.DataFrame(columns).with_columns(
        polars.Series("city", city).replace_strict(list(range(len(CITIES))), CITIES),
        polars.Series("kind", kind).replace_strict(list(range(5)), ["red", "green", "blue", "black", "white"]),
        (polars.date(2020, 1, 1) + polars.duration(days=polars.Series("day", day))).alias("day"),
        polars.Series("y", np.where(rng.random(rows) < p, "yes", "no")),
    )
    return frame.with_columns(polars.when(polars.Series(rng.random(rows) > 0.05)).then(polars.col("x0")).name.keep()), p


def write(path: Path, size: int) -> int:
    """Write a file of about so many bytes, and return its rows."""
    rows = 0
    with open(path, "wb") as file:
        for seed in range(1, DISTINCT + 1):
            left = size - file.tell()
            count = min(PIECE, max(1000, left // ROW))
            made(count, seed)[0].write_csv(file, include_header=rows == 0)
            rows += count
            if file.tell() >= size - ROW * 1000:
                return rows
    return rows + repeated(path, rows, size)


def repeated(path: Path, rows: int, size: int) -> int:
    """Append the rows of a file to it until it is large enough, and return how many were appended."""
    with open(path, "rb") as source, open(path, "ab") as file:
        once = file.tell()
        times = 0
        while file.tell() < size:
            source.seek(0)
            source.readline()
            while source.tell() < once:
                file.write(source.read(min(1 << 24, once - source.tell())))
            times += 1
    return times * rows


def scored(model: Any) -> dict[str, float]:
    """Return the accuracy and the log-loss on new rows, and the least log-loss that there can be."""
    frame, p = made(TEST, 0)
    y = frame["y"].to_numpy()
    probabilities = model.predict_proba(frame.drop("y"))[:, 1].clip(1e-12, 1 - 1e-12)

    def loss(q: Any) -> float:
        return float(-np.where(y == "yes", np.log(q), np.log(1 - q)).mean())

    accuracy = float(((probabilities > 0.5) == (y == "yes")).mean())
    return {"accuracy": accuracy, "log_loss": loss(probabilities), "least": loss(p)}


def trained(path: str, memory: str, limit: float | None, sample: bool) -> dict[str, Any]:
    """Train in this process, and return what came of it."""
    from memory import largest

    from fanin.tabular import TabularClassifier, open_table
    from fanin.tabular.streaming import fitting
    from fanin.tabular.streaming.budget import Budget

    started, stages = time.monotonic(), {}
    model = TabularClassifier("fast", time_limit=limit, random_state=0)
    if sample:
        frame = made(SAMPLE, 1)[0]
        model.fit(frame.drop("y"), frame["y"].to_numpy())
    else:
        if memory == "tiny":
            fitting.budget_of = lambda memory: Budget(0, 1 << 18, 1 << 20, 1 << 18)
            memory = ""
        tell = lambda what, share: stages.__setitem__(what, time.monotonic() - started)  # noqa: E731
        model.fit_file(open_table(path), "y", memory=memory, progress=tell)
    seconds, peak = time.monotonic() - started, largest()
    history = [
        {name: entry[name] for name in ("epochs", "best_epoch", "engine", "stopped")} for entry in model.history_
    ]
    return {"seconds": seconds, "peak": peak, "stages": stages, "history": history, **scored(model)}


def fresh(*arguments: str) -> dict[str, Any]:
    """Return what a fresh process of this program prints."""
    command = [sys.executable, __file__, "--inside", *arguments]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(found.stdout.splitlines()[-1])


def size_of(text: str) -> int:
    """Return a size such as "500MB" in bytes."""
    return int(float(text[:-2]) * UNITS[text[-2:].upper()])


def main() -> int:
    """Write, train, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="5GB", help="of the file, as 500MB")
    parser.add_argument("--memory", default="1GB", help="what the process may hold")
    parser.add_argument("--time-limit", type=float, default=None, help="seconds; 900 for the full size")
    parser.add_argument("--smoke", action="store_true", help="a file of 3 MB, a few seconds")
    parser.add_argument("--inside", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        path, memory, limit, sample = options.inside
        print(json.dumps(trained(path, memory, float(limit) or None, sample == "sample")))
        return 0
    if not (find_spec("polars") and find_spec("sklearn")):
        print("big_table.py is left out: polars or scikit-learn is not installed", file=sys.stderr)
        return 0
    size = size_of("3MB" if options.smoke else options.size)
    limit = options.time_limit or (4.0 if options.smoke else 900.0)
    versions = {"fanin": fanin.__version__} | {name: version(name) for name in ("numpy", "polars", "scikit-learn")}
    print(header("big_table.py", versions))
    with tempfile.TemporaryDirectory(prefix="fanin-big-") as folder:
        path = Path(folder) / "big.csv"
        started = time.monotonic()
        rows = write(path, size)
        print(f"\nwrote {path.stat().st_size / 1e9:.3f} GB, {rows:,} rows, in {time.monotonic() - started:.0f} s")
        found = fresh(str(path), "tiny" if options.smoke else options.memory, str(limit), "file")
        beside = fresh(str(path), options.memory, str(limit), "sample")
    show(rows, found, beside)
    return int(not options.smoke and found["peak"] > GOAL)


def show(rows: int, found: dict[str, Any], beside: dict[str, Any]) -> None:
    """Print the table."""
    lines = [
        [
            name,
            f"{count:,}",
            f"{each['peak'] / 2**20:.0f}",
            f"{each['seconds']:.0f}",
            f"{count / each['seconds']:,.0f}",
            f"{each['accuracy']:.4f}",
            f"{each['log_loss']:.4f}",
            f"{each['least']:.4f}",
        ]
        for name, count, each in (("fit_file, the file", rows, found), ("fit, a sample", SAMPLE, beside))
    ]
    heads = ["", "rows", "peak MB", "seconds", "rows/s", "accuracy", "log-loss", "least possible"]
    print("\n" + table([heads, *lines], markdown=False))
    ends = ", ".join(f"{what} until {second:.0f} s" for what, second in found["stages"].items())
    print(f"\n{ends}; {found['history']}")


if __name__ == "__main__":
    raise SystemExit(main())
