"""Every loss: values, gradients, reductions, shapes, extremes and mistakes."""

from __future__ import annotations

from tests.parity.harness import DTYPES, case, raises, sample, with_gradients

REDUCTIONS = ("none", "mean", "sum")
SHAPES = ((5,), (3, 4), (2, 3, 2), (), (0, 3))


def pair(torch, shape, dtype, low=-2.0, high=2.0):
    """Return two tensors of one shape that require gradients."""
    return tuple(
        sample(torch, *shape, dtype=dtype, low=low, high=high, seed=seed, requires_grad=True) for seed in (0, 1)
    )


def over(torch, make, shapes, inputs):
    """Return the module's values and gradients for every reduction and shape."""
    return {
        f"{reduction} {shape}": with_gradients(torch, make(reduction), *inputs(shape))
        for reduction in REDUCTIONS
        for shape in shapes
    }


ELEMENTWISE = {
    "L1Loss": {},
    "MSELoss": {},
    "SmoothL1Loss": {},
    "SmoothL1Loss beta": {"beta": 0.4},
    "SmoothL1Loss zero": {"beta": 0.0},
    "HuberLoss": {},
    "HuberLoss delta": {"delta": 0.7},
    "SoftMarginLoss": {},
    "KLDivLoss log": {"log_target": True},
    "PoissonNLLLoss": {},
}


@case(params=[(name, *dtype) for name in ELEMENTWISE for dtype in DTYPES])
def elementwise(torch, name, dtype):
    cls = getattr(torch.nn, name.split(" ")[0])
    options = ELEMENTWISE[name]
    result = over(torch, lambda r: cls(reduction=r, **options), SHAPES, lambda shape: pair(torch, shape, dtype))
    return {**result, "text": str(cls(**options))}


@case(params=DTYPES)
def broadcasting(torch, dtype):
    a = sample(torch, 4, 1, dtype=dtype, requires_grad=True)
    b = sample(torch, 3, dtype=dtype, seed=1, requires_grad=True)
    F = torch.nn.functional
    return [with_gradients(torch, f, a, b) for f in (F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss)]


@case(params=DTYPES)
def weighted_regression(torch, dtype):
    a, b = pair(torch, (3, 4), dtype)
    w = sample(torch, 3, 4, dtype=dtype, low=0.1, seed=2)
    F = torch.nn.functional
    return [
        with_gradients(torch, lambda x, y, f=f, r=r: f(x, y, reduction=r, weight=w), a, b)
        for f in (F.mse_loss, F.l1_loss)
        for r in REDUCTIONS
    ]


# Classes --------------------------------------------------------------------------------------------------------------


def classes(torch, shape, count):
    """Return class numbers that are known."""
    total = 1
    for n in shape:
        total *= n
    return (torch.arange(total) * 7 % count).reshape(shape)


CLASS_OPTIONS = {
    "plain": {},
    "weight": {"weight": True},
    "ignore": {"ignore_index": 1},
    "smoothing": {"label_smoothing": 0.1},
    "all": {"weight": True, "ignore_index": 2, "label_smoothing": 0.3},
}
CLASS_SHAPES = (((4,), ()), ((5, 4), (5,)), ((2, 4, 3), (2, 3)), ((2, 4, 3, 2), (2, 3, 2)), ((0, 4), (0,)))


@case(params=[(kind, *dtype) for kind in CLASS_OPTIONS for dtype in DTYPES])
def class_numbers(torch, kind, dtype):
    options = dict(CLASS_OPTIONS[kind])
    if options.get("weight"):
        options["weight"] = sample(torch, 4, dtype=dtype, low=0.2, seed=3)
    result = {}
    for shape, target_shape in CLASS_SHAPES:
        x = sample(torch, *shape, dtype=dtype, requires_grad=True)
        t = classes(torch, target_shape, 4)
        for r in REDUCTIONS:
            criterion = torch.nn.CrossEntropyLoss(reduction=r, **options)
            result[f"ce {shape} {r}"] = with_gradients(torch, lambda x, c=criterion, t=t: c(x, t), x)
            if "label_smoothing" not in options:
                nll = torch.nn.NLLLoss(reduction=r, **options)
                result[f"nll {shape} {r}"] = with_gradients(torch, lambda x, c=nll, t=t: c(x, t), x)
    return result


