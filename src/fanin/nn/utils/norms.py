"""The norms that normalised weights are divided by."""

from __future__ import annotations

from typing import Any

from fanin.nn.functional import normalize
from fanin.tensor import no_grad
from fanin.tensor.functions.creation import empty
from fanin.tensor.functions.norms import norm
from fanin.tensor.functions.products import mv


def norm_except_dim(v: Any, dim: int) -> Any:
    """Return the Euclidean norm of a weight over all dimensions but one, which keeps its place; over all for -1."""
    if dim == -1:
        return norm(v)
    others = tuple(d for d in range(v.dim()) if d != dim % v.dim())
    return norm(v, 2, others, keepdim=True) if others else v.abs()


def as_matrix(weight: Any, dim: int) -> Any:
    """Return a weight as a matrix whose rows run along `dim`."""
    if dim != 0:
        weight = weight.movedim(dim, 0)
    return weight.flatten(1)


def random_unit_vector(length: int, like: Any, eps: float) -> Any:
    """Return a vector of length 1 in a random direction, drawn from the default stream."""
    return normalize(empty(length, dtype=like.dtype).normal_(0, 1), dim=0, eps=eps)


def power_iteration(matrix: Any, u: Any, v: Any, steps: int, eps: float) -> None:
    """Move u and v, in place, towards the singular vectors of a matrix's largest singular value."""
    with no_grad():
        for _ in range(steps):
            u.copy_(normalize(mv(matrix, v), dim=0, eps=eps))
            v.copy_(normalize(mv(matrix.t(), u), dim=0, eps=eps))
