"""Solving systems, inverses, determinants and decompositions of matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin._core.errors import DtypeError, OperationError, ShapeError
from fanin.ops import decomposition, linalg
from fanin.ops.arithmetic import where
from fanin.ops.elementwise import copy
from fanin.ops.index import getitem
from fanin.ops.op import Op
from fanin.tensor import return_types
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.operands import require_known, require_one_dtype, require_tensor, to_out
from fanin.tensor.tape import apply, label, wrap


def _matrices(function: str, A: Any, *, square: bool = False) -> Any:
    """Return A; raise RuntimeError unless it holds floating matrices, square ones when asked."""
    shape = require_tensor(function, A)._array.shape
    if len(shape) < 2:
        raise ShapeError(f"{function}: The input tensor A must have at least 2 dimensions.")
    if square and shape[-1] != shape[-2]:
        raise ShapeError(
            f"{function}: A must be batches of square matrices, but they are {shape[-2]} by {shape[-1]} matrices"
        )
    if A._array.dtype not in (np.float32, np.float64):
        raise DtypeError(f"{function}: Expected a floating point or complex tensor as input. Got {A.dtype.legacy_name}")
    return A


def _parts(A: Any, op: Op, attrs: dict[str, Any], shapes: Any, name: str) -> list[Any]:
    """Return the matrices of a decomposition, each in memory of its own."""
    together, batch = apply(op, (A,), attrs), A._array.shape[:-2]
    found, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        part = apply(getitem, (together,), {"index": (Ellipsis, slice(start, stop))})
        copied = apply(copy, (part.reshape(*batch, *shape),), {"order": "C"})
        found.append(label(copied, name))
        start = stop
    return found


# Systems --------------------------------------------------------------------------------------------------------------


def inverse(input: Any, *, out: Any = None) -> Any:
    """Return the inverse of square matrices.

    Raises RuntimeError when a matrix is singular.

    >>> import fanin as torch
    >>> torch.inverse(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    return to_out(out, apply(linalg.inverse, (_matrices("linalg.inv", input, square=True),), {}), "linalg.inv")


def solve(A: Any, B: Any, *, left: bool = True, out: Any = None) -> Any:
    """Return X with A X = B (X A = B when not left); B holds matrices, or vectors.

    Raises RuntimeError when A is singular, or the shapes or dtypes do not fit.

    >>> import fanin as torch
    >>> torch.linalg.solve(torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.tensor([2.0, 2.0]))
    tensor([1.0000, 0.5000])
    """
    _matrices("linalg.solve", A, square=True)
    require_tensor("linalg.solve", B)
    words = "linalg.solve: Expected A and B to have the same dtype, but found A of type {0} and B of type {1} instead"
    require_one_dtype(words, A, B)
    shape = A._array.shape
    vector = B._array.ndim == 1 or (B._array.ndim == len(shape) - 1 and B._array.shape == shape[:-1])
    result = _solution("linalg.solve", A, B.unsqueeze(-1) if vector else B, left)
    return to_out(out, label(result.squeeze(-1) if vector else result, "LinalgSolveExBackward0"), "linalg.solve")


def _solution(function: str, A: Any, B: Any, left: bool) -> Any:
    """Return X with A X = B (X A = B when not left) of matrices."""
    a, b = A._array.shape, B._array.shape
    if len(b) < 2:
        raise ShapeError(f"{function}: The input tensor B must have at least 2 dimensions.")
    if a[-1] != b[-2 if left else -1]:
        equation = "AX = B" if left else "XA = B"
        raise ShapeError(
            f"{function}: Incompatible shapes of A and B for the equation {equation} "
            f"({a[-2]}x{a[-1]} and {b[-2]}x{b[-1]})",
            remedy=f"The shapes were {list(a)} and {list(b)}.",
        )
    return apply(linalg.solve, (A, B), {}) if left else apply(linalg.solve, (A.mT, B.mT), {}).mT


def solve_triangular(
    A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False, out: Any = None
) -> Any:
    """Return X with A X = B (X A = B when not left) for triangular A, of which only that triangle is read.

    Raises RuntimeError when A is singular, or the shapes do not fit; B holds matrices.

    >>> import fanin as torch
    >>> torch.linalg.solve_triangular(torch.tensor([[2.0, 1.0], [0.0, 4.0]]), torch.tensor([[4.0], [8.0]]), upper=True)
    tensor([[1.],
            [2.]])
    """
    _matrices("linalg.solve_triangular", A, square=True)
    require_tensor("linalg.solve_triangular", B)
    triangle = A.triu() if upper else A.tril()
    if unitriangular:
        eye = wrap(np.eye(A._array.shape[-1], dtype=A._array.dtype))
        triangle = triangle - triangle * eye + eye
    result = label(_solution("linalg.solve_triangular", triangle, B, left), "LinalgSolveTriangularBackward0")
    return to_out(out, result, "linalg.solve_triangular")


def det(input: Any) -> Any:
    """Return the determinants of square matrices.

    >>> import fanin as torch
    >>> torch.det(torch.tensor([[2.0, 0.0], [0.0, 3.0]]))
    tensor(6.)
    """
    return apply(linalg.det, (_matrices("linalg.det", input, square=True),), {})


def linalg_slogdet(A: Any, *, out: Any = None) -> Any:
    """Return (sign, log |det|) of square matrices.

    >>> import fanin as torch
    >>> torch.linalg.slogdet(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    torch.return_types.linalg_slogdet(
    sign=tensor(-1.),
    logabsdet=tensor(0.))
    """
    return return_types.linalg_slogdet(_sign_and_size(A))


def slogdet(input: Any) -> Any:
    """Return (sign, log |det|) of square matrices."""
    return return_types.slogdet(_sign_and_size(input))


def _sign_and_size(A: Any) -> tuple[Any, Any]:
    _matrices("linalg.slogdet", A, square=True)
    return apply(linalg.sign_of_det, (A.detach(),), {}), apply(linalg.log_abs_det, (A,), {})


def logdet(input: Any) -> Any:
    """Return log(det) of square matrices: nan where the determinant is negative.

    >>> import fanin as torch
    >>> torch.logdet(torch.tensor([[2.0, 0.0], [0.0, 3.0]]))
    tensor(1.7918)
    """
    sign, size = _sign_and_size(input)
    hidden = apply(where, (sign < 0, math.nan, wrap(np.zeros((), input._array.dtype))), {})
    return label(size + hidden, "WhereBackward0")


def pinv(A: Any, *, atol: Any = None, rtol: Any = None, hermitian: bool = False, out: Any = None) -> Any:
    """Return the pseudoinverse of Moore and Penrose; singular values below the tolerance count as 0.

    >>> import fanin as torch
    >>> torch.linalg.pinv(torch.tensor([[2.0], [0.0]]))
    tensor([[0.5000, 0.0000]])
    """
    limits = {"atol": _tolerance("pinv", atol), "rtol": _tolerance("pinv", rtol)}
    return to_out(out, apply(decomposition.pinv, (_matrices("linalg.pinv", A),), limits), "linalg.pinv")


def pinverse(input: Any, rcond: float = 1e-15) -> Any:
    """Return the pseudoinverse; singular values below rcond times the largest count as 0."""
    return pinv(input, rtol=rcond)


def _tolerance(function: str, value: Any) -> Any:
    """Return a tolerance as a number, or an array of numbers; None as it is."""
    if not isinstance(value, TensorBase):
        return None if value is None else float(value)
    array = require_known(function, value, "compares with a tolerance", "Give the tolerance as a number.")
    return array if array.ndim else array.item()


def matrix_rank(A: Any, *, atol: Any = None, rtol: Any = None, hermitian: bool = False, out: Any = None) -> Any:
    """Return how many singular values are above the tolerance.

    >>> import fanin as torch
    >>> torch.linalg.matrix_rank(torch.tensor([[1.0, 2.0], [2.0, 4.0]]))
    tensor(1)
    """
    limits = {"atol": _tolerance("matrix_rank", atol), "rtol": _tolerance("matrix_rank", rtol)}
    return to_out(out, apply(decomposition.matrix_rank, (_matrices("linalg.matrix_rank", A),), limits), "matrix_rank")


def lstsq(A: Any, B: Any, rcond: Any = None, *, driver: str | None = None) -> Any:
    """Return (solution, residuals, rank, singular_values) of min ||A X - B||.

    residuals are the squared errors of each column, for the drivers gels, gelsd and gelss; else empty, as where A has
    no more rows than its rank.

    >>> import fanin as torch
    >>> A, B = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), torch.tensor([[1.0], [3.0], [5.0]])
    >>> torch.linalg.lstsq(A, B).solution.round(decimals=4)
    tensor([[1.],
            [2.]])
    """
    shape, kind = _matrices("linalg.lstsq", A)._array.shape, A._array.dtype
    require_one_dtype(
        "torch.linalg.lstsq: Expected input and other to have the same dtype, but got input's dtype {0} and other's "
        "dtype {1}",
        A,
        require_tensor("linalg.lstsq", B),
    )
    # A row of vectors for a batch of matrices, or else matrices whose batches are broadcast.
    vector = B._array.ndim == 1 or (B._array.ndim == len(shape) - 1 and B._array.shape == shape[:-1])
    b = B.unsqueeze(-1) if vector else B
    if len(shape) < B._array.ndim:
        raise ShapeError(f"linalg.lstsq: input must have as many dimensions as other, got {shape} and {B._array.shape}")
    if shape[-2] != b._array.shape[-2]:
        raise ShapeError(f"linalg.lstsq: input.size(-2) should match other.size(-2), got {shape} and {b._array.shape}")
    batch = np.broadcast_shapes(shape[:-2], b._array.shape[:-2])
    if batch != shape[:-2] or batch != b._array.shape[:-2]:
        A, b = A.expand((*batch, *shape[-2:])), b.expand((*batch, *b._array.shape[-2:]))
    rtol = _tolerance("lstsq", rcond)
    x = apply(decomposition.lstsq, (A, b), {"rtol": rtol})
    rank = apply(decomposition.matrix_rank, (A,), {"atol": None, "rtol": rtol})
    residuals = wrap(np.zeros(0, kind))
    if driver in ("gels", "gelsd", "gelss") and shape[-2] > shape[-1] and _is_full("lstsq", rank, shape[-1]):
        residuals = ((A.detach() @ x.detach() - b.detach()) ** 2).sum(-2)  # the default, gelsy, leaves them out
    values = svdvals(A.detach()) if driver in ("gelsd", "gelss") else wrap(np.zeros(0, kind))
    shown = wrap(np.zeros(0, np.int64)) if driver == "gels" else rank
    solution = label(x.squeeze(-1) if vector else x, "LinalgLstsqBackward0")
    return return_types.linalg_lstsq((solution, residuals, shown, values))


def _is_full(function: str, rank: Any, columns: int) -> bool:
    found = require_known(
        function, rank, "has residuals where A has its full rank", "Leave out driver=, and compute the residuals."
    )
    return bool((found == columns).all())


# Decompositions -------------------------------------------------------------------------------------------------------


def cholesky(input: Any, upper: bool = False, *, out: Any = None) -> Any:
    """Return the lower triangular L with L L^T = A, of positive-definite A (L^T when upper).

    Raises RuntimeError when A is not positive-definite.

    >>> import fanin as torch
    >>> torch.cholesky(torch.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    result = apply(decomposition.cholesky, (_matrices("linalg.cholesky", input, square=True),), {})
    return to_out(out, result.mT if upper else result, "linalg.cholesky")


def qr(input: Any, some: bool = True, *, out: Any = None) -> Any:
    """Return (Q, R) with A = Q R, Q with orthonormal columns and R upper triangular; all columns of Q when not some."""
    return return_types.qr(linalg_qr(input, "reduced" if some else "complete"))


def linalg_qr(A: Any, mode: str = "reduced", *, out: Any = None) -> Any:
    """Return (Q, R) with A = Q R, Q with orthonormal columns and R upper triangular; mode "complete" or "r" as well.

    >>> import fanin as torch
    >>> q, r = torch.linalg.qr(torch.tensor([[0.0, 2.0], [1.0, 0.0]]))
    >>> torch.allclose(q @ r, torch.tensor([[0.0, 2.0], [1.0, 0.0]]))
    True
    """
    shape = _matrices("linalg.qr", A)._array.shape
    if mode not in ("reduced", "complete", "r"):
        raise OperationError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    how = "complete" if mode == "complete" else "reduced"
    q, r = _parts(A, decomposition.qr, {"mode": how}, decomposition.qr_shapes(shape, how), "LinalgQrBackward0")
    return return_types.linalg_qr((wrap(np.zeros(0, r._array.dtype)) if mode == "r" else q, r))


def svd(input: Any, some: bool = True, compute_uv: bool = True, *, out: Any = None) -> Any:
    """Return (U, S, V) with A = U diag(S) V^T; `torch.linalg.svd` returns V^T in place of V."""
    found = linalg_svd(input, not some)
    return return_types.svd((found.U, found.S, found.Vh.mT))


def linalg_svd(A: Any, full_matrices: bool = True, *, driver: Any = None, out: Any = None) -> Any:
    """Return (U, S, Vh) with A = U diag(S) Vh: U and V with orthonormal columns, S in descending order.

    >>> import fanin as torch
    >>> torch.linalg.svd(torch.tensor([[0.0, 3.0], [-2.0, 0.0]])).S
    tensor([3., 2.])
    """
    full = bool(full_matrices)
    shapes = decomposition.svd_shapes(_matrices("linalg.svd", A)._array.shape, full)
    u, s, vh = _parts(A, decomposition.svd, {"full": full}, shapes, "LinalgSvdBackward0")
    return return_types.linalg_svd((u, svdvals(A) if A.requires_grad else s, vh))


def svdvals(A: Any, *, driver: Any = None, out: Any = None) -> Any:
    """Return the singular values in descending order.

    >>> import fanin as torch
    >>> torch.linalg.svdvals(torch.tensor([[3.0, 0.0], [0.0, -4.0]]))
    tensor([4., 3.])
    """
    return to_out(out, apply(decomposition.singular_values, (_matrices("linalg.svdvals", A),), {}), "linalg.svdvals")


def eigh(A: Any, UPLO: str = "L", *, out: Any = None) -> Any:
    """Return (eigenvalues, eigenvectors) of symmetric matrices, in ascending order; one triangle of A is read.

    >>> import fanin as torch
    >>> torch.linalg.eigh(torch.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    _matrices("linalg.eigh", A, square=True)
    shape = A._array.shape
    values, vectors = _parts(A, decomposition.eigh, {"uplo": UPLO}, (shape[-1:], shape[-2:]), "LinalgEighBackward0")
    return return_types.linalg_eigh((eigvalsh(A, UPLO) if A.requires_grad else values, vectors))


def eigvalsh(A: Any, UPLO: str = "L", *, out: Any = None) -> Any:
    """Return the eigenvalues of symmetric matrices in ascending order; one triangle of A is read.

    >>> import fanin as torch
    >>> torch.linalg.eigvalsh(torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([1., 2.])
    """
    _matrices("linalg.eigvalsh", A, square=True)
    lower = A if UPLO == "L" else A.mT
    return to_out(out, apply(decomposition.eigenvalues, (lower,), {}), "linalg.eigvalsh")


def cond(A: Any, p: Any = None, *, out: Any = None) -> Any:
    """Return the condition number: norm(A) * norm(inverse of A), of singular values when p is None, 2 or -2.

    >>> import fanin as torch
    >>> torch.linalg.cond(torch.tensor([[4.0, 0.0], [0.0, 2.0]]))
    tensor(2.)
    """
    if p in (None, 2, -2):
        s = svdvals(A)
        largest, smallest = s[..., 0], s[..., -1]
        return to_out(out, smallest / largest if p == -2 else largest / smallest, "linalg.cond")
    from fanin.tensor.functions.norms import matrix_norm

    return to_out(out, matrix_norm(A, p) * matrix_norm(inverse(A), p), "linalg.cond")


def matrix_exp(A: Any) -> Any:
    """Return exp of square matrices: scaled down, summed by its series, and squared up again.

    >>> import fanin as torch
    >>> torch.matrix_exp(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([[1., 1.],
            [0., 1.]])
    """
    _matrices("linalg.matrix_exp", A, square=True)
    return apply(decomposition.matrix_exp, (A,), {})
