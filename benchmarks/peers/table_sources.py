"""Tables to learn from, in two parts: gzipped CSV files, what comes with scikit-learn, and Fashion-MNIST."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import train_test_split

DATA = Path(__file__).resolve().parents[2] / "data"
MOST_ROWS = 20_000
MOST_IMAGES = 10_000  # of Fashion-MNIST to learn from, the first ones; all 10,000 others are predicted
FEW_CLASSES = 30  # a target with whole numbers and at most so many values is one of classes
FASHION = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts it


@dataclass(frozen=True)
class Split:
    """A table in two parts."""

    name: str
    X: pandas.DataFrame
    y: Any
    X_test: pandas.DataFrame
    y_test: Any
    classes: int

    @property
    def categories(self) -> list[str]:
        """The columns that are no numbers."""
        return [name for name in self.X if not pandas.api.types.is_numeric_dtype(self.X[name])]


def splits(folder: Path | None, fashion: Path | None, state: int = 0) -> dict[str, Callable[[], Split]]:
    """Return what makes each table's split, by name; `state` is the seed by which rows are split."""
    found: dict[str, Callable[[], Split]] = {
        "breast_cancer": lambda: split_of("breast_cancer", load_breast_cancer(as_frame=True).frame, state),
        "diabetes": lambda: split_of("diabetes", load_diabetes(as_frame=True, scaled=False).frame, state),
    }
    for place in (DATA, folder):
        for path in sorted(place.glob("*.csv.gz")) if place else ():
            name = path.name.removesuffix(".csv.gz")
            found[name] = lambda name=name, path=path: split_of(name, read(path), state)
    images = fashion or FASHION
    if images.exists():
        found["fashion_mnist"] = lambda: split_of_images(images)
    return found


def read(path: Path) -> pandas.DataFrame:
    """Read a CSV file in which an empty field is the only missing value."""
    return pandas.read_csv(path, keep_default_na=False, na_values=[""])


def split_of(name: str, frame: pandas.DataFrame, state: int = 0) -> Split:
    """Split 80 to 20, by class where there are any."""
    if len(frame) > MOST_ROWS:
        frame = frame.sample(MOST_ROWS, random_state=0)
    target = frame["target"] if "target" in frame else frame[frame.columns[-1]]
    X, y = frame.drop(columns=target.name), target.to_numpy()
    levels = np.unique(y.astype(str))
    is_classes = y.dtype.kind not in "f" and (y.dtype.kind not in "iu" or len(levels) <= FEW_CLASSES)
    y = y.astype(str).astype(object) if is_classes else y.astype(np.float64)
    return split_of_columns(name, X, y, is_classes, state)


def split_of_columns(name: str, X: pandas.DataFrame, y: Any, is_classes: bool, state: int) -> Split:
    """Split inputs and a target 80 to 20, by class where there are any."""
    by = y if is_classes else None
    classes = len(np.unique(y)) if is_classes else 0
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=state, stratify=by)
    return Split(name, X, y, X_test, y_test, classes)


# Fashion-MNIST --------------------------------------------------------------------------------------------------------


def split_of_images(folder: Path) -> Split:
    """Return Fashion-MNIST from a folder with its four IDX files, two CSV files, or one of NumPy.

    IDX: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-..., gzipped or not. CSV: *train.csv and *test.csv, the
    label first. NumPy: an .npz of x_train, y_train, x_test and y_test.
    """
    (X, y), (X_test, y_test) = _images(folder)
    names = [f"pixel{number}" for number in range(X[0].size)]
    frames = [pandas.DataFrame(part.reshape(len(part), -1), columns=names) for part in (X[:MOST_IMAGES], X_test)]
    labels = [part.astype(str).astype(object) for part in (y[:MOST_IMAGES], y_test)]
    return Split("fashion_mnist", frames[0], labels[0], frames[1], labels[1], len(np.unique(y)))


def _images(folder: Path) -> list[tuple[Any, Any]]:
    packed = sorted(folder.glob("*.npz"))
    if packed:
        with np.load(packed[0]) as file:
            return [(file[f"x_{part}"], file[f"y_{part}"]) for part in ("train", "test")]
    written = [sorted(folder.glob(f"*{part}.csv*")) for part in ("train", "test")]
    if all(written):
        tables = [pandas.read_csv(paths[0]).to_numpy(np.uint8) for paths in written]
        return [(table[:, 1:], table[:, 0]) for table in tables]
    return [(_idx(folder, f"{part}-images-idx3"), _idx(folder, f"{part}-labels-idx1")) for part in ("train", "t10k")]


def _idx(folder: Path, name: str) -> Any:
    """Read an IDX file of bytes: 0, 0, 8, the number of dimensions, their sizes as big-endian int32, the bytes."""
    paths = sorted(folder.glob(f"{name}-ubyte*"))
    if not paths:
        raise FileNotFoundError(f"no {name}-ubyte, *train.csv or *.npz in {folder}: give the folder of Fashion-MNIST")
    content = gzip.decompress(paths[0].read_bytes()) if paths[0].suffix == ".gz" else paths[0].read_bytes()
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"{paths[0]} is no IDX file of bytes")
    sizes = np.frombuffer(content, ">i4", content[3], 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(sizes)).reshape(sizes)
