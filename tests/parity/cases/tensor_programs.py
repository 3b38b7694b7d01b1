"""Random programs of views and changes in place: values, histories, gradients and errors agree."""

from __future__ import annotations

import random
from typing import Any

from tests.parity.harness import case, raises, sample

PROGRAMS_IN_A_CASE = 10
VIEWS = {
    "t": lambda x: x.transpose(0, 1) if x.dim() > 1 else x.view_as(x),
    "row": lambda x: x[0],
    "last": lambda x: x[-1],
    "column": lambda x: x[..., 0],
    "tail": lambda x: x[-1:],
    "flat": lambda x: x.reshape(-1),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "narrow": lambda x: x.narrow(-1, 0, 1),
    "diagonal": lambda x: x.diagonal() if x.dim() == 2 else x.view_as(x),
    "expand": lambda x: x.expand(2, *x.shape),
    "movedim": lambda x: x.movedim(0, -1),
    "detach": lambda x: x.detach(),
}
RESULTS = {
    "exp": lambda x: (x / 5).exp(),
    "sin": lambda x: x.sin(),
    "square": lambda x: x**2,
    "sum": lambda x: x.sum(0),
    "mean": lambda x: x.mean(),
    "clone": lambda x: x.clone(),
    "relu": lambda x: x.relu(),
    "neg": lambda x: -x,
    "cumsum": lambda x: x.cumsum(0),
    "sort": lambda x: x.sort(-1).values,
}
PAIRS = {
    "add": lambda x, y: x + y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / (y * y + 1),
    "sub": lambda x, y: x - y,
}
# The other operand is a copy, because what an overlap gives depends on the order in which elements are visited.
CHANGES = {
    "add_": lambda x, y: x.add_(y),
    "mul_": lambda x, y: x.mul_(y),
    "copy_": lambda x, y: x.copy_(y),
    "sin_": lambda x, y: x.sin_(),
    "exp_": lambda x, y: x.mul_(0.1).exp_(),
    "zero_": lambda x, y: x.zero_(),
    "fill_": lambda x, y: x.fill_(0.7),
    "clamp_": lambda x, y: x.clamp_(0.2, 1.1),
    "mul 2": lambda x, y: x.mul_(2),
    "pow 2": lambda x, y: x.pow_(2),
    "sqrt_": lambda x, y: x.abs_().add_(0.1).sqrt_(),
    "masked": lambda x, y: x.masked_fill_(x.detach() > 1, 0.3),
    "+=": lambda x, y: x.__iadd__(y),
    "set row": lambda x, y: x.__setitem__(0, y[0]),
    "set list": lambda x, y: x.__setitem__([0], 0.4),
    "set mask": lambda x, y: x.__setitem__(x.detach() > 1, 0.9),
    "set slice": lambda x, y: x.__setitem__((Ellipsis, slice(0, 1)), y[..., :1]),
}


def step(rng: random.Random, tensors: list[Any]) -> bool:
    """Do one random thing; return whether it could be done."""
    kind = rng.choice(["view", "view", "result", "pair", "change", "change", "change"])
    table = {"view": VIEWS, "result": RESULTS, "pair": PAIRS, "change": CHANGES}[kind]
    function = table[rng.choice(sorted(table))]
    x, y = (tensors[int(rng.random() * len(tensors))] for _ in range(2))

    def act() -> None:
        if kind == "change":
            if 0 in x.stride():
                raise ValueError("repeated memory")
            function(x, y.clone())
        else:
            tensors.append(function(x, y) if kind == "pair" else function(x))

    return raises(act) == "nothing raised"


def program(torch: Any, seed: int) -> dict[str, Any]:
    """Run a program and return its last tensors, what they require, and their gradients."""
    rng = random.Random(seed)
    w = sample(torch, 2, 3, dtype="float64", low=0.5, high=1.5, seed=seed, requires_grad=True)
    v = sample(torch, 2, 3, dtype="float64", low=0.5, high=1.5, seed=seed + 1, requires_grad=seed % 3 > 0)
    tensors = [w * 1, v * 1]
    done = [step(rng, tensors) for _ in range(rng.randint(4, 10))]
    found: dict[str, Any] = {"done": done}
    for i, x in enumerate(tensors[-3:]):
        found[f"{i}"] = [x.clone(), x.requires_grad, gradients(torch, x, [w, v] if v.requires_grad else [w])]
    return found


def gradients(torch: Any, x: Any, leaves: list[Any]) -> Any:
    """Return the gradients of a tensor's square, or the name of the error that backward raises."""
    if not x.requires_grad:
        return None
    kept: list[Any] = []
    name = raises(lambda: kept.extend(torch.autograd.grad((x * x).sum(), leaves, retain_graph=True, allow_unused=True)))
    return [torch.zeros(1) if g is None else g for g in kept] or name


@case(params=[(start,) for start in range(0, 400, PROGRAMS_IN_A_CASE)])
def programs(torch: Any, start: int) -> Any:
    return {f"{seed}": program(torch, seed) for seed in range(start, start + PROGRAMS_IN_A_CASE)}
