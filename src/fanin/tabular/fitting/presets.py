"""The named presets: which networks, on which rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fanin._core.errors import ArgumentError
from fanin.tabular.fitting.settings import Settings, realmlp, tabm

NAMES = ("fast", "default", "best")


@dataclass(frozen=True)
class Recipe:
    """What an estimator trains.

    stages: networks of different kinds, whose predictions are mixed.
    folds:  how many networks of each kind, each judged by its own fold; 1 for one network and a share held out.
    """

    stages: tuple[Settings, ...]
    folds: int = 1


def recipe(preset: str, task: str, rows: int, changes: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a preset.

    Args:
        preset: "fast", "default" or "best".
        task: "classes" or "numbers".
        rows: of the table.
        changes: fields of `Settings` that a user has decided; they hold for all stages.

    Raises ValueError for another preset.

    >>> len(recipe("best", "classes", 1000, {}).stages), recipe("fast", "numbers", 1000, {"epochs": 5}).stages[0].epochs
    (2, 5)
    """
    if preset not in NAMES:
        raise ArgumentError(f"preset must be one of {', '.join(NAMES)}, not {preset!r}")
    made = {"fast": _fast, "default": _default, "best": _best}[preset](task, rows)
    return replace(made, stages=tuple(replace(stage, **changes) for stage in made.stages))


def _members(rows: int) -> Settings:
    return tabm(hidden=(128, 128), members=8, batch_size=256)


def _fast(task: str, rows: int) -> Recipe:
    epochs = max(10, min(100, 800_000 // rows))
    return Recipe((replace(_members(rows), epochs=epochs, patience=8),))


def _default(task: str, rows: int) -> Recipe:
    return Recipe((_members(rows),))


def _best(task: str, rows: int) -> Recipe:
    width = 128 if rows < 3_000 else 256
    return Recipe((tabm(hidden=(width, width), members=16), realmlp(task, hidden=(width, width))), folds=5)
