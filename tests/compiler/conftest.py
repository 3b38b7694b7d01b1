"""Compiled code of these tests lies in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the cache on disk begin empty, and keep it away from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FANIN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield
