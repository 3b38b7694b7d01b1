"""A step that meets an index out of range, or a loss that is not finite, is left with nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.compiler.capture import capture
from fanin.compiler.native import module
from fanin.compiler.native.epochs import Epochs
from fanin.compiler.native.executable import Executable
from fanin.compiler.native.leaving import exit_of

F = nn.functional
ROWS = 2048


def mlp(widths: tuple[int, ...], *more: Any) -> nn.Module:
    torch.manual_seed(0)
    layers: list[Any] = [*more]
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


# Networks with a loss, and the rows of a batch: one lane, lanes that stream, lanes that do not, a loss that is known
# only in the level that changes the state.
KINDS: dict[str, tuple[tuple[int, ...], bool, int]] = {
    "one lane": ((3, 4), True, 8),
    "small batches": ((10, 64, 64, 1), False, 32),
    "in blocks": ((50, 128, 128, 2), True, 256),
    "in blocks, squares": ((4, 32, 16, 4), False, 512),
    "wide": ((64, 512, 512, 4), True, 256),
}


def step_of(net: Any, loss: Callable[[Any, Any], Any], optimizer: Any) -> Callable[[Any, Any], Any]:
    """Return one step of training as a function."""

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        found = loss(net(x), y)
        found.backward()
        optimizer.step()
        optimizer.zero_grad()
        return found.detach()

    return step


def built(kind: str) -> tuple[Epochs, Any, list[Any], list[Any]]:
    """Return the code for many steps, the captured step, the arrays of its state, and those of the data."""
    widths, classes, batch = KINDS[kind]
    net = mlp(widths)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    loss = F.cross_entropy if classes else F.mse_loss
    x = torch.randn(ROWS, widths[0])
    y = torch.randint(0, widths[-1], (ROWS,)) if classes else torch.randn(ROWS, widths[-1])
    captured = capture(step_of(net, loss, optimizer), (x[:batch], y[:batch]), {})
    epochs = Epochs(captured.graph, [x._array, y._array], captured.outputs[0].index)
    return epochs, captured, [t._array for t in captured.state_tensors], [x._array, y._array]


def run(kind: str, steps: int, threads: int, spoil: Callable[[list[Any], int], None] | None = None) -> Any:
    """Take steps, the rows of the fourth of which may be spoilt; return the state, the losses, and the code."""
    epochs, captured, state, data = built(kind)
    batch = KINDS[kind][2]
    if spoil is not None:
        spoil(data, 3 * batch % ROWS + batch // 2)
    order = np.arange(steps * batch) % ROWS
    code = epochs.executable
    code.pace.choose = lambda most, left: (most, left)  # type: ignore[method-assign]
    losses = epochs.run(order, state, captured.scalars.table(steps), threads=threads)
    return [a.copy() for a in state], losses, code


def without_number(data: list[Any], row: int) -> None:
    data[0][row, 0] = np.nan


def without_class(data: list[Any], row: int) -> None:
    data[1][row] = 77


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_the_run_ends_before_a_loss_that_is_not_finite(kind: str, threads: int) -> None:
    expected, losses, _ = run(kind, 3, threads)
    found, more, code = run(kind, 6, threads, without_number)
    assert code.stops
    assert code.taken == 3
    np.testing.assert_array_equal(more[:3], losses)
    assert np.isnan(more[3])
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", [kind for kind, (_, classes, _) in KINDS.items() if classes])
def test_the_run_ends_before_a_class_that_does_not_exist(kind: str, threads: int) -> None:
    expected, _, _ = run(kind, 3, threads)
    epochs, captured, state, data = built(kind)
    batch = KINDS[kind][2]
    without_class(data, 3 * batch % ROWS + batch // 2)
    with pytest.raises(IndexError):
        epochs.run(np.arange(6 * batch) % ROWS, state, captured.scalars.table(6), threads=threads)
    assert epochs.executable.taken == 3
    for a, b in zip(state, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    data[1][:] = 0
    epochs.run(np.arange(batch), state, captured.scalars.table(1), threads=threads)
    assert epochs.executable.taken == 1


def test_a_finite_run_takes_all_steps() -> None:
    _, losses, code = run("small batches", 6, 1)
    assert code.taken == 6
    assert np.isfinite(losses).all()


def trained(wrong: int | None, kind: Callable[[], nn.Module], threads: int) -> list[Any]:
    """Take two steps with a compiled function, between which one may fail; return all that training changes."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = kind()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    step = torch.compile(step_of(net, F.cross_entropy, optimizer), engine="native")
    x, y = torch.randint(0, 9, (300, 4)), torch.randint(0, 3, (300,))
    step(x, y)
    for data, value in ((x, wrong), (y, wrong)):
        if wrong is not None:
            spoilt = data.clone()
            spoilt[-1] = value
            with pytest.raises(IndexError):
                step(*(spoilt if t is data else t for t in (x, y)))
    step(x, y)
    moments = [v for held in optimizer.state.values() for v in held.values()]
    return [t.detach().numpy().copy() for t in (*net.parameters(), *moments)]


