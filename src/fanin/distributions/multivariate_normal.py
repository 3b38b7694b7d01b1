"""The normal distribution of vectors."""

from __future__ import annotations

import math
from typing import Any

from fanin._core.errors import ArgumentError, MissingNameError
from fanin.distributions import constraints
from fanin.distributions.distribution import Distribution, expanded
from fanin.distributions.normal import standard_normal
from fanin.linalg import cholesky, inv, solve_triangular
from fanin.tensor import enable_grad
from fanin.tensor.functions.products import matmul
from fanin.tensor.functions.shaping import broadcast_shapes


class MultivariateNormal(Distribution):
    """The normal distribution of vectors (..., D), with a mean and one of covariance, precision or Cholesky factor.

    scale_tril: the lower triangular L with positive diagonal and L L^T the covariance.

    >>> import fanin as torch
    >>> torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2)).log_prob(torch.zeros(2))
    tensor(-1.8379)
    """

    has_rsample = True
    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector

    def __init__(
        self,
        loc: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ArgumentError("loc must be at least one-dimensional.")
        forms = {
            "covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril,
        }  # fmt: skip
        given = {name: matrix for name, matrix in forms.items() if matrix is not None}
        if len(given) != 1:
            raise ArgumentError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = given.items()
        if matrix.dim() < 2:
            raise ArgumentError(f"{name} must be at least two-dimensional, with optional leading batch dimensions")
        batch_shape = broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        self.__dict__[name] = matrix.expand((*batch_shape, -1, -1))
        self.loc = loc.expand((*batch_shape, -1))
        super().__init__(batch_shape, self.loc.shape[-1:], validate_args=validate_args)
        self._tril = _cholesky_factor(name, matrix)

    def __getattr__(self, name: str) -> Any:
        if "_tril" not in self.__dict__ or name not in self.arg_constraints:
            raise MissingNameError(f"'{type(self).__name__}' object has no attribute '{name}'")
        shape = (*self._batch_shape, *self._event_shape, *self._event_shape)
        with enable_grad():
            value = self._tril
            if name != "scale_tril":
                value = matmul(value, value.mT)
            self.__dict__[name] = (inv(value) if name == "precision_matrix" else value).expand(shape)
        return self.__dict__[name]

    @property
    def mean(self) -> Any:
        """The mean: loc."""
        return self.loc

    mode = mean

    @property
    def variance(self) -> Any:
        """The diagonal of the covariance."""
        return self._tril.pow(2).sum(-1).expand(self._batch_shape + self._event_shape)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution for a larger batch."""
        loc = self.loc.expand((*batch_shape, *self._event_shape))
        forms = {n: self.__dict__[n] for n in self.arg_constraints if n != "loc" and n in self.__dict__}
        return expanded(self, batch_shape, loc=loc, **{n: m.expand((*batch_shape, -1, -1)) for n, m in forms.items()})

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return loc + L eps with eps drawn from N(0, I): differentiable in loc and L."""
        eps = standard_normal(self._extended_shape(sample_shape), self.loc.dtype)
        return self.loc + matmul(self._tril, eps.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Any) -> Any:
        """Return -(|L^-1 (x - loc)|^2 + D log(2 pi)) / 2 - log det L."""
        self._validate_sample(value)
        away = (value - self.loc).unsqueeze(-1)
        squared = solve_triangular(self._tril, away, upper=False).pow(2).sum((-2, -1))
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + squared) - self._half_log_determinant()

    def entropy(self) -> Any:
        """Return D (1 + log(2 pi)) / 2 + log det L."""
        entropy = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._half_log_determinant()
        return entropy.expand(self._batch_shape) if self._batch_shape else entropy

    def _half_log_determinant(self) -> Any:
        return self._tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _cholesky_factor(name: str, matrix: Any) -> Any:
    if name == "scale_tril":
        return matrix
    return cholesky(matrix if name == "covariance_matrix" else inv(matrix))
