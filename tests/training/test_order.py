"""The order of an epoch drawn at once is the order in which a DataLoader yields the rows, from the same stream."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

import fanin as torch
from fanin.compiler.native.shuffle import randperm as native_randperm
from fanin.random import randperm
from fanin.training.source import Rows, of_loader
from fanin.utils.data import DataLoader, RandomSampler, Subset, TensorDataset
from tests.training.by_hand import default_state


def loader_of(rows: int, chosen: list[int] | None, options: dict[str, Any], seeded: bool, samples: int | None) -> Any:
    numbers = torch.arange(rows)
    data: Any = TensorDataset(numbers, numbers)
    data = data if chosen is None else Subset(data, chosen)
    generator = torch.Generator().manual_seed(3) if seeded else None
    if samples is not None:
        sampler = RandomSampler(data, num_samples=samples, generator=generator)
        options = {**options, "shuffle": None, "sampler": sampler}
    return DataLoader(data, generator=generator, **options)


def epochs_of(loader: Any, permute: Any) -> tuple[list[list[list[int]]], bytes, Any]:
    """Return the row numbers of three epochs, batch by batch, and the states of the streams afterwards."""
    torch.manual_seed(8)
    found = []
    for _ in range(3):
        if permute is None:
            found.append([batch.tolist() for batch, _ in loader])
            continue
        source = of_loader(loader)
        assert isinstance(source, Rows)
        order = source.order(permute)
        rows = np.arange(order.sizes.sum()) if order.rows is None else order.rows
        pieces = np.split(source.arrays[0][rows], np.cumsum(order.sizes)[:-1]) if len(order.sizes) else []
        found.append([piece.tolist() for piece in pieces])
    own = None if loader.generator is None else loader.generator.get_state().tolist()
    return found, default_state(), own


@given(data=st.data())
def test_orders_agree(data: Any) -> None:
    rows = data.draw(st.integers(1, 40), "rows")
    chosen = data.draw(st.none() | st.lists(st.integers(0, rows - 1), min_size=1, max_size=30), "chosen")
    options = {
        "batch_size": data.draw(st.integers(1, 12), "batch_size"),
        "shuffle": data.draw(st.booleans(), "shuffle"),
        "drop_last": data.draw(st.booleans(), "drop_last"),
    }
    seeded = data.draw(st.booleans(), "seeded")
    samples = data.draw(st.none() | st.integers(1, 60), "samples")
    results = [
        epochs_of(loader_of(rows, chosen, options, seeded, samples), permute)
        for permute in (None, randperm, native_randperm)
    ]
    assert results[1] == results[0]
    assert results[2] == results[0]


def test_a_missing_draw_would_be_seen() -> None:
    loader = loader_of(10, None, {"batch_size": 3, "shuffle": True}, True, None)
    found = epochs_of(loader, None)
    loader = loader_of(10, None, {"batch_size": 3, "shuffle": True}, True, None)
    assert epochs_of(loader, lambda generator, n: randperm(generator.clone_state(), n)) != found
