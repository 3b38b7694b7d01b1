"""Modules that change the shape of what passes through."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentTypeError, OperationError
from fanin.nn.module import Module
from fanin.ops.rules import wrap_dim
from fanin.ops.shape import reshape_op, resolve_shape
from fanin.tensor.tape import apply


class Flatten(Module):
    """Join dimensions into one.

    Args:
        start_dim: the first that is joined.
        end_dim: the last that is joined.

    Shape: (N, *) to (N, the product of *), with the usual arguments.

    >>> import fanin as torch
    >>> torch.nn.Flatten()(torch.zeros(5, 2, 3)).shape
    torch.Size([5, 6])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Any) -> Any:
        """Return the input with the dimensions joined."""
        shape = input._array.shape
        start, end = wrap_dim(self.start_dim, len(shape)), wrap_dim(self.end_dim, len(shape))
        if start > end:
            raise OperationError("flatten() has invalid args: start_dim cannot come after end_dim")
        joined = 1
        for n in shape[start : end + 1]:
            joined *= n
        return apply(reshape_op, (input,), {"shape": (*shape[:start], joined, *shape[end + 1 :])})

    def extra_repr(self) -> str:
        """Return the dimensions."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split a dimension into several.

    Args:
        dim: the dimension.
        unflattened_size: the sizes that take its place; one may be -1.

    Raises TypeError unless the sizes are a tuple or list of ints.

    >>> import fanin as torch
    >>> torch.nn.Unflatten(1, (2, 3))(torch.zeros(5, 6)).shape
    torch.Size([5, 2, 3])
    """

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        _require_sizes(unflattened_size)
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Any) -> Any:
        """Return the input with the dimension split."""
        shape = input._array.shape
        axis = wrap_dim(self.dim, len(shape))
        try:
            sizes = resolve_shape(shape[axis : axis + 1], tuple(self.unflattened_size))
        except RuntimeError:
            raise OperationError(
                f"unflatten: Provided sizes {list(self.unflattened_size)} don't multiply up to the size of dim "
                f"{self.dim} ({shape[axis]}) in the input tensor"
            ) from None
        return apply(reshape_op, (input,), {"shape": (*shape[:axis], *sizes, *shape[axis + 1 :])})

    def extra_repr(self) -> str:
        """Return the dimension and the sizes."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


def _require_sizes(sizes: Any) -> None:
    if not isinstance(sizes, (tuple, list)):
        raise ArgumentTypeError(f"unflattened_size must be a tuple of ints, but found type {type(sizes).__name__}")
    for position, n in enumerate(sizes):
        if not isinstance(n, int):
            raise ArgumentTypeError(
                f"unflattened_size must be tuple of ints, but found element of type {type(n).__name__} at pos "
                f"{position}"
            )
