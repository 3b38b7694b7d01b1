"""All losses: their messages, their texts, their names on the tape, and gradients that add up."""

from __future__ import annotations

from tests.parity.harness import case, message, sample
from tests.parity.losses import REDUCTIONS, pair, signs


@case
def messages(torch):
    """Show that programs which print their errors print the same."""
    F, x, half = torch.nn.functional, torch.zeros(3, 4), torch.full((3,), 0.5)
    t, pixels = torch.tensor([0, 1, 2]), torch.zeros(2, 4, 3)
    calls = [
        lambda: F.mse_loss(x, x, reduction="avg"),
        lambda: F.mse_loss(x, torch.zeros(3, 3)),
        lambda: F.mse_loss(t, t),
        lambda: F.mse_loss(x, x, weight=x[0]),
        lambda: F.mse_loss(x, 1.0),
        lambda: F.l1_loss(t, t),
        lambda: F.huber_loss(x, x, delta=0.0),
        lambda: F.smooth_l1_loss(x, x, beta=-1.0),
        lambda: F.cross_entropy(x, torch.tensor([0, 1, 4])),
        lambda: F.cross_entropy(x, torch.tensor([0, 1, -1])),
        lambda: F.cross_entropy(x, torch.tensor([0, 1])),
        lambda: F.cross_entropy(x, torch.tensor(1)),
        lambda: F.cross_entropy(x, t.reshape(3, 1)),
        lambda: F.cross_entropy(x, torch.zeros(3)),
        lambda: F.cross_entropy(x, t.int()),
        lambda: F.cross_entropy(x, x.long()),
        lambda: F.cross_entropy(x.long(), t),
        lambda: F.cross_entropy(pixels, torch.zeros(2, 4, dtype=torch.int64)),
        lambda: F.cross_entropy(pixels, torch.zeros(3, 3, dtype=torch.int64)),
        lambda: F.cross_entropy(x[0], torch.tensor([0, 1])),
        lambda: F.cross_entropy(x, t, weight=torch.ones(3)),
        lambda: F.cross_entropy(x, t, weight=torch.ones(4).double()),
        lambda: F.cross_entropy(x, t, label_smoothing=1.5),
        lambda: F.cross_entropy(x, x, ignore_index=1),
        lambda: F.cross_entropy(x, 1),
        lambda: F.nll_loss(x, torch.tensor([0, 1, 4])),
        lambda: F.nll_loss(x, torch.zeros(3)),
        lambda: F.binary_cross_entropy(half * 3, half),
        lambda: F.binary_cross_entropy(half, half * 3),
        lambda: F.binary_cross_entropy(half, half.unsqueeze(1)),
        lambda: F.binary_cross_entropy(half, half.double()),
        lambda: F.binary_cross_entropy(half, t),
        lambda: F.binary_cross_entropy_with_logits(half, half.unsqueeze(1)),
        lambda: F.binary_cross_entropy_with_logits(half, t),
        lambda: F.binary_cross_entropy_with_logits(t, half),
        lambda: F.kl_div(x, x.long()),
        lambda: F.gaussian_nll_loss(x, x, x - 1),
        lambda: F.gaussian_nll_loss(x, x, torch.ones(2)),
        lambda: F.margin_ranking_loss(x, x, half),
        lambda: F.cosine_embedding_loss(x, x[0], half),
        lambda: F.triplet_margin_loss(x, x, x[0]),
        lambda: F.triplet_margin_loss(x, x, x, margin=0),
        lambda: F.multi_margin_loss(x, torch.tensor([0, 1])),
        lambda: F.multi_margin_loss(x, t, p=3),
        lambda: F.multilabel_margin_loss(x, torch.zeros(3, 3, dtype=torch.int64)),
        lambda: torch.nn.TripletMarginLoss(margin=-1.0),
        lambda: torch.nn.MultiMarginLoss(weight=torch.ones(4, 1)),
    ]
    return [message(call, Exception) for call in calls]


