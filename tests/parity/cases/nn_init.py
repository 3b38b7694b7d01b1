"""Starting weights: the same seed gives the same bits, in every shape, dtype and order of memory."""

from __future__ import annotations

import warnings

from tests.parity.harness import DTYPES, case, raises, sample

# Below and above the 16 elements where the normal draws change their way; wide, tall, with a rest of 16, with a field.
SHAPES = ((2, 3), (5, 7), (16, 4), (9, 6), (4, 3, 5), (1, 1))


def filled(torch, dtype, fill, shapes=SHAPES):
    """Return parameters of every shape after `fill`, and what is drawn next, which shows how far the stream went."""
    torch.manual_seed(3)
    result = {}
    for shape in shapes:
        parameter = torch.nn.Parameter(torch.zeros(shape, dtype=getattr(torch, dtype)))
        same = fill(parameter)
        result[str(shape)] = {"values": parameter, "same": same is parameter, "counted": parameter._version > 0}
    return {**result, "next": torch.rand(3)}


@case(params=DTYPES, exact=True)
def distributions(torch, dtype):
    init = torch.nn.init
    vectors = (*SHAPES, (3,), (40,), ())
    return {
        "uniform": filled(torch, dtype, init.uniform_, vectors),
        "uniform bounds": filled(torch, dtype, lambda p: init.uniform_(p, -0.3, 0.7), vectors),
        "normal": filled(torch, dtype, init.normal_, vectors),
        "normal scaled": filled(torch, dtype, lambda p: init.normal_(p, mean=2.0, std=0.02), vectors),
        "trunc": filled(torch, dtype, init.trunc_normal_, vectors),
        "trunc narrow": filled(torch, dtype, lambda p: init.trunc_normal_(p, std=0.02, a=-0.02, b=0.02), vectors),
    }


@case(params=DTYPES)
def far_truncation(torch, dtype):
    # Here PyTorch takes the logarithm of uniforms, by a library of its own.
    return filled(torch, dtype, lambda p: torch.nn.init.trunc_normal_(p, 0.0, 1.0, 1.0, 3.0))


@case(params=DTYPES, exact=True)
def xavier(torch, dtype):
    init = torch.nn.init
    return {
        f"{fill.__name__} {gain}": filled(torch, dtype, lambda p, f=fill, g=gain: f(p, gain=g))
        for fill in (init.xavier_uniform_, init.xavier_normal_)
        for gain in (1.0, 5.0 / 3, 0.1)
    }


FOLLOWED_BY = [("relu", 0), ("leaky_relu", 0), ("leaky_relu", 0.2), ("leaky_relu", 5**0.5), ("tanh", 0), ("linear", 0)]


MODES = [(f"kaiming_{kind}_", mode) for kind in ("uniform", "normal") for mode in ("fan_in", "fan_out")]


@case(params=MODES, exact=True)
def kaiming(torch, name, mode):
    fill = getattr(torch.nn.init, name)
    return {
        f"{dtype} {nonlinearity} {a}": filled(
            torch, dtype, lambda p, a=a, n=nonlinearity: fill(p, a=a, mode=mode, nonlinearity=n)
        )
        for (dtype,) in DTYPES
        for nonlinearity, a in FOLLOWED_BY
    }


@case(params=DTYPES, rtol={"float32": 1e-5, "float64": 1e-11}, atol={"float32": 2e-6, "float64": 1e-12})
def orthogonal(torch, dtype):
    init = torch.nn.init
    return [filled(torch, dtype, init.orthogonal_), filled(torch, dtype, lambda p: init.orthogonal_(p, gain=1.7))]


@case(params=DTYPES, exact=True)
def sparse(torch, dtype):
    init, shapes = torch.nn.init, ((2, 3), (10, 6), (9, 5), (1, 4))
    return {
        f"{sparsity} {std}": filled(torch, dtype, lambda p, s=sparsity, d=std: init.sparse_(p, s, d), shapes)
        for sparsity, std in ((0.1, 0.01), (0.5, 1.0), (0.0, 0.1), (1.0, 0.1), (1.5, 0.1))
    }


