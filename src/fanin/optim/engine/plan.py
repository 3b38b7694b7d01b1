"""How a step of one parameter group is carried out.

The parameters that have a gradient are put into cohorts: same dtype, same number of steps so far, same numbers in their
state. A cohort shares one evaluation of `hyper`. Its traced update runs over segments: small parameters gathered side
by side, large ones in pieces that stay in the cache. Every argument of every call is bound when the plan is made, so a
step looks nothing up and allocates nothing.

The plan is made again when something it was made for has changed: which parameters have gradients, a parameter whose
`.data` was replaced, a state that was replaced, a flag of the group.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter, is_
from typing import Any

import numpy as np

from fanin._core.dtypes import float64, get_default_dtype
from fanin._core.errors import InPlaceError, ShapeError, StateError
from fanin.optim.engine.memory import STEP, Block, Start, overlap
from fanin.optim.engine.schedule import Schedule, schedule
from fanin.optim.engine.segments import segments
from fanin.optim.engine.symbols import Untraceable
from fanin.optim.engine.trace import Program, is_flag, trace
from fanin.tensor.base import version_counter

_array_of = attrgetter("_array")


class Plan:
    """How to take a step with the parameters of one group."""

    def __init__(self, rule: Any, group: dict[str, Any], old: Plan | None) -> None:
        self.params = list(group["params"])
        self.arrays = [p._array for p in self.params]
        self.active = [p for p in self.params if p._grad is not None]
        self.idle = [p for p in self.params if p._grad is None]
        starts: dict[str, Start] = rule.init(group)
        self.starts = starts
        self.blocks: dict[Any, Block] = _blocks(self.params, starts, old.blocks if old else {})
        self.held = [rule.state[p] for p in self.active] if starts else []
        for p, held in zip(self.active, self.held, strict=False):
            block = self.blocks[p._array.dtype]
            block.adopt(block.position[p], held, starts)
        self.tensors = [held[name] for held in self.held for name in starts]
        self.tensor_arrays = [t._array for t in self.tensors]
        self.cohorts = [Cohort(rule, group, block, members) for block, members in self._alike()]

    def fits(self, rule: Any, group: dict[str, Any]) -> bool:
        """Say whether nothing has changed that the plan was made for."""
        params = group["params"]
        if len(params) != len(self.params) or not all(map(is_, params, self.params)):
            return False
        if not all(map(is_, map(_array_of, params), self.arrays)):
            return False
        for p in self.active:
            if p._grad is None:
                return False
        for p in self.idle:
            if p._grad is not None:
                return False
        return not self.starts or self._holds_state(rule.state)

    def _holds_state(self, state: Any) -> bool:
        if not all(map(is_, map(state.get, self.active), self.held)):
            return False
        names = self.starts
        try:
            tensors = [held[name] for held in self.held for name in names]
        except KeyError:
            return False
        return all(map(is_, tensors, self.tensors)) and all(map(is_, map(_array_of, tensors), self.tensor_arrays))

    def _alike(self) -> list[tuple[Block, list[int]]]:
        """Return the positions, in their blocks, of parameters that can share a step."""
        found: dict[Any, tuple[Block, list[int]]] = {}
        for p in self.active:
            block = self.blocks[p._array.dtype]
            i = block.position[p]
            numbers = tuple(float(values[i]) for values in block.scalars.values())
            found.setdefault((block.dtype, block.counts[i], numbers), (block, []))[1].append(i)
        return [(block, sorted(members)) for block, members in found.values()]

    def run(self, rule: Any, group: dict[str, Any]) -> bool:
        """Take the step; return False, before anything was changed, when the plan has to be made again."""
        prepared = []
        for cohort in self.cohorts:
            numbers = cohort.prepare(rule, group)
            if numbers is None:
                return False
            prepared.append(numbers)
        for cohort, numbers in zip(self.cohorts, prepared, strict=True):
            cohort.run(rule, numbers)
        return True


def _blocks(params: Sequence[Any], starts: dict[str, Start], old: dict[Any, Block]) -> dict[Any, Block]:
    """Return memory for each dtype, what there was before where it still serves."""
    by_dtype: dict[np.dtype[Any], list[Any]] = {}
    for p in dict.fromkeys(params):
        by_dtype.setdefault(p._array.dtype, []).append(p)
    blocks = {}
    for dtype, members in by_dtype.items():
        before = old.get(dtype)
        if before is None or not before.serves(members, starts, dtype):
            before = Block(members, starts, dtype, scalar_dtype(), before)
        blocks[dtype] = before
    return blocks


def scalar_dtype() -> np.dtype[Any]:
    """Return the dtype of counts and other numbers in the state, as PyTorch chooses it."""
    return np.dtype(np.float64 if get_default_dtype() is float64 else np.float32)


class Cohort:
    """Parameters that take their steps together."""

    def __init__(self, rule: Any, group: dict[str, Any], block: Block, members: list[int]) -> None:
        self.block = block
        self.members = members
        self.params = [block.params[i] for i in members]
        self.counters = [version_counter(p) for p in self.params]
        self.index: Any = slice(None) if len(members) == len(block.params) else np.array(members)
        self.names = [name for name in block.scalars if name != STEP]
        self.negate = bool(group.get("maximize", False))
        _check(self.params)
        hyper = rule.hyper(group, self._next_step() or 1)
        self.flags = tuple((name, value) for name, value in hyper.items() if is_flag(value))
        self.program: Program | None = None
        if rule._traced and not overlap([p._array for p in self.params]):
            self._bind(rule, hyper)

    def _bind(self, rule: Any, hyper: dict[str, Any]) -> None:
        """Write the update down, or find it written down, and bind it to the memory of the members."""
        written = _written(rule, hyper, self.flags, self.block, tuple(self.names), self.negate)
        if written is not None:
            self.program, places = written
            self.numbers = np.empty(len(self.program.numbers), self.block.dtype)
            self.segments = segments(self.block, self.members, places, self.numbers)

    def _next_step(self) -> int | None:
        """Return which step this is for all members, None when they differ."""
        counts: Any = self.block.scalars.get(STEP)
        if counts is None:
            counts = [self.block.counts[i] for i in self.members]
        else:
            counts = counts[self.index].tolist()
        first = counts[0]
        return int(first) + 1 if counts.count(first) == len(counts) else None

    def _state(self) -> dict[str, float] | None:
        """Return the numbers of the state, None when the members' differ."""
        state = {}
        for name in self.names:
            values = self.block.scalars[name][self.index].tolist()
            if values.count(values[0]) != len(values):
                return None
            state[name] = values[0]
        return state

    def prepare(self, rule: Any, group: dict[str, Any]) -> Any:
        """Return the step, `hyper` and the state's numbers; None when the plan does not fit them any more."""
        step = self._next_step()
        state = self._state() if self.names else {}
        if step is None or state is None or bool(group.get("maximize", False)) is not self.negate:
            return None
        hyper = rule.hyper(group, step)
        for name, value in self.flags:
            if hyper[name] is not value and hyper[name] != value:
                return None
        return step, hyper, state

    def run(self, rule: Any, prepared: tuple[int, dict[str, Any], dict[str, float]]) -> None:
        """Take the step."""
        step, hyper, state = prepared
        if self.program is None:
            state = self._run_plainly(rule, hyper, state)
        else:
            numbers = self.program.host_numbers(hyper, state)
            self.numbers[:] = numbers
            for segment in self.segments:
                segment.run()
            state = {name: numbers[ref.index] for name, ref in self.program.host_outputs.items()}
        self._count(step, state)

    def _count(self, step: int, state: dict[str, float]) -> None:
        if STEP in self.block.scalars:
            self.block.scalars[STEP][self.index] = step
        else:
            for i in self.members:
                self.block.counts[i] = step
        for name, value in state.items():
            self.block.scalars[name][self.index] = value
        for counter in self.counters:
            counter[0] += 1

    def _run_plainly(self, rule: Any, hyper: dict[str, Any], numbers: dict[str, float]) -> dict[str, float]:
        """Call the update on the arrays of each parameter."""
        hyper = {name: float(v) if hasattr(v, "_array") else v for name, v in hyper.items()}
        new_numbers = numbers
        for i, p in zip(self.members, self.params, strict=True):
            arrays = {name: self.block.piece(name, i) for name in self.block.flat}
            grad = -p._grad._array if self.negate else p._grad._array
            new, changed = rule.update(p._array, grad, {**arrays, **numbers}, hyper)
            unknown = set(changed) - set(arrays) - set(numbers)
            if unknown:
                raise StateError(f"update returned state that init does not name: {', '.join(sorted(unknown))}")
            _write({**arrays, "param": p._array}, {**changed, "param": new})
            new_numbers = {name: float(changed.get(name, numbers[name])) for name in numbers}
        return new_numbers


