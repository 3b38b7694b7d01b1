"""What tests of advice share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import fanin as torch
from fanin import advice


@pytest.fixture
def all_advice() -> Iterator[None]:
    """Turn all advice on for a test, and seed the default generator."""
    before = set(torch._core.advice._ignored)
    advice.restore()
    torch.manual_seed(0)
    yield
    torch._core.advice._ignored.clear()
    torch._core.advice._ignored.update(before)
