"""Fill a tensor with one number, an identity, or draws from a distribution given by its numbers."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from fanin import random as draws
from fanin._core import advice
from fanin._core.errors import ArgumentError, NotInFaninError
from fanin.tensor.functions.sampling import stream_of
from fanin.tensor.grad_mode import no_grad
from fanin.tensor.in_place import bump


def constant_(tensor: Any, val: float) -> Any:
    """Fill with one number, off the tape, and return the tensor.

    >>> import fanin as torch
    >>> torch.nn.init.constant_(torch.empty(2), 0.3)
    tensor([0.3000, 0.3000])
    """
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Any) -> Any:
    """Fill with 1 and return the tensor.

    >>> import fanin as torch
    >>> torch.nn.init.ones_(torch.empty(2))
    tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Any) -> Any:
    """Fill with 0 and return the tensor: for biases; a hidden layer's weights must differ from unit to unit.

    >>> import fanin as torch
    >>> torch.nn.init.zeros_(torch.empty(2))
    tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def eye_(tensor: Any) -> Any:
    """Fill a matrix with the identity: a layer that starts by passing on as many inputs as it can.

    Raises:
        ValueError: unless the tensor has two dimensions.

    >>> import fanin as torch
    >>> torch.nn.init.eye_(torch.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    require_matrix(tensor)
    array = tensor._array
    diagonal = np.arange(min(array.shape))
    array[...] = 0
    array[diagonal, diagonal] = 1
    bump(tensor)
    return tensor


def dirac_(tensor: Any, groups: int = 1) -> NoReturn:
    """Raise: it starts convolutions as identities, and fanin has no convolutions.

    Raises:
        ValueError: for what is no convolution's weight, as PyTorch does.
        NotInFaninError: for 3 to 5 dimensions; `eye_` is its counterpart for a layer's matrix.
    """
    if tensor.dim() not in (3, 4, 5):
        raise ArgumentError("Only tensors with 3, 4, or 5 dimensions are supported", remedy="Use eye_ for a matrix.")
    raise NotInFaninError(
        "torch.nn.init.dirac_ is not part of fanin, which trains fully connected networks: it starts convolutions as "
        "identities; use eye_ for the weight of a Linear layer"
    )


def require_matrix(tensor: Any) -> None:
    """Raise ValueError unless a tensor has two dimensions."""
    if tensor.dim() != 2:
        raise ArgumentError(
            "Only tensors with 2 dimensions are supported", remedy=f"The shape is {tuple(tensor.shape)}."
        )


def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Any:
    """Fill with draws from the uniform distribution on [a, b), of variance (b - a)^2 / 12, and return the tensor.

    Args:
        tensor: of floats; any shape.
        a: the lower bound.
        b: the upper bound.
        generator: the stream; the default one when left out.

    Raises:
        RuntimeError: when a is greater than b.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.nn.init.uniform_(torch.empty(2), -1.0, 1.0)
    tensor([-0.0075,  0.5364])
    """
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
    """Fill with draws from N(mean, std^2) and return the tensor.

    Args:
        tensor: of floats; any shape.
        mean: the centre.
        std: the standard deviation.
        generator: the stream; the default one when left out.

    Raises:
        RuntimeError: when std is negative.

    >>> import fanin as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.nn.init.normal_(torch.empty(2), std=0.1)
    tensor([ 0.1541, -0.0293])
    """
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Any, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Any:
    """Fill with draws from N(mean, std^2), those outside [a, b] drawn again, and return the tensor.

    Args:
        tensor: of floats; any shape.
        mean: the centre of the normal distribution, before the cut.
        std: its standard deviation, before the cut; a cut at two of them leaves 0.88 of it.
        a: the smallest value that is kept: a number, not a multiple of std.
        b: the largest value that is kept.
        generator: the stream; the default one when left out.

    Warns where the mean lies more than two standard deviations outside [a, b].

    >>> import fanin as torch
    >>> w = torch.nn.init.trunc_normal_(torch.empty(100, 100), std=0.02, a=-0.04, b=0.04)
    >>> bool(w.abs().max() <= 0.04)
    True
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        advice.give(
            UserWarning,
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
        )
    source, array = stream_of(generator), tensor._array
    # PyTorch draws again into new memory, which has no gaps but may still not be in C order.
    dense, dense_again = array.flags.c_contiguous, np.empty_like(array).flags.c_contiguous

    def draw(shape: tuple[int, ...]) -> Any:
        return draws.trunc_normal(source, mean, std, a, b, shape, array.dtype, dense, dense_again)

    draws.fill(array, draw)
    bump(tensor)
    return tensor
