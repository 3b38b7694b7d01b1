"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

from fanin.ops import linalg
from fanin.tensor.tape import apply


def matmul(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the matrix product; leading dimensions broadcast."""
    return apply(linalg.matmul, (input, other), {})
