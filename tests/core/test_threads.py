"""The number of threads that matrix products use."""

from __future__ import annotations

import pytest

import fanin as torch


def test_the_number_is_kept() -> None:
    before = torch.get_num_threads()
    assert before >= 1
    try:
        torch.set_num_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("number", "error"), [(0, RuntimeError), (-1, RuntimeError), (1.5, TypeError), (True, TypeError)]
)
def test_what_is_no_number_of_threads(number: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="set_num_threads expects"):
        torch.set_num_threads(number)
