"""A step that leaves its own history on the tape (`differentiable=True`), so that a gradient can go through it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin.optim.engine.memory import STEP, Scalar, Shaped, starts_for
from fanin.optim.engine.plan import scalar_dtype
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.shaping import reshape
from fanin.tensor.tape import wrap


def take_step(rule: Any, group: dict[str, Any]) -> None:
    """Call the rule's update on tensors, and write the results in place with their history."""
    for p in group["params"]:
        if p._grad is None:
            continue
        held = rule.state[p]
        step = _next_step(rule, group, p, held)
        hyper = {name: _zero_dimensional(value) for name, value in rule.hyper(group, step).items()}
        state = {name: value for name, value in held.items() if name != STEP}
        grad = -p._grad if group.get("maximize") else p._grad
        # A copy, because the history of the update reads the old value, which is overwritten.
        new, changed = rule.update(p.clone(), grad, state, hyper)
        held.update(changed)
        p.copy_(new)


def _next_step(rule: Any, group: dict[str, Any], p: Any, held: dict[str, Any]) -> int:
    """Start what the state lacks, count the step, and return its number."""
    starts = starts_for(p._array.shape, rule.init(group))
    fresh = any(held.get(name) is None for name in starts)
    for name, start in starts.items():
        if held.get(name) is None:
            held[name] = _started(start, p)
    if STEP not in starts:
        return 1 if fresh or not starts else 2
    held[STEP] = wrap(held[STEP]._array + 1)
    return int(held[STEP]._array)


def _started(start: Any, p: Any) -> Any:
    if isinstance(start, Scalar):
        return wrap(np.asarray(start.value, scalar_dtype()))
    if isinstance(start, Shaped):
        return wrap(np.full(start.shape(p._array.shape), start.value, p._array.dtype))
    return wrap(np.full_like(p._array, start))


def _zero_dimensional(value: Any) -> Any:
    return reshape(value, ()) if isinstance(value, TensorBase) else value
