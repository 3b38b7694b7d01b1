"""A little training framework written on top: matrix products by loops, an optimiser class, a Learner with callbacks."""
import math
import operator
from functools import partial
from types import SimpleNamespace
import torch
from torch import nn, tensor
import torch.nn.functional as F

torch.set_printoptions(precision=2, linewidth=125, sci_mode=False)
torch.manual_seed(42)


def matmul(a, b):
    (ar, ac), (br, bc) = a.shape, b.shape
    c = torch.zeros(ar, bc)
    for i in range(ar):
        for j in range(bc):
            c[i, j] = (a[i, :] * b[:, j]).sum()
    return c


def matmul_broadcast(a, b):
    c = torch.zeros(len(a), b.shape[1])
    for i in range(len(a)):
        c[i] = (a[i, :, None] * b).sum(dim=0)
    return c


m1, m2 = torch.randn(5, 8), torch.randn(8, 10)
t1 = matmul(m1, m2)
print(t1, t1.shape)
near = partial(torch.allclose, rtol=1e-3, atol=1e-4)
print(near(t1, m1 @ m2), near(matmul_broadcast(m1, m2), t1), near(torch.einsum("ik,kj->ij", m1, m2), t1))
c = tensor([10.0, 20, 30])
m = tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
t = c.expand_as(m)
print(t, t.storage_offset(), t.stride(), t.shape, m + c[:, None], c[None].shape, c[..., None] * c, c.unsqueeze(1) > c, sep="\n")


class Lin:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def __call__(self, inp):
        self.inp = inp
        self.out = inp @ self.w + self.b
        return self.out

    def backward(self):
        self.inp.g = self.out.g @ self.w.t()
        self.w.g = self.inp.t() @ self.out.g
        self.b.g = self.out.g.sum(0)


class Relu:
    def __call__(self, inp):
        self.inp, self.out = inp, inp.clamp_min(0.0)
        return self.out

    def backward(self):
        self.inp.g = (self.inp > 0).float() * self.out.g


class Mse:
    def __call__(self, inp, targ):
        self.inp, self.targ = inp, targ
        self.out = (inp.squeeze(-1) - targ).pow(2).mean()
        return self.out

    def backward(self):
        self.inp.g = 2.0 * (self.inp.squeeze(-1) - self.targ).unsqueeze(-1) / self.targ.shape[0]


x, y = torch.randn(20, 6), torch.randn(20)
w1, b1, w2, b2 = torch.randn(6, 7) / math.sqrt(6), torch.zeros(7), torch.randn(7, 1) / math.sqrt(7), torch.zeros(1)
layers, loss = [Lin(w1, b1), Relu(), Lin(w2, b2)], Mse()
h = x
for l in layers:
    h = l(h)
print(loss(h, y))
loss.backward()
for l in reversed(layers):
    l.backward()
copies = [p.clone().requires_grad_(True) for p in (w1, b1, w2, b2)]
F.mse_loss(((x @ copies[0] + copies[1]).relu() @ copies[2] + copies[3]).squeeze(-1), y).backward()
print([near(a.g, b.grad) for a, b in zip((w1, b1, w2, b2), copies)], w1.g[:2])


class Optimizer:
    def __init__(self, params, lr=0.5):
        self.params, self.lr = list(params), lr

    def step(self):
        with torch.no_grad():
            for p in self.params:
                p -= p.grad * self.lr

    def zero_grad(self):
        for p in self.params:
            p.grad.data.zero_()


class Callback:
    order = 0


class MetricsCB(Callback):
    def before_fit(self, learn):
        self.total, self.n = 0.0, 0

    def after_batch(self, learn):
        self.total += learn.loss.item() * len(learn.xb)
        self.n += len(learn.xb)

    def after_epoch(self, learn):
        print(SimpleNamespace(epoch=learn.epoch, train=learn.model.training, loss=round(self.total / self.n, 3)))
        self.before_fit(learn)


class Learner:
    def __init__(self, model, batches, loss_func, lr, cbs, opt_func=Optimizer):
        self.__dict__.update({k: v for k, v in locals().items() if k != "self"})

    def callback(self, name):
        for cb in sorted(self.cbs, key=operator.attrgetter("order")):
            method = getattr(cb, name, None)
            if method is not None:
                method(self)

    def fit(self, n_epochs):
        self.opt = self.opt_func(self.model.parameters(), self.lr)
        self.callback("before_fit")
        for self.epoch in range(n_epochs):
            self.model.train(True)
            for self.xb, self.yb in self.batches:
                self.preds = self.model(self.xb)
                self.loss = self.loss_func(self.preds, self.yb)
                self.loss.backward()
                self.opt.step()
                self.opt.zero_grad()
                self.callback("after_batch")
            self.callback("after_epoch")


class SGDOpt(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-2, decay=0.0):
        super().__init__(params, dict(lr=lr, decay=decay))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["avg"] = state.get("avg", torch.zeros_like(p)).lerp(p.grad, 0.1)
                p.mul_(1 - group["lr"] * group["decay"]).add_(state["avg"], alpha=-group["lr"])


target = (x.sum(1) > 0).long()
batches = list(zip(x.split(5), target.split(5)))
for opt_func in (Optimizer, SGDOpt, partial(SGDOpt, decay=0.1)):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 2))
    Learner(model, batches, F.cross_entropy, 0.3, [MetricsCB()], opt_func).fit(2)
print(SGDOpt(model.parameters()), (model(x).argmax(dim=1) == target).float().mean())
