"""What is trained: networks, data, rules, and how much faster than each peer fanin is wanted to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

RATES = {"SGD": 0.01, "Adam": 0.001, "AdamW": 0.001}


@dataclass(frozen=True)
class Case:
    """One row of the table. `wanted` says by contender how many times faster, and which part of the FMA peak."""

    name: str
    title: str
    rows: int
    widths: tuple[int, ...]
    batch: int
    rule: str
    wanted: dict[str, float]
    classes: bool = False
    activation: str = "ReLU"
    kind: str = "training"  # or "networks" (many alike, trained side by side), or "prediction" (of one row)
    epochs: int = 10  # of each network, where there are many

    @property
    def shuffle(self) -> bool:
        """Whether the order of the rows matters to a step."""
        return self.batch < self.rows

    @property
    def steps(self) -> int:
        """Steps in an epoch, the last of which may be of fewer rows."""
        return -(-self.rows // self.batch)

    @property
    def parameters(self) -> int:
        return sum(fan_in * fan_out + fan_out for fan_in, fan_out in pairwise(self.widths))

    @property
    def rate(self) -> float:
        return RATES[self.rule]

    @property
    def flops(self) -> float:
        """Return the operations in the matrix products of a mean step, 2 M in out for each.

        A layer has one product forward and one for the gradient of its weights; all layers but the first also have one
        for the gradient of their input.
        """
        products = [fan_in * fan_out for fan_in, fan_out in pairwise(self.widths)]
        if self.kind == "prediction":
            return 2.0 * sum(products)
        return 2.0 * self.rows / self.steps * (3 * sum(products) - products[0])


@dataclass(frozen=True)
class Data:
    """Inputs, targets and the weights and biases to start from: alike for all contenders."""

    x: Any
    y: Any
    layers: list[tuple[Any, Any]]  # weight (out, in), bias (out,)


@dataclass
class Job:
    """What a contender has ready: `run(n)` does n units of `steps` steps; `loss()` says how good the network is now.

    `epochs(n)` trains for n epochs where a unit is not one epoch; `engine()` names what carried out the steps, where
    there is a choice.
    """

    run: Callable[[int], Any]
    steps: int = 1
    loss: Callable[[], float] | None = None
    epochs: Callable[[int], Any] | None = None
    engine: Callable[[], str] | None = None


def data_of(case: Case) -> Data:
    """Make the case's data: a target that can be learned, and PyTorch's default initialisation of linear layers."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((case.rows, case.widths[0]), dtype=np.float32)
    signal = x @ rng.standard_normal((case.widths[0], case.widths[-1]), dtype=np.float32) / case.widths[0] ** 0.5
    y = signal.argmax(1) if case.classes else signal + 0.1 * rng.standard_normal(signal.shape, dtype=np.float32)
    layers = []
    for fan_in, fan_out in pairwise(case.widths):
        bound = fan_in**-0.5
        weight = rng.uniform(-bound, bound, (fan_out, fan_in)).astype(np.float32)
        layers.append((weight, rng.uniform(-bound, bound, fan_out).astype(np.float32)))
    return Data(x, y, layers)


CASES = {
    case.name: case
    for case in (
        Case("linear-1", "10-1, SGD, batch 1, 1,000 rows", 1000, (10, 1), 1, "SGD", {"torch": 1000, "jax": 3}),
        Case(
            "linear-100",
            "10-1, SGD, batch 100, 1,000 rows",
            1000,
            (10, 1),
            100,
            "SGD",
            {"torch": 60, "tutorial": 300, "jax": 15},
        ),
        Case(
            "small",
            "10-64-64-1, Adam, batch 32, 1,000 rows",
            1000,
            (10, 64, 64, 1),
            32,
            "Adam",
            {"torch": 25, "jax": 3},
        ),
        Case(
            "full",
            "4-32-16-4 tanh, Adam, all 10,000 rows at once",
            10_000,
            (4, 32, 16, 4),
            10_000,
            "Adam",
            {"torch": 10, "peak": 0.35},
            activation="Tanh",
        ),
        Case(
            "classes",
            "50-128-128-128-2, AdamW, batch 256, 50,000 rows",
            50_000,
            (50, 128, 128, 128, 2),
            256,
            "AdamW",
            {"torch": 2.5, "jax": 2, "peak": 0.55},
            classes=True,
        ),
        Case(
            "digits",
            "784-256-128-10, Adam, batch 64, 6,400 rows",
            6400,
            (784, 256, 128, 10),
            64,
            "Adam",
            {"torch": 2, "sklearn": 2},
            classes=True,
        ),
        Case(
            "wide",
            "784-1024-1024-10, Adam, batch 256, 2,560 rows",
            2560,
            (784, 1024, 1024, 10),
            256,
            "Adam",
            {"torch": 1.2, "peak": 0.60},
            classes=True,
        ),
        Case(
            "networks",
            "many 10-64-64-1, Adam, batch 32, 1,000 rows, 10 epochs each",
            1000,
            (10, 64, 64, 1),
            32,
            "Adam",
            {"torch": 50, "jax": 3},
            kind="networks",
        ),
        Case(
            "one-row",
            "prediction of one row, 50-128-128-2",
            1,
            (50, 128, 128, 2),
            1,
            "Adam",
            {"torch": 10, "us": 10},
            classes=True,
            kind="prediction",
        ),
    )
}
