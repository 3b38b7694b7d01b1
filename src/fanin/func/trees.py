"""Tuples, lists and dictionaries of tensors, nested at will: their leaves in a row, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def flatten(value: Any) -> tuple[list[Any], Callable[[Iterable[Any]], Any]]:
    """Return the leaves of a nested value in order, and the function that makes the same nest of other leaves.

    >>> leaves, rebuild = flatten({"a": 1, "b": (2, [3])})
    >>> leaves, rebuild([4, 5, 6])
    ([1, 2, 3], {'a': 4, 'b': (5, [6])})
    """
    leaves: list[Any] = []
    _collect(value, leaves)

    def rebuild(others: Iterable[Any]) -> Any:
        return _fill(value, iter(others))

    return leaves, rebuild


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """Return the same nest with function applied to every leaf."""
    leaves, rebuild = flatten(value)
    return rebuild([function(leaf) for leaf in leaves])


def _collect(value: Any, leaves: list[Any]) -> None:
    if isinstance(value, dict):
        for part in value.values():
            _collect(part, leaves)
    elif isinstance(value, (tuple, list)):
        for part in value:
            _collect(part, leaves)
    else:
        leaves.append(value)


def _fill(value: Any, others: Any) -> Any:
    if isinstance(value, dict):
        made = value.copy()  # a defaultdict keeps what it makes
        made.update((key, _fill(part, others)) for key, part in value.items())
        return made
    if isinstance(value, (tuple, list)):
        parts = [_fill(part, others) for part in value]
        kind = type(value)
        return kind._make(parts) if hasattr(kind, "_make") else kind(parts)
    return next(others)
