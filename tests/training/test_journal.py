"""A loss that is not finite, many native calls into an epoch: the weights it was computed with are found again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin._core.errors import DivergenceError
from fanin.training.engines import journal, native

ROWS, BATCH = 1003, 4  # the last batch has three rows


def diverged(engine: str, bad: int) -> tuple[list[Any], DivergenceError]:
    """Train until a row without a number comes, and return the weights and the moments there."""
    torch.manual_seed(5)
    net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Dropout(0.3), torch.nn.Linear(8, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    x, y = torch.randn(ROWS, 3), torch.randn(ROWS, 1)
    x.numpy()[bad] = np.nan
    options = {"epochs": 2, "batch_size": BATCH, "shuffle": False, "restore_best": False, "progress": False}
    with pytest.raises(DivergenceError) as caught:
        torch.fit(net, (x, y), torch.nn.MSELoss(), optimizer, engine=engine, **options)
    moments = [optimizer.state[p]["exp_avg"] for p in net.parameters()]
    return [t.detach().numpy().copy() for t in (*net.parameters(), *moments)], caught.value


@pytest.mark.parametrize("often", [0.0, 60.0], ids=["each call is copied", "one call is copied"])
@pytest.mark.parametrize("bad", [0, 700, 1001], ids=["first step", "late", "shorter batch"])
def test_the_weights_of_the_bad_step(bad: int, often: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "OFTEN", often)
    monkeypatch.setattr(native, "AT_ONCE", 16)  # so that there are many calls
    found, error = diverged("native", bad)
    expected, told = diverged("numpy", bad)
    assert (error.epoch, error.step) == (told.epoch, told.step) == (1, bad // BATCH + 1)
    assert_close(found, expected)


def assert_close(found: list[Any], expected: list[Any]) -> None:
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-6)


def test_one_step_off_would_be_seen() -> None:
    one, other = diverged("numpy", 700)[0], diverged("numpy", 704)[0]
    with pytest.raises(AssertionError):
        assert_close(one, other)


def test_the_state_is_copied_once_an_epoch_while_it_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []
    before = native.NativeProgram.remember
    monkeypatch.setattr(native, "AT_ONCE", 16)
    monkeypatch.setattr(
        native.NativeProgram, "remember", lambda self, state: copies.append(len(state)) or before(self, state)
    )
    net = torch.nn.Linear(3, 1)
    rule = torch.optim.SGD(net.parameters(), lr=0.01)
    x, y = torch.randn(ROWS, 3), torch.randn(ROWS, 1)
    torch.fit(
        net, (x, y), torch.nn.MSELoss(), rule, epochs=3, batch_size=BATCH, callbacks=[lambda _: None], progress=False
    )
    assert len(copies) == 3
