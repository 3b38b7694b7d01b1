"""The steps that optimisers and schedulers take in a capture: numbers of the host, and what their state was before."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import is_
from typing import Any

import numpy as np

from fanin._core.errors import CaptureError
from fanin.compiler.graph import SCALAR, Value
from fanin.tensor.base import TensorBase
from fanin.tensor.grad_mode import enable_grad


@dataclass(frozen=True)
class ScalarLeaf:
    """A number of a step, and where the host finds it: in `hyper` or in the "state" of a cohort, under a name."""

    leaf: Value
    cohort: Any
    kind: str
    name: str


class Warmup(BaseException):
    """The function sets something up at its first call: that one is left to eager code."""


@dataclass
class Steps:
    """What a capture notes of the steps that are taken in it."""

    scalars: list[ScalarLeaf] = field(default_factory=list)
    cohorts: list[Any] = field(default_factory=list)  # the parameters that take a step together (fanin.optim.engine)
    steps: dict[int, int] = field(default_factory=dict)  # how many steps each optimiser takes in one call
    optimizers: list[Any] = field(default_factory=list)
    afterwards: list[Callable[[], Any]] = field(default_factory=list)  # what the host does after each call
    # Each optimiser, its state and its plans as they were before its first step, by its id.
    states: dict[int, tuple[Any, dict[Any, dict[str, Any]]]] = field(default_factory=dict)
    plans: dict[int, dict[int, Any]] = field(default_factory=dict)
    custom: list[Any] = field(default_factory=list)  # optimisers with a step of their own

    def scalar(self, cohort: Any, kind: str, name: str) -> Value:
        """Return the leaf of a number that the host knows at each step."""
        leaf = Value((), np.float64, role=SCALAR, weak=True, name=name)
        self.scalars.append(ScalarLeaf(leaf, cohort, kind, name))
        return leaf

    def earlier(self, cohort: Any) -> dict[str, Any]:
        """Return the numbers of the state as an earlier step of the same call left them."""
        found: dict[str, Any] = {}
        for other in self.cohorts:
            if (
                other is not cohort
                and other.optimizer is cohort.optimizer
                and len(other.params) == len(cohort.params)
                and all(map(is_, other.params, cohort.params))
            ):
                found.update(other.results)
        return found

    def optimizer_step(self, optimizer: Any, closure: Any) -> Any:
        """Note a step of an optimiser after its closure, and return what that returns."""
        from fanin.optim.engine import symbolic

        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        symbolic.take_step(self, optimizer, self._count_step(optimizer))
        return loss

    def own_step(self, optimizer: Any, step: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the step that an optimiser's class brings itself, in tensor operations."""
        from fanin.optim import LBFGS

        if isinstance(optimizer, LBFGS):
            raise CaptureError(
                "LBFGS evaluates its closure as often as its search needs, which is not known in a captured step",
                remedy="Compile the closure, which clears the gradients, calls backward() and returns the loss, and "
                "let the step be: closure = torch.compile(closure), then optimizer.step(closure).",
            )
        self._count_step(optimizer)
        if not any(optimizer is known for known in self.custom):
            self.custom.append(optimizer)
        return step(optimizer, (optimizer, *args), kwargs)

    def _count_step(self, optimizer: Any) -> int:
        """Return how many steps an optimiser has taken in this call before this one."""
        if self.afterwards:
            raise CaptureError(
                "an optimizer takes a step after a scheduler's step, in one captured function",
                remedy="Call scheduler.step() after optimizer.step(), at the end of the function or outside of it.",
            )
        if not any(optimizer is known for known in self.optimizers):
            self.optimizers.append(optimizer)
        self.watch_state(optimizer)
        nth = self.steps.get(id(optimizer), 0)
        self.steps[id(optimizer)] = nth + 1
        return nth

    def later(self, step: Callable[..., Any], scheduler: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Let a scheduler take its step on the host after each call."""
        if any(isinstance(x, TensorBase) for x in (*args, *kwargs.values())):
            raise CaptureError(
                f"{type(scheduler).__name__}.step reads the value of a tensor in the middle of a captured step",
                remedy="Return the tensor from the compiled function, and call scheduler.step(value) outside.",
            )
        self.afterwards.append(functools.partial(step, scheduler, *args, **kwargs))

    def check_state(self) -> None:
        """Raise where a step of an optimiser's own changed what later calls would find changed already."""
        for optimizer in self.custom:
            before = self.states[id(optimizer)][1]
            for p, held in optimizer.state.items():
                for name, value in held.items():
                    if name not in before.get(p, {}):
                        raise Warmup(type(optimizer).__name__)
                    old = before[p][name]
                    if value is not old and not (type(value) in (int, float, bool, str) and value == old):
                        raise CaptureError(
                            f"the step of {type(optimizer).__name__} replaces its state {name!r}",
                            remedy="Change a tensor of the state in place; a count that is a Python number is the same "
                            "at every call. Or write the rule as hyper and update (fanin.optim.Optimizer).",
                        )

    def forget(self) -> None:
        """Undo what the capture changed for good: the state that it started for optimisers."""
        for optimizer, states in self.states.values():
            optimizer.state.clear()
            optimizer.state.update({p: dict(held) for p, held in states.items()})
            optimizer._plans = dict(self.plans[id(optimizer)])

    def watch_state(self, optimizer: Any) -> None:
        """Remember the state of an optimiser as it was before its first step in the capture."""
        if id(optimizer) not in self.states:
            self.states[id(optimizer)] = optimizer, {p: dict(held) for p, held in optimizer.state.items()}
            self.plans[id(optimizer)] = dict(optimizer._plans)
