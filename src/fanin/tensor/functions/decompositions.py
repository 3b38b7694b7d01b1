"""Solving systems, inverses, determinants and decompositions of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import DtypeError, OperationError, ShapeError
from fanin.ops import linalg
from fanin.tensor import return_types
from fanin.tensor.functions.operands import require_tensor, to_out
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
        raise DtypeError(f"{function}: Expected a floating point or complex tensor as input. Got {A.dtype}")
    return A


def _part(A: Any, value: Any, what: str, name: str) -> Any:
    """Return a part of a decomposition, which says so when a derivative is asked for."""
    value = np.asarray(value)
    if value.dtype.kind != "f":
        return wrap(value)
    return label(apply(linalg.opaque, (A,), {"value": value, "what": what}), name)


def _attempt(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except np.linalg.LinAlgError as error:
        raise OperationError(f"linalg: the algorithm failed on this matrix: {error}") from None


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

    Raises RuntimeError when A is singular or the shapes do not fit.
    """
    _matrices("linalg.solve", A, square=True)
    require_tensor("linalg.solve", B)
    shape = A._array.shape
    vector = B._array.ndim == 1 or (B._array.ndim == len(shape) - 1 and B._array.shape == shape[:-1])
    right = B.unsqueeze(-1) if vector else B
    if left:
        result = apply(linalg.solve, (A, right), {})
    else:
        result = apply(linalg.solve, (A.mT, right.mT), {}).mT
    return to_out(out, label(result.squeeze(-1) if vector else result, "LinalgSolveExBackward0"), "linalg.solve")


def solve_triangular(
    A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False, out: Any = None
) -> Any:
    """Return X with A X = B for triangular A, of which only that triangle is read."""
    _matrices("linalg.solve_triangular", A, square=True)
    triangle = A.triu() if upper else A.tril()
    if unitriangular:
        eye = wrap(np.eye(A._array.shape[-1], dtype=A._array.dtype))
        triangle = triangle - triangle * eye + eye
    return solve(triangle, B, left=left, out=out)


def det(input: Any) -> Any:
    """Return the determinants of square matrices."""
    return apply(linalg.det, (_matrices("linalg.det", input, square=True),), {})


def linalg_slogdet(A: Any, *, out: Any = None) -> Any:
    """Return (sign, log |det|) of square matrices."""
    return return_types.linalg_slogdet(_sign_and_size(A))


def slogdet(input: Any) -> Any:
    """Return (sign, log |det|) of square matrices."""
    return return_types.slogdet(_sign_and_size(input))


def _sign_and_size(A: Any) -> tuple[Any, Any]:
    _matrices("linalg.slogdet", A, square=True)
    sign, _ = np.linalg.slogdet(A._array)
    return wrap(np.asarray(sign, A._array.dtype)), apply(linalg.log_abs_det, (A,), {})


def logdet(input: Any) -> Any:
    """Return log(det) of square matrices: nan where the determinant is negative."""
    sign, size = _sign_and_size(input)
    return label(size + wrap(np.where(sign._array < 0, np.nan, 0).astype(input._array.dtype)), "WhereBackward0")


def pinv(A: Any, *, atol: Any = None, rtol: Any = None, hermitian: bool = False, out: Any = None) -> Any:
    """Return the pseudoinverse of Moore and Penrose; singular values below the tolerance count as 0."""
    array = _matrices("linalg.pinv", A)._array
    u, s, vh = _attempt(np.linalg.svd, array, False)
    kept = s > _tolerance(array, s, atol, rtol)
    scale = np.divide(1, s, out=np.zeros_like(s), where=kept)
    value = np.matmul(np.swapaxes(vh, -1, -2) * scale[..., None, :], np.swapaxes(u, -1, -2))
    return to_out(out, _part(A, value, "the pseudoinverse", "LinalgPinvBackward0"), "linalg.pinv")


