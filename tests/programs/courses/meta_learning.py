"""Learning to learn on sine waves: inner steps that are differentiated through, with functional parameters, and Reptile."""
import copy
import math
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(2021)


class Sine:
    def __init__(self):
        self.amplitude = torch.empty(1).uniform_(0.5, 2.0).item()
        self.phase = torch.rand(1).item() * math.pi

    def sample(self, n):
        x = torch.empty(n, 1).uniform_(-3, 3)
        return x, self.amplitude * torch.sin(x + self.phase)


def net(x, params):
    x = F.linear(x, params["w1"], params["b1"])
    x = torch.tanh(x)
    x = F.linear(x, params["w2"], params["b2"])
    return x


params = {"w1": torch.randn(10, 1) * 0.5, "b1": torch.zeros(10), "w2": torch.randn(1, 10) * 0.3, "b2": torch.zeros(1)}
params = {k: v.requires_grad_() for k, v in params.items()}
meta_opt = torch.optim.Adam(params.values(), lr=0.01)
for it in range(12):
    meta_loss = torch.zeros(())
    for _ in range(3):
        task = Sine()
        fast = dict(params)
        xs, ys = task.sample(8)
        for _ in range(2):
            inner = F.mse_loss(net(xs, fast), ys)
            grads = torch.autograd.grad(inner, fast.values(), create_graph=True)
            fast = {k: v - 0.1 * g for (k, v), g in zip(fast.items(), grads)}
        xq, yq = task.sample(8)
        meta_loss = meta_loss + F.mse_loss(net(xq, fast), yq)
    meta_opt.zero_grad()
    meta_loss.backward()
    meta_opt.step()
    if it % 4 == 3:
        print("iteration", it + 1, f"meta loss {meta_loss.item() / 3:.4f}", f"grad {params['w1'].grad.norm():.4f}")
print(params["w2"], fast["w2"].grad_fn is not None, fast["b1"].requires_grad)
first = torch.autograd.grad(F.mse_loss(net(xs, params), ys), list(params.values()))
hvp = torch.autograd.functional.hvp(lambda w: F.mse_loss(F.linear(torch.tanh(xs @ params["w1"].detach().T), w), ys), params["w2"].detach(), torch.ones(1, 10))
print([g.shape for g in first], hvp[1].shape, f"{hvp[0]:.4f}")

model = nn.Sequential(nn.Linear(1, 10), nn.Tanh(), nn.Linear(10, 1))
for outer in range(6):
    before = copy.deepcopy(model.state_dict())
    task = Sine()
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(4):
        x, y = task.sample(10)
        loss = F.mse_loss(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    after = model.state_dict()
    stepsize = 0.5 * (1 - outer / 6)
    model.load_state_dict({name: before[name] + (after[name] - before[name]) * stepsize for name in before})
    print(f"reptile {outer} loss {loss.item():.4f} w {model[2].weight.abs().mean():.4f}")
log_lr = torch.tensor(-2.0, requires_grad=True)
w = torch.tensor([1.0, -2.0], requires_grad=True)
for step in range(3):
    inner = ((w - 3) ** 2).sum()
    (g,) = torch.autograd.grad(inner, w, create_graph=True)
    w_new = w - log_lr.exp() * g
    outer_loss = ((w_new - 3) ** 2).sum()
    (lr_grad,) = torch.autograd.grad(outer_loss, log_lr)
    with torch.no_grad():
        log_lr -= 0.01 * lr_grad
        w.copy_(w_new)
    print(step, f"{outer_loss.item():.4f}", lr_grad, log_lr)
x = torch.linspace(-1, 1, 5, requires_grad=True)
J = torch.autograd.functional.jacobian(lambda v: torch.stack([v.sum(), v.prod(), v.norm()]), x.detach())
print(J)
rows = [torch.autograd.grad((x**3)[i], x, retain_graph=True)[0] for i in range(5)]
print(torch.stack(rows).diag())
