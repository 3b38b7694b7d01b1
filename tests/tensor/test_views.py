"""Memory that tensors share: what a change in place reaches, and what autograd makes of it."""

from __future__ import annotations

from typing import Any

import pytest

import fanin as torch

VIEWS = {
    "view": lambda x: x.view(6),
    "slice": lambda x: x[:, 1:],
    "row": lambda x: x[1],
    "t": lambda x: x.t(),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "narrow": lambda x: x.narrow(1, 0, 2),
    "diagonal": lambda x: x.diagonal(),
    "unfold": lambda x: x.unfold(1, 2, 2),
    "detach": lambda x: x.detach(),
    "data": lambda x: x.data,
    "split": lambda x: x.split(1)[0],
    "movedim": lambda x: x.movedim(0, 1),
    "flatten": lambda x: x.flatten(),
    "chunk": lambda x: x.chunk(3, 1)[2],
    "as_strided": lambda x: x.as_strided((2,), (3,), 1),
}
COPIES = {
    "clone": lambda x: x.clone(),
    "list": lambda x: x[[0, 1]],
    "mask": lambda x: x[x > -9],
    "repeat": lambda x: x.repeat(1, 1),
    "tile": lambda x: x.tile(1),
    "flip": lambda x: x.flip(0),
    "cat": lambda x: torch.cat([x]),
    "diag": lambda x: x.diag(),
    "double": lambda x: x.double(),
    "tril": lambda x: x.tril(5),
    "index_select": lambda x: x.index_select(0, torch.tensor([0, 1])),
    "rot90": lambda x: x.rot90(4),
    "tensor": lambda x: torch.tensor(x.tolist()),
}


@pytest.mark.parametrize("name", VIEWS)
def test_view_writes_through(name: str) -> None:
    x = torch.zeros(2, 3)
    VIEWS[name](x).fill_(1)
    assert float(x.sum()) > 0


@pytest.mark.parametrize("name", COPIES)
def test_copy_does_not_write_through(name: str) -> None:
    x = torch.zeros(2, 3)
    COPIES[name](x).fill_(1)
    assert float(x.sum()) == 0


@pytest.mark.parametrize("name", [n for n in VIEWS if n not in ("detach", "data", "as_strided", "unfold")])
def test_gradient_flows_through_a_change_of_a_view(name: str) -> None:
    """Doubling a part of x * 1 doubles the gradient there: the same as multiplying by a mask of ones and twos."""
    x = torch.ones(2, 3, requires_grad=True)
    factor = torch.ones(2, 3)
    VIEWS[name](factor).mul_(2)
    y = x * 1
    VIEWS[name](y).mul_(2)
    (y * y).sum().backward()
    assert torch.equal(x.grad, 2 * factor * factor)


def saved(change: Any) -> None:
    """Change a value that a derivative reads, and go back."""
    x = torch.ones(3, requires_grad=True)
    y = x * 1
    loss = (y * y).sum()
    change(y)
    loss.backward()


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y.add_(1),
        lambda y: y[0].zero_(),
        lambda y: y.detach().mul_(2),
        lambda y: y.__setitem__(0, 5.0),
        lambda y: y.uniform_(),
        lambda y: y.masked_fill_(y > 0, 0),
        lambda y: y.copy_(torch.zeros(3)),
        lambda y: y.view(3, 1).exp_(),
    ],
)
def test_a_change_of_a_value_that_backward_reads_is_an_error(change: Any) -> None:
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        saved(change)


def test_a_change_of_a_value_that_nobody_reads_is_none() -> None:
    x = torch.ones(3, requires_grad=True)
    y = x * 1
    loss = (y + 1).sum()
    y.detach().zero_()
    loss.backward()
    assert x.grad.tolist() == [1, 1, 1]


def test_expanded_memory_cannot_be_written() -> None:
    x = torch.zeros(1, 3).expand(2, 3)
    for change in (lambda: x.add_(1), lambda: x.uniform_(), lambda: x.exp_(), lambda: x.__setitem__(slice(None), 1.0)):
        with pytest.raises(RuntimeError, match="single memory location"):
            change()
    x[0] = torch.tensor([1.0, 2.0, 3.0])
    assert x.tolist() == [[1, 2, 3], [1, 2, 3]]
    assert x.fill_(4).tolist() == [[4, 4, 4], [4, 4, 4]]


def test_chain_of_views_keeps_its_history() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    table = torch.zeros(2, 2)
    table[0] = w
    row = table[0]
    row.mul_(3)
    table[1, 0] = row[1] * 2
    (table * torch.tensor([[1.0, 10.0], [100.0, 1000.0]])).sum().backward()
    assert table.tolist() == [[3.0, 6.0], [12.0, 0.0]]
    assert w.grad.tolist() == [3.0, 30.0 + 600.0]


def test_gradient_of_an_expanded_view_adds_up_after_a_change_of_its_base() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    y = w * 1
    twice = y.expand(2, 2)
    y.mul_(3)
    twice.sum().backward()
    assert w.grad.tolist() == [6.0, 6.0]


def test_change_of_a_view_of_memory_that_is_not_in_row_major_order() -> None:
    w = torch.ones(2, 3, requires_grad=True)
    turned = -(w.t())
    row = turned[1]
    row.mul_(0)
    turned.sum().backward()
    assert w.grad.tolist() == [[-1.0, 0.0, -1.0], [-1.0, 0.0, -1.0]]


def test_a_stale_view_is_brought_up_to_date_as_the_other_operand() -> None:
    w = torch.ones(2, requires_grad=True)
    y = w * 1
    first = y[:1]
    y.mul_(3)
    total = torch.zeros(1)
    total.add_(first)
    total.backward()
    assert w.grad.tolist() == [3.0, 0.0]


def test_a_tensor_multiplied_by_itself_in_place_says_so_at_backward() -> None:
    w = torch.ones(2, requires_grad=True)
    y = w * 2
    y.mul_(y)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_views_of_a_detached_tensor_share_its_new_history() -> None:
    w = torch.ones(2, requires_grad=True)
    apart = (w * 1).detach()
    part = apart[:1]
    apart.add_(w * 5)
    assert part.requires_grad
    part.backward()
    assert w.grad.tolist() == [5.0, 0.0]


def test_a_masked_change_of_a_scalar_has_a_gradient() -> None:
    w = torch.ones(2, requires_grad=True)
    total = w.sum()
    total[total.detach() > 1] = 0.5
    (total * total).backward()
    assert w.grad.tolist() == [0.0, 0.0]
