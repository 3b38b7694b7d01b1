"""torch.linalg: norms, systems, determinants and decompositions of matrices.

All have derivatives but qr, lstsq, pinv, the factors of lu, and the vectors (not the values) of eigh and svd. A
backward pass through these says that it is not part of fanin.
"""

from __future__ import annotations

from typing import Any

from fanin.ops.singular import LinAlgError as LinAlgError
from fanin.tensor.functions.decompositions import cholesky as _cholesky
from fanin.tensor.functions.decompositions import (
    cond,
    eigh,
    eigvalsh,
    lstsq,
    matrix_exp,
    matrix_rank,
    pinv,
    solve,
    solve_triangular,
    svdvals,
)
from fanin.tensor.functions.decompositions import det as _det
from fanin.tensor.functions.decompositions import inverse as _inverse
from fanin.tensor.functions.decompositions import linalg_qr as qr
from fanin.tensor.functions.decompositions import linalg_slogdet as slogdet
from fanin.tensor.functions.decompositions import linalg_svd as svd
from fanin.tensor.functions.diagonals import vander as _vander
from fanin.tensor.functions.factored import (
    cholesky_ex,
    householder_product,
    inv_ex,
    lu,
    lu_factor,
    lu_factor_ex,
    lu_solve,
    solve_ex,
    tensorinv,
    tensorsolve,
)
from fanin.tensor.functions.norms import linalg_norm as norm
from fanin.tensor.functions.norms import matrix_norm, vector_norm
from fanin.tensor.functions.products import cross as _cross
from fanin.tensor.functions.products import matmul, multi_dot, vecdot
from fanin.tensor.functions.products import matrix_power as _matrix_power


def inv(A: Any, *, out: Any = None) -> Any:
    """Return the inverse of square matrices.

    Raises RuntimeError when a matrix is singular.

    >>> import fanin as torch
    >>> torch.linalg.inv(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    return _inverse(A, out=out)


def det(A: Any) -> Any:
    """Return the determinants of square matrices.

    >>> import fanin as torch
    >>> torch.linalg.det(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor(8.)
    """
    return _det(A)


def cholesky(A: Any, *, upper: bool = False, out: Any = None) -> Any:
    """Return the lower triangular L with L L^T = A, of positive-definite A (L^T when upper).

    Raises RuntimeError when A is not positive-definite.

    >>> import fanin as torch
    >>> torch.linalg.cholesky(torch.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    return _cholesky(A, upper, out=out)


def matrix_power(A: Any, n: int, *, out: Any = None) -> Any:
    """Return the n-th power of square matrices; a negative n of the inverse.

    >>> import fanin as torch
    >>> torch.linalg.matrix_power(torch.tensor([[1.0, 1.0], [0.0, 1.0]]), 3)
    tensor([[1., 3.],
            [0., 1.]])
    """
    return _matrix_power(A, n, out=out)


def cross(input: Any, other: Any, *, dim: int = -1, out: Any = None) -> Any:
    """Return the vectors perpendicular to both along dim, which has 3 elements.

    >>> import fanin as torch
    >>> torch.linalg.cross(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    return _cross(input, other, dim, out=out)


def vander(x: Any, *, N: int | None = None) -> Any:
    """Return the matrix of powers of a vector: row i holds 1, x[i], ..., x[i] ** (N - 1).

    >>> import fanin as torch
    >>> torch.linalg.vander(torch.tensor([2.0, 3.0]), N=3)
    tensor([[1., 2., 4.],
            [1., 3., 9.]])
    """
    return _vander(x, N, True)


def diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Return the view of the diagonals of matrices, as a new last dimension.

    >>> import fanin as torch
    >>> torch.linalg.diagonal(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    return A.diagonal(offset, dim1, dim2)


__all__ = [
    "LinAlgError",
    "cholesky",
    "cholesky_ex",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "householder_product",
    "inv",
    "inv_ex",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_factor_ex",
    "lu_solve",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_ex",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "vander",
    "vecdot",
    "vector_norm",
]
