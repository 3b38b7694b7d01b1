"""Every module and optimiser that PyTorch tests itself with is either run against fanin or named as out of scope."""

from __future__ import annotations

import json

import pytest

import fanin
from tests.parity import store
from tests.parity import torch_samples as samples
from tests.parity.harness import Case, differences, live_torch

ROOMS = {
    "modules": (fanin.nn, samples.MODULES_OUT_OF_SCOPE),
    "optimizers": (fanin.optim, samples.OPTIMIZERS_OUT_OF_SCOPE),
}


def sampled(kind: str) -> set[str]:
    return {json.loads(entries["plan"])["name"] for _, entries in samples.stored(kind)}


@pytest.mark.parametrize("kind", ROOMS)
def test_fanin_has_what_is_sampled_and_lacks_what_is_out_of_scope(kind: str) -> None:
    room, out_of_scope = ROOMS[kind]
    assert not {name for name in sampled(kind) if not hasattr(room, name)}
    assert not {name for name in out_of_scope if hasattr(room, name)}, "in fanin, so in scope: run make record"


@pytest.mark.parametrize("kind", ["modules", "optimizers"])
def test_the_bad_samples_are_refused(kind: str) -> None:
    recorded = {name: r for name, r in store.read(f"torch_{kind}").items() if "_error_" in name}
    assert len(recorded) > 15
    silent = {name for name, entries in recorded.items() if set(entries.values()) == {"nothing raised"}}
    assert not silent


@pytest.mark.parity
@pytest.mark.parametrize("kind", ROOMS)
def test_the_stored_samples_are_those_of_torch(kind: str) -> None:
    fresh, kept = samples.SOURCES[kind](live_torch()), dict(samples.stored(kind))
    assert set(fresh) == set(kept)
    for name in fresh:
        rules = Case(kind, name, lambda torch: None, exact=True)
        assert differences(rules, fresh[name], kept[name]) == []
