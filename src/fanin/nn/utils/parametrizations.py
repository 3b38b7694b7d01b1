"""torch.nn.utils.parametrizations: weight norm, spectral norm and orthogonal matrices as parametrisations."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentError
from fanin._core.missing import refuse
from fanin.nn.functional import normalize
from fanin.nn.module import Module
from fanin.nn.utils.norms import as_matrix, norm_except_dim, power_iteration, random_unit_vector
from fanin.nn.utils.orthogonal import orthogonal
from fanin.nn.utils.parametrize import register_parametrization
from fanin.tensor.functions.products import mv, vdot

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


class _WeightNorm(Module):
    """g * v / |v| of a length g and a direction v."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        return weight_v * (weight_g / norm_except_dim(weight_v, self.dim))

    def right_inverse(self, weight: Any) -> tuple[Any, Any]:
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Let a module compute its weight as g * v / |v|: a length and a direction, trained each for itself.

    dim: the dimension that keeps a length for each index; 0 for each unit of a Linear layer, None for one of all.

    The length is `parametrizations.weight.original0`, the direction `original1`.

    Paper: Salimans and Kingma, Weight Normalization (2016), equation 2.

    >>> import fanin as torch
    >>> layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 2))
    >>> sorted(name for name, _ in layer.named_parameters())
    ['bias', 'parametrizations.weight.original0', 'parametrizations.weight.original1']
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
        for old, new in (("g", "original0"), ("v", "original1")):
            if f"{prefix}{name}_{old}" in state_dict:
                state_dict[f"{prefix}parametrizations.{name}.{new}"] = state_dict.pop(f"{prefix}{name}_{old}")

    module._register_load_state_dict_pre_hook(rename)
    return module


class _SpectralNorm(Module):
    """A weight divided by its largest singular value, which power iteration estimates."""

    def __init__(self, weight: Any, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if not -weight.dim() <= dim < weight.dim():
            raise IndexError(
                "Dimension out of range (expected to be in range of "
                f"[-{weight.dim()}, {weight.dim() - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise ArgumentError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim, self.eps, self.n_power_iterations = dim % weight.dim(), eps, n_power_iterations
        if weight.dim() > 1:
            matrix = as_matrix(weight, self.dim)
            rows, columns = matrix.size()
            self.register_buffer("_u", random_unit_vector(rows, matrix, eps))
            self.register_buffer("_v", random_unit_vector(columns, matrix, eps))
            power_iteration(matrix, self._u, self._v, 15, eps)

    def forward(self, weight: Any) -> Any:
        if weight.dim() == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            power_iteration(matrix, self._u, self._v, self.n_power_iterations, self.eps)
        return weight / vdot(self._u.clone(), mv(matrix, self._v.clone()))

    def right_inverse(self, value: Any) -> Any:
        return value


def spectral_norm(
    module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Any:
    """Let a module divide its weight by the largest singular value, so that the layer does not stretch any input.

    n_power_iterations: how many steps of power iteration estimate it each time the weight is computed in training.
    eps:                the least length that vectors are divided by.
    dim:                the dimension of the outputs, 0 for a Linear layer.

    Raises ValueError for a name that the module does not have, or fewer than 1 iterations.

    Paper: Miyato et al., Spectral Normalization for Generative Adversarial Networks (2018), algorithm 1.

    >>> import fanin as torch
    >>> layer = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(20, 40)).eval()
    >>> bool((torch.linalg.matrix_norm(layer.weight, 2) - 1).abs() < 0.1)
    True
    """
    weight = getattr(module, name, None)
    if weight is None:
        raise ArgumentError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return register_parametrization(
        module, name, _SpectralNorm(weight, n_power_iterations, 0 if dim is None else dim, eps)
    )


__getattr__ = refuse("torch.nn.utils.parametrizations")
