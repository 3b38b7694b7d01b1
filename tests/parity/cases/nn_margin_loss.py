"""Losses with a margin: values, gradients, reductions and mistakes."""

from __future__ import annotations

from tests.parity.harness import DTYPES, case, raises, sample, with_gradients
from tests.parity.losses import REDUCTIONS, SHAPES, over, pair, signs


@case(params=DTYPES)
def soft_margin(torch, dtype):
    cls, inputs = (
        torch.nn.SoftMarginLoss,
        lambda shape: (pair(torch, shape, dtype)[0], signs(torch, *shape, dtype=dtype)),
    )
    return {**over(torch, lambda r: cls(reduction=r), SHAPES, inputs), "text": str(cls())}


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
        "cosine dims": raises(lambda: F.cosine_embedding_loss(x, x[0], torch.ones(3))),
        "soft shape": raises(lambda: F.soft_margin_loss(x[0], torch.ones(2, 4))),
        "hinge shape": raises(lambda: F.hinge_embedding_loss(x, torch.ones(3))),
        "multi weight": raises(lambda: F.multi_margin_loss(x, torch.tensor([0, 1, 2]), weight=torch.ones(3))),
        "multi weight dims": raises(lambda: torch.nn.MultiMarginLoss(weight=torch.ones(4, 1))),
        "multi dims": raises(lambda: F.multi_margin_loss(sample(torch, 2, 3, 4), torch.tensor([0, 1]))),
        "multi floats": raises(lambda: F.multi_margin_loss(x, torch.tensor([0.0, 1.0, 2.0]))),
        "label range": raises(lambda: F.multilabel_margin_loss(x[0], torch.tensor([0, 4, -1, -1]))),
        "label soft scalar": raises(lambda: F.multilabel_soft_margin_loss(torch.tensor(1.0), torch.tensor(1.0))),
        "label soft shape": raises(lambda: F.multilabel_soft_margin_loss(x, torch.ones(3))),
        "distance margin": raises(lambda: torch.nn.TripletMarginWithDistanceLoss(margin=0.0)),
        "distance dims": raises(lambda: F.triplet_margin_with_distance_loss(x, x, x[0])),
        "distance reduction": raises(lambda: F.triplet_margin_with_distance_loss(x, x, x, reduction="avg")),
        "reductions": [
            raises(lambda f=f: f(x, x, reduction="avg"))
            for f in (
                F.hinge_embedding_loss,
                F.soft_margin_loss,
                F.multilabel_soft_margin_loss,
                F.multilabel_margin_loss,
            )
        ],
        "no tensor": [raises(lambda f=f: f(x, 1.0)) for f in (F.hinge_embedding_loss, F.soft_margin_loss)],
    }


@case(params=DTYPES)
def margins_that_are_kept_exactly(torch, dtype):
    x = torch.tensor([[1.0, 1.0, -0.5, 0.0], [2.0, 1.0, 0.5, 1.5]], dtype=getattr(torch, dtype), requires_grad=True)
    f, labels = torch.nn.functional, torch.tensor([[0, 3, -1, 0], [0, -1, 0, 0]])
    return {
        "one": with_gradients(torch, lambda x: f.multi_margin_loss(x, torch.tensor([0, 0]), reduction="none"), x),
        "several": with_gradients(torch, lambda x: f.multilabel_margin_loss(x, labels, reduction="none"), x),
    }
