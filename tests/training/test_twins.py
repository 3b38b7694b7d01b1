"""A step that is used again for another network of the same structure is the step that would be captured anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.training.engines import graph, twins
from fanin.training.engines.engine import Task
from fanin.training.engines.structure import Structure
from fanin.training.engines.twins import Known
from fanin.training.source import Batch, Source
from tests.training.by_hand import Setting, default_state, weights

MODELS: dict[str, Callable[[], Any]] = {
    "linear": lambda: nn.Linear(3, 2),
    "deep": lambda: nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 6, bias=False), nn.GELU(), nn.Linear(6, 2)),
    "random": lambda: nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.4), nn.ELU(0.5), nn.Linear(8, 2)),
    "normalised": lambda: nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.LayerNorm(8), nn.Linear(8, 2)),
    "nested": lambda: nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.PReLU()), nn.Sequential(nn.Linear(3, 2))),
}
OPTIMIZERS: dict[str, Callable[[Any, float], Any]] = {
    "sgd": lambda p, lr: torch.optim.SGD(p, lr=lr),
    "momentum": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9, nesterov=True),
    "adam": lambda p, lr: torch.optim.Adam(p, lr=lr),
    "adamw": lambda p, lr: torch.optim.AdamW(p, lr=lr, amsgrad=True),
    "nadam": lambda p, lr: torch.optim.NAdam(p, lr=lr),
    "radam": lambda p, lr: torch.optim.RAdam(p, lr=lr),
    "rmsprop": lambda p, lr: torch.optim.RMSprop(p, lr=lr, centered=True),
    "adagrad": lambda p, lr: torch.optim.Adagrad(p, lr=lr),
    "adafactor": lambda p, lr: torch.optim.Adafactor(p, lr=lr),
}


class Own(nn.Module):
    """A module of a user's, whose code may read anything."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Any) -> Any:
        return self.layer(x)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Known:
    """Return an empty memory of steps."""
    empty = Known()
    monkeypatch.setattr(graph, "known", empty)
    return empty


def trained(
    make: Callable[[], Any],
    optimizer: Callable[[Any, float], Any],
    seed: int,
    lr: float = 0.01,
    loss: Any = None,
    epochs: int = 4,
    change: Callable[[Any], None] = lambda model: None,
    **options: Any,
) -> tuple[Any, ...]:
    """Train a network of a seed, and return everything that must agree."""
    torch.manual_seed(seed)
    x, y = torch.randn(43, 3), torch.randn(43, 2)
    model = make()
    change(model)
    made = optimizer(model.parameters(), lr)
    history = torch.fit(
        model, (x, y), loss or nn.MSELoss(), made, epochs=epochs, batch_size=10, engine="native", **options
    )
    state = made.state_dict()["state"]
    held = {i: {k: np.array(v.detach().numpy()) for k, v in s.items() if v is not None} for i, s in state.items()}
    return weights(model), held, history.losses, default_state()


