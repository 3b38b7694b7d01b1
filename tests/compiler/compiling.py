"""What tests of compiled functions share: a network, a batch, a step, and both ways to run it."""

from __future__ import annotations

from typing import Any

import numpy as np

import fanin as torch
from fanin import nn
from fanin.nn import functional as F

D = torch.float64


def compiled(function: Any) -> Any:
    return torch.compile(function, engine="numpy")


def mlp(*extra: Any, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), *extra, nn.Tanh(), nn.Linear(6, 3)).double()


def batch(seed: int = 0, rows: int = 5) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    return torch.from_numpy(generator.normal(size=(rows, 4))), torch.from_numpy(generator.integers(0, 3, rows))


def close(a: Any, b: Any, tolerance: float = 1e-12) -> None:
    a, b = (x.numpy(force=True) if hasattr(x, "numpy") else np.asarray(x) for x in (a, b))
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def both(make: Any, steps: int = 4, rows: int = 5) -> tuple[Any, Any, Any]:
    """Run make(torch-like compile) eagerly and compiled: returns the two things made and the compiled function."""
    results, made, functions = [], [], []
    for wrap in (lambda f: f, compiled):
        net, step = make()
        run = wrap(step)
        results.append([run(*batch(i, rows)) for i in range(steps)])
        made.append(net)
        functions.append(run)
    for a, b in zip(*results, strict=True):
        close(b.detach(), a.detach())
    for (name, a), b in zip(made[0].state_dict().items(), made[1].state_dict().values(), strict=True):
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-12, atol=1e-12, err_msg=name)
    return made[0], made[1], functions[1]


def training(net: Any, optimizer: Any, loss: Any = F.cross_entropy, before: Any = None, after: Any = None) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        value = loss(net(x), y)
        value.backward()
        if before is not None:
            before()
        optimizer.step()
        if after is not None:
            after()
        return value

    return step
