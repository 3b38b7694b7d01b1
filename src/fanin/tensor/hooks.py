"""Handles with which a registered hook is removed again."""

from __future__ import annotations

import itertools
from typing import Any

from fanin.tensor.base import Changes

_ids = itertools.count()


class RemovableHandle:
    """Remove a hook with `remove()`, or use the handle in a `with` block."""

    def __init__(self, hooks: dict[int, Any], *more: dict[int, Any]) -> None:
        self.id = next(_ids)
        self._dicts = (hooks, *more)

    def remove(self) -> None:
        """Take the hook out; a second call does nothing."""
        Changes.count += 1
        for hooks in self._dicts:
            hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
