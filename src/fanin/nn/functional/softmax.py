"""Scores to probabilities."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fanin.nn.functional.checks import require_tensor
from fanin.ops import reduce
from fanin.ops.activation import floats_only
from fanin.ops.rules import wrap_dim
from fanin.random.draws import exponential
from fanin.random.generator import default_generator
from fanin.tensor.tape import apply, wrap


def _implicit_dim(name: str, ndim: int, stacklevel: int) -> int:
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        UserWarning,
        stacklevel=stacklevel,
    )
    return 0 if ndim in (0, 1, 3) else 1


def _prepared(name: str, input: Any, dim: int | None, stacklevel: int, dtype: Any) -> tuple[Any, dict[str, Any]]:
    require_tensor(name, input)
    ndim = input._array.ndim
    if dim is None:
        dim = _implicit_dim(name, ndim, stacklevel + 1)
    if dtype is not None:
        input = input.to(dtype)
    floats_only(f"{'log_' if name == 'log_softmax' else ''}softmax_lastdim_kernel_impl")((input._array,))
    return input, {"dim": wrap_dim(dim, ndim)}


def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """Return e^x_i / sum_j e^x_j along a dimension.

    Args:
        input: any shape.
        dim: the dimension along which the result sums to 1.
        dtype: to which the input is converted first.

    >>> import fanin as torch
    >>> torch.nn.functional.softmax(torch.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    input, attrs = _prepared("softmax", input, dim, _stacklevel, dtype)
    return apply(reduce.softmax, (input,), attrs)


def softmin(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """Return softmax(-x).

    >>> import fanin as torch
    >>> torch.nn.functional.softmin(torch.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    require_tensor("softmin", input)
    if dim is None:
        dim = _implicit_dim("softmin", input._array.ndim, _stacklevel)
    return softmax(-input, dim, dtype=dtype)


def log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """Return log softmax(x), as x_i - max x - log sum_j e^(x_j - max x).

    Args:
        input: any shape.
        dim: the dimension along which the exponentials sum to 1.
        dtype: to which the input is converted first.

    >>> import fanin as torch
    >>> torch.nn.functional.log_softmax(torch.tensor([0.0, 0.0]), dim=0)
    tensor([-0.6931, -0.6931])
    """
    input, attrs = _prepared("log_softmax", input, dim, _stacklevel, dtype)
    return apply(reduce.log_softmax, (input,), attrs)


def gumbel_softmax(logits: Any, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Any:
    """Return a sample from the Gumbel-softmax distribution: softmax((logits + g) / tau), g = -log(-log u).

    Args:
        logits: (*, classes), log probabilities that need not be normalised.
        tau: the temperature, greater than 0.
        hard: return a one-hot sample, whose gradient is that of the soft one.
        eps: without effect.
        dim: the dimension of the classes.

    Reference: E. Jang et al., "Categorical reparameterization with Gumbel-softmax", 2016.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.nn.functional.gumbel_softmax(torch.tensor([[0.0, 5.0, 0.0]]), hard=True)
    tensor([[0., 1., 0.]])
    """
    require_tensor("gumbel_softmax", logits)
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    array = logits._array
    noise = -np.log(exponential(default_generator, 1.0, array.shape, array.dtype))
    soft = softmax((logits + wrap(noise)) / tau, dim)
    if not hard:
        return soft
    axis = wrap_dim(dim, array.ndim)
    winners = reduce.argmax(soft._array, dim=axis, keepdim=True)
    one_hot = np.zeros_like(array)
    np.put_along_axis(one_hot, winners, 1, axis)
    return wrap(one_hot) - soft.detach() + soft
