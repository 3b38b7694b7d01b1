"""Batch normalisation written by hand against nn.BatchNorm1d: outputs, running statistics and gradients."""
import torch
from torch import nn

torch.manual_seed(2)


def batch_norm(X, gamma, beta, moving_mean, moving_var, eps, momentum):
    if not torch.is_grad_enabled():
        X_hat = (X - moving_mean) / torch.sqrt(moving_var + eps)
    else:
        assert len(X.shape) in (2, 4)
        mean = X.mean(dim=0)
        var = ((X - mean) ** 2).mean(dim=0)
        X_hat = (X - mean) / torch.sqrt(var + eps)
        n = X.shape[0]
        moving_mean = momentum * mean + (1.0 - momentum) * moving_mean
        moving_var = momentum * var * n / (n - 1) + (1.0 - momentum) * moving_var
    return gamma * X_hat + beta, moving_mean.data, moving_var.data


class BatchNorm(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1, num_features))
        self.beta = nn.Parameter(torch.zeros(1, num_features))
        self.moving_mean = torch.zeros(1, num_features)
        self.moving_var = torch.ones(1, num_features)

    def forward(self, X):
        Y, self.moving_mean, self.moving_var = batch_norm(X, self.gamma, self.beta, self.moving_mean, self.moving_var, eps=1e-5, momentum=0.1)
        return Y


mine, theirs = BatchNorm(4), nn.BatchNorm1d(4)
print(mine, theirs)
x = torch.randn(6, 4) * torch.tensor([1.0, 5.0, 0.1, 2.0]) + 3
x1, x2 = x.clone().requires_grad_(True), x.clone().requires_grad_(True)
y1, y2 = mine(x1), theirs(x2)
print(y2, torch.allclose(y1, y2, atol=1e-5))
weights = torch.randn(6, 4)
(y1 * weights).sum().backward()
(y2 * weights).sum().backward()
print(torch.allclose(x1.grad, x2.grad, atol=1e-3), x2.grad, theirs.weight.grad, theirs.bias.grad)
print(theirs.running_mean, theirs.running_var, theirs.num_batches_tracked)
print(mine.moving_mean, mine.moving_var)
for _ in range(20):
    theirs(x + torch.randn_like(x))
theirs.eval()
with torch.no_grad():
    print(theirs(x[:2]), theirs.state_dict())
for kw in ({"affine": False}, {"track_running_stats": False}, {"momentum": None}):
    bn = nn.BatchNorm1d(4, **kw)
    bn(x), bn(x + 1)
    print(bn, bn.running_mean, [n for n, _ in bn.named_parameters()])
net = nn.Sequential(nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8), nn.Sigmoid(), nn.Linear(8, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.5)
target = torch.tensor([0, 1, 0, 1, 0, 1])
for step in range(8):
    loss = nn.functional.cross_entropy(net(x), target)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(step, f"{loss:.5f}", net[1].weight.grad.norm())
try:
    net(x[:1])
except ValueError as e:
    print("ValueError:", e)
print(net.eval()(x[:1]))
ln, rms, gn = nn.LayerNorm(4), nn.RMSNorm(4), nn.GroupNorm(2, 4)
print(ln(x)[:2], rms(x)[:2], gn(x)[:2], ln, rms, gn, sep="\n")
seq = torch.randn(2, 4, 3)
print(nn.BatchNorm1d(4)(seq), nn.InstanceNorm1d(4)(seq).mean(-1).abs() < 1e-6)
