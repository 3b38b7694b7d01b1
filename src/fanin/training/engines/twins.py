"""Steps that were captured already, for another network of the same structure: a search trains hundreds of them.

A capture takes 10 ms. What it can see of a model, a loss and an optimiser is written down as a key; where two keys are
equal, the graph of the first serves the second. A step holds numbers instead of tensors: how many tensors of the
structure come before each of its own. That is done only for modules, losses and optimisers of this package, whose code
reads nothing else; whatever is odd has no key.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fanin.compiler.capture import Captured, HostScalars
from fanin.compiler.capture.captured import RESULT
from fanin.compiler.capture.guards import Guards
from fanin.optim.engine.symbolic import Cohort, Memory
from fanin.tensor.tape import wrap
from fanin.training.engines.engine import Task
from fanin.training.engines.structure import Odd, Structure
from fanin.training.source import Batch

MOST = 32  # structures that are remembered, by the graphs of their steps
KINDS = 8  # of batches that are remembered of each
_NOTHING: dict[str, Any] = {}

# A step in a task -----------------------------------------------------------------------------------------------------


class Seats:
    """The tensors of a step's state in a task; what an optimiser keeps is looked up, as loading a state replaces it.

    fixed: the tensors, None where one is looked up.
    kept:  for each parameter that has a state: optimizer, parameter, and (number in `fixed`, name) of each entry.
    """

    def __init__(self, fixed: list[Any], kept: Iterable[tuple[Any, Any, list[tuple[int, str]]]]) -> None:
        self._fixed, self._kept = fixed, tuple(kept)

    @classmethod
    def of(cls, captured: Captured) -> Seats:
        """Return the tensors of a step that was captured with them."""
        kept: dict[tuple[int, int], tuple[Any, Any, list[tuple[int, str]]]] = {}
        for i, ref in enumerate(captured.state):
            if ref.place is not None:
                optimizer, p, name = ref.place
                kept.setdefault((id(optimizer), id(p)), (optimizer, p, []))[2].append((i, name))
        return cls([ref.tensor if ref.place is None else None for ref in captured.state], kept.values())

    def tensors(self) -> list[Any]:
        """Return the tensors as they are now, None for one that is missing."""
        found = list(self._fixed)
        for optimizer, p, names in self._kept:
            held = optimizer.state.get(p, _NOTHING)
            for i, name in names:
                found[i] = held.get(name)
        return found


@dataclass(frozen=True)
class Bound:
    """A step in a task.

    captured: the step; of one that was captured for another task, what names no tensors.
    guards:   what has to stay as it was, of the model and the loss.
    required: (tensor, whether it requires a gradient), where the guards do not say it.
    """

    captured: Captured
    scalars: HostScalars
    seats: Seats
    guards: tuple[Any, ...]
    required: tuple[tuple[Any, bool], ...] = ()


# A step without its tensors -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seating:
    """Where the tensors of a step are found in any task of its structure; parameters of a group by their numbers there.

    fixed:   for each tensor of the graph's state its number in the structure; None where an optimiser keeps it, and
             for the key of the random masks.
    kept:    for each parameter that has a state its number in the structure, and the number and name of each entry.
    active:  for each group of the optimiser its parameters that have gradients.
    cohorts: for each cohort its parameters.
    """

    fixed: tuple[int | None, ...]
    kept: tuple[tuple[int, tuple[tuple[int, str], ...]], ...]
    active: tuple[tuple[int, ...], ...]
    cohorts: tuple[tuple[int, ...], ...]

    def seats(self, structure: Structure, optimizer: Any, key: int | None) -> Seats:
        """Return the tensors in a task; `key` is the number of that of the random masks."""
        tensors = structure.tensors
        fixed = [None if number is None else tensors[number] for number in self.fixed]
        if key is not None:
            fixed[key] = wrap(np.zeros(2, np.uint64))
        return Seats(fixed, [(optimizer, tensors[number], names) for number, names in self.kept])  # type: ignore[misc]

    def memory(self, optimizer: Any) -> list[tuple[Memory, Any, list[int]]]:
        """Lay out the memory of the optimiser's state, as a capture does, and return where each cohort has its own.

        Raises Odd where the optimiser groups its parameters differently.
        """
        found = []
        for index, active in enumerate(self.active):
            memory = _memory(optimizer, index, active)
            found += [(memory, block, members, index) for block, members in memory.alike()]
        if len(found) != len(self.cohorts):
            raise Odd
        for (_, block, members, index), wanted in zip(found, self.cohorts, strict=True):
            params = optimizer.param_groups[index]["params"]
            if len(members) != len(wanted) or any(
                block.params[i] is not params[n] for i, n in zip(members, wanted, strict=True)
            ):
                raise Odd
        return [(memory, block, members) for memory, block, members, _ in found]


def _memory(optimizer: Any, index: int, active: tuple[int, ...]) -> Memory:
    """Return the memory of a group's state: that which there is, where it serves the same parameters."""
    options, memory = optimizer.param_groups[index], optimizer._plans.get(index)
    params = options["params"]
    wanted = [params[i] for i in active]
    if type(memory) is not Memory or list(map(id, memory.active)) != list(map(id, wanted)):
        memory = optimizer._plans[index] = Memory(optimizer, options, wanted, memory)
    return memory


