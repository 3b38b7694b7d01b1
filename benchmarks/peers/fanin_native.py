"""fanin's native engine: fit, fit_many, and a compiled network for predictions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import fanin
from peers.cases import Case, Data, Job

VERSION = fanin.__version__
NETWORKS = 100  # enough to keep all threads busy to the end
ENTRANCE = {"training": "fit", "networks": "fit_many", "prediction": "compile"}


def start(threads: int) -> None:
    fanin.set_num_threads(threads)


def variants(case: Case) -> list[str]:
    if getattr(fanin, ENTRANCE[case.kind], None) is None:
        raise RuntimeError(f"fanin.{ENTRANCE[case.kind]} does not exist yet")
    return {"training": ["fit"], "networks": ["fit_many"], "prediction": ["no_grad", "plain"]}[case.kind]


def prepare(case: Case, data: Data, variant: str, threads: int) -> Job:
    x, y = fanin.from_numpy(data.x), fanin.from_numpy(data.y)
    if case.kind == "prediction":
        return prediction(network(case, data), x, plain=variant == "plain")
    criterion = fanin.nn.CrossEntropyLoss() if case.classes else fanin.nn.MSELoss()
    options = {"batch_size": case.batch, "shuffle": case.shuffle, "threads": threads, "progress": False}
    engines = [""]
    if case.kind == "networks":
        models = [network(case, data) for _ in range(NETWORKS)]
        shared = {"train": (x, y), "loss": criterion, "epochs": case.epochs}
        jobs = [{"model": model, "optimizer": optimizer_of(case, model), **shared} for model in models]

        def train_all(times: int) -> None:
            for _ in range(times):
                engines[0] = fanin.fit_many(jobs, **options)[0].engine

        return Job(train_all, NETWORKS * case.epochs * case.steps, engine=lambda: engines[0])
    model = network(case, data)
    rule = optimizer_of(case, model)

    def train(epochs: int) -> None:
        engines[0] = fanin.fit(model, (x, y), criterion, rule, epochs=epochs, **options).engine

    def loss() -> float:
        with fanin.no_grad():
            return float(criterion(model(x), y).item())

    return Job(train, case.steps, loss, engine=lambda: engines[0])


def network(case: Case, data: Data) -> Any:
    layers: list[Any] = []
    for (fan_in, fan_out), (weight, bias) in zip(pairwise(case.widths), data.layers, strict=True):
        linear = fanin.nn.Linear(fan_in, fan_out)
        with fanin.no_grad():
            linear.weight.copy_(fanin.from_numpy(weight))
            linear.bias.copy_(fanin.from_numpy(bias))
        layers += [linear, getattr(fanin.nn, case.activation)()]
    return fanin.nn.Sequential(*layers[:-1]) if len(data.layers) > 1 else layers[0]


def optimizer_of(case: Case, model: Any) -> Any:
    return getattr(fanin.optim, case.rule)(model.parameters(), lr=case.rate)


def prediction(model: Any, row: Any, *, plain: bool) -> Job:
    compiled = fanin.compile(model.eval())

    def predict(times: int) -> None:
        for _ in range(times):
            compiled(row)

    def without_grad(times: int) -> None:
        with fanin.no_grad():
            predict(times)

    return Job(predict if plain else without_grad)
