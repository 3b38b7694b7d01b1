"""Residual blocks, highway layers, maxout, learnable activations, a mixture of experts, and a set network."""
import torch
from torch import nn
from torch.nn import Parameter
import torch.nn.functional as F

torch.manual_seed(55)


class ResidualBlock(nn.Module):
    expansion: int = 2

    def __init__(self, dim: int, *, dropout: float = 0.1, norm=nn.LayerNorm):
        super().__init__()
        self.norm = norm(dim)
        self.fn = nn.Sequential(nn.Linear(dim, dim * self.expansion), nn.SiLU(), nn.Dropout(dropout), nn.Linear(dim * self.expansion, dim))

    def forward(self, x):
        return x + self.fn(self.norm(x))


class Highway(nn.Module):
    def __init__(self, dim, bias=-2.0):
        super().__init__()
        self.H, self.T = nn.Linear(dim, dim), nn.Linear(dim, dim)
        nn.init.constant_(self.T.bias, bias)

    def forward(self, x):
        t = torch.sigmoid(self.T(x))
        return t * F.relu(self.H(x)) + (1 - t) * x


class Maxout(nn.Module):
    def __init__(self, d_in, d_out, pieces=3):
        super().__init__()
        self.lin, self.d_out, self.pieces = nn.Linear(d_in, d_out * pieces), d_out, pieces

    def forward(self, x):
        return self.lin(x).view(*x.shape[:-1], self.d_out, self.pieces).max(dim=-1).values


class Swish(nn.Module):
    def __init__(self, beta=1.0):
        super().__init__()
        self.beta = Parameter(torch.tensor(beta))

    def forward(self, x):
        return x * torch.sigmoid(self.beta * x)


class MoE(nn.Module):
    def __init__(self, dim, n_experts, top_k=2):
        super().__init__()
        self.gate = nn.Linear(dim, n_experts)
        self.experts = nn.ModuleList([nn.Sequential(nn.Linear(dim, dim), Swish()) for _ in range(n_experts)])
        self.top_k = top_k

    def forward(self, x):
        weights, chosen = torch.topk(self.gate(x), self.top_k)
        weights = F.softmax(weights, dim=-1)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            row, nth = torch.where(chosen == i)
            out[row] += weights[row, nth, None] * expert(x[row])
        return out


class DeepSet(nn.Module):
    def __init__(self):
        super().__init__()
        self.phi, self.rho = nn.Linear(2, 8), nn.Linear(8, 1)

    def forward(self, x, mask):
        h = torch.relu(self.phi(x)).masked_fill(~mask.unsqueeze(-1), 0.0)
        return self.rho(h.sum(1) / mask.sum(1, keepdim=True))


class Model(nn.Module):
    def __init__(self, dim=6):
        super().__init__()
        self.stem = Maxout(3, dim)
        self.blocks = nn.Sequential(*[ResidualBlock(dim, dropout=0.0, norm=n) for n in (nn.LayerNorm, nn.RMSNorm)])
        self.highway, self.moe = Highway(dim), MoE(dim, 3)
        self.act = nn.ModuleDict([["prelu", nn.PReLU(dim)], ["swish", Swish(0.5)]])
        self.out = nn.Linear(dim, 1)
        self.register_parameter("scale", Parameter(torch.ones(1)))
        self.register_parameter("nothing", None)

    def forward(self, x):
        x = self.blocks(self.stem(x))
        x = self.act["swish"](self.act["prelu"](self.highway(x)))
        return self.out(self.moe(x)) * self.scale


model = Model()
print(model)
for name, p in model.named_parameters():
    print(f"{name:32s} {str(list(p.shape)):10s} {p.numel():4d} {p.float().mean().item():+.4f}")
x = torch.randn(24, 3)
y = (x[:, :1] * x[:, 1:2]).tanh()
opt = torch.optim.AdamW(model.parameters(), lr=0.02, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.05)
for i in range(25):
    loss = F.smooth_l1_loss(model(x), y)
    opt.zero_grad()
    loss.backward()
    gn = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    if i % 8 == 0:
        print(i, f"{loss.item():.5f}", f"{gn.item():.5f}")
print(model.act["swish"].beta, model.act["prelu"].weight, model.scale)
ds = DeepSet()
points = torch.randn(2, 4, 2)
mask = torch.arange(4)[None, :] < torch.tensor([4, 2])[:, None]
perm = torch.tensor([2, 0, 3, 1])
print(mask, ds(points, mask), torch.allclose(ds(points, mask)[0], ds(points[:, perm], mask)[0]))
tied = nn.Linear(6, 6, bias=False)
auto = nn.Sequential(tied, nn.Tanh(), tied)
print(auto, len(list(auto.parameters())), [n for n, _ in auto.named_parameters()], len(auto.state_dict()))
enc, dec = nn.Linear(5, 3, bias=False), nn.Linear(3, 5, bias=False)
dec.weight.data = enc.weight.data.t()
x5 = torch.randn(2, 5)
print(dec(enc(x5)), F.linear(F.linear(x5, enc.weight), enc.weight.t()).allclose(dec(enc(x5))))
proj = nn.Parameter(torch.randn(4, 4))
sym = (proj + proj.T) / 2
skew = torch.triu(proj, 1) - torch.triu(proj, 1).T
q = torch.matrix_exp(skew)
print(sym.equal(sym.T), (q @ q.T - torch.eye(4)).abs().max() < 1e-5, torch.tril(torch.ones(3, 3)), torch.block_diag(torch.ones(1, 2), 2 * torch.ones(2, 1)))
