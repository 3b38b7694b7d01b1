"""Layers and their functions: starting values, values, derivatives, texts, saved states, errors; dropout's masks."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import DTYPES, case, raises, sample, with_gradients

# Starting values: bit for bit -----------------------------------------------------------------------------------------

STARTS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Linear", (3, 2), {}),
    ("Linear", (1, 1), {}),
    ("Linear", (10, 64), {"bias": False}),
    ("Linear", (784, 33), {}),
    ("Linear", (7, 13), {}),
    ("Linear", (2, 0), {}),
    ("Linear", (0, 2), {}),
    ("Bilinear", (3, 4, 5), {}),
    ("Bilinear", (1, 2, 3), {"bias": False}),
    ("Embedding", (3, 2), {}),
    ("Embedding", (10, 8), {"padding_idx": 3}),
    ("Embedding", (5, 4), {"padding_idx": -1}),
    ("EmbeddingBag", (7, 5), {"padding_idx": 1}),
    ("PReLU", (3,), {"init": 0.1}),
]


@case(params=[(i,) for i in range(len(STARTS))], exact=True)
def starting_values(torch: Any, i: int) -> Any:
    name, arguments, settings = STARTS[i]
    results = []
    for seed, dtype in ((0, torch.float32), (123, torch.float32), (0, torch.float64)):
        torch.manual_seed(seed)
        module = getattr(torch.nn, name)(*arguments, **settings, dtype=dtype)
        results.append({"state": dict(module.state_dict()), "next": torch.rand(2)})
    return {"runs": results, "text": str(module)}


@case(exact=True)
def starting_values_of_a_network(torch: Any) -> Any:
    torch.manual_seed(42)
    nn = torch.nn
    net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.BatchNorm1d(64), nn.Dropout(0.2), nn.Linear(64, 3))
    return {"state": dict(net.state_dict()), "text": str(net), "next": torch.randn(20)}


@case(exact=True)
def drawing_again(torch: Any) -> Any:
    layer, table = torch.nn.Linear(5, 3), torch.nn.Embedding(4, 3, padding_idx=0)
    torch.manual_seed(1)
    layer.reset_parameters()
    table.reset_parameters()
    return [dict(layer.state_dict()), dict(table.state_dict())]


@case(exact=True)
def lazy_linear(torch: Any) -> Any:
    torch.manual_seed(0)
    layer = torch.nn.LazyLinear(3)
    before = [str(layer), type(layer).__name__, str(layer.weight), list(layer.state_dict()), torch.rand(1)]
    shapeless = [raises(lambda: layer.weight.shape), raises(lambda: layer.weight + 1)]
    layer(torch.ones(2, 5))
    return {"before": before, "shapeless": shapeless, "state": dict(layer.state_dict()), "text": str(layer)}


@case
def lazy_states(torch: Any) -> Any:
    nn = torch.nn
    full, lazy = nn.LazyLinear(3), nn.LazyLinear(3)
    empty_into_empty = str(full.load_state_dict(lazy.state_dict()))
    full(torch.ones(2, 4))
    loaded = str(lazy.load_state_dict(full.state_dict()))
    same = bool((lazy(torch.ones(1, 4)) == full(torch.ones(1, 4))).all())
    refused = raises(lambda: nn.Linear(4, 3).load_state_dict(nn.LazyLinear(3).state_dict()))
    double = nn.LazyLinear(2).double()
    net = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2, bias=False))
    text = str(net)
    return {
        "loads": [empty_into_empty, loaded, same, refused],
        "type": [type(lazy).__name__, lazy.in_features],
        "double": double(torch.ones(1, 3).double()).dtype,
        "net": [text, net(torch.ones(3, 5)).shape, str(net)],
    }


# Affine and bilinear --------------------------------------------------------------------------------------------------


@case(params=DTYPES, rtol={"float32": 2e-6, "float64": 1e-12})
def linear(torch: Any, dtype: str) -> Any:
    weight = sample(torch, 4, 3, dtype=dtype, seed=1, requires_grad=True)
    bias = sample(torch, 4, dtype=dtype, seed=2, requires_grad=True)
    f = torch.nn.functional.linear
    results = {}
    for shape in [(5, 3), (3,), (2, 5, 3), (0, 3), (2, 0, 3), (1, 3), (2, 2, 2, 3)]:
        x = sample(torch, *shape, dtype=dtype, requires_grad=True)
        results[str(shape)] = [with_gradients(torch, f, x, weight, bias), with_gradients(torch, f, x, weight)]
    return results


@case
def linear_oddities(torch: Any) -> Any:
    f, x = torch.nn.functional.linear, sample(torch, 2, 3)
    w, vector = sample(torch, 2, 3, seed=1), sample(torch, 3, seed=2)
    whole = torch.tensor([[1, 2, 3]])
    return [
        f(x, vector),
        f(vector, vector),
        f(whole, whole),
        f(x, w, torch.tensor([5.0])),
        f(x, w, torch.tensor(5.0)),
        f(x, w, torch.ones(2, 2)),
        f(torch.ones(3, 0), torch.ones(2, 0), torch.ones(2)),
        torch.nn.Linear(0, 2)(torch.ones(3, 0)).shape,
        torch.nn.Linear(2, 0)(torch.ones(3, 2)).shape,
    ]


@case
def linear_errors(torch: Any) -> Any:
    f, x = torch.nn.functional.linear, torch.ones(2, 3)
    nn, w = torch.nn, torch.ones(2, 3)
    calls = [
        lambda: f(x, torch.ones(2, 4)),
        lambda: f(x, w, torch.ones(3)),
        lambda: f(x.double(), w),
        lambda: f(x, w, torch.ones(2).double()),
        lambda: f(torch.tensor(1.0), torch.ones(2, 1)),
        lambda: f([1.0, 2.0, 3.0], w),
        lambda: nn.Linear(3, 2)(torch.ones(2, 4)),
        lambda: nn.Linear(3, 2)(torch.ones(2, 3, dtype=torch.int64)),
        lambda: nn.Linear(3, 2)(),
        lambda: nn.Linear(3),
        lambda: nn.Linear(-1, 2),
        lambda: nn.Linear(2.0, 3),
        lambda: nn.Linear("a", 3),
        lambda: nn.Linear(2, 3, dtype=torch.int64),
        lambda: nn.Bilinear(0, 2, 2),
    ]
    return [raises(call) for call in calls]


@case(params=DTYPES, rtol={"float32": 3e-6, "float64": 1e-12})
def bilinear(torch: Any, dtype: str) -> Any:
    weight = sample(torch, 4, 3, 2, dtype=dtype, seed=1, requires_grad=True)
    bias = sample(torch, 4, dtype=dtype, seed=2, requires_grad=True)
    f = torch.nn.functional.bilinear
    results = {}
    for lead in [(5,), (), (2, 3), (0,)]:
        a = sample(torch, *lead, 3, dtype=dtype, seed=3, requires_grad=True)
        b = sample(torch, *lead, 2, dtype=dtype, seed=4, requires_grad=True)
        results[str(lead)] = [with_gradients(torch, f, a, b, weight, bias), with_gradients(torch, f, a, b, weight)]
    return results


@case
def bilinear_errors(torch: Any) -> Any:
    f, x = torch.nn.functional.bilinear, torch.ones(2, 3)
    calls = [
        lambda: f(x, x, torch.ones(4, 3, 2)),
        lambda: f(x, torch.ones(3, 3), torch.ones(4, 3, 3)),
        lambda: f(x, x, torch.ones(4, 3, 3), torch.ones(3)),
        lambda: f(x, torch.ones(3), torch.ones(4, 3, 3)),
    ]
    return [raises(call) for call in calls]


@case(params=DTYPES)
def identity_and_shapes(torch: Any, dtype: str) -> Any:
    nn, x = torch.nn, sample(torch, 2, 3, 4, dtype=dtype)
    flat, split = nn.Flatten(), nn.Unflatten(1, (1, -1))
    errors = [
        lambda: nn.Unflatten(1, 3),
        lambda: nn.Unflatten(1, (2.0, 1)),
        lambda: nn.Unflatten(1, (3, 2))(torch.ones(2, 4)),
        lambda: nn.Flatten()(torch.ones(2)),
        lambda: nn.Flatten(2, 1)(x),
        lambda: nn.Flatten(0, 4)(x),
    ]
    return {
        "identity": nn.Identity(1, 2, three=3)(x),
        "flat": [flat(x), nn.Flatten(0)(x), nn.Flatten(0, 1)(x), nn.Flatten(0)(torch.tensor(1.0)), flat(x[:0])],
        "split": [split(x), nn.Unflatten(2, (2, 2))(x), nn.Unflatten(-1, [2, -1])(x)],
        "texts": [str(m) for m in (nn.Identity(), flat, split, nn.Unflatten(1, [2, 2]))],
        "errors": [raises(call) for call in errors],
    }


# Embeddings -----------------------------------------------------------------------------------------------------------


@case(params=DTYPES)
def embedding(torch: Any, dtype: str) -> Any:
    f, weight = torch.nn.functional.embedding, sample(torch, 5, 3, dtype=dtype, requires_grad=True)
    index = torch.tensor([[1, 4, 1], [0, 1, 2]])
    settings: list[dict[str, Any]] = [
        {},
        {"padding_idx": 1},
        {"padding_idx": -1},
        {"scale_grad_by_freq": True},
        {"padding_idx": 0, "scale_grad_by_freq": True},
    ]
    results = [with_gradients(torch, lambda w, s=s: f(index, w, **s), weight) for s in settings]
    plain = [f(i, weight) for i in (torch.tensor(2), torch.tensor([], dtype=torch.int64), index.int(), index[:, :0])]
    y = f(index, weight, padding_idx=1)
    (slope,) = torch.autograd.grad((y**3).sum(), weight, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), weight)
    return {"gradients": results, "plain": plain, "second": second}


@case(params=[(p,) for p in (1.0, 2.0, 3.0, float("inf"))])
def embedding_of_limited_length(torch: Any, p: float) -> Any:
    table = torch.nn.Embedding(4, 3, max_norm=1.0, norm_type=p)
    with torch.no_grad():
        table.weight.copy_(sample(torch, 4, 3))
    out = table(torch.tensor([1, 2, 1]))
    out.sum().backward()
    return {"out": out, "weight": table.weight, "grad": table.weight.grad, "text": str(table)}


@case
def embedding_modules(torch: Any) -> Any:
    nn, given = torch.nn, sample(torch, 3, 2)
    frozen, free = nn.Embedding.from_pretrained(given), nn.Embedding.from_pretrained(given, freeze=False, padding_idx=1)
    settings = {"max_norm": 1.0, "norm_type": 1.0, "scale_grad_by_freq": True, "sparse": True}
    return {
        "grads": [frozen.weight.requires_grad, free.weight.requires_grad],
        "out": [frozen(torch.tensor([2, 0])), free(torch.tensor([[1]]))],
        "texts": [str(frozen), str(free), str(nn.Embedding(4, 3, padding_idx=-1, **settings))],
        "padding": nn.Embedding(4, 3, padding_idx=-1).padding_idx,
        "bag": [str(nn.EmbeddingBag(4, 3, mode="max", padding_idx=2)), str(nn.EmbeddingBag(4, 3, 1.0, 1.0, True))],
    }


@case
def embedding_errors(torch: Any) -> Any:
    f, nn, w = torch.nn.functional, torch.nn, torch.ones(4, 3)
    calls = [
        lambda: f.embedding(torch.tensor([4]), w),
        lambda: f.embedding(torch.tensor([-1]), w),
        lambda: f.embedding(torch.tensor([1.0]), w),
        lambda: f.embedding(torch.tensor([1], dtype=torch.int16), w),
        lambda: f.embedding(torch.tensor([True]), w),
        lambda: f.embedding(torch.tensor([1]), w, padding_idx=4),
        lambda: f.embedding(torch.tensor([1]), w, padding_idx=-5),
        lambda: f.embedding(torch.tensor([1]), w[0]),
        lambda: f.embedding([1], w),
        lambda: nn.Embedding(3, 2, padding_idx=3),
        lambda: nn.Embedding(3, 2, _weight=torch.ones(2, 2)),
        lambda: nn.Embedding.from_pretrained(torch.ones(3)),
    ]
    return [raises(call) for call in calls]


@case(params=[(mode, dtype) for mode in ("sum", "mean", "max") for (dtype,) in DTYPES])
def embedding_bag(torch: Any, mode: str, dtype: str) -> Any:
    f, weight = torch.nn.functional.embedding_bag, sample(torch, 5, 3, dtype=dtype, requires_grad=True)
    matrix, row = torch.tensor([[1, 4, 1], [0, 1, 2]]), torch.tensor([1, 4, 1, 0, 2])
    offsets = torch.tensor([0, 2, 2, 4])
    calls = [
        lambda w: f(matrix, w, mode=mode),
        lambda w: f(row, w, offsets, mode=mode),
        lambda w: f(row, w, torch.tensor([0, 2, 5]), mode=mode, include_last_offset=True),
        lambda w: f(matrix, w, mode=mode, padding_idx=1),
    ]
    results = [with_gradients(torch, call, weight) for call in calls]
    if mode == "sum":
        factors = sample(torch, 2, 3, dtype=dtype, seed=4, requires_grad=True)
        results.append(
            with_gradients(torch, lambda w, s: f(matrix, w, mode="sum", per_sample_weights=s), weight, factors)
        )
    return results


@case
def embedding_bag_errors(torch: Any) -> Any:
    f, w, row = torch.nn.functional.embedding_bag, torch.ones(4, 3), torch.tensor([1, 2])
    calls = [
        lambda: f(row, w),
        lambda: f(row[None], w, torch.tensor([0])),
        lambda: f(row, w, torch.tensor([0]), mode="median"),
        lambda: f(row, w, torch.tensor([1])),
        lambda: f(row[None, None], w),
        lambda: f(row[None], w, mode="mean", per_sample_weights=torch.ones(1, 2)),
    ]
    return [raises(call) for call in calls]


@case
def one_hot(torch: Any) -> Any:
    f = torch.nn.functional.one_hot
    calls = [
        lambda: f(torch.tensor([0, 2]), 2),
        lambda: f(torch.tensor([0.0, 2.0])),
        lambda: f(torch.tensor([-1])),
        lambda: f(torch.tensor([], dtype=torch.int64)),
        lambda: f(torch.tensor([1], dtype=torch.int32)),
        lambda: f(torch.tensor([1]), 0),
    ]
    some = [f(torch.tensor([0, 2])), f(torch.tensor([[1], [0]]), 4), f(torch.tensor(1)), f(torch.arange(0), 3)]
    return [*some, [raises(call) for call in calls]]


# Dropout: bit for bit -------------------------------------------------------------------------------------------------


@case(params=[(p,) for p in (0.0, 0.1, 0.3, 0.5, 0.9, 1.0)], exact=True)
def dropout_masks(torch: Any, p: float) -> Any:
    nn, results = torch.nn, {}
    for dtype in (torch.float32, torch.float64):
        x = sample(torch, 5, 7).to(dtype)
        modules = [nn.Dropout(p), nn.Dropout1d(p), nn.AlphaDropout(p), nn.FeatureAlphaDropout(p)]
        torch.manual_seed(7)
        results[str(dtype)] = [module(x) for module in modules] + [torch.rand(1)]
    return results


@case(exact=True)
def dropout_of_other_layouts(torch: Any) -> Any:
    f, x = torch.nn.functional, sample(torch, 4, 6, 5)
    torch.manual_seed(5)
    layouts = [x.transpose(0, 1), x.permute(2, 0, 1), x[:, ::2], x[0].t(), x[:0], x[0, 0], x.half()]
    return [f.dropout(y, 0.4) for y in layouts] + [f.dropout1d(x, 0.4), f.dropout1d(x[0], 0.4), torch.rand(1)]


@case(params=[("Dropout",), ("Dropout1d",), ("AlphaDropout",), ("FeatureAlphaDropout",)])
def dropout_modes(torch: Any, name: str) -> Any:
    module = getattr(torch.nn, name)(0.4)
    x = sample(torch, 3, 4, requires_grad=True)
    torch.manual_seed(3)
    training = with_gradients(torch, module, x)
    copy = x.detach().clone()
    changed = getattr(torch.nn, name)(0.4, inplace=True)(copy)
    same = changed is copy
    return {"training": training, "in place": [same, copy], "untouched": module.eval()(x), "text": str(module)}


@case(exact=True)
def dropout_is_one_stream(torch: Any) -> Any:
    nn = torch.nn
    torch.manual_seed(11)
    net = nn.Sequential(nn.Dropout(0.2), nn.Dropout(0.5), nn.Dropout(0.7))
    x = torch.ones(6, 5)
    return [net(x), net(x), torch.randperm(5), torch.nn.functional.dropout(x, training=False)]


@case
def dropout_errors(torch: Any) -> Any:
    f, nn, x = torch.nn.functional, torch.nn, torch.ones(2, 3)
    calls = [
        lambda: f.dropout(x, -0.1),
        lambda: f.dropout(x, 1.1),
        lambda: nn.Dropout(1.5),
        lambda: nn.AlphaDropout(-1),
        lambda: f.alpha_dropout(x, 2),
        lambda: f.dropout1d(x[0]),
        lambda: f.dropout1d(torch.ones(1, 1, 1, 1)),
        lambda: f.feature_alpha_dropout(x[0], training=True),
        lambda: f.dropout(torch.tensor([1, 2])),
        lambda: f.dropout([1.0]),
    ]
    return [raises(call) for call in calls]


# Distances and padding ------------------------------------------------------------------------------------------------


@case(params=DTYPES, rtol={"float32": 3e-6, "float64": 1e-12}, atol={"float32": 1e-6, "float64": 1e-14})
def distances(torch: Any, dtype: str) -> Any:
    f, nn = torch.nn.functional, torch.nn
    a = sample(torch, 3, 4, dtype=dtype, requires_grad=True)
    b = sample(torch, 3, 4, dtype=dtype, seed=1, requires_grad=True)
    row = sample(torch, 4, dtype=dtype, seed=2, requires_grad=True)
    return {
        "normalize": [
            with_gradients(torch, lambda x, p=p, d=d: f.normalize(x, p, d), a)
            for p in (2.0, 1.0, 3.0, float("inf"))
            for d in (0, 1)
        ],
        "cosine": [
            with_gradients(torch, f.cosine_similarity, a, b),
            with_gradients(torch, lambda x, y: f.cosine_similarity(x, y, dim=0), a, b),
            with_gradients(torch, f.cosine_similarity, a, row[None]),
            with_gradients(torch, lambda x, y: nn.CosineSimilarity(dim=-1)(x, y), row, row * 2),
        ],
        "pairwise": [
            with_gradients(torch, lambda x, y, p=p: f.pairwise_distance(x, y, p), a, b)
            for p in (2.0, 1.0, 3.0, float("inf"))
        ],
        "all pairs": [with_gradients(torch, lambda x, p=p: f.pdist(x, p), a) for p in (2.0, 1.0, 3.0, float("inf"))],
        "kept": with_gradients(torch, nn.PairwiseDistance(keepdim=True), a, b),
        "row": [with_gradients(torch, f.pairwise_distance, row, row * 2), f.pairwise_distance(a, row)],
        "texts": [str(nn.CosineSimilarity()), str(nn.PairwiseDistance(1))],
    }


@case
def distances_of_zeros(torch: Any) -> Any:
    f = torch.nn.functional
    zeros, ones = torch.zeros(2, 3, requires_grad=True), torch.ones(2, 3)
    return [
        with_gradients(torch, f.normalize, zeros),
        with_gradients(torch, lambda x: f.cosine_similarity(x, ones), zeros),
        with_gradients(torch, lambda x: f.pairwise_distance(x, torch.zeros(2, 3)), zeros),
        f.normalize(torch.zeros(0, 3)),
        f.cosine_similarity(torch.zeros(0, 3), torch.zeros(0, 3)),
        f.cosine_similarity(torch.ones(2, 3, dtype=torch.int64), ones),
    ]


@case
def distance_errors(torch: Any) -> Any:
    f, whole = torch.nn.functional, torch.ones(2, 3, dtype=torch.int64)
    calls = [
        lambda: f.cosine_similarity(torch.ones(2, 3), torch.ones(3, 2)),
        lambda: f.cosine_similarity(whole, whole),
        lambda: f.cosine_similarity(torch.ones(3), torch.ones(3)),
        lambda: f.normalize(whole),
        lambda: f.pairwise_distance(torch.ones(2, 3), torch.ones(2, 4)),
        lambda: f.pdist(torch.ones(3)),
        lambda: f.pdist(torch.ones(2, 3), -1.0),
    ]
    return [raises(call) for call in calls]


@case(params=DTYPES)
def padding(torch: Any, dtype: str) -> Any:
    f, x = torch.nn.functional.pad, sample(torch, 2, 3, dtype=dtype, requires_grad=True)
    pads = [(1, 1), (0, 2), (1, 0, 0, 1), (-1, 0), (-1, 2), (2, -1, -1, 0), (), (0, 0)]
    results = [with_gradients(torch, lambda x, p=p: f(x, p, value=1.5), x) for p in pads]
    errors = [lambda: f(x, (1,)), lambda: f(x, (1,) * 6), lambda: f(x, (-2, -2)), lambda: f(x, (1, 1), mode="foo")]
    return [*results, f(torch.tensor([1, 2]), (1, 1)), [raises(call) for call in errors]]


# Names on the tape ----------------------------------------------------------------------------------------------------


@case
def names_on_the_tape(torch: Any) -> Any:
    f, nn = torch.nn.functional, torch.nn
    w, row = sample(torch, 2, 3, requires_grad=True), sample(torch, 3, requires_grad=True)
    lines, bias = sample(torch, 2, 3, 4, requires_grad=True), torch.ones(2)
    results = {
        **{
            f"linear {s} {b is None}": f.linear(torch.ones(*s), w, b)
            for s in [(2, 3), (3,), (2, 2, 3)]
            for b in (None, bias)
        },
        "batch norm": nn.BatchNorm1d(3)(w),
        "fixed batch norm": nn.BatchNorm1d(3).eval()(w),
        "layer norm": f.layer_norm(w, (3,)),
        "group norm": f.group_norm(w, 1),
        "rms norm": f.rms_norm(w, (3,)),
        "dropout": f.dropout(w),
        "alpha dropout": f.alpha_dropout(w, training=True),
        "embedding": f.embedding(torch.tensor([0, 1]), w),
        "normalize": f.normalize(w),
        "cosine": f.cosine_similarity(w, w),
        "pairwise": f.pairwise_distance(w, w),
        "pdist": f.pdist(w),
        "pad": f.pad(w, (1, 1)),
        "glu": f.glu(lines),
        "flatten": nn.Flatten()(lines),
        "softmin": f.softmin(row, 0),
        "log softmax": f.log_softmax(row, 0),
        "prelu": f.prelu(row, torch.ones(1)),
        "rrelu": f.rrelu(row, training=True),
        **{name: getattr(nn, name)()(row) for name in _ACTIVATIONS},
    }
    return {name: result.grad_fn.name() for name, result in results.items()}


_ACTIVATIONS = (
    "ReLU ReLU6 Hardtanh LeakyReLU ELU SELU CELU GELU SiLU Mish Softplus Softsign Sigmoid LogSigmoid Hardsigmoid "
    "Hardswish Tanh Tanhshrink Hardshrink Softshrink"
).split()


@case(params=[(mode,) for mode in ("reflect", "replicate", "circular")])
def padding_by_copies(torch: Any, mode: str) -> Any:
    f, x = torch.nn.functional, sample(torch, 2, 3, 4, requires_grad=True)
    return {
        "ends": with_gradients(torch, lambda x: f.pad(x, (2, 1), mode=mode), x),
        "both": with_gradients(torch, lambda x: f.pad(x, (1, 2, 2, 1), mode=mode), x),
        "matrix": f.pad(x[0].detach(), (0, 3), mode=mode),
        "whole": f.pad(torch.arange(6).view(1, 6).float(), (2, 2), mode=mode),
        "vector": raises(lambda: f.pad(torch.ones(3), (1, 1), mode=mode)),
        "far": raises(lambda: f.pad(x, (9, 0), mode=mode)) if mode != "replicate" else "",
        "odd": raises(lambda: f.pad(x, (1,), mode=mode)),
    }