@case(params=DTYPES)
def class_probabilities(torch, dtype):
    result = {}
    for shape in ((4,), (5, 4), (2, 4, 3), (0, 4)):
        x = sample(torch, *shape, dtype=dtype, requires_grad=True)
        t = sample(torch, *shape, dtype=dtype, low=0.0, high=0.5, seed=1, requires_grad=True)
        for r in REDUCTIONS:
            for smoothing in (0.0, 0.2):
                for weight in (None, sample(torch, 4, dtype=dtype, low=0.2, seed=3)):
                    c = torch.nn.CrossEntropyLoss(reduction=r, label_smoothing=smoothing, weight=weight)
                    result[f"{shape} {r} {smoothing} {weight is not None}"] = with_gradients(torch, c, x, t)
    return result


@case(params=DTYPES)
def cross_entropy_extremes(torch, dtype):
    x = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]], dtype=getattr(torch, dtype), requires_grad=True)
    t = torch.tensor([1, 0])
    certain = torch.tensor([[20.0, 0.0], [-float("inf"), 0.0]], dtype=getattr(torch, dtype), requires_grad=True)
    F = torch.nn.functional
    return [
        with_gradients(torch, lambda x: F.cross_entropy(x, t, reduction="none"), x),
        with_gradients(torch, lambda x: F.cross_entropy(x, torch.tensor([0, 1]), reduction="none"), certain),
        F.cross_entropy(x, torch.tensor([-100, -100])),
        F.cross_entropy(x, torch.tensor([-100, -100]), reduction="sum"),
    ]


@case(params=DTYPES)
def cross_entropy_twice(torch, dtype):
    x = sample(torch, 3, 4, dtype=dtype, requires_grad=True)
    w = sample(torch, 4, dtype=dtype, low=0.2, seed=3)
    loss = torch.nn.functional.cross_entropy(x, torch.tensor([0, 3, 1]), weight=w, label_smoothing=0.1)
    (first,) = torch.autograd.grad(loss, x, create_graph=True)
    (second,) = torch.autograd.grad((first**2).sum(), x)
    return [loss, first, second]


@case
def class_mistakes(torch):
    F = torch.nn.functional
    x = sample(torch, 3, 4)
    return {
        "batch": raises(lambda: F.cross_entropy(x, torch.tensor([0, 1]))),
        "two dims": raises(lambda: F.cross_entropy(x, torch.tensor([[0], [1], [2]]))),
        "out of range": raises(lambda: F.cross_entropy(x, torch.tensor([0, 1, 4]))),
        "negative": raises(lambda: F.cross_entropy(x, torch.tensor([0, 1, -1]))),
        "floats": raises(lambda: F.cross_entropy(x, torch.tensor([0.0, 1.0, 2.0]))),
        "int32": raises(lambda: F.cross_entropy(x, torch.tensor([0, 1, 2], dtype=torch.int32))),
        "weight": raises(lambda: F.cross_entropy(x, torch.tensor([0, 1, 2]), weight=torch.ones(3))),
        "smoothing": raises(lambda: F.cross_entropy(x, torch.tensor([0, 1, 2]), label_smoothing=1.5)),
        "reduction": raises(lambda: F.cross_entropy(x, torch.tensor([0, 1, 2]), reduction="avg")),
        "ignored floats": raises(lambda: F.cross_entropy(x, x.softmax(1), ignore_index=1)),
        "nll batch": raises(lambda: F.nll_loss(x, torch.tensor([0, 1]))),
        "mse shapes": raises(lambda: F.mse_loss(torch.ones(3), torch.ones(4))),
        "mse reduction": raises(lambda: F.mse_loss(x, x, reduction="avg")),
        "l1 reduction": raises(lambda: torch.nn.L1Loss(reduction="avg")(x, x)),
        "beta": raises(lambda: F.smooth_l1_loss(x, x, beta=-1.0)),
        "delta": raises(lambda: F.huber_loss(x, x, delta=0.0)),
        "kl": raises(lambda: F.kl_div(x, x, reduction="avg")),
    }


# Probabilities --------------------------------------------------------------------------------------------------------


@case(params=DTYPES)
def binary(torch, dtype):
    result = {}
    for shape in ((5,), (3, 2), (0,), ()):
        p = sample(torch, *shape, dtype=dtype, low=0.05, high=0.95, requires_grad=True)
        t = sample(torch, *shape, dtype=dtype, low=0.05, high=0.95, seed=1, requires_grad=True)
        x = sample(torch, *shape, dtype=dtype, seed=2, requires_grad=True)
        w = sample(torch, *shape, dtype=dtype, low=0.1, seed=3)
        positive = sample(torch, *shape[-1:], dtype=dtype, low=0.1, seed=4)
        for r in REDUCTIONS:
            for weight in (None, w):
                key = f"{shape} {r} {weight is not None}"
                result[f"bce {key}"] = with_gradients(torch, torch.nn.BCELoss(weight, reduction=r), p, t)
                logits = torch.nn.BCEWithLogitsLoss(weight, reduction=r)
                result[f"logits {key}"] = with_gradients(torch, logits, x, t)
                with_positive = torch.nn.BCEWithLogitsLoss(weight, reduction=r, pos_weight=positive)
                result[f"positive {key}"] = with_gradients(torch, with_positive, x, t)
    return result


