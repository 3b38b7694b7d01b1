"""Nested tuples, lists and dictionaries of tensors, taken apart and put together again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fanin.tensor.base import TensorBase


@dataclass(frozen=True)
class Leaf:
    """The place of tensor number `index` in a structure."""

    index: int


def take_apart(value: Any, found: list[Any]) -> Any:
    """Return a structure with leaves in place of its tensors, which are added to `found`."""
    if isinstance(value, TensorBase):
        found.append(value)
        return Leaf(len(found) - 1)
    return rebuilt(value, lambda part: take_apart(part, found))


def put_together(structure: Any, tensors: Any) -> Any:
    """Return a structure with tensors in place of its leaves."""
    if isinstance(structure, Leaf):
        return tensors[structure.index]
    return rebuilt(structure, lambda part: put_together(part, tensors))


def rebuilt(value: Any, function: Callable[[Any], Any]) -> Any:
    """Return a container with each part replaced; what is no container as it is."""
    kind = type(value)
    if kind in (tuple, list):
        return kind([function(part) for part in value])
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        parts = [function(part) for part in value]
        return kind._make(parts) if hasattr(kind, "_make") else kind(parts)
    if kind is dict or (isinstance(value, dict) and kind.__module__ == "collections"):
        return kind((name, function(part)) for name, part in value.items())
    return value


def key_of(value: Any) -> Any:
    """Return what tells a structure of constants and leaves from another: hashable, and types count (1 is not True)."""
    kind = type(value)
    if isinstance(value, (tuple, list)):
        return (kind, *[key_of(part) for part in value])
    if isinstance(value, dict):
        return (kind, *[(name, key_of(part)) for name, part in value.items()])
    if value is None or kind in (int, float, bool, str, bytes, Leaf, complex, slice, range):
        return (kind, repr(value)) if kind in (float, slice) else (kind, value)
    return (kind, Same(value))


class Same:
    """Equal to another when both hold the same object, which is kept alive."""

    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.held is other.held

    def __hash__(self) -> int:
        return id(self.held)
