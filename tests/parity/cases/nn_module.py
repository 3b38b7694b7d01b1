"""Module: registration, names, texts, states, hooks, conversion, copies; and the containers."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from typing import Any

from tests.parity.harness import case, raises, sample


def _net(torch: Any) -> Any:
    """Return a network with a shared layer, a buffer, an absent parameter and an absent child."""
    nn = torch.nn

    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2)
            self.scale = nn.Parameter(torch.ones(2))
            self.register_parameter("absent", None)
            self.register_buffer("mean", torch.zeros(2))
            self.register_buffer("scratch", torch.ones(1), persistent=False)

        def forward(self, x: Any) -> Any:
            return self.linear(x) * self.scale + self.mean

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = Inner()
            self.act = nn.Tanh()
            self.again = self.first
            self.rest = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 1)])
            self.nothing = None

        def forward(self, x: Any) -> Any:
            x = self.act(self.again(self.first(x)))
            for layer in self.rest:
                x = layer(x)
            return x

        def extra_repr(self) -> str:
            return "two lines\nof text"

    return Net()


# Names and texts ------------------------------------------------------------------------------------------------------


@case
def names(torch: Any) -> Any:
    net = _net(torch)
    return {
        "parameters": [name for name, _ in net.named_parameters()],
        "with duplicates": [name for name, _ in net.named_parameters(remove_duplicate=False)],
        "prefixed": [name for name, _ in net.named_parameters(prefix="net", recurse=False)],
        "own": [name for name, _ in net.first.named_parameters(recurse=False)],
        "buffers": [name for name, _ in net.named_buffers()],
        "children": [name for name, _ in net.named_children()],
        "modules": [name for name, _ in net.named_modules()],
        "all modules": [name for name, _ in net.named_modules(prefix="p", remove_duplicate=False)],
        "counts": [len(list(net.parameters())), len(list(net.buffers())), len(list(net.modules()))],
        "state": list(net.state_dict()),
        "prefixed state": list(net.state_dict(prefix="model.")),
        "metadata": [*net.state_dict()._metadata],
        "text": str(net),
        "dir": [name in dir(net) for name in ("first", "nothing", "parameters", "training")],
    }


@case
def finding_by_name(torch: Any) -> Any:
    net = _net(torch)
    wrong = ["x.y", "first.scale", "first.linear.weight.data", "first.forward"]
    return {
        "found": [
            net.get_submodule("") is net,
            net.get_submodule("first.linear") is net.first.linear,
            net.get_parameter("first.linear.weight") is net.first.linear.weight,
            net.get_buffer("first.mean") is net.first.mean,
            net.get_submodule("rest.1") is net.rest[1],
        ],
        "modules": [raises(lambda t=t: net.get_submodule(t)) for t in wrong],
        "parameters": [raises(lambda t=t: net.get_parameter(t)) for t in (*wrong, "first.mean", "first.linear")],
        "buffers": [raises(lambda t=t: net.get_buffer(t)) for t in (*wrong, "first.linear.weight", "first.nope")],
    }


@case
def replacing_submodules(torch: Any) -> Any:
    net, nn = _net(torch), torch.nn
    net.set_submodule("first.linear", nn.Identity())
    net.set_submodule("rest.2", nn.ReLU(), strict=True)
    net.set_submodule("new", nn.Tanh())
    calls = [
        lambda: net.set_submodule("", nn.ReLU()),
        lambda: net.set_submodule("q.r", nn.ReLU()),
        lambda: net.set_submodule("first.scale", nn.ReLU()),
        lambda: net.set_submodule("zz", nn.ReLU(), strict=True),
        lambda: net.set_submodule("zz", 3),
    ]
    return [str(net), [raises(call) for call in calls]]


# Attributes -----------------------------------------------------------------------------------------------------------


def _held(module: Any) -> list[list[str]]:
    return [list(module._parameters), list(module._buffers), list(module._modules)]


@case
def assigning_attributes(torch: Any) -> Any:
    nn, seen = torch.nn, []
    module = nn.Module()
    for value in (nn.Parameter(torch.ones(2)), None, nn.Parameter(torch.zeros(1))):
        module.weight = value
        seen.append([_held(module), value is module.weight])
    seen += [raises(lambda v=v: setattr(module, "weight", v)) for v in (torch.ones(1), 3, "text")]
    module.weight2 = 3
    module.weight2 = nn.Parameter(torch.ones(1))
    module.child = nn.ReLU()
    seen.append([_held(module), "weight2" in module.__dict__])
    seen += [raises(lambda v=v: setattr(module, "child", v)) for v in (3, torch.ones(1))]
    module.child = nn.Parameter(torch.ones(1))
    module.register_buffer("state", torch.ones(1))
    seen += [_held(module), raises(lambda: setattr(module, "state", 3))]
    module.state = torch.zeros(3)
    module.state = None
    module.state = nn.Parameter(torch.ones(1))
    seen += [_held(module), list(module.state_dict())]
    module.buffer = nn.Buffer(torch.ones(2), persistent=False)
    module.buffer2 = nn.Buffer(torch.ones(2))
    module.plain = torch.ones(2)
    seen += [_held(module), list(module.state_dict()), raises(lambda: module.nowhere)]
    del module.weight2, module.buffer
    seen += [_held(module), raises(lambda: delattr(module, "weight2")), raises(lambda: module.weight2)]
    return seen


@case
def registering(torch: Any) -> Any:
    nn, module = torch.nn, torch.nn.Module()
    module.taken = 1
    result = (torch.ones(1, requires_grad=True)) * 2
    calls = []
    for register, value in (
        (module.register_parameter, None),
        (module.register_buffer, None),
        (module.add_module, None),
        (module.register_module, nn.ReLU()),
    ):
        calls += [lambda r=register, v=value, n=n: r(n, v) for n in (3, "a.b", "", "taken", "training", "fine")]
    calls += [
        lambda: module.register_parameter("w", torch.ones(1)),
        lambda: module.register_parameter("w", 3),
        lambda: module.register_parameter("w", result),
        lambda: module.register_buffer("b", 3),
        lambda: module.add_module("c", 3),
    ]
    return [[raises(call) for call in calls], _held(module), str(module)]


@case
def before_init(torch: Any) -> Any:
    nn = torch.nn

    def broken(act: Any) -> Any:
        class Broken(nn.Module):
            def __init__(self) -> None:
                act(self)

        return raises(Broken)

    return [
        broken(lambda m: setattr(m, "w", nn.Parameter(torch.ones(1)))),
        broken(lambda m: setattr(m, "w", nn.Linear(1, 1))),
        broken(lambda m: setattr(m, "w", nn.Buffer(torch.ones(1)))),
        broken(lambda m: m.register_buffer("w", None)),
        broken(lambda m: m.register_parameter("w", None)),
        broken(lambda m: m.missing),
        broken(lambda m: setattr(m, "plain", torch.ones(1))),
        raises(lambda: nn.Module(1)),
        raises(lambda: nn.Module(a=1)),
        raises(lambda: nn.Module()(1)),
        raises(lambda: nn.Linear(1, 1).train("yes")),
    ]


@case
def parameters_and_buffers(torch: Any) -> Any:
    nn = torch.nn
    base = torch.ones(2)
    parameter = nn.Parameter(base)
    base[0] = 5
    parameter.grad = torch.ones(2)
    parameter.note = "kept"
    copied, shallow = copy.deepcopy(parameter), copy.copy(parameter)
    errors = [lambda: nn.Parameter([1.0]), lambda: nn.Parameter(torch.tensor([1, 2])), lambda: nn.Parameter(3)]
    unset = nn.UninitializedParameter()
    before = [str(unset), raises(lambda: unset.shape), raises(lambda: unset + 1), raises(lambda: unset.mean())]
    unset.materialize((2, 3))
    return {
        "texts": [repr(parameter), repr(nn.Parameter()), repr(nn.Parameter(torch.tensor([1]), requires_grad=False))],
        "copies": [copied, copied.grad, hasattr(copied, "note"), shallow is parameter, type(shallow).__name__],
        "kinds": [type(parameter * 1).__name__, type(parameter.data).__name__, type(parameter.detach()).__name__],
        "errors": [raises(call) for call in errors],
        "buffer": [isinstance(nn.Buffer(base), nn.Buffer), isinstance(base, nn.Buffer), repr(nn.Buffer(base))],
        "unset": [*before, type(unset).__name__, unset.shape, unset.dtype, unset.requires_grad],
    }


# States ---------------------------------------------------------------------------------------------------------------


def _message(call: Any) -> str:
    try:
        call()
    except Exception as error:
        return str(error)
    return "nothing raised"


@case
def loading_messages(torch: Any) -> Any:
    nn = torch.nn
    small, large = nn.Sequential(nn.Linear(2, 3), nn.ReLU()), nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    state = small.state_dict()
    more = {**state, "0.extra": torch.ones(1), "extra": torch.ones(1), "2.weight": torch.ones(1)}
    return {
        "too little": _message(lambda: large.load_state_dict(state)),
        "too much": _message(lambda: small.load_state_dict(more)),
        "sizes": _message(lambda: large.load_state_dict(state, strict=False)),
        "no tensor": _message(lambda: small.load_state_dict({**state, "0.bias": 3})).replace("int", "a number"),
        "no dictionary": [raises(lambda: small.load_state_dict([1])), raises(lambda: small.load_state_dict(None))],
        "result": str(small.load_state_dict(more, strict=False)),
        "fine": str(small.load_state_dict(state)),
        "empty": str(small.load_state_dict({}, strict=False)),
        "prefix": _message(lambda: small.load_state_dict(small.state_dict(prefix="model."))),
    }


@case
def loading_values(torch: Any) -> Any:
    nn = torch.nn
    source, target = _net(torch), _net(torch)
    weight = target.first.linear.weight
    keys = target.load_state_dict(source.state_dict())
    kept = target.first.linear.weight is weight
    state = {key: value.double() for key, value in source.state_dict().items()}
    target.load_state_dict(state)
    copied = target.first.linear.weight.dtype
    target.load_state_dict(state, assign=True)
    scalar = nn.Module()
    scalar.w = nn.Parameter(torch.tensor(0.0))
    scalar.load_state_dict({"w": torch.tensor([3.0])})
    frozen = nn.Linear(2, 1).requires_grad_(False)
    frozen.load_state_dict(nn.Linear(2, 1).state_dict(), assign=True)
    return {
        "keys": [list(keys.missing_keys), list(keys.unexpected_keys)],
        "same": [kept, copied, target.first.linear.weight.dtype, bool((weight == source.first.linear.weight).all())],
        "scalar": scalar.w,
        "frozen": [frozen.weight.requires_grad, type(frozen.weight).__name__],
        "shares memory": source.state_dict()["rest.0.weight"].data_ptr() == source.rest[0].weight.data_ptr(),
        "kept": [type(v).__name__ for v in source.state_dict(keep_vars=True).values()],
        "detached": [v.requires_grad for v in source.state_dict().values()],
    }


@case
def extra_state(torch: Any) -> Any:
    nn = torch.nn

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0

        def get_extra_state(self) -> Any:
            return {"count": self.count}

        def set_extra_state(self, state: Any) -> None:
            self.count = state["count"]

    net = nn.Sequential(Counting(), nn.Linear(1, 1))
    net[0].count = 7
    state = net.state_dict()
    other = nn.Sequential(Counting(), nn.Linear(1, 1))
    other.load_state_dict(state)
    without = {key: value for key, value in state.items() if "extra" not in key}
    return [list(state), other[0].count, _message(lambda: other.load_state_dict(without))]


@case
def state_hooks(torch: Any) -> Any:
    nn, seen = torch.nn, []
    net = nn.Sequential(nn.Linear(1, 1))

    def after_saving(module: Any, state: Any, prefix: str, metadata: Any) -> None:
        seen.append(["saved", type(module).__name__, prefix, list(state)])
        state[prefix + "note"] = torch.ones(1)

    def after_loading(module: Any, keys: Any) -> None:
        seen.append(["loaded", list(keys.missing_keys), list(keys.unexpected_keys)])
        keys.unexpected_keys.clear()

    handles = [
        net[0].register_state_dict_post_hook(after_saving),
        net.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(["saving", prefix, keep])),
        net.register_load_state_dict_pre_hook(
            lambda m, state, prefix, *_: seen.append(["loading", prefix, list(state)])
        ),
        net.register_load_state_dict_post_hook(after_loading),
    ]
    state = net.state_dict()
    loaded = str(net.load_state_dict(state))
    for handle in handles:
        handle.remove()
    return [seen, list(state), loaded, list(net.state_dict())]


# Modes, conversions, copies -------------------------------------------------------------------------------------------


@case
def modes(torch: Any) -> Any:
    net = _net(torch)
    seen: list[str] = []
    same = [net.eval() is net, net.train() is net, net.train(False) is net, net.requires_grad_(False) is net]
    flags = [m.training for m in net.modules()] + [p.requires_grad for p in net.parameters()]
    net.rest.requires_grad_()
    net.apply(lambda m: seen.append(type(m).__name__))
    return [same, flags, [p.requires_grad for p in net.parameters()], seen]


@case
def zeroing(torch: Any) -> Any:
    net = _net(torch)
    net(sample(torch, 3, 2)).sum().backward()
    kept = net.rest[0].weight.grad
    net.zero_grad(set_to_none=False)
    zeros = [p.grad for p in net.parameters()]
    net.zero_grad()
    return [zeros, kept, [p.grad is None for p in net.parameters()]]


@case
def converting(torch: Any) -> Any:
    net = _net(torch)
    net.register_buffer("whole", torch.tensor([1, 2]))
    weight = net.rest[0].weight
    net(sample(torch, 3, 2)).sum().backward()
    dtypes = []
    conversions = [
        lambda: net.double(),
        lambda: net.float(),
        lambda: net.half(),
        lambda: net.to(torch.float64),
        lambda: net.to("cpu", torch.float32),
        lambda: net.to(torch.device("cpu")),
        lambda: net.to(torch.zeros(1, dtype=torch.float64)),
        lambda: net.to(dtype=torch.float32),
        lambda: net.cpu(),
        lambda: net.type(torch.float64),
    ]
    for convert in conversions:
        same = convert() is net
        kinds = [str(t.dtype) for t in (net.rest[0].weight, net.first.mean, net.whole, net.rest[0].weight.grad)]
        dtypes.append([same, net.rest[0].weight is weight, *kinds])
    errors = [lambda: net.to(torch.int64), lambda: net.to("int64")]
    return [dtypes, [raises(call) for call in errors], weight.requires_grad, weight.is_leaf]


@case
def copying(torch: Any) -> Any:
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2), torch.nn.Dropout(0.3), torch.nn.ReLU())
    net.extra = {"a": [1, 2]}
    net(sample(torch, 4, 2)).sum().backward()
    results = []
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        with torch.no_grad():
            twin[0].weight.zero_()
        twin.extra["a"].append(3)
        results.append([str(twin), list(twin.state_dict()), twin.extra, twin[0].weight.grad is None, twin.training])
        results.append(dict(twin.state_dict()))
    return [results, net.extra, dict(net.state_dict())]


# Hooks ----------------------------------------------------------------------------------------------------------------


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


# Messages -------------------------------------------------------------------------------------------------------------


@case
def messages(torch: Any) -> Any:
    """Programs print what they catch, so the words are PyTorch's."""
    f, nn = torch.nn.functional, torch.nn
    x, three, table, net = torch.ones(2, 3), torch.ones(3), torch.ones(4, 3), nn.Sequential(nn.ReLU())
    module = nn.Module()
    module.w, module.c = nn.Parameter(torch.ones(2)), nn.Linear(1, 1)
    batch_norm = nn.BatchNorm1d(3)
    calls = [
        lambda: nn.Linear(3, 2)(torch.ones(2, 4)),
        lambda: f.linear([1.0], x),
        lambda: f.dropout(x, -0.1),
        lambda: nn.Dropout(1.5),
        lambda: f.dropout(torch.tensor([1, 2])),
        lambda: f.embedding(torch.tensor([4]), table),
        lambda: f.embedding(torch.tensor([1.0]), table),
        lambda: nn.Embedding(3, 2, padding_idx=3),
        lambda: f.one_hot(torch.tensor([0, 2]), 2),
        lambda: f.one_hot(torch.tensor([-1])),
        lambda: batch_norm(torch.ones(1, 3)),
        lambda: batch_norm(three),
        lambda: batch_norm(torch.ones(2, 4)),
        lambda: batch_norm(x.double()),
        lambda: batch_norm(x.long()),
        lambda: f.layer_norm(x, (2,)),
        lambda: f.layer_norm(x, (3,), three.double()),
        lambda: f.rms_norm(x, (2,)),
        lambda: f.group_norm(x, 2),
        lambda: nn.GroupNorm(2, 3),
        lambda: f.celu(x, 0.0),
        lambda: f.hardtanh(x, 2, 1),
        lambda: f.softshrink(x, -1.0),
        lambda: f.glu(three),
        lambda: f.gelu(x, approximate="foo"),
        lambda: f.prelu(x, torch.ones(2)),
        lambda: f.softmax(x, 2),
        lambda: f.softmax(torch.tensor([1, 2]), 0),
        lambda: f.elu(torch.tensor([1])),
        lambda: f.relu(torch.tensor([True])),
        lambda: f.bilinear(x, x, torch.ones(4, 3, 2)),
        lambda: f.normalize(x.long()),
        lambda: f.pad(x, (1,)),
        lambda: module.register_parameter("a.b", None),
        lambda: module.register_parameter("training", None),
        lambda: module.register_parameter("q", torch.ones(1)),
        lambda: module.register_parameter("z", torch.ones(1, requires_grad=True) * 1),
        lambda: setattr(module, "w", three),
        lambda: setattr(module, "c", 3),
        lambda: module.add_module("x", 3),
        lambda: module.nowhere,
        lambda: module.get_submodule("x.y"),
        lambda: module.get_parameter("c.q"),
        lambda: module.get_buffer("w"),
        lambda: nn.Module(1),
        lambda: nn.Module(a=1),
        lambda: module(1),
        lambda: module.train("x"),
        lambda: module.to(torch.int64),
        lambda: net[3],
        lambda: net.insert(9, nn.ReLU()),
        lambda: nn.Sequential(3),
        lambda: nn.ModuleList().extend(3),
        lambda: nn.ModuleDict().update(3),
        lambda: nn.ParameterList()(1),
        lambda: nn.Parameter([1.0]),
        lambda: nn.UninitializedParameter().shape,
        lambda: nn.Unflatten(1, 3),
        lambda: nn.utils.vector_to_parameters([1], [module.w]),
        lambda: nn.utils.vector_to_parameters(torch.ones(1), [module.w]),
    ]
    return [_message(call) for call in calls]


