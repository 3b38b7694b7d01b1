"""Datasets, samplers and the loader: which rows come in which order, drawn from which stream."""

from __future__ import annotations

import collections

from tests.parity.harness import case, raises


def modules(torch):
    """Import torch.utils.data of a namespace."""
    import importlib

    return importlib.import_module(f"{torch.__name__}.utils.data")


def rows(loader):
    """Return the batches as nested lists."""
    return [[part.tolist() for part in batch] for batch in loader]


def dataset(torch, n=23):
    """Return rows that tell their number."""
    return modules(torch).TensorDataset(torch.arange(n), torch.arange(2.0 * n).reshape(n, 2))


LOADERS = [
    ("plain", {"batch_size": 4}),
    ("one", {}),
    ("whole", {"batch_size": 23}),
    ("larger", {"batch_size": 50, "shuffle": True}),
    ("shuffled", {"batch_size": 4, "shuffle": True}),
    ("shuffled, dropping", {"batch_size": 5, "shuffle": True, "drop_last": True}),
    ("dropping", {"batch_size": 5, "drop_last": True}),
    ("workers asked for", {"batch_size": 6, "shuffle": True, "num_workers": 0}),
]


@case(params=[(name,) for name, _ in LOADERS])
def order(torch, name):
    options = dict(LOADERS)[name]
    data = modules(torch)
    torch.manual_seed(5)
    loader = data.DataLoader(dataset(torch), **options)
    epochs = [rows(loader) for _ in range(3)]
    return {"length": len(loader), "epochs": epochs, "stream afterwards": torch.rand(3)}


@case
def explicit_generator(torch):
    data = modules(torch)
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(7)
    result = []
    for n, size in ((23, 4), (20, 5)):
        loader = data.DataLoader(dataset(torch, n), batch_size=size, shuffle=True, generator=generator)
        result += [rows(loader), rows(loader), torch.rand(2, generator=generator)]
    return [*result, torch.rand(2)]


@case
def leaving_early(torch):
    data = modules(torch)
    torch.manual_seed(2)
    loader = data.DataLoader(dataset(torch), batch_size=4, shuffle=True)
    first = [next(iter(loader))[0].tolist() for _ in range(3)]
    return [first, torch.rand(2)]


@case
def rows_one_by_one(torch):
    data = modules(torch)

    class Squares(data.Dataset):
        def __len__(self):
            return 10

        def __getitem__(self, index):
            return {"x": float(index), "pair": (index, torch.tensor([index, index**2])), "name": str(index)}

    torch.manual_seed(3)
    loader = data.DataLoader(Squares(), batch_size=4, shuffle=True)
    batches = list(loader)
    own = data.DataLoader(Squares(), batch_size=3, collate_fn=lambda batch: [row["x"] for row in batch])
    unbatched = data.DataLoader(Squares(), batch_size=None)
    return {
        "batches": batches,
        "own collate": list(own),
        "unbatched": [row["x"] for row in unbatched],
        "types": [str(batches[0]["x"].dtype), type(batches[0]["pair"]).__name__],
    }


@case
def a_subclass_of_tensors_keeps_its_rows(torch):
    data = modules(torch)

    class Doubled(data.TensorDataset):
        def __getitem__(self, index):
            return tuple(2 * part for part in super().__getitem__(index))

    return rows(data.DataLoader(Doubled(torch.arange(5), torch.ones(5, 2)), batch_size=2))


@case
def streams(torch):
    data = modules(torch)

    class Count(data.IterableDataset):
        def __init__(self, n):
            self.n = n

        def __iter__(self):
            return iter(range(self.n))

        def __len__(self):
            return self.n

    torch.manual_seed(4)
    return {
        "batches": [b.tolist() for b in data.DataLoader(Count(7), batch_size=3)],
        "dropping": [b.tolist() for b in data.DataLoader(Count(7), batch_size=3, drop_last=True)],
        "length": len(data.DataLoader(Count(7), batch_size=3)),
        "chained": list(Count(2) + Count(3)),
        "one by one": list(data.DataLoader(Count(3), batch_size=None)),
        "shuffle": raises(lambda: data.DataLoader(Count(7), shuffle=True)),
        "sampler": raises(lambda: data.DataLoader(Count(7), sampler=[0])),
        "stream": torch.rand(2),
    }


@case
def samplers(torch):
    data = modules(torch)
    source = range(12)
    torch.manual_seed(6)
    generator = torch.Generator().manual_seed(9)
    weights = [0.1, 0.5, 0.2, 0.9, 0.3]
    return {
        "sequential": list(data.SequentialSampler(source)),
        "random": [list(data.RandomSampler(source)) for _ in range(2)],
        "random, own stream": [list(data.RandomSampler(source, generator=generator)) for _ in range(2)],
        "fewer": list(data.RandomSampler(source, num_samples=5)),
        "more": list(data.RandomSampler(source, num_samples=30)),
        "replacement": list(data.RandomSampler(source, replacement=True, num_samples=50)),
        "subset": list(data.SubsetRandomSampler([3, 1, 4, 1, 5])),
        "weighted": list(data.WeightedRandomSampler(weights, 20)),
        "weighted, once": list(data.WeightedRandomSampler(weights, 3, replacement=False)),
        "batches": list(data.BatchSampler(data.SequentialSampler(range(7)), 3, False)),
        "batches, dropping": list(data.BatchSampler(data.SequentialSampler(range(7)), 3, True)),
        "lengths": [len(data.RandomSampler(source, num_samples=5)), len(data.BatchSampler(range(7), 3, False))],
        "stream": torch.rand(2),
    }


