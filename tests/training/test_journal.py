"""A loss that is not finite, many native calls into an epoch: the weights it was computed with are there, or are found.

With batch normalisation the state has changed by the time the loss is known; without it, native code stops in time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin._core.errors import DivergenceError
from fanin.training.engines import journal, native

ROWS, BATCH = 1003, 4  # the last batch has three rows


def diverged(engine: str, bad: int, norm: bool = True) -> tuple[list[Any], DivergenceError]:
    """Train until a row without a number comes, and return the weights and the moments there."""
    torch.manual_seed(5)
    middle = [torch.nn.BatchNorm1d(8)] if norm else []
    layers = [torch.nn.Linear(3, 8), *middle, torch.nn.ReLU(), torch.nn.Dropout(0.3), torch.nn.Linear(8, 1)]
    net = torch.nn.Sequential(*layers).double()  # small batches that are normalised multiply what is rounded
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    x, y = (torch.randn(ROWS, n, dtype=torch.float64) for n in (3, 1))
    x.numpy()[bad] = np.nan
    options = {"epochs": 2, "batch_size": BATCH, "shuffle": False, "restore_best": False, "progress": False}
    with pytest.raises(DivergenceError) as caught:
        torch.fit(net, (x, y), torch.nn.MSELoss(), optimizer, engine=engine, **options)
    moments = [optimizer.state[p][name] for p in net.parameters() for name in ("exp_avg", "step")]
    return [t.detach().numpy().copy() for t in (*net.parameters(), *net.buffers(), *moments)], caught.value


@pytest.mark.parametrize("norm", [True, False], ids=["changed by then", "stopped in time"])
@pytest.mark.parametrize("often", [0.0, 60.0], ids=["each call is copied", "one call is copied"])
@pytest.mark.parametrize("bad", [0, 700, 1001], ids=["first step", "late", "shorter batch"])
def test_the_weights_of_the_bad_step(bad: int, often: float, norm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "OFTEN", often)
    monkeypatch.setattr(native, "AT_ONCE", 16)  # so that there are many calls
    found, error = diverged("native", bad, norm)
    expected, told = diverged("numpy", bad, norm)
    assert (error.epoch, error.step) == (told.epoch, told.step) == (1, bad // BATCH + 1)
    assert_close(found, expected)


def assert_close(found: list[Any], expected: list[Any]) -> None:
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_one_step_off_would_be_seen() -> None:
    one, other = diverged("numpy", 700)[0], diverged("numpy", 704)[0]
    with pytest.raises(AssertionError):
        assert_close(one, other)


@pytest.mark.parametrize(("norm", "expected"), [(True, 3), (False, 0)])
def test_the_state_is_copied_once_an_epoch_or_never(norm: bool, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []
    before = native.NativeProgram.remember
    monkeypatch.setattr(journal, "OFTEN", 60.0)
    monkeypatch.setattr(native, "AT_ONCE", 16)
    monkeypatch.setattr(
        native.NativeProgram, "remember", lambda self, state: copies.append(len(state)) or before(self, state)
    )
    net = torch.nn.Sequential(*([torch.nn.BatchNorm1d(3)] if norm else []), torch.nn.Linear(3, 1))
    rule = torch.optim.SGD(net.parameters(), lr=0.01)
    x, y = torch.randn(ROWS, 3), torch.randn(ROWS, 1)
    torch.fit(
        net, (x, y), torch.nn.MSELoss(), rule, epochs=3, batch_size=BATCH, callbacks=[lambda _: None], progress=False
    )
    assert len(copies) == expected


@pytest.mark.parametrize("rule", ["Adam", "NAdam", "SGD"])  # NAdam's numbers of a step cannot be counted back
@pytest.mark.parametrize("engine", ["native", "numpy", "eager"])
def test_only_the_steps_that_were_taken_are_counted(engine: str, rule: str) -> None:
    torch.manual_seed(5)
    net = torch.nn.Linear(3, 2)
    optimizer = getattr(torch.optim, rule)(net.parameters(), lr=0.01)
    x, y = torch.randn(100, 3), torch.randint(0, 2, (100,))
    for attempt, wrong in enumerate((np.nan, 7)):
        data = x.clone(), y.clone()
        data[attempt].numpy()[62] = wrong
        with pytest.raises((DivergenceError, IndexError)):
            torch.fit(
                net,
                data,
                torch.nn.CrossEntropyLoss(),
                optimizer,
                epochs=1,
                batch_size=4,
                shuffle=False,
                restore_best=False,
                engine=engine,
            )
        if rule == "SGD":
            assert optimizer._step_count == 15 * (attempt + 1)
        else:
            assert [float(s["step"]) for s in optimizer.state.values()] == [15.0 * (attempt + 1)] * 2
    if rule == "NAdam":
        products = [float(s["mu_product"]) for s in optimizer.state.values()]
        assert products == pytest.approx([reference_product(30)] * 2, rel=1e-5)


def reference_product(steps: int) -> float:
    """Return the product of NAdam's momenta (Dozat, "Incorporating Nesterov Momentum into Adam", 2016)."""
    return float(np.prod([0.9 * (1 - 0.5 * 0.96 ** (t * 0.004)) for t in range(1, steps + 1)]))
