"""torch.func: derivatives that nest, batches, modules as functions of their parameters."""

from __future__ import annotations

import importlib
from collections import defaultdict
from typing import Any, NamedTuple

from tests.parity.harness import case, message, raises, sample, with_gradients


def room(torch: Any) -> Any:
    return importlib.import_module(f"{torch.__name__}.func")


def network(torch: Any) -> Any:
    torch.manual_seed(2)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))


def cubic(x):
    return (x**3).sum()


@case(params=[("float32",), ("float64",)])
def gradients(torch: Any, dtype: str) -> Any:
    f, x = room(torch), sample(torch, 4, dtype=dtype)
    y = sample(torch, 4, dtype=dtype, seed=1)
    return {
        "one": f.grad(cubic)(x),
        "two": f.grad(lambda x: f.grad(cubic)(x).sum())(x),
        "three": f.grad(f.grad(f.grad(torch.sin)))(x[0]),
        "value": f.grad_and_value(cubic)(x),
        "second argument": f.grad(lambda a, b: (a * b**2).sum(), argnums=1)(x, y),
        "both": f.grad(lambda a, b: (a * b**2).sum(), argnums=(0, 1))(x, y),
        "negative": f.grad(lambda a, b: (a * b**2).sum(), argnums=-1)(x, y),
        "aux": f.grad(lambda x: (cubic(x), x * 2), has_aux=True)(x),
        "nest": f.grad(lambda p: (p["a"] * p["b"][0]).sum())({"a": x, "b": [y]}),
        "keyword": f.grad(lambda x, k: (x * k).sum())(x, k=3.0),
        "not used": f.grad(lambda a, b: b.sum(), argnums=(0, 1))(x, y),
        "constant": f.grad(lambda x: torch.zeros(()))(x),
    }


@case(params=[("float32",), ("float64",)])
def products_and_jacobians(torch: Any, dtype: str) -> Any:
    f, x, v = room(torch), sample(torch, 3, dtype=dtype), sample(torch, 3, dtype=dtype, seed=1)
    w = sample(torch, 2, 3, dtype=dtype, seed=2)

    def net(x):
        return torch.tanh(w @ x)

    result, pull_back = f.vjp(net, x)
    several, pull_back_several = f.vjp(lambda a, b: {"s": a * b, "t": a.sum()}, x, v)
    return {
        "vjp": [result, pull_back(result)],
        "vjp of several": [several, pull_back_several({"s": v, "t": v[0]})],
        "vjp aux": f.vjp(lambda x: (x**2, x + 1), x, has_aux=True)[2],
        "jvp": f.jvp(net, (x,), (v,)),
        "jvp of several": f.jvp(lambda a, b: a * b**2, (x, v), (v, x)),
        "jvp of a constant": f.jvp(lambda a: torch.ones(2, dtype=a.dtype), (x,), (v,)),
        "linearize": [f.linearize(net, x)[0], f.linearize(net, x)[1](v)],
        "jacrev": f.jacrev(net)(x),
        "jacfwd": f.jacfwd(net)(x),
        "two inputs": f.jacrev(lambda a, b: torch.outer(a, b[:2]), argnums=(0, 1))(x, v),
        "aux": f.jacrev(lambda x: (x**2, x.sum()), has_aux=True)(x),
        "hessian": f.hessian(lambda x: net(x).sum())(x),
        "hessian of two": f.hessian(lambda a, b: (a**2 * b).sum(), argnums=(0, 1))(x, v),
        "product": f.jvp(f.grad(lambda x: net(x).sum()), (x,), (v,))[1],
        "jacobian of a gradient": f.jacrev(f.grad(cubic))(x),
    }


