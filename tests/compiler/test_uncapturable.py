"""What cannot be captured says so, with file and line, and leaves everything as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin._core.errors import CaptureError
from tests.compiler.compiling import D, batch, compiled, mlp, training

STATE = {"count": 0}


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return x * 2


UNCAPTURABLE = {
    "branch": (lambda x: x if x.sum() > 0 else -x, "branch on the value"),
    "item": (lambda x: x * x.sum().item(), "value of a tensor is read"),
    "numpy": (lambda x: torch.from_numpy(x.numpy() * 2), "value of a tensor is read"),
    "tolist": (lambda x: torch.tensor(x.tolist()), "value of a tensor is read"),
    "float": (lambda x: x * float(x[0]), "value of a tensor is read"),
    "int": (lambda x: x * int(x[0]), "value of a tensor is read"),
    "print": (lambda x: f"{x}", "value of a tensor is read"),
    "array": (lambda x: np.asarray(x), "value of a tensor is read"),
    "contains": (lambda x: 3.0 in x, "value of a tensor is read"),
    "equal": (lambda x: torch.equal(x, x), "value of a tensor is read"),
    "allclose": (lambda x: torch.allclose(x, x), "value of a tensor is read"),
    "nonzero": (lambda x: x.nonzero(), "value of a tensor is read"),
    "mask": (lambda x: x[x > 0], "mask selects"),
    "unique": (lambda x: x.unique(), "value of a tensor is read"),
    "draw": (lambda x: x + torch.randn(3), "random numbers are drawn"),
    "like": (lambda x: torch.rand_like(x), "random numbers are drawn"),
    "seed": (lambda x: torch.manual_seed(0) and x, "random numbers are drawn"),
    "range": (lambda x: torch.arange(x[0]), "value of a tensor is read"),
    "slice": (lambda x: x[: x[0].long()], "value of a tensor is read"),
    "index": (lambda x: [1, 2, 3][x[0].long()], "value of a tensor is read"),
    "counting": (Counting(), "attribute 'calls' of a Counting is changed"),
}


@pytest.mark.parametrize("name", UNCAPTURABLE)
def test_what_cannot_be_captured_says_so_with_file_and_line(name: str) -> None:
    function, message = UNCAPTURABLE[name]
    with pytest.raises(CaptureError, match=message) as error:
        compiled(function)(torch.tensor([1.0, 2.0, 3.0]))
    if name not in ("counting",):
        line = function.__code__.co_firstlineno
        assert f"test_uncapturable.py:{line}:" in str(error.value)
        assert error.value.__notes__


def test_lists_and_variables_that_are_changed_are_refused() -> None:
    seen: list[Any] = []
    total = 0

    def collect(x: Any) -> Any:
        seen.append(x.shape)
        return x

    def count(x: Any) -> Any:
        nonlocal total
        total += 1
        return x

    with pytest.raises(CaptureError, match="the list 'seen' is changed"):
        compiled(collect)(torch.ones(1))
    with pytest.raises(CaptureError, match="variable 'total' is changed"):
        compiled(count)(torch.ones(1))
    assert (seen, total) == ([], 0)


def test_lbfgs_is_refused() -> None:
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.LBFGS([w])

    @compiled
    def step() -> Any:
        return optimizer.step(lambda: (w**2).sum())

    with pytest.raises(CaptureError, match="closure"):
        step()


def test_an_error_leaves_everything_as_it_was() -> None:
    net = mlp(nn.BatchNorm1d(6))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    step = training(net, optimizer)
    fail = True

    def run(x: Any, y: Any) -> Any:
        loss = step(x, y)
        net[0].weight.data.mul_(2)
        if fail:
            raise KeyError("the user's own")
        return loss

    net[0].weight.grad = torch.ones(6, 4, dtype=D)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    arrays = [t._array for t in net.state_dict().values()]
    with pytest.raises(KeyError, match="the user's own"):
        compiled(run)(*batch())
    assert not optimizer.state
    assert net[0].weight.grad.numpy().all()
    assert net[3].weight.grad is None
    for (name, value), array in zip(net.state_dict().items(), arrays, strict=True):
        assert value._array is array
        np.testing.assert_array_equal(value.numpy(), before[name].numpy())
    assert "_array" not in vars(type(net[0].weight).__mro__[-2])
    step(*batch())


def test_a_tensor_kept_from_a_capture_cannot_be_read() -> None:
    kept = {}

    def run(x: Any) -> Any:
        kept["x"] = x * 2
        return x

    kept["x"] = None
    compiled(run)(torch.ones(2))
    with pytest.raises(CaptureError, match="made while a function was captured"):
        kept["x"].sum().item()


# Memory and histories that lead outside -----------------------------------------------------------------------------


def test_a_part_of_what_is_changed_must_not_come_from_outside() -> None:
    w = torch.zeros(2, 3)
    row, same, elsewhere = w[0], w.detach(), torch.zeros(3)

    def run(x: Any) -> Any:
        w.add_(x)
        return row + x

    with pytest.raises(CaptureError, match="another tensor from outside shows a part"):
        compiled(run)(torch.ones(3))
    with pytest.raises(CaptureError, match="another tensor from outside shows a part"):
        compiled(lambda x: w.add_(1) + x)(w[1])
    assert not w.numpy().any()

    @compiled
    def well(x: Any) -> Any:
        w.add_(x)
        return same + elsewhere

    assert well(torch.ones(3)).tolist() == [[1.0] * 3] * 2


def test_gradients_of_arguments_that_hang_together_are_refused() -> None:
    run = compiled(lambda a, b: torch.autograd.grad((a * b).sum(), a)[0])
    both_ = compiled(lambda a, b: torch.autograd.grad((a * b).sum(), (a, b)))
    a = torch.ones(2, requires_grad=True)
    assert run(a, torch.ones(2) * 3).tolist() == [3.0, 3.0]
    assert both_(a, torch.ones(2, requires_grad=True) * 3)[1].tolist() == [1.0, 1.0]
    for _ in range(2):
        with pytest.raises(CaptureError, match="computed from another tensor"):
            both_(a, a * 3)
    with pytest.raises(CaptureError, match="itself the result of operations"):
        compiled(lambda a, b: (a * b).sum().backward())(a, a * 3)
