"""Modules without starting values."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import ArgumentTypeError, OperationError
from fanin.nn.module import Module
from fanin.random.generator import default_generator


def skip_init(module_cls: Any, *args: Any, **kwargs: Any) -> Any:
    """Return a module whose parameters have no values yet (zeros in fanin), without drawing from the stream.

    Raises TypeError for what is no class, RuntimeError for a class of something else.

    >>> import fanin as torch
    >>> layer = torch.nn.utils.skip_init(torch.nn.Linear, 5, 1)
    >>> layer.weight.shape
    torch.Size([1, 5])
    """
    if not isinstance(module_cls, type):
        raise ArgumentTypeError(f"skip_init takes a class of modules, not {module_cls!r}")
    if not issubclass(module_cls, Module):
        raise OperationError(f"Expected a Module; got {module_cls}")
    before = default_generator.get_state()
    try:
        return module_cls(*args, **kwargs).to_empty(device=kwargs.get("device", "cpu"))
    finally:
        default_generator.set_state(before)
