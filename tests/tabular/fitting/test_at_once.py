"""How many networks are trained side by side where the clock is looked at: as many as the process has processors."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fanin.tabular.fitting import ensemble
from fanin.tabular.fitting.members import Part
from fanin.tabular.search.halving import Halving


@pytest.fixture(params=[1, 3])
def processors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many a process may use of the 64 that a machine has, as in a container, or under taskset."""
    count: int = request.param
    for name in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)), raising=False)
    return count


def test_networks_of_a_fit(processors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks: list[int] = []

    def train(plan: Any, pairs: Any, *_: Any, **__: Any) -> list[Any]:
        chunks.append(len(pairs))
        return [SimpleNamespace(stopped="finished")] * len(pairs)

    monkeypatch.setattr(ensemble, "train", train)
    part, rows = Part((np.zeros((4, 1), np.float32),), np.zeros(4, np.int64)), np.arange(2)
    settings: Any = None
    ensemble._train(settings, part, [(rows, rows)] * 5, 0, time.monotonic() + 100, None)
    assert chunks == {1: [1, 1, 1, 1, 1], 3: [3, 2]}[processors]


def test_settings_of_a_search(processors: int) -> None:
    fold: Any = (None, None)
    unused: Any = None
    search = Halving(unused, unused, [fold], [], seed=0, deadline=time.monotonic() + 100)
    assert search._at_once() == processors
