"""Triangles, diagonals and windows of tensors, and the indices of triangles."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from fanin._core import dtypes
from fanin._core.errors import DimensionError, OperationError, ShapeError
from fanin.ops import shape as ops
from fanin.ops.index import getitem
from fanin.ops.rules import wrap_dim
from fanin.tensor.functions.data import leaf
from fanin.tensor.functions.joining import cat, meshgrid, stack
from fanin.tensor.functions.operands import require_tensor, require_tensors, to_out
from fanin.tensor.functions.shaping import atleast_2d, is_list
from fanin.tensor.tape import apply, label, wrap


def tril(input: Any, diagonal: int = 0, *, out: Any = None) -> Any:
    """Return the lower triangle, with zeros above the given diagonal.

    >>> import fanin as torch
    >>> torch.tril(torch.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return _triangle("tril", ops.tril, input, diagonal, out)


def triu(input: Any, diagonal: int = 0, *, out: Any = None) -> Any:
    """Return the upper triangle, with zeros below the given diagonal.

    >>> import fanin as torch
    >>> torch.triu(torch.ones(3, 3), diagonal=1)
    tensor([[0., 1., 1.],
            [0., 0., 1.],
            [0., 0., 0.]])
    """
    return _triangle("triu", ops.triu, input, diagonal, out)


def _triangle(name: str, op: Any, input: Any, diagonal: int, out: Any) -> Any:
    if require_tensor(name, input)._array.ndim < 2:
        raise OperationError(f"{name}: input tensor must have at least 2 dimensions")
    return to_out(out, apply(op, (input,), {"diagonal": diagonal}), name)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, **unused: Any) -> Any:
    """Return the row and column numbers of the elements of a lower triangle, as two rows.

    >>> import fanin as torch
    >>> torch.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _triangle_indices(np.tril_indices(row, offset, col), dtype, device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, **unused: Any) -> Any:
    """Return the row and column numbers of the elements of an upper triangle, as two rows.

    >>> import fanin as torch
    >>> torch.triu_indices(3, 3, offset=1)
    tensor([[0, 0, 1],
            [1, 2, 2]])
    """
    return _triangle_indices(np.triu_indices(row, offset, col), dtype, device)


def _triangle_indices(found: Any, dtype: Any, device: Any) -> Any:
    kind = np.dtype(np.int64) if dtype is None else dtypes.to_numpy(dtype)
    return leaf(np.stack(found).astype(kind), False, device)


def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """Return the view of a diagonal of two dimensions, as a new last dimension.

    >>> import fanin as torch
    >>> torch.diagonal(torch.tensor([[1, 2], [3, 4]])), torch.diagonal(torch.tensor([[1, 2], [3, 4]]), offset=1)
    (tensor([1, 4]), tensor([2]))
    """
    ndim = require_tensor("diagonal", input)._array.ndim
    dim1, dim2 = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if dim1 == dim2:
        raise OperationError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return apply(ops.diagonal, (input,), {"offset": offset, "dim1": dim1, "dim2": dim2})


def diag(input: Any, diagonal: int = 0, *, out: Any = None) -> Any:
    """Return the diagonal of a matrix, or the matrix with a vector on its diagonal.

    >>> import fanin as torch
    >>> torch.diag(torch.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    ndim = require_tensor("diag", input)._array.ndim
    if ndim == 1:
        return to_out(out, diag_embed(input, diagonal), "diag")
    if ndim != 2:
        raise OperationError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    found = apply(ops.diagonal, (input,), {"offset": diagonal, "dim1": 0, "dim2": 1}).clone()
    return to_out(out, label(found, "DiagonalBackward0_copy"), "diag")


def diagflat(input: Any, offset: int = 0) -> Any:
    """Return the matrix with all elements of a tensor on its diagonal.

    >>> import fanin as torch
    >>> torch.diagflat(torch.tensor([[1], [2]]))
    tensor([[1, 0],
            [0, 2]])
    """
    return diag(input.reshape(-1), offset)


def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Return matrices whose diagonals are the vectors along the last dimension.

    >>> import fanin as torch
    >>> torch.diag_embed(torch.tensor([[1, 2], [3, 4]])).shape
    torch.Size([2, 2, 2])
    """
    shape = require_tensor("diag_embed", input)._array.shape
    ndim = len(shape) + 1
    dim1, dim2 = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if dim1 == dim2:
        raise OperationError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    side = shape[-1] + abs(offset)
    full = list(shape[:-1])
    for dim in sorted((dim1, dim2)):
        full.insert(dim, side)
    where = {"shape": tuple(full), "offset": offset, "dim1": dim1, "dim2": dim2}
    return apply(ops.diagonal_zeros, (input,), where)


def trace(input: Any) -> Any:
    """Return the sum of a matrix's diagonal.

    >>> import fanin as torch
    >>> torch.trace(torch.tensor([[1, 2], [3, 4]]))
    tensor(5)
    """
    if require_tensor("trace", input)._array.ndim != 2:
        raise OperationError(f"trace: expected a matrix, but got tensor with dim {input._array.ndim}")
    return label(diagonal(input).sum(), "TraceBackward0")


def unfold(input: Any, dimension: int, size: int, step: int) -> Any:
    """Return the view of all windows of `size` elements along a dimension, `step` apart, as a new last dimension."""
    scalar = not input._array.ndim
    if scalar:
        input = input.reshape(1)
    dim = wrap_dim(dimension, input._array.ndim)
    n = input._array.shape[dim]
    if size > n or size < 0:
        raise OperationError(f"maximum size for tensor at dimension {dim} is {n} but size is {size}")
    if step <= 0:
        raise OperationError(f"step is {step} but must be > 0")
    found = apply(ops.windows, (input,), {"dim": dim, "size": size, "step": step})
    return found.squeeze(0) if scalar else found


def block_diag(*tensors: Any) -> Any:
    """Return the matrix with the given matrices along its diagonal, zeros elsewhere.

    >>> import fanin as torch
    >>> torch.block_diag(torch.tensor([[1, 2]]), torch.tensor([[3], [4]]))
    tensor([[1, 2, 0],
            [0, 0, 3],
            [0, 0, 4]])
    """
    parts = [atleast_2d(x) for x in require_tensors("block_diag", tensors)]
    for x in parts:
        if x._array.ndim > 2:
            raise ShapeError(f"torch.block_diag: Input tensors must have 2 or fewer dimensions, got {x._array.ndim}")
    width = sum(x._array.shape[1] for x in parts)
    rows, start = [], 0
    for x in parts:
        height, columns = x._array.shape
        left = wrap(np.zeros((height, start), x._array.dtype))
        right = wrap(np.zeros((height, width - start - columns), x._array.dtype))
        rows.append(cat([left, x, right], 1))
        start += columns
    return label(cat(rows, 0), "BlockDiagBackward0")


def cartesian_prod(*tensors: Any) -> Any:
    """Return all combinations of one element of each vector, one row each, the last one changing fastest.

    >>> import fanin as torch
    >>> torch.cartesian_prod(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
    """
    given = require_tensors("cartesian_prod", tensors[0] if len(tensors) == 1 and is_list(tensors[0]) else tensors)
    for x in given:
        if x._array.ndim != 1:
            raise OperationError(f"torch.cartesian_prod(): all tensors must be one-dimensional, got {x._array.ndim}")
    if len(given) == 1:
        return given[0]
    return stack([grid.reshape(-1) for grid in meshgrid(*given, indexing="ij")], 1)


def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """Return all choices of r elements of a vector in their order, one row each.

    >>> import fanin as torch
    >>> torch.combinations(torch.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    if require_tensor("combinations", input)._array.ndim != 1:
        raise OperationError(f"Expect a 1D vector, but got shape {list(input._array.shape)}")
    if r < 0:
        raise OperationError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return wrap(np.empty(0, input._array.dtype))
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(input._array.size), r)), np.int64).reshape(-1, r)
    return label(apply(getitem, (input,), {"index": (rows,)}), "StackBackward0")


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Return the matrix of powers of a vector: row i holds x[i] ** (N - 1), ..., x[i] ** 0, or the reverse.

    >>> import fanin as torch
    >>> torch.vander(torch.tensor([2, 3]), N=3)
    tensor([[4, 2, 1],
            [9, 3, 1]])
    """
    if x._array.ndim != 1:
        raise DimensionError("x must be a one-dimensional tensor.")
    n = x._array.size if N is None else N
    powers = np.arange(n) if increasing else np.arange(n)[::-1].copy()
    return x.unsqueeze(1) ** wrap(powers)