def pinverse(input: Any, rcond: float = 1e-15) -> Any:
    """Return the pseudoinverse; singular values below rcond times the largest count as 0."""
    return pinv(input, rtol=rcond)


def _tolerance(array: Any, s: Any, atol: Any, rtol: Any) -> Any:
    """Return the size below which a singular value counts as 0: by default eps * the larger side * the largest."""
    if rtol is None:
        rtol = 0.0 if atol is not None and np.any(atol) else np.finfo(array.dtype).eps * max(array.shape[-2:])
    if not s.size:
        return np.zeros_like(s)
    return np.maximum(0.0 if atol is None else atol, rtol * s[..., :1])


def matrix_rank(A: Any, *, atol: Any = None, rtol: Any = None, hermitian: bool = False, out: Any = None) -> Any:
    """Return how many singular values are above the tolerance."""
    array = _matrices("linalg.matrix_rank", A)._array
    s = _attempt(lambda x: np.linalg.svd(x, compute_uv=False), array)
    return to_out(out, wrap(np.asarray((s > _tolerance(array, s, atol, rtol)).sum(axis=-1), np.int64)), "matrix_rank")


def lstsq(A: Any, B: Any, rcond: Any = None, *, driver: str | None = None) -> Any:
    """Return (solution, residuals, rank, singular_values) of min ||A X - B||.

    residuals are the squared errors of each column, for the drivers gels, gelsd and gelss; else empty, as where A has
    no more rows than its rank.
    """
    a = _matrices("linalg.lstsq", A)._array
    vector = B._array.ndim == a.ndim - 1
    b = B._array[..., None] if vector else B._array
    if a.shape[:-1] != b.shape[:-1]:
        raise ShapeError(f"linalg.lstsq: input.size(-2) should match other.size(-2), got {a.shape} and {b.shape}")
    u, s, vh = _attempt(np.linalg.svd, a, False)
    kept = s > (np.finfo(a.dtype).eps * max(a.shape[-2:]) if rcond is None else rcond) * s[..., :1]
    scale = np.divide(1, s, out=np.zeros_like(s), where=kept)
    x = np.matmul(np.swapaxes(vh, -1, -2) * scale[..., None, :], np.matmul(np.swapaxes(u, -1, -2), b))
    rank = np.asarray(kept.sum(axis=-1), np.int64)
    wanted = driver in ("gels", "gelsd", "gelss")  # the default, gelsy, leaves them out
    full = wanted and a.shape[-2] > a.shape[-1] and bool((rank == a.shape[-1]).all())
    residuals = ((np.matmul(a, x) - b) ** 2).sum(axis=-2) if full else np.zeros(0, a.dtype)
    solution = _part(A, x[..., 0] if vector else x, "lstsq", "LinalgLstsqBackward0")
    values = s if driver in ("gelsd", "gelss") else np.zeros(0, a.dtype)
    shown = rank if driver in ("gelsd", "gelss", "gelsy") or driver is None else np.zeros(0, np.int64)
    return return_types.linalg_lstsq((solution, wrap(residuals), wrap(shown), wrap(values)))


# Decompositions -------------------------------------------------------------------------------------------------------


def cholesky(input: Any, upper: bool = False, *, out: Any = None) -> Any:
    """Return the lower triangular L with L L^T = A, of positive-definite A (L^T when upper).

    Raises RuntimeError when A is not positive-definite.
    """
    result = apply(linalg.cholesky, (_matrices("linalg.cholesky", input, square=True),), {})
    return to_out(out, result.mT if upper else result, "linalg.cholesky")


def qr(input: Any, some: bool = True, *, out: Any = None) -> Any:
    """Return (Q, R) with A = Q R, Q with orthonormal columns and R upper triangular; all columns of Q when not some."""
    return return_types.qr(linalg_qr(input, "reduced" if some else "complete"))


