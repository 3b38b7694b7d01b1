"""scikit-learn's MLPClassifier and MLPRegressor beside fanin's, with all defaults, on public tables: seconds, scores.

Each table is imputed, one-hot encoded and scaled in one way (targets that are numbers are standardised, too), split
80 to 20 with random_state=0, and fitted by both with the same seeds in turns. penguins and diamonds are in data/, two
come with scikit-learn; --tables names a folder with more (gzipped CSV, the target in the last column).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import sklearn.neural_network
from peers.machine import header, table
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fanin
import fanin.sklearn

DATA = Path(__file__).resolve().parents[1] / "data"
MOST_ROWS = 20_000
FEW_CLASSES = 30  # a target with whole numbers and at most so many values is one of classes
SMOKE = ("penguins", "diabetes")
# Each side: the module of the classes, and what is not default.
SIDES: dict[str, tuple[Any, dict[str, Any]]] = {
    "scikit-learn": (sklearn.neural_network, {}),
    "fanin": (fanin.sklearn, {}),
    "fanin in float32": (fanin.sklearn, {"dtype": "float32"}),
}


@dataclass(frozen=True)
class Split:
    """A table, ready for both."""

    name: str
    train: tuple[Any, Any]
    test: tuple[Any, Any]
    is_classes: bool

    @property
    def title(self) -> str:
        rows, columns = self.train[0].shape
        return f"{self.name} ({rows:,} x {columns}, {'classes' if self.is_classes else 'numbers'})"


@dataclass
class Taken:
    """What the fits of one side took and reached."""

    first: float = 0.0
    seconds: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)


# Tables ---------------------------------------------------------------------------------------------------------------


def read(path: Path) -> tuple[list[Any], Any]:
    """Return the columns of a table, numbers as floats and texts as objects, and its target."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    if len(rows) > MOST_ROWS:
        chosen = np.random.default_rng(0).choice(len(rows), MOST_ROWS, replace=False)
        rows = [rows[i] for i in chosen]
    *columns, target = map(column, zip(*rows, strict=True))
    return columns, target


def column(cells: Any) -> Any:
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        return np.array([cell or None for cell in cells], object)


def ready(name: str, columns: list[Any], target: Any) -> Split:
    """Encode a table by its training rows, and split it."""
    is_classes = target.dtype == object or (np.unique(target).size <= FEW_CLASSES and (target % 1 == 0).all())
    rows = np.arange(len(target))
    train, test = train_test_split(rows, test_size=0.2, random_state=0, stratify=target if is_classes else None)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    levels = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing", missing_values=None),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    kinds = [column.dtype == object for column in columns]
    x = np.empty((len(target), len(columns)), object)
    for i, values in enumerate(columns):
        x[:, i] = values
    encode = make_column_transformer(
        (numbers, [i for i, kind in enumerate(kinds) if not kind]),
        (levels, [i for i, kind in enumerate(kinds) if kind]),
    )
    encoded = encode.fit_transform(x[train]).astype(np.float64), encode.transform(x[test]).astype(np.float64)
    y = target.astype(str) if is_classes else (target - target[train].mean()) / target[train].std()
    return Split(name, (encoded[0], y[train]), (encoded[1], y[test]), bool(is_classes))


def tables(folder: Path | None, wanted: list[str] | None) -> list[Split]:
    files = {
        path.name.removesuffix(".csv.gz"): path for place in (DATA, folder) if place for path in place.glob("*.csv.gz")
    }
    own = {"breast_cancer": load_breast_cancer, "diabetes": load_diabetes}
    found = []
    for name in wanted or sorted({*files, *own}):
        note(f"reading {name}")
        if name in files:
            found.append(ready(name, *read(files[name])))
        else:
            x, y = own[name](return_X_y=True)
            found.append(ready(name, list(x.T), y.astype(float)))
    return found


# Fits -----------------------------------------------------------------------------------------------------------------


def fit(split: Split, side: str, seed: int, settings: dict[str, Any]) -> tuple[float, float, int]:
    """Return the seconds of a fit, the score on the test rows, and the number of epochs."""
    name = "MLPClassifier" if split.is_classes else "MLPRegressor"
    module, own = SIDES[side]
    model = getattr(module, name)(random_state=seed, **own, **settings)
    started = time.perf_counter()
    model.fit(*split.train)
    return time.perf_counter() - started, float(model.score(*split.test)), int(model.n_iter_)


