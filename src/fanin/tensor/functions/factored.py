"""Solving with factors that are there already, factors with their pivots, and results that say where they failed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fanin._core.errors import GraphError, OperationError, ShapeError
from fanin.ops.singular import LinAlgError, bad_minor, zero_pivot
from fanin.tensor import return_types
from fanin.tensor.functions.decompositions import cholesky, inverse, solve, solve_triangular
from fanin.tensor.functions.operands import require_known, require_one_dtype, require_tensor, to_out
from fanin.tensor.grad_mode import mode
from fanin.tensor.tape import label, wrap


def cholesky_solve(B: Any, L: Any, upper: bool = False, *, out: Any = None) -> Any:
    """Return X with A X = B, of A = L L^T (U^T U when upper): two triangular systems.

    B: shape (..., n, k).
    L: shape (..., n, n), as `torch.linalg.cholesky` gives it.

    Raises RuntimeError where the shapes do not fit.

    >>> import fanin as torch
    >>> torch.cholesky_solve(torch.tensor([[4.0], [9.0]]), torch.tensor([[2.0, 0.0], [0.0, 3.0]]))
    tensor([[1.],
            [1.]])
    """
    right, left = (require_tensor("cholesky_solve", t, name)._array.shape for t, name in ((B, "input"), (L, "input2")))
    for name, shape in (("b", right), ("u", left)):
        if len(shape) < 2:
            raise ShapeError(f"{name} should have at least 2 dimensions, but has {len(shape)} dimensions instead")
    if left[-1] != left[-2]:
        raise ShapeError(f"A must be batches of square matrices, but they are {left[-2]} by {left[-1]} matrices")
    if left[-1] != right[-2]:
        raise ShapeError(
            f"Incompatible matrix sizes for cholesky_solve: each A matrix is {left[-2]} by {left[-1]} but each b "
            f"matrix is {right[-2]} by {right[-1]}"
        )
    words = "Expected b and A to have the same dtype, but found b of type {0} and A of type {1} instead."
    require_one_dtype(words, B, L)
    # One triangle is read, and the gradient goes to all of L, as if A were computed of it: so PyTorch has it.
    factor = L + ((L.triu() if upper else L.tril()) - L).detach()
    first, second = (factor.mT, factor) if upper else (factor, factor.mT)
    result = solve(second, solve(first, B))
    return to_out(out, label(result, "CholeskySolveBackward0"), "cholesky_solve")


def cholesky_inverse(L: Any, upper: bool = False, *, out: Any = None) -> Any:
    """Return the inverse of A = L L^T (U^T U when upper).

    >>> import fanin as torch
    >>> torch.cholesky_inverse(torch.tensor([[2.0, 0.0], [1.0, 1.0]]))
    tensor([[ 0.5000, -0.5000],
            [-0.5000,  1.0000]])
    """
    array = require_tensor("cholesky_inverse", L)._array
    result = cholesky_solve(wrap(np.eye(array.shape[-1], dtype=array.dtype)), L, upper)
    return to_out(out, label(result, "CholeskyInverseBackward0"), "cholesky_inverse")


# Results with the place of a failure ----------------------------------------------------------------------------------


def inv_ex(A: Any, *, check_errors: bool = False, out: Any = None) -> Any:
    """Return (inverse, info) of square matrices: info is 0, or at which pivot a matrix is singular.

    >>> import fanin as torch
    >>> torch.linalg.inv_ex(torch.zeros(1, 1)).info
    tensor(1, dtype=torch.int32)
    """
    return return_types.linalg_inv_ex(_with_info(inverse, A, zero_pivot, check_errors))


def cholesky_ex(A: Any, *, upper: bool = False, check_errors: bool = False, out: Any = None) -> Any:
    """Return (L, info): info is 0, or the order of the first leading minor that is not positive-definite.

    >>> import fanin as torch
    >>> torch.linalg.cholesky_ex(-torch.eye(2)).info
    tensor(1, dtype=torch.int32)
    """
    return return_types.linalg_cholesky_ex(_with_info(lambda a: cholesky(a, upper), A, bad_minor, check_errors))


def solve_ex(A: Any, B: Any, *, left: bool = True, check_errors: bool = False, out: Any = None) -> Any:
    """Return (result, info) of A X = B: info is 0, or at which pivot a matrix is singular."""
    return return_types.linalg_solve_ex(_with_info(lambda a: solve(a, B, left=left), A, zero_pivot, check_errors))


def _with_info(function: Callable[[Any], Any], A: Any, fault: Any, check_errors: bool) -> tuple[Any, Any]:
    """Return a result and zeros, or NaN in its place and where each matrix went wrong."""
    batch = require_tensor("linalg", A)._array.shape[:-2]
    try:
        return function(A), wrap(np.zeros(batch, np.int32))
    except LinAlgError:
        if check_errors:
            raise
        matrices = A._array.reshape(-1, *A._array.shape[-2:])
        info = np.array([fault(matrix) for matrix in matrices], np.int32).reshape(batch)
        sound = wrap(np.broadcast_to(np.eye(matrices.shape[-1], dtype=A._array.dtype), A._array.shape).copy())
        return function(sound) * math.nan, wrap(info)


# Householder's reflections --------------------------------------------------------------------------------------------


def geqrf(input: Any) -> Any:
    """Return (a, tau): the QR decomposition with R above and Householder's vectors below the diagonal."""
    array = _without_gradient("geqrf", input)
    packed, tau = np.linalg.qr(array, mode="raw")
    a = np.ascontiguousarray(np.swapaxes(packed, -1, -2)).astype(array.dtype)
    return return_types.geqrf((wrap(a), wrap(tau.astype(array.dtype))))


