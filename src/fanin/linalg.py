"""torch.linalg: norms, systems, determinants and decompositions of matrices.

What has a derivative here: norms, inv, solve, det, slogdet, cholesky, svdvals, eigvalsh, matrix_power, multi_dot,
vecdot, cross. The other decompositions give their values; a backward pass through them says that it is not part of
fanin.
"""

from __future__ import annotations

from typing import Any

from fanin._core.errors import OperationError
from fanin.tensor.functions.decompositions import (
    cholesky,
    cond,
    det,
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
from fanin.tensor.functions.decompositions import inverse as inv
from fanin.tensor.functions.decompositions import linalg_qr as qr
from fanin.tensor.functions.decompositions import linalg_slogdet as slogdet
from fanin.tensor.functions.decompositions import linalg_svd as svd
from fanin.tensor.functions.diagonals import vander as _vander
from fanin.tensor.functions.norms import linalg_norm as norm
from fanin.tensor.functions.norms import matrix_norm, vector_norm
from fanin.tensor.functions.products import cross as _cross
from fanin.tensor.functions.products import matmul, matrix_power, multi_dot, vecdot

LinAlgError = OperationError


def cross(input: Any, other: Any, *, dim: int = -1, out: Any = None) -> Any:
    """Return the vectors perpendicular to both along dim, which has 3 elements.

    >>> import fanin as torch
    >>> torch.linalg.cross(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    return _cross(input, other, dim, out=out)


def vander(x: Any, *, N: int | None = None) -> Any:
    """Return the matrix of powers of a vector: row i holds 1, x[i], ..., x[i] ** (N - 1)."""
    return _vander(x, N, True)


def diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Return the view of the diagonals of matrices, as a new last dimension."""
    return A.diagonal(offset, dim1, dim2)


__all__ = [
    "LinAlgError",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "lstsq",
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
    "solve_triangular",
    "svd",
    "svdvals",
    "vander",
    "vecdot",
    "vector_norm",
]
