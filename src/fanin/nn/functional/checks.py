"""What the functions ask of their arguments."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentTypeError
from fanin.tensor.base import TensorBase


def require_tensor(function: str, value: Any, name: str = "input", position: int = 1) -> None:
    """Raise TypeError unless a value is a tensor."""
    if not isinstance(value, TensorBase):
        cls = type(value)
        kind = cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
        raise ArgumentTypeError(
            f"{function}(): argument '{name}' (position {position}) must be Tensor, not {kind}",
            remedy="Make one with torch.tensor(...).",
        )
