"""Normalisation: values, derivatives, running moments, starting values, texts, saved states and errors."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import DTYPES, case, raises, sample, with_gradients

# A gradient less its mean and its part along the input, of a few numbers: what cancels leaves the rounding error.
ATOL = {"float32": 3e-6, "float64": 1e-14}
RTOL = {"float32": 1e-5, "float64": 1e-11}
ROUNDING: dict[str, Any] = {"rtol": RTOL, "atol": ATOL}


def _started(torch: Any, module: Any, dtype: str) -> Any:
    """Give the parameters and the running moments other values than zeros and ones."""
    module = module.to(getattr(torch, dtype))
    with torch.no_grad():
        for i, tensor in enumerate([*module.parameters(), *module.buffers()]):
            if tensor.is_floating_point() and tensor.numel():
                tensor.copy_(sample(torch, *tensor.shape, dtype=dtype, low=0.5, seed=40 + i))
    return module


def _seen(torch: Any, module: Any, shape: tuple[int, ...], dtype: str, seed: int = 0) -> Any:
    x = sample(torch, *shape, dtype=dtype, seed=seed, requires_grad=True)
    parameters = list(module.parameters())
    first = with_gradients(torch, lambda x, *_: module(x), x, *parameters)
    state = {key: value.clone() for key, value in module.state_dict().items()}
    return {**first, "state": state}


def _second(torch: Any, module: Any, shape: tuple[int, ...], dtype: str) -> Any:
    x = sample(torch, *shape, dtype=dtype, requires_grad=True)
    leaves = [x, *module.parameters()]
    y = module(x)
    weights = sample(torch, *y.shape, dtype=dtype, seed=5)
    first = torch.autograd.grad((y * y * weights).sum(), leaves, create_graph=True)
    total = sum((g * sample(torch, *g.shape, dtype=dtype, seed=6 + i)).sum() for i, g in enumerate(first))
    return torch.autograd.grad(total, leaves, allow_unused=True)


BATCH_NORMS = [
    {},
    {"affine": False},
    {"momentum": None},
    {"momentum": 0.7, "eps": 1e-2},
    {"track_running_stats": False},
    {"bias": False},
]
BATCH_SHAPES = [(5, 3), (2, 3), (4, 3, 6), (2, 3, 1)]


@case(params=[(i, dtype) for i in range(len(BATCH_NORMS)) for (dtype,) in DTYPES], **ROUNDING)
def batch_norm(torch: Any, setting: int, dtype: str) -> Any:
    result = {}
    for shape in BATCH_SHAPES:
        module = _started(torch, torch.nn.BatchNorm1d(3, **BATCH_NORMS[setting]), dtype)
        steps = [_seen(torch, module, shape, dtype, seed) for seed in (0, 1)]
        steps.append(_seen(torch, module.eval(), shape, dtype, 2))
        result[str(shape)] = steps
    return {**result, "text": str(torch.nn.BatchNorm1d(3, **BATCH_NORMS[setting]))}


@case(params=DTYPES, rtol={"float32": 1e-4, "float64": 1e-10}, atol={"float32": 2e-5, "float64": 1e-12})
def second_derivatives(torch: Any, dtype: str) -> Any:
    nn = torch.nn
    modules = {
        "batch": (nn.BatchNorm1d(3), (6, 3)),
        "batch of lines": (nn.BatchNorm1d(3), (4, 3, 2)),
        "batch in evaluation": (nn.BatchNorm1d(3).eval(), (6, 3)),
        "layer": (nn.LayerNorm(5), (3, 5)),
        "layer of matrices": (nn.LayerNorm([2, 4]), (3, 2, 4)),
        "group": (nn.GroupNorm(2, 4), (3, 4, 3)),
        "rms": (nn.RMSNorm(5), (3, 5)),
    }
    return {
        name: _second(torch, _started(torch, module, dtype), shape, dtype) for name, (module, shape) in modules.items()
    }


@case
def batch_norm_of_nothing(torch: Any) -> Any:
    module = torch.nn.BatchNorm1d(3)
    return [module(torch.ones(0, 3)), module.state_dict(), module.eval()(torch.ones(0, 3, 2))]


@case(**ROUNDING)
def running_mean_is_the_mean_over_batches_without_a_momentum(torch: Any) -> Any:
    module = torch.nn.BatchNorm1d(2, momentum=None)
    for seed in range(4):
        module(sample(torch, 6, 2, seed=seed))
    return dict(module.state_dict())


@case
def batch_norm_states(torch: Any) -> Any:
    nn = torch.nn
    module, plain = nn.BatchNorm1d(2), nn.BatchNorm1d(2, track_running_stats=False)
    module(sample(torch, 6, 2))
    metadata = dict(module.state_dict()._metadata[""])
    old = {key: value for key, value in module.state_dict().items() if key != "num_batches_tracked"}
    loaded = str(nn.BatchNorm1d(2).load_state_dict(old))
    strict = raises(lambda: nn.BatchNorm1d(2).load_state_dict(plain.state_dict()))
    module.reset_running_stats()
    after_running = dict(module.state_dict())
    module.reset_parameters()
    return [metadata, loaded, strict, after_running, dict(module.state_dict()), list(plain.state_dict())]


@case
def batch_norm_errors(torch: Any) -> Any:
    f, module, x = torch.nn.functional, torch.nn.BatchNorm1d(3), torch.ones(2, 3)
    three = torch.ones(3)
    calls = [
        lambda: module(torch.ones(1, 3)),
        lambda: module(torch.ones(1, 3, 1)),
        lambda: module(three),
        lambda: module(torch.ones(2, 4)),
        lambda: module(torch.ones(2, 3, 2, 2)),
        lambda: module(x.double()),
        lambda: module(x.long()),
        lambda: f.batch_norm(x, None, None),
        lambda: f.batch_norm(x, three, None, training=True),
        lambda: f.batch_norm(x, torch.ones(2), torch.ones(2), training=True),
        lambda: f.batch_norm(x, three, three, torch.ones(2), training=True),
        lambda: f.batch_norm(x, three, three, three, torch.ones(4)),
        lambda: f.batch_norm(x, three, three, eps=0.0),
    ]
    return [[raises(call) for call in calls], module.num_batches_tracked]


@case(params=DTYPES, **ROUNDING)
def batch_norm_function(torch: Any, dtype: str) -> Any:
    f = torch.nn.functional
    x, weight, bias = (sample(torch, *s, dtype=dtype, seed=i) for i, s in enumerate([(4, 3), (3,), (3,)]))
    mean, variance = sample(torch, 3, dtype=dtype, seed=3), sample(torch, 3, dtype=dtype, low=0.5, seed=4)
    return [
        f.batch_norm(x, None, None, training=True),
        f.batch_norm(x, mean, variance),
        f.batch_norm(x, mean, variance, None, bias),
        f.batch_norm(x, mean, variance, weight, None),
        f.batch_norm(x, mean, variance, weight, bias, True, 0.3, 0.1),
        mean,
        variance,
    ]


LAYER_NORMS: list[tuple[Any, dict[str, Any], list[tuple[int, ...]]]] = [
    (5, {}, [(3, 5), (5,), (2, 3, 5), (0, 5)]),
    ([5], {"eps": 0.1}, [(3, 5)]),
    ((2, 4), {}, [(3, 2, 4), (2, 4), (2, 2, 2, 4)]),
    (5, {"elementwise_affine": False}, [(3, 5)]),
    (5, {"bias": False}, [(3, 5)]),
]


@case(params=[(i, dtype) for i in range(len(LAYER_NORMS)) for (dtype,) in DTYPES], **ROUNDING)
def layer_norm(torch: Any, setting: int, dtype: str) -> Any:
    shape, settings, inputs = LAYER_NORMS[setting]
    fresh = torch.nn.LayerNorm(shape, **settings)
    text = str(fresh)
    module = _started(torch, fresh, dtype)
    return {"text": text, **{str(s): _seen(torch, module, s, dtype) for s in inputs}}


@case
def layer_norm_errors(torch: Any) -> Any:
    f, x, three = torch.nn.functional, torch.ones(2, 3), torch.ones(3)
    calls = [
        lambda: f.layer_norm(x, (2,)),
        lambda: f.layer_norm(x, 3),
        lambda: f.layer_norm(x, ()),
        lambda: f.layer_norm(x, (3,), torch.ones(2)),
        lambda: f.layer_norm(x, (3,), three, torch.ones(2)),
        lambda: f.layer_norm(x, (3,), three.double()),
        lambda: f.layer_norm(x.long(), (3,)),
        lambda: f.layer_norm(three, (2, 3)),
        lambda: f.rms_norm(x, (2,)),
        lambda: f.rms_norm(x, (3,), torch.ones(2)),
        lambda: f.rms_norm(x.long(), (3,)),
        lambda: f.group_norm(x, 2),
        lambda: f.group_norm(three, 1),
        lambda: f.group_norm(torch.ones(1, 3), 3),
        lambda: f.group_norm(x, 1, torch.ones(2)),
        lambda: f.group_norm(x, 0),
        lambda: f.group_norm(x.double(), 1, three),
        lambda: f.group_norm(x.long(), 1),
        lambda: torch.nn.GroupNorm(2, 3),
        lambda: torch.nn.GroupNorm(1, 3)(torch.ones(2, 4)),
    ]
    return [raises(call) for call in calls]


RMS_NORMS: list[tuple[Any, dict[str, Any], list[tuple[int, ...]]]] = [
    (5, {}, [(3, 5), (5,), (0, 5)]),
    ((2, 4), {"eps": 0.1}, [(3, 2, 4)]),
    (5, {"elementwise_affine": False}, [(3, 5)]),
]


@case(params=[(i, dtype) for i in range(len(RMS_NORMS)) for (dtype,) in DTYPES], **ROUNDING)
def rms_norm(torch: Any, setting: int, dtype: str) -> Any:
    shape, settings, inputs = RMS_NORMS[setting]
    fresh = torch.nn.RMSNorm(shape, **settings)
    text = str(fresh)
    module = _started(torch, fresh, dtype)
    return {"text": text, **{str(s): _seen(torch, module, s, dtype) for s in inputs}}


GROUP_NORMS: list[tuple[tuple[int, int], dict[str, Any], list[tuple[int, ...]]]] = [
    ((2, 4), {}, [(3, 4), (2, 4, 3), (2, 4, 2, 2), (0, 4)]),
    ((1, 4), {"eps": 0.1}, [(3, 4)]),
    ((4, 4), {}, [(3, 4, 5)]),
    ((2, 4), {"affine": False}, [(3, 4)]),
    ((2, 4), {"bias": False}, [(3, 4)]),
]


@case(params=[(i, dtype) for i in range(len(GROUP_NORMS)) for (dtype,) in DTYPES], **ROUNDING)
def group_norm(torch: Any, setting: int, dtype: str) -> Any:
    arguments, settings, inputs = GROUP_NORMS[setting]
    fresh = torch.nn.GroupNorm(*arguments, **settings)
    text = str(fresh)
    module = _started(torch, fresh, dtype)
    return {"text": text, **{str(s): _seen(torch, module, s, dtype) for s in inputs}}


INSTANCE_NORMS: list[dict[str, Any]] = [
    {},
    {"affine": True},
    {"affine": True, "track_running_stats": True},
    {"track_running_stats": True, "momentum": 0.4},
    {"affine": True, "bias": False},
]


@case(params=[(i, dtype) for i in range(len(INSTANCE_NORMS)) for (dtype,) in DTYPES], **ROUNDING)
def instance_norm(torch: Any, setting: int, dtype: str) -> Any:
    fresh = torch.nn.InstanceNorm1d(3, **INSTANCE_NORMS[setting])
    text = str(fresh)
    module = _started(torch, fresh, dtype)
    steps = [_seen(torch, module, shape, dtype, i) for i, shape in enumerate([(4, 3, 6), (3, 6), (2, 3, 2)])]
    return {"text": text, "steps": steps, "evaluation": _seen(torch, module.eval(), (4, 3, 6), dtype, 5)}


@case
def instance_norm_errors(torch: Any) -> Any:
    module = torch.nn.InstanceNorm1d(3, affine=True)
    shapes = [(2, 3, 1), (3,), (2, 4, 3), (2, 3, 2, 2)]
    return [raises(lambda s=s: module(torch.ones(*s))) for s in shapes]


@case(exact=True)
def starting_values(torch: Any) -> Any:
    nn = torch.nn
    modules = [nn.BatchNorm1d(3), nn.LayerNorm(3), nn.GroupNorm(1, 3), nn.RMSNorm(3), nn.InstanceNorm1d(3, affine=True)]
    return [[dict(module.state_dict()) for module in modules], torch.rand(2)]


@case(**ROUNDING)
def lazy_batch_norm(torch: Any) -> Any:
    module = torch.nn.LazyBatchNorm1d()
    before, kind = str(module), type(module).__name__
    unset = raises(lambda: module.weight.shape)
    out = module(sample(torch, 4, 3))
    state = dict(module.state_dict())
    return [before, kind, unset, out, str(module), type(module).__name__, state, str(torch.nn.LazyInstanceNorm1d())]


@case(params=[("float16",)], rtol={"float16": 5e-3}, atol={"float16": 4e-3})
def half_precision(torch: Any, dtype: str) -> Any:
    x = sample(torch, 4, 6, dtype=dtype)
    f = torch.nn.functional
    return [f.layer_norm(x, (6,)), f.rms_norm(x, (6,)), f.group_norm(x, 2), f.batch_norm(x, None, None, training=True)]