@case
def loader_with_samplers(torch):
    data = modules(torch)
    torch.manual_seed(8)
    weighted = data.WeightedRandomSampler([0.1] * 10 + [0.9] * 13, 15)
    batches = data.BatchSampler(data.RandomSampler(range(23)), 5, False)
    return {
        "sampler": rows(data.DataLoader(dataset(torch), batch_size=4, sampler=weighted)),
        "batch sampler": rows(data.DataLoader(dataset(torch), batch_sampler=batches)),
        "list": rows(data.DataLoader(dataset(torch), batch_sampler=[[0, 2], [5]])),
        "numbers": rows(data.DataLoader(dataset(torch), batch_size=2, sampler=[4, 4, 1])),
        "stream": torch.rand(2),
    }


@case
def splits(torch):
    data = modules(torch)
    torch.manual_seed(10)
    source = dataset(torch, 10)
    parts = data.random_split(source, [6, 4])
    fractions = data.random_split(range(11), [0.5, 0.3, 0.2], generator=torch.Generator().manual_seed(3))
    nested = data.random_split(parts[0], [0.5, 0.5])
    return {
        "parts": [list(part.indices) for part in parts],
        "fractions": [list(part.indices) for part in fractions],
        "loaded": rows(data.DataLoader(parts[1], batch_size=3, shuffle=True)),
        "nested": rows(data.DataLoader(nested[0], batch_size=2)),
        "subset": [row.tolist() for row in data.Subset(source, [7, 2])[1]],
        "sum": raises(lambda: data.random_split(source, [6, 5])),
        "fraction": raises(lambda: data.random_split(source, [1.5, -0.5])),
    }


@case
def putting_together(torch):
    data = modules(torch)
    a, b = dataset(torch, 3), dataset(torch, 2)
    joined = a + b
    stacked = data.StackDataset(torch.arange(3), torch.ones(3, 2))
    named = data.StackDataset(x=torch.arange(3))
    return {
        "length": [len(joined), len(stacked)],
        "rows": [joined[i][0] for i in (0, 2, 3, 4, -1)],
        "loaded": rows(data.DataLoader(joined, batch_size=4)),
        "stacked": stacked[1],
        "named": named[2],
        "beyond": raises(lambda: joined[-6]),
        "empty": raises(lambda: data.ConcatDataset([])),
        "slices": a[1:3],
    }


Point = collections.namedtuple("Point", "x y")


@case
def collating(torch):
    import numpy as np

    collate = modules(torch).default_collate
    named = collate([Point(1, 2.0), Point(3, 4.0)])
    return {
        "numbers": collate([1, 2, 3]),
        "floats": collate([1.0, 2.0]),
        "bools": collate([True, False]),
        "tensors": collate([torch.ones(2), torch.zeros(2)]),
        "arrays": collate([np.ones(2, np.float32), np.zeros(2, np.float32)]),
        "scalars": collate([np.float32(1), np.float32(2)]),
        "text": collate(["a", "b"]),
        "dict": collate([{"a": 1, "b": [2, 3]}, {"a": 4, "b": [5, 6]}]),
        "named": [type(named).__name__, named.x, named.y],
        "sizes": raises(lambda: collate([torch.ones(2), torch.ones(3)])),
        "lengths": raises(lambda: collate([[1, 2], [3]])),
        "objects": raises(lambda: collate([object(), object()])),
    }


@case
def mistakes(torch):
    data = modules(torch)
    source = dataset(torch)
    return {
        "batch size": raises(lambda: data.DataLoader(source, batch_size=0)),
        "negative": raises(lambda: data.DataLoader(source, batch_size=-1)),
        "fraction": raises(lambda: data.DataLoader(source, batch_size=2.5)),
        "sampler and shuffle": raises(lambda: data.DataLoader(source, shuffle=True, sampler=[0])),
        "two orders": raises(lambda: data.DataLoader(source, batch_size=3, batch_sampler=[[0]])),
        "none and drop": raises(lambda: data.DataLoader(source, batch_size=None, drop_last=True)),
        "workers": raises(lambda: data.DataLoader(source, num_workers=-1)),
        "prefetch": raises(lambda: data.DataLoader(source, prefetch_factor=2)),
        "sizes": raises(lambda: data.TensorDataset(torch.ones(2), torch.ones(3))),
        "abstract": raises(lambda: data.Dataset()[0]),
        "samples": raises(lambda: data.RandomSampler(source, num_samples=0)),
        "replacement": raises(lambda: data.RandomSampler(source, replacement=1)),
        "empty": raises(lambda: data.DataLoader(dataset(torch, 0), shuffle=True)),
        "weights": raises(lambda: data.WeightedRandomSampler([[0.1]], 1)),
        "drop last": raises(lambda: data.BatchSampler(range(3), 2, 1)),
    }


@case
def in_memory_batches_are_copies(torch):
    data = modules(torch)
    x = torch.zeros(4)
    for (batch,) in data.DataLoader(data.TensorDataset(x), batch_size=2):
        batch.add_(1)
    return x


@case
def classes_take_the_type_of_a_row(torch):
    data = modules(torch)

    class Backwards(data.Sampler[int]):
        def __init__(self, length):
            self.length = length

        def __iter__(self):
            return iter(range(self.length - 1, -1, -1))

        def __len__(self):
            return self.length

    class Numbered(data.Dataset[tuple[int, int]]):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return i, i * i

    source = Numbered()
    loader: data.DataLoader[tuple[int, int]] = data.DataLoader[int](source, batch_size=2, sampler=Backwards(3))
    part: data.Subset[tuple[int, int]] = data.Subset(source, [2])
    joined: data.ConcatDataset[tuple[int, int]] = data.ConcatDataset([source, part])
    return {"batches": list(loader), "joined": joined[3], "type": type(loader) is data.DataLoader}
