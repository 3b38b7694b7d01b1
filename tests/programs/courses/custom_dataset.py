"""Datasets of one's own: a CSV in memory, dictionaries, strings, collate functions, samplers and iterables."""
import csv
import io
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, RandomSampler, Sampler, SequentialSampler, WeightedRandomSampler, default_collate

torch.manual_seed(0)
TEXT = """length,width,kind
5.1,3.5,a
4.9,3.0,a
6.2,2.9,b
5.9,3.0,b
6.5,3.0,c
7.1,3.1,c
6.3,2.5,c
"""


class FlowerDataset(Dataset):
    def __init__(self, text, transform=None, target_transform=None):
        rows = list(csv.DictReader(io.StringIO(text)))
        self.classes = sorted({r["kind"] for r in rows})
        self.class_to_idx = {c: i for i, c in enumerate(self.classes)}
        self.rows, self.transform, self.target_transform = rows, transform, target_transform

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, idx):
        if torch.is_tensor(idx):
            idx = idx.tolist()
        row = self.rows[idx]
        x = torch.tensor([float(row["length"]), float(row["width"])])
        y = self.class_to_idx[row["kind"]]
        if self.transform:
            x = self.transform(x)
        if self.target_transform:
            y = self.target_transform(y)
        return {"x": x, "y": y, "name": row["kind"], "id": idx}


class Compose:
    def __init__(self, *steps):
        self.steps = steps

    def __call__(self, x):
        for s in self.steps:
            x = s(x)
        return x


ds = FlowerDataset(TEXT, transform=Compose(lambda x: x - 3, lambda x: x * 2), target_transform=lambda y: torch.zeros(3).scatter_(0, torch.tensor(y), value=1))
print(len(ds), ds[0], ds[torch.tensor(6)])
for batch in DataLoader(ds, batch_size=3, shuffle=True):
    print(batch["x"], batch["y"], batch["name"], batch["id"])
pairs = [(torch.tensor([i, i + 1.0]), i % 2, float(i), f"s{i}") for i in range(5)]
for b in DataLoader(pairs, batch_size=2):
    print(b)
ragged = [(torch.arange(n), n) for n in (3, 1, 4, 2)]


def pad_collate(batch):
    xs, ns = zip(*batch)
    out = torch.zeros(len(xs), max(ns), dtype=torch.long)
    for i, x in enumerate(xs):
        out[i, : len(x)] = x
    return out, torch.tensor(ns)


for out, ns in DataLoader(ragged, batch_size=2, collate_fn=pad_collate):
    print(out, ns)


class Count(IterableDataset):
    def __init__(self, start, end):
        super().__init__()
        self.start, self.end = start, end

    def __iter__(self):
        return iter(range(self.start, self.end))


print(list(DataLoader(Count(3, 8), batch_size=2)), list(DataLoader(Count(0, 3), batch_size=None)))
print(list(BatchSampler(SequentialSampler(range(7)), batch_size=3, drop_last=False)), list(RandomSampler(range(5))))
print(list(WeightedRandomSampler([0.1, 0.9, 0.4, 0.7, 3.0, 0.6], 5, replacement=True)), list(RandomSampler(range(3), replacement=True, num_samples=6)))


class EvenFirst(Sampler):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        yield from [i for i in range(self.n) if i % 2 == 0] + [i for i in range(self.n) if i % 2]

    def __len__(self):
        return self.n


print([b["id"].tolist() for b in DataLoader(ds, batch_size=4, sampler=EvenFirst(7))])
g = torch.Generator()
g.manual_seed(5)
loader = DataLoader(list(range(10)), batch_size=4, shuffle=True, generator=g, drop_last=True)
print([b.tolist() for b in loader], [b.tolist() for b in loader], len(loader))
print(default_collate([(1, 2.5), (3, 4.5)]), default_collate([{"a": torch.ones(2)}, {"a": torch.zeros(2)}]))
it = iter(DataLoader(ds, batch_size=6))
print(next(it)["x"].shape, next(it)["x"].shape)
try:
    next(it)
except StopIteration:
    print("exhausted")
counts = torch.tensor([2, 2, 3])
w = 1.0 / counts[torch.tensor([ds.class_to_idx[r["kind"]] for r in ds.rows])]
print(w, [ds.rows[i]["kind"] for i in WeightedRandomSampler(w, 7)])
xs, ys = zip(*[(d["x"], d["y"]) for d in ds])
print(torch.stack(xs).shape, torch.stack(ys).argmax(1))