# Containers -----------------------------------------------------------------------------------------------------------


def _done(torch: Any, make: Any, act: Any) -> str:
    """Return what a container looks like after an action, or which error that raises."""
    container = make()
    error = raises(lambda: act(container))
    return f"{error}: {container}"


@case
def sequential(torch: Any) -> Any:
    nn = torch.nn

    def make() -> Any:
        return nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid())

    actions = [
        lambda s: s.append(nn.ELU()),
        lambda s: s.append(3),
        lambda s: s.insert(0, nn.ELU()),
        lambda s: s.insert(-1, nn.ELU()),
        lambda s: s.insert(3, nn.ELU()),
        lambda s: s.insert(9, nn.ELU()),
        lambda s: s.insert(0, 3),
        lambda s: s.extend([nn.ELU(), nn.GELU()]),
        lambda s: s.extend(3),
        lambda s: s.pop(0),
        lambda s: s.pop(-1),
        lambda s: s.pop(7),
        lambda s: s.__delitem__(0),
        lambda s: s.__delitem__(slice(1, None)),
        lambda s: s.__delitem__(7),
        lambda s: s.__setitem__(0, nn.GELU()),
        lambda s: s.__setitem__(-1, nn.GELU()),
        lambda s: s.__setitem__(0, 3),
        lambda s: s.__iadd__(nn.Sequential(nn.ReLU())),
        lambda s: s.__iadd__([nn.ReLU()]),
        lambda s: s.__imul__(2),
        lambda s: s.__imul__(0),
        lambda s: s.__imul__(1.5),
    ]
    values = [
        lambda s: s[0],
        lambda s: s[-1],
        lambda s: s[0:2],
        lambda s: s + nn.Sequential(nn.ReLU()),
        lambda s: s * 2,
        lambda s: 2 * s,
        lambda s: list(s),
        lambda s: len(s),
    ]
    errors = [
        lambda: make()[3],
        lambda: make()["a"],
        lambda: make() + 3,
        lambda: make() * 0,
        lambda: nn.Sequential(3),
        lambda: nn.Sequential([nn.ReLU()]),
        lambda: nn.Sequential({"a": nn.ReLU()}),
    ]
    named = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))
    named.append(nn.ELU())
    return {
        "actions": [_done(torch, make, act) for act in actions],
        "values": [str(value(make())) for value in values],
        "errors": [raises(call) for call in errors],
        "named": [str(named), str(named.a), str(named[1]), list(dict(named.named_children()))],
        "empty": [str(nn.Sequential()), nn.Sequential()(3), str(nn.Sequential(nn.ReLU(), None))],
    }


