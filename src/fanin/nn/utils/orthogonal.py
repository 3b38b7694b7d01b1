"""Weights whose columns, or rows, stay orthonormal while they are trained.

Reference: M. Lezcano-Casado, "Trivializations for gradient-based optimization on manifolds", 2019.
"""

from __future__ import annotations

from typing import Any

from fanin._core.dtypes import finfo
from fanin._core.errors import ArgumentError
from fanin.linalg import householder_product, matrix_exp, solve
from fanin.nn.module import Module
from fanin.nn.utils.parametrize import register_parametrization
from fanin.tensor import no_grad
from fanin.tensor.functions.comparing import allclose
from fanin.tensor.functions.creation import eye, zeros_like
from fanin.tensor.functions.factored import geqrf
from fanin.tensor.functions.joining import cat
from fanin.tensor.functions.sampling import randn

MAPS = ("matrix_exp", "cayley", "householder")


class _Orthogonal(Module):
    """An orthonormal matrix, computed from any matrix of its shape, and multiplied with a fixed one (`base`)."""

    def __init__(self, weight: Any, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape, self.orthogonal_map = weight.shape, orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Any) -> Any:
        is_wide = X.size(-2) < X.size(-1)
        Q = self._mapped(X.mT if is_wide else X)
        if hasattr(self, "base"):
            Q = self.base @ Q
        return Q.mT if is_wide else Q

    def _mapped(self, X: Any) -> Any:
        rows, columns = X.size(-2), X.size(-1)
        if self.orthogonal_map == "householder":
            A = X.tril(diagonal=-1)
            tau = 2.0 / (1.0 + (A * A).sum(dim=-2))
            return householder_product(A, tau) * X.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)
        X = X.tril()
        if rows != columns:
            X = cat([X, X.new_zeros((*X.shape[:-1], rows - columns))], dim=-1)
        A = X - X.mT
        if self.orthogonal_map == "matrix_exp":
            Q = matrix_exp(A)
        else:
            one = eye(rows, dtype=A.dtype)
            Q = solve(one - 0.5 * A, one + 0.5 * A)
        return Q[..., :columns] if rows != columns else Q

    def right_inverse(self, Q: Any) -> Any:
        if Q.shape != self.shape:
            raise ArgumentError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}."
            )
        with no_grad():
            return self._original(Q)

    def _original(self, Q: Any) -> Any:
        tall = Q.mT if Q.size(-2) < Q.size(-1) else Q
        if hasattr(self, "base"):
            return self._based(Q, tall)
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                "use_trivialization=False."
            )
        A, tau = geqrf(tall)
        diagonal = A.diagonal(dim1=-2, dim2=-1)
        diagonal.sign_()
        diagonal[tau == 0.0] *= -1
        return A.mT if tall is not Q else A

    def _based(self, Q: Any, tall: Any) -> Any:
        """Keep an orthonormal matrix near Q as the base, and return the original that leaves it as it is."""
        rows, columns = tall.size(-2), tall.size(-1)
        if rows != columns:  # the columns that are missing are drawn
            rest = randn((*tall.shape[:-2], rows, rows - columns), dtype=tall.dtype)
            self.base = _orthonormal(cat([tall, rest], dim=-1))
        else:
            self.base = tall.clone() if _is_orthonormal(tall) else _orthonormal(tall)
        start = zeros_like(Q)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start


def _is_orthonormal(Q: Any) -> bool:
    """Say whether Q^T Q is 1, up to ten roundings for each of its rows."""
    count = Q.size(-1)
    return bool(allclose(Q.mT @ Q, eye(count, dtype=Q.dtype), atol=10.0 * Q.size(-2) * finfo(Q.dtype).eps))


def _orthonormal(A: Any) -> Any:
    """Return the Q of A = Q R whose R has a positive diagonal."""
    X, tau = geqrf(A)
    return householder_product(X, tau) * X.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def orthogonal(
    module: Any, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Any:
    """Let a module's matrix have orthonormal columns (rows, where it is wide), also while it is trained.

    orthogonal_map:     "matrix_exp", exp(A) of a skew-symmetric A; "cayley", (1 + A / 2) (1 - A / 2)^-1; "householder",
                        a product of reflections. "matrix_exp" for square matrices where left out, else "householder".
    use_trivialization: whether the result is multiplied with a fixed orthonormal matrix, that of the weight at first.

    Raises ValueError for a name that is no parameter, a tensor that is no matrix and an unknown map.

    >>> import fanin as torch
    >>> layer = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(3, 3))
    >>> torch.allclose(layer.weight @ layer.weight.T, torch.eye(3), atol=1e-6)
    True
    """
    weight: Any = getattr(module, name, None)
    if not hasattr(weight, "requires_grad"):
        raise ArgumentError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise ArgumentError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.size(-2) == weight.size(-1) else "householder"
    if orthogonal_map not in MAPS:
        raise ArgumentError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    register_parametrization(module, name, _Orthogonal(weight, orthogonal_map, use_trivialization), unsafe=True)
    return module
