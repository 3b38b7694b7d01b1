"""Samplers: the order in which rows are taken, and their grouping into batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from types import GenericAlias
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError
from fanin.random import Generator, multinomial, randint, randperm
from fanin.random.generator import default_generator


class Sampler:
    """An order of row numbers: a subclass gives `__iter__()`, and `__len__()` where it knows it."""

    __class_getitem__: Any = classmethod(GenericAlias)  # class Mine(Sampler[int])

    def __init__(self, data_source: Any = None) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError


class SequentialSampler(Sampler):
    """0, 1, 2, ...

    >>> from fanin.utils.data import SequentialSampler
    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        super().__init__(data_source)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


def private_generator() -> Generator:
    """Return a generator seeded with one int64 from the default stream, as PyTorch's samplers make theirs."""
    return Generator().manual_seed(default_generator.random_int())


class RandomSampler(Sampler):
    """The rows in random order, or drawn with replacement.

    num_samples: how many to draw; all rows once when None.
    generator:   the stream; without one, each pass seeds a private stream from the default one.

    >>> from fanin.utils.data import RandomSampler
    >>> sorted(RandomSampler("abc"))
    [0, 1, 2]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(data_source)
        self.replacement, self._num_samples, self.generator = replacement, num_samples, generator
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ArgumentError(
                f"num_samples should be a positive integer value, but got num_samples={self.num_samples}"
            )

    @property
    def num_samples(self) -> int:
        """The number of rows in one pass."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def _stream(self) -> Generator:
        return private_generator() if self.generator is None else self.generator

    def parts(self) -> Iterator[Any]:
        """Yield the order in arrays, each drawn when it is asked for."""
        n, stream = len(self.data_source), self._stream()
        if self.replacement:
            yield from self._drawn(n, stream)
            return
        for _ in range(self.num_samples // n):
            yield randperm(stream, n)
        # PyTorch draws one more permutation at the end, of which only the remainder is used, be it empty.
        yield randperm(stream, n)[: self.num_samples % n]

    def _drawn(self, n: int, stream: Generator) -> Iterator[Any]:
        for _ in range(self.num_samples // 32):
            yield randint(stream, 0, n, (32,))
        yield randint(stream, 0, n, (self.num_samples % 32,))

    def __iter__(self) -> Iterator[int]:
        for part in self.parts():
            yield from part.tolist()

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """Given row numbers in random order.

    >>> import fanin as torch
    >>> from fanin.utils.data import SubsetRandomSampler
    >>> sorted(SubsetRandomSampler([4, 7, 9]))
    [4, 7, 9]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        super().__init__()
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for i in randperm(self.generator or default_generator, len(self.indices)).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """Row numbers drawn with probabilities proportional to weights, with or without replacement.

    >>> from fanin.utils.data import WeightedRandomSampler
    >>> list(WeightedRandomSampler([0.0, 1.0], num_samples=3))
    [1, 1, 1]
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ArgumentError(f"num_samples should be a positive integer value, but got num_samples={num_samples}")
        if not isinstance(replacement, bool):
            raise ArgumentError(f"replacement should be a boolean value, but got replacement={replacement}")
        from fanin._core.dtypes import float64
        from fanin.tensor.functions.data import as_tensor

        self.weights = as_tensor(weights, dtype=float64)
        if self.weights.dim() != 1:
            raise ArgumentError(
                f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        stream = self.generator or default_generator
        chosen = multinomial(stream, self.weights._array, self.num_samples, self.replacement)
        yield from chosen.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """The rows of another sampler in lists of batch_size; the last, shorter one is left out with drop_last.

    >>> from fanin.utils.data import BatchSampler, SequentialSampler
    >>> list(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        super().__init__()
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ArgumentError(f"batch_size should be a positive integer value, but got batch_size={batch_size}")
        if not isinstance(drop_last, bool):
            raise ArgumentError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        rows = iter(self.sampler)
        while batch := list(itertools.islice(rows, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def arrays(self) -> Iterator[Any] | None:
        """Return the batches as slices or arrays, made without touching rows one by one; None where that cannot be."""
        if type(self) is not BatchSampler:
            return None
        if type(self.sampler) is SequentialSampler:
            return self._slices(len(self.sampler))
        if type(self.sampler) is RandomSampler:
            return self._cut(self.sampler)
        return None

    def _slices(self, n: int) -> Iterator[slice]:
        for start in range(0, n, self.batch_size):
            if start + self.batch_size <= n or not self.drop_last:
                yield slice(start, min(start + self.batch_size, n))

    def _cut(self, sampler: RandomSampler) -> Iterator[Any]:
        left = np.empty(0, np.int64)
        for part in sampler.parts():
            rows = np.concatenate([left, part]) if left.size else part
            whole = len(rows) - len(rows) % self.batch_size
            for start in range(0, whole, self.batch_size):
                yield rows[start : start + self.batch_size]
            left = rows[whole:]
        if left.size and not self.drop_last:
            yield left
