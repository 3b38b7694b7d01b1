"""Functions that change the shape of tensors, and put them together."""

from __future__ import annotations

from typing import Any

from fanin.ops import shape as ops
from fanin.ops.rules import wrap_dim
from fanin.tensor.functions.creation import shape_from
from fanin.tensor.tape import apply


def reshape(input: Any, *shape: Any) -> Any:
    """Return the elements in another shape, without copying where the memory allows it; one size may be -1."""
    return apply(ops.reshape_op, (input,), {"shape": ops.resolve_shape(input._array.shape, _sizes(shape))})


def _sizes(shape: tuple[Any, ...]) -> tuple[int, ...]:
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    return tuple(int(n) for n in shape)


def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """Return a view with two dimensions swapped."""
    ndim = input._array.ndim
    return apply(ops.transpose, (input,), {"dim0": wrap_dim(dim0, ndim), "dim1": wrap_dim(dim1, ndim)})


def t(input: Any) -> Any:
    """Return the transpose of a matrix; a vector stays as it is."""
    return transpose(input, 0, 1) if input._array.ndim == 2 else input


__all__ = ["reshape", "shape_from", "t", "transpose"]
