"""Handles with which a registered hook is removed again."""

from __future__ import annotations

import itertools
from typing import Any

from fanin._core.dtypes import from_numpy
from fanin._core.errors import ArgumentTypeError, GraphError
from fanin.tensor.base import Changes, TensorBase

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


def checked(hook: Any, replaced: Any, grad: Any) -> Any:
    """Return what a hook gave in place of a gradient.

    Raises TypeError for what is no tensor, RuntimeError for one of another shape or dtype.
    """
    if not isinstance(replaced, TensorBase):
        raise ArgumentTypeError(f"expected Variable, but hook returned '{type(replaced).__name__}'")
    new, old = replaced._array, grad._array
    name = getattr(hook, "__name__", type(hook).__name__)
    if new.shape != old.shape:
        raise GraphError(
            f"hook '{name}' has changed the size of value",
            remedy=f"It was {list(old.shape)}, and is {list(new.shape)}.",
        )
    if new.dtype != old.dtype:
        was, now = from_numpy(old.dtype).legacy_name, from_numpy(new.dtype).legacy_name
        raise GraphError(f"hook '{name}' has changed the type of value (was torch.{was}Tensor got torch.{now}Tensor)")
    return replaced
