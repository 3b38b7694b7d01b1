"""What compiled functions and modules promise: the numbers of eager code, and nothing compiled twice for nothing."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.nn import functional as F
from tests.compiler.compiling import D, batch, close, compiled, mlp, training

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


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_a_single_index_is_an_argument_like_any_other(engine: str) -> None:
    """It is not read while the function is captured."""

    def picked(x: Any, i: Any) -> Any:
        return x[i], x.select(1, i), x[1].gather(0, i), x[0].index_select(0, i)

    x, compiled = torch.arange(12.0).reshape(3, 4), torch.compile(picked, engine=engine)
    for i in (0, 2, 1):
        for actual, expected in zip(compiled(x, torch.tensor(i)), picked(x, torch.tensor(i)), strict=True):
            assert actual.tolist() == expected.tolist()


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


def test_the_default_dtype_is_noticed() -> None:
    run = compiled(lambda x: x + torch.ones(2))
    x = torch.zeros(2, dtype=torch.int64)
    assert run(x).dtype == torch.float32
    torch.set_default_dtype(D)
    try:
        assert run(x).dtype == D
    finally:
        torch.set_default_dtype(torch.float32)
