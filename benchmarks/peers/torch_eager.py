"""PyTorch as people write it, one operation after the other, in all the forms that may be fastest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from peers.cases import Case, Data, Job

VERSION = torch.__version__
TUTORIAL = "loader, default"
NETWORKS = 2  # trained one after the other; more would cost as much each


def start(threads: int) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)


def variants(case: Case) -> list[str]:
    if case.kind == "prediction":
        return ["inference_mode"]
    batching = ["hand"] if case.kind == "networks" else ["loader", "hand"]
    return [f"{batches}, {optimizer}" for batches in batching for optimizer in ("default", "foreach", "fused")]


def prepare(case: Case, data: Data, variant: str, threads: int) -> Job:
    if case.kind == "prediction":
        return prediction(network(case, data), torch.from_numpy(data.x))
    batches, _, optimizer = variant.partition(", ")
    count = NETWORKS if case.kind == "networks" else 1
    loops = [loop_of(case, data, batches, optimizer) for _ in range(count)]
    if case.kind == "networks":
        return Job(
            lambda n: [loop(case.epochs) for _ in range(n) for loop, _ in loops], count * case.epochs * case.steps
        )
    return Job(loops[0][0], case.steps, loops[0][1])


def network(case: Case, data: Data) -> torch.nn.Module:
    layers: list[torch.nn.Module] = []
    for weight, bias in data.layers:
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight))
            linear.bias.copy_(torch.from_numpy(bias))
        layers += [linear, getattr(torch.nn, case.activation)()]
    return torch.nn.Sequential(*layers[:-1]) if len(data.layers) > 1 else layers[0]


def optimizer_of(case: Case, model: torch.nn.Module, kind: str) -> torch.optim.Optimizer:
    options = {} if kind == "default" else {kind: True}
    rule: torch.optim.Optimizer = getattr(torch.optim, case.rule)(model.parameters(), lr=case.rate, **options)
    return rule


def batches_of(case: Case, x: torch.Tensor, y: torch.Tensor, how: str) -> Callable[[], Iterator[Any]]:
    """Return what yields an epoch's batches: a shuffling loader, or by hand a permutation and slices."""
    if how == "loader":
        dataset = torch.utils.data.TensorDataset(x, y)
        loader = torch.utils.data.DataLoader(dataset, batch_size=case.batch, shuffle=True)
        return lambda: iter(loader)
    if not case.shuffle:
        return lambda: iter([(x, y)])

    def by_hand() -> Iterator[Any]:
        order = torch.randperm(len(x))
        return zip(x[order].split(case.batch), y[order].split(case.batch), strict=True)

    return by_hand


def loop_of(case: Case, data: Data, batches: str, optimizer: str) -> tuple[Callable[[int], None], Callable[[], float]]:
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    model = network(case, data)
    criterion = torch.nn.CrossEntropyLoss() if case.classes else torch.nn.MSELoss()
    rule = optimizer_of(case, model, optimizer)
    epoch = batches_of(case, x, y, batches)

    def train(epochs: int) -> None:
        for _ in range(epochs):
            for inputs, targets in epoch():
                rule.zero_grad()
                loss = criterion(model(inputs), targets)
                loss.backward()
                rule.step()

    def loss() -> float:
        with torch.no_grad():
            return float(criterion(model(x), y))

    return train, loss


def prediction(model: torch.nn.Module, row: torch.Tensor) -> Job:
    model.eval()

    def predict(times: int) -> None:
        with torch.inference_mode():
            for _ in range(times):
                model(row)

    return Job(predict)
