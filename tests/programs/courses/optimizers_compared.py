"""Every optimiser on Rosenbrock's valley and on a small network; print(optimizer); weight decay; parameter groups."""
import copy
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

torch.manual_seed(10)


def rosenbrock(xy):
    x, y = xy
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def run(name, make, steps=30):
    xy = torch.tensor([-1.5, 2.0], requires_grad=True)
    opt = make([xy])
    path = []
    for _ in range(steps):
        opt.zero_grad()
        loss = rosenbrock(xy)
        loss.backward()
        nn.utils.clip_grad_norm_([xy], 1.0)
        opt.step()
        path.append(xy.detach().clone())
    print(f"{name:>12}: end {path[-1]} loss {rosenbrock(path[-1]).item():.5f}")


makers = {
    "SGD": lambda p: optim.SGD(p, lr=1e-2),
    "Momentum": lambda p: optim.SGD(p, lr=1e-2, momentum=0.9),
    "Nesterov": lambda p: optim.SGD(p, lr=1e-2, momentum=0.9, nesterov=True),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, lr=1e-2),
    "Adadelta": lambda p: optim.Adadelta(p, lr=1.0),
    "Adam": lambda p: optim.Adam(p, lr=0.05),
    "AMSGrad": lambda p: optim.Adam(p, lr=0.05, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.05, weight_decay=0.1),
    "Adamax": lambda p: optim.Adamax(p, lr=0.05),
    "NAdam": lambda p: optim.NAdam(p, lr=0.05),
    "RAdam": lambda p: optim.RAdam(p, lr=0.05),
    "ASGD": lambda p: optim.ASGD(p, lr=1e-2),
    "Rprop": lambda p: optim.Rprop(p, lr=1e-2),
}
for name, make in makers.items():
    run(name, make)
lbfgs_xy = torch.tensor([-1.5, 2.0], dtype=torch.float64, requires_grad=True)
lbfgs = optim.LBFGS([lbfgs_xy], lr=1, history_size=10, max_iter=4, line_search_fn="strong_wolfe")


def closure():
    lbfgs.zero_grad()
    objective = rosenbrock(lbfgs_xy)
    objective.backward()
    return objective


for i in range(10):
    l = lbfgs.step(closure)
    if i % 3 == 0:
        print("LBFGS", i, f"{l.item():.6f}", lbfgs_xy.data)

x = torch.unsqueeze(torch.linspace(-1, 1, 200), dim=1)
y = x.pow(2) + 0.1 * torch.randn(x.size())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(1, 20)
        self.predict = nn.Linear(20, 1)

    def forward(self, x):
        return self.predict(F.relu(self.hidden(x)))


base = Net()
for cls, kw in [(optim.SGD, {"lr": 0.1}), (optim.SGD, {"lr": 0.1, "momentum": 0.8}), (optim.RMSprop, {"lr": 0.01, "alpha": 0.9}), (optim.Adam, {"lr": 0.01, "betas": (0.9, 0.99)})]:
    net = copy.deepcopy(base)
    opt = cls(net.parameters(), **kw)
    for epoch in range(20):
        loss = F.mse_loss(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(cls.__name__, kw, f"{loss.item():.5f}")
    print(opt)
net = Net()
opt = optim.SGD([{"params": net.hidden.parameters()}, {"params": net.predict.parameters(), "lr": 1e-3, "weight_decay": 0.1}], lr=1e-2, momentum=0.9)
print(opt, len(opt.param_groups), [g["lr"] for g in opt.param_groups])
opt.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 5})
for g in opt.param_groups:
    g["lr"] *= 0.5
print([(g["lr"], len(g["params"])) for g in opt.param_groups], opt.state_dict()["param_groups"][1])
F.mse_loss(net(x), y).backward()
opt.step()
print({k: list(v.keys()) for k, v in opt.state_dict()["state"].items()}, opt.defaults)
adam = optim.Adam(net.parameters())
adam.step()
print(adam.state_dict()["state"][1]["step"], adam.state[net.hidden.bias]["exp_avg"][:4], adam.state_dict()["param_groups"])