@case
def module_list(torch: Any) -> Any:
    nn = torch.nn

    def make() -> Any:
        return nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 2), nn.ModuleList([nn.ReLU(), nn.ReLU()])])

    actions = [
        lambda s: s.append(nn.ELU()),
        lambda s: s.append(3),
        lambda s: s.extend([nn.ELU(), nn.ELU()]),
        lambda s: s.extend(3),
        lambda s: s.insert(1, nn.ReLU()),
        lambda s: s.pop(0),
        lambda s: s.pop(9),
        lambda s: s.__delitem__(-1),
        lambda s: s.__delitem__(slice(0, 2)),
        lambda s: s.__setitem__(0, nn.GELU()),
        lambda s: s.__setitem__(0, 3),
        lambda s: s.__iadd__([nn.ELU()]),
        lambda s: s(1),
    ]
    values = [
        lambda s: s[1:3],
        lambda s: s[-1],
        lambda s: s.__add__([nn.ReLU()]),
        lambda s: len(s),
        lambda s: list(s)[2],
    ]
    return {
        "actions": [_done(torch, make, act) for act in actions],
        "values": [str(value(make())) for value in values],
        "errors": [raises(lambda: make()[9]), raises(lambda: make()["0"]), raises(lambda: nn.ModuleList([3]))],
        "texts": [str(nn.ModuleList()), str(nn.ModuleList(nn.ReLU() for _ in range(2))), "0" in dir(make())],
    }


