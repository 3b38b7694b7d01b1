"""Module, under torch.nn.modules.module, and the hooks that hold for every module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanin.nn.calling import GlobalHooks, add_global_hook
from fanin.nn.module import Module
from fanin.nn.state import _IncompatibleKeys
from fanin.tensor.hooks import RemovableHandle

Hook = Callable[..., Any]


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call hook(module, args) before the `forward` of every module; what it returns replaces the arguments."""
    return add_global_hook(GlobalHooks.forward_pre, hook)


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call hook(module, args, output) after the `forward` of every module; what it returns replaces the output."""
    marks = {"with_kwargs": GlobalHooks.with_kwargs} if with_kwargs else {}
    if always_call:
        marks["always_call"] = GlobalHooks.always_called
    return add_global_hook(GlobalHooks.forward, hook, **marks)


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Call hook(module, grad_input, grad_output) in every module, when the gradients of its inputs are known."""
    return add_global_hook(GlobalHooks.backward, hook)


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call hook(module, grad_output) before a module's gradients are computed, for every module."""
    return add_global_hook(GlobalHooks.backward_pre, hook)


def register_module_parameter_registration_hook(hook: Hook) -> RemovableHandle:
    """Call hook(module, name, parameter) when a parameter is registered; what it returns takes its place."""
    return add_global_hook(GlobalHooks.registration["parameter"], hook)


def register_module_buffer_registration_hook(hook: Hook) -> RemovableHandle:
    """Call hook(module, name, buffer) when a buffer is registered; what it returns takes its place."""
    return add_global_hook(GlobalHooks.registration["buffer"], hook)


def register_module_module_registration_hook(hook: Hook) -> RemovableHandle:
    """Call hook(module, name, submodule) when a submodule is registered; what it returns takes its place."""
    return add_global_hook(GlobalHooks.registration["module"], hook)


register_module_backward_hook = register_module_full_backward_hook

__all__ = [
    "Module",
    "_IncompatibleKeys",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]