@case
def texts(torch):
    """Return how the modules print, and the buffers they hold."""
    nn, three = torch.nn, torch.ones(3)
    modules = (
        nn.L1Loss(),
        nn.MSELoss(reduction="sum"),
        nn.SmoothL1Loss(beta=0.5),
        nn.HuberLoss(delta=2.0),
        nn.CrossEntropyLoss(weight=three, label_smoothing=0.1),
        nn.NLLLoss(three, ignore_index=2),
        nn.BCELoss(three),
        nn.BCEWithLogitsLoss(pos_weight=three),
        nn.KLDivLoss(reduction="batchmean", log_target=True),
        nn.PoissonNLLLoss(),
        nn.GaussianNLLLoss(),
        nn.MarginRankingLoss(0.5),
        nn.HingeEmbeddingLoss(),
        nn.SoftMarginLoss(),
        nn.CosineEmbeddingLoss(),
        nn.MultiMarginLoss(p=2, weight=three),
        nn.MultiLabelMarginLoss(),
        nn.MultiLabelSoftMarginLoss(three),
        nn.TripletMarginLoss(),
        nn.TripletMarginWithDistanceLoss(),
    )
    return {str(module): [list(module.state_dict()), module.reduction] for module in modules}


@case
def printed(torch):
    """Return how losses print, with the name of the node that made them."""
    F, result = torch.nn.functional, []
    x, y = pair(torch, (3, 4), "float32")
    p, t = torch.sigmoid(x), torch.tensor([0, 3, 1])
    sign, half = signs(torch, 3, 4), torch.full((3, 4), 0.5)
    image, pixels = sample(torch, 2, 4, 3, requires_grad=True), torch.zeros(2, 3, dtype=torch.int64)
    for r in REDUCTIONS:
        result += [
            F.mse_loss(x, y, reduction=r),
            F.l1_loss(x, y, reduction=r),
            F.smooth_l1_loss(x, y, reduction=r),
            F.smooth_l1_loss(x, y, reduction=r, beta=0.5),
            F.huber_loss(x, y, reduction=r),
            F.cross_entropy(x, t, reduction=r),
            F.cross_entropy(x[0], t[0], reduction=r),
            F.cross_entropy(image, pixels, reduction=r),
            F.nll_loss(x, t, reduction=r),
            F.binary_cross_entropy(p, half, reduction=r),
            F.binary_cross_entropy(p, half, half, reduction=r),
            F.binary_cross_entropy_with_logits(x, half, reduction=r),
            F.binary_cross_entropy_with_logits(x, half, half, reduction=r),
            F.kl_div(x, half, reduction=r),
            F.poisson_nll_loss(x, half, reduction=r),
            F.gaussian_nll_loss(x, half, half, reduction=r),
            F.margin_ranking_loss(x, y, sign, reduction=r),
            F.hinge_embedding_loss(x, sign, reduction=r),
            F.soft_margin_loss(x, sign, reduction=r),
            F.cosine_embedding_loss(x, y, sign[:, 0], reduction=r),
            F.multi_margin_loss(x, t, reduction=r),
            F.multilabel_margin_loss(x, t.reshape(3, 1).expand(3, 4), reduction=r),
            F.multilabel_soft_margin_loss(x, half, reduction=r),
            F.triplet_margin_loss(x, y, half, reduction=r),
        ]
    return [loss.grad_fn.name() for loss in result] + [str(result[0])]


@case
def backward_into_leaves(torch):
    """Show `.grad` after backward through modules, twice, as a training loop does."""
    x = sample(torch, 4, 3, requires_grad=True)
    for criterion, target in (
        (torch.nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5])), torch.tensor([0, 2, 1, 1])),
        (torch.nn.MSELoss(), torch.zeros(4, 3)),
        (torch.nn.BCEWithLogitsLoss(), torch.ones(4, 3)),
        (torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2.0, 3.0])), torch.ones(4, 3)),
    ):
        criterion(x, target).backward()
    return x.grad
