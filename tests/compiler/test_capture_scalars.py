"""The numbers of the steps ahead: computed at once, they are those of one step after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.compiler.capture import Captured, capture
from tests.parity.cases.optim_rules import SETTINGS

ALL = [(rule, label) for rule, labels in SETTINGS.items() for label in labels]


def captured(rule: str, options: dict[str, Any]) -> tuple[Captured, Any]:
    torch.manual_seed(0)
    net = nn.Linear(3, 2)
    optimizer = getattr(torch.optim, rule)(net.parameters(), **options)

    def step(x: Any) -> None:
        optimizer.zero_grad()
        net(x).sum().backward()
        optimizer.step()

    return capture(step, (torch.ones(4, 3),), {}), optimizer


def counts(optimizer: Any) -> list[list[float]]:
    return [[v.item() for v in held.values() if not v.shape] for held in optimizer.state.values()]


@pytest.mark.parametrize(("rule", "label"), ALL)
def test_a_table_is_the_rows_of_the_steps(rule: str, label: str) -> None:
    scalars, optimizer = (lambda c, o: (c.scalars, o))(*captured(rule, SETTINGS[rule][label]))
    before = counts(optimizer)
    table = scalars.table(7)
    assert counts(optimizer) == before
    assert table.shape == (7, len(scalars))
    rows = []
    for _ in range(7):
        rows.append(scalars.row())
        scalars.advance()
    np.testing.assert_allclose(table, np.array(rows).reshape(table.shape), rtol=1e-14)
    assert optimizer._step_count == 7


def test_many_steps_count_like_one_after_the_other() -> None:
    (one, first), (many, second) = captured("NAdam", {}), captured("NAdam", {})
    for _ in range(5):
        one.scalars.advance()
    many.scalars.advance(5)
    assert counts(first) == counts(second)
    assert one.scalars.row() == many.scalars.row()


def test_another_flag_ends_the_table_and_the_rows() -> None:
    class Switching(torch.optim.SGD):
        def hyper(self, group: dict[str, Any], step: int) -> dict[str, Any]:
            return {**super().hyper(group, step), "nesterov": bool(step > 3)}

    torch.optim.Switching = Switching
    try:
        made, _ = captured("Switching", {"lr": 0.1, "momentum": 0.5})
    finally:
        del torch.optim.Switching
    assert len(made.scalars.table(10)) == 3
    made.scalars.advance(3)
    assert made.scalars.row() is None
    assert made.scalars.flags() != made.scalars.expected
