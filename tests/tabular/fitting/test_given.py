"""Settings by name: what is not named is the preset's, and what means nothing for a kind of network stays away."""

from __future__ import annotations

from fanin.tabular.fitting.given import named, recipe_of, settings_of
from fanin.tabular.fitting.presets import Recipe
from fanin.tabular.fitting.settings import realmlp, tabm

PRESET = Recipe((tabm(members=8, rate=0.01), realmlp("numbers", epochs=9)), folds=3)


def test_a_name_of_the_other_kind_changes_nothing() -> None:
    """One space may name both kinds."""
    assert settings_of({"network": "realmlp", "members": 4}, PRESET, "numbers") == PRESET.stages[1]
    assert settings_of({"network": "tabm", "activation": "relu"}, PRESET, "numbers") == PRESET.stages[0]
    assert settings_of({"members": 4}, PRESET, "numbers") == tabm(members=4, rate=0.01)
    assert ("members" in named(PRESET.stages[0]), "members" in named(PRESET.stages[1])) == (True, False)


def test_one_kind_is_trained_on_the_presets_folds() -> None:
    found = recipe_of({"network": "realmlp", "learning_rate": 0.5, "hidden": 32}, PRESET, "numbers")
    assert (found.folds, found.repeats) == (3, 1)
    assert found.stages == (realmlp("numbers", epochs=9, rate=0.5, hidden=(32,)),)
    assert recipe_of(None, PRESET, "numbers") is PRESET
