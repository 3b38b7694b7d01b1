"""Learning-rate schedules in training loops, plateau, warm-up and cycles, and their printed state."""
import math
import warnings
import torch
from torch import nn
from torch.optim import SGD, Adam, lr_scheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

torch.manual_seed(3)
X, Y = torch.randn(64, 3), torch.randn(64, 1)


class SquareRootScheduler:
    def __init__(self, lr=0.1):
        self.lr = lr

    def __call__(self, num_update):
        return self.lr * pow(num_update + 1.0, -0.5)


class WarmupCosine(lr_scheduler.LambdaLR):
    def __init__(self, optimizer, warmup, total):
        def fn(step):
            if step < warmup:
                return float(step) / max(1, warmup)
            return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))

        super().__init__(optimizer, fn)


def train(make, steps=12, **kw):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    opt = SGD(model.parameters(), lr=0.1, **kw)
    sched = make(opt)
    history = []
    for epoch in range(steps):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(X), Y)
        loss.backward()
        opt.step()
        history.append(opt.param_groups[0]["lr"])
        if isinstance(sched, ReduceLROnPlateau):
            sched.step(loss)
        else:
            sched.step()
    return type(sched).__name__, ["%.5f" % h for h in history], "%.4f" % loss.item()


for make in (
    lambda o: StepLR(o, step_size=4, gamma=0.5),
    lambda o: lr_scheduler.MultiStepLR(o, milestones=[3, 8], gamma=0.1),
    lambda o: lr_scheduler.ExponentialLR(o, gamma=0.8),
    lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=6, eta_min=0.01),
    lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2),
    lambda o: lr_scheduler.CyclicLR(o, base_lr=0.01, max_lr=0.1, step_size_up=3, cycle_momentum=False),
    lambda o: lr_scheduler.PolynomialLR(o, total_iters=10, power=2.0),
    lambda o: lr_scheduler.LinearLR(o, start_factor=0.25, total_iters=5),
    lambda o: lr_scheduler.ConstantLR(o, factor=0.5, total_iters=4),
    lambda o: lr_scheduler.LambdaLR(o, lr_lambda=lambda e: 0.9**e),
    lambda o: lr_scheduler.MultiplicativeLR(o, lr_lambda=lambda e: 0.95),
    lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.5, total_steps=13),
    lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(o, 0.1, 2), lr_scheduler.ExponentialLR(o, 0.9)]),
    lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.LinearLR(o, 0.1, total_iters=3), lr_scheduler.CosineAnnealingLR(o, 8)], milestones=[3]),
    lambda o: ReduceLROnPlateau(o, mode="min", factor=0.5, patience=1, threshold=1e-2),
    lambda o: WarmupCosine(o, 4, 12),
):
    print(*train(make))
print(*train(lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.5, steps_per_epoch=4, epochs=4, pct_start=0.4), momentum=0.9))
schedule = SquareRootScheduler(lr=0.1)
print([round(schedule(t), 4) for t in range(8)])
model = nn.Linear(3, 1)
opt = Adam(model.parameters(), lr=0.01)
sched = StepLR(opt, 2)
print(sched.state_dict(), sched.get_last_lr(), sched.last_epoch)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    sched.step()
print([str(w.message).split(".")[0] for w in caught])
state = sched.state_dict()
other = StepLR(Adam(model.parameters(), lr=0.01), 2)
other.load_state_dict(state)
print(other.last_epoch, other.gamma, opt.param_groups[0]["initial_lr"])
plateau = ReduceLROnPlateau(opt, "max", patience=0, cooldown=1, min_lr=1e-4)
for metric in (0.5, 0.6, 0.6, 0.6, 0.6, 0.7):
    plateau.step(metric)
    print(metric, f"{opt.param_groups[0]['lr']:.6f}", plateau.num_bad_epochs, plateau.best)
