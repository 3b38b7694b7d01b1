"""Every loss: values, gradients, reductions, shapes, extremes and mistakes."""

from __future__ import annotations

from tests.parity.harness import DTYPES, case, raises, sample, with_gradients
from tests.parity.losses import REDUCTIONS, SHAPES, over, pair, signs, twice, value_or_error

ELEMENTWISE = {
    "L1Loss": {},
    "MSELoss": {},
    "SmoothL1Loss": {},
    "SmoothL1Loss beta": {"beta": 0.4},
    "SmoothL1Loss zero": {"beta": 0.0},
    "HuberLoss": {},
    "HuberLoss delta": {"delta": 0.7},
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


@case
def one_number_of_another_dtype(torch):
    """Compare with a single number, whose dtype counts: it is no scalar here."""
    one, many = torch.tensor(1.5, dtype=torch.float64), sample(torch, 3)
    F = torch.nn.functional
    pairs = ((one, many), (many, one))
    return [f(a, b) for f in (F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss) for a, b in pairs]


@case(params=DTYPES)
def weighted_regression(torch, dtype):
    a, b = pair(torch, (3, 4), dtype)
    w = sample(torch, 3, 4, dtype=dtype, low=0.1, seed=2)
    F = torch.nn.functional
    return [
        with_gradients(torch, lambda x, y, f=f, r=r: f(x, y, reduction=r, weight=w), a, b)
        for f in (F.mse_loss, F.l1_loss, F.huber_loss)
        for r in REDUCTIONS
    ]


KINKS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)


@case(params=DTYPES)
def corners(torch, dtype):
    """Show the derivatives that are chosen where there is none."""
    x = torch.tensor(KINKS, dtype=getattr(torch, dtype), requires_grad=True)
    zero, one, F = torch.zeros_like(x), torch.ones_like(x), torch.nn.functional
    return [
        with_gradients(torch, lambda x, f=f: f(x, zero, reduction="none"), x)
        for f in (F.l1_loss, F.smooth_l1_loss, F.huber_loss)
    ] + [
        with_gradients(torch, lambda x: F.hinge_embedding_loss(x, -one, reduction="none"), x),
        with_gradients(torch, lambda x: F.margin_ranking_loss(x, zero, one, margin=1.0, reduction="none"), x),
        with_gradients(torch, lambda x: F.smooth_l1_loss(x, zero, beta=0.5, reduction="none"), x),
    ]


MIXED = [("float32", "float64"), ("float64", "float32"), ("float32", "int64"), ("int64", "float32"), ("int64", "int64")]


@case(params=MIXED, rtol=1e-6)
def mixed_dtypes(torch, one, other):
    F, result = torch.nn.functional, {}
    a, b = (torch.tensor([[1.0, 0.0], [0.0, 1.0]]).to(getattr(torch, name)) for name in (one, other))
    for name in ("mse", "l1", "smooth_l1", "huber", "poisson_nll", "soft_margin"):
        result[name] = value_or_error(getattr(F, f"{name}_loss"), a, b)
    for f in (F.binary_cross_entropy, F.binary_cross_entropy_with_logits, F.kl_div):
        result[f.__name__] = value_or_error(f, a, b)
    return result


@case
def old_arguments(torch):
    """Show that size_average and reduce stand where they stood, and what they mean."""
    F, nn = torch.nn.functional, torch.nn
    a, b, t = sample(torch, 3, 4), sample(torch, 3, 4, seed=1), torch.tensor([0, 3, 1])
    p, sign = sample(torch, 3, 4, low=0.1, high=0.9), signs(torch, 3, 4)
    result = {}
    for average in (None, True, False):
        for reduce in (None, True, False):
            result[f"{average} {reduce}"] = [
                F.mse_loss(a, b, average, reduce),
                F.l1_loss(a, b, average, reduce),
                F.smooth_l1_loss(a, b, average, reduce),
                F.cross_entropy(a, t, None, average, 3, reduce),
                F.nll_loss(a, t, None, average, 3, reduce),
                F.binary_cross_entropy(p, p, None, average, reduce),
                F.binary_cross_entropy_with_logits(a, p, None, average, reduce),
                F.kl_div(a, p, average, reduce),
                F.poisson_nll_loss(a, p, True, False, average, 1e-8, reduce),
                F.margin_ranking_loss(a, b, sign, 0.5, average, reduce),
                F.hinge_embedding_loss(a, sign, 0.5, average, reduce),
                F.soft_margin_loss(a, sign, average, reduce),
                F.cosine_embedding_loss(a, b, sign[:, 0], 0.1, average, reduce),
                F.triplet_margin_loss(a, b, p, 1.0, 2, 1e-6, False, average, reduce),
                F.multi_margin_loss(a, t, 1, 0.5, None, average, reduce),
                F.multilabel_margin_loss(a, t.reshape(3, 1).expand(3, 4), average, reduce),
                F.multilabel_soft_margin_loss(a, p, None, average, reduce),
                nn.MSELoss(average, reduce).reduction,
                nn.CrossEntropyLoss(None, average, 2, reduce)(a, t),
                nn.BCEWithLogitsLoss(None, average, reduce)(a, p),
            ]
    return {**result, "elementwise": F.mse_loss(a, b, reduction="elementwise_mean")}


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
    x, y = pair(torch, (3, 4), dtype)
    w = sample(torch, 4, dtype=dtype, low=0.2, seed=3)
    t, F = torch.tensor([0, 3, 1]), torch.nn.functional
    return {
        "plain": twice(torch, F.cross_entropy(x, t), x),
        "sum": twice(torch, F.cross_entropy(x, t, reduction="sum"), x),
        "each": twice(torch, (F.cross_entropy(x, t, reduction="none") ** 2).sum(), x),
        "all": twice(torch, F.cross_entropy(x, t, weight=w, label_smoothing=0.1, ignore_index=3), x),
        "likelihood": twice(torch, F.nll_loss(x.log_softmax(1), t, weight=w), x),
        "probabilities": twice(torch, F.cross_entropy(x, y.softmax(1), weight=w), x, y),
    }


