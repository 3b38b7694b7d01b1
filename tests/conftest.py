"""Options and settings that hold for every test."""

from __future__ import annotations

import hypothesis
import pytest

hypothesis.settings.register_profile("fanin", derandomize=True, deadline=None, max_examples=50, database=None)
hypothesis.settings.load_profile("fanin")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --live, which brings in PyTorch."""
    parser.addoption("--live", action="store_true", help="compare with live PyTorch instead of recorded values")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs PyTorch, unless it was asked for."""
    if config.getoption("--live"):
        return
    needs_torch = [item for item in items if item.get_closest_marker("parity")]
    if needs_torch:
        config.hook.pytest_deselected(items=needs_torch)
        items[:] = [item for item in items if not item.get_closest_marker("parity")]


@pytest.fixture(scope="session")
def live(request: pytest.FixtureRequest) -> bool:
    """Whether to compare with live PyTorch."""
    return bool(request.config.getoption("--live"))
