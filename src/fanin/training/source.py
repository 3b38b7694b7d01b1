"""Where the batches of an epoch come from: tensors in memory, or a loader that makes them in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import ArgumentTypeError, ShapeError
from fanin.random import randperm
from fanin.tensor.base import TensorBase
from fanin.utils.data import DataLoader
from fanin.utils.data.collate import default_collate
from fanin.utils.data.dataset import gather, gatherable
from fanin.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler, private_generator


class Batch(NamedTuple):
    """The rows of one step: what the model takes, what the loss compares its output with, and how many rows they are.

    A target is one tensor, or a tuple of tensors.
    """

    inputs: tuple[Any, ...]
    target: Any
    rows: int


class Order(NamedTuple):
    """The rows of one epoch: their numbers, step after step (None: 0, 1, 2, ...), and how many each step takes."""

    rows: NDArray[np.int64] | None
    sizes: NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """Batches that a loader, or any other iterable, makes in Python."""

    loader: Any

    @property
    def steps(self) -> int | None:
        """Steps of an epoch, where the loader knows."""
        try:
            return len(self.loader)
        except (TypeError, NotImplementedError, AttributeError):
            return None

    def batches(self) -> Iterator[Batch]:
        """Yield the batches of one epoch, each drawn when it is asked for, as a loop over the loader draws them."""
        for batch in self.loader:
            yield split(batch)


@dataclass(frozen=True)
class Rows(Source):
    """Tensors in memory, side by side, and the loader that says in which order their rows come.

    tensors: the inputs, then the targets, each of shape (rows, ...).
    inputs:  how many of them are inputs.
    paired:  whether the target is a tuple, be it of one tensor.
    chosen:  the rows that take part, None for all.
    """

    tensors: tuple[Any, ...]
    inputs: int
    paired: bool = False
    chosen: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.tensors[0]._array) if self.chosen is None else len(self.chosen)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The arrays of the tensors."""
        return tuple(tensor._array for tensor in self.tensors)

    def batches(self) -> Iterator[Batch]:
        """Yield the batches of one epoch, each drawn when it is asked for, as a loop over the loader draws them."""
        for batch in self.loader:
            yield self.batch(batch)

    def is_whole(self, size: int) -> bool:
        """Say whether a batch of so many rows has all of them in the order they lie in."""
        batches = self.loader.batch_sampler
        in_sequence = type(batches) is BatchSampler and type(batches.sampler) is SequentialSampler
        return in_sequence and self.chosen is None and size == len(self)

    def batch(self, tensors: Any) -> Batch:
        """Return tensors that are side by side as a batch."""
        target = tuple(tensors[self.inputs :])
        inputs = tuple(tensors[: self.inputs])
        return Batch(inputs, target if self.paired else target[0], len(tensors[0]._array))

    def whole(self) -> Batch:
        """Return all rows as one batch, in their own order."""
        return self.batch(self.tensors if self.chosen is None else gather(self.tensors, self.chosen))

    def order(self, permute: Callable[[Any, int], Any] = randperm) -> Order:
        """Draw the order of one epoch at once: the same rows, from the same stream, as `batches` takes.

        permute: draws a random order of n rows from a generator.
        """
        iter(self.loader)  # which draws what a pass draws before its first row
        batches = self.loader.batch_sampler
        if type(batches) is BatchSampler and type(batches.sampler) in (RandomSampler, SequentialSampler):
            rows = _in_random_order(batches.sampler, permute) if type(batches.sampler) is RandomSampler else None
            return self._cut(rows, len(cast(Sized, batches.sampler)), batches)
        cuts = batches.arrays()
        arrays = [np.asarray(piece, np.int64) for piece in (batches if cuts is None else cuts)]
        rows = np.concatenate(arrays) if arrays else np.empty(0, np.int64)
        sizes = np.array([len(array) for array in arrays], np.int64)
        return Order(rows if self.chosen is None else self.chosen[rows], sizes)

    def _cut(self, rows: Any, count: int, batches: BatchSampler) -> Order:
        """Return rows (None: in sequence) cut into batches."""
        size, rest = batches.batch_size, count % batches.batch_size
        last = [rest] if rest and not batches.drop_last else []
        sizes = np.array([size] * (count // size) + last, np.int64)
        if self.chosen is not None:
            rows = self.chosen if rows is None else self.chosen[rows]
        return Order(None if rows is None else rows[: int(sizes.sum())], sizes)


def _in_random_order(sampler: RandomSampler, permute: Callable[[Any, int], Any]) -> Any:
    """Draw what the sampler draws in one pass."""
    n, wanted = len(sampler.data_source), sampler.num_samples
    if sampler.replacement or wanted != n:
        return np.concatenate(list(sampler.parts()))
    if sampler.generator is None:
        return permute(private_generator(), n)
    rows = permute(sampler.generator, n)
    permute(sampler.generator, n)  # PyTorch draws one more, of which nothing is used
    return rows


def of_loader(loader: Any) -> Source:
    """Return a loader's tensors and order where it only gathers rows of tensors, otherwise its batches."""
    plain = type(loader) is DataLoader and isinstance(loader.batch_sampler, BatchSampler)
    found = gatherable(loader.dataset) if plain and loader.collate_fn is default_collate else None
    if found is None or len(found[0]) < 2:
        return Source(loader)
    tensors, chosen = found
    return Rows(loader, tensors, len(tensors) - 1, False, chosen)


def split(batch: Any) -> Batch:
    """Return what a loader yields as a batch: the last entry is the target, those before it are inputs.

    Raises TypeError for anything but a tuple or list of at least two.
    """
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        got = f"{type(batch).__name__}" + (f" of {len(batch)}" if isinstance(batch, (tuple, list, dict)) else "")
        raise ArgumentTypeError(
            f"fit: a batch must be (inputs, target), but the loader gives a {got}",
            remedy="Let the dataset's rows be (x, y); give (x, x) to learn the inputs themselves, or a collate_fn that "
            "makes a pair of a batch.",
        )
    *inputs, target = batch
    inputs = flat(inputs)
    first = next((x for x in inputs if isinstance(x, TensorBase) and x._array.ndim), None)
    return Batch(tuple(inputs), tuple(target) if isinstance(target, list) else target, _rows(first))


def _rows(first: Any) -> int:
    return 1 if first is None else len(first._array)


def flat(values: Iterable[Any]) -> list[Any]:
    """Return the values with tuples and lists among them replaced by their own."""
    result: list[Any] = []
    for value in values:
        result += flat(value) if isinstance(value, (tuple, list)) else [value]
    return result


def joined(parts: list[Any]) -> Any:
    """Return the outputs, or targets, of several batches as those of one; tuples are joined entry by entry."""
    if isinstance(parts[0], (tuple, list)):
        return tuple(joined(list(entries)) for entries in zip(*parts, strict=True))
    if not all(isinstance(part, TensorBase) and part._array.ndim for part in parts):
        raise ShapeError("fit: validation needs outputs and targets that are tensors with one row for each row of x")
    from fanin.tensor.functions.joining import cat

    return parts[0] if len(parts) == 1 else cat(parts)