@case(params=DTYPES, rtol={"float64": 1e-9, "float32": 1e-5})
def others_twice(torch, dtype):
    (x, y), F = pair(torch, (3, 4), dtype), torch.nn.functional
    p = sample(torch, 3, 4, dtype=dtype, low=0.1, high=0.9, seed=2, requires_grad=True)
    t = sample(torch, 3, 4, dtype=dtype, low=0.1, high=0.9, seed=3)
    w, sign = sample(torch, 4, dtype=dtype, low=0.5, seed=4), signs(torch, 3, 4, dtype=dtype)
    return {
        "mse": twice(torch, F.mse_loss(x, y), x, y),
        "mse each": twice(torch, (F.mse_loss(x, y, reduction="none") ** 2).sum(), x, y),
        "huber": twice(torch, F.huber_loss(x, y, delta=1.3), x, y),
        "smooth": twice(torch, F.smooth_l1_loss(x, y, beta=0.7, reduction="sum"), x, y),
        "bce": twice(torch, F.binary_cross_entropy(p, t), p),
        "logits": twice(torch, F.binary_cross_entropy_with_logits(x, t), x),
        "positive": twice(torch, F.binary_cross_entropy_with_logits(x, t, w, pos_weight=w), x),
        "kl": twice(torch, F.kl_div(x, p, reduction="batchmean"), x, p),
        "poisson": twice(torch, F.poisson_nll_loss(x, t), x),
        "gauss": twice(torch, F.gaussian_nll_loss(x, y, p), x, y, p),
        "soft": twice(torch, F.soft_margin_loss(x, sign), x),
        "cosine": twice(torch, F.cosine_embedding_loss(x, y, sign[:, 0], margin=-0.9), x, y),
        "triplet": twice(torch, F.triplet_margin_loss(x, y, p), x, y, p),
        "labels": twice(torch, F.multilabel_soft_margin_loss(x, t), x),
    }


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
        "one hot": raises(lambda: F.cross_entropy(x, torch.ones(3, 4, dtype=torch.int64))),
        "scalar target": raises(lambda: F.cross_entropy(x, torch.tensor(1))),
        "scalar": raises(lambda: F.cross_entropy(torch.tensor(1.0), torch.tensor(0.5))),
        "scalar classes": raises(lambda: F.cross_entropy(torch.tensor(1.0), torch.tensor(0))),
        "nll scalar": raises(lambda: F.nll_loss(torch.tensor(1.0), torch.tensor(0))),
        "batch of images": raises(
            lambda: F.cross_entropy(sample(torch, 2, 3, 4), torch.zeros(2, 3, dtype=torch.int64))
        ),
        "whole logits": raises(lambda: F.cross_entropy(torch.ones(2, 3, dtype=torch.int64), torch.tensor([0, 1]))),
        "weight dtype": raises(lambda: F.cross_entropy(x, torch.tensor([0, 1, 2]), weight=torch.ones(4).double())),
        "nll out of range": raises(lambda: F.nll_loss(x, torch.tensor([0, 1, 9]))),
        "nll floats": raises(lambda: F.nll_loss(x, torch.tensor([0.0, 1.0, 2.0]))),
        "no tensor": [raises(lambda f=f: f(x, 1)) for f in (F.cross_entropy, F.nll_loss, F.mse_loss, F.l1_loss)],
        "no tensors": [raises(lambda f=f: f(None, x)) for f in (F.cross_entropy, F.mse_loss, F.huber_loss, F.kl_div)],
        "mse whole": raises(lambda: F.mse_loss(torch.tensor([1]), torch.tensor([2]))),
        "l1 whole": raises(lambda: F.l1_loss(torch.tensor([1]), torch.tensor([2]))),
        "mse weight": raises(lambda: F.mse_loss(x, x, weight=torch.ones(4))),
        "l1 weight": raises(lambda: F.l1_loss(x, x, weight=torch.ones(3, 1))),
        "huber weight": raises(lambda: F.huber_loss(x, x, weight=torch.ones(3))),
        "huber delta": raises(lambda: torch.nn.HuberLoss(delta=1j)),
        "kl whole": raises(lambda: F.kl_div(x, torch.ones(3, 4, dtype=torch.int64))),
        "kl shapes": raises(lambda: F.kl_div(x, torch.ones(3, 3))),
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
        "logits whole": raises(lambda: F.binary_cross_entropy_with_logits(half, torch.tensor([0, 1, 1]))),
        "whole logits": raises(lambda: F.binary_cross_entropy_with_logits(torch.tensor([0, 1, 1]), half)),
        "doubles": raises(lambda: F.binary_cross_entropy(half, half.double())),
        "weight": raises(lambda: F.binary_cross_entropy(half, half, weight=torch.ones(2))),
        "logits weight": raises(lambda: F.binary_cross_entropy_with_logits(half, half, weight=torch.ones(2, 3))),
        "positive": raises(lambda: F.binary_cross_entropy_with_logits(half, half, pos_weight=torch.ones(2, 3))),
        "no tensor": raises(lambda: F.binary_cross_entropy(half, 1.0)),
        "logits no tensor": raises(lambda: F.binary_cross_entropy_with_logits(half, 1.0)),
        "reduction": raises(lambda: F.binary_cross_entropy(half, half, reduction="avg")),
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
        result[f"{r} log"] = with_gradients(
            torch, torch.nn.KLDivLoss(reduction=r, log_target=True), x, t.log().detach()
        )
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
