"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import DtypeError, OperationError, ShapeError
from fanin.ops import linalg
from fanin.ops.rules import wrap_dim
from fanin.tensor.functions.operands import is_dim, require_one_dtype, require_tensor, require_tensors, to_out
from fanin.tensor.functions.shaping import broadcast_tensors, is_list
from fanin.tensor.tape import apply, label


def matmul(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the matrix product; a vector is a row on the left, a column on the right; leading dimensions broadcast.

    Raises RuntimeError when the inner sizes or the dtypes differ.

    >>> import fanin as torch
    >>> torch.matmul(torch.tensor([[1.0, 2.0]]), torch.tensor([3.0, 4.0]))
    tensor([11.])
    """
    return _product(input, other, out)


def _product(a: Any, b: Any, out: Any = None, name: str | None = None) -> Any:
    require_tensor("matmul", a)
    require_tensor("matmul", b, "other")
    result = apply(linalg.matmul, (a, b), {})
    return to_out(out, result if name is None else label(result, name), "matmul")


def _require_ndim(function: str, name: str, x: Any, ndim: int, sentence: str) -> None:
    require_tensor(function, x, name)
    if x._array.ndim != ndim:
        raise ShapeError(
            sentence.format(name=name, ndim=x._array.ndim),
            remedy=f"{function} takes {name} with {ndim} dimensions; its shape is {list(x._array.shape)}.",
        )


_MATRIX = "{name} must be a matrix"
_BATCH = "{name} must be a 3D tensor"
_VECTOR = "outer: Expected 1-D argument {name}, but got {ndim}-D"


def mm(input: Any, mat2: Any, *, out: Any = None) -> Any:
    """Return the product of two matrices.

    >>> import fanin as torch
    >>> torch.mm(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]]))
    tensor([[11.]])
    """
    _require_ndim("mm", "self", input, 2, _MATRIX)
    _require_ndim("mm", "mat2", mat2, 2, _MATRIX)
    return _product(input, mat2, out)


def mv(input: Any, vec: Any, *, out: Any = None) -> Any:
    """Return the product of a matrix and a vector.

    >>> import fanin as torch
    >>> torch.mv(torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([3.0, 4.0]))
    tensor([11.,  4.])
    """
    return _product(*_matrix_and_vector(input, vec, 1), out)


def _matrix_and_vector(matrix: Any, vec: Any, ndim: int) -> tuple[Any, Any]:
    """Return both; raise RuntimeError for others, in a sum with a tensor of ndim dimensions."""
    both = require_tensor("mv", matrix)._array.ndim, require_tensor("mv", vec, "vec")._array.ndim
    if both != (2, 1):
        raise ShapeError(f"vector + matrix @ vector expected, got {ndim}, {both[0]}, {both[1]}")
    return matrix, vec


def dot(input: Any, tensor: Any, *, out: Any = None) -> Any:
    """Return the sum of the products of two vectors' elements.

    >>> import fanin as torch
    >>> torch.dot(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    tensor(11.)
    """
    both = require_tensor("dot", input)._array.ndim, require_tensor("dot", tensor, "tensor")._array.ndim
    if both != (1, 1):
        raise ShapeError(
            f"1D tensors expected, but got {both[0]}D and {both[1]}D tensors", remedy="For matrices, use torch.matmul."
        )
    if input.dtype != tensor.dtype:
        raise DtypeError(
            "dot : expected both vectors to have same dtype, but found "
            f"{input.dtype.legacy_name} and {tensor.dtype.legacy_name}"
        )
    return _product(input, tensor, out)


def bmm(input: Any, mat2: Any, *, out: Any = None) -> Any:
    """Return the products of the matrices of two batches of equal length.

    >>> import fanin as torch
    >>> torch.bmm(torch.ones(2, 1, 3), torch.ones(2, 3, 1)).shape
    torch.Size([2, 1, 1])
    """
    _require_ndim("bmm", "batch1", input, 3, _BATCH)
    _require_ndim("bmm", "batch2", mat2, 3, _BATCH)
    batch, _, inner = input._array.shape
    if mat2._array.shape[:2] != (batch, inner):
        raise ShapeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{batch}, {inner}] but got: "
            f"{list(mat2._array.shape[:2])}."
        )
    return _product(input, mat2, out, "BmmBackward0")


def outer(input: Any, vec2: Any, *, out: Any = None) -> Any:
    """Return the matrix of all products of one element of each vector.

    >>> import fanin as torch
    >>> torch.outer(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    _require_ndim("outer", "self", input, 1, _VECTOR)
    _require_ndim("outer", "vec2", vec2, 1, _VECTOR)
    return to_out(out, input.unsqueeze(1) * vec2, "outer")


def vdot(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the sum of the products of two vectors' elements.

    >>> import fanin as torch
    >>> torch.vdot(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor(11)
    """
    return dot(input, other, out=out)


def vecdot(x: Any, y: Any, *, dim: int = -1, out: Any = None) -> Any:
    """Return the sums of the products of the elements along dim.

    Raises RuntimeError when the dtypes differ.

    >>> import fanin as torch
    >>> torch.linalg.vecdot(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    words = "linalg.vecdot: Expected x and y to have the same dtype, but found x of type {0} and y of type {1} instead"
    require_one_dtype(words, require_tensor("linalg.vecdot", x), require_tensor("linalg.vecdot", y, "y"))
    return to_out(out, (x * y).sum(dim), "vecdot")


def inner(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the sums of the products of the elements along both last dimensions.

    >>> import fanin as torch
    >>> torch.inner(torch.tensor([[1, 2], [3, 4]]), torch.tensor([1, 1]))
    tensor([3, 7])
    """
    if not input._array.ndim or not other._array.ndim:
        return to_out(out, input * other, "inner")
    if input._array.shape[-1] != other._array.shape[-1]:
        raise ShapeError(
            f"inner() the last dimension must match on both input tensors but got shapes {list(input._array.shape)} "
            f"and {list(other._array.shape)}"
        )
    return to_out(out, tensordot(input, other, ([-1], [-1])), "inner")


# A product added to something -----------------------------------------------------------------------------------------


def _plus(input: Any, product: Any, beta: Any, alpha: Any, out: Any, name: str) -> Any:
    product = product if alpha == 1 else product * alpha
    result = product + (input if beta == 1 else input * beta) if beta != 0 else product
    if result._array.shape != product._array.shape:
        raise ShapeError(
            f"The expanded size of the tensor {list(product._array.shape)} must match the existing size "
            f"{list(input._array.shape)}: {name} adds the input to a product"
        )
    return to_out(out, label(result, f"{name.capitalize()}Backward0"), name)


def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Any:
    """Return beta * input + alpha * mat1 @ mat2, for matrices.

    >>> import fanin as torch
    >>> torch.addmm(torch.ones(1), torch.ones(2, 3), torch.ones(3, 2))
    tensor([[4., 4.],
            [4., 4.]])
    """
    return _plus(input, mm(mat1, mat2), beta, alpha, out, "addmm")


def addmv(input: Any, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Any:
    """Return beta * input + alpha * mat @ vec, for a matrix and a vector.

    >>> import fanin as torch
    >>> torch.addmv(torch.ones(1), torch.tensor([[1.0, 2.0]]), torch.tensor([3.0, 4.0]))
    tensor([12.])
    """
    return _plus(input, _product(*_matrix_and_vector(mat, vec, input._array.ndim)), beta, alpha, out, "addmv")


def addr(input: Any, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Any:
    """Return beta * input + alpha * the outer product of two vectors.

    >>> import fanin as torch
    >>> torch.addr(torch.zeros(2, 2), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), alpha=2)
    tensor([[ 6.,  8.],
            [12., 16.]])
    """
    return _plus(input, outer(vec1, vec2), beta, alpha, out, "addr")


def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Any:
    """Return beta * input + alpha * batch1 @ batch2, matrix by matrix.

    >>> import fanin as torch
    >>> torch.baddbmm(torch.ones(1), torch.ones(1, 1, 3), torch.ones(1, 3, 1), beta=2)
    tensor([[[5.]]])
    """
    return _plus(input, bmm(batch1, batch2), beta, alpha, out, "baddbmm")


def addbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Any:
    """Return beta * input + alpha * the sum of batch1 @ batch2 over the batch.

    >>> import fanin as torch
    >>> torch.addbmm(torch.ones(1, 1), torch.ones(2, 1, 3), torch.ones(2, 3, 1))
    tensor([[7.]])
    """
    return _plus(input, bmm(batch1, batch2).sum(0), beta, alpha, out, "addbmm")


# Chains and contractions ----------------------------------------------------------------------------------------------


def matrix_power(input: Any, n: int, *, out: Any = None) -> Any:
    """Return the n-th power of square matrices; a negative n of the inverse.

    Raises RuntimeError when the matrices are not square, or singular for a negative n.

    >>> import fanin as torch
    >>> torch.matrix_power(torch.tensor([[1.0, 1.0], [0.0, 1.0]]), 3)
    tensor([[1., 3.],
            [0., 1.]])
    """
    shape = require_tensor("matrix_power", input)._array.shape
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ShapeError(f"linalg.matrix_power: A must be batches of square matrices, but they are {list(shape)}")
    if n == 0:
        from fanin.tensor.functions.creation import eye

        return to_out(out, eye(shape[-1], dtype=input.dtype).expand(shape).clone(), "matrix_power")
    base = input if n > 0 else apply(linalg.inverse, (input,), {})
    result = None
    for bit in reversed(bin(abs(n))[2:]):
        if bit == "1":
            result = base if result is None else _product(result, base)
        base = _product(base, base)
    return to_out(out, result.clone() if result is input else result, "matrix_power")


def multi_dot(tensors: Any, *, out: Any = None) -> Any:
    """Return the product of several matrices, in the order of multiplication that costs least.

    Reference: T. H. Cormen et al., "Introduction to Algorithms", section 15.2, matrix-chain multiplication.

    >>> import fanin as torch
    >>> torch.linalg.multi_dot([torch.ones(1, 3), torch.ones(3, 2), torch.ones(2, 1)])
    tensor([[6.]])
    """
    given = list(require_tensors("multi_dot", tensors))
    if len(given) < 2:
        raise OperationError(f"multi_dot(): expected at least 2 tensors but got {len(given)}")
    drop_first, drop_last = given[0]._array.ndim == 1, given[-1]._array.ndim == 1
    given[0] = given[0].unsqueeze(0) if drop_first else given[0]
    given[-1] = given[-1].unsqueeze(1) if drop_last else given[-1]
    for x in given:
        _require_ndim("multi_dot", "tensor", x, 2, _MATRIX)
    result = _in_best_order(given)
    result = result.squeeze(0) if drop_first else result
    return to_out(out, result.squeeze(-1) if drop_last else result, "multi_dot")


def _in_best_order(given: list[Any]) -> Any:
    sizes = [given[0]._array.shape[0], *(x._array.shape[1] for x in given)]
    n = len(given)
    cost = {(i, i): 0 for i in range(n)}
    split: dict[tuple[int, int], int] = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            choices = [(cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)]
            cost[i, j], split[i, j] = min(choices)

    def product(i: int, j: int) -> Any:
        return given[i] if i == j else _product(product(i, split[i, j]), product(split[i, j] + 1, j))

    return product(0, n - 1)


def chain_matmul(*matrices: Any, out: Any = None) -> Any:
    """Return the product of several matrices, in the order of multiplication that costs least."""
    given = matrices[0] if len(matrices) == 1 and is_list(matrices[0]) else matrices
    return given[0].clone() if len(given) == 1 else multi_dot(given, out=out)


def tensordot(a: Any, b: Any, dims: Any = 2, out: Any = None) -> Any:
    """Return the sum of products over dimensions of both: the last ones of a and first ones of b, or two lists of them.

    >>> import fanin as torch
    >>> torch.tensordot(torch.ones(2, 3), torch.ones(3, 2), dims=1)
    tensor([[3., 3.],
            [3., 3.]])
    """
    left, right = _contracted(a._array.ndim, b._array.ndim, dims)
    for i, j in zip(left, right, strict=True):
        if a._array.shape[i] != b._array.shape[j]:
            raise ShapeError(
                f"contracted dimensions need to match, but first has size {a._array.shape[i]} in dim {i} and second "
                f"has size {b._array.shape[j]} in dim {j}"
            )
    keep_a = [i for i in range(a._array.ndim) if i not in left]
    keep_b = [j for j in range(b._array.ndim) if j not in right]
    shape = [a._array.shape[i] for i in keep_a] + [b._array.shape[j] for j in keep_b]
    inner_size = 1
    for i in left:
        inner_size *= a._array.shape[i]
    rows = a.permute(keep_a + left).reshape(_size(a, keep_a), inner_size)
    columns = b.permute(right + keep_b).reshape(inner_size, _size(b, keep_b))
    return to_out(out, _product(rows, columns).reshape(shape), "tensordot")


def _size(x: Any, dims: list[int]) -> int:
    total = 1
    for dim in dims:
        total *= x._array.shape[dim]
    return total


def _contracted(ndim_a: int, ndim_b: int, dims: Any) -> tuple[list[int], list[int]]:
    if is_dim(dims):
        if not 0 <= dims <= min(ndim_a, ndim_b):
            raise OperationError(f"tensordot expects 0 <= dims <= ndim_a or ndim_b, but got dims={dims}")
        return list(range(ndim_a - dims, ndim_a)), list(range(dims))
    left, right = ([d] if is_dim(d) else list(d) for d in dims)
    if len(left) != len(right):
        raise OperationError("both dimension lists should have same length")
    return [wrap_dim(d, ndim_a) for d in left], [wrap_dim(d, ndim_b) for d in right]


def kron(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the Kronecker product: every element of input times the whole of other, as blocks.

    >>> import fanin as torch
    >>> torch.kron(torch.eye(2), torch.tensor([[1.0, 2.0]]))
    tensor([[1., 2., 0., 0.],
            [0., 0., 1., 2.]])
    """
    ndim = max(input._array.ndim, other._array.ndim)
    a = (1,) * (ndim - input._array.ndim) + input._array.shape
    b = (1,) * (ndim - other._array.ndim) + other._array.shape
    left = input.reshape([n for size in a for n in (size, 1)])
    right = other.reshape([n for size in b for n in (1, size)])
    result = (left * right).reshape([n * m for n, m in zip(a, b, strict=True)])
    return to_out(out, label(result, "UnsafeViewBackward0"), "kron")


def cross(input: Any, other: Any, dim: int | None = None, *, out: Any = None) -> Any:
    """Return the vectors perpendicular to both along dim, which has 3 elements (the first such one by default).

    >>> import fanin as torch
    >>> torch.cross(torch.tensor([1, 0, 0]), torch.tensor([0, 1, 0]), dim=0)
    tensor([0, 0, 1])
    """
    a, b = broadcast_tensors(input, other)
    require_one_dtype("expected scalar type {0} but found {1}", a, b)
    if dim is None:
        if 3 not in a._array.shape:
            raise OperationError("no dimension of size 3 in input")
        dim = a._array.shape.index(3)
    dim = wrap_dim(dim, a._array.ndim)
    if a._array.shape[dim] != 3:
        raise OperationError(f"linalg.cross: inputs dimension {dim} must have length 3. Got {a._array.shape[dim]}")
    result = a.roll(-1, dim) * b.roll(1, dim) - a.roll(1, dim) * b.roll(-1, dim)
    return to_out(out, label(result, "LinalgCrossBackward0"), "cross")


ger = outer
