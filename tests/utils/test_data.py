"""Rows and batches where PyTorch's answers leave the ordinary way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import fanin as torch
from fanin.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset


class Stream(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(5))

    def __len__(self) -> int:
        return 5


@pytest.mark.parametrize(("drop_last", "batches"), [(False, 3), (True, 2)])
def test_a_stream_has_as_many_batches_as_it_says(drop_last: bool, batches: int) -> None:
    loader = DataLoader(Stream(), batch_size=2, drop_last=drop_last)
    assert len(loader) == len(list(loader)) == batches
    assert len(DataLoader(Stream(), batch_size=None)) == 5


def test_rows_that_require_a_gradient_give_batches_that_do() -> None:
    x = torch.ones(4, 2, requires_grad=True)
    for (batch,) in DataLoader(TensorDataset(x), batch_size=2):
        batch.sum().backward()
    assert x.grad.tolist() == [[1.0, 1.0]] * 4


class AtOnce(Dataset[int]):
    """Rows that are fetched a batch at a time, as from a data base."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> int:
        raise AssertionError("one by one")

    def __getitems__(self, indices: list[int]) -> list[int]:
        self.asked.append(indices)
        return [10 * index for index in indices]


def test_a_subset_fetches_as_its_dataset_does() -> None:
    dataset = AtOnce()
    loader: Any = DataLoader(Subset(Subset(dataset, [9, 7, 5, 3]), [3, 1, 0]), batch_size=2)
    assert [batch.tolist() for batch in loader] == [[30, 70], [90]]
    assert dataset.asked == [[3, 7], [9]]
