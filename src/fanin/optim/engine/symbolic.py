"""A step that is captured: each rule's `update` called on values, its scalars left open for the host to fill in.

The state is kept where eager steps keep it, in the blocks of the group's plan, so that eager and compiled steps can
follow one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fanin._core.errors import CaptureError, StateError
from fanin.optim.engine.memory import STEP, Block, _same_memory, starts_for
from fanin.optim.engine.plan import Plan, _blocks
from fanin.optim.engine.trace import is_flag
from fanin.tensor.base import TensorBase


class Memory(Plan):
    """The blocks of a group's state without a plan for a step: an eager step makes its own from them."""

    def __init__(self, rule: Any, group: dict[str, Any], active: list[Any], old: Plan | None) -> None:
        starts = rule.init(group)
        for cohort in old.cohorts if old else ():
            cohort.leave()
        self.blocks = _blocks(group["params"], starts, old.blocks if old else {})
        for p in dict.fromkeys(active) if starts else ():
            block, held = self.blocks[p._array.dtype], rule.state[p]
            if not held or not _shows(held, block, block.position[p], starts):
                block.adopt(block.position[p], held, starts)
        self.cohorts, self.active = [], active

    def step(self, rule: Any, group: dict[str, Any]) -> bool:
        """Return False: there is no plan."""
        return False

    def alike(self) -> list[tuple[Block, list[int]]]:
        """Return the positions, in their blocks, of the parameters that share their scalars."""
        if len(self.blocks) == 1 and self.active:
            (block,) = self.blocks.values()
            numbers = [block.counts, *(values.tolist() for values in block.scalars.values())]
            if all(column.count(column[0]) == len(column) for column in numbers):
                return [(block, sorted([block.position[p] for p in self.active]))]
        return self._alike(self.active)


def _shows(held: dict[str, Any], block: Block, i: int, starts: Any) -> bool:
    """Say whether a state is in the block already: to adopt it again would count as a step taken."""
    starts = starts_for(block.shapes[i], starts)
    tensors = [held.get(name) for name in starts]
    return all(
        isinstance(t, TensorBase) and _same_memory(t._array, block.piece(name, i))
        for name, t in zip(starts, tensors, strict=True)
    )


@dataclass(frozen=True, eq=False)
class Cohort:
    """Parameters of a group that take a step with the same scalars.

    nth:     which step it is of those that the optimiser takes in one call, from 0.
    names:   the numbers of the state, besides the count of steps.
    results: for each of these that changes, its new number, computed from the scalars.
    flags:   the entries of `hyper` that are no numbers; another value of one needs another capture.
    """

    optimizer: Any
    index: int
    params: tuple[Any, ...]
    nth: int
    names: tuple[str, ...]
    flags: tuple[tuple[str, Any], ...]
    negate: bool
    results: dict[str, Any]

    @property
    def group(self) -> dict[str, Any]:
        """The options; loading a state replaces the dictionary."""
        found: dict[str, Any] = self.optimizer.param_groups[self.index]
        return found

    def place(self) -> tuple[Block, list[int]]:
        """Return where the numbers of the state are: a block, and the positions of the parameters in it."""
        optimizer, plans = self.optimizer, self.optimizer._plans
        plan = plans.get(self.index)
        if not isinstance(plan, Memory):
            plan = plans[self.index] = Memory(optimizer, self.group, list(self.params), plan)
        block = plan.blocks[self.params[0]._array.dtype]
        return block, [block.position[p] for p in self.params]

    def counts(self) -> list[int]:
        """Return how many steps each parameter has taken."""
        block, members = self.place()
        if STEP in block.scalars:
            return [int(n) for n in block.scalars[STEP][members]]
        return [block.counts[i] for i in members]


def take_step(capture: Any, optimizer: Any, nth: int) -> None:
    """Note a step of every parameter that has a gradient."""
    if type(optimizer).update is _base().update:
        raise NotImplementedError(f"{type(optimizer).__name__} defines neither `update` nor `step`")
    for index, group in enumerate(optimizer.param_groups):
        if group.get("differentiable"):
            raise CaptureError(
                "a step with differentiable=True cannot be captured", remedy="Call it outside of the compiled function."
            )
        active = [p for p in group["params"] if p._grad is not None]
        for p in active:
            p._array  # noqa: B018  a leaf before the capture pauses
        with capture.pause():
            memory = Memory(optimizer, group, active, optimizer._plans.get(index))
            optimizer._plans[index] = memory
            alike = memory.alike()
        for block, members in alike:
            _step_cohort(capture, optimizer, index, tuple(block.params[i] for i in members), block, nth)
    _check_parameters(capture, optimizer, nth)


def _check_parameters(capture: Any, optimizer: Any, nth: int) -> None:
    """Raise where a step is one of other parameters than the first in the same call, who therefore count otherwise."""
    first, this = (
        {tuple(map(id, c.params)) for c in capture.cohorts if c.optimizer is optimizer and c.nth == n} for n in (0, nth)
    )
    if first != this:
        raise CaptureError(
            "an optimizer takes several steps in one captured function, with gradients of other parameters each time",
            remedy="Compile a function that takes one step, and call it several times.",
        )


def _base() -> Any:
    from fanin.optim.optimizer import Optimizer

    return Optimizer


def _step_cohort(capture: Any, optimizer: Any, index: int, params: tuple[Any, ...], block: Block, nth: int) -> None:
    group = optimizer.param_groups[index]
    names = tuple(name for name in block.scalars if name != STEP)
    negate = bool(group.get("maximize", False))
    with capture.pause():
        member = block.position[params[0]]
        count = int(block.scalars[STEP][member]) if STEP in block.scalars else block.counts[member]
        hyper = optimizer.hyper(group, count + 1 + nth)
    flags = tuple((name, value) for name, value in hyper.items() if is_flag(value))
    cohort = Cohort(optimizer, index, params, nth, names, flags, negate, {})
    capture.cohorts.append(cohort)
    given = {n: v if is_flag(v) else capture.scalar(cohort, "hyper", n) for n, v in hyper.items()}
    earlier = capture.earlier(cohort)
    numbers = {n: earlier[n] if n in earlier else capture.scalar(cohort, "state", n) for n in names}
    for p in params:
        held = optimizer.state[p] if block.flat else {}
        arrays = {name: held[name]._array for name in block.arrays_of(block.position[p])}
        grad = -p._grad._array if negate else p._grad._array
        new, changed = optimizer.update(p._array, grad, {**arrays, **numbers}, given)
        unknown = set(changed) - set(arrays) - set(numbers)
        if unknown:
            raise StateError(f"update returned state that init does not name: {', '.join(sorted(unknown))}")
        capture.store(p, new)
        for name in arrays:
            if name in changed and changed[name] is not arrays[name]:
                capture.store(held[name], changed[name])
        cohort.results.update({n: changed.get(n, numbers[n]) for n in names})