@case
def module_dict(torch: Any) -> Any:
    nn = torch.nn

    def make() -> Any:
        return nn.ModuleDict({"b": nn.ReLU(), "a": nn.Tanh()})

    actions = [
        lambda d: d.update({"c": nn.ELU(), "b": nn.GELU()}),
        lambda d: d.update([("c", nn.ELU())]),
        lambda d: d.update(nn.ModuleDict({"z": nn.ELU()})),
        lambda d: d.update(3),
        lambda d: d.update([3]),
        lambda d: d.update([(1,)]),
        lambda d: d.pop("a"),
        lambda d: d.pop("q"),
        lambda d: d.clear(),
        lambda d: d.__delitem__("a"),
        lambda d: d.__setitem__("x.y", nn.ReLU()),
        lambda d: d.__setitem__("type", nn.ReLU()),
        lambda d: d.__setitem__(1, nn.ReLU()),
        lambda d: d.__setitem__("k", 3),
        lambda d: d["q"],
        lambda d: d(1),
    ]
    d = make()
    seen = [
        len(d),
        "a" in d,
        list(d),
        list(d.keys()),
        [str(v) for v in d.values()],
        [k for k, _ in d.items()],
        str(d["a"]),
    ]
    return [[_done(torch, make, act) for act in actions], seen, str(nn.ModuleDict())]