@case(params=DTYPES, exact=True)
def constants(torch, dtype):
    init = torch.nn.init
    return {
        "zeros": filled(torch, dtype, lambda p: init.zeros_(init.ones_(p))),
        "ones": filled(torch, dtype, init.ones_),
        "constant": filled(torch, dtype, lambda p: init.constant_(p, 0.1)),
        "eye": filled(torch, dtype, lambda p: init.eye_(init.ones_(p)), ((2, 3), (5, 2), (3, 3), (0, 2), (1, 1))),
        "integers": init.constant_(torch.zeros(3, dtype=torch.int64), 2.7),
        "bools": init.ones_(torch.zeros(2, dtype=torch.bool)),
    }


RANDOM = {
    "uniform_": (),
    "normal_": (),
    "trunc_normal_": (),
    "xavier_uniform_": (),
    "xavier_normal_": (),
    "kaiming_uniform_": (),
    "kaiming_normal_": (),
    "sparse_": (0.3,),
}


@case(exact=True)
def own_generators(torch):
    result = {}
    for name, arguments in RANDOM.items():
        torch.manual_seed(1)
        generator = torch.Generator().manual_seed(5)
        fill = getattr(torch.nn.init, name)
        values = [fill(torch.zeros(6, 4), *arguments, generator=generator) for _ in range(2)]
        result[name] = {"values": values, "default": torch.rand(2), "own": torch.rand(2, generator=generator)}
    return result


@case(exact=True)
def other_orders_of_memory(torch):
    """Transposed, sliced and stepped tensors: their own elements are written and no others."""
    result = {}
    for name, arguments in RANDOM.items():
        torch.manual_seed(2)
        fill = getattr(torch.nn.init, name)
        turned, stepped = torch.zeros(7, 5), torch.zeros(8, 12)
        fill(turned.t(), *arguments)
        fill(stepped[1:6, ::2], *arguments)
        result[name] = [turned, stepped]
    torch.manual_seed(2)
    base = torch.zeros(5, 8)
    torch.nn.init.eye_(base.t())
    torch.nn.init.constant_(base[:, ::3], 2.0)
    result["constants"] = base
    return result


@case(rtol=1e-5, atol=2e-6)
def orthogonal_views(torch):
    torch.manual_seed(2)
    generator = torch.Generator().manual_seed(5)
    turned = torch.zeros(7, 5)
    torch.nn.init.orthogonal_(turned.t(), generator=generator)
    return [turned, torch.rand(2), torch.rand(2, generator=generator)]


@case(exact=True)
def gains_and_fans(torch):
    init = torch.nn.init
    linear = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
    gains = {name: init.calculate_gain(name) for name in (*linear, "sigmoid", "tanh", "relu", "leaky_relu", "selu")}
    slopes = {str(a): init.calculate_gain("leaky_relu", a) for a in (0, 1, 0.2, -0.5, 5**0.5)}
    fans = {str(s): list(init._calculate_fan_in_and_fan_out(torch.empty(s))) for s in ((3, 4), (2, 5, 3), (0, 2))}
    return {"gains": gains, "slopes": slopes, "fans": fans, "unused": init.calculate_gain("tanh", 3)}


@case(exact=True)
def beside_gradients(torch):
    """Show that filling is no operation: a leaf keeps requires_grad, its gradient and its memory."""
    weight = torch.nn.Parameter(torch.ones(3, 2))
    seen, view = weight.detach(), weight.data[0]
    (weight * weight).sum().backward()
    filled_ = [
        weight.grad_fn is None
        for fill in (torch.nn.init.zeros_, torch.nn.init.xavier_normal_, torch.nn.init.orthogonal_)
        if fill(weight) is weight
    ]
    return [filled_, weight.requires_grad, weight.grad, seen == weight, view == weight[0]]


@case
def stale_backward(torch):
    weight = torch.nn.Parameter(torch.ones(3))
    loss = (weight * weight).sum()
    torch.nn.init.normal_(weight)
    return raises(loss.backward)


OLD_NAMES = {
    "uniform": (),
    "normal": (),
    "constant": (0.5,),
    "eye": (),
    "xavier_uniform": (),
    "xavier_normal": (),
    "kaiming_uniform": (),
    "kaiming_normal": (),
    "sparse": (0.5,),
}


