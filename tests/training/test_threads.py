"""How many threads NumPy's matrix products use while runs go on side by side."""

from __future__ import annotations

import pytest

from fanin._core import threads as library
from fanin.training import threads
from fanin.training.threads import product_threads


@pytest.fixture
def number(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stand in for the library's number, 4 at first; each change is added."""
    told = [4]
    monkeypatch.setattr(threads, "get_num_threads", lambda: told[-1])
    monkeypatch.setattr(threads, "set_num_threads", told.append)
    return told


def test_the_number_holds_until_the_last_run_has_ended(number: list[int]) -> None:
    first, second = product_threads(1), product_threads(1)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert number[-1] == 1
    second.__exit__(None, None, None)
    assert number[-1] == 4


def test_the_least_number_asked_for_holds(number: list[int]) -> None:
    with product_threads(2):
        assert number[-1] == 2
        with product_threads(1), product_threads(3), product_threads(None):
            assert number[-1] == 1
        assert number[-1] == 2
    assert number[-1] == 4


def test_an_error_gives_the_number_back() -> None:
    before = library.get_num_threads()
    with pytest.raises(ZeroDivisionError), product_threads(1):
        raise ZeroDivisionError
    assert library.get_num_threads() == before
