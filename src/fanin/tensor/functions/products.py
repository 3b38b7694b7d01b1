"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ShapeError
from fanin.ops import linalg
from fanin.tensor.functions.operands import require_tensor, to_out
from fanin.tensor.tape import apply


def matmul(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the matrix product; vectors count as a row on the left and a column on the right, leading dimensions broadcast.

    Raises RuntimeError when the inner sizes or the dtypes differ.

    >>> import fanin as torch
    >>> torch.matmul(torch.tensor([[1.0, 2.0]]), torch.tensor([3.0, 4.0]))
    tensor([11.])
    """
    return _product(input, other, out)


def _product(a: Any, b: Any, out: Any = None) -> Any:
    require_tensor("matmul", a)
    require_tensor("matmul", b, "other")
    return to_out(out, apply(linalg.matmul, (a, b), {}), "matmul")


def _require_ndim(function: str, name: str, x: Any, ndim: int) -> None:
    require_tensor(function, x, name)
    if x._array.ndim != ndim:
        kind = {1: "a vector", 2: "a matrix", 3: "batches of matrices"}[ndim]
        raise ShapeError(f"{function}: {name} must be {kind}, got {x._array.ndim} dimensions: {list(x._array.shape)}")


def mm(input: Any, mat2: Any, *, out: Any = None) -> Any:
    """Return the product of two matrices."""
    _require_ndim("mm", "self", input, 2)
    _require_ndim("mm", "mat2", mat2, 2)
    return _product(input, mat2, out)


def mv(input: Any, vec: Any, *, out: Any = None) -> Any:
    """Return the product of a matrix and a vector."""
    _require_ndim("mv", "self", input, 2)
    _require_ndim("mv", "vec", vec, 1)
    if input._array.shape[1] != vec._array.shape[0]:
        raise ShapeError(f"size mismatch, got input ({input._array.shape[0]}), mat {list(input._array.shape)}, "
                         f"vec ({vec._array.shape[0]})")
    return _product(input, vec, out)


def dot(input: Any, tensor: Any, *, out: Any = None) -> Any:
    """Return the sum of the products of two vectors' elements."""
    _require_ndim("dot", "self", input, 1)
    _require_ndim("dot", "tensor", tensor, 1)
    return _product(input, tensor, out)


def bmm(input: Any, mat2: Any, *, out: Any = None) -> Any:
    """Return the products of the matrices of two batches of equal length."""
    _require_ndim("bmm", "batch1", input, 3)
    _require_ndim("bmm", "batch2", mat2, 3)
    if input._array.shape[0] != mat2._array.shape[0]:
        raise ShapeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{input._array.shape[0]}, "
            f"{input._array.shape[2]}] but got: {list(mat2._array.shape[:2])}."
        )
    return _product(input, mat2, out)


def outer(input: Any, vec2: Any, *, out: Any = None) -> Any:
    """Return the matrix of all products of one element of each vector."""
    _require_ndim("outer", "self", input, 1)
    _require_ndim("outer", "vec2", vec2, 1)
    return to_out(out, input.unsqueeze(1) * vec2, "outer")


ger = outer
