"""Compiled steps of training: the numbers of eager code, whatever the step does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.nn import functional as F
from tests.compiler.compiling import batch, both, close, compiled, mlp, training


def test_groups_with_rates_of_their_own() -> None:
    def make() -> Any:
        net = mlp()
        groups = [
            {"params": net[0].parameters(), "lr": 0.1},
            {"params": net[2].parameters(), "weight_decay": 0.1, "maximize": True},
        ]
        return net, training(net, torch.optim.AdamW(groups, lr=0.01))

    assert both(make)[2].captures == 1


@pytest.mark.parametrize("clip", ["norm", "norm1", "max", "value"])
def test_clipping(clip: str) -> None:
    def make() -> Any:
        net = mlp()
        before = {
            "norm": lambda: nn.utils.clip_grad_norm_(net.parameters(), 0.05),
            "norm1": lambda: nn.utils.clip_grad_norm_(net.parameters(), 0.05, norm_type=1),
            "max": lambda: nn.utils.clip_grad_norm_(net.parameters(), 0.05, norm_type=float("inf")),
            "value": lambda: nn.utils.clip_grad_value_(net.parameters(), 0.01),
        }[clip]
        return net, training(net, torch.optim.SGD(net.parameters(), lr=0.5), before=before)

    assert both(make)[2].captures == 1


def test_a_clipped_norm_is_returned_as_it_was_before() -> None:
    w = torch.tensor([3.0, 4.0], requires_grad=True)

    @compiled
    def step() -> Any:
        w.grad = None
        (w * w / 2).sum().backward()
        return nn.utils.clip_grad_norm_([w], 1.0)

    close(step(), torch.tensor(5.0))
    close(w.grad, torch.tensor([0.6, 0.8]), 1e-6)


def test_a_schedule_outside_of_the_step_compiles_nothing_again() -> None:
    nets = []
    for wrap in (lambda f: f, compiled):
        net = mlp()
        optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        step = wrap(training(net, optimizer))
        for i in range(5):
            step(*batch(i))
            schedule.step()
        nets.append(net)
    assert step.captures == 1
    close(nets[1][0].weight, nets[0][0].weight)


def test_a_schedule_inside_of_the_step() -> None:
    def make() -> Any:
        net = mlp()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=10)
        return net, training(net, optimizer, after=schedule.step)

    assert both(make, steps=6)[2].captures == 1


@pytest.mark.parametrize("momentum", [0.1, None])
def test_batch_norm_learns_its_moments(momentum: float | None) -> None:
    def make() -> Any:
        net = mlp(nn.BatchNorm1d(6, momentum=momentum))
        return net, training(net, torch.optim.SGD(net.parameters(), lr=0.1))

    net, _, run = both(make)
    assert run.captures == 1
    assert net[1].num_batches_tracked.item() == 4


@pytest.mark.parametrize("layer", [nn.LayerNorm(6), nn.RMSNorm(6), nn.GroupNorm(2, 6), nn.PReLU(), nn.GELU()])
def test_layers(layer: Any) -> None:
    def make() -> Any:
        layer.zero_grad()
        net = mlp(layer)
        for p in layer.parameters():
            nn.init.constant_(p, 0.5)
        return net, training(net, torch.optim.Adam(net.parameters(), lr=0.1))

    assert both(make)[2].captures == 1


def test_embedding_residual_and_shared_weights() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(7, 4, padding_idx=0)
            self.first = nn.Linear(4, 4)
            self.second = nn.Linear(4, 4)
            self.second.weight = self.first.weight
            self.out = nn.Linear(4, 3)

        def forward(self, rows: Any) -> Any:
            h = self.table(rows).mean(dim=1)
            h = h + torch.relu(self.first(h))
            return self.out(h + torch.relu(self.second(h)))

    results = []
    for wrap in (lambda f: f, compiled):
        torch.manual_seed(0)
        net = Net().double()
        step = wrap(training(net, torch.optim.Adam(net.parameters(), lr=0.1)))
        generator = np.random.default_rng(0)
        for i in range(4):
            step(torch.from_numpy(generator.integers(0, 7, (5, 3))), batch(i)[1])
        results.append([p.detach() for p in net.parameters()])
    for a, b in zip(*results, strict=True):
        close(a, b)


def test_a_function_with_a_derivative_of_its_own() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            (x,) = ctx.saved_tensors
            return 3 * x * grad  # not the derivative, so that it shows

    def make() -> Any:
        net = mlp()
        loss = lambda out, y: F.cross_entropy(Square.apply(out), y)  # noqa: E731
        return net, training(net, torch.optim.SGD(net.parameters(), lr=0.1), loss)

    both(make)


def test_descent_by_hand() -> None:
    def make() -> Any:
        net = mlp()

        def step(x: Any, y: Any) -> Any:
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            with torch.no_grad():
                for i, p in enumerate(net.parameters()):
                    if i == 0:
                        p -= 0.1 * p.grad
                    elif i == 1:
                        p.data = p.data - 0.1 * p.grad
                    elif i == 2:
                        p.data.add_(p.grad, alpha=-0.1)
                    else:
                        p.detach().sub_(p.grad.mul(0.1))
                    p.grad.zero_()
            return loss

        return net, step

    _, net, run = both(make)
    assert run.captures == 2  # at the first call there are no gradients yet
    assert not net[0].weight.grad.numpy().any()


def test_gradients_add_up_over_calls() -> None:
    nets = []
    for wrap in (lambda f: f, compiled):
        net = mlp()

        def add(x: Any, y: Any, net: Any = net) -> Any:
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            return loss

        run = wrap(add)
        for i in range(3):
            run(*batch(i))
        nets.append(net)
    for a, b in zip(*(n.parameters() for n in nets), strict=True):
        close(b.grad, a.grad)
    assert run.captures == 2


def test_gradients_of_one_call_are_not_overwritten_by_the_next() -> None:
    net = mlp()
    run = compiled(training(net, torch.optim.SGD(net.parameters(), lr=0.1)))
    run(*batch(0))
    kept = net[0].weight.grad
    before = kept.clone()
    run(*batch(1))
    close(kept, before)
    assert net[0].weight.grad is not kept


def test_an_optimizer_with_a_step_of_its_own() -> None:
    class Heavy(torch.optim.Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    if "v" not in state:
                        state["v"] = torch.zeros_like(p)
                    state["v"].mul_(0.9).add_(p.grad)
                    p.add_(state["v"], alpha=-group["lr"])

    made = []
    for wrap in (lambda f: f, compiled):
        net = mlp()
        optimizer = Heavy(net.parameters(), lr=0.1)
        run = wrap(training(net, optimizer))
        for i in range(5):
            if i == 3:
                optimizer.param_groups[0]["lr"] = 0.01
            run(*batch(i))
        made.append((net, optimizer))
    assert run.captures == 2  # the first call sets the state up, and another rate is another constant
    for (a, b), v in zip(zip(*(n.parameters() for n, _ in made), strict=True), made[0][0].parameters(), strict=True):
        close(b, a)
        close(made[1][1].state[b]["v"], made[0][1].state[v]["v"])


def test_averages_of_models() -> None:
    made = []
    for wrap in (lambda f: f, compiled):
        net = mlp(nn.BatchNorm1d(6))
        average = torch.optim.swa_utils.AveragedModel(net, use_buffers=True)
        mean = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

        def after(net: Any = net, average: Any = average, mean: Any = mean) -> None:
            average.update_parameters(net)
            mean.update_parameters(net)

        run = wrap(training(net, optimizer, after=after))
        for i in range(4):
            run(*batch(i))
        made.append({**average.state_dict(), **{f"m{k}": v for k, v in mean.state_dict().items()}})
    for a, b in zip(*(m.values() for m in made), strict=True):
        close(b, a)
    assert run.captures == 1


def test_radam_whose_first_steps_differ() -> None:
    def make() -> Any:
        net = mlp()
        return net, training(net, torch.optim.RAdam(net.parameters(), lr=0.1, betas=(0.5, 0.6)))

    both(make, steps=12)


def test_two_steps_in_one_function() -> None:
    def make() -> Any:
        net = mlp()
        one = training(net, torch.optim.NAdam(net.parameters(), lr=0.1))

        def step(x: Any, y: Any) -> Any:
            one(x, y)
            return one(x + 1, y)

        return net, step

    assert both(make)[2].captures == 1


def test_eager_and_compiled_steps_take_turns() -> None:
    made = []
    for compile_some in (False, True):
        net = mlp()
        optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
        step = training(net, optimizer)
        fast = compiled(step)
        for i in range(7):
            (fast if compile_some and i % 3 else step)(*batch(i))
        made.append((net, optimizer))
    assert fast.captures == 1
    close(made[1][0][0].weight, made[0][0][0].weight)
    assert [s["step"].item() for s in made[1][1].state.values()] == [7.0] * 4


def test_a_loaded_state_is_used() -> None:
    net, other = mlp(), mlp()
    optimizer, reference = (torch.optim.Adam(n.parameters(), lr=0.1) for n in (net, other))
    run, plain = compiled(training(net, optimizer)), training(other, reference)
    for i in range(2):
        run(*batch(i))
        plain(*batch(i))
    saved = optimizer.state_dict()
    for o, f in ((optimizer, run), (reference, plain)):
        o.load_state_dict(
            {
                "state": {k: {n: v * 0.5 + 1 for n, v in s.items()} for k, s in saved["state"].items()},
                "param_groups": [{**saved["param_groups"][0], "lr": 0.3}],
            }
        )
        f(*batch(5))
    close(net[0].weight, other[0].weight)
    assert run.captures == 1