@case
def examples(torch: Any) -> Any:
    f = room(torch)
    a, b = sample(torch, 4, 3), sample(torch, 4, 3, seed=1)
    return {
        "dot": f.vmap(torch.dot)(a, b),
        "shared": f.vmap(torch.dot, in_dims=(0, None))(a, b[0]),
        "columns": f.vmap(torch.dot, in_dims=1)(a, b),
        "out": f.vmap(lambda x: x * 2, in_dims=0, out_dims=1)(a),
        "nests": f.vmap(lambda d: {"s": d["x"] + d["y"], "t": (d["x"].sum(), d["y"])})({"x": a, "y": b}),
        "nested dims": f.vmap(lambda d, c: d["x"] + d["y"] * c, in_dims=({"x": 0, "y": None}, None))(
            {"x": a, "y": b[0]}, torch.tensor(2.0)
        ),
        "twice": f.vmap(f.vmap(torch.mul), in_dims=(None, 0))(a, torch.stack([b, a])),
        "top": torch.vmap(lambda x: x.sum())(a),
        "keyword": f.vmap(lambda x, k: x * k)(a, k=b),
        "gradients": f.vmap(f.grad(cubic))(a),
        "of a leaf": with_gradients(torch, lambda x: f.vmap(lambda row: row.exp().sum())(x), a.requires_grad_()),
    }


class Pair(NamedTuple):
    """A named tuple of a user's."""

    first: Any
    second: Any


@case
def containers(torch: Any) -> Any:
    f, x = room(torch), sample(torch, 4, 3)
    ordered = f.vmap(lambda row: row.sort(descending=True))(x)
    best = f.vmap(lambda row: {"top": row.topk(2), "most": row.max(0)})(x)
    kept = f.vmap(lambda row: defaultdict(list, {"sum": row.sum()}))(x)
    return {
        "sort": [type(ordered).__name__, ordered.values, ordered.indices],
        "topk": [best["top"].indices, best["most"].values],
        "in and out": f.vmap(lambda pair: Pair(pair.first + 1, pair.second.sum()))(Pair(x, x * x))._asdict(),
        "defaultdict": [type(kept).__name__, kept["sum"], kept["absent"]],
        "jacobian": f.jacrev(lambda row: Pair(row * 2, row.prod()))(x[0]).second,
    }


@case
def a_refused_draw_leaves_the_generator_alone(torch: Any) -> Any:
    torch.manual_seed(3)
    refused = raises(lambda: room(torch).vmap(lambda x: x + torch.rand(()))(sample(torch, 3)))
    return [refused, torch.rand(2)]


@case
def mistakes(torch: Any) -> Any:
    f, x = room(torch), sample(torch, 3)

    return {
        "vector": message(lambda: f.grad(lambda x: x * 2)(x), RuntimeError),
        "number": raises(lambda: f.grad(lambda x: 3.0)(x)),
        "random": raises(lambda: f.vmap(lambda x: x + torch.rand(()))(x)),
        "sizes": raises(lambda: f.vmap(torch.add)(x, x[:2])),
        "no dimension": raises(lambda: f.vmap(torch.sin)(x[0])),
        "nothing": raises(lambda: f.vmap(torch.add, in_dims=(None, None))(x, x)),
        "too few": raises(lambda: f.vmap(torch.add, in_dims=(0,))(x, x)),
        "a number": raises(lambda: f.vmap(torch.add)(x, 2.0)),
        "no tensor": raises(lambda: f.vmap(lambda x: 1)(x)),
        "name": raises(lambda: f.functional_call(network(torch), {"foo": x}, x)),
        "twice": raises(lambda: f.functional_call(network(torch), [{"0.bias": x}, {"0.bias": x}], x)),
        "strict": raises(lambda: f.functional_call(network(torch), {"0.bias": torch.ones(4)}, x, strict=True)),
        "tuple": raises(lambda: f.jvp(torch.sin, x, x)),
        "no models": raises(lambda: f.stack_module_state([])),
    }


@case(rtol=3e-6)
def gradients_of_each_example(torch: Any) -> Any:
    f, net = room(torch), network(torch)
    x, y = sample(torch, 5, 3), torch.tensor([0, 1, 1, 0, 1])
    parameters = {name: p.detach() for name, p in net.named_parameters()}

    def loss(parameters, row, label):
        logits = f.functional_call(net, parameters, (row.unsqueeze(0),))
        return torch.nn.functional.cross_entropy(logits, label.unsqueeze(0))

    each = f.vmap(f.grad(loss), in_dims=(None, 0, 0))(parameters, x, y)
    kernel = f.vmap(f.jacrev(lambda row: net(row).sum()))(x)
    return {"each": each, "by input": kernel, "untouched": [p.grad is None for p in net.parameters()]}