@case
def parameter_list(torch: Any) -> Any:
    nn = torch.nn

    def make() -> Any:
        return nn.ParameterList([nn.Parameter(torch.ones(2, 3)), torch.ones(2), 3, "x", nn.Linear(1, 1)])

    actions = [
        lambda p: p.append(torch.zeros(1)),
        lambda p: p.extend([torch.zeros(1), 2]),
        lambda p: p.extend(3),
        lambda p: p.extend(torch.ones(2)),
        lambda p: p.extend(p),
        lambda p: p.__setitem__(0, torch.zeros(4)),
        lambda p: p.__setitem__(9, torch.zeros(4)),
        lambda p: p.__iadd__([2]),
        lambda p: p(1),
        lambda p: p[9],
    ]
    p = make()
    seen = [
        len(p),
        p[1],
        p[-3],
        str(p[0:2]),
        list(p.state_dict()),
        [type(v).__name__ for v in p],
        str(nn.ParameterList()),
    ]
    return [[_done(torch, make, act) for act in actions], seen]


@case
def parameter_dict(torch: Any) -> Any:
    nn = torch.nn

    def make() -> Any:
        return nn.ParameterDict(OrderedDict(b=nn.Parameter(torch.ones(2)), a=torch.ones(1), c=3, d="s"))

    actions = [
        lambda d: d.update({"z": torch.ones(1), "y": torch.ones(2)}),
        lambda d: d.update([("z", torch.ones(1)), ("y", 1)]),
        lambda d: d.update(3),
        lambda d: d.update([3]),
        lambda d: d.update([(1, 2, 3)]),
        lambda d: d.pop("a"),
        lambda d: d.pop("q"),
        lambda d: d.popitem(),
        lambda d: d.clear(),
        lambda d: d.setdefault("e", torch.ones(1)),
        lambda d: d.__delitem__("b"),
        lambda d: d.__setitem__("a", 3),
        lambda d: d.__setitem__("c", torch.ones(1)),
        lambda d: d.__ior__({"q": torch.ones(1)}),
        lambda d: d["zz"],
        lambda d: d(1),
    ]
    d = make()
    seen = [
        len(d),
        list(d),
        list(reversed(d)),
        list(d.keys()),
        [k for k, _ in d.items()],
        len(list(d.values())),
        "a" in d,
    ]
    seen += [
        list(d.state_dict()),
        d.get("b"),
        d.get("zz", 4),
        str(d.copy()),
        str(d.fromkeys(["x", "y"], 1.0)),
        str(d | d),
    ]
    texts = [str(nn.ParameterDict({"b": torch.ones(1), "a": torch.ones(2, 3)})), str(nn.ParameterDict())]
    return [[_done(torch, make, act) for act in actions], seen, texts]
