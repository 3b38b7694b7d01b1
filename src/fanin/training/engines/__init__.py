"""What carries out the steps of `fit`: the tape, or a captured graph."""

from __future__ import annotations

from fanin._core.errors import ArgumentError
from fanin.training.engines.eager import EagerEngine
from fanin.training.engines.engine import Engine, NotFinite, Steps, Task, Watch

NAMES = ("auto", "native", "numpy", "eager")


def check_engine(name: str) -> None:
    """Raise ValueError for a name that no engine has."""
    if name not in NAMES:
        raise ArgumentError(f"fit: engine must be one of {', '.join(NAMES)}, not {name!r}")


def make_engine(name: str, task: Task) -> Engine:
    """Return the engine of a name for a task."""
    return EagerEngine(task)
