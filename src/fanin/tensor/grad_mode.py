"""Whether operations are remembered on the tape: `no_grad`, `enable_grad`, `set_grad_enabled`, `inference_mode`."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])


class _Mode(threading.local):
    """The switches of one thread."""

    enabled = True
    inference = False
    capture: Any = None  # what notes operations in place of computing them, while a function is compiled


mode = _Mode()


class _Switch:
    """A context manager that is also a decorator; it restores the former state at the end."""

    enabled: bool
    inference: bool | None = None

    def __init__(self) -> None:
        self._former: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        self._former.append((mode.enabled, mode.inference))
        mode.enabled = self.enabled
        if self.inference is not None:
            mode.inference = self.inference

    def __exit__(self, *_: object) -> None:
        mode.enabled, mode.inference = self._former.pop()

    def clone(self) -> _Switch:
        """Return a fresh switch with the same setting, so that recursive decorated calls nest."""
        return self.__class__()

    def __call__(self, function: Function) -> Function:
        if inspect.isgeneratorfunction(function):
            return cast(Function, self._around_generator(function))

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]

    def _around_generator(self, function: Any) -> Any:
        """Switch while the generator runs, and back while whoever asked for a value does."""

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            generator = function(*args, **kwargs)
            resume = functools.partial(next, generator)
            while True:
                with self.clone():
                    try:
                        value = resume()
                    except StopIteration as end:
                        return end.value
                try:
                    sent = yield value
                except GeneratorExit:
                    with self.clone():
                        generator.close()
                    raise
                except BaseException as error:
                    resume = functools.partial(generator.throw, error)
                else:
                    resume = functools.partial(generator.send, sent)

        return inside


class no_grad(_Switch):
    """Do not remember operations: results do not require gradients.

    >>> import fanin as torch
    >>> w = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad():
    ...     (w * 2).requires_grad
    False
    """

    enabled = False

    def __new__(cls, function: Any = None) -> Any:
        """Return a switch, or the decorated function when used as a bare decorator."""
        return super().__new__(cls) if function is None else no_grad()(function)


class enable_grad(_Switch):
    """Remember operations again, inside `no_grad`.

    >>> import fanin as torch
    >>> w = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad(), torch.enable_grad():
    ...     (w * 2).requires_grad
    True
    """

    enabled = True

    def __new__(cls, function: Any = None) -> Any:
        """Return a switch, or the decorated function when used as a bare decorator."""
        return super().__new__(cls) if function is None else enable_grad()(function)


class set_grad_enabled(_Switch):
    """Switch remembering on or off, at once or for a block.

    >>> import fanin as torch
    >>> with torch.set_grad_enabled(False):
    ...     torch.is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.enabled = bool(mode)
        self._before = (_current().enabled, _current().inference)
        _current().enabled = self.enabled

    def __enter__(self) -> None:
        self._former.append(self._before)
        _current().enabled = self.enabled

    def __call__(self, function: Function) -> Function:
        """Decorate: the setting holds inside the function only."""
        mode.enabled = self._before[0]
        return super().__call__(function)

    def clone(self) -> _Switch:
        """Return a fresh switch with the same setting."""
        return set_grad_enabled(self.enabled)


def _current() -> _Mode:
    return mode


class inference_mode(_Switch):
    """Like `no_grad`, and the results can never take part in a later gradient.

    >>> import fanin as torch
    >>> with torch.inference_mode():
    ...     result = torch.ones(2) * 2
    >>> result.requires_grad, result.is_inference()
    (False, True)
    """

    def __new__(cls, mode: Any = True) -> Any:
        """Return a switch, or the decorated function when used as a bare decorator."""
        return super().__new__(cls) if isinstance(mode, bool) else inference_mode()(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.inference = mode
        self.enabled = not mode

    def clone(self) -> _Switch:
        """Return a fresh switch with the same setting."""
        return inference_mode(bool(self.inference))


def is_grad_enabled() -> bool:
    """Say whether operations are being remembered.

    >>> import fanin as torch
    >>> with torch.no_grad():
    ...     print(torch.is_grad_enabled())
    False
    """
    return mode.enabled


def is_inference_mode_enabled() -> bool:
    """Say whether inference mode is on.

    >>> import fanin as torch
    >>> with torch.inference_mode():
    ...     print(torch.is_inference_mode_enabled())
    True
    """
    return mode.inference