def _write(places: dict[str, Any], values: dict[str, Any]) -> None:
    """Copy values into the arrays of the same names; a value may itself be one of the arrays."""
    changed = {name: value for name, value in values.items() if name in places and value is not places[name]}
    taken = [places[name] for name in changed]
    held = {name: value.copy() if any(value is t for t in taken) else value for name, value in changed.items()}
    for name, value in held.items():
        np.copyto(places[name], value, casting="same_kind")


def _written(
    rule: Any, hyper: dict[str, Any], flags: Any, block: Block, numbers: tuple[str, ...], negate: bool
) -> tuple[Program, Schedule] | None:
    """Return the rule's program for these flags, None where the update cannot be written down."""
    arrays = tuple(block.flat)
    key = (flags, tuple(hyper), arrays, numbers, negate)
    if key not in rule._programs:
        try:
            program = trace(rule.update, hyper, arrays, numbers, negate)
            rule._programs[key] = program, schedule(program)
        except Untraceable:
            rule._programs[key] = None
    written: tuple[Program, Schedule] | None = rule._programs[key]
    return written


def _check(params: Sequence[Any]) -> None:
    for p in params:
        array, grad = p._array, p._grad._array
        if grad.shape != array.shape:
            raise ShapeError(f"a parameter of shape {list(array.shape)} has a gradient of shape {list(grad.shape)}")
        if not array.flags.writeable or (0 in array.strides and array.size > 1):
            raise InPlaceError(
                "unsupported operation: more than one element of the written-to tensor refers to a single memory "
                "location. A parameter must have memory of its own: clone() it before it is given to the optimizer."
            )
