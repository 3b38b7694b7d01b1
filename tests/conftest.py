"""Options and settings that hold for every test."""

from __future__ import annotations

import os
import signal

import hypothesis
import pytest

hypothesis.settings.register_profile("fanin", derandomize=True, deadline=None, max_examples=50, database=None)
hypothesis.settings.load_profile("fanin")

# Tests run side by side: threads of OpenMP (scikit-learn's, PyTorch's) shall not wait for each other in loops, which
# takes the cores from the others. To be said before these libraries are loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a worker of pytest-xdist; tests press Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --live, which brings in PyTorch."""
    parser.addoption("--live", action="store_true", help="run the comparisons with PyTorch, and run it live")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what needs no PyTorch; with --live, keep what PyTorch has a say in."""
    live = config.getoption("--live")
    kept = [item for item in items if (_asks_torch(item) if live else not item.get_closest_marker("parity"))]
    known = set(kept)
    left_out = [item for item in items if item not in known]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def _asks_torch(item: pytest.Item) -> bool:
    return item.get_closest_marker("parity") is not None or "live" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def live(request: pytest.FixtureRequest) -> bool:
    """Whether to compare with live PyTorch."""
    return bool(request.config.getoption("--live"))
