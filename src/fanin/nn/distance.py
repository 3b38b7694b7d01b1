"""Distances and angles as modules."""

from __future__ import annotations

from typing import Any

from fanin.nn import functional as F
from fanin.nn.module import Module


class PairwiseDistance(Module):
    """|x1 - x2 + eps|_p along the last dimension.

    Args:
        p: of the norm.
        eps: added to the difference.
        keepdim: keep the last dimension, with size 1.

    Shape: (N, D) or (D,) twice, to (N,) or ().

    >>> import fanin as torch
    >>> torch.nn.PairwiseDistance()(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]))
    tensor([5.0000])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Any, x2: Any) -> Any:
        """Return the distances."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module):
    """x1 x2 / (max(|x1|, eps) max(|x2|, eps)) along a dimension.

    Args:
        dim: the dimension of the vectors.
        eps: the smallest divisor.

    >>> import fanin as torch
    >>> torch.nn.CosineSimilarity()(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Any, x2: Any) -> Any:
        """Return the cosines."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
