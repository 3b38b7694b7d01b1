"""Parameters that are computed from others: parametrisations, weight norm, spectral norm, old and new."""

from __future__ import annotations

import copy
import importlib
import pickle
import warnings
from typing import Any

from tests.parity.harness import case, message, raises, sample

FORMS = [("parametrizations",), ("utils",)]


def rooms(torch: Any) -> tuple[Any, Any]:
    name = f"{torch.__name__}.nn.utils."
    return importlib.import_module(name + "parametrize"), importlib.import_module(name + "parametrizations")


def symmetric(torch: Any) -> Any:
    class Symmetric(torch.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).transpose(-1, -2)

    return Symmetric()


def skew(torch: Any) -> Any:
    class Skew(torch.nn.Module):
        def forward(self, x):
            upper = x.triu(1)
            return upper - upper.transpose(-1, -2)

        def right_inverse(self, a):
            return a.triu(1)

    return Skew()


class Lengths:
    """Mixed into a Module below: a tensor from its lengths and directions."""

    def forward(self, g, v):
        return g * v / v.norm(dim=1, keepdim=True)

    def right_inverse(self, w):
        return w.norm(dim=1, keepdim=True), w


def trained(torch: Any, layer: Any, steps: int = 4) -> list[Any]:
    x, y = sample(torch, 6, 3), sample(torch, 6, layer.out_features, seed=1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(steps):
        loss = ((layer(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return [losses, layer.weight, layer.eval()(x)]


def layer(torch: Any, rows: int = 3, columns: int = 3) -> Any:
    torch.manual_seed(4)
    return torch.nn.Linear(columns, rows)


def quiet(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call what is deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


@case(rtol=3e-6)
def one_module(torch: Any) -> Any:
    parametrize, _ = rooms(torch)
    net = parametrize.register_parametrization(layer(torch), "weight", symmetric(torch))
    return {
        "text": str(net),
        "class": [type(net).__name__, parametrize.type_before_parametrizations(net).__name__],
        "names": [name for name, _ in net.named_parameters()],
        "state": sorted(net.state_dict()),
        "is": [
            parametrize.is_parametrized(net),
            parametrize.is_parametrized(net, "weight"),
            parametrize.is_parametrized(net, "bias"),
            parametrize.is_parametrized(torch.nn.ReLU()),
            isinstance(net, torch.nn.Linear),
        ],
        "weight": net.weight,
        "trained": trained(torch, net),
    }


@case(rtol=3e-6)
def two_in_a_row(torch: Any) -> Any:
    parametrize, _ = rooms(torch)

    class Exponential(torch.nn.Module):
        def forward(self, x):
            return torch.matrix_exp(x)

    net = layer(torch)
    parametrize.register_parametrization(net, "weight", skew(torch))
    first = net.weight.detach().clone()
    parametrize.register_parametrization(net, "weight", Exponential())
    parametrize.register_parametrization(net, "bias", torch.nn.Softplus())
    result = [first, net.weight, net.bias, str(net), trained(torch, net)]
    parametrize.remove_parametrizations(net, "weight")
    between = [str(type(net)), [n for n, _ in net.named_parameters()]]
    parametrize.remove_parametrizations(net, "bias", leave_parametrized=False)
    return [result, between, type(net).__name__, [n for n, _ in net.named_parameters()], net.weight, net.bias]


@case
def assigning(torch: Any) -> Any:
    parametrize, _ = rooms(torch)
    net = layer(torch)
    held = net.weight
    parametrize.register_parametrization(net, "weight", skew(torch))
    same = net.parametrizations.weight.original is held
    a = sample(torch, 3, 3)
    net.weight = a - a.T
    return [same, net.weight, net.parametrizations.weight.original]


@case
def several_originals(torch: Any) -> Any:
    parametrize, _ = rooms(torch)
    kind = type("Lengths", (Lengths, torch.nn.Module), {})
    net, before = layer(torch, 2), layer(torch, 2).weight.detach()
    parametrize.register_parametrization(net, "weight", kind())
    names = [(n, list(p.shape)) for n, p in net.named_parameters()]
    close = torch.allclose(net.weight, before)
    refused = raises(lambda: parametrize.remove_parametrizations(net, "weight", leave_parametrized=False))
    parametrize.remove_parametrizations(net, "weight")
    return [names, close, refused, str(net), [n for n, _ in net.named_parameters()]]


@case
def buffers_copies_and_the_cache(torch: Any) -> Any:
    parametrize, _ = rooms(torch)
    net = layer(torch)
    net.register_buffer("table", sample(torch, 2, 2))
    parametrize.register_parametrization(net, "table", symmetric(torch))
    parametrize.register_parametrization(net, "weight", symmetric(torch))
    twin = copy.deepcopy(net)
    twin.parametrizations.weight.original.data.zero_()
    with parametrize.cached():
        same = net.weight is net.weight
    other = layer(torch)
    parametrize.register_parametrization(other, "weight", symmetric(torch))
    other.register_buffer("table", torch.zeros(2, 2))
    parametrize.register_parametrization(other, "table", symmetric(torch))
    loaded = str(other.load_state_dict(net.state_dict()))
    return {
        "buffers": [n for n, _ in net.named_buffers()],
        "twin": [twin.weight, net.weight, type(twin).__name__],
        "cache": [same, net.weight is net.weight],
        "pickle": raises(lambda: pickle.dumps(net)),
        "loaded": [loaded, other.weight, other.table],
    }


@case
def mistakes(torch: Any) -> Any:
    parametrize, parametrizations = rooms(torch)

    class Short(torch.nn.Module):
        def forward(self, x):
            return x[:1]

    class Double(torch.nn.Module):
        def forward(self, x):
            return x.double()

    class Number(torch.nn.Module):
        def forward(self, x):
            return 1.0

    register = parametrize.register_parametrization
    unsafe = register(layer(torch), "weight", Short(), unsafe=True)
    return {
        "name": raises(lambda: register(layer(torch), "weigth", symmetric(torch))),
        "shape": message(lambda: register(layer(torch), "weight", Short()), ValueError),
        "dtype": message(lambda: register(layer(torch), "weight", Double()), ValueError),
        "number": raises(lambda: register(layer(torch), "weight", Number())),
        "unsafe": list(unsafe.weight.shape),
        "remove": raises(lambda: parametrize.remove_parametrizations(layer(torch), "weight")),
        "spectral": raises(lambda: parametrizations.spectral_norm(layer(torch), n_power_iterations=0)),
        "spectral name": raises(lambda: parametrizations.spectral_norm(layer(torch), "foo")),
        "twice": raises(lambda: torch.nn.utils.spectral_norm(torch.nn.utils.spectral_norm(layer(torch)))),
        "no weight norm": raises(lambda: torch.nn.utils.remove_weight_norm(layer(torch))),
        "no spectral norm": raises(lambda: torch.nn.utils.remove_spectral_norm(layer(torch))),
    }


@case(params=[(*form, dim) for form in FORMS for dim in (0, 1, None)], rtol=3e-6)
def weight_norm(torch: Any, form: str, dim: Any) -> Any:
    home = rooms(torch)[1] if form == "parametrizations" else torch.nn.utils
    net = quiet(home.weight_norm, layer(torch, 4), dim=dim)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    return [str(net), state, [n for n, _ in net.named_parameters()], trained(torch, net)]


@case(params=[(*form, count) for form in FORMS for count in (1, 3)], rtol=1e-5)
def spectral_norm(torch: Any, form: str, count: int) -> Any:
    home = rooms(torch)[1] if form == "parametrizations" else torch.nn.utils
    net = home.spectral_norm(layer(torch, 4), n_power_iterations=count)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    return [str(net), state, [n for n, _ in net.named_buffers()], trained(torch, net), torch.rand(2)]


@case(rtol=3e-6)
def removed_and_renamed(torch: Any) -> Any:
    _, parametrizations = rooms(torch)
    utils = torch.nn.utils
    old = quiet(utils.weight_norm, layer(torch))
    new = parametrizations.weight_norm(layer(torch, 3))
    loaded = str(new.load_state_dict(old.state_dict()))
    weight = utils.remove_weight_norm(old).weight
    spectral = utils.remove_spectral_norm(utils.spectral_norm(layer(torch)))
    return [loaded, new.weight, weight, sorted(old.state_dict()), spectral.weight, sorted(spectral.state_dict())]


ORTHOGONAL = [
    (None, True, 3, 3), (None, True, 4, 3), ("cayley", True, 3, 4), ("matrix_exp", True, 4, 3),
    ("householder", False, 4, 3), ("cayley", False, 3, 3), ("matrix_exp", False, 2, 3),
]  # fmt: skip


@case(params=ORTHOGONAL, rtol={"float32": 2e-5})
def orthogonal(torch: Any, how: str | None, trivial: bool, rows: int, columns: int) -> Any:
    _, parametrizations = rooms(torch)
    net = layer(torch, rows, 3) if columns == 3 else torch.nn.Linear(4, rows)
    net = parametrizations.orthogonal(net, orthogonal_map=how, use_trivialization=trivial)
    start = net.weight.detach()
    x, y = sample(torch, 6, columns), sample(torch, 6, rows, seed=1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(4):
        loss = ((net(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    weight = net.weight.detach()
    small = weight @ weight.T if rows <= columns else weight.T @ weight
    return {
        "weights": [start, weight, net.parametrizations.weight.original],
        "kept": bool(torch.allclose(small, torch.eye(min(rows, columns)), atol=1e-5)),
        "text": [str(net), list(net.state_dict())],
        "assigned": message(lambda: setattr(net, "weight", torch.eye(rows, columns)), NotImplementedError),
        "after": net.weight.detach(),
        "shape": raises(lambda: setattr(net, "weight", torch.eye(5))),
    }


@case
def orthogonal_mistakes(torch: Any) -> Any:
    parametrize, parametrizations = rooms(torch)
    net = parametrize.register_parametrization(layer(torch), "weight", symmetric(torch))
    return {
        "name": message(lambda: parametrizations.orthogonal(layer(torch), "nope"), ValueError),
        "bias": message(lambda: parametrizations.orthogonal(layer(torch), "bias"), ValueError),
        "map": message(lambda: parametrizations.orthogonal(layer(torch), orthogonal_map="nope"), ValueError),
        "no way back": message(lambda: setattr(net, "weight", torch.eye(3)), RuntimeError),
    }


@case(rtol=3e-6)
def folded_into_the_layer_before(torch: Any) -> Any:
    fusion = importlib.import_module(f"{torch.__name__}.nn.utils.fusion")
    linear, norm = layer(torch, 4, 3), torch.nn.BatchNorm1d(4)
    refused = message(lambda: fusion.fuse_linear_bn_eval(linear, norm), AssertionError)
    torch.nn.init.uniform_(norm.weight, 0.5, 2.0)
    for seed in range(3):
        norm(linear(sample(torch, 8, 3, seed=seed)))
    fused = fusion.fuse_linear_bn_eval(linear.eval(), norm.eval())
    x = sample(torch, 5, 3, seed=9)
    plain = torch.nn.Linear(3, 4, bias=False).eval()
    return {
        "refused": refused,
        "weights": [fused.weight, fused.bias, type(fused.weight).__name__],
        "equal": bool(torch.allclose(fused(x), norm(linear(x)), atol=1e-6)),
        "no bias": list(torch.nn.utils.fuse_linear_bn_eval(plain, norm).state_dict().values()),
    }
