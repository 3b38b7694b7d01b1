"""Tables of every activation and its derivative, and of losses under every reduction."""
import torch
import torch.nn as nn
import torch.nn.functional as F

x = torch.tensor([-2.0, -1.0, -0.25, 0.0, 0.5, 1.0, 4.0])
modules = [nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(), nn.ELU(), nn.SELU(), nn.CELU(0.5), nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.Mish(), nn.Softplus(beta=2), nn.Softsign(), nn.Tanh(), nn.Sigmoid(), nn.LogSigmoid(), nn.Hardtanh(), nn.Hardsigmoid(), nn.Hardswish(), nn.Hardshrink(0.5), nn.Softshrink(), nn.Tanhshrink(), nn.Threshold(0.1, -1.0), nn.PReLU(init=0.1), nn.Identity()]
for m in modules:
    v = x.clone().requires_grad_(True)
    out = m(v)
    (g,) = torch.autograd.grad(out.sum(), v)
    print(f"{m}: {out} {g}")
for f in (F.relu, F.elu, F.gelu, F.silu, F.hardswish, F.softsign, torch.tanh, torch.sigmoid, torch.erf, F.mish, F.relu6):
    print(f.__name__, f(x))
print(nn.Softmax(dim=0)(x), nn.LogSoftmax(dim=0)(x), nn.Softmin(dim=0)(x), nn.GLU()(x[:6]), F.glu(x[:6].view(2, 3).T), torch.softmax(x.double(), 0))
torch.manual_seed(0)
pred = torch.randn(4, 3, requires_grad=True)
real = torch.randn(4, 3)
prob = torch.sigmoid(pred)
classes = torch.tensor([0, 2, 1, 2])
binary = torch.tensor([[1.0, 0, 1], [0, 0, 1], [1, 1, 0], [0, 1, 0]])
signs = binary * 2 - 1
pairs = [
    (nn.L1Loss, {}, pred, real), (nn.MSELoss, {}, pred, real), (nn.SmoothL1Loss, {"beta": 0.5}, pred, real), (nn.HuberLoss, {"delta": 1.5}, pred, real),
    (nn.CrossEntropyLoss, {}, pred, classes), (nn.CrossEntropyLoss, {"ignore_index": 2}, pred, classes), (nn.CrossEntropyLoss, {"label_smoothing": 0.2}, pred, classes),
    (nn.NLLLoss, {}, F.log_softmax(pred, 1), classes), (nn.BCELoss, {}, prob, binary), (nn.BCEWithLogitsLoss, {"pos_weight": torch.tensor([1.0, 2.0, 3.0])}, pred, binary),
    (nn.KLDivLoss, {}, F.log_softmax(pred, 1), F.softmax(real, 1)), (nn.PoissonNLLLoss, {}, pred, binary), (nn.SoftMarginLoss, {}, pred, signs), (nn.HingeEmbeddingLoss, {}, pred, signs),
    (nn.MultiLabelSoftMarginLoss, {}, pred, binary), (nn.MultiMarginLoss, {"p": 2}, pred, classes), (nn.MultiLabelMarginLoss, {}, pred, torch.tensor([[0, -1, 1], [2, 1, -1], [1, 2, 0], [-1, 0, 1]])),
]
for cls, kw, a, b in pairs:
    for reduction in ("mean", "sum", "none"):
        if cls is nn.KLDivLoss and reduction == "mean":
            reduction = "batchmean"
        out = cls(reduction=reduction, **kw)(a, b)
        (g,) = torch.autograd.grad(out.sum(), pred, retain_graph=True)
        print(cls.__name__, reduction, out, g[0])
print(F.mse_loss(pred, real), F.l1_loss(pred, real, reduction="sum"), F.binary_cross_entropy(prob, binary), F.cross_entropy(pred, F.softmax(real, 1)))
print(F.cross_entropy(torch.tensor([[1e4, -1e4], [-1e4, 1e4]]), torch.tensor([0, 0])), F.binary_cross_entropy(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 1.0])), F.binary_cross_entropy_with_logits(torch.tensor([1e4, -1e4]), torch.tensor([0.0, 0.0])))
print(F.triplet_margin_loss(pred, real, -real), F.cosine_embedding_loss(pred, real, torch.tensor([1, -1, 1, 1])), F.margin_ranking_loss(pred[:, 0], pred[:, 1], signs[:, 0]), F.gaussian_nll_loss(pred, real, prob))
