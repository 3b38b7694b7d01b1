"""The explicit loop that `fit` is measured by, and the problems both are given."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import fanin as torch
from fanin import nn
from fanin.utils.data import DataLoader, TensorDataset


@dataclass
class Setting:
    """One way to train: the same for the loop and for fit."""

    model: Callable[[], Any] = lambda: nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    loss: Any = field(default_factory=nn.MSELoss)
    optimizer: Callable[[Any], Any] = lambda p: torch.optim.SGD(p, lr=0.05)
    dtype: Any = torch.float32
    rows: int = 50
    epochs: int = 8
    batch_size: int = 10
    shuffle: bool = True
    drop_last: bool = False
    seeded: bool = False  # whether the order comes from an explicit generator
    scheduler: Callable[[Any], Any] | None = None
    each_batch: bool = False
    clip: float | None = None
    classes: int = 0
    labels: bool = False

    def prepare(self) -> tuple[Any, Any, Any]:
        """Return a model and its data, from a fixed seed; the default generator stands where a loop finds it."""
        torch.manual_seed(3)
        x = torch.randn(self.rows, 3, dtype=self.dtype)
        if self.classes:
            y = torch.randint(0, self.classes, (self.rows,))
        elif self.labels:
            y = (torch.rand(self.rows, 1) > 0.5).to(self.dtype)
        else:
            y = (x[:, :1] * 2 - x[:, 1:2] ** 2) + 0.1 * torch.randn(self.rows, 1, dtype=self.dtype)
        return self.model().to(self.dtype), x, y

    def generator(self) -> Any:
        return torch.Generator().manual_seed(11) if self.seeded else None


def loop(setting: Setting) -> tuple[Any, list[float]]:
    """Train by hand; return the model and the mean loss of each epoch."""
    model, x, y = setting.prepare()
    optimizer = setting.optimizer(model.parameters())
    scheduler = setting.scheduler(optimizer) if setting.scheduler else None
    loader = DataLoader(
        TensorDataset(x, y),
        batch_size=setting.batch_size,
        shuffle=setting.shuffle,
        drop_last=setting.drop_last,
        generator=setting.generator(),
    )
    means = []
    for _ in range(setting.epochs):
        total = rows = 0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = setting.loss(model(xb), yb)
            loss.backward()
            if setting.clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), setting.clip)
            optimizer.step()
            if scheduler is not None and setting.each_batch:
                scheduler.step()
            total, rows = total + loss.item() * len(xb), rows + len(xb)
        means.append(total / rows)
        if scheduler is not None and not setting.each_batch:
            scheduler.step()
    return model, means


def fitted(setting: Setting, **options: Any) -> tuple[Any, Any]:
    """Train with fit; return the model and the history."""
    model, x, y = setting.prepare()
    optimizer = setting.optimizer(model.parameters())
    scheduler = setting.scheduler(optimizer) if setting.scheduler else None
    history = torch.fit(
        model,
        (x, y),
        setting.loss,
        optimizer,
        epochs=setting.epochs,
        batch_size=setting.batch_size,
        shuffle=setting.shuffle,
        drop_last=setting.drop_last,
        generator=setting.generator(),
        scheduler=scheduler,
        clip_grad_norm=setting.clip,
        **options,
    )
    return model, history


def weights(model: Any) -> dict[str, Any]:
    """Return a copy of all parameters and buffers."""
    return {name: np.array(tensor.detach().numpy()) for name, tensor in copy.deepcopy(model).state_dict().items()}


def check_equal(actual: Any, expected: Any, tolerance: float) -> None:
    """Raise AssertionError where the weights of two models differ by more than a tolerance, relative to the largest."""
    a, b = weights(actual), weights(expected)
    assert a.keys() == b.keys()
    for name, value in b.items():
        scale = max(float(np.abs(value).max()), 1e-30)
        worst = float(np.abs(a[name] - value).max()) / scale
        assert worst <= tolerance, f"{name}: off by {worst:.3g} of {scale:.3g}"


def default_state() -> bytes:
    """Return the state of the default generator."""
    return bytes(torch.get_rng_state().numpy().tobytes())
