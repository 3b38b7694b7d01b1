"""What `fit` is given as `train` and `validation`, turned into sources of batches."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.random import Generator, randperm
from fanin.tensor.base import TensorBase
from fanin.tensor.tape import wrap
from fanin.training.arrays import check_lengths, input_tensor, target_tensor
from fanin.training.source import Rows, Source, of_loader
from fanin.utils.data import DataLoader, TensorDataset
from fanin.utils.data.dataset import Dataset, IterableDataset, gatherable

BATCH_SIZE = 32
SPLIT_SEED = 0  # of the rows that a fraction holds out: the same ones in every run


@dataclass(frozen=True)
class Batching:
    """How rows are put together, where no DataLoader says it."""

    batch_size: int | None = None
    shuffle: bool = True
    drop_last: bool = False
    generator: Any = None


def training_source(train: Any, model: Any, loss: Any, batching: Batching, held_out: Any = None) -> Source:
    """Return the source of the training batches; `held_out` are rows that do not take part.

    Raises ValueError for arguments that do not go together, TypeError for data of another kind.
    """
    if isinstance(train, IterableDataset):
        size = BATCH_SIZE if batching.batch_size is None else batching.batch_size
        return Source(DataLoader(train, size, drop_last=batching.drop_last, generator=batching.generator))
    if isinstance(train, DataLoader) or not _has_rows(train):
        _check_undecided(train, batching)
        return _checked(of_loader(train))
    if isinstance(train, Dataset):
        return _of_dataset(train, batching)
    tensors, inputs, paired = _side_by_side(train, model, loss)
    if held_out is not None:
        tensors = tuple(wrap(np.delete(tensor._array, held_out, axis=0)) for tensor in tensors)
    return _rows(tensors, inputs, paired, batching)


class Sources:
    """The sources of many runs: those that take the same tensors in the same way have one together."""

    def __init__(self) -> None:
        self._kept: dict[Any, Rows] = {}

    def training(self, train: Any, model: Any, loss: Any, batching: Batching, held_out: Any = None) -> Source:
        """Return what `training_source` returns."""
        plain = type(train) is tuple and len(train) == 2 and all(isinstance(x, TensorBase) for x in train)
        if not plain or held_out is not None or batching.generator is not None:
            return training_source(train, model, loss, batching, held_out)
        key = (*map(id, train), type(batching.batch_size), batching)
        found = self._kept.get(key)
        if found is not None and all(map(_shares, found.tensors, train)):
            return found
        source = training_source(train, model, loss, batching)
        if isinstance(source, Rows) and all(map(_shares, source.tensors, train)):
            self._kept[key] = source
        return source


def _shares(tensor: Any, other: Any) -> bool:
    return tensor._array is other._array


def validation_source(validation: Any, model: Any, loss: Any, batch_size: int | None) -> Source:
    """Return the source of the validation batches, in their own order; only a DataLoader draws random numbers."""
    if isinstance(validation, DataLoader) or not _has_rows(validation):
        return of_loader(validation)
    # A stream of its own, so that judging leaves the one of the training alone.
    batching = Batching(batch_size, False, False, Generator().manual_seed(0))
    if isinstance(validation, Dataset):
        return _of_dataset(validation, batching)
    return _rows(*_side_by_side(validation, model, loss), batching)


def split_by_fraction(train: Any, fraction: float, model: Any, loss: Any) -> tuple[Any, Any, Any]:
    """Return the training data, the validation data (tensors in memory), and the rows that were held out."""
    if isinstance(train, TensorDataset):
        found = gatherable(train)
        train = None if found is None or len(found[0]) < 2 else _pair(found[0])
    if not isinstance(train, tuple) or isinstance(train, TensorBase):
        raise ArgumentError(
            "fit: validation as a fraction needs train to be (x, y) or a TensorDataset",
            remedy="Split other data with fanin.utils.data.random_split, and give the second part as validation.",
        )
    tensors, inputs, paired = _side_by_side(train, model, loss)
    held_out = _drawn(len(tensors[0]._array), fraction)
    parts = [wrap(tensor._array[held_out]) for tensor in tensors]
    target = tuple(parts[inputs:]) if paired else parts[inputs]
    return train, (tuple(parts[:inputs]), target), held_out


def _pair(tensors: tuple[Any, ...]) -> tuple[Any, Any]:
    return tuple(tensors[:-1]), tensors[-1]


def _drawn(rows: int, fraction: float) -> Any:
    held_out = round(rows * fraction)
    if not 0 < fraction < 1 or not 0 < held_out < rows:
        raise ArgumentError(
            f"fit: validation={fraction} of {rows} rows leaves nothing to train on, or nothing to judge by",
            remedy="Give a fraction between 0 and 1, as validation=0.2.",
        )
    return np.sort(randperm(Generator().manual_seed(SPLIT_SEED), rows)[:held_out])


def is_fraction(validation: Any) -> bool:
    """Say whether validation is a number."""
    return isinstance(validation, numbers.Real) and not isinstance(validation, bool)


def _has_rows(data: Any) -> bool:
    if isinstance(data, IterableDataset):
        return False
    return isinstance(data, (tuple, Dataset)) or hasattr(data, "shape")


def _check_undecided(train: Any, batching: Batching) -> None:
    given = [name for name in ("batch_size", "generator") if getattr(batching, name) is not None]
    given += ["shuffle"] * (not batching.shuffle) + ["drop_last"] * batching.drop_last
    if given:
        raise ArgumentError(
            f"fit: {', '.join(given)} cannot be given beside a {type(train).__name__}, which decides it already"
        )


def _checked(source: Source) -> Source:
    if not hasattr(source.loader, "__iter__"):
        raise ArgumentTypeError(
            f"fit: train must be (x, y), a dataset or a DataLoader, not {type(source.loader).__name__}"
        )
    if hasattr(source.loader, "__next__"):
        raise ArgumentTypeError(
            "fit: train is an iterator, which is used up after one epoch",
            remedy="Give the DataLoader itself, not iter(loader); or a list of batches.",
        )
    return source


def _of_dataset(dataset: Any, batching: Batching) -> Source:
    found = gatherable(dataset)
    if found is not None and len(found[0]) < 2:
        raise ArgumentError(
            "fit: the dataset has one tensor, so there is nothing to compare the outputs with",
            remedy="Give TensorDataset(x, y), or TensorDataset(x, x) to learn the inputs themselves.",
        )
    return of_loader(_loader(dataset, batching))


def _loader(dataset: Any, batching: Batching) -> DataLoader:
    size = BATCH_SIZE if batching.batch_size is None else batching.batch_size
    return DataLoader(
        dataset, size, shuffle=batching.shuffle, drop_last=batching.drop_last, generator=batching.generator
    )


def _rows(tensors: tuple[Any, ...], inputs: int, paired: bool, batching: Batching) -> Rows:
    return Rows(_loader(TensorDataset(*tensors), batching), tensors, inputs, paired)


def _side_by_side(data: Any, model: Any, loss: Any) -> tuple[tuple[Any, ...], int, bool]:
    """Return the inputs and targets of (x, y) in a row, how many are inputs, and whether y was a tuple."""
    if not isinstance(data, tuple) or len(data) != 2:
        got = f"a tuple of {len(data)}" if isinstance(data, tuple) else f"{type(data).__name__} alone"
        raise ArgumentTypeError(
            f"fit: data must be (x, y), but got {got}",
            remedy="With several inputs, give ((x1, x2), y); to learn the inputs themselves, (x, x).",
        )
    x, y = data
    paired = isinstance(y, tuple)
    xs, ys = x if isinstance(x, tuple) else (x,), y if isinstance(y, tuple) else (y,)
    names = _names("x", len(xs), isinstance(x, tuple)) + _names("y", len(ys), paired)
    inputs = [input_tensor(values, model, name) for values, name in zip(xs, names, strict=False)]
    targets = [target_tensor(values, model, loss, name) for values, name in zip(ys, names[len(xs) :], strict=True)]
    tensors = (*inputs, *targets)
    check_lengths(tensors, names)
    return tensors, len(xs), paired


def _names(letter: str, count: int, several: bool) -> list[str]:
    return [f"{letter}[{i}]" for i in range(count)] if several else [letter]
