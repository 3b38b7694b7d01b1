"""Training steps as people write them: what is compiled gives the losses, weights and gradients of eager code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.nn import functional as F


def network(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double()


def update(net: Any, optimizer: Any, loss: Any) -> Any:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def accuracy(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    out = net(x)
    loss = update(net, optimizer, F.cross_entropy(out, y))
    best = torch.max(out, 1)
    return loss, (out.argmax(1) == y).double().mean(), (best.indices == y).sum(), best.values


def filling_with_zeros(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    optimizer.zero_grad(set_to_none=False)
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    return loss


def small_batches(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    optimizer.zero_grad()
    total = 0
    for i in range(0, 6, 2):
        loss = F.cross_entropy(net(x[i : i + 2]), y[i : i + 2]) / 3
        loss.backward()
        total = total + loss.detach()
    optimizer.step()
    return total


def gradient_penalty(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    x = x.clone().requires_grad_(True)
    out = net(x)
    (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
    return update(net, optimizer, F.cross_entropy(out, y) + ((slope.norm(2, dim=1) - 1) ** 2).mean())


def by_index(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    return update(net, optimizer, -F.log_softmax(net(x), 1)[torch.arange(6), y].mean())


def by_gather(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    return update(net, optimizer, -F.log_softmax(net(x), 1).gather(1, y[:, None]).mean())


def one_hot(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    return update(net, optimizer, ((net(x).softmax(1) - F.one_hot(y, 3).double()) ** 2).mean())


def scattered(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    target = torch.zeros(6, 3, dtype=torch.float64).scatter_(1, y.unsqueeze(1), 1.0)
    return update(net, optimizer, F.binary_cross_entropy_with_logits(net(x), target))


def penalties(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    squares = sum(p.pow(2).sum() for p in net.parameters())
    sizes = sum(p.abs().sum() for p in net.parameters())
    return update(net, optimizer, F.cross_entropy(net(x), y) + 1e-2 * squares + 1e-3 * sizes)


def one_vector(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    optimizer.zero_grad()
    loss = F.cross_entropy(net(x), y) + nn.utils.parameters_to_vector(net.parameters()).norm()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    return loss, norm


def copied(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    loss = F.cross_entropy(net(x), y)
    net.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(p - 0.1 * p.grad)
    return loss


def without_grad_fields(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    grads = torch.autograd.grad(F.cross_entropy(net(x), y), list(net.parameters()))
    with torch.no_grad():
        for p, g in zip(net.parameters(), grads, strict=True):
            p.sub_(0.1 * g)
    return grads[0].norm()


def cut_off(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    x = x.clone()
    x[x < 0] = 0
    return update(net, optimizer, F.cross_entropy(net(x), y))


def norms(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    loss = update(net, optimizer, F.cross_entropy(net(x), y))
    return loss, torch.stack([p.grad.norm() for p in net.parameters()])


def kept_gradients(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
    optimizer.zero_grad()
    hidden = net[0](x)
    hidden.retain_grad()
    loss = F.cross_entropy(net[2](hidden.relu()), y)
    loss.backward(retain_graph=True)
    (loss * 0.5).backward()
    optimizer.step()
    return loss, hidden.grad


STEPS = [
    accuracy, filling_with_zeros, small_batches, gradient_penalty, by_index, by_gather, one_hot, scattered, penalties,
    one_vector, copied, without_grad_fields, cut_off, norms, kept_gradients,
]  # fmt: skip


def simple(step: Any) -> Any:
    def make() -> Any:
        net = network()
        optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
        return net, lambda x, y: step(net, optimizer, x, y)

    return make


def ema_by_hand() -> Any:
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    averages = {name: value.clone() for name, value in net.state_dict().items()}

    def step(x: Any, y: Any) -> Any:
        loss = update(net, optimizer, F.cross_entropy(net(x), y))
        with torch.no_grad():
            for name, value in net.state_dict().items():
                averages[name].mul_(0.9).add_(value, alpha=0.1)
        return (loss, *(a.clone() for a in averages.values()))

    return net, step


def two_networks() -> Any:
    net, other = network(), network(1)
    first, second = torch.optim.Adam(net.parameters(), lr=0.05), torch.optim.SGD(other.parameters(), lr=0.05)

    def step(x: Any, y: Any) -> Any:
        first.zero_grad()
        second.zero_grad()
        out = net(x)
        loss = F.cross_entropy(out, y) + F.mse_loss(other(x), out.detach())
        loss.backward()
        first.step()
        second.step()
        return loss, other(x).detach()

    return nn.ModuleList([net, other]), step


def target_network(how: str) -> Any:
    def make() -> Any:
        net, target = network(), network(1)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.05)

        def step(x: Any, y: Any) -> Any:
            loss = update(net, optimizer, F.mse_loss(net(x), target(x).detach()))
            if how == "load":
                target.load_state_dict(net.state_dict())
            else:
                for p, q in zip(target.parameters(), net.parameters(), strict=True):
                    p.data.copy_(0.9 * p.data + 0.1 * q.data)
            return loss

        return nn.ModuleList([net, target]), step

    return make


def hooks() -> Any:
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    net[0].weight.register_hook(lambda grad: grad * 2)
    net[0].register_forward_hook(lambda module, args, out: out * 1.5)
    return net, lambda x, y: update(net, optimizer, F.cross_entropy(net(x), y))


def trainer() -> Any:
    class Trainer:
        def __init__(self) -> None:
            self.net = network()
            self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=0.05)
            self.epoch = 0

        def step(self, x: Any, y: Any) -> Any:
            return update(self.net, self.optimizer, F.cross_entropy(self.net(x), y))

    made = Trainer()
    return made.net, made.step


def rate_as_a_tensor() -> Any:
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), lr=torch.tensor(0.05, dtype=torch.float64))
    return net, lambda x, y: update(net, optimizer, F.cross_entropy(net(x), y))


OTHERS = {
    "ema": ema_by_hand, "two": two_networks, "target": target_network("copy"), "load": target_network("load"),
    "hooks": hooks, "trainer": trainer, "rate": rate_as_a_tensor,
}  # fmt: skip
ALL = {**{step.__name__: simple(step) for step in STEPS}, **OTHERS}


def results(make: Any, compiled: bool) -> tuple[list[Any], int]:
    net, step = make()
    run = torch.compile(step, engine="numpy") if compiled else step
    generator = np.random.default_rng(0)
    found: list[Any] = []
    for _ in range(4):
        out = run(torch.from_numpy(generator.normal(size=(6, 4))), torch.from_numpy(generator.integers(0, 3, 6)))
        found += out if isinstance(out, tuple) else [out]
    found += net.state_dict().values()
    found += [p.grad for p in net.parameters() if p.grad is not None]
    return [x.numpy(force=True) for x in found], run.captures if compiled else 0


@pytest.mark.parametrize("name", ALL)
def test_a_program_computes_what_it_computes_eagerly(name: str) -> None:
    (expected, _), (found, captures) = results(ALL[name], False), results(ALL[name], True)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    # A step that finds gradients of an earlier one is another step than the first.
    assert captures == (2 if name == "filling_with_zeros" else 1)


def test_another_result_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = results(ALL["one_hot"], False)
    monkeypatch.setattr(F, "one_hot", lambda y, n: torch.zeros(6, n))
    found, _ = results(ALL["one_hot"], True)
    assert not np.allclose(found[0], expected[0])
