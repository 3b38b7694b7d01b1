"""Physics-informed networks: u' = -u, the harmonic oscillator, and the heat equation's residual by nested gradients."""
import math
import torch
import torch.nn as nn

torch.manual_seed(123)


class FCN(nn.Module):
    def __init__(self, n_input, n_output, n_hidden, n_layers):
        super().__init__()
        activation = nn.Tanh
        self.fcs = nn.Sequential(*[nn.Linear(n_input, n_hidden), activation()])
        self.fch = nn.Sequential(*[nn.Sequential(*[nn.Linear(n_hidden, n_hidden), activation()]) for _ in range(n_layers - 1)])
        self.fce = nn.Linear(n_hidden, n_output)

    def forward(self, x):
        return self.fce(self.fch(self.fcs(x)))


def gradient(u, x):
    return torch.autograd.grad(u, x, grad_outputs=torch.ones_like(u), create_graph=True)[0]


pinn = FCN(1, 1, 16, 3)
print(pinn)
t_boundary = torch.tensor(0.0).view(-1, 1).requires_grad_(True)
t_physics = torch.linspace(0, 1, 15).view(-1, 1).requires_grad_(True)
d, w0 = 2.0, 6.0
mu, k = 2 * d, w0**2
optimiser = torch.optim.Adam(pinn.parameters(), lr=1e-3)
for i in range(41):
    optimiser.zero_grad()
    lambda1, lambda2 = 1e-1, 1e-4
    u = pinn(t_boundary)
    loss1 = (torch.squeeze(u) - 1) ** 2
    dudt = gradient(u, t_boundary)
    loss2 = (torch.squeeze(dudt) - 0) ** 2
    u = pinn(t_physics)
    dudt = gradient(u, t_physics)
    d2udt2 = gradient(dudt, t_physics)
    loss3 = torch.mean((d2udt2 + mu * dudt + k * u) ** 2)
    loss = loss1 + lambda1 * loss2 + lambda2 * loss3
    loss.backward()
    optimiser.step()
    if i % 10 == 0:
        print(i, f"{loss.item():.6f} {loss1.item():.6f} {loss2.item():.6f} {loss3.item():.4f}")
print(pinn(t_physics[:3]).detach(), dudt[:3])

net = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1)).double()
for m in net:
    if isinstance(m, nn.Linear):
        nn.init.xavier_normal_(m.weight)
        nn.init.zeros_(m.bias)
xt = torch.rand(30, 2, dtype=torch.float64)
x = xt[:, 0:1].clone().requires_grad_()
t = xt[:, 1:2].clone().requires_grad_()


def residual(x, t):
    u = net(torch.cat([x, t], dim=1))
    u_t = gradient(u, t)
    u_x = gradient(u, x)
    u_xx = gradient(u_x, x)
    return u_t - 0.1 * u_xx, u, u_xx


opt = torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=10, history_size=8, line_search_fn="strong_wolfe", tolerance_grad=1e-9)
x0 = torch.linspace(0, 1, 11, dtype=torch.float64).unsqueeze(1)
calls = 0


def closure():
    global calls
    calls += 1
    opt.zero_grad()
    f, _, _ = residual(x, t)
    u0 = net(torch.hstack([x0, torch.zeros_like(x0)]))
    loss = f.pow(2).mean() + (u0 - torch.sin(math.pi * x0)).pow(2).mean()
    loss.backward()
    return loss


for step in range(3):
    loss = opt.step(closure)
    print("lbfgs", step, f"{loss.item():.5f}", calls)
f, u, u_xx = residual(x, t)
print(f"{f.abs().mean().item():.3f}", u.shape, u_xx.shape, u_xx.requires_grad)
y = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
value = torch.sin(y) * torch.exp(-y)
for order in range(1, 6):
    (value,) = torch.autograd.grad(value, y, create_graph=True)
    print(order, value.item())
z = torch.randn(3, dtype=torch.float64, requires_grad=True)
H = torch.autograd.functional.hessian(lambda v: net(v[:2].unsqueeze(0)).squeeze() * v[2] ** 2, z)
print(H.shape, torch.allclose(H, H.T), torch.linalg.eigvalsh(H).shape)
lap = torch.stack([torch.autograd.grad(g, z, retain_graph=True)[0][i] for i, g in enumerate(torch.autograd.grad((z**4).sum(), z, create_graph=True)[0])]).sum()
print(torch.allclose(lap, (12 * z**2).sum()))
