"""The DataLoader: rows in an order, put together into batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import GenericAlias
from typing import Any

from fanin._core.errors import ArgumentError
from fanin.random import Generator
from fanin.random.generator import default_generator
from fanin.utils.data.collate import default_collate, default_convert
from fanin.utils.data.dataset import IterableDataset, gather, gatherable
from fanin.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler


class DataLoader:
    """Iterate over a dataset in batches.

    batch_size, shuffle, drop_last: rows in a batch, whether in random order, whether a last, shorter batch is left out.
    sampler, batch_sampler:         an order of your own, of rows or of batches, in their place.
    collate_fn:                     makes a batch of a list of rows.
    generator:                      the stream of the shuffling; PyTorch's default stream when None.
    num_workers and its relatives are accepted; the rows are fetched in this process, for here the arithmetic of a step
    costs less than sending its batch between processes.

    The order is PyTorch's for the same seed. Tensors in memory (a `TensorDataset`, or a `Subset` of one) are gathered
    with one copy for each batch, not one call for each row.

    Raises ValueError for options that exclude each other.

    >>> import fanin as torch
    >>> from fanin.utils.data import DataLoader, TensorDataset
    >>> [x.tolist() for (x,) in DataLoader(TensorDataset(torch.arange(5)), batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    __class_getitem__: Any = classmethod(GenericAlias)  # in annotations

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler | Iterable[Any] | None = None,
        batch_sampler: Sampler | Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.dataset, self.num_workers, self.generator = dataset, num_workers, generator
        self.prefetch_factor, self.persistent_workers = prefetch_factor, persistent_workers
        self.pin_memory, self.timeout, self.worker_init_fn = pin_memory, timeout, worker_init_fn
        self.multiprocessing_context, self.in_order = multiprocessing_context, in_order
        self._is_stream = isinstance(dataset, IterableDataset)
        if self._is_stream:
            _check_stream(shuffle, sampler, batch_sampler)
        self._choose_order(batch_size, bool(shuffle), sampler, batch_sampler, drop_last)
        self._collates_by_default = collate_fn is None
        self.collate_fn = collate_fn or (default_convert if self.batch_sampler is None else default_collate)

    def _choose_order(
        self, batch_size: int | None, shuffle: bool, sampler: Any, batch_sampler: Any, drop: bool
    ) -> None:
        if sampler is not None and shuffle:
            raise ArgumentError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop:
                raise ArgumentError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size, drop = None, False
        elif batch_size is None and drop:
            raise ArgumentError(
                "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
            )
        if sampler is None:
            sampler = self._default_sampler(shuffle)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop)
        self.batch_size, self.drop_last, self.sampler, self.batch_sampler = batch_size, drop, sampler, batch_sampler

    def _default_sampler(self, shuffle: bool) -> Any:
        if self._is_stream:
            return _Endless()
        return RandomSampler(self.dataset, generator=self.generator) if shuffle else SequentialSampler(self.dataset)

    def __iter__(self) -> Iterator[Any]:
        # PyTorch seeds its workers with one draw at every pass, also when there are none.
        (self.generator or default_generator).random_int()
        if self._is_stream:
            return self._from_stream()
        fast = self._in_memory()
        return self._one_by_one() if fast is None else fast

    def _in_memory(self) -> Iterator[Any] | None:
        if not self._collates_by_default or not isinstance(self.batch_sampler, BatchSampler):
            return None
        source, batches = gatherable(self.dataset), self.batch_sampler.arrays()
        if source is None or batches is None:
            return None
        tensors, rows = source
        return (gather(tensors, batch if rows is None else rows[batch]) for batch in batches)

    def _one_by_one(self) -> Iterator[Any]:
        if self.batch_sampler is None:
            for index in self.sampler:
                yield self.collate_fn(self.dataset[index])
            return
        fetch = getattr(self.dataset, "__getitems__", None) or (lambda batch: [self.dataset[i] for i in batch])
        for batch in self.batch_sampler:
            yield self.collate_fn(fetch(batch))

    def _from_stream(self) -> Iterator[Any]:
        if self.batch_size is None:
            for row in self.dataset:
                yield self.collate_fn(row)
            return
        rows: list[Any] = []
        for row in self.dataset:
            rows.append(row)
            if len(rows) == self.batch_size:
                yield self.collate_fn(rows)
                rows = []
        if rows and not self.drop_last:
            yield self.collate_fn(rows)

    def __len__(self) -> int:
        if not self._is_stream:
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
        n = len(self.dataset)
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


class _Endless(Sampler):
    """What stands for an order where there are no row numbers."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


def _check_workers(num_workers: int, timeout: float, prefetch_factor: int | None, persistent: bool) -> None:
    if num_workers < 0:
        raise ArgumentError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ArgumentError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ArgumentError(
            "prefetch_factor option could only be specified in multiprocessing."
            "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if persistent and num_workers == 0:
        raise ArgumentError("persistent_workers option needs num_workers > 0")


def _check_stream(shuffle: bool | None, sampler: Any, batch_sampler: Any) -> None:
    if shuffle:
        raise ArgumentError(f"DataLoader with IterableDataset: expected unspecified shuffle option, but got {shuffle=}")
    if sampler is not None:
        raise ArgumentError(f"DataLoader with IterableDataset: expected unspecified sampler option, but got {sampler=}")
    if batch_sampler is not None:
        raise ArgumentError(
            f"DataLoader with IterableDataset: expected unspecified batch_sampler option, but got {batch_sampler=}"
        )


def get_worker_info() -> None:
    """Return None: rows are fetched in the main process."""
    return
