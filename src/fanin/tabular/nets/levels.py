"""Vectors for the levels of categorical columns."""

from __future__ import annotations

from typing import Any

import fanin
from fanin import nn


class LevelEmbedding(nn.Module):
    """Look up a learned vector for the level of each categorical column; a missing or unknown level is zeros.

    All columns share one table, so that a step looks up once, not once a column.

    Args:
        sizes: the levels of each column; level 0 is "missing or unknown".
        width: the numbers of a vector.

    Shape: (rows, columns) int64, values of column i in [0, sizes[i]), to (rows, columns * width). `weight` is
    (sum of sizes, width), N(0, 1).

    >>> import fanin as torch
    >>> layer = LevelEmbedding((3, 5), width=2)
    >>> layer(torch.tensor([[0, 4], [2, 0]])).shape
    torch.Size([2, 4])
    >>> layer(torch.tensor([[0, 0]])).tolist()
    [[0.0, 0.0, 0.0, 0.0]]
    """

    def __init__(self, sizes: tuple[int, ...], width: int = 8) -> None:
        super().__init__()
        self.sizes, self.width = tuple(sizes), width
        starts = [sum(self.sizes[:i]) for i in range(len(self.sizes))]
        self.weight = nn.Parameter(fanin.randn(sum(self.sizes), width))
        self.register_buffer("starts", fanin.tensor(starts))

    def forward(self, levels: Any) -> Any:
        """Return the vectors, side by side."""
        known = (levels > 0).unsqueeze(2)
        vectors = nn.functional.embedding(levels + self.starts, self.weight)
        return fanin.where(known, vectors, 0.0).reshape(-1, len(self.sizes) * self.width)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.sizes}, width={self.width}"
