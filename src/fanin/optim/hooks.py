"""Hooks that run before and after a step, and around saving and loading."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from fanin.tensor.hooks import RemovableHandle

Hooks = OrderedDict[int, Callable[..., Any]]

# Hooks of all optimisers.
global_before: Hooks = OrderedDict()
global_after: Hooks = OrderedDict()


def register(hooks: Hooks, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
    """Add a hook, as the last or the first, and return the handle with which it is removed."""
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call hook(optimizer, args, kwargs) before every step of every optimiser.

    The hook returns None, or the arguments that `step` is to be called with: (args, kwargs).
    """
    return register(global_before, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call hook(optimizer, args, kwargs) after every step of every optimiser."""
    return register(global_after, hook)