@case
def calls(torch: Any) -> Any:
    f, net = room(torch), network(torch)
    x = sample(torch, 5, 3)
    ones = {name: torch.ones_like(p, requires_grad=True) for name, p in net.named_parameters()}
    total = f.functional_call(net, ones, x).sum()
    tied = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 3), "b": torch.nn.Linear(3, 3)})
    tied["b"].weight = tied["a"].weight
    tied.forward = lambda x: tied["b"](tied["a"](x))
    norm = torch.nn.BatchNorm1d(3)
    buffers = {"running_mean": torch.zeros(3), "running_var": torch.ones(3)}
    return {
        "total": total,
        "gradients": torch.autograd.grad(total, list(ones.values())),
        "as before": net(x),
        "some": f.functional_call(net, {"0.bias": torch.zeros(4)}, (x,)),
        "keywords": f.functional_call(net, ones, kwargs={"input": x}),
        "several": f.functional_call(net, [{"0.bias": torch.zeros(4)}, {"2.bias": torch.ones(2)}], x),
        "tied": f.functional_call(tied, {"a.weight": torch.eye(3)}, x),
        "untied": f.functional_call(tied, {"a.weight": torch.eye(3)}, x, tie_weights=False),
        "normalised": f.functional_call(norm, buffers, x),
        "buffers": [buffers["running_mean"], norm.running_mean],
    }


@case
def stacked_modules(torch: Any) -> Any:
    f = room(torch)
    torch.manual_seed(0)
    nets = [torch.nn.Linear(3, 2) for _ in range(4)]
    parameters, buffers = f.stack_module_state(nets)
    x = sample(torch, 5, 3)
    together = f.vmap(lambda p, b: f.functional_call(nets[0], (p, b), (x,)))(parameters, buffers)
    return {
        "shapes": [list(p.shape) for p in parameters.values()],
        "leaf": parameters["weight"].is_leaf,
        "buffers": len(buffers),
        "together": [together, torch.autograd.grad(together.sum(), parameters["weight"])],
        "each": torch.stack([net(x) for net in nets]),
    }


@case
def an_inner_derivative_leaves_nothing_behind(torch: Any) -> Any:
    """Return gradients of parameters that have no history, though derivatives by the inputs came before."""
    f = room(torch)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    parameters = {name: p.detach() for name, p in net.named_parameters()}
    points = sample(torch, 5, 2)

    def value(p: Any, x: Any, t: Any) -> Any:
        return f.functional_call(net, p, torch.stack([x, t]))[0]

    def residual(p: Any, x: Any, t: Any) -> Any:
        return f.grad(value, 2)(p, x, t) - 0.1 * f.grad(f.grad(value, 1), 1)(p, x, t)

    def loss(p: Any) -> Any:
        return f.vmap(residual, (None, 0, 0))(p, points[:, 0], points[:, 1]).pow(2).mean()

    def by_vjp(p: Any) -> Any:
        result, back = f.vjp(lambda x: value(p, x, points[0, 1]), points[0, 0])
        return result * back(torch.ones(()))[0]

    found, second = f.grad(loss)(parameters), f.grad(by_vjp)(parameters)
    return [
        list(found.values()),
        [g.requires_grad for g in found.values()],
        list(second.values()),
        [g.requires_grad for g in second.values()],
        f.hessian(loss)(parameters)["0.bias"]["2.weight"].requires_grad,
    ]


@case
def what_is_connected(torch: Any) -> Any:
    f, w = room(torch), sample(torch, 3, requires_grad=True)
    x = sample(torch, 3, seed=1)
    alone, with_w = f.grad(cubic)(x), f.grad(lambda x: (w * x**2).sum())(x)
    with_w.sum().backward()
    with torch.no_grad():
        inside = f.grad(cubic)(x)
    return [alone.requires_grad, with_w.requires_grad, w.grad, inside, f.grad(cubic)(w).requires_grad, x.requires_grad]