def householder_product(A: Any, tau: Any, *, out: Any = None) -> Any:
    """Return the first n columns of H_1 H_2 ... H_k with H_i = I - tau_i v_i v_i^T.

    A:   shape (..., m, n), m >= n; v_i is its column i below the diagonal, with 1 on it and 0 above.
    tau: shape (..., k), k <= n.
    """
    rows, columns = require_tensor("linalg.householder_product", A)._array.shape[-2:]
    if columns > rows:
        raise ShapeError(
            "torch.linalg.householder_product: input.shape[-2] must be greater than or equal to input.shape[-1]"
        )
    kind = A._array.dtype
    vectors = A.tril(-1) + wrap(np.eye(rows, columns, dtype=kind))
    result: Any = wrap(np.eye(rows, columns, dtype=kind))
    for i in reversed(range(tau._array.shape[-1])):
        v = vectors[..., i : i + 1]
        result = result - tau[..., i : i + 1, None] * (v @ (v.mT @ result))
    return to_out(out, result, "householder_product")


# Gaussian elimination -------------------------------------------------------------------------------------------------


def lu_factor(A: Any, *, pivot: bool = True, out: Any = None) -> Any:
    """Return (LU, pivots) of A = P L U: both triangles in one matrix, and the row that each row was exchanged with.

    Raises LinAlgError when a matrix is singular, RuntimeError when a gradient is wanted.

    >>> import fanin as torch
    >>> torch.linalg.lu_factor(torch.tensor([[0.0, 1.0], [2.0, 0.0]])).pivots
    tensor([2, 2], dtype=torch.int32)
    """
    factors, pivots, info = lu_factor_ex(A, pivot=pivot)
    if info._array.any():
        place = int(info._array[info._array != 0].flat[0])
        raise LinAlgError(
            f"torch.linalg.lu_factor: U[{place},{place}] is zero and using it on lu_solve would result in a division "
            "by zero. If you still want to perform the factorization, consider calling linalg.lu(A, pivot) or "
            "linalg.lu_factor_ex(A, pivot)"
        )
    return return_types.linalg_lu_factor((factors, pivots))


def lu_factor_ex(A: Any, *, pivot: bool = True, check_errors: bool = False, out: Any = None) -> Any:
    """Return (LU, pivots, info): info is 0, or at which pivot a matrix is singular."""
    if not pivot:
        raise OperationError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")
    array = _without_gradient("linalg.lu_factor", A)
    found = [_eliminated(matrix) for matrix in array.reshape(-1, *array.shape[-2:])]
    factors = np.array([f for f, _, _ in found], array.dtype).reshape(array.shape)
    pivots = np.array([p for _, p, _ in found], np.int32).reshape(*array.shape[:-2], min(array.shape[-2:]))
    info = np.array([i for _, _, i in found], np.int32).reshape(array.shape[:-2])
    return return_types.linalg_lu_factor_ex((wrap(factors), wrap(pivots), wrap(info)))


def _eliminated(a: Any) -> tuple[Any, list[int], int]:
    u, pivots, info = np.array(a, np.float64), [], 0
    for k in range(min(a.shape)):
        best = k + int(np.argmax(np.abs(u[k:, k])))
        pivots.append(best + 1)
        u[[k, best]] = u[[best, k]]
        if u[k, k] == 0:
            info = info or k + 1
            continue
        u[k + 1 :, k] /= u[k, k]
        u[k + 1 :, k + 1 :] -= np.outer(u[k + 1 :, k], u[k, k + 1 :])
    return u, pivots, info


