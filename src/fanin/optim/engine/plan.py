"""How a step of one parameter group is carried out.

The parameters that have a gradient are put into cohorts: same dtype, same number of steps so far, same numbers in their
state. A cohort shares one evaluation of `hyper`. Its traced update runs over segments: small parameters gathered side
by side, large ones in pieces that stay in the cache. Every argument of every call is bound when the plan is made, so a
step looks nothing up and allocates nothing.

The plan is made again when something it was made for has changed: which parameters have gradients, a parameter whose
`.data` was replaced, a state that was replaced, a flag of the group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_, itemgetter
from typing import Any

import numpy as np

from fanin._core.dtypes import float64, get_default_dtype
from fanin._core.errors import InPlaceError, ShapeError, StateError
from fanin.optim.engine.memory import STEP, Block, Start, overlap, starts_for
from fanin.optim.engine.schedule import Schedule, schedule
from fanin.optim.engine.segments import segments
from fanin.optim.engine.symbols import Untraceable
from fanin.optim.engine.trace import Program, is_flag, trace
from fanin.optim.mistakes import note_step
from fanin.tensor.base import version_counter

_PLAIN = {int, float}
_NOTHING: dict[str, float] = {}


class Plan:
    """How to take a step with the parameters of one group."""

    cohorts: list[Cohort]

    def __init__(self, rule: Any, group: dict[str, Any], old: Plan | None) -> None:
        params = group["params"]
        # Each parameter with its memory, None where it has no gradient.
        self.expected = [(p, None if p._grad is None else p._array) for p in params]
        active = [p for p, array in self.expected if array is not None]
        position = {p: i for i, p in reversed(list(enumerate(active)))}
        starts: dict[str, Start] = rule.init(group)
        for cohort in old.cohorts if old else ():
            cohort.leave()
        self.blocks: dict[Any, Block] = _blocks(params, starts, old.blocks if old else {})
        self.owners = list(dict.fromkeys(active)) if starts else []  # in their order, which a state_dict shows
        self.held = [rule.state[p] for p in self.owners]
        for p, held in zip(self.owners, self.held, strict=True):
            block = self.blocks[p._array.dtype]
            block.adopt(block.position[p], held, starts)
        self.kept = [
            (held, name)
            for p, held in zip(self.owners, self.held, strict=True)
            for name in starts_for(p._array.shape, starts)
        ]
        self.state_arrays = [held[name]._array for held, name in self.kept]
        self.cohorts = [Cohort(rule, group, block, members, position) for block, members in self._alike(active)]

    def _alike(self, active: list[Any]) -> list[tuple[Block, list[int]]]:
        """Return the positions, in their blocks, of parameters that can share a step."""
        found: dict[Any, tuple[Block, list[int]]] = {}
        for p in active:
            block = self.blocks[p._array.dtype]
            i = block.position[p]
            numbers = tuple(float(values[i]) for values in block.scalars.values())
            found.setdefault((block.dtype, block.counts[i], numbers), (block, []))[1].append(i)
        return [(block, sorted(members)) for block, members in found.values()]

    def step(self, rule: Any, group: dict[str, Any]) -> bool:
        """Take the step; return False, before anything was changed, when the plan has to be made again."""
        params, expected = group["params"], self.expected
        if len(params) != len(expected):
            return False
        grads: list[Any] = []
        for p, (known, array) in zip(params, expected):  # noqa: B905  a check of the lengths stands above
            grad = p._grad
            if p is not known or (grad is None) is not (array is None):
                return False
            if grad is None:
                continue
            if p._array is not array:
                return False
            if grad._mixed:
                note_step(params)
            grad._used = True
            grads.append(grad._array)
        if self.held and not self._holds(rule.state):
            return False
        return self._run(rule, group, grads)

    def _run(self, rule: Any, group: dict[str, Any], grads: list[Any]) -> bool:
        if len(self.cohorts) == 1:
            cohort = self.cohorts[0]
            prepared = cohort.prepare(rule, group)
            if prepared is None:
                return False
            cohort.run(rule, grads, *prepared)
            return True
        all_prepared = [p for cohort in self.cohorts if (p := cohort.prepare(rule, group)) is not None]
        if len(all_prepared) != len(self.cohorts):
            return False
        for cohort, each in zip(self.cohorts, all_prepared, strict=True):
            cohort.run(rule, grads, *each)
        return True

    def _holds(self, state: Any) -> bool:
        """Say whether optimizer.state still shows the memory that the plan works on."""
        try:
            arrays = [held[name]._array for held, name in self.kept]
        except (KeyError, AttributeError):
            return False
        return all(map(is_, arrays, self.state_arrays)) and all(map(is_, map(state.get, self.owners), self.held))


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
    """Parameters that take their steps together.

    members:  their positions in the block.
    position: where the gradient of a parameter will be found in the list that `run` is given.
    """

    def __init__(
        self, rule: Any, group: dict[str, Any], block: Block, members: list[int], position: dict[Any, int]
    ) -> None:
        self.block = block
        self.members = members
        self.params = [block.params[i] for i in members]
        self.counters = [version_counter(p) for p in self.params]
        self.index: Any = slice(None) if len(members) == len(block.params) else np.array(members)
        self.counts = block.scalars.get(STEP)
        self.steps = block.counts[members[0]]  # for rules whose state does not hold them
        self.names = [name for name in block.scalars if name != STEP]
        self.negate = bool(group.get("maximize", False))
        _check(self.params)
        hyper = rule.hyper(group, self._next_step() or 1)
        self.flag_names = tuple(name for name, value in hyper.items() if is_flag(value))
        self.flags_of = _getter(self.flag_names)
        self.flags = self.flags_of(hyper)
        self.program: Program | None = None
        if rule._traced and not block.shaped and not overlap([p._array for p in self.params]):
            self._bind(rule, hyper, {i: position[p] for i, p in zip(members, self.params, strict=True)})

    def _bind(self, rule: Any, hyper: dict[str, Any], positions: dict[int, int]) -> None:
        """Write the update down, or find it written down, and bind it to the memory of the members."""
        written = _written(rule, hyper, self)
        if written is None:
            return
        self.program, places = written
        self.numbers = np.empty(len(self.program.numbers), self.block.dtype)
        direct = all(kind == "hyper" for kind, _ in self.program.numbers) and not self.names
        self.numbers_of = _getter(tuple(key for _, key in self.program.numbers)) if direct else None
        self.brought: tuple[Any, ...] = ()
        self.segments = segments(self.block, positions, places, self.numbers)

    def _next_step(self) -> int | None:
        """Return which step this is for all members, None when they differ."""
        if self.counts is None:
            return self.steps + 1
        counts = self.counts[self.index].tolist()
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

    def prepare(self, rule: Any, group: dict[str, Any]) -> tuple[int, dict[str, Any], dict[str, float]] | None:
        """Return the step, `hyper` and the state's numbers; None when the plan does not fit them any more."""
        step = self.steps + 1 if self.counts is None else self._next_step()
        state = self._state() if self.names else _NOTHING
        if step is None or state is None or bool(group.get("maximize")) is not self.negate:
            return None
        hyper = rule.hyper(group, step)
        return (step, hyper, state) if self.flags_of(hyper) == self.flags else None

    def run(self, rule: Any, grads: list[Any], step: int, hyper: dict[str, Any], state: dict[str, float]) -> None:
        """Take the step."""
        if self.program is None:
            state = self._run_plainly(rule, hyper, state)
        elif self.numbers_of is not None:
            numbers = self.numbers_of(hyper)
            if numbers != self.brought:
                self._bring(numbers)
            for segment in self.segments:
                segment(grads)
        else:
            computed = self.program.host_numbers(hyper, state)
            self.numbers[:] = computed
            for segment in self.segments:
                segment(grads)
            state = {name: computed[ref.index] for name, ref in self.program.host_outputs.items()}
        if self.counts is None:
            self.steps = step
        else:
            self.counts[self.index] = step
        for name in state:
            self.block.scalars[name][self.index] = state[name]
        for counter in self.counters:
            counter[0] += 1

    def _bring(self, numbers: tuple[Any, ...]) -> None:
        """Write the step's numbers to where the calls read them."""
        if set(map(type, numbers)) <= _PLAIN:
            self.brought = numbers
        else:  # a tensor may hold another number at the next step, and still be the same tensor
            self.brought, numbers = (), tuple(map(float, numbers))
        self.numbers[:] = numbers

    def leave(self) -> None:
        """Note in the block what only the cohort knows, before other cohorts take its place."""
        for i in self.members:
            self.block.counts[i] = self.steps

    def _run_plainly(self, rule: Any, hyper: dict[str, Any], numbers: dict[str, float]) -> dict[str, float]:
        """Call the update on the arrays of each parameter."""
        hyper = {name: float(v) if hasattr(v, "_array") else v for name, v in hyper.items()}
        new_numbers = numbers
        for i, p in zip(self.members, self.params, strict=True):
            arrays = {name: self.block.piece(name, i) for name in self.block.arrays_of(i)}
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


def _written(rule: Any, hyper: dict[str, Any], cohort: Cohort) -> tuple[Program, Schedule] | None:
    """Return the rule's program for a cohort, None where the update cannot be written down."""
    arrays, numbers = tuple(cohort.block.flat), tuple(cohort.names)
    key = (tuple(hyper), cohort.flag_names, cohort.flags, arrays, numbers, cohort.negate)
    if key not in rule._programs:
        try:
            program = trace(rule.update, hyper, arrays, numbers, cohort.negate)
            rule._programs[key] = program, schedule(program)
        except Untraceable:
            rule._programs[key] = None
    written: tuple[Program, Schedule] | None = rule._programs[key]
    return written


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function from a dictionary to the entries of these names."""
    if len(names) > 1:
        return itemgetter(*names)
    return (lambda entries: (entries[names[0]],)) if names else lambda entries: ()


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
