"""A tour of automatic differentiation."""
import torch
from torch import nn, optim

torch.manual_seed(0)
x = torch.ones(5)
y = torch.zeros(3)
w = torch.randn(5, 3, requires_grad=True)
b = torch.randn(3, requires_grad=True)
z = torch.matmul(x, w) + b
loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
print(z, loss)
print(f"Gradient function for z = {type(z.grad_fn).__name__}")
print(f"Gradient function for loss = {type(loss.grad_fn).__name__}")
loss.backward()
print(w.grad)
print(b.grad)
z = torch.matmul(x, w) + b
print(z.requires_grad)
with torch.no_grad():
    z = torch.matmul(x, w) + b
print(z.requires_grad)
z_det = (torch.matmul(x, w) + b).detach()
print(z_det.requires_grad)
inp = torch.eye(4, 5, requires_grad=True)
out = (inp + 1).pow(2).t()
out.backward(torch.ones_like(out), retain_graph=True)
print(f"First call\n{inp.grad}")
out.backward(torch.ones_like(out), retain_graph=True)
print(f"\nSecond call\n{inp.grad}")
inp.grad.zero_()
out.backward(torch.ones_like(out), retain_graph=True)
print(f"\nCall after zeroing gradients\n{inp.grad}")
a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2
print(Q)
Q.backward(gradient=torch.tensor([1.0, 1.0]))
print(9 * a**2 == a.grad, -2 * b == b.grad)
x = torch.rand(5, 5)
y = torch.rand(5, 5)
z = torch.rand((5, 5), requires_grad=True)
print(f"Does `a` require gradients?: {(x + y).requires_grad}", f"Does `b` require gradients?: {(x + z).requires_grad}")
x = torch.randn(2, 2)
x = (x * 3) / (x - 1)
print(x.requires_grad)
x.requires_grad_(True)
s = (x * x).sum()
print(s.grad_fn.name(), s.grad_fn.next_functions[0][0].name(), x.is_leaf, s.is_leaf, x.grad_fn)
x = torch.tensor(1.5, requires_grad=True)
y = x.sin() * x.exp()
(dy,) = torch.autograd.grad(y, x, create_graph=True)
(d2y,) = torch.autograd.grad(dy, x, create_graph=True)
d3y = torch.autograd.grad(d2y, x)[0]
print(y, dy, d2y, d3y)
x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
y = x * 2
y.retain_grad()
h = y.register_hook(lambda g: print("hook", g))
(y**2).mean().backward()
print(y.grad, x.grad)
h.remove()


def f(t):
    return (t**3).sum() + t.prod()


print(torch.autograd.functional.jacobian(lambda t: torch.stack([t.sum(), (t * t).sum()]), torch.tensor([1.0, 2.0])))
print(torch.autograd.functional.hessian(f, torch.tensor([1.0, 2.0, 3.0])))
print(torch.autograd.functional.vjp(lambda t: t**2, torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.5])))
print(torch.autograd.functional.jvp(lambda t: t**2, torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.5])))
x = torch.tensor([0.5, 1.5], requires_grad=True)
for op in (torch.exp, torch.log, torch.sqrt, torch.sigmoid, torch.tanh, torch.relu, torch.cos, torch.abs, torch.square, torch.reciprocal):
    v = op(x)
    g = torch.autograd.grad(v.sum(), x)[0]
    print(op.__name__, v, g)
grads = torch.autograd.grad((x**2).sum(), [x, b], allow_unused=True)
print(grads)
with torch.enable_grad(), torch.autograd.set_detect_anomaly(True):
    print((x * 2).sum())


@torch.no_grad()
def evaluate(model, data):
    return model(data)


print(evaluate(nn.Linear(2, 1), torch.ones(1, 2)), torch.is_grad_enabled())
with torch.inference_mode():
    print((x + 1).requires_grad, torch.is_inference_mode_enabled())
torch.set_grad_enabled(False)
print((x + 1).requires_grad)
torch.set_grad_enabled(True)
for step in range(3):
    v = torch.tensor(4.0, requires_grad=True) if step == 0 else v
    (v**2).backward()
    v.data -= 0.1 * v.grad
    print(step, v, v.grad)
    v.grad = None