def lu(A: Any, *, pivot: bool = True, out: Any = None) -> Any:
    """Return (P, L, U) with A = P L U: a permutation, and the lower and upper triangle of elimination.

    Raises RuntimeError when a gradient is wanted.

    >>> import fanin as torch
    >>> torch.linalg.lu(torch.tensor([[0.0, 1.0], [2.0, 0.0]])).P
    tensor([[0., 1.],
            [1., 0.]])
    """
    factors, pivots, _ = lu_factor_ex(A, pivot=pivot)
    rows, columns = factors._array.shape[-2:]
    least = min(rows, columns)
    lower = factors[..., :least].tril(-1) + wrap(np.eye(rows, least, dtype=factors._array.dtype))
    permuted = np.eye(rows, dtype=factors._array.dtype)[_order(pivots._array, rows)]
    return return_types.linalg_lu((wrap(np.swapaxes(permuted, -1, -2).copy()), lower, factors[..., :least, :].triu()))


def _order(pivots: Any, rows: int) -> Any:
    """Return which row of A each row of L U is."""
    order = np.broadcast_to(np.arange(rows), (*pivots.shape[:-1], rows)).copy()
    for index in np.ndindex(*pivots.shape[:-1]):
        for k, other in enumerate(pivots[index] - 1):
            order[index][[k, other]] = order[index][[other, k]]
    return order


def lu_solve(LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False, out: Any = None) -> Any:
    """Return X with A X = B, of A as `lu_factor` gave it.

    >>> import fanin as torch
    >>> LU, pivots = torch.linalg.lu_factor(torch.tensor([[0.0, 1.0], [2.0, 0.0]]))
    >>> torch.linalg.lu_solve(LU, pivots, torch.tensor([[3.0], [4.0]]))
    tensor([[2.],
            [3.]])
    """
    if not left or adjoint:
        raise OperationError("linalg.lu_solve: left=False and adjoint=True are not part of fanin; use linalg.solve")
    found = "found LU of type {0} and B of type {1} instead"
    require_one_dtype(f"linalg.lu_solve: Expected LU and B to have the same dtype, but {found}", LU, B)
    order = _order(require_known("linalg.lu_solve", pivots, "exchanges rows", "Use linalg.solve."), LU._array.shape[-1])
    index = wrap(np.ascontiguousarray(order[..., None]).astype(np.int64))
    right = B.gather(-2, index.expand(B._array.shape))
    half = solve_triangular(LU, right, upper=False, unitriangular=True)
    result = solve_triangular(LU, half, upper=True)
    return to_out(out, label(result, "LinalgLuSolveBackward0"), "linalg.lu_solve")


def _without_gradient(function: str, A: Any) -> Any:
    if require_tensor(function, A)._requires_grad and mode.enabled:
        raise GraphError(
            f"the derivative of {function} is not part of fanin",
            remedy="Take .detach() of its input when no gradient is needed there; linalg.solve and qr have one.",
        )
    return require_known(function, A, "eliminates with numbers", "Use linalg.solve or linalg.qr.")


# Systems of more dimensions -------------------------------------------------------------------------------------------


def tensorsolve(A: Any, B: Any, dims: Any = None, *, out: Any = None) -> Any:
    """Return X with tensordot(A, X, X.ndim) = B; dims of A are moved to its end first.

    >>> import fanin as torch
    >>> torch.linalg.tensorsolve(2 * torch.eye(4).reshape(2, 2, 4), torch.ones(2, 2))
    tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """
    if dims is not None:
        moved = [d % A._array.ndim for d in dims]
        A = A.permute(*(d for d in range(A._array.ndim) if d not in moved), *moved)
    shape, count = A._array.shape[B._array.ndim :], B._array.size
    if math.prod(shape) != count:
        raise ShapeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), "
            f"but got {math.prod(shape)} != {count}"
        )
    return to_out(out, solve(A.reshape(count, count), B.reshape(-1)).reshape(shape), "linalg.tensorsolve")


def tensorinv(A: Any, ind: int = 2, *, out: Any = None) -> Any:
    """Return the inverse of the map that A is from its last dimensions to its first `ind` ones.

    >>> import fanin as torch
    >>> torch.linalg.tensorinv(torch.eye(4).reshape(2, 2, 4)).shape
    torch.Size([4, 2, 2])
    """
    shape = A._array.shape
    rows, columns = shape[:ind], shape[ind:]
    if math.prod(rows) != math.prod(columns):
        raise ShapeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got "
            f"{math.prod(columns)} != {math.prod(rows)}"
        )
    result = inverse(A.reshape(math.prod(rows), -1)).reshape((*columns, *rows))
    return to_out(out, result, "linalg.tensorinv")
