"""Random chains of operations that read elements at other places than their own, compiled and in eager code.

Fusion, places in memory and views have to agree on who reads what when. A chain that mixes them finds where they do
not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fanin as torch

Change = Callable[[Any], Any]
CHANGES: dict[str, Change] = {
    "turned": lambda h: h.flip(1),
    "rows turned": lambda h: h.flip(0),
    "rolled": lambda h: h.roll(1, 1),
    "bent": torch.tanh,
    "cut": lambda h: h.clamp(-0.5, 0.5),
    "summed up": lambda h: 0.3 * h.cumsum(1),
    "sorted": lambda h: h.sort(1).values,
    "squared": lambda h: 0.2 * h * h,
    "less its mean": lambda h: h - h.mean(1, keepdim=True),
    "less its columns' means": lambda h: h - h.mean(0),
    "less its first": lambda h: h - h[:, :1],
    "less its largest": lambda h: h - h.max(1, keepdim=True).values,
    "of length one": lambda h: h / (h.abs().sum(1, keepdim=True) + 1),
    "shares": lambda h: torch.softmax(h, 1),
    "parts changed": lambda h: torch.cat([h[:, :2], h.flip(1)[:, : h.shape[1] - 2]], 1) if h.shape[1] > 2 else h,
    "transposed twice": lambda h: (1.5 * h.T).T,
    "other rows": lambda h: h.reshape(h.shape[1], -1).T.contiguous(),
    "every second": lambda h: h[:, ::2] + h[:, :1],
    "chosen": lambda h: h[:, torch.tensor([h.shape[1] - 1, 0, h.shape[1] // 2])],
    "positive": lambda h: torch.where(h > 0, h, 0.5 * h.flip(1)),
    "all products": lambda h: 0.2 * (h.unsqueeze(2) * h.unsqueeze(1)).sum(2),
}


def chain(names: list[str]) -> Callable[[Any, Any], Any]:
    def function(x: Any, weight: Any) -> Any:
        h = x * weight
        for name in names:
            h = CHANGES[name](h)
        loss = (h * h).mean() + h[:, 0].sum()
        loss.backward()
        return h.detach(), weight.grad

    return function


@pytest.mark.parametrize("seed", range(80))
def test_chains(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [str(name) for name in rng.choice(list(CHANGES), rng.integers(2, 7))]
    shape = int(rng.choice([1, 2, 5, 8, 20])), int(rng.choice([1, 3, 5, 8, 20]))
    x, start = torch.from_numpy(rng.normal(size=shape)), rng.normal(size=shape[1])
    results = []
    for make in (lambda function: function, torch.compile):
        weight = torch.tensor(start, requires_grad=True)
        results.append(make(chain(names))(x, weight))
    for found, expected in zip(results[1], results[0], strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-9, atol=1e-11, err_msg=f"{shape}: {names}")


def test_what_is_read_through_a_view_too_is_complete() -> None:
    def less_its_first(x: Any) -> Any:
        h = x - x.mean(0)
        return h - h[:, :1]

    x = torch.from_numpy(np.random.default_rng(0).normal(size=(8, 20)))
    np.testing.assert_allclose(torch.compile(less_its_first)(x).numpy(), less_its_first(x).numpy(), atol=1e-12)


def test_rows_that_read_all_rows_wait_for_them() -> None:
    rng = np.random.default_rng(0)
    x, weight, wide = (torch.from_numpy(rng.normal(size=shape)) for shape in ((48, 64), (64, 1), (64, 200)))

    def pairs(x: Any) -> Any:
        level = x @ weight + 1
        return (level * level.reshape(1, -1)) @ level, (x @ wide).sum(1)

    compiled = torch.compile(pairs)
    for found, expected in zip(compiled(x), pairs(x), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-10)
    assert "2 lanes" in compiled.explain_plan()
