"""PyTorch's own settings of its optimisers: parameters after each step and the state, or the error that is due."""

from __future__ import annotations

import warnings
from typing import Any

from tests.parity.harness import DTYPES, Entries, case, raises, sample
from tests.parity.torch_samples import Reader, stored

STEPS = 6
SHAPES = [(4, 3), (5,), (1,)]
# A parameter that comes near zero has the rounding error of the size it came from, about 1 here.
ATOL = {"float32": 5e-8}
# L-BFGS divides by differences of gradients, which cancel more and more as it comes to the minimum.
LBFGS_TOLERANCE: dict[str, Any] = {
    "rtol": {"float32": 1e-3, "float64": 1e-7, "number": 1e-3},
    "atol": {"float32": 1e-4, "float64": 1e-12, "number": 1e-9},
}


def run(torch: Any, stored_sample: Entries, dtype: str) -> Any:
    """Minimise a separable bowl, whose gradient leaves no room for the order of a sum."""
    plan = Reader(torch, dtype, stored_sample).plan()
    parameters = [torch.nn.Parameter(sample(torch, *shape, dtype=dtype, seed=i)) for i, shape in enumerate(SHAPES)]
    centres = [sample(torch, *shape, dtype=dtype, seed=10 + i) for i, shape in enumerate(SHAPES)]
    steepness = [sample(torch, *shape, dtype=dtype, low=0.5, seed=20 + i) for i, shape in enumerate(SHAPES)]
    optimizer = getattr(torch.optim, plan["name"])(parameters, **plan["kwargs"])

    def closure() -> Any:
        optimizer.zero_grad()
        bowls = zip(parameters, centres, steepness, strict=True)
        loss = sum((a * (p - c) ** 2).sum() for p, c, a in bowls)
        loss.backward()
        return loss

    losses, path = [], []
    for _ in range(STEPS):
        losses.append(optimizer.step(closure))
        path.append([p.detach().clone() for p in parameters])
    return {"losses": losses, "path": path, "after": optimizer.state_dict()}


def refuse(torch: Any, stored_sample: Entries) -> Any:
    """Return which error a bad setting raises; a warning counts as one."""
    plan = Reader(torch, "float32", stored_sample).plan()
    default = [torch.nn.Parameter(sample(torch, 2, 3))]
    parameters = default if plan["params"] is None else plan["params"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return raises(lambda: getattr(torch.optim, plan["name"])(parameters, **plan["kwargs"]))


def _declare(name: str, stored_sample: Entries) -> None:
    if "_error_" in name:
        case(lambda torch: refuse(torch, stored_sample), name=name)
    else:
        tolerance = LBFGS_TOLERANCE if name.startswith("LBFGS") else {"atol": ATOL}
        case(lambda torch, dtype: run(torch, stored_sample, dtype), name=name, params=DTYPES, **tolerance)


for _name, _sample in stored("optimizers"):
    _declare(_name, _sample)
