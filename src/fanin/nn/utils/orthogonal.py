"""Weights whose columns (rows, where they are wide) stay orthonormal while they are trained.

An optimiser changes any matrix at all, the original, and one of three maps makes an orthonormal matrix of it. The maps
know matrices that stand; wide ones are turned before and after.

References: M. Lezcano-Casado and D. Martinez-Rubio, "Cheap orthogonal constraints in neural networks", 2019; M.
Lezcano-Casado, "Trivializations for gradient-based optimization on manifolds", 2019 (the fixed matrix, `base`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanin._core.dtypes import finfo
from fanin._core.errors import ArgumentError
from fanin.linalg import householder_product, matrix_exp, solve
from fanin.nn.module import Module
from fanin.nn.utils.parametrize import register_parametrization
from fanin.tensor import no_grad
from fanin.tensor.functions.arithmetic import where
from fanin.tensor.functions.comparing import allclose
from fanin.tensor.functions.creation import eye
from fanin.tensor.functions.factored import geqrf
from fanin.tensor.functions.joining import cat
from fanin.tensor.functions.sampling import randn

# Maps from a standing matrix to one with orthonormal columns ----------------------------------------------------------


def _exponential(original: Any) -> Any:
    """Return the first columns of exp(A), A = L - L^T of the original's lower triangle L."""
    return matrix_exp(_skew(original))[..., : original.size(-1)]


def _cayley(original: Any) -> Any:
    """Return the first columns of (1 - A / 2)^-1 (1 + A / 2), with the same A."""
    half = 0.5 * _skew(original)
    identity = eye(half.size(-1), dtype=half.dtype)
    return solve(identity - half, identity + half)[..., : original.size(-1)]


def _reflections(original: Any) -> Any:
    """Return the product of the reflections at the columns below the diagonal, which has the signs of the result."""
    below = original.tril(-1)
    strengths = 2.0 / (1.0 + below.square().sum(-2))
    signs = _diagonal(original).int()  # without a gradient
    return householder_product(below, strengths) * signs.unsqueeze(-2)


_MAPS: dict[str, Callable[[Any], Any]] = {
    "matrix_exp": _exponential,
    "cayley": _cayley,
    "householder": _reflections,
}


def _skew(original: Any) -> Any:
    """Return L - L^T, shape (..., n, n), of the lower triangle of a matrix of n rows; columns that lack are zeros."""
    rows, columns = original.shape[-2:]
    lower = original.tril()
    if columns < rows:
        lower = cat([lower, lower.new_zeros((*lower.shape[:-1], rows - columns))], dim=-1)
    return lower - lower.mT


def _diagonal(matrix: Any) -> Any:
    return matrix.diagonal(dim1=-2, dim2=-1)


# And back -------------------------------------------------------------------------------------------------------------


def _by_reflections(weight: Any) -> Any:
    """Return an original of which `_reflections` makes this matrix of orthonormal columns."""
    packed, strengths = geqrf(weight)
    signs = _diagonal(packed).sign()
    _diagonal(packed).copy_(where(strengths == 0.0, -signs, signs))
    return packed


def _completed(columns: Any) -> Any:
    """Return an orthogonal matrix that begins with these columns, made orthonormal; the rest is drawn."""
    rows, missing = columns.size(-2), columns.size(-2) - columns.size(-1)
    if missing:
        columns = cat([columns, randn((*columns.shape[:-1], missing), dtype=columns.dtype)], dim=-1)
    else:
        slack = 10.0 * rows * finfo(columns.dtype).eps
        if allclose(columns.mT @ columns, eye(rows, dtype=columns.dtype), atol=slack):
            return columns.clone()
    packed, strengths = geqrf(columns)
    return householder_product(packed, strengths) * _diagonal(packed).sgn().unsqueeze(-2)


class _Orthogonal(Module):
    """An orthonormal matrix, computed from any matrix of its shape, and multiplied with a fixed one (`base`)."""

    def __init__(self, weight: Any, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape, self.orthogonal_map = weight.shape, orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, original: Any) -> Any:
        standing = _standing(original)
        made = _MAPS[self.orthogonal_map](standing)
        if hasattr(self, "base"):
            made = self.base @ made
        return made if standing is original else made.mT

    def right_inverse(self, weight: Any) -> Any:
        if weight.shape != self.shape:
            raise ArgumentError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {weight.shape}."
            )
        has_base = hasattr(self, "base")
        if not has_base and self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                "use_trivialization=False."
            )
        with no_grad():
            standing = _standing(weight)
            if has_base:
                self.base = _completed(standing)
                original = weight.new_zeros(weight.shape)
                _diagonal(original).fill_(-1.0)  # of which each map makes the identity
                return original
            original = _by_reflections(standing)
            return original if standing is weight else original.mT


def _standing(matrix: Any) -> Any:
    """Return a matrix, turned where it is wide."""
    return matrix.mT if matrix.size(-2) < matrix.size(-1) else matrix


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
    if orthogonal_map not in _MAPS:
        raise ArgumentError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    register_parametrization(module, name, _Orthogonal(weight, orthogonal_map, use_trivialization), unsafe=True)
    return module
