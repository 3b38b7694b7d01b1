"""What carries out the steps of `fit`: the tape, or a captured graph."""

from __future__ import annotations

from fanin._core.advice import give
from fanin._core.errors import ArgumentError, CaptureError
from fanin.training.engines.eager import EagerEngine
from fanin.training.engines.engine import Engine, NotFinite, Steps, Task, Watch

NAMES = ("auto", "native", "numpy", "eager")


def check_engine(name: str) -> None:
    """Raise ValueError for a name that no engine has."""
    if name not in NAMES:
        raise ArgumentError(f"fit: engine must be one of {', '.join(NAMES)}, not {name!r}")


def make_engine(name: str, task: Task) -> Engine:
    """Return the engine of a name for a task.

    "auto" is native where the step can be captured, otherwise eager, with a warning that says why.
    """
    if name == "eager" or (name == "auto" and not _has_native()):
        return EagerEngine(task)
    from fanin.training.engines.graph import GraphEngine

    if name != "auto":
        return GraphEngine(task, name)
    try:
        return GraphEngine(task, "native")
    except CaptureError as error:
        give(UserWarning, f"fit: the steps run eagerly, and slower than compiled ones: {error}")
        return EagerEngine(task)


def _has_native() -> bool:
    return False
