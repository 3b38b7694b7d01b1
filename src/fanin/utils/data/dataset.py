"""Datasets: rows by number (Dataset), or in a stream (IterableDataset)."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from types import GenericAlias
from typing import Any, Generic, TypeVar

import numpy as np

from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.random import Generator, randperm
from fanin.random.generator import default_generator
from fanin.tensor import Tensor
from fanin.tensor.tape import wrap

Row = TypeVar("Row", covariant=True)


class Dataset(Generic[Row]):
    """Rows by number: a subclass gives `__getitem__(index)` and, for most uses, `__len__()`.

    >>> from fanin.utils.data import Dataset
    >>> class Squares(Dataset):
    ...     def __len__(self): return 4
    ...     def __getitem__(self, index): return index ** 2
    >>> [Squares()[i] for i in range(4)]
    [0, 1, 4, 9]
    """

    def __getitem__(self, index: Any) -> Row:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[Row]):
    """Rows in a stream: a subclass gives `__iter__()`.

    >>> from fanin.utils.data import DataLoader, IterableDataset
    >>> class Counting(IterableDataset):
    ...     def __iter__(self): return iter(range(3))
    >>> list(DataLoader(Counting(), batch_size=None))
    [0, 1, 2]
    """

    def __iter__(self) -> Iterator[Row]:
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")

    def __add__(self, other: Dataset[Any]) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """The rows of tensors of equal first dimension, side by side.

    tensors: each of shape (rows, ...).

    Raises AssertionError when the first dimensions differ.

    >>> import fanin as torch
    >>> from fanin.utils.data import TensorDataset
    >>> TensorDataset(torch.arange(3), torch.ones(3, 2))[1]
    (tensor(1), tensor([1., 1.]))
    """

    def __init__(self, *tensors: Tensor) -> None:
        assert all(tensors[0].size(0) == tensor.size(0) for tensor in tensors), "Size mismatch between tensors"
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].size(0))


class StackDataset(Dataset[Any]):
    """Several datasets of equal length side by side: rows are tuples, or dicts when given by keyword.

    >>> from fanin.utils.data import StackDataset
    >>> StackDataset(x=[1, 2], y=[3, 4])[1]
    {'x': 2, 'y': 4}
    """

    def __init__(self, *args: Dataset[Any], **kwargs: Dataset[Any]) -> None:
        if bool(args) == bool(kwargs):
            raise ArgumentError("Supported either ``tuple``- (via ``args``) or ``dict``- (via ``kwargs``) like input")
        self.datasets: Any = args or kwargs
        parts = list(args or kwargs.values())
        if any(len(part) != len(parts[0]) for part in parts):  # type: ignore[arg-type]
            raise ArgumentError("Size mismatch between datasets")
        self._length = len(parts[0])  # type: ignore[arg-type]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[Any]):
    """Datasets one after another.

    >>> from fanin.utils.data import ConcatDataset
    >>> list(ConcatDataset([[1, 2], [3]]))
    [1, 2, 3]
    """

    __class_getitem__: Any = classmethod(GenericAlias)

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = list(datasets)
        assert self.datasets, "datasets should not be an empty iterable"
        for dataset in self.datasets:
            assert not isinstance(dataset, IterableDataset), "ConcatDataset does not support IterableDataset"
        self.cumulative_sizes = list(itertools.accumulate(len(d) for d in self.datasets))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if index < 0:
            if -index > len(self):
                raise ArgumentError("absolute value of index should not exceed dataset length")
            index += len(self)
        part = bisect.bisect_right(self.cumulative_sizes, index)
        before = self.cumulative_sizes[part - 1] if part else 0
        return self.datasets[part][index - before]


class ChainDataset(IterableDataset[Any]):
    """Streams one after another.

    >>> import fanin as torch
    >>> from fanin.utils.data import ChainDataset, IterableDataset
    >>> class Count(IterableDataset):
    ...     def __iter__(self):
    ...         return iter(range(2))
    >>> list(ChainDataset([Count(), Count()]))
    [0, 1, 0, 1]
    """

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = list(datasets)

    def __iter__(self) -> Iterator[Any]:
        for dataset in self.datasets:
            assert isinstance(dataset, IterableDataset), "ChainDataset only supports IterableDataset"
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self.datasets)  # type: ignore[misc, arg-type]


class Subset(Dataset[Any]):
    """The rows of a dataset with the given numbers.

    >>> from fanin.utils.data import Subset
    >>> list(Subset("abcd", [3, 0]))
    ['d', 'a']
    """

    __class_getitem__: Any = classmethod(GenericAlias)

    def __init__(self, dataset: Dataset[Any], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """Return several rows at once, as the dataset does where it can."""
        rows = [self.indices[index] for index in indices]
        at_once = getattr(self.dataset, "__getitems__", None)
        return [self.dataset[row] for row in rows] if at_once is None else at_once(rows)

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Dataset[Any], lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset]:
    """Split a dataset at random into parts of the given lengths, or of the given fractions that add up to 1.

    Rows that fractions leave over go to the first parts, one each.

    Raises ValueError when the lengths do not add up to the dataset's.

    >>> from fanin.utils.data import random_split
    >>> [len(part) for part in random_split(range(10), [0.7, 0.3])]
    [7, 3]
    """
    total = len(dataset)  # type: ignore[arg-type]
    sizes = _sizes(total, lengths)
    order = randperm(generator or default_generator, total).tolist()
    ends = itertools.accumulate(sizes)
    return [Subset(dataset, order[end - size : end]) for end, size in zip(ends, sizes, strict=True)]


def _sizes(total: int, lengths: Sequence[int | float]) -> list[int]:
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for i, fraction in enumerate(lengths):
            if not 0 <= fraction <= 1:
                raise ArgumentError(f"Fraction at index {i} is not between 0 and 1")
        sizes = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(sizes)):
            sizes[i % len(sizes)] += 1
        return sizes
    if sum(lengths) != total:
        raise ArgumentError(
            "Sum of input lengths does not equal the length of the input dataset!",
            remedy=f"{sum(lengths)} against {total}.",
        )
    if not all(isinstance(n, (int, np.integer)) for n in lengths):
        raise ArgumentTypeError(f"lengths must be ints or fractions that add up to 1, got {list(lengths)}")
    return [int(n) for n in lengths]


def gatherable(dataset: Any) -> tuple[tuple[Tensor, ...], Any] | None:
    """Return the tensors behind a dataset and the numbers of its rows in them (None: all, in order).

    None when rows must be fetched one by one: some other class, or a subclass with a `__getitem__` of its own.
    """
    cls = type(dataset)
    if isinstance(dataset, TensorDataset) and cls.__getitem__ is TensorDataset.__getitem__:
        plain = all(not t.requires_grad for t in dataset.tensors) and not hasattr(cls, "__getitems__")
        return (dataset.tensors, None) if plain else None
    if cls is Subset:
        inner = gatherable(dataset.dataset)
        if inner is None:
            return None
        tensors, rows = inner
        chosen = np.asarray(dataset.indices, np.int64)
        return tensors, chosen if rows is None else rows[chosen]
    return None


def gather(tensors: tuple[Tensor, ...], rows: Any) -> list[Tensor]:
    """Return a batch: the same rows of every tensor, one copy for each."""
    return [wrap(t._array[rows].copy() if isinstance(rows, slice) else t._array.take(rows, axis=0)) for t in tensors]