@case(params=DTYPES)
def binary_extremes(torch, dtype):
    kind = getattr(torch, dtype)
    p = torch.tensor([0.0, 1.0, 0.0, 1.0, 1e-30], dtype=kind, requires_grad=True)
    t = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0], dtype=kind)
    x = torch.tensor([1e4, -1e4, 1e4, -1e4, 0.0], dtype=kind, requires_grad=True)
    F = torch.nn.functional
    return [
        with_gradients(torch, lambda p: F.binary_cross_entropy(p, t, reduction="none"), p),
        with_gradients(torch, lambda x: F.binary_cross_entropy_with_logits(x, t, reduction="none"), x),
        F.binary_cross_entropy_with_logits(x, t, pos_weight=torch.tensor(2.0, dtype=kind)),
    ]


@case
def binary_mistakes(torch):
    F = torch.nn.functional
    half = torch.full((3,), 0.5)
    return {
        "above": raises(lambda: F.binary_cross_entropy(half * 3, half)),
        "below": raises(lambda: F.binary_cross_entropy(-half, half)),
        "nan": raises(lambda: F.binary_cross_entropy(half * float("nan"), half)),
        "target": raises(lambda: F.binary_cross_entropy(half, half * 4)),
        "shape": raises(lambda: F.binary_cross_entropy(half, half.unsqueeze(1))),
        "integers": raises(lambda: F.binary_cross_entropy(half, torch.tensor([0, 1, 1]))),
        "logits shape": raises(lambda: F.binary_cross_entropy_with_logits(half, half.unsqueeze(1))),
    }


@case(params=DTYPES)
def divergences(torch, dtype):
    F = torch.nn.functional
    x = torch.log_softmax(sample(torch, 3, 4, dtype=dtype), 1).requires_grad_()
    t = torch.softmax(sample(torch, 3, 4, dtype=dtype, seed=1), 1).requires_grad_()
    zero = torch.tensor([[0.0, 0.5, 0.5, 0.0]] * 3, dtype=getattr(torch, dtype))
    result = {"zero": F.kl_div(x, zero, reduction="none")}
    for r in (*REDUCTIONS, "batchmean"):
        result[r] = with_gradients(torch, torch.nn.KLDivLoss(reduction=r), x, t)
        result[f"{r} log"] = with_gradients(torch, torch.nn.KLDivLoss(reduction=r, log_target=True), x, t.log().detach())
    return result


@case(params=DTYPES)
def likelihoods(torch, dtype):
    x, t = pair(torch, (4, 3), dtype, low=0.2, high=4.0)
    result = {}
    for r in REDUCTIONS:
        for full in (False, True):
            for log_input in (False, True):
                poisson = torch.nn.PoissonNLLLoss(log_input=log_input, full=full, reduction=r)
                result[f"poisson {r} {full} {log_input}"] = with_gradients(torch, poisson, x, t.detach())
            gaussian = torch.nn.GaussianNLLLoss(full=full, reduction=r)
            for shape in ((4, 3), (4, 1), (4,)):
                v = sample(torch, *shape, dtype=dtype, low=0.0, high=2.0, seed=5, requires_grad=True)
                result[f"gauss {r} {full} {shape}"] = with_gradients(torch, gaussian, x, t, v)
    result["small"] = torch.nn.GaussianNLLLoss(eps=0.1)(x, t, torch.zeros(4, 3, dtype=getattr(torch, dtype)))
    result["negative"] = raises(lambda: torch.nn.GaussianNLLLoss()(x, t, -x.detach()))
    result["shape"] = raises(lambda: torch.nn.GaussianNLLLoss()(x, t, torch.ones(2, 2, dtype=getattr(torch, dtype))))
    return result


# Margins --------------------------------------------------------------------------------------------------------------


def signs(torch, *shape, dtype="float32"):
    """Return a pattern of 1 and -1."""
    total = 1
    for n in shape:
        total *= n
    return (1 - 2 * (torch.arange(total) % 3 % 2)).reshape(shape).to(getattr(torch, dtype))


