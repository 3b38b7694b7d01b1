"""Module: registration, names, texts, states, conversion, copies, messages."""

from __future__ import annotations

import copy
import pickle
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
