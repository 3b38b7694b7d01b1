"""Settings that a user gives by name: what `settings=` of the estimators and the trials of a search hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fanin._core.errors import ArgumentError, ArgumentTypeError
from fanin.tabular.fitting.presets import Recipe
from fanin.tabular.fitting.settings import Settings, realmlp, tabm, widths_of

# As a user names them, and as `Settings` does.
FIELDS = {
    "network": "network",
    "hidden": "hidden",
    "activation": "activation",
    "members": "members",
    "periodic": "periodic",
    "dropout": "dropout",
    "learning_rate": "rate",
    "weight_decay": "weight_decay",
    "label_smoothing": "smoothing",
    "batch_size": "batch_size",
    "epochs": "epochs",
    "patience": "patience",
}
_ONLY = {"members": "tabm", "activation": "realmlp"}  # names that mean something for one kind of network


def recipe_of(given: Mapping[str, Any] | None, preset: Recipe, task: str) -> Recipe:
    """Return the recipe of a preset, or one of a single kind of network where settings are given, on the same splits.

    >>> plan = Recipe((tabm(),), folds=4)
    >>> found = recipe_of({"network": "realmlp", "learning_rate": 0.1}, plan, "classes")
    >>> found.folds, len(found.stages), found.stages[0].network, found.stages[0].rate
    (4, 1, 'realmlp', 0.1)
    """
    if given is None:
        return preset
    return replace(preset, stages=(settings_of(given, preset, task),))


def settings_of(given: Mapping[str, Any], preset: Recipe, task: str) -> Settings:
    """Return settings with those given by name; what is not named is as the preset has it for this kind of network.

    Args:
        given: values by the names of `FIELDS`.
        preset: a recipe; its first network is changed, unless another kind is asked for that it does not have.
        task: "classes" or "numbers".

    Raises TypeError for what is no mapping, ValueError for other names and for values outside their domains.
    """
    if not isinstance(given, Mapping):
        raise ArgumentTypeError(f"settings are a dictionary of values by name, not {type(given).__name__}")
    unknown = [name for name in given if name not in FIELDS]
    if unknown:
        raise ArgumentError(f"settings have no {unknown[0]!r}; there are {', '.join(FIELDS)}")
    kind = given.get("network", preset.stages[0].network)
    base = next((stage for stage in preset.stages if stage.network == kind), None) or _other(kind, preset, task)
    values = {FIELDS[name]: value for name, value in given.items() if _ONLY.get(name, kind) == kind}
    if "hidden" in values:
        values["hidden"] = widths_of(values["hidden"])
    return replace(base, **values)


def named(settings: Settings) -> dict[str, Any]:
    """Return settings by the names that users know, as far as they mean something for their kind of network.

    >>> named(tabm())["learning_rate"]
    0.002
    """
    return {
        name: getattr(settings, field)
        for name, field in FIELDS.items()
        if _ONLY.get(name, settings.network) == settings.network
    }


def _other(kind: Any, preset: Recipe, task: str) -> Settings:
    """Return settings for a kind of network that the preset does not train."""
    if kind == "tabm":
        return tabm(hidden=(128, 128), members=8)
    if kind == "realmlp":
        return realmlp(task, hidden=(128, 128, 128), epochs=min(128, preset.stages[0].epochs))
    raise ArgumentError(f"no network {kind!r}; there are realmlp, tabm")
