"""What compiled functions and modules promise: the numbers of eager code, and nothing compiled twice for nothing."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin._core.errors import CaptureError
from fanin.nn import functional as F

D = torch.float64


def compiled(function: Any) -> Any:
    return torch.compile(function, engine="numpy")


def mlp(*extra: Any, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), *extra, nn.Tanh(), nn.Linear(6, 3)).double()


def batch(seed: int = 0, rows: int = 5) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    return torch.from_numpy(generator.normal(size=(rows, 4))), torch.from_numpy(generator.integers(0, 3, rows))


def close(a: Any, b: Any, tolerance: float = 1e-12) -> None:
    a, b = (x.numpy(force=True) if hasattr(x, "numpy") else np.asarray(x) for x in (a, b))
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def both(make: Any, steps: int = 4, rows: int = 5) -> tuple[Any, Any, Any]:
    """Run make(torch-like compile) eagerly and compiled: returns the two things made and the compiled function."""
    results, made, functions = [], [], []
    for wrap in (lambda f: f, compiled):
        net, step = make()
        run = wrap(step)
        results.append([run(*batch(i, rows)) for i in range(steps)])
        made.append(net)
        functions.append(run)
    for a, b in zip(*results, strict=True):
        close(b.detach(), a.detach())
    for (name, a), b in zip(made[0].state_dict().items(), made[1].state_dict().values(), strict=True):
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-12, atol=1e-12, err_msg=name)
    return made[0], made[1], functions[1]


def training(net: Any, optimizer: Any, loss: Any = F.cross_entropy, before: Any = None, after: Any = None) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        value = loss(net(x), y)
        value.backward()
        if before is not None:
            before()
        optimizer.step()
        if after is not None:
            after()
        return value

    return step


# Steps ----------------------------------------------------------------------------------------------------------------


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


# What compiles again --------------------------------------------------------------------------------------------------


def test_a_new_shape_or_dtype_compiles_again_and_nothing_else_does() -> None:
    net = mlp()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    run = compiled(training(net, optimizer))
    counts = []
    for rows in (5, 5, 3, 5, 3):
        run(*batch(rows, rows))
        optimizer.param_groups[0]["lr"] *= 0.9
        counts.append(run.captures)
    assert counts == [1, 1, 2, 2, 2]
    twice = compiled(lambda x: x * 2)
    assert twice(torch.ones(2)).dtype == torch.float32
    assert twice(torch.ones(2, dtype=D)).dtype == D
    assert twice.captures == 2


def test_the_mode_of_a_module_is_noticed() -> None:
    net = mlp(nn.BatchNorm1d(6))
    run = compiled(net)
    x = batch()[0]
    with torch.no_grad():
        run(x)
        run(x)
        net.eval()
        close(run(x), net(x))
        net.train()
        run(x)
    assert run.captures == 2
    assert net[1].num_batches_tracked.item() == 3


def test_frozen_parameters_are_noticed() -> None:
    net = mlp()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    run = compiled(training(net, optimizer))
    run(*batch(0))
    net[0].requires_grad_(False)
    before = net[0].weight.clone(), net[2].weight.clone()
    run(*batch(1))
    assert run.captures == 2
    assert np.array_equal(net[0].weight.numpy(), before[0].numpy(force=True))
    assert not np.array_equal(net[2].weight.numpy(force=True), before[1].numpy(force=True))


def test_memory_that_is_replaced_is_followed() -> None:
    net = mlp()
    run = compiled(net)
    x = batch()[0]
    with torch.no_grad():
        run(x)
        net[0].weight.data = torch.zeros(6, 4, dtype=D)
        close(run(x), net(x))
    assert run.captures == 1


def test_a_replaced_parameter_is_noticed() -> None:
    net = mlp()
    run = compiled(net)
    x = batch()[0]
    with torch.no_grad():
        run(x)
        net[0].weight = nn.Parameter(torch.zeros(6, 4, dtype=D))
        close(run(x), net(x))


def test_new_objects_under_the_old_names_are_noticed() -> None:
    net, scale = mlp(), 2.0

    def run(x: Any) -> Any:
        return net(x) * scale

    fast = compiled(run)
    x = batch()[0]
    with torch.no_grad():
        fast(x)
        net = mlp(seed=1)
        close(fast(x), run(x))
        scale = 3.0
        close(fast(x), run(x))
    assert fast.captures == 3


def test_python_arguments_are_constants() -> None:
    run = compiled(lambda x, k, how: x * k if how == "times" else x + k)
    x = torch.ones(2)
    assert run(x, 2, "times").tolist() == [2, 2]
    assert run(x, 3, "times").tolist() == [3, 3]
    assert run(x, k=3, how="plus").tolist() == [4, 4]
    assert run(x, 2, "times").tolist() == [2, 2]
    assert run.captures == 3


# Structures -----------------------------------------------------------------------------------------------------------


def test_nested_arguments_and_results() -> None:
    @compiled
    def run(pair: Any, named: dict[str, Any]) -> Any:
        a, [b] = pair
        return {"sum": a + b, "rest": (named["c"] * 2, [named["k"], None])}, OrderedDict(a=a)

    a, b, c = torch.ones(2), torch.arange(2.0), torch.ones(1)
    first, second = run((a, [b]), {"c": c, "k": 5})
    assert first["sum"].tolist() == [1, 2]
    assert first["rest"][0].tolist() == [2]
    assert first["rest"][1] == [5, None]
    assert isinstance(second, OrderedDict)
    assert second["a"] is a


def test_named_results() -> None:
    values, indices = compiled(lambda x: x.max(dim=1))(torch.tensor([[1.0, 3.0, 2.0]]))
    assert (values.item(), indices.item()) == (3.0, 1)


def test_arguments_may_be_changed_and_differentiated() -> None:
    @compiled
    def run(x: Any, y: Any) -> Any:
        (x**2).sum().backward()
        y.add_(1)
        return x.grad

    x, y = torch.tensor([1.0, 2.0], requires_grad=True), torch.zeros(3)
    for _ in range(2):
        x.grad = None
        run(x, y)
    assert x.grad.tolist() == [2.0, 4.0]
    assert y.tolist() == [2.0, 2.0, 2.0]


def test_one_tensor_as_two_arguments() -> None:
    run = compiled(lambda a, b: a.add_(1) * b)
    x = torch.ones(2)
    assert run(x, x).tolist() == [4.0, 4.0]
    assert x.tolist() == [2.0, 2.0]
    assert run(torch.ones(2), torch.ones(2)).tolist() == [2.0, 2.0]


def test_an_argument_that_is_a_parameter_too() -> None:
    w = torch.tensor([2.0], requires_grad=True)

    def run(v: Any) -> Any:
        return torch.autograd.grad((v * w).sum(), v)[0]

    fast = compiled(run)
    close(fast(w), run(w))
    v = torch.tensor([5.0], requires_grad=True)
    close(fast(v), run(v))
    close(fast(w), run(w))
    assert fast.captures == 2


def test_views_and_aliases_see_what_is_written() -> None:
    def run(x: Any) -> Any:
        a = x * 1
        row, flat, same = a[1], a.reshape(-1), a.detach()
        row += 10
        flat[0] = 5.0
        same.t()[2] *= 2
        a[:, 1].zero_()
        return a, row, flat, same

    x = torch.arange(6.0).reshape(2, 3)
    for got, expected in zip(compiled(run)(x), run(x), strict=True):
        close(got, expected)


def test_gradients_through_views_that_are_written() -> None:
    def run(x: Any, w: Any) -> Any:
        a = x * w
        a[0] = w * 3
        a.reshape(-1)[4:] *= w[0]
        return torch.autograd.grad((a**2).sum(), w)[0]

    x, w = torch.arange(6.0).reshape(2, 3) + 1, torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    close(compiled(run)(x, w), run(x, w), 1e-6)


# A history for what a compiled module returns -------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [(), (nn.BatchNorm1d(6),), (nn.Dropout(0.0),)])
def test_a_loop_around_a_compiled_module(extra: Any) -> None:
    nets = []
    for wrap in (lambda f: f, compiled):
        net = mlp(*[type(m)(6) if isinstance(m, nn.BatchNorm1d) else m for m in extra]).double()
        run, optimizer = wrap(net), torch.optim.Adam(net.parameters(), lr=0.1)
        for i in range(3):
            x, y = batch(i)
            optimizer.zero_grad()
            F.cross_entropy(run(x), y).backward()
            optimizer.step()
        nets.append(net)
    for (name, a), b in zip(nets[0].state_dict().items(), nets[1].state_dict().values(), strict=True):
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-12, atol=1e-14, err_msg=name)


def test_gradients_go_on_to_the_arguments() -> None:
    net = mlp()
    run = compiled(net)
    x = batch()[0].requires_grad_()
    found = []
    for f in (net, run, run):
        x.grad = None
        (f(x * 2) ** 2).sum().backward()
        found.append(x.grad)
    close(found[1], found[0])
    close(found[2], found[0])
    assert run.captures == 1


def test_a_parameter_changed_before_backward_is_an_error() -> None:
    net = mlp()
    out = compiled(net)(batch()[0])
    with torch.no_grad():
        net[0].weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


def test_a_compiled_module_is_a_module() -> None:
    net = mlp()
    run = torch.compile(net)
    assert isinstance(run, nn.Module)
    assert list(run.state_dict()) == [f"_orig_mod.{name}" for name in net.state_dict()]
    assert [p is q for p, q in zip(run.parameters(), net.parameters(), strict=True)] == [True] * 4
    run.eval()
    assert not net.training
    assert run[0] is net[0]


# Dropout --------------------------------------------------------------------------------------------------------------


def test_masks_change_at_every_call_and_come_back_with_the_seed() -> None:
    x = torch.ones(1000)

    def draws() -> list[Any]:
        torch.manual_seed(3)
        run = compiled(lambda x: F.dropout(x, 0.3) + F.dropout(x, 0.3) * 10)
        return [run(x) for _ in range(3)]

    first, again = draws(), draws()
    for a, b in zip(first, again, strict=True):
        close(a, b)
    assert not np.array_equal(first[0].numpy(), first[1].numpy())
    tens = first[0].numpy() > 10
    ones = first[0].numpy() - tens * 10 / 0.7 > 1
    assert abs(ones.mean() - 0.7) < 0.06
    assert abs(tens.mean() - 0.7) < 0.06
    assert abs((ones & tens).mean() - 0.49) < 0.06


@pytest.mark.parametrize("kind", ["dropout", "alpha_dropout", "feature_alpha_dropout", "dropout1d", "rrelu"])
def test_the_kinds_of_dropout_keep_the_mean(kind: str) -> None:
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(400, 50)))
    run = compiled(lambda x: getattr(F, kind)(x, 0.2, training=True) if kind != "rrelu" else F.rrelu(x, training=True))
    got, expected = run(x), getattr(F, kind)(x, training=True, **({} if kind == "rrelu" else {"p": 0.2}))
    assert abs(got.mean().item() - expected.mean().item()) < 0.03
    assert abs(got.std().item() - expected.std().item()) < 0.05
    assert not np.array_equal(run(x).numpy(), got.numpy())


# What cannot be captured ----------------------------------------------------------------------------------------------

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
        assert f"test_compile.py:{line}:" in str(error.value)
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


# Arguments of compile -------------------------------------------------------------------------------------------------


def test_the_forms_of_compile() -> None:
    def f(x: Any) -> Any:
        """Say something."""
        return x + 1

    assert torch.compile(f, disable=True) is f
    assert torch.compile(disable=True)(f) is f
    for made in (
        torch.compile(f),
        torch.compile(f, fullgraph=True, dynamic=False, backend="inductor", mode="max-autotune", options={}),
        torch.compile(fullgraph=True)(f),
    ):
        assert made(torch.ones(1)).item() == 2.0
        assert made.__name__ == "f"
        assert made.__doc__ == "Say something."
    with pytest.raises(ValueError, match="engine must be one of"):
        torch.compile(f, engine="gpu")
    with pytest.raises(TypeError, match="takes a module or a function"):
        torch.compile(3)


def test_a_method_can_be_compiled_in_its_class() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(3.0))

        @torch.compile
        def forward(self, x: Any) -> Any:
            return x * self.scale

    with torch.no_grad():
        assert Net()(torch.ones(1)).item() == 3.0


def test_the_graph_can_be_printed() -> None:
    net = mlp()
    run = torch.compile(net)
    assert run.graph is None
    with torch.no_grad():
        run(batch()[0])
    assert "tanh" in str(run.graph)
    assert run.explain_plan()


def test_lazy_modules_get_their_shapes_first() -> None:
    net = nn.Sequential(nn.LazyLinear(3), nn.Tanh())
    run = compiled(net)
    x = torch.ones(2, 5)
    with torch.no_grad():
        first = run(x)
        close(run(x), first)
    assert run.captures == 1


# Memory of results ----------------------------------------------------------------------------------------------------


def test_results_that_are_kept_stay_as_they_are() -> None:
    pytest.importorskip("llvmlite")
    run = torch.compile(lambda x: (x * 2, x + 1), engine="native")
    kept = [run(torch.full((3,), float(i))) for i in range(6)]
    views = [run(torch.full((3,), float(i)))[0].numpy()[1:] for i in range(6)]
    for i, (a, b) in enumerate(kept):
        assert a.tolist() == [2.0 * i] * 3
        assert b.tolist() == [1.0 + i] * 3
        assert views[i].tolist() == [2.0 * i] * 2


def test_memory_of_results_is_used_again() -> None:
    pytest.importorskip("llvmlite")
    run = torch.compile(lambda x: (x * 2, x + 1), engine="native")
    addresses = {run(torch.ones(3))[0].data_ptr() for _ in range(10)}
    assert len(addresses) <= 2


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


def test_the_default_dtype_is_noticed() -> None:
    run = compiled(lambda x: x + torch.ones(2))
    x = torch.zeros(2, dtype=torch.int64)
    assert run(x).dtype == torch.float32
    torch.set_default_dtype(D)
    try:
        assert run(x).dtype == D
    finally:
        torch.set_default_dtype(torch.float32)
