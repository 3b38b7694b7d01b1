"""Gradients of each example, Hessians, ensembles by torch.func, and layers whose weights are computed from others."""
import torch
from torch import nn
from torch.func import functional_call, grad, hessian, jacrev, stack_module_state, vmap
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.utils.checkpoint import checkpoint

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2))
x, y = torch.randn(8, 3), torch.randint(0, 2, (8,))
params = {name: p.detach() for name, p in net.named_parameters()}


def compute_loss(params, sample, target):
    logits = functional_call(net, params, (sample.unsqueeze(0),))
    return nn.functional.cross_entropy(logits, target.unsqueeze(0))


per_sample = vmap(grad(compute_loss), in_dims=(None, 0, 0))(params, x, y)
norms = torch.stack([g.flatten(1).norm(dim=1) for g in per_sample.values()]).norm(dim=0)
print({name: tuple(g.shape) for name, g in per_sample.items()})
print(norms)
nn.functional.cross_entropy(net(x), y).backward()
print(all(torch.allclose(per_sample[n].mean(0), p.grad, atol=1e-6) for n, p in net.named_parameters()))
print(jacrev(net)(x[0]), hessian(lambda v: net(v).logsumexp(0))(x[0]))

models = [nn.Linear(3, 2) for _ in range(4)]
stacked, buffers = stack_module_state(models)
together = vmap(lambda p, b: functional_call(models[0], (p, b), (x,)))(stacked, buffers)
print(together.shape, torch.allclose(together, torch.stack([m(x) for m in models]), atol=1e-6))


class Symmetric(nn.Module):
    def forward(self, X):
        return X.triu() + X.triu(1).transpose(-1, -2)


layer = nn.Linear(3, 3)
parametrize.register_parametrization(layer, "weight", Symmetric())
print(layer, [name for name, _ in layer.named_parameters()])
model = nn.Sequential(layer, nn.ReLU(), weight_norm(nn.Linear(3, 8)), nn.ReLU(), spectral_norm(nn.Linear(8, 2)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
for step in range(9):
    optimizer.zero_grad()
    hidden = checkpoint(model[:3], x, use_reentrant=False)
    loss = nn.functional.cross_entropy(model[3:](hidden), y)
    loss.backward()
    optimizer.step()
    if step % 4 == 0:
        print(f"step {step} loss {loss.item():.5f}")
print(torch.equal(layer.weight, layer.weight.T), sorted(model.state_dict()))
parametrize.remove_parametrizations(layer, "weight")
print(layer, f"{torch.linalg.matrix_norm(model.eval()[4].weight, 2):.3f}")