def words() -> nn.Module:
    return nn.Sequential(nn.Embedding(9, 16), nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))


class TwoTables(nn.Module):
    """Two embeddings of the same indices: one derivative looks at them after the other's weights have changed."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Embedding(9, 16), nn.Embedding(9, 8)
        self.hidden, self.out = nn.Linear(96, 64), nn.Linear(64, 3)

    def forward(self, x: Any) -> Any:
        """Return logits (rows, 3) of indices (rows, 4)."""
        return self.out(F.relu(self.hidden(torch.cat([self.one(x), self.other(x)], -1).flatten(1))))


@pytest.mark.parametrize("model", [words, TwoTables])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_step_that_failed_might_not_have_been(model: Callable[[], nn.Module], threads: int) -> None:
    """Though the derivative of an embedding looks at the indices again, while other threads change the state."""
    before = torch.get_num_threads()
    try:
        expected, found = trained(None, model, threads), trained(50, model, threads)
    finally:
        torch.set_num_threads(before)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_looks_again_later_notes_it_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or threads that are ahead would send those behind out of the step, and wait for them for ever."""
    net = TwoTables()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x, y = torch.randint(0, 9, (300, 4)), torch.randint(0, 3, (300,))
    captured = capture(step_of(net, F.cross_entropy, optimizer), (x, y), {})
    code = Executable(captured.graph)
    assert len(code.plan.tiling.lanes) > 1
    apart = code.text
    monkeypatch.setattr(module, "LATE", module.EARLY)
    assert code.text != apart


def test_running_statistics_are_changed_before_the_loss_is_known() -> None:
    net = mlp((3, 4), nn.BatchNorm1d(3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    captured = capture(step_of(net, F.cross_entropy, optimizer), (torch.randn(8, 3), torch.randint(0, 4, (8,))), {})
    data = [np.zeros((8, 3), np.float32), np.zeros(8, np.int64)]
    assert not Epochs(captured.graph, data, captured.outputs[0].index).executable.stops


def with_statistics() -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 64, bias=False), nn.BatchNorm1d(64), nn.Tanh(), nn.Linear(64, 4))
    return net, torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)


def changed_by(steps: int, engine: str, rows: int, *, whole: bool = False, wrong: bool = False) -> tuple[Any, Any]:
    """Return what training and what the forward pass change, after steps one by one or in a run, the last one wrong."""
    net, optimizer = with_statistics()
    x, y = torch.randn(2 * rows, 3)[: steps * rows], torch.randint(0, 4, (2 * rows,))[: steps * rows]
    if wrong:
        y[-1] = 7

    def train() -> None:
        if whole:
            torch.fit(net, (x, y), nn.CrossEntropyLoss(), optimizer, epochs=1, batch_size=rows, engine=engine,
                      shuffle=False, threads=torch.get_num_threads(), restore_best=False)  # fmt: skip
        step = torch.compile(step_of(net, F.cross_entropy, optimizer), engine=engine)
        for i in range(steps):
            step(x[i * rows : (i + 1) * rows], y[i * rows : (i + 1) * rows])

    if wrong:
        with pytest.raises(IndexError, match="Target 7 is out of bounds"):
            train()
    else:
        train()
    moments = [v for held in optimizer.state.values() for v in held.values()]
    return tuple([t.detach().numpy().copy() for t in kind] for kind in ([*net.parameters(), *moments], net.buffers()))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [8, 512])
@pytest.mark.parametrize("whole", [False, True], ids=["steps", "fit"])
def test_only_statistics_may_change_before_a_class_is_looked_at(whole: bool, rows: int, threads: int) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        expected, one = changed_by(1, "numpy", rows)
        _, two = changed_by(2, "numpy", rows)
        found, statistics = changed_by(2, "native", rows, whole=whole, wrong=True)
    finally:
        torch.set_num_threads(before)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    for a, b, c in zip(statistics, one, two, strict=True):
        assert any(np.allclose(a, other, rtol=1e-4, atol=1e-6) for other in (b, c))


def test_what_changes_nothing_has_no_way_out() -> None:
    captured = capture(lambda i: F.embedding(i, torch.ones(3, 2)), (torch.tensor([1]),), {})
    code = torch.compile(lambda i: F.embedding(i, torch.ones(3, 2)), engine="native")
    code(torch.tensor([1]))
    assert exit_of(code._calls.last.execute.code.plan, None) is None
    assert captured.graph.updates == ()
