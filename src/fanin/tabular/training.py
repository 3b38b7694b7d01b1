"""Train a table's network and keep the best epoch, as the validation rows judge it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import fanin
from fanin import Tensor, nn, optim
from fanin._core.errors import ArgumentError, OperationError
from fanin.tabular.columns import Encoded
from fanin.tabular.network import Architecture, TableNetwork, as_tensors, outputs_of
from fanin.tabular.seeding import seeded
from fanin.tabular.target import Task
from fanin.tabular.threads import blas_threads
from fanin.utils.data import DataLoader, TensorDataset

SCALE_RATE = 6.0  # the factors per input learn faster than the weights (RealMLP, arXiv 2407.04491, section 3)


@dataclass(frozen=True)
class Settings:
    """How to train; `defaults` chooses by the size of the table."""

    hidden: tuple[int, ...]
    activation: str
    dropout: float
    epochs: int
    batch_size: int
    rate: float
    weight_decay: float
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_size, self.threads, *self.hidden, len(self.hidden)) < 1:
            raise ArgumentError("epochs, batch size, threads and the widths of the hidden layers must be 1 or more")
        if not 0 <= self.dropout < 1:
            raise ArgumentError(f"dropout must lie in [0, 1), not {self.dropout}")
        if not 0 < self.rate < math.inf:
            raise ArgumentError(f"the learning rate must be positive, not {self.rate}")


@dataclass(frozen=True)
class Part:
    """Rows ready for the network: inputs, and the target as class indices (N,) or standardised numbers (N, 1)."""

    encoded: Encoded
    target: NDArray[np.int64] | NDArray[np.float32]


@dataclass(frozen=True)
class Epoch:
    """What one epoch ended with."""

    number: int
    training_loss: float
    validation_loss: float
    rate: float


@dataclass(frozen=True)
class Fitted:
    """A trained network at its best epoch, and how it came there."""

    network: TableNetwork
    history: tuple[Epoch, ...]
    best: Epoch
    seconds: float
    interrupted: bool


class Progress(Protocol):
    """What training tells while it runs; every method may do nothing."""

    def step(self, done: int, total: int, epoch: int, loss: float, rate: float) -> None:
        """After every step: how many of `total` are done, and the loss and learning rate of this one."""

    def epoch(self, epoch: Epoch, best: Epoch) -> None:
        """After every epoch."""


class Silent:
    """Progress that says nothing."""

    def step(self, done: int, total: int, epoch: int, loss: float, rate: float) -> None:
        """Do nothing."""

    def epoch(self, epoch: Epoch, best: Epoch) -> None:
        """Do nothing."""


def defaults(task: Task, rows: int, seed: int = 0) -> Settings:
    """Choose settings for `rows` training rows, as found good on public tables of 300 to 54,000 rows.

    With few rows a network learns them by heart within a few epochs: there it is smaller, learns slower, and decays and
    drops more.
    """
    hidden: tuple[int, ...] = (128, 128, 128)
    weight_decay = 0.1
    if rows < 1_000:
        hidden, dropout, rate, weight_decay = (32, 32), 0.2, 1e-3, 2.0
    elif rows < 5_000:
        dropout, rate = 0.2, 2e-3
    elif task == "classes":
        dropout, rate = 0.1, 1e-2
    else:
        dropout, rate = 0.0, 4e-3
    epochs = min(100, max(8, 1_200_000 // rows))
    return Settings(hidden, "silu", dropout, epochs, _batch_size(rows), rate, weight_decay, seed)


def _batch_size(rows: int) -> int:
    """Return the power of two that cuts an epoch into 8 steps or more, between 16 and 256."""
    eighth = max(1, rows // 8)
    return max(16, min(256, 1 << (eighth.bit_length() - 1)))


def train_network(
    architecture: Architecture, settings: Settings, task: Task, train: Part, validation: Part, progress: Progress
) -> Fitted:
    """Train with AdamW, and a learning rate that rises for a sixth of the steps and falls along a cosine.

    Ctrl-C ends training early, and the best epoch so far is returned; where there is none, KeyboardInterrupt goes on.
    Raises OperationError when the loss is not finite.
    """
    with seeded(settings.seed), blas_threads(settings.threads):
        return _train(_Run(TableNetwork(architecture), settings, task, train, validation), progress)


def _train(run: _Run, progress: Progress) -> Fitted:
    started = time.perf_counter()
    interrupted = False
    try:
        for epoch in run.epochs(progress):
            progress.epoch(epoch, run.best)
    except KeyboardInterrupt:
        if not run.history:
            raise
        interrupted = True
    run.network.load_state_dict(run.best_state)
    run.network.eval()
    return Fitted(run.network, tuple(run.history), run.best, time.perf_counter() - started, interrupted)


class _Run:
    """The state of one training: network, optimiser, schedule, and the best epoch so far."""

    def __init__(self, network: TableNetwork, settings: Settings, task: Task, train: Part, validation: Part) -> None:
        self.network, self.settings = network, settings
        self.loss = nn.CrossEntropyLoss() if task == "classes" else nn.MSELoss()
        rows = TensorDataset(*as_tensors(train.encoded), fanin.from_numpy(train.target))
        self.batches = DataLoader(rows, min(settings.batch_size, len(rows)), shuffle=True, drop_last=True)
        self.validation = (*as_tensors(validation.encoded), fanin.from_numpy(validation.target))
        self.optimiser = _optimiser(network, settings)
        self.schedule = optim.lr_scheduler.LambdaLR(self.optimiser, self._rate_factor)
        self._compiled_step = fanin.compile(self._update)
        self.history: list[Epoch] = []
        self.best_state: dict[str, Tensor] = {}

    @property
    def best(self) -> Epoch:
        return min(self.history, key=lambda epoch: epoch.validation_loss)

    def epochs(self, progress: Progress) -> Iterator[Epoch]:
        for number in range(1, self.settings.epochs + 1):
            training_loss = self._epoch(number, progress)
            epoch = Epoch(number, training_loss, self._judge(), self.optimiser.param_groups[0]["lr"])
            if not math.isfinite(epoch.training_loss + epoch.validation_loss):
                raise OperationError(f"training diverged in epoch {number} (the loss is not finite); lower --rate")
            state = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
            # The state first: should Ctrl-C come between the two lines, the history still names a state that was kept.
            if not self.history or epoch.validation_loss < self.best.validation_loss:
                self.best_state = state
            self.history.append(epoch)
            yield epoch

    def _epoch(self, number: int, progress: Progress) -> float:
        """One pass over the training rows in a random order; a last batch that is not full is left out."""
        total = 0.0
        steps = len(self.batches)
        for step, batch in enumerate(self.batches, (number - 1) * steps + 1):
            loss = self._step(*batch)
            total += loss
            progress.step(step, self.settings.epochs * steps, number, loss, self.optimiser.param_groups[0]["lr"])
        return total / steps

    def _step(self, numbers: Tensor, codes: Tensor, target: Tensor) -> float:
        loss = self._compiled_step(numbers, codes, target)
        self.schedule.step()
        return float(loss.item())

    def _update(self, numbers: Tensor, codes: Tensor, target: Tensor) -> Tensor:
        self.optimiser.zero_grad()
        loss: Tensor = self.loss(self.network(numbers, codes), target)
        loss.backward()
        self.optimiser.step()
        detached: Tensor = loss.detach()
        return detached

    def _judge(self) -> float:
        numbers, codes, target = self.validation
        outputs = fanin.from_numpy(outputs_of(self.network, numbers, codes))
        return float(self.loss(outputs, target).item())

    def _rate_factor(self, step: int) -> float:
        return one_cycle((step + 0.5) / (self.settings.epochs * len(self.batches)))


def one_cycle(time: float, warm: float = 0.15) -> float:
    """Return the factor of the learning rate at `time` in [0, 1]: a linear rise over `warm`, then a cosine to 0.

    >>> [round(one_cycle(time), 3) for time in (0.0, 0.15, 0.575, 1.0)]
    [0.04, 1.0, 0.5, 0.0]
    """
    if time < warm:
        return 0.04 + 0.96 * time / warm
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (time - warm) / (1 - warm))))


def _optimiser(network: TableNetwork, settings: Settings) -> optim.Optimizer:
    """AdamW, decaying the matrices only: a bias or a factor that decays to 0 makes nothing simpler."""
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim == 1 and p is not network.scale]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors},
        {"params": [network.scale], "lr": settings.rate * SCALE_RATE},
    ]
    return optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.99), weight_decay=0.0)