@dataclass(frozen=True)
class Step:
    """A captured step without its tensors.

    first: the step on another kind of batch that has the same tensors and the same numbers; None where there is none.
    """

    captured: Captured
    seating: Seating
    first: Step | None = None

    @classmethod
    def of(cls, captured: Captured, structure: Structure, optimizer: Any) -> Step:
        """Return a captured step without its tensors.

        Raises Odd where it has others than those of the structure.
        """
        odd = (captured.fixed, captured.changed, captured.argument_grads, captured.afterwards, captured.guards.numbers)
        scalars = captured.scalars
        if any(odd) or [n for _, n in scalars.calls] != [1] or scalars.calls[0][0] is not optimizer:
            raise Odd
        if any(ref.owner is not None for ref in captured.state) or any(
            output.kind != RESULT for output in captured.outputs
        ):
            raise Odd
        return cls(_emptied(captured), _seating(captured, structure, optimizer))

    def on(self, structure: Structure, optimizer: Any) -> tuple[HostScalars, Seats]:
        """Return the numbers and the tensors of the step in another task of the same structure.

        Raises Odd where the optimiser, or the memory, is not what the step takes it for.
        """
        captured = self.captured
        cohorts, plans = [], self.seating.memory(optimizer)
        for kind, (_, block, members) in zip(captured.scalars.cohorts, plans, strict=True):
            params = tuple([block.params[i] for i in members])
            cohorts.append(Cohort(optimizer, kind.index, params, 0, kind.names, kind.flags, kind.negate, kind.results))
        scalars = captured.scalars.of(cohorts, optimizer, plans)
        seats = self.seating.seats(structure, optimizer, captured.key)
        if scalars.row() is None or not fits(captured, seats):  # a flag is another one, or the memory
            raise Odd
        return scalars, seats


def _emptied(captured: Captured) -> Captured:
    cohorts = [replace(cohort, optimizer=None, params=()) for cohort in captured.scalars.cohorts]
    return replace(
        captured,
        state=(),
        scalars=captured.scalars.of(cohorts, None),
        known=frozenset(),
        grads=(),
        had_grads=(),
        required=(),
        guards=Guards((), ()),
    )


def _seating(captured: Captured, structure: Structure, optimizer: Any) -> Seating:
    fixed: list[int | None] = [None] * len(captured.state)
    kept: dict[int, list[tuple[int, str]]] = {}
    for i, ref in enumerate(captured.state):
        if ref.place is not None:
            kept.setdefault(structure.number_of(ref.place[1]), []).append((i, ref.place[2]))
        elif i != captured.key:
            fixed[i] = structure.number_of(ref.tensor)
    cohorts = captured.scalars.cohorts
    if any(cohort.nth for cohort in cohorts):
        raise Odd
    numbers = [{id(p): i for i, p in enumerate(group["params"])} for group in optimizer.param_groups]
    return Seating(
        tuple(fixed),
        tuple((p, tuple(names)) for p, names in kept.items()),
        tuple(tuple(found[id(p)] for p in _active(optimizer, i)) for i, found in enumerate(numbers)),
        tuple(tuple(numbers[cohort.index][id(p)] for p in cohort.params) for cohort in cohorts),
    )


def _active(optimizer: Any, index: int) -> list[Any]:
    memory = optimizer._plans.get(index)
    if type(memory) is not Memory:
        raise Odd
    return memory.active


def fits(captured: Captured, seats: Seats) -> bool:
    """Say whether the tensors of the state are what the code takes them for."""
    for tensor, leaf in zip(seats.tensors(), captured.graph.state, strict=True):
        if tensor is None or tensor._array.shape != leaf.shape or tensor._array.dtype != leaf.dtype:
            return False
    return True


# What is known --------------------------------------------------------------------------------------------------------


class Known:
    """The steps of the structures seen last, by the kinds of their batches."""

    def __init__(self) -> None:
        self._families: dict[Hashable, dict[Hashable, Step]] = {}
        self.used = 0

    def find(self, structure: Structure, task: Task, batch: Batch) -> Bound | None:
        """Return the step of a structure with the task's own tensors; None where it has to be captured."""
        kind = structure.with_batch(batch)
        if kind is None:
            return None
        if structure.family is None:
            structure.family = self._families.get(structure.key)
        step = None if structure.family is None else structure.family.get(kind)
        if step is None:
            return None
        first = step.first or step
        try:
            scalars, seats = structure.found.get(id(first)) or first.on(structure, task.optimizer)
        except Odd:
            return None
        structure.found[id(first)] = scalars, seats
        self.used += 1
        return Bound(step.captured, scalars, seats, (structure,))

    def keep(self, captured: Captured, structure: Structure, task: Task, batch: Batch) -> None:
        """Remember a step, if it can be used again."""
        kind = structure.with_batch(batch)
        if kind is None:
            return
        try:
            step = Step.of(captured, structure, task.optimizer)
        except Odd:
            return
        family = structure.family = self._families.setdefault(structure.key, {})
        first = next((other for other in family.values() if _alike(other, step)), None)
        family[kind] = replace(step, first=first)
        _limit(family, KINDS)
        _limit(self._families, MOST)


def _alike(first: Step, other: Step) -> bool:
    numbers, others = first.captured.scalars, other.captured.scalars
    return (
        first.first is None
        and first.captured.key == other.captured.key
        and first.seating == other.seating
        and not numbers.numbered
        and numbers.form() == others.form()
    )


def _limit(held: dict[Any, Any], most: int) -> None:
    while len(held) > most:
        held.pop(next(iter(held)))


known = Known()
