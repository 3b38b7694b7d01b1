"""Activations: values, first and second derivatives, what happens at the corners, texts and errors."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import DTYPES, case, message, raises, sample, with_gradients

# Name in torch.nn, constructor's arguments.
MODULES: list[tuple[str, dict[str, Any]]] = [
    ("ReLU", {}),
    ("ReLU6", {}),
    ("Hardtanh", {}),
    ("Hardtanh", {"min_val": -0.5, "max_val": 1.5}),
    ("Threshold", {"threshold": 0.1, "value": 20}),
    ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": 1.5}),
    ("LeakyReLU", {"negative_slope": -0.5}),
    ("LeakyReLU", {"negative_slope": 0.0}),
    ("PReLU", {}),
    ("RReLU", {}),
    ("ELU", {}),
    ("ELU", {"alpha": 2.5}),
    ("SELU", {}),
    ("CELU", {}),
    ("CELU", {"alpha": 0.5}),
    ("GELU", {}),
    ("GELU", {"approximate": "tanh"}),
    ("SiLU", {}),
    ("Mish", {}),
    ("Softplus", {}),
    ("Softplus", {"beta": 2, "threshold": 3}),
    ("Softsign", {}),
    ("Sigmoid", {}),
    ("LogSigmoid", {}),
    ("Hardsigmoid", {}),
    ("Hardswish", {}),
    ("Tanh", {}),
    ("Tanhshrink", {}),
    ("Hardshrink", {}),
    ("Hardshrink", {"lambd": 0.0}),
    ("Softshrink", {}),
    ("Softshrink", {"lambd": 0.0}),
    ("GLU", {}),
    ("GLU", {"dim": 0}),
    ("Softmax", {"dim": 1}),
    ("Softmax", {"dim": 0}),
    ("Softmin", {"dim": 1}),
    ("LogSoftmax", {"dim": 1}),
]
IN_PLACE = ["ReLU", "ReLU6", "Hardtanh", "LeakyReLU", "ELU", "SELU", "CELU", "SiLU", "Mish", "Hardsigmoid", "Hardswish"]
# The differences that a saturated activation is made of have the rounding error of 1.
ATOL = {"float32": 3e-7, "float64": 1e-15}
# Everything that PyTorch treats on its own: corners, thresholds, the ends of the exponential's range.
CORNERS = [
    *(-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0),
    *(20.0, 20.5, -20.0, 90.0, -90.0, 800.0, -800.0, 1e-4, -1e-4, 1e-30, -1e-30),
]
ODD = [float("inf"), float("-inf"), float("nan")]


def _build(torch: Any, name: str, settings: dict[str, Any], dtype: str) -> Any:
    return getattr(torch.nn, name)(**settings).to(getattr(torch, dtype)).eval()


def _text(settings: dict[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in settings.items())


def _values(torch: Any, module: Any, dtype: str) -> Any:
    x = sample(torch, 4, 6, dtype=dtype, low=-4, high=4, requires_grad=True)
    first = with_gradients(torch, module, x)
    if isinstance(module, torch.nn.Hardsigmoid):
        # PyTorch has no second derivative of it, and its slope of 1 / 6 is rounded to float32 in float64, too.
        return {"value": first["value"], "grad": first["grads"][0].float(), "text": str(module)}
    y = module(x)
    (slope,) = torch.autograd.grad((y * y).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad((slope * sample(torch, 4, 6, dtype=dtype, seed=3)).sum(), x, allow_unused=True)
    return {"first": first, "second": second, "text": str(module)}


def _declare(name: str, settings: dict[str, Any]) -> None:
    label = f"{name}({_text(settings)})"
    # The formula with tanh has a difference of two terms of size 1 in its derivative.
    atol = {**ATOL, "float32": 5e-6} if "approximate" in settings else ATOL
    case(
        lambda torch, dtype: _values(torch, _build(torch, name, settings, dtype), dtype),
        name=label,
        params=DTYPES,
        atol=atol,
        rtol={"float32": 2e-6, "float64": 1e-12},
    )


for _name, _settings in MODULES:
    _declare(_name, _settings)


def _pointwise() -> list[tuple[str, dict[str, Any]]]:
    along = {"GLU", "Softmax", "Softmin", "LogSoftmax"}
    return [(name, settings) for name, settings in MODULES if name not in along]


@case(params=DTYPES, atol={"float32": 1e-6, "float64": 1e-15})
def corners(torch: Any, dtype: str) -> Any:
    result = {}
    for name, settings in _pointwise():
        x = torch.tensor(CORNERS, dtype=getattr(torch, dtype), requires_grad=True)
        y = _build(torch, name, settings, dtype)(x)
        (grad,) = torch.autograd.grad(y.sum(), x)
        if name == "Hardsigmoid":  # PyTorch's slope is 1 / 6 rounded to float32, in float64, too
            grad = grad.float()
        result[f"{name}({_text(settings)})"] = {"value": y, "grad": grad}
    return result


@case(params=DTYPES)
def infinite_and_not_a_number(torch: Any, dtype: str) -> Any:
    x = torch.tensor(ODD, dtype=getattr(torch, dtype))
    return {f"{name}({_text(settings)})": _build(torch, name, settings, dtype)(x) for name, settings in _pointwise()}


@case(params=[("ReLU",), ("Sigmoid",), ("GELU",), ("ELU",), ("Softplus",), ("Mish",), ("Hardtanh",), ("LeakyReLU",)])
def shapes(torch: Any, name: str) -> Any:
    module = getattr(torch.nn, name)()
    return {str(s): with_gradients(torch, module, sample(torch, *s, requires_grad=True)) for s in _SHAPES}


_SHAPES = [(), (1,), (7,), (0, 3), (3, 0), (2, 3, 5)]


@case(params=[(name,) for name in IN_PLACE])
def in_place(torch: Any, name: str) -> Any:
    module = getattr(torch.nn, name)(inplace=True)
    x = sample(torch, 3, 4, low=-4, high=7, requires_grad=True)
    middle = x * 1
    out = module(middle)
    (grad,) = torch.autograd.grad((out * sample(torch, 3, 4, seed=2)).sum(), x)
    return {"same": out is middle, "value": middle, "grad": grad, "text": str(module)}


@case
def in_place_on_a_leaf(torch: Any) -> Any:
    x = sample(torch, 3, requires_grad=True)
    f = torch.nn.functional
    return [raises(lambda g=g: g(x)) for g in (f.relu_, f.elu_, f.leaky_relu_, f.selu_, f.celu_, f.hardtanh_)]


@case
def in_place_functions(torch: Any) -> Any:
    f = torch.nn.functional
    return [
        f.relu_(sample(torch, 5)),
        f.threshold_(sample(torch, 5), 0.5, -1.0),
        f.hardtanh_(sample(torch, 5), -0.5, 0.5),
        f.elu_(sample(torch, 5), 2.0),
        f.selu_(sample(torch, 5)),
        f.celu_(sample(torch, 5), 2.0),
        f.leaky_relu_(sample(torch, 5), 0.3),
        f.rrelu_(sample(torch, 5)),
    ]


@case(params=[("int64",), ("bool",), ("float16",)], rtol={"float16": 2e-3}, atol={"float16": 1e-3})
def other_dtypes(torch: Any, dtype: str) -> Any:
    x = torch.tensor([-2.0, 0.0, 1.0, 3.0]).to(getattr(torch, dtype))
    result: dict[str, Any] = {}
    for name, settings in _pointwise():
        if name == "PReLU":
            continue
        module = getattr(torch.nn, name)(**settings).eval()
        error = raises(lambda module=module: module(x))
        result[f"{name}({_text(settings)})"] = module(x) if error == "nothing raised" else error
    return result


@case
def settings_that_are_refused(torch: Any) -> Any:
    f, nn, x = torch.nn.functional, torch.nn, sample(torch, 2, 3)
    calls = [
        lambda: f.celu(x, 0.0),
        lambda: f.hardtanh(x, 2, 1),
        lambda: nn.Hardtanh(2, 1),
        lambda: f.softshrink(x, -1.0),
        lambda: f.rrelu(x, 2.0, 1.0, training=True),
        lambda: f.glu(x),
        lambda: f.glu(torch.tensor(1.0)),
        lambda: f.glu(x, 3),
        lambda: f.gelu(x, approximate="foo"),
        lambda: f.prelu(x, torch.ones(2)),
        lambda: f.prelu(torch.tensor(1.0), torch.ones(3)),
        lambda: f.prelu(x, torch.ones(1, 3)),
        lambda: f.prelu(x, torch.ones(3, dtype=torch.float64)),
        lambda: f.softmax(x, 2),
        lambda: f.softmax(torch.tensor([1, 2]), 0),
        lambda: f.relu([1.0, 2.0]),
        lambda: f.elu(3.0),
        lambda: nn.Softmax2d()(x),
        lambda: nn.ReLU()(),
        lambda: nn.ReLU(1, 2),
        lambda: nn.Sigmoid(1),
    ]
    return [raises(call) for call in calls]


@case(params=DTYPES)
def prelu_of_many_slopes(torch: Any, dtype: str) -> Any:
    module = torch.nn.PReLU(3, init=0.1).to(getattr(torch, dtype))
    shapes = [(4, 3), (2, 3, 5), (0, 3)]
    results = {
        str(s): with_gradients(
            torch, lambda x, w: module(x), sample(torch, *s, dtype=dtype, requires_grad=True), module.weight
        )
        for s in shapes
    }
    one = with_gradients(torch, torch.nn.functional.prelu, sample(torch, 3, requires_grad=True), sample(torch, 1))
    return {**results, "one": one, "state": module.state_dict(), "text": str(module)}


@case(exact=True)
def rrelu_slopes(torch: Any) -> Any:
    torch.manual_seed(3)
    layer = torch.nn.RReLU()
    x = torch.tensor([[-1.0, 2.0, -3.0], [0.0, 5.0, -1.0]])
    contiguous, transposed = layer(x), layer(x.t())
    return [contiguous, transposed, layer(x.double()), torch.rand(3), torch.nn.functional.rrelu(x, 0.1, 0.9, True)]


@case(params=DTYPES)
def rrelu_gradient(torch: Any, dtype: str) -> Any:
    layer = torch.nn.RReLU(0.2, 0.8)
    return with_gradients(torch, layer, sample(torch, 3, 4, dtype=dtype, requires_grad=True))


@case(params=DTYPES)
def gumbel_softmax_draws(torch: Any, dtype: str) -> Any:
    logits = sample(torch, 5, 4, dtype=dtype, requires_grad=True)
    f = torch.nn.functional
    soft = with_gradients(torch, lambda x: f.gumbel_softmax(x, tau=0.7), logits)
    hard = with_gradients(torch, lambda x: f.gumbel_softmax(x, hard=True, dim=0), logits)
    return {"soft": soft, "hard": hard, "after": torch.rand(2)}


@case
def implicit_dimensions(torch: Any) -> Any:
    f = torch.nn.functional
    shapes = [(), (3,), (2, 3), (2, 3, 4), (2, 3, 2, 2)]
    results = {str(s): [g(sample(torch, *s)) for g in (f.softmax, f.log_softmax, f.softmin)] for s in shapes}
    modules = [torch.nn.Softmax(), torch.nn.Softmin(), torch.nn.LogSoftmax()]
    return {**results, "text": [str(m) for m in modules], "modules": [m(sample(torch, 2, 3)) for m in modules]}


@case
def softmax_converts_first(torch: Any) -> Any:
    f, x = torch.nn.functional, torch.tensor([[1, 2, 3]])
    return [g(x, dim=1, dtype=torch.float64) for g in (f.softmax, f.log_softmax, f.softmin)]


@case
def softmax_over_channels(torch: Any) -> Any:
    module = torch.nn.Softmax2d()
    return [module(sample(torch, 2, 3, 2, 2)), module(sample(torch, 3, 2, 2)), str(module)]


@case
def texts(torch: Any) -> Any:
    nn = torch.nn
    modules = [getattr(nn, name)(**settings) for name, settings in MODULES]
    in_place = [getattr(nn, name)(inplace=True) for name in IN_PLACE]
    more = [nn.RReLU(0.1, 0.2, True), nn.Threshold(1, 2.5, True), nn.Softmax(), nn.PReLU(3, 0.5)]
    return [str(module) for module in (*modules, *in_place, *more)]


@case(params=DTYPES)
def second_derivatives_at_zero(torch: Any, dtype: str) -> Any:
    result = {}
    for name, settings in [("ELU", {}), ("ELU", {"alpha": 2.5}), ("CELU", {"alpha": 0.5}), ("SELU", {})]:
        x = torch.tensor([0.0, -0.0, 1e-3, -1e-3], dtype=getattr(torch, dtype), requires_grad=True)
        (slope,) = torch.autograd.grad(_build(torch, name, settings, dtype)(x).sum(), x, create_graph=True)
        result[f"{name}({_text(settings)})"] = [slope, *torch.autograd.grad(slope.sum(), x)]
    return result


@case
def bounds_of_bytes(torch: Any) -> Any:
    limited, x = torch.nn.functional.hardtanh, torch.tensor([1, 200, 255], dtype=torch.uint8)
    return [
        limited(x, 0, 6),
        limited(x, 0, 255),
        message(lambda: limited(x), RuntimeError),
        raises(lambda: limited(x, 0, 300)),
        raises(lambda: limited(x.char(), -129, 6)),
    ]


@case(params=DTYPES)
def tanhshrink_of_large_numbers(torch: Any, dtype: str) -> Any:
    x = torch.tensor([-1e20, -1e8, 30.0, 1e10, 1e30], dtype=getattr(torch, dtype), requires_grad=True)
    return with_gradients(torch, torch.nn.functional.tanhshrink, x)
