"""Steps that take all rows as they lie fetch none, and are the same steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin.compiler.graph import DATA, Graph, Value
from fanin.compiler.native.epochs import Epochs, standing
from fanin.compiler.passes.fingerprint import fingerprint
from fanin.ops.reduce import sum_
from fanin.training.engines import pool
from fanin.training.engines.native import NativeProgram

ROWS = 200


def trained(
    x: Any, y: Any, *, engine: str = "native", epochs: int = 30, **options: Any
) -> tuple[list[float], list[Any]]:
    """Return the losses and the weights."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3)).double()
    rule = torch.optim.Adam(net.parameters(), lr=0.01)
    options = {"batch_size": ROWS, "shuffle": False, "progress": False, **options}
    history = torch.fit(net, (x, y), torch.nn.MSELoss(), rule, epochs=epochs, engine=engine, **options)
    return history.losses, [p.detach().numpy() for p in net.parameters()]


@pytest.fixture
def data() -> tuple[Any, Any]:
    return torch.randn(ROWS, 4, dtype=torch.float64), torch.randn(ROWS, 3, dtype=torch.float64)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return, of each piece of code that is asked for, whether it is for whole batches; none is left from before."""
    monkeypatch.setattr(pool.idle, "_idle", [])
    found: list[bool] = []
    before = Epochs.__init__

    def init(self: Epochs, *args: Any, **options: Any) -> None:
        before(self, *args, **options)
        found.append(self.whole)

    monkeypatch.setattr(Epochs, "__init__", init)
    return found


def assert_same(one: Any, other: Any) -> None:
    np.testing.assert_allclose(one[0], other[0], rtol=1e-10)
    for a, b in zip(one[1], other[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("callbacks", [(), (lambda _: None,)], ids=["epochs in blocks", "epochs one by one"])
def test_it_is_the_loop(data: Any, made: list[bool], callbacks: Any) -> None:
    assert_same(trained(*data, callbacks=callbacks), trained(*data, engine="eager"))
    assert made == [True]


def test_a_batch_size_beyond_the_rows(data: Any, made: list[bool]) -> None:
    assert trained(*data, batch_size=ROWS + 7)[0] == trained(*data)[0]
    assert made == [True]


def test_other_rows_with_the_same_code(data: Any, made: list[bool]) -> None:
    trained(*data)
    x, y = data[0] * 2, data[1] + 1
    assert_same(trained(x, y), trained(x, y, engine="eager"))
    assert made == [True]
    x[0] = 100.0  # in place: the code reads the tensor's own memory
    assert_same(trained(x, y), trained(x, y, engine="eager"))


@pytest.mark.parametrize("options", [{"shuffle": True}, {"batch_size": ROWS // 2}], ids=["shuffled", "two batches"])
def test_what_has_another_order_is_fetched(data: Any, made: list[bool], options: dict[str, Any]) -> None:
    assert_same(trained(*data, **options), trained(*data, engine="eager", **options))
    assert made == [False]


def test_a_subset_is_fetched(made: list[bool], data: Any) -> None:
    chosen = torch.utils.data.Subset(torch.utils.data.TensorDataset(*data), list(range(ROWS))[::-1])
    results = []
    for engine in ("native", "eager"):
        torch.manual_seed(0)
        net = torch.nn.Linear(4, 3).double()
        rule = torch.optim.SGD(net.parameters(), lr=0.1)
        loader = torch.utils.data.DataLoader(chosen, batch_size=ROWS)
        history = torch.fit(net, loader, torch.nn.MSELoss(), rule, epochs=5, engine=engine, progress=False)
        results.append((history.losses, [p.detach().numpy() for p in net.parameters()]))
    assert_same(*results)
    assert made == [False]


def test_code_for_whole_batches_is_not_taken_for_that_of_one_step() -> None:
    x = Value((ROWS, 4), np.float64, role=DATA)
    graph = Graph((x,), (), outputs=(sum_(x, dim=(0, 1), keepdim=False),))
    assert fingerprint(standing(graph)) != fingerprint(graph)
    assert fingerprint(standing(graph)) == fingerprint(standing(graph))


@pytest.mark.parametrize(("most", "kept"), [(0, False), (1 << 20, True)])
def test_copies_wait_for_the_next_run_unless_they_are_large(
    data: Any, made: list[bool], most: int, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_MOST_COPIED", most)
    monkeypatch.setattr(NativeProgram, "stops", False)  # as of a step that changes the state before it knows the loss
    trained(*data, callbacks=(lambda _: None,))
    ((_, epochs),) = pool.idle._idle
    assert any(copy is not None for copy in epochs.copies) is kept
    before = list(epochs.copies)
    assert_same(trained(*data, callbacks=(lambda _: None,)), trained(*data, engine="eager"))
    assert all(copy is again for copy, again in zip(before, epochs.copies, strict=True))


def test_code_that_goes_on_after_a_bad_loss_is_not_taken_for_code_that_stops(data: Any, made: list[bool]) -> None:
    trained(*data)
    ((_, epochs),) = pool.idle._idle
    assert epochs.watched
    (key, _), held = pool.idle._idle[0], pool.Pool()
    epochs.watched = False
    graph = next(graph for graph, _ in pool.idle._identities.values() if pool.idle._identity(graph) == key[0])
    arrays = [t._array for t in data]
    held.give(graph, arrays, 0, epochs)
    assert held.take(graph, arrays, 0, epochs.whole, watched=True) is not epochs
    held.give(graph, arrays, 0, epochs)
    assert held.take(graph, arrays, 0, epochs.whole, watched=False) is epochs
