"""All parameters of a network as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fanin._core.errors import ArgumentTypeError
from fanin.nn.parameter import type_name
from fanin.ops.shape import cat, reshape_op
from fanin.tensor.base import TensorBase
from fanin.tensor.tape import apply, wrap


def parameters_to_vector(parameters: Iterable[Any]) -> Any:
    """Return all elements of the parameters in one row, in order.

    >>> import fanin as torch
    >>> torch.nn.utils.parameters_to_vector([torch.ones(2, 2), torch.zeros(1)])
    tensor([1., 1., 1., 1., 0.])
    """
    rows = tuple(apply(reshape_op, (parameter,), {"shape": (-1,)}) for parameter in parameters)
    return apply(cat, rows, {"dim": 0})


def vector_to_parameters(vec: Any, parameters: Iterable[Any]) -> None:
    """Give the parameters the values of a vector, whose memory they share from then on.

    Args:
        vec: all elements, in the order in which `parameters_to_vector` returns them.
        parameters: the tensors that take them.

    Raises TypeError when vec is not a tensor, RuntimeError when it is too short.

    >>> import fanin as torch
    >>> layer = torch.nn.Linear(2, 1)
    >>> torch.nn.utils.vector_to_parameters(torch.tensor([1.0, 2.0, 3.0]), layer.parameters())
    >>> layer.bias.item()
    3.0
    """
    if not isinstance(vec, TensorBase):
        raise ArgumentTypeError(f"expected torch.Tensor, but got: {type_name(vec)}")
    array, start = vec._array, 0
    for parameter in parameters:
        shape, size = parameter._array.shape, parameter._array.size
        piece = apply(reshape_op, (wrap(array[start : start + size]),), {"shape": shape})
        parameter.data = piece
        start += size