@case(params=DTYPES)
def margins(torch, dtype):
    a, b = pair(torch, (5, 3), dtype)
    c = sample(torch, 5, 3, dtype=dtype, seed=2, requires_grad=True)
    rows = signs(torch, 5, dtype=dtype)
    grid = signs(torch, 5, 3, dtype=dtype)
    nn, result = torch.nn, {}
    for r in REDUCTIONS:
        for margin in (0.0, 0.5):
            rank = nn.MarginRankingLoss(margin, reduction=r)
            result[f"ranking {r} {margin}"] = with_gradients(torch, lambda x, y, f=rank: f(x, y, grid), a, b)
            cosine = nn.CosineEmbeddingLoss(margin, reduction=r)
            result[f"cosine {r} {margin}"] = with_gradients(torch, lambda x, y, f=cosine: f(x, y, rows), a, b)
        one = nn.CosineEmbeddingLoss(reduction=r)
        result[f"cosine one {r}"] = with_gradients(torch, lambda x, y, f=one: f(x, y, rows[0]), a[0], b[0])
        hinge = nn.HingeEmbeddingLoss(0.7, reduction=r)
        result[f"hinge {r}"] = with_gradients(torch, lambda x, f=hinge: f(x, grid), a)
        for swap in (False, True):
            for p in (1.0, 2.0, 3.0):
                triplet = nn.TripletMarginLoss(0.8, p=p, swap=swap, reduction=r)
                result[f"triplet {r} {swap} {p}"] = with_gradients(torch, triplet, a, b, c)
            own = nn.TripletMarginWithDistanceLoss(
                distance_function=lambda x, y: (x - y).abs().sum(-1), margin=0.8, swap=swap, reduction=r
            )
            result[f"own distance {r} {swap}"] = with_gradients(torch, own, a, b, c)
        default = nn.TripletMarginWithDistanceLoss(reduction=r)
        result[f"default distance {r}"] = with_gradients(torch, default, a, b, c)
    return result


@case(params=DTYPES)
def margins_of_classes(torch, dtype):
    x = sample(torch, 4, 5, dtype=dtype, requires_grad=True)
    t = torch.tensor([0, 4, 2, 2])
    lists = torch.tensor([[3, 0, -1, 1, 1], [-1, 0, 0, 0, 0], [0, 1, 2, 3, 4], [4, -1, 4, -1, 4]])
    many = (signs(torch, 4, 5, dtype=dtype) + 1) / 2
    w = sample(torch, 5, dtype=dtype, low=0.1, seed=4)
    nn, result = torch.nn, {}
    for r in REDUCTIONS:
        for p in (1, 2):
            for weight in (None, w):
                multi = nn.MultiMarginLoss(p=p, margin=0.6, weight=weight, reduction=r)
                result[f"multi {r} {p} {weight is not None}"] = with_gradients(torch, lambda x, f=multi: f(x, t), x)
        one = nn.MultiMarginLoss(reduction=r)
        result[f"multi one {r}"] = with_gradients(torch, lambda x, f=one: f(x, t[0]), x[0])
        label = nn.MultiLabelMarginLoss(reduction=r)
        result[f"label {r}"] = with_gradients(torch, lambda x, f=label: f(x, lists), x)
        result[f"label one {r}"] = with_gradients(torch, lambda x, f=label: f(x, lists[0]), x[0])
        for weight in (None, w):
            soft = nn.MultiLabelSoftMarginLoss(weight, reduction=r)
            result[f"soft {r} {weight is not None}"] = with_gradients(torch, lambda x, f=soft: f(x, many), x)
    return result


@case
def margin_mistakes(torch):
    F, x = torch.nn.functional, sample(torch, 3, 4)
    return {
        "triplet margin": raises(lambda: torch.nn.TripletMarginLoss(margin=-1.0)),
        "triplet dims": raises(lambda: F.triplet_margin_loss(x, x, x[0])),
        "multi p": raises(lambda: torch.nn.MultiMarginLoss(p=3)),
        "multi target": raises(lambda: F.multi_margin_loss(x, torch.tensor([0, 1]))),
        "multi range": raises(lambda: F.multi_margin_loss(x, torch.tensor([0, 1, 4]))),
        "label shape": raises(lambda: F.multilabel_margin_loss(x, torch.zeros(3, 3, dtype=torch.int64))),
        "cosine": raises(lambda: F.cosine_embedding_loss(x, x, torch.ones(3, 4))),
        "ranking": raises(lambda: F.margin_ranking_loss(x, x, torch.ones(3))),
    }


@case
def texts(torch):
    nn = torch.nn
    return [
        str(module)
        for module in (
            nn.CrossEntropyLoss(weight=torch.ones(3), label_smoothing=0.1),
            nn.NLLLoss(),
            nn.BCEWithLogitsLoss(pos_weight=torch.ones(2)),
            nn.TripletMarginLoss(),
            nn.GaussianNLLLoss(),
            nn.MultiMarginLoss(),
        )
    ] + [list(nn.CrossEntropyLoss(weight=torch.ones(3)).state_dict())]