@case(exact=True)
def old_names(torch):
    result = {}
    for name, arguments in OLD_NAMES.items():
        torch.manual_seed(4)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            values = getattr(torch.nn.init, name)(torch.zeros(5, 4), *arguments)
        result[name] = [values, *(f"{w.category.__name__}: {w.message}" for w in caught)]
    return result


@case
def warnings_given(torch):
    init = torch.nn.init
    calls = {
        "empty uniform": lambda: init.kaiming_uniform_(torch.zeros(0, 3)),
        "empty normal": lambda: init.kaiming_normal_(torch.zeros(3, 0), mode="no such"),
        "empty vector": lambda: init.kaiming_normal_(torch.zeros(0)),
        "empty layer": lambda: torch.nn.Linear(0, 2),
        "far mean": lambda: init.trunc_normal_(torch.zeros(2, 3), mean=5.0),
        "empty xavier": lambda: init.xavier_uniform_(torch.zeros(0, 3)),
        "empty orthogonal": lambda: init.orthogonal_(torch.zeros(0, 3)),
    }
    result = {}
    for name, call in calls.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        result[name] = [f"{w.category.__name__}: {w.message}" for w in caught]
    return result


@case
def mistakes(torch):
    init = torch.nn.init
    vector, matrix = torch.zeros(3), torch.zeros(3, 4)
    whole = torch.zeros(3, 4, dtype=torch.int64)
    return {
        "vectors": [
            raises(lambda f=f: f(vector))
            for f in (init.kaiming_uniform_, init.kaiming_normal_, init.xavier_uniform_, init.xavier_normal_)
        ],
        "xavier nothing": raises(lambda: init.xavier_normal_(torch.zeros(0, 0))),
        "mode": raises(lambda: init.kaiming_normal_(matrix, mode="fan_avg")),
        "mode of case": raises(lambda: init.kaiming_normal_(matrix, mode="FAN_OUT")),
        "mode type": raises(lambda: init.kaiming_normal_(matrix, mode=1)),
        "nonlinearity": raises(lambda: init.kaiming_uniform_(matrix, nonlinearity="gelu")),
        "gain": raises(lambda: init.calculate_gain("softmax")),
        "slope": [raises(lambda a=a: init.calculate_gain("leaky_relu", a)) for a in (True, "x", torch.tensor(0.1))],
        "orthogonal": raises(lambda: init.orthogonal_(vector)),
        "eye": raises(lambda: init.eye_(vector)),
        "eye 3": raises(lambda: init.eye_(torch.zeros(2, 2, 2))),
        "sparse": raises(lambda: init.sparse_(vector, 0.5)),
        "dirac": raises(lambda: init.dirac_(matrix)),
        "bounds": raises(lambda: init.uniform_(vector, 1.0, 0.0)),
        "std": raises(lambda: init.normal_(vector, 0.0, -1.0)),
        "no std": raises(lambda: init.trunc_normal_(vector, 0.0, 0.0)),
        "trunc bounds": raises(lambda: init.trunc_normal_(vector, 0.0, 1.0, 2.0, -2.0)),
        "integers": [raises(lambda f=f: f(whole)) for f in (init.uniform_, init.normal_, init.kaiming_normal_)],
        "generator": raises(lambda: init.normal_(vector, generator=1)),
        "no tensor": [raises(lambda f=f: f([1.0])) for f in (init.uniform_, init.zeros_)],
    }


@case(params=DTYPES, exact=True)
def layers(torch, dtype):
    kind = getattr(torch, dtype)
    torch.manual_seed(0)
    shapes = ((3, 2, True), (9, 10, False), (7, 7, True))
    made = [torch.nn.Linear(n, m, bias=bias, dtype=kind) for n, m, bias in shapes]
    return [*(list(layer.parameters()) for layer in made), torch.rand(2)]


@case(rtol=1e-5)
def a_network_filled_by_apply(torch):
    """Start a network in the common way."""
    torch.manual_seed(0)

    def start(module):
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            torch.nn.init.zeros_(module.bias)

    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    net.apply(start)
    return [*net.parameters(), net(sample(torch, 3, 4))]
