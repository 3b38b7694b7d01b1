"""Draws that fall on an edge exactly, which a stream of words does once in 2**53 times."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fanin.random import Generator, bernoulli, draws, multinomial, weighted


def planted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, values: list[Any], dtype: Any) -> None:
    monkeypatch.setattr(module, name, lambda _, count: np.array(values[:count], dtype))


@pytest.mark.parametrize("p", [0.3, 0.1, 1 / 3, 0.5, 2.0**-60, 1 - 2.0**-53])
def test_bernoulli_at_its_probability(p: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number is kept when m * 2**-53 < p: compared as numbers, not as p is rounded."""
    near = math.floor(math.ldexp(p, 53))
    numerators = [m for m in range(near - 2, near + 3) if 0 <= m < 2**53]
    planted(monkeypatch, draws, "integers53", numerators, np.uint64)
    kept = bernoulli(Generator(), p, (len(numerators),))
    assert kept.tolist() == [float(math.ldexp(m, -53) < p) for m in numerators]


def test_multinomial_at_a_running_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch goes on while the running sum is below the number: the first one that is not is taken."""
    planted(monkeypatch, weighted, "unit53", [0.0, 0.25, 0.3, 0.5, 0.75, 0.999], np.float64)
    found = multinomial(Generator(), np.array([1.0, 1.0, 2.0]), 6, replacement=True)
    assert found.tolist() == [0, 0, 1, 1, 2, 2]
