"""What the cases of the losses share."""

from __future__ import annotations

from tests.parity.harness import raises, sample, with_gradients

REDUCTIONS = ("none", "mean", "sum")
SHAPES = ((5,), (3, 4), (2, 3, 2), (), (0, 3))


def pair(torch, shape, dtype, low=-2.0, high=2.0):
    """Return two tensors of one shape that require gradients."""
    return tuple(
        sample(torch, *shape, dtype=dtype, low=low, high=high, seed=seed, requires_grad=True) for seed in (0, 1)
    )


def over(torch, make, shapes, inputs):
    """Return the module's values and gradients for every reduction and shape."""
    return {
        f"{reduction} {shape}": with_gradients(torch, make(reduction), *inputs(shape))
        for reduction in REDUCTIONS
        for shape in shapes
    }


def signs(torch, *shape, dtype="float32"):
    """Return a pattern of 1 and -1."""
    total = 1
    for n in shape:
        total *= n
    return (1 - 2 * (torch.arange(total) % 3 % 2)).reshape(shape).to(getattr(torch, dtype))


def twice(torch, loss, *leaves):
    """Return a loss, its gradients, and the gradients of their squares' sum."""
    first = torch.autograd.grad(loss, leaves, create_graph=True)
    return [loss, *first, *torch.autograd.grad(sum((g**2).sum() for g in first), leaves, allow_unused=True)]


def value_or_error(function, *inputs):
    """Return the losses of every element, or the name of the error."""
    error = raises(lambda: function(*inputs, reduction="none"))
    return function(*inputs, reduction="none") if error == "nothing raised" else error