def measure(splits: list[Split], rounds: int, settings: dict[str, Any]) -> dict[str, dict[str, Taken]]:
    """Go round: in every round each table, on each table both sides, in an order that changes."""
    taken = {split.name: {side: Taken() for side in SIDES} for split in splits}
    for split in splits:
        note(f"first fit of {split.name}")
        for side in list(SIDES)[1:]:
            taken[split.name][side].first = fit(split, side, rounds, settings)[0]
    for seed in range(rounds):
        for split in splits:
            for side in sorted(SIDES, reverse=bool(seed % 2)):
                note(f"round {seed + 1} of {rounds}: {side} on {split.name}")
                seconds, score, epochs = fit(split, side, seed, settings)
                into = taken[split.name][side]
                into.seconds.append(seconds)
                into.scores.append(score)
                into.epochs.append(epochs)
    return taken


def note(text: str) -> None:
    """Say how far it is: on a terminal each text takes the place of the one before."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


# Report ---------------------------------------------------------------------------------------------------------------


def rows_of_seconds(splits: list[Split], taken: dict[str, dict[str, Taken]]) -> list[list[str]]:
    """Return the medians of the seconds, by how much fanin is faster, and what its first fits took."""
    ours = list(SIDES)[1:]
    rows = [["seconds", "epochs", *SIDES, *(f"{side}: ratio" for side in ours), "its first fit"]]
    medians = {split.name: [statistics.median(side.seconds) for side in taken[split.name].values()] for split in splits}
    for split in splits:
        times, sides = medians[split.name], taken[split.name]
        epochs = statistics.median(sides["scikit-learn"].epochs)
        rows.append([split.title, f"{epochs:g}", *told(times), f"{sides['fanin'].first:.3g}"])
    totals = [sum(times) for times in zip(*medians.values(), strict=True)]
    rows.append(["all", "", *told(totals), f"{sum(taken[split.name]['fanin'].first for split in splits):.3g}"])
    means = [statistics.geometric_mean(times) for times in zip(*medians.values(), strict=True)]
    rows.append(["geometric mean", "", *told(means), ""])
    return rows


def told(times: list[float]) -> list[str]:
    return [*(f"{t:.3g}" for t in times), *(f"{times[0] / t:.1f}x" for t in times[1:])]


def rows_of_scores(splits: list[Split], taken: dict[str, dict[str, Taken]]) -> list[list[str]]:
    """Return the medians of the scores, and how far those of one seed are apart."""
    ours = list(SIDES)[1:]
    rows = [["accuracy or R2", *SIDES, *(f"{side}: apart at most" for side in ours), "seeds of scikit-learn apart"]]
    for split in splits:
        sides = taken[split.name]
        theirs = sides["scikit-learn"].scores
        apart = [max(abs(a - b) for a, b in zip(theirs, sides[side].scores, strict=True)) for side in ours]
        cells = [f"{statistics.median(side.scores):.4f}" for side in sides.values()]
        rows.append([split.title, *cells, *(f"{a:.1e}" for a in apart), f"{max(theirs) - min(theirs):.1e}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="time scikit-learn's MLP and fanin's on tables")
    parser.add_argument("--smoke", action="store_true", help="two tables, few epochs, one round: does it run")
    parser.add_argument("--rounds", type=int, default=3, help="as many seeds")
    parser.add_argument("--table", action="append", help="one table; may be given again")
    parser.add_argument("--tables", type=Path, help="a folder with more tables")
    parser.add_argument("--markdown", action="store_true", help="print the table for a page")
    parser.add_argument("--json", type=Path, help="write every sample to a file")
    arguments = parser.parse_args()
    settings: dict[str, Any] = {"max_iter": 30} if arguments.smoke else {}
    os.environ["FANIN_CACHE_DIR"] = tempfile.mkdtemp(prefix="fanin-bench-")  # so that first fits compile
    warnings.simplefilter("ignore")  # most defaults end by max_iter
    splits = tables(arguments.tables, list(SMOKE) if arguments.smoke else arguments.table)
    taken = measure(splits, 1 if arguments.smoke else arguments.rounds, settings)
    note("")
    print(header("mlp.py", {"scikit-learn": sklearn.__version__, "fanin": fanin.__version__}))
    print(f"Medians of {len(next(iter(taken.values()))['fanin'].seconds)} seeds; the first fit compiles\n")
    print(table(rows_of_seconds(splits, taken), markdown=arguments.markdown), end="\n\n")
    print(table(rows_of_scores(splits, taken), markdown=arguments.markdown))
    if arguments.json:
        samples = {name: {side: vars(values) for side, values in sides.items()} for name, sides in taken.items()}
        arguments.json.write_text(json.dumps(samples, indent=1))


if __name__ == "__main__":
    main()