def check_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    np.testing.assert_equal(one[:2], other[:2])
    assert one[2:] == other[2:]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_models(model: str, optimizer: str, known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(MODELS[model], OPTIMIZERS[optimizer], known, monkeypatch)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(optimizer: str, known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(MODELS["linear"], OPTIMIZERS[optimizer], known, monkeypatch)


def compare(make: Any, optimizer: Any, known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(make, optimizer, 1)
    assert known.used == 0
    again = trained(make, optimizer, 2, lr=0.02)
    assert known.used >= 2  # both sizes of a batch
    monkeypatch.setattr(graph, "known", Known())
    check_same(again, trained(make, optimizer, 2, lr=0.02))


def test_the_same_network_again(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run goes on with the optimiser's state; it has another key than a fresh one."""
    found = []
    for memory in (known, None):
        monkeypatch.setattr(graph, "known", memory or Known())
        model, x, y = Setting().prepare()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(3):
            if memory is None:
                monkeypatch.setattr(graph, "known", Known())
            torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=2, batch_size=10, engine="native")
        found.append(weights(model))
    np.testing.assert_equal(*found)
    assert known.used >= 1


CHANGES: dict[str, Callable[[Any], None]] = {
    "frozen": lambda m: m[0].requires_grad_(False),
    "slope": lambda m: setattr(m[1], "negative_slope", 0.3),
    "number kind": lambda m: setattr(m[1], "negative_slope", 1),
    "layer": lambda m: m.__setitem__(1, nn.ReLU()),
    "tied": lambda m: setattr(m[2], "weight", m[0].weight),
    "dtype": lambda m: m.double().float()[0].register_buffer("more", torch.zeros(1)),
    "hook": lambda m: m[0].register_forward_hook(lambda module, args, out: out * 2) and None,
    "own": lambda m: m.__setitem__(3, Own()),
    "override": lambda m: setattr(m[1], "forward", lambda x: x),
    "order in memory": lambda m: setattr(m[0].weight, "data", m[0].weight.detach().t().contiguous().t()),
    "gradient": lambda m: setattr(m[0].weight, "grad", torch.ones(3, 3)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_differs_is_captured_anew(change: str, known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> Any:
        return nn.Sequential(nn.Linear(3, 3), nn.LeakyReLU(0.1), nn.Linear(3, 3), nn.Linear(3, 2))

    trained(make, OPTIMIZERS["adam"], 1, epochs=1)
    used = known.used
    result = trained(make, OPTIMIZERS["adam"], 2, epochs=1, change=CHANGES[change])
    assert known.used == used
    monkeypatch.setattr(graph, "known", Known())
    check_same(result, trained(make, OPTIMIZERS["adam"], 2, epochs=1, change=CHANGES[change]))


@contextmanager
def doubles() -> Iterator[None]:
    """Make what is made of numbers double."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("around", [doubles, torch.no_grad, torch.inference_mode])
def test_what_is_around_a_step_is_part_of_its_key(around: Callable[[], Any]) -> None:
    """A capture may depend on it anywhere: a tensor that a loss makes of a number has the default dtype."""
    model = MODELS["linear"]()
    task = Task(model, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.1), Source([]))
    usual = Structure(task).key
    assert usual == Structure(task).key is not None
    with around():
        assert Structure(task).key != usual


def test_what_a_batch_is_tells_its_step_from_others() -> None:
    model = MODELS["linear"]()
    found = Structure(Task(model, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.1), Source([])))
    x, y = torch.ones(4, 3), torch.ones(4, 2)
    batches = [
        Batch((x,), y, 4),
        Batch((x[:3],), y[:3], 3),
        Batch((x.double(),), y, 4),
        Batch((x,), y.clone().requires_grad_(), 4),  # whose gradient is a result of the step
        Batch((x,), x, 4),  # the same tensor twice
        Batch((x,), (y,), 4),
        Batch((x, y), y.clone(), 4),
    ]
    kinds = [found.with_batch(batch) for batch in batches]
    assert None not in kinds
    assert len(set(kinds)) == len(kinds)
    assert found.with_batch(Batch((torch.zeros(4, 3),), torch.zeros(4, 2), 4)) == kinds[0]
    assert found.with_batch(Batch((x,), model.bias, 4)) is None  # a part of the network


def test_hooks_of_all_modules(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(MODELS["linear"], OPTIMIZERS["sgd"], 1)
    handle = nn.modules.module.register_module_forward_hook(lambda module, args, out: out * 2)
    try:
        hooked = trained(MODELS["linear"], OPTIMIZERS["sgd"], 2, loss=torch.nn.functional.mse_loss)
        assert known.used == 0
    finally:
        handle.remove()
    assert hooked[2] != trained(MODELS["linear"], OPTIMIZERS["sgd"], 2, loss=torch.nn.functional.mse_loss)[2]


def test_options_of_the_step_count(known: Known) -> None:
    make, optimizer = MODELS["linear"], OPTIMIZERS["sgd"]
    trained(make, optimizer, 1)
    trained(make, optimizer, 2, clip_grad_norm=0.1)
    trained(make, optimizer, 2, loss=nn.L1Loss())
    trained(make, optimizer, 2, loss=nn.MSELoss(reduction="sum"))
    trained(make, OPTIMIZERS["momentum"], 2)
    trained(make, lambda p, lr: torch.optim.SGD(p, lr=lr, maximize=True), 2)
    trained(make, optimizer, 2, loss=lambda output, target: (output - target).abs().mean())
    assert known.used == 0


def test_a_number_that_decides_what_is_computed(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    """Momentum and decay are numbers; whether they are 0 makes another graph."""
    make = MODELS["linear"]
    makers = [lambda p, lr, d=d: torch.optim.SGD(p, lr=lr, weight_decay=d) for d in (0.0, 0.1, 0.3)]
    found = [trained(make, maker, 2) for maker in makers]
    for maker, result in zip(makers, found, strict=True):
        monkeypatch.setattr(graph, "known", Known())
        check_same(trained(make, maker, 2), result)
    assert known.used >= 2


def test_losses_with_weights_of_classes(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(weight: list[float]) -> Any:
        torch.manual_seed(4)
        model, x, y = nn.Linear(3, 2), torch.randn(40, 3), torch.randint(0, 2, (40,))
        loss = nn.CrossEntropyLoss(weight=torch.tensor(weight))
        torch.fit(model, (x, y), loss, torch.optim.SGD(model.parameters(), lr=0.1), batch_size=10, engine="native")
        return weights(model)

    run([1.0, 1.0])
    again = run([1.0, 5.0])
    assert known.used == 1
    monkeypatch.setattr(graph, "known", Known())
    np.testing.assert_equal(again, run([1.0, 5.0]))


def test_a_wrong_place_would_be_seen(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> Any:
        return nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2))

    trained(make, OPTIMIZERS["sgd"], 1)
    right = trained(make, OPTIMIZERS["sgd"], 2)
    seats = twins.Seating.seats

    def swapped(seating: Any, structure: Any, *rest: Any) -> Any:
        first, bias, second, *others = structure.tensors
        structure.tensors = [second, bias, first, *others]
        return seats(seating, structure, *rest)

    monkeypatch.setattr(twins.Seating, "seats", swapped)
    with pytest.raises(AssertionError):
        check_same(trained(make, OPTIMIZERS["sgd"], 2), right)


def test_a_parameter_that_is_given_another_shape(known: Known) -> None:
    """The counter of changes does not see it, but the memory is looked at."""
    found = []
    for engine in ("eager", "native"):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
        x, y = torch.randn(20, 3).double(), torch.randn(20, 2).double()

        def widen(training: Any) -> None:
            if training.epoch == 2:
                first, second = training.model[0], training.model[2]
                first.weight.data, first.bias.data = torch.ones(6, 3).double(), torch.zeros(6).double()
                second.weight.data = torch.ones(2, 6).double() * 0.1

        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=4, batch_size=8, engine=engine, callbacks=widen)
        found.append(weights(model))
    for name, value in found[0].items():
        np.testing.assert_allclose(found[1][name], value, rtol=1e-9)


def test_networks_are_let_go() -> None:
    """At once: a search makes thousands, and a collection of garbage has to look through all that are still used."""
    import gc
    import weakref

    for epochs in (1, 12, 12):
        model, x, y = Setting().prepare()
        optimizer = torch.optim.Adam(model.parameters())
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=epochs, batch_size=10, engine="native")
        alive = weakref.ref(model), weakref.ref(optimizer)
        gc.collect() if epochs == 1 else gc.disable()  # a capture may leave circles
        del model, optimizer
        gc.enable()
        assert [one() for one in alive] == [None, None]
