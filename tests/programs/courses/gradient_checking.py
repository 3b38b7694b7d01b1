"""Numerical gradients against backpropagation, in the manner of a deep-learning course; initialisation traps; mini-batches."""
import math
import numpy as np
import torch

torch.manual_seed(2)
np.random.seed(2)


def initialize_parameters(layer_dims):
    parameters = {}
    for l in range(1, len(layer_dims)):
        parameters["W" + str(l)] = (torch.randn(layer_dims[l], layer_dims[l - 1], dtype=torch.float64) / math.sqrt(layer_dims[l - 1])).requires_grad_()
        parameters["b" + str(l)] = torch.full((layer_dims[l], 1), 0.1, dtype=torch.float64, requires_grad=True)
        assert parameters["W" + str(l)].shape == (layer_dims[l], layer_dims[l - 1])
    return parameters


def forward_propagation(X, parameters):
    A = X
    L = len(parameters) // 2
    for l in range(1, L):
        A = torch.relu(parameters[f"W{l}"] @ A + parameters[f"b{l}"])
    return torch.sigmoid(parameters[f"W{L}"] @ A + parameters[f"b{L}"])


def compute_cost(AL, Y):
    m = Y.shape[1]
    cost = -(1.0 / m) * torch.sum(Y * torch.log(AL) + (1 - Y) * torch.log(1 - AL))
    return torch.squeeze(cost)


def dictionary_to_vector(parameters):
    return torch.cat([p.detach().reshape(-1) for p in parameters.values()])


def vector_to_dictionary(theta, like):
    out, start = {}, 0
    for key, p in like.items():
        out[key] = theta[start : start + p.numel()].reshape(p.shape)
        start += p.numel()
    return out


X = torch.randn(4, 10, dtype=torch.float64)
Y = (X.sum(0, keepdim=True) > 0).double()
print(X[:, 0], Y)
parameters = initialize_parameters([4, 5, 3, 1])
for k, v in parameters.items():
    print(k, "=", v)
cost = compute_cost(forward_propagation(X, parameters), Y)
cost.backward()
print("cost", cost)
grad = torch.cat([p.grad.reshape(-1) for p in parameters.values()])
theta = dictionary_to_vector(parameters)
epsilon = 1e-7
gradapprox = torch.zeros_like(theta)
with torch.no_grad():
    for i in range(theta.numel()):
        plus, minus = theta.clone(), theta.clone()
        plus[i] += epsilon
        minus[i] -= epsilon
        jp = compute_cost(forward_propagation(X, vector_to_dictionary(plus, parameters)), Y)
        jm = compute_cost(forward_propagation(X, vector_to_dictionary(minus, parameters)), Y)
        gradapprox[i] = (jp - jm) / (2 * epsilon)
difference = torch.linalg.norm(grad - gradapprox) / (torch.linalg.norm(grad) + torch.linalg.norm(gradapprox))
print("ok" if difference < 1e-6 else "mistake", grad.shape, grad[:6])
print(torch.allclose(grad, gradapprox, atol=1e-6))


def random_mini_batches(X, Y, size, seed):
    np.random.seed(seed)
    m = X.shape[1]
    permutation = list(np.random.permutation(m))
    sX, sY = X[:, permutation], Y[:, permutation].reshape((1, m))
    return [(sX[:, k : k + size], sY[:, k : k + size]) for k in range(0, m, size)]


velocity = {k: torch.zeros_like(p) for k, p in parameters.items()}
for epoch in range(30):
    for mx, my in random_mini_batches(X, Y, 4, epoch):
        c = compute_cost(forward_propagation(mx, parameters), my)
        grads = dict(zip(parameters, torch.autograd.grad(c, list(parameters.values()))))
        with torch.no_grad():
            for k in parameters:
                velocity[k] = 0.9 * velocity[k] + (1 - 0.9) * grads[k]
                parameters[k] -= 0.3 * velocity[k]
    if epoch % 10 == 0:
        print("Cost after epoch %i: %f" % (epoch, c))
predictions = (forward_propagation(X, parameters) > 0.5)
print("Accuracy: %d" % float((torch.mm(Y, predictions.double().T) + torch.mm(1 - Y, 1 - predictions.double().T)) / float(Y.size(1)) * 100) + "%")
print(predictions, np.squeeze(predictions.numpy()).astype(int), velocity["b3"])
f = lambda w: (w**4).sum() + torch.exp(w).prod()
w = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
print(torch.autograd.gradcheck(f, (w,)), torch.autograd.gradgradcheck(f, (w,)))
