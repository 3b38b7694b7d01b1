"""Hooks of modules: forward, backward, with keywords, for every module; what they see and what they change."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import case, raises, sample


@case
def forward_hooks(torch: Any) -> Any:
    nn, seen = torch.nn, []
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())

    def note(text: str, result: Any = None) -> Any:
        return lambda *args: seen.append([text, len(args)]) or result

    handles = [
        net.register_forward_hook(note("after")),
        net.register_forward_hook(note("after, first"), prepend=True),
        net.register_forward_hook(note("after, with keywords"), with_kwargs=True),
        net.register_forward_pre_hook(note("before")),
        net.register_forward_pre_hook(note("before, first"), prepend=True),
        net[0].register_forward_pre_hook(lambda m, args: args[0] * 2),
        net[0].register_forward_hook(lambda m, args, out: out + 1),
    ]
    x = sample(torch, 3, 2)
    with torch.no_grad():
        net[0].weight.copy_(sample(torch, 2, 2, seed=1))
        net[0].bias.copy_(sample(torch, 2, seed=2))
    changed = net(x)
    for handle in handles:
        handle.remove()
    with net.register_forward_hook(lambda m, args, out: out * 0):
        zero = net(x)
    return [seen, changed, zero, net(x)]


@case
def hooks_with_keywords(torch: Any) -> Any:
    nn, seen = torch.nn, []

    class Scale(nn.Module):
        def forward(self, x: Any, *, factor: float = 1.0) -> Any:
            return x * factor

    module = Scale()
    handle = module.register_forward_pre_hook(
        lambda m, args, kwargs: (args, {"factor": kwargs["factor"] + 1}), with_kwargs=True
    )
    module.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True)
    out = module(torch.ones(2), factor=2.0)
    handle.remove()
    module.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    return [out, seen, raises(lambda: module(torch.ones(2), factor=1.0))]


@case
def hooks_when_forward_fails(torch: Any) -> Any:
    nn, seen = torch.nn, []
    layer = nn.Linear(2, 2)
    layer.register_forward_hook(lambda m, args, out: seen.append(["always", out is None]), always_call=True)
    layer.register_forward_hook(lambda m, args, out: seen.append(["only after success"]))
    failed = raises(lambda: layer(torch.ones(2, 5)))
    layer(torch.ones(1, 2))
    return [failed, seen]


def _noting(seen: list[Any], label: str) -> Any:
    def hook(module: Any, grad_input: Any, grad_output: Any) -> None:
        seen.append({"hook": label, "inputs": grad_input, "outputs": grad_output})

    return hook


@case
def backward_hooks(torch: Any) -> Any:
    nn, seen = torch.nn, []
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    with torch.no_grad():
        for i, parameter in enumerate(net.parameters()):
            parameter.copy_(sample(torch, *parameter.shape, seed=i))
    for i, layer in enumerate(net):
        layer.register_full_backward_hook(_noting(seen, f"layer {i}"))
    net.register_full_backward_hook(_noting(seen, "network"))
    net.register_full_backward_pre_hook(lambda m, grads: seen.append({"before": grads}))
    x = sample(torch, 4, 2, seed=8, requires_grad=True)
    net(x).sum().backward()
    with_input = [x.grad, net[0].weight.grad]
    net(sample(torch, 4, 2, seed=8)).sum().backward()
    return [seen, with_input, net[0].weight.grad]


@case
def backward_hooks_that_change_gradients(torch: Any) -> Any:
    nn = torch.nn
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2.0, 3.0]]))
    x = torch.ones(1, 2, requires_grad=True)
    handle = layer.register_full_backward_hook(lambda m, inputs, outputs: (inputs[0] * 10,))
    layer(x).sum().backward()
    results = [x.grad.clone(), layer.weight.grad.clone()]
    handle.remove()
    layer.register_full_backward_pre_hook(lambda m, outputs: (outputs[0] * 100,))
    layer(x).sum().backward()
    results += [x.grad.clone(), layer.weight.grad.clone()]
    layer.register_full_backward_hook(lambda m, inputs, outputs: (inputs[0], inputs[0]))
    return [*results, raises(lambda: layer(x).sum().backward())]


@case
def backward_hooks_of_several_inputs(torch: Any) -> Any:
    nn, seen = torch.nn, []

    class Pair(nn.Module):
        def forward(self, a: Any, b: Any, c: Any, text: str) -> Any:
            return a * b + c, b * 2, text

    module = Pair()
    module.register_full_backward_hook(_noting(seen, "pair"))
    module.register_full_backward_hook(lambda m, inputs, outputs: tuple(None if g is None else g * 3 for g in inputs))
    a, b = sample(torch, 2, 3, seed=1, requires_grad=True), sample(torch, 3, seed=2, requires_grad=True)
    first, second, text = module(a, b, torch.ones(2, 3), "passes")
    (first.sum() + (second**2).sum()).backward()
    return [seen, a.grad, b.grad, text]


@case
def backward_hooks_and_second_derivatives(torch: Any) -> Any:
    nn, seen = torch.nn, []
    act = nn.Tanh()
    act.register_full_backward_hook(lambda m, inputs, outputs: seen.append([g.requires_grad for g in inputs]))
    x = sample(torch, 3, requires_grad=True)
    (slope,) = torch.autograd.grad(act(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), x)
    return [seen, second]


@case
def hooks_for_every_module(torch: Any) -> Any:
    from_module = torch.nn.modules.module
    seen: list[Any] = []
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
    handles = [
        from_module.register_module_forward_hook(lambda m, args, out: seen.append(["after", type(m).__name__])),
        from_module.register_module_forward_pre_hook(lambda m, args: seen.append(["before", type(m).__name__])),
        from_module.register_module_full_backward_hook(lambda m, i, o: seen.append(["back", type(m).__name__])),
    ]
    net(sample(torch, 2, 2, requires_grad=True)).sum().backward()
    for handle in handles:
        handle.remove()
    net(sample(torch, 2, 2))
    return seen
