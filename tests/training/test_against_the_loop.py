"""`fit` holds the weights that the explicit loop with a DataLoader holds, and leaves the same random state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin._core.errors import CaptureError
from fanin.optim import lr_scheduler as schedulers
from fanin.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)
from tests.training.by_hand import Setting, check_equal, default_state, fitted, loop

ENGINES = ["eager", "numpy", "native"]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}


def net(*middle: Any, out: int = 1) -> Any:
    return lambda: nn.Sequential(nn.Linear(3, 8), *[make() for make in middle], nn.Linear(8, out))


def adam(p: Any) -> Any:
    return torch.optim.Adam(p, lr=0.01)


def momentum(p: Any) -> Any:
    return torch.optim.SGD(p, lr=0.05, momentum=0.9)


SETTINGS = {
    "sgd": Setting(),
    "float64": Setting(dtype=torch.float64, epochs=20),
    "adam": Setting(optimizer=adam),
    "adam float64": Setting(optimizer=adam, dtype=torch.float64, epochs=20),
    "in sequence": Setting(shuffle=False),
    "ragged": Setting(rows=53, batch_size=8),
    "ragged, in sequence": Setting(rows=53, batch_size=8, shuffle=False),
    "drop last": Setting(rows=53, batch_size=8, drop_last=True),
    "drop last, in sequence": Setting(rows=53, batch_size=8, drop_last=True, shuffle=False),
    "one row": Setting(rows=20, batch_size=1, epochs=5, optimizer=lambda p: torch.optim.SGD(p, lr=0.01)),
    "all rows": Setting(batch_size=50),
    "more than all rows": Setting(batch_size=80),
    "own generator": Setting(seeded=True),
    "own generator, in sequence": Setting(seeded=True, shuffle=False),
    "own generator, ragged, float64": Setting(seeded=True, rows=47, dtype=torch.float64, optimizer=adam),
    "adamw": Setting(optimizer=lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1)),
    "rmsprop": Setting(optimizer=lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5)),
    "adagrad": Setting(optimizer=lambda p: torch.optim.Adagrad(p, lr=0.05)),
    "nadam": Setting(optimizer=lambda p: torch.optim.NAdam(p, lr=0.01)),
    "adafactor": Setting(optimizer=lambda p: torch.optim.Adafactor(p, lr=0.1, weight_decay=0.01), rows=53),
    "step schedule": Setting(scheduler=lambda o: schedulers.StepLR(o, 3, gamma=0.3)),
    "cosine schedule": Setting(optimizer=adam, scheduler=lambda o: schedulers.CosineAnnealingLR(o, 8)),
    "one cycle": Setting(
        optimizer=adam, scheduler=lambda o: schedulers.OneCycleLR(o, 0.05, total_steps=40), each_batch=True
    ),
    "cyclic": Setting(
        optimizer=momentum, scheduler=lambda o: schedulers.CyclicLR(o, 0.01, 0.1, step_size_up=7), each_batch=True
    ),
    "clipped": Setting(clip=0.1),
    "clipped adam": Setting(clip=0.5, optimizer=adam, rows=53),
    "batch norm": Setting(model=net(lambda: nn.BatchNorm1d(8), nn.ReLU), rows=53, batch_size=9),
    "layer norm": Setting(model=net(lambda: nn.LayerNorm(8), nn.GELU), optimizer=adam),
    "classes": Setting(model=net(nn.ReLU, out=4), loss=nn.CrossEntropyLoss(label_smoothing=0.1), classes=4),
    "classes, a function": Setting(model=net(nn.ReLU, out=4), loss=torch.nn.functional.cross_entropy, classes=4),
    "labels": Setting(model=net(nn.SiLU), loss=nn.BCEWithLogitsLoss(), labels=True, optimizer=adam),
    "summed": Setting(loss=nn.MSELoss(reduction="sum"), optimizer=lambda p: torch.optim.SGD(p, lr=0.002)),
    "own loss": Setting(loss=lambda output, target: ((output - target) ** 2).mean().sqrt()),
    "linear": Setting(model=lambda: nn.Linear(3, 1), loss=nn.HuberLoss()),
}


# Each of these is compiled once; the others are the same code with another rule or loss.
COMPILED = (
    "sgd",
    "adafactor",
    "adam float64",
    "ragged, in sequence",
    "drop last",
    "one row",
    "own generator, ragged, float64",
    "step schedule",
    "one cycle",
    "clipped adam",
    "batch norm",
    "classes",
    "labels",
)
CASES = [(name, engine) for name in SETTINGS for engine in ENGINES if engine != "native" or name in COMPILED]


@pytest.mark.parametrize(("name", "engine"), CASES)
def test_the_weights_are_those_of_the_loop(name: str, engine: str) -> None:
    setting = SETTINGS[name]
    expected, losses = loop(setting)
    state = default_state()
    actual, history = fitted(setting, engine=engine)
    check_equal(actual, expected, TOLERANCE[setting.dtype])
    assert default_state() == state
    np.testing.assert_allclose(history.losses, losses, rtol=1e-5)
    assert history.engine == engine


def test_another_order_is_seen() -> None:
    expected, _ = loop(Setting(shuffle=False))
    actual, _ = fitted(Setting(shuffle=True))
    with pytest.raises(AssertionError, match="off by"):
        check_equal(actual, expected, 1e-5)


def test_dropout_draws_what_the_loop_draws() -> None:
    setting = Setting(model=net(nn.ReLU, lambda: nn.Dropout(0.3)))
    expected, _ = loop(setting)
    state = default_state()
    actual, _ = fitted(setting, engine="eager")
    check_equal(actual, expected, 0.0)
    assert default_state() == state


def data(rows: int = 53) -> tuple[Any, Any]:
    torch.manual_seed(5)
    return torch.randn(rows, 3), torch.randn(rows, 1)


def run(train: Any, make_loader: Any, **options: Any) -> None:
    """Compare fit on `train()` with the loop over `make_loader()`."""
    results = []
    for by_hand in (True, False):
        torch.manual_seed(7)
        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        optimizer = adam(model.parameters())
        if by_hand:
            loader = make_loader()
            for _ in range(3):
                for x, y in loader:
                    optimizer.zero_grad()
                    nn.functional.mse_loss(model(x), y).backward()
                    optimizer.step()
        else:
            torch.fit(model, train(), nn.functional.mse_loss, optimizer, epochs=3, **options)
        results.append((model, default_state()))
    (expected, state), (actual, state_after) = results
    check_equal(actual, expected, 1e-6)
    assert state == state_after


x_, y_ = data()
table = TensorDataset(x_, y_)


class Squares(Dataset):
    def __len__(self) -> int:
        return 21

    def __getitem__(self, index: int) -> Any:
        value = torch.tensor([index / 10, 1.0, -index / 5])
        return value, value[:1] ** 2


class Stream(IterableDataset):
    def __iter__(self) -> Any:
        return iter([(x_[i], y_[i]) for i in range(13)])


LOADERS = {
    "a loader": lambda: DataLoader(table, batch_size=7, shuffle=True),
    "a loader of its own stream": lambda: DataLoader(
        table, batch_size=7, shuffle=True, generator=torch.Generator().manual_seed(1)
    ),
    "a subset": lambda: DataLoader(Subset(table, [5, 3, 50, 7, 1, 30]), batch_size=4, shuffle=True),
    "a random subset": lambda: DataLoader(table, batch_size=6, sampler=SubsetRandomSampler(range(30))),
    "weights": lambda: DataLoader(table, batch_size=6, sampler=WeightedRandomSampler([1.0] * 50 + [9.0] * 3, 40)),
    "with replacement": lambda: DataLoader(table, batch_size=6, sampler=RandomSampler(table, True, 45)),
    "own batches": lambda: DataLoader(
        table, batch_sampler=BatchSampler(RandomSampler(table), batch_size=10, drop_last=True)
    ),
    "listed batches": lambda: DataLoader(table, batch_sampler=[[0, 1, 2], [9, 8], [4, 5, 6]]),
    "rows made in Python": lambda: DataLoader(Squares(), batch_size=4, shuffle=True),
    "collated by hand": lambda: DataLoader(
        table, batch_size=5, collate_fn=lambda rows: tuple(torch.stack(part) for part in zip(*rows, strict=True))
    ),
    "a stream": lambda: DataLoader(Stream(), batch_size=4),
    "a list of batches": lambda: [(x_[:20], y_[:20]), (x_[20:], y_[20:])],
}


COMPILED_LOADERS = ("a subset", "weights", "with replacement", "listed batches", "a stream")


@pytest.mark.parametrize(
    ("name", "engine"),
    [(name, engine) for name in LOADERS for engine in ENGINES if engine != "native" or name in COMPILED_LOADERS],
)
def test_a_loader_is_taken_as_it_is(name: str, engine: str) -> None:
    run(LOADERS[name], LOADERS[name], engine=engine)


@pytest.mark.parametrize(("dataset", "size"), [(lambda: table, 7), (Squares, 5), (lambda: Subset(table, range(20)), 6)])
def test_a_dataset_is_put_into_a_loader(dataset: Any, size: int) -> None:
    run(dataset, lambda: DataLoader(dataset(), batch_size=size, shuffle=True), batch_size=size)


def test_a_stream_is_put_into_a_loader() -> None:
    run(Stream, lambda: DataLoader(Stream(), batch_size=5), batch_size=5)


def test_several_inputs_and_targets() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(2, 1), nn.Linear(1, 1)

        def forward(self, a: Any, b: Any) -> Any:
            return self.left(a), self.right(b)

    def both(output: Any, target: Any) -> Any:
        return ((output[0] - target[0]) ** 2 + (output[1] - target[1]).abs()).mean()

    results = []
    for by_hand in (True, False):
        torch.manual_seed(1)
        model = Two()
        a, b, c, d = torch.randn(30, 2), torch.randn(30, 1), torch.randn(30, 1), torch.randn(30, 1)
        optimizer = adam(model.parameters())
        if by_hand:
            for _ in range(2):
                for a_, b_, c_, d_ in DataLoader(TensorDataset(a, b, c, d), batch_size=8, shuffle=True):
                    optimizer.zero_grad()
                    both(model(a_, b_), (c_, d_)).backward()
                    optimizer.step()
        else:
            history = torch.fit(
                model, ((a, b), (c, d)), both, optimizer, epochs=2, batch_size=8, validation=((a, b), (c, d))
            )
            assert len(history.validation_losses) == 2
        results.append(model)
    check_equal(results[1], results[0], 1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_clipping_is_of_what_the_optimiser_changes(engine: str) -> None:
    """A parameter that it does not hold has a gradient, too: it neither counts, nor adds up from step to step."""
    setting = Setting(dtype=torch.float64)
    (hand, x, y), (model, _, _) = setting.prepare(), setting.prepare()
    optimizer = torch.optim.SGD(hand[2].parameters(), lr=0.1)
    for _ in range(3):
        for rows in torch.arange(len(x)).split(16):
            optimizer.zero_grad()
            nn.functional.mse_loss(hand(x[rows]), y[rows]).backward()
            nn.utils.clip_grad_norm_(hand[2].parameters(), 0.05)
            optimizer.step()
    torch.fit(
        model,
        (x, y),
        nn.MSELoss(),
        torch.optim.SGD(model[2].parameters(), lr=0.1),
        epochs=3,
        batch_size=16,
        shuffle=False,
        clip_grad_norm=0.05,
        engine=engine,
    )
    check_equal(model, hand, 1e-9)


def test_lbfgs_is_given_a_closure() -> None:
    results = []
    for by_hand in (True, False):
        model, x, y = Setting().prepare()
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=5)
        if by_hand:

            def closure(model: Any = model, x: Any = x, y: Any = y, optimizer: Any = optimizer) -> Any:
                optimizer.zero_grad()
                loss = nn.functional.mse_loss(model(x), y)
                loss.backward()
                return loss

            for _ in range(3):
                optimizer.step(closure)
        else:
            torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=3, batch_size=50, shuffle=False)
        results.append(model)
    check_equal(results[1], results[0], 1e-6)
    with pytest.raises(CaptureError, match="a step of LBFGS evaluates the loss as often as it needs"):
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, engine="native")


def test_plateau_is_given_the_validation_loss() -> None:
    model, x, y = Setting().prepare()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    plateau = schedulers.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=10.0, threshold_mode="abs")
    history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=4, validation=(x, y), scheduler=plateau)
    assert plateau.best == history.validation_losses[0]
    assert history.rates == [0.1, 0.1, 0.05, 0.025]


def test_validation_changes_nothing() -> None:
    expected, _ = loop(Setting(model=net(lambda: nn.BatchNorm1d(8), nn.ReLU)))
    state = default_state()
    setting = Setting(model=net(lambda: nn.BatchNorm1d(8), nn.ReLU))
    _, x, y = setting.prepare()
    actual, _ = fitted(setting, validation=(x, y), metrics=["mae", "r2"])
    check_equal(actual, expected, 1e-6)
    assert default_state() == state
