"""Forward and backward hooks, activation statistics, gradient norms, a summary table, and hooks on tensors."""
from collections import OrderedDict, defaultdict
from functools import partial
import torch
from torch import nn

torch.manual_seed(6)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(OrderedDict([("fc1", nn.Linear(6, 10)), ("act1", nn.GELU()), ("fc2", nn.Linear(10, 8)), ("act2", nn.Tanh())]))
        self.dropout = nn.Dropout(0.0)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.dropout(self.features(x)))


model = Net()
activation = {}


def get_activation(name):
    def hook(model, input, output):
        activation[name] = output.detach()

    return hook


handles = [m.register_forward_hook(get_activation(n)) for n, m in model.named_modules() if not list(m.children())]
x = torch.randn(5, 6)
out = model(x)
for name, act in activation.items():
    print(f"{name:<15} {str(tuple(act.shape)):<10} mean {act.mean():+.4f} std {act.std():.4f}")
for h in handles:
    h.remove()
grads = defaultdict(list)


def backward_hook(name, module, grad_input, grad_output):
    grads[name].append((None if grad_input[0] is None else tuple(grad_input[0].shape), grad_output[0].norm().item()))


for n, m in model.named_modules():
    if isinstance(m, nn.Linear):
        m.register_full_backward_hook(partial(backward_hook, n))
loss = nn.functional.cross_entropy(model(x), torch.tensor([0, 1, 2, 1, 0]))
loss.backward()
for n, g in grads.items():
    print(n, [(s, f"{v:.5f}") for s, v in g])
pre = model.head.register_forward_pre_hook(lambda m, inp: (inp[0] * 0,))
print(model(x)[0], model.head.bias.data)
pre.remove()
post = model.head.register_forward_hook(lambda m, i, o: o.clamp(min=0))
print((model(x) >= 0).all())
post.remove()
t = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
h1 = t.register_hook(lambda g: g * 2)
(t * t).sum().backward()
print(t.grad)
h1.remove()
for p in model.parameters():
    p.register_hook(lambda g: torch.clamp(g, -0.01, 0.01))
model.zero_grad()
nn.functional.cross_entropy(model(x), torch.tensor([0, 1, 2, 1, 0])).backward()
print([f"{p.grad.abs().max().item():.4f}" for p in model.parameters()])


def summary(model, input_size, batch_size=2):
    table = OrderedDict()

    def register(module):
        def hook(module, inp, out):
            key = "%s-%i" % (str(module.__class__).split(".")[-1].split("'")[0], len(table) + 1)
            table[key] = {"out": [batch_size] + list(out.size())[1:], "params": sum(int(torch.prod(torch.LongTensor(list(p.size())))) for p in module.parameters(recurse=False))}

        if not isinstance(module, nn.Sequential) and module is not model:
            hooks.append(module.register_forward_hook(hook))

    hooks = []
    model.apply(register)
    model(torch.rand(batch_size, *input_size).type(torch.FloatTensor))
    for h in hooks:
        h.remove()
    print("-" * 64)
    print("{:>20}  {:>25} {:>15}".format("Layer (type)", "Output Shape", "Param #"))
    print("=" * 64)
    for layer, row in table.items():
        print("{:>20}  {:>25} {:>15}".format(layer, str(row["out"]), "{0:,}".format(row["params"])))
    total = sum(r["params"] for r in table.values())
    print("Total params: {0:,}".format(total), "size (MB): %0.4f" % abs(total * 4.0 / (1024**2.0)))


summary(model, (6,))
print([n for n, _ in model.named_modules()])
print([n for n, _ in model.named_children()], [type(m).__name__ for m in model.children()])
print(model.get_submodule("features.fc2"), model.get_parameter("head.bias").shape)
print(model.features[0].in_features, model.features.fc2.out_features, model.features[:2], model.features[-1])
for m in model.modules():
    print(type(m).__name__, end=" ")
print()
model.register_buffer("mean", torch.zeros(2))
model.register_buffer("scratch", torch.ones(1), persistent=False)
print(dict(model.named_buffers()), list(model.state_dict())[-2:], "scratch" in model.state_dict())
model.features.add_module("extra", nn.Softmax(dim=1))
print(model)
del model.features.extra
model.features[1] = nn.ReLU()
print(model.features, model.training, model.eval().training, model.dropout.training)
print(model.zero_grad(), all(p.grad is None for p in model.parameters()))
print(repr(nn.ReLU()), str(nn.Softmax(dim=1)), nn.LeakyReLU(0.1), nn.Hardtanh(-2, 2), nn.ELU(alpha=0.5), nn.Threshold(0.1, 20), nn.Softplus(), nn.GELU("tanh"), nn.CELU(), nn.Identity(), nn.Bilinear(2, 3, 4), nn.Unflatten(1, (2, 3)), sep="\n")
