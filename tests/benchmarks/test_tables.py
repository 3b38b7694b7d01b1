"""benchmarks/tables.py: Fashion-MNIST in each form that it comes in, ranks and distances against worked values."""

from __future__ import annotations

import gzip
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
pytest.importorskip("pandas")


@pytest.fixture
def load(monkeypatch):
    """Return what imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if name == "tables" or name.startswith("peers"):
            del sys.modules[name]


@pytest.fixture
def images():
    """Return eight images of 2 x 3 with their labels, to learn from and to predict."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2, 8, 2, 3), np.uint8)
    labels = rng.permuted(np.tile(np.arange(4, dtype=np.uint8), (2, 2)), axis=1)
    return {"train": (pixels[0], labels[0]), "test": (pixels[1], labels[1])}


def idx(values):
    return b"\0\0\x08" + bytes([values.ndim]) + np.array(values.shape, ">i4").tobytes() + values.tobytes()


def write_idx(folder, images, packed):
    for part, name in (("train", "train"), ("test", "t10k")):
        for values, kind in zip(images[part], ("images-idx3", "labels-idx1"), strict=True):
            content = gzip.compress(idx(values)) if packed else idx(values)
            (folder / f"{name}-{kind}-ubyte{'.gz' * packed}").write_bytes(content)


def write_csv(folder, images):
    for part, (pixels, labels) in images.items():
        rows = np.concatenate([labels[:, None], pixels.reshape(len(labels), -1)], axis=1)
        heading = ",".join(["label", *(f"pixel{i}" for i in range(1, rows.shape[1]))])
        np.savetxt(folder / f"fashion-mnist_{part}.csv", rows, "%d", ",", header=heading, comments="")


def write_npz(folder, images):
    arrays = {f"{'xy'[i]}_{part}": values for part, pair in images.items() for i, values in enumerate(pair)}
    np.savez(folder / "fashion.npz", **arrays)


WRITERS = {
    "idx": lambda folder, images: write_idx(folder, images, packed=False),
    "idx.gz": lambda folder, images: write_idx(folder, images, packed=True),
    "csv": write_csv,
    "npz": write_npz,
}


@pytest.mark.parametrize("form", WRITERS)
def test_fashion_mnist_is_read_in_each_form(load, tmp_path, images, form):
    WRITERS[form](tmp_path, images)
    split = load("peers.table_sources").split_of_images(tmp_path)
    assert split.classes == 4
    for frame, y, part in ((split.X, split.y, "train"), (split.X_test, split.y_test, "test")):
        np.testing.assert_array_equal(frame.to_numpy(), images[part][0].reshape(8, 6))
        assert y.tolist() == [str(label) for label in images[part][1]]


def test_a_folder_without_images_and_a_file_of_something_else_are_named(load, tmp_path):
    sources = load("peers.table_sources")
    with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte.*in .*: give the folder"):
        sources.split_of_images(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"not one of them")
    with pytest.raises(ValueError, match="is no IDX file of bytes"):
        sources.split_of_images(tmp_path)


def test_ranks_are_by_loss_and_equal_ones_share_theirs(load):
    assert load("tables").ranks_of([0.3, 0.1, 0.3, 0.2]).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_distances_are_relative_to_the_best_rival(load):
    tables = load("tables")
    scores = {"fast": (0.90, 0.33), "tabm": (0.95, 0.30), "mlp": (0.80, 0.90)}
    found = {
        ("wine", name): tables.Result("wine", name, 1.0, 1.0, {"accuracy": accuracy, "log-loss": loss})
        for name, (accuracy, loss) in scores.items()
    }
    assert tables._distance(found, "wine", "fast", ["tabm", "mlp"], "log-loss") == "+10.0"
    assert tables._distance(found, "wine", "fast", ["tabm", "mlp"], "accuracy") == "+5.3"  # 0.05 / 0.95
    assert tables._distance(found, "wine", "fast", ["mlp"], "log-loss") == "-63.3"
    assert tables._distance(found, "wine", "fast", ["absent"], "log-loss") == "-"
