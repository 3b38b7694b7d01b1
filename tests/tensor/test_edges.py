"""Edges of operations and of the tape, worked by hand."""

from __future__ import annotations

import pytest

import fanin as torch


@pytest.mark.parametrize("reduce", ["amax", "amin"])
def test_values_that_tie_share_the_gradient_of_a_place(reduce: str) -> None:
    x = torch.tensor([2.0, 9.0], requires_grad=True)
    source = torch.tensor([2.0, 2.0, 9.0], requires_grad=True)
    found = x.scatter_reduce(0, torch.tensor([0, 0, 1]), source, reduce)
    (found * torch.tensor([6.0, 4.0])).sum().backward()
    assert (x.grad.tolist(), source.grad.tolist()) == ([2.0, 2.0], [2.0, 2.0, 2.0])
