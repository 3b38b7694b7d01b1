"""autograd.Function of one's own: ReLU, a straight-through estimator, linear, gradient reversal, exp; gradcheck."""
import torch
from torch import nn
from torch.autograd import Function, gradcheck, gradgradcheck

torch.manual_seed(4)


class MyReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return input.clamp(min=0)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        grad_input = grad_output.clone()
        grad_input[input < 0] = 0
        return grad_input


class LinearFunction(Function):
    @staticmethod
    def forward(ctx, input, weight, bias=None):
        ctx.save_for_backward(input, weight, bias)
        output = input.mm(weight.t())
        if bias is not None:
            output += bias.unsqueeze(0).expand_as(output)
        return output

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, bias = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(input)
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias


class MyLinear(nn.Module):
    def __init__(self, input_features, output_features, bias=True):
        super().__init__()
        self.input_features, self.output_features = input_features, output_features
        self.weight = nn.Parameter(torch.empty(output_features, input_features))
        if bias:
            self.bias = nn.Parameter(torch.empty(output_features))
        else:
            self.register_parameter("bias", None)
        nn.init.uniform_(self.weight, -0.1, 0.1)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -0.1, 0.1)

    def forward(self, input):
        return LinearFunction.apply(input, self.weight, self.bias)

    def extra_repr(self):
        return "input_features={}, output_features={}, bias={}".format(self.input_features, self.output_features, self.bias is not None)


class STESign(Function):
    @staticmethod
    def forward(ctx, x):
        return torch.sign(x)

    @staticmethod
    def backward(ctx, g):
        return g.clamp(-1, 1)


class GradReverse(Function):
    @staticmethod
    def forward(ctx, x, lambd):
        ctx.lambd = lambd
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.neg() * ctx.lambd, None


class Exp(Function):
    @staticmethod
    def forward(ctx, i):
        result = i.exp()
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx, grad_output):
        (result,) = ctx.saved_tensors
        return grad_output * result


class TwoOut(Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a * b, a + b

    @staticmethod
    def backward(ctx, g1, g2):
        a, b = ctx.saved_tensors
        return g1 * b + g2, g1 * a + g2


relu = MyReLU.apply
x = torch.randn(6, requires_grad=True)
y = relu(x)
print(x, y, y.grad_fn.name())
y.sum().backward()
print(x.grad)
layer = MyLinear(20, 3)
print(layer, MyLinear(2, 2, bias=False))
inp = torch.randn(4, 20, dtype=torch.double, requires_grad=True)
wt = torch.randn(3, 20, dtype=torch.double, requires_grad=True)
print(gradcheck(LinearFunction.apply, (inp, wt), eps=1e-6, atol=1e-4), gradcheck(MyReLU.apply, (inp,)), gradgradcheck(Exp.apply, (inp[:1],)))
out = layer(torch.ones(2, 20))
out.pow(2).sum().backward()
print(out, layer.bias.grad, layer.weight.grad[:, :3])
s = torch.tensor([-2.0, -0.1, 0.3, 5.0], requires_grad=True)
(STESign.apply(s) * torch.tensor([3.0, 0.5, -0.5, -7.0])).sum().backward()
print(STESign.apply(s), s.grad)
r = torch.ones(3, requires_grad=True)
(GradReverse.apply(r, 0.5) * 2).sum().backward()
print(r.grad, GradReverse.apply(r, 1.0))
e = torch.tensor(2.0, requires_grad=True)
(g,) = torch.autograd.grad(Exp.apply(e), e, create_graph=True)
print(g, torch.autograd.grad(g, e))
a, b = torch.tensor(3.0, requires_grad=True), torch.tensor(4.0, requires_grad=True)
p, q = TwoOut.apply(a, b)
(p * 2 + q).backward()
print(p, q, a.grad, b.grad)


class Broken(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 2 * x**2


try:
    gradcheck(Broken.apply, (inp[0, :2].detach().requires_grad_(),))
except Exception as error:
    print(type(error).__name__, str(error).split("\n")[0][:50])
print(gradcheck(Broken.apply, (inp[0, :2].detach().requires_grad_(),), raise_exception=False))
