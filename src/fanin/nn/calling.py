"""Calling a module: straight to `forward`, or through the hooks around it."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NoReturn

from fanin._core.errors import OperationError
from fanin.nn.backward_hooks import BackwardHook
from fanin.tensor.base import Changes, TensorBase
from fanin.tensor.hooks import RemovableHandle

Hooks = OrderedDict[int, Callable[..., Any]]


class GlobalHooks:
    """Hooks that hold for every module."""

    forward: Hooks = OrderedDict()
    forward_pre: Hooks = OrderedDict()
    backward: Hooks = OrderedDict()
    backward_pre: Hooks = OrderedDict()
    with_kwargs: dict[int, bool] = {}
    always_called: dict[int, bool] = {}
    registration: dict[str, Hooks] = {"parameter": OrderedDict(), "buffer": OrderedDict(), "module": OrderedDict()}
    # The one thing that an ordinary call looks at: is any of the first four in use?
    in_use: tuple[Hooks, ...] = ()

    @classmethod
    def refresh(cls) -> None:
        """Note which of the hooks around calls are in use."""
        cls.in_use = tuple(hooks for hooks in (cls.forward, cls.forward_pre, cls.backward, cls.backward_pre) if hooks)


class _GlobalHandle(RemovableHandle):
    def remove(self) -> None:
        super().remove()
        GlobalHooks.refresh()


def add_hook(hooks: Any, hook: Callable[..., Any], prepend: bool = False, **marks: dict[int, bool]) -> RemovableHandle:
    """Register a hook, last or first, with the marks that are set for it; return the handle that removes it."""
    Changes.count += 1
    handle = RemovableHandle(hooks, *marks.values())
    hooks[handle.id] = hook
    for mark in marks.values():
        mark[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def add_global_hook(hooks: Hooks, hook: Callable[..., Any], **marks: dict[int, bool]) -> RemovableHandle:
    """Register a hook for every module."""
    handle = _GlobalHandle(hooks, *marks.values())
    hooks[handle.id] = hook
    for mark in marks.values():
        mark[handle.id] = True
    GlobalHooks.refresh()
    return handle


def _forward_unimplemented(self: Any, *input: Any) -> NoReturn:
    """Compute the result of a call; every module defines this."""
    raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')


class Called:
    """The part of `Module` that is called."""

    _forward_hooks: Hooks
    _forward_pre_hooks: Hooks
    _backward_hooks: Hooks
    _backward_pre_hooks: Hooks
    _forward_hooks_with_kwargs: dict[int, bool]
    _forward_hooks_always_called: dict[int, bool]
    _forward_pre_hooks_with_kwargs: dict[int, bool]

    forward: Callable[..., Any] = _forward_unimplemented

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what `forward` returns, with the hooks called before and after."""
        if (
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
            or GlobalHooks.in_use
        ):
            return _Call(self).run(args, kwargs)
        return self.forward(*args, **kwargs)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call hook(module, args) before `forward`; what it returns, if not None, replaces the arguments.

        Args:
            hook: with with_kwargs it is called as hook(module, args, kwargs) and returns both, as a tuple.
            prepend: call it before the hooks that are already there.
            with_kwargs: pass the keyword arguments, too.

        >>> import fanin as torch
        >>> layer = torch.nn.ReLU()
        >>> handle = layer.register_forward_pre_hook(lambda module, args: (-args[0],))
        >>> layer(torch.tensor([-1.0, 2.0]))
        tensor([1., 0.])
        """
        marks = {"with_kwargs": self._forward_pre_hooks_with_kwargs} if with_kwargs else {}
        return add_hook(self._forward_pre_hooks, hook, prepend, **marks)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call hook(module, args, output) after `forward`; what it returns, if not None, replaces the output.

        Args:
            hook: with with_kwargs it is called as hook(module, args, kwargs, output).
            prepend: call it before the hooks that are already there.
            with_kwargs: pass the keyword arguments, too.
            always_call: call it even when `forward` raises.
        """
        marks = {"with_kwargs": self._forward_hooks_with_kwargs} if with_kwargs else {}
        if always_call:
            marks["always_call"] = self._forward_hooks_always_called
        return add_hook(self._forward_hooks, hook, prepend, **marks)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call hook(module, grad_input, grad_output) when the gradients of the inputs are known.

        What it returns, if not None, replaces grad_input. Both gradients are tuples with one entry for each tensor
        among the positional inputs and outputs; inputs that need no gradient have None.
        """
        return add_hook(self._backward_hooks, hook, prepend)

    # PyTorch's older hook sees the gradients of the last operation inside the module, whatever that is.
    # fanin calls it with the gradients of the module's inputs, for which it was meant.
    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Do what `register_full_backward_hook` does, which is the name to use."""
        return self.register_full_backward_hook(hook)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call hook(module, grad_output) before the module's gradients are computed.

        What it returns, if not None, replaces grad_output.
        """
        return add_hook(self._backward_pre_hooks, hook, prepend)


class _Call:
    """One call of a module that has hooks."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.called: set[int] = set()

    def run(self, args: Any, kwargs: Any) -> Any:
        """Call the hooks and `forward`; on an error the hooks that are always called still are."""
        try:
            return self._run(args, kwargs)
        except Exception:
            self._call_the_rest(args, kwargs)
            raise

    def _run(self, args: Any, kwargs: Any) -> Any:
        module = self.module
        args, kwargs = self._before(args, kwargs)
        backward = self._backward_hook()
        if backward is not None:
            args = backward.around_inputs(args)
        result = module.forward(*args, **kwargs)
        for key, hook, with_kwargs in _both(
            GlobalHooks.forward, GlobalHooks.with_kwargs, module._forward_hooks, module._forward_hooks_with_kwargs
        ):
            self.called.add(key)
            replaced = hook(module, args, kwargs, result) if with_kwargs else hook(module, args, result)
            result = result if replaced is None else replaced
        return result if backward is None else self._around_result(backward, result)

    def _before(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        module = self.module
        marks = module._forward_pre_hooks_with_kwargs
        for _, hook, with_kwargs in _both(GlobalHooks.forward_pre, {}, module._forward_pre_hooks, marks):
            if with_kwargs:
                replaced = hook(module, args, kwargs)
                if replaced is not None:
                    args, kwargs = _args_and_kwargs(replaced)
            else:
                replaced = hook(module, args)
                if replaced is not None:
                    args = replaced if isinstance(replaced, tuple) else (replaced,)
        return args, kwargs

    def _backward_hook(self) -> BackwardHook | None:
        hooks = [*GlobalHooks.backward.values(), *self.module._backward_hooks.values()]
        before = [*GlobalHooks.backward_pre.values(), *self.module._backward_pre_hooks.values()]
        return BackwardHook(self.module, hooks, before) if hooks or before else None

    def _around_result(self, backward: BackwardHook, result: Any) -> Any:
        if not isinstance(result, (TensorBase, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(result)}",
                UserWarning,
                stacklevel=5,
            )
        return backward.around_outputs(result)

    def _call_the_rest(self, args: Any, kwargs: Any) -> None:
        module = self.module
        hooks = _both(
            GlobalHooks.forward, GlobalHooks.with_kwargs, module._forward_hooks, module._forward_hooks_with_kwargs
        )
        for key, hook, with_kwargs in hooks:
            always = key in GlobalHooks.always_called or key in module._forward_hooks_always_called
            if not always or key in self.called:
                continue
            try:
                if with_kwargs:
                    hook(module, args, kwargs, None)
                else:
                    hook(module, args, None)
            except Exception as error:
                warnings.warn(
                    "module forward hook with ``always_call=True`` raised an exception that was silenced as "
                    f"another error was raised in forward: {error}",
                    stacklevel=4,
                )


def _both(first: Hooks, first_marks: dict[int, bool], then: Hooks, then_marks: dict[int, bool]) -> Any:
    return [(key, hook, key in first_marks) for key, hook in first.items()] + [
        (key, hook, key in then_marks) for key, hook in then.items()
    ]


def _args_and_kwargs(replaced: Any) -> tuple[Any, Any]:
    if not isinstance(replaced, tuple) or len(replaced) != 2:
        raise OperationError(
            f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {replaced}."
        )
    return replaced
