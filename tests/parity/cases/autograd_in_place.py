"""Changes in place and the tape: what is refused, what a view sees, and how a change is differentiated."""

from __future__ import annotations

import copy
import pickle
from typing import Any

from tests.parity.cases.autograd import leaf
from tests.parity.harness import DTYPES, case, message, raises
from tests.parity.tensors import attempt


@case
def in_place_errors(torch):
    w = leaf(torch, 3)

    def changed_product():
        a = w * 1
        b = a * a
        a.add_(1)
        b.sum().backward()

    def changed_output():
        a = (w * 1).exp()
        a.mul_(2)
        a.sum().backward()

    def changed_leaf_after_use():
        y = (w * w).sum()
        with torch.no_grad():
            w.add_(1)
        y.backward()

    def unread_change():
        a = w * 1
        b = a + 3
        a.mul_(5)
        (a + b).sum().backward()

    def through_detach():
        a = w * 1
        b = a * a
        a.detach().zero_()
        b.sum().backward()

    return {
        "leaf": raises(lambda: w.add_(1)),
        "view of leaf": raises(lambda: w[0:2].add_(1)),
        "product": raises(changed_product),
        "output": raises(changed_output),
        "leaf after use": raises(changed_leaf_after_use),
        "unread": raises(unread_change),
        "detached": raises(through_detach),
        "shape": raises(lambda: torch.ones(2).add_(torch.ones(3, 2))),
        "dtype": raises(lambda: torch.ones(2, dtype=torch.int64).add_(torch.ones(2))),
        "expanded": raises(lambda: torch.ones(1).expand(3).add_(torch.arange(3.0))),
    }


@case(params=DTYPES)
def in_place_history(torch, dtype):
    w = leaf(torch, 3, dtype=dtype)
    a = w * 2
    a.mul_(w)
    a += w
    a.exp_()
    a.sum().backward()
    return {"a": a, "grad": w.grad}


@case
def assignment_history(torch):
    w = leaf(torch, 4)
    z = torch.zeros(2, 4)
    z[0] = w * w
    z[1, 1:3] = w[:2]
    z[:, 0] = 5.0
    (z * torch.arange(8.0).reshape(2, 4)).sum().backward()
    return {"z": z, "grad": w.grad, "requires": z.requires_grad}


@case
def views_follow_their_base(torch):
    w = leaf(torch, 2, 3)
    base = w * 1
    row, column, flat = base[0], base[:, 1], base.reshape(-1)
    row.mul_(3)
    column.add_(w[:, 0])
    flat[5] = 7.0
    weights = torch.arange(1.0, 7.0).reshape(2, 3)
    ((base * weights).sum() + (row * 2).sum() + column.sum() + (flat * 0.5).sum()).backward()
    return {"base": base, "row": row, "grad": w.grad}


@case
def base_changes_reach_views(torch):
    w = leaf(torch, 4)
    base = w * 1
    part = base[1:3]
    base.mul_(2)
    part.sum().backward()
    return {"part": part, "grad": w.grad}


@case
def view_of_a_plain_tensor_joins_the_graph(torch):
    w = leaf(torch, 2)
    z = torch.zeros(4)
    z[1:3].copy_(w)
    z.sum().backward()
    return {"z": z, "grad": w.grad, "requires": z.requires_grad}


@case
def versions(torch):
    x = torch.zeros(3)
    before = x._version
    x.add_(1)
    x[0] = 2
    x[1:].zero_()
    x.detach().add_(1)
    x.data.add_(1)
    return [before, x._version, x]


@case
def words_on_changed_values(torch):
    def change(make, change):
        def run():
            y, changed = make(leaf(torch, 2, 3))
            change(changed)
            y.sum().backward()

        return message(run, RuntimeError)

    def product(x):
        factor = torch.ones(2, 3, dtype=torch.float64)
        return x.double() * factor, factor

    def twice(function):
        return lambda x: (function(x),) * 2

    return {
        "exp": change(twice(torch.exp), lambda y: y.add_(1)),
        "softmax": change(twice(lambda x: x.softmax(1)), lambda y: y.mul_(2)),
        "tanh": change(twice(torch.tanh), lambda y: y.sub_(1).mul_(2)),
        "relu": change(twice(torch.relu), lambda y: y.zero_()),
        "constant": change(product, lambda factor: factor.add_(1)),
    }


@case
def view_of_what_has_got_a_history(torch: Any) -> Any:
    """Show that a view knows of a gradient that came into its base after it was taken."""

    def view() -> Any:
        base = torch.zeros(4)
        found = base.view(2, 2)
        base.add_(torch.ones(1, requires_grad=True))
        return found

    uses = {
        "numpy": lambda: view().numpy(),
        "numpy, forced": lambda: view().numpy(force=True).tolist(),
        "copy": lambda: copy.deepcopy(view()),
        "optimiser": lambda: torch.optim.SGD([view()], lr=0.1),
        "saved": lambda: pickle.loads(pickle.dumps(view())).requires_grad,
    }
    return {name: attempt(use) for name, use in uses.items()}


@case
def views_are_not_detached_in_place(torch: Any) -> Any:
    w = torch.ones(4, requires_grad=True)
    tensors = [w.view(2, 2), (w * 2)[:2], torch.zeros(4)[0], w.detach(), w.detach()[1:].detach(), w * 2]
    return [attempt(lambda x=x: x.detach_().requires_grad) for x in tensors]


@case
def gradients_that_are_views_become_zero(torch: Any) -> Any:
    """Show `zero_grad(set_to_none=False)` on gradients that are parts of one buffer, and on one with a history."""
    net, buffer = torch.nn.Linear(2, 1), torch.ones(3)
    net.weight.grad, net.bias.grad = buffer[:2].view(1, 2), buffer[2:]
    net.zero_grad(set_to_none=False)
    cleared = buffer.clone()
    buffer.fill_(2)
    torch.optim.SGD(net.parameters(), lr=0.1).zero_grad(set_to_none=False)
    torch.autograd.backward(net(torch.ones(1, 2)).exp(), create_graph=True)
    history = net.bias.grad.grad_fn is not None
    net.zero_grad(set_to_none=False)
    return [cleared, buffer, history, net.bias.grad, net.bias.grad.requires_grad]
