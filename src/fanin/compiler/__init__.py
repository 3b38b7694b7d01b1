"""Computations as graphs: captured from Python, simplified, and carried out by an engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanin._core.missing import refuse as _refuse
from fanin.compiler.compile import compile as compile
from fanin.compiler.compile import disable as disable
from fanin.tensor.grad_mode import mode as _mode


def is_compiling() -> bool:
    """Say whether a function is being captured."""
    return _mode.capture is not None


is_dynamo_compiling = is_compiling


def reset() -> None:
    """Do nothing: every compiled function keeps its own captures."""


def allow_in_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function: everything that can be captured is."""
    return function


__getattr__ = _refuse("torch.compiler")
