"""What carries out the steps of `fit`: the tape, or a captured graph."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

from fanin._core.errors import ArgumentError, CaptureError, MissingExtraError
from fanin.training.engines.eager import EagerEngine, evaluates
from fanin.training.engines.engine import Engine, NotFinite, Steps, Task, Watch
from fanin.training.source import Rows

NAMES = ("auto", "native", "numpy", "eager")


def check_engine(name: str) -> None:
    """Raise ValueError for a name that no engine has."""
    if name not in NAMES:
        raise ArgumentError(f"fit: engine must be one of {', '.join(NAMES)}, not {name!r}")


def make_engine(name: str, task: Task) -> Engine:
    """Return the engine of a name for a task.

    "auto" is native for rows in memory where the step can be captured (a warning says why not), otherwise eager; and so
    it is where llvmlite is not installed. It does not depend on the number of epochs: a run that is resumed for some
    more takes the steps that it would have taken in one go.
    """
    unfinished = name != "eager" and task.members().unfinished
    if name == "eager" or (name == "auto" and not (_is_compiled(task) and not unfinished)):
        return EagerEngine(task)
    if unfinished:
        raise CaptureError(
            "fit: the model has parameters without a shape, which its first batch gives them",
            remedy="Call it once before, model(x[:1]); or let engine='auto' take eager steps.",
        )
    if evaluates(task.optimizer):
        raise CaptureError(
            f"fit: a step of {type(task.optimizer).__name__} evaluates the loss as often as it needs, and is no graph",
            remedy="Leave engine out, or give engine='eager'.",
        )
    if name == "numpy":
        from fanin.training.engines.graph import GraphEngine

        return GraphEngine(task)
    if name == "native":
        return _native(task)
    try:
        return _native(task)
    except Exception as error:  # a mistake in the model shows again in the first eager step, in plainer words
        return EagerEngine(task, f"fit: the steps run eagerly, and slower than compiled ones would: {error}")


def _is_compiled(task: Task) -> bool:
    """Say whether "auto" tries to compile."""
    return isinstance(task.source, Rows) and not evaluates(task.optimizer) and _has_llvm()


def _has_llvm() -> bool:
    return sys.modules.get("llvmlite") is not None or find_spec("llvmlite") is not None  # which looks through folders


def _native(task: Task) -> Engine:
    if not _has_llvm():
        raise MissingExtraError("fit: engine='native' needs llvmlite", remedy="pip install llvmlite")
    from fanin.training.engines.native import NativeEngine

    return NativeEngine(task)
