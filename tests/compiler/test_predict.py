"""Quick predictions: one tensor in, one out, through memory that is bound once."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import fanin as torch


@pytest.fixture
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).eval()


def test_results_are_the_modules_own(model: torch.nn.Module) -> None:
    compiled = torch.compile(model)
    with torch.no_grad():
        for x in torch.randn(5, 1, 5):
            np.testing.assert_allclose(compiled(x).numpy(), model(x).numpy(), rtol=1e-5)
    assert compiled.captures == 1


def test_a_result_keeps_its_values_when_the_next_is_computed(model: torch.nn.Module) -> None:
    compiled = torch.compile(model)
    with torch.no_grad():
        first = compiled(torch.ones(1, 5))
        kept = first.numpy().copy()
        compiled(torch.zeros(1, 5))
        third = compiled(-torch.ones(1, 5))
    np.testing.assert_array_equal(first.numpy(), kept)
    assert not np.array_equal(third.numpy(), kept)


def test_rows_need_not_lie_side_by_side(model: torch.nn.Module) -> None:
    compiled = torch.compile(model)
    wide = torch.randn(3, 10)
    with torch.no_grad():
        compiled(wide[:, :5].contiguous())
        np.testing.assert_allclose(compiled(wide[:, ::2]).numpy(), model(wide[:, ::2]).numpy(), rtol=1e-5)
        np.testing.assert_allclose(compiled(wide.T[:5].T).numpy(), model(wide[:, :5]).numpy(), rtol=1e-5)


def test_changed_and_replaced_weights_count_at_once(model: torch.nn.Module) -> None:
    compiled, x = torch.compile(model), torch.ones(1, 5)
    with torch.no_grad():
        compiled(x)
        model[0].weight.mul_(2)
        np.testing.assert_allclose(compiled(x).numpy(), model(x).numpy(), rtol=1e-5)
        model[0].weight.data = torch.randn(8, 5)
        np.testing.assert_allclose(compiled(x).numpy(), model(x).numpy(), rtol=1e-5)
        model[2].bias = torch.nn.Parameter(torch.ones(2))
        np.testing.assert_allclose(compiled(x).numpy(), model(x).numpy(), rtol=1e-5)


def set_data(w: torch.Tensor) -> None:
    w.data = torch.ones(8, 5)


def set_out(w: torch.Tensor) -> None:
    torch.add(torch.ones(8, 5), 0.5, out=w.resize_(0))


def share(w: torch.Tensor) -> None:
    w.set_(w.detach() + 2)


MOVES = {"data": set_data, "set_": share, "out": set_out, "resize_": lambda w: w.resize_(8, 5).fill_(3)}


@pytest.mark.parametrize("move", MOVES)
def test_whatever_gives_a_buffer_other_memory_is_noticed(move: str) -> None:
    class Weighted(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weight", torch.zeros(8, 5))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ self.weight.T

    model = Weighted()
    compiled, x = torch.compile(model), torch.ones(1, 5)
    compiled(x)
    MOVES[move](model.weight)
    assert model(x).sum() != 0
    np.testing.assert_array_equal(compiled(x).numpy(), model(x).numpy())


def test_threads_do_not_disturb_each_other(model: torch.nn.Module) -> None:
    compiled, rows = torch.compile(model), list(torch.randn(4, 1, 5))
    with torch.no_grad():
        wanted = [compiled(x).numpy().copy() for x in rows]
    wrong: list[int] = []

    def work(i: int) -> None:
        with torch.no_grad():
            same = [np.array_equal(compiled(rows[i]).numpy(), wanted[i]) for _ in range(2000)]
        wrong.extend(i for right in same if not right)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# Outside of no_grad ---------------------------------------------------------------------------------------------------


def test_quick_results_have_the_history_that_slow_ones_have(model: torch.nn.Module) -> None:
    compiled, x = torch.compile(model), torch.randn(1, 5)
    slow = compiled(x)
    quick = compiled(x)
    assert repr(quick) == repr(slow)
    assert quick.grad_fn is not slow.grad_fn
    found = []
    for result in (slow, quick, model(x)):
        model.zero_grad()
        result.square().sum().backward()
        found.append([p.grad.numpy().copy() for p in model.parameters()])
    for parts in zip(*found, strict=True):
        np.testing.assert_array_equal(parts[0], parts[1])
        np.testing.assert_allclose(parts[0], parts[2], rtol=1e-5)


def test_quick_results_go_back_when_several_are_there(model: torch.nn.Module) -> None:
    compiled, rows = torch.compile(model), torch.randn(4, 1, 5)
    total = sum(compiled(x).sum() for x in rows)
    total.backward()
    found = [p.grad.numpy().copy() for p in model.parameters()]
    model.zero_grad()
    sum(model(x).sum() for x in rows).backward()
    for mine, p in zip(found, model.parameters(), strict=True):
        np.testing.assert_allclose(mine, p.grad.numpy(), rtol=1e-5)


def test_a_weight_or_a_row_that_changed_meanwhile_is_noticed(model: torch.nn.Module) -> None:
    compiled = torch.compile(model)
    for change in (lambda x: model[0].weight.mul_(2), lambda x: x.add_(1)):
        x = torch.randn(1, 5)
        compiled(x)
        result = compiled(x)
        with torch.no_grad():
            change(x)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            result.sum().backward()


def test_a_row_that_wants_a_gradient_gets_one(model: torch.nn.Module) -> None:
    compiled = torch.compile(model)
    compiled(torch.ones(1, 5))
    x = torch.ones(1, 5, requires_grad=True)
    compiled(x).sum().backward()
    mine = x.grad.numpy().copy()
    x.grad = None
    model(x).sum().backward()
    np.testing.assert_allclose(mine, x.grad.numpy(), rtol=1e-5)


def test_a_view_of_something_with_a_history_keeps_it(model: torch.nn.Module) -> None:
    compiled, wide = torch.compile(model), torch.ones(2, 5, requires_grad=True)
    compiled(torch.ones(1, 5))
    compiled(wide[:1]).sum().backward()
    assert wide.grad[0].abs().sum() > 0
    assert (wide.grad[1] == 0).all()