def linalg_qr(A: Any, mode: str = "reduced", *, out: Any = None) -> Any:
    """Return (Q, R) with A = Q R, Q with orthonormal columns and R upper triangular; mode "complete" or "r" as well."""
    array = _matrices("linalg.qr", A)._array
    if mode not in ("reduced", "complete", "r"):
        raise OperationError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    if mode == "r":
        q, r = np.zeros(0, array.dtype), np.linalg.qr(array, "r")
    else:
        q, r = _attempt(np.linalg.qr, array, mode)
    parts = (_part(A, q, "qr", "LinalgQrBackward0"), _part(A, r, "qr", "LinalgQrBackward0"))
    return return_types.linalg_qr(parts)


def svd(input: Any, some: bool = True, compute_uv: bool = True, *, out: Any = None) -> Any:
    """Return (U, S, V) with A = U diag(S) V^T; `torch.linalg.svd` returns V^T in place of V."""
    found = linalg_svd(input, not some)
    return return_types.svd((found.U, found.S, found.Vh.mT))


def linalg_svd(A: Any, full_matrices: bool = True, *, driver: Any = None, out: Any = None) -> Any:
    """Return (U, S, Vh) with A = U diag(S) Vh: U and V with orthonormal columns, S in descending order."""
    found = _attempt(np.linalg.svd, _matrices("linalg.svd", A)._array, full_matrices)
    u, vh = (_part(A, part, "svd", "LinalgSvdBackward0") for part in (found[0], found[2]))
    return return_types.linalg_svd((u, svdvals(A) if A.requires_grad else wrap(found[1]), vh))


def svdvals(A: Any, *, driver: Any = None, out: Any = None) -> Any:
    """Return the singular values in descending order."""
    return to_out(out, apply(linalg.singular_values, (_matrices("linalg.svdvals", A),), {}), "linalg.svdvals")


def eigh(A: Any, UPLO: str = "L", *, out: Any = None) -> Any:
    """Return (eigenvalues, eigenvectors) of symmetric matrices, in ascending order; one triangle of A is read."""
    _matrices("linalg.eigh", A, square=True)
    values, vectors = _attempt(np.linalg.eigh, A._array, UPLO)
    vectors = _part(A, vectors, "the eigenvectors of eigh", "LinalgEighBackward0")
    return return_types.linalg_eigh((eigvalsh(A, UPLO) if A.requires_grad else wrap(values), vectors))


def eigvalsh(A: Any, UPLO: str = "L", *, out: Any = None) -> Any:
    """Return the eigenvalues of symmetric matrices in ascending order; one triangle of A is read."""
    _matrices("linalg.eigvalsh", A, square=True)
    lower = A if UPLO == "L" else A.mT
    return to_out(out, apply(linalg.eigenvalues, (lower,), {}), "linalg.eigvalsh")


def cond(A: Any, p: Any = None, *, out: Any = None) -> Any:
    """Return the condition number: norm(A) * norm(inverse of A), of singular values when p is None, 2 or -2."""
    if p in (None, 2, -2):
        s = svdvals(A)
        largest, smallest = s[..., 0], s[..., -1]
        return to_out(out, smallest / largest if p == -2 else largest / smallest, "linalg.cond")
    from fanin.tensor.functions.norms import matrix_norm

    return to_out(out, matrix_norm(A, p) * matrix_norm(inverse(A), p), "linalg.cond")


def matrix_exp(A: Any) -> Any:
    """Return exp of square matrices: scaled down, summed by its series, and squared up again."""
    _matrices("linalg.matrix_exp", A, square=True)
    size = float(np.abs(A._array).sum(axis=-1).max()) if A._array.size else 0.0
    squarings = max(0, int(np.ceil(np.log2(size))) + 4) if size else 0
    x = A / 2.0**squarings
    term = total = wrap(np.broadcast_to(np.eye(A._array.shape[-1], dtype=A._array.dtype), A._array.shape).copy())
    for k in range(1, 13):
        term = term @ x / k
        total = total + term
    for _ in range(squarings):
        total = total @ total
    return total
