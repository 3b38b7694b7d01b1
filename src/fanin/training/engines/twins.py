"""Steps that were captured already, for another network of the same structure: a search trains hundreds of them.

A capture takes 10 ms. What it can see of a model, a loss and an optimiser is written down as a key; where two keys are
equal, the graph of the first serves the second, with its tensors in the places of the first one's. That is done only
for modules, losses and optimisers of this package, whose code reads nothing else; whatever is odd has no key.
"""

from __future__ import annotations

import types
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fanin._core.dtypes import get_default_dtype
from fanin.compiler.capture import Captured, HostScalars
from fanin.compiler.capture.captured import RESULT, StateRef
from fanin.compiler.capture.guards import Guards
from fanin.compiler.capture.recorder import ScalarLeaf
from fanin.nn.calling import GlobalHooks
from fanin.nn.module import Module
from fanin.optim.engine.memory import overlap
from fanin.optim.engine.symbolic import Cohort, Memory
from fanin.tensor.base import Changes
from fanin.tensor.grad_mode import mode
from fanin.tensor.tape import wrap
from fanin.training.engines.engine import Task
from fanin.training.source import Batch

MOST = 32  # structures that are remembered, by their graphs
_PLAIN = (bool, int, float, str, bytes, type(None), complex)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, type)
# Attributes of a module that say nothing about what it computes, and those that do only when they are not empty.
_SILENT = ("_non_persistent_buffers_set",)
_HOOKS = frozenset(name for name in Module().__dict__ if name.endswith("_hooks"))
# Attributes of a tensor that say nothing about what is done with it.
_PRIVATE = ("_array", "_counter")


class _Odd(Exception):
    """Something that the key of a structure cannot express."""


# The key --------------------------------------------------------------------------------------------------------------


class Structure:
    """What a capture can see of a task.

    named: the tensors of the model and the loss by where they are; one that is in two places by the first.
    key:   equal for two tasks only if their steps have the same graph; None where that cannot be said.
    """

    def __init__(self, task: Task, batch: Batch, before: Structure | None = None) -> None:
        self.named: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._modules: dict[int, Any] = {}
        self._parts: Hashable = None
        self._at = Changes.count
        self._task, self._batch = task, batch
        if before is not None and before.key is not None and before._at == self._at:
            self.named, self._names, self._modules = before.named, before._names, before._modules
            self._parts = before._parts
        try:
            self.key: Hashable = self._told(task, batch)
        except _Odd:
            self.key = None

    def names_hold(self) -> bool:
        """Return True: no code of a user's is run, which could read a variable."""
        return True

    def modules_hold(self) -> bool:
        """Say whether model and loss are as they were."""
        now = Structure(self._task, self._batch)
        same = now.key is not None and now._parts == self._parts and now.named.keys() == self.named.keys()
        return same and all(now.named[name] is tensor for name, tensor in self.named.items())

    def name_of(self, tensor: Any) -> str:
        """Return where a tensor is.

        Raises _Odd for one that is neither in the model nor in the loss.
        """
        found = self._names.get(id(tensor))
        if found is None:
            raise _Odd
        return found

    def _told(self, task: Task, batch: Batch) -> Hashable:
        if GlobalHooks.in_use:
            raise _Odd
        if self._parts is None:
            loss = task.loss
            loss_told = self._module(loss, "loss") if isinstance(loss, Module) else _function(loss)
            self._parts = (self._module(task.model, "model"), loss_told)
            if overlap([t._array for t in self.named.values()]):
                raise _Odd
        around = (repr(task.clip), get_default_dtype(), mode.enabled, mode.inference)
        return (self._parts, self._optimizer(task.optimizer), self._data(batch), around)

    def _module(self, module: Any, path: str) -> Hashable:
        if id(module) in self._modules:
            return ("again", self._modules[id(module)][0])
        self._modules[id(module)] = path, module
        told: list[Hashable] = [_ours(type(module)), _function(type(module).forward)]
        for name, value in module.__dict__.items():
            if name in ("_parameters", "_buffers"):
                told += [(name, key, self._tensor(t, f"{path}.{key}")) for key, t in value.items()]
            elif name == "_modules":
                told += [(key, self._module(m, f"{path}.{key}")) for key, m in value.items() if m is not None]
            elif name not in _SILENT and (value or name not in _HOOKS):
                told.append((name, _attribute(value)))
        return tuple(told)

    def _tensor(self, tensor: Any, name: str) -> Hashable:
        if tensor is None:
            return None
        if id(tensor) in self._names:
            return ("again", self._names[id(tensor)])
        self.named[name] = tensor
        self._names[id(tensor)] = name
        array = tensor._array
        fields = tuple((k, _plain(v)) for k, v in tensor.__dict__.items() if k not in _PRIVATE and v is not None)
        return (_ours(type(tensor)), array.shape, array.dtype.str, array.flags.c_contiguous, fields)

    def _optimizer(self, optimizer: Any) -> Hashable:
        told: list[Hashable] = [_ours(type(optimizer))]
        for name, value in optimizer.__dict__.items():
            if name not in ("param_groups", "state", "defaults", "_plans", "_programs", "_step_count"):
                told.append((name, _attribute(value)))
        for group in optimizer.param_groups:
            options = tuple((k, _kind(v)) for k, v in group.items() if k not in ("params", "param_names"))
            told.append((tuple(map(self.name_of, group["params"])), options))
        for p, held in optimizer.state.items():
            told.append((self.name_of(p), tuple((name, _kind_of_state(value)) for name, value in held.items())))
        return tuple(told)

    def _data(self, batch: Batch) -> Hashable:
        paired = isinstance(batch.target, tuple)
        tensors = [*batch.inputs, *(batch.target if paired else (batch.target,))]
        seen: dict[int, int] = {}
        told = []
        for i, tensor in enumerate(tensors):
            if id(tensor) in self._names:
                raise _Odd
            same = seen.setdefault(id(tensor), i)
            array = tensor._array
            told.append((_ours(type(tensor)), array.shape, array.dtype.str, tensor._requires_grad, same))
        return (len(batch.inputs), paired, tuple(told))


def _ours(kind: type) -> type:
    """Return a class of this package; of a user's class nobody knows what its code reads."""
    if not kind.__module__.startswith("fanin."):
        raise _Odd
    return kind


def _function(value: Any) -> Hashable:
    if not isinstance(value, _FUNCTIONS) or not str(getattr(value, "__module__", "")).startswith("fanin."):
        raise _Odd
    return value


def _attribute(value: Any) -> Hashable:
    """Return what an attribute of a module is: a number or text, nothing yet (hooks), or a function of this package."""
    if isinstance(value, (dict, list, set)):
        if value:
            raise _Odd
        return type(value)
    return _plain(value) if isinstance(value, (*_PLAIN, tuple)) else _function(value)


def _plain(value: Any) -> Hashable:
    """Return a number or text so that only what is the same everywhere is equal: 1 is not True, and 0.0 not -0.0."""
    kind = type(value)
    if kind in (bool, int, str):
        return (kind, value)
    if kind is tuple:
        return tuple(map(_plain, value))
    if kind not in _PLAIN:
        raise _Odd
    return (kind, repr(value))


def _kind(value: Any) -> Hashable:
    """Return what an option of an optimiser is; numbers are looked up at each step, and only have a kind."""
    if type(value) is tuple:
        return tuple(map(_kind, value))
    return (type(value),) if type(value) in (int, float) else _plain(value)


def _kind_of_state(value: Any) -> Hashable:
    array = getattr(value, "_array", None)
    return _kind(value) if array is None else (type(value), array.shape, array.dtype.str)


# A step to be used again ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Group:
    """Of a group of the optimiser: the numbers of the parameters that have gradients, and the cohorts by theirs."""

    active: tuple[int, ...]
    cohorts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Step:
    """A captured step without its tensors.

    state:    for each tensor of the graph's state its place: a name, (name of the parameter, name of the state), or
              None for the key of the random masks.
    required: (place, whether it requires a gradient).
    leaves:   (leaf, number of the cohort, kind, name) of each number of a step.
    """

    captured: Captured
    state: tuple[Any, ...]
    required: tuple[tuple[Any, bool], ...]
    groups: tuple[_Group, ...]
    cohorts: tuple[Cohort, ...]
    leaves: tuple[tuple[Any, int], ...]

    @classmethod
    def of(cls, captured: Captured, structure: Structure, optimizer: Any) -> Step:
        """Return a captured step without its tensors.

        Raises _Odd where it has others than those of the structure.
        """
        odd = (captured.fixed, captured.changed, captured.argument_grads, captured.afterwards, captured.guards.numbers)
        scalars = captured.scalars
        if any(odd) or [n for _, n in scalars.calls] != [1] or scalars.calls[0][0] is not optimizer:
            raise _Odd
        if any(ref.owner is not None for ref in captured.state) or any(
            output.kind != RESULT for output in captured.outputs
        ):
            raise _Odd
        numbers = {cohort: i for i, cohort in enumerate(scalars.cohorts)}
        return cls(
            _emptied(captured),
            tuple(
                None if i == captured.key else _place_of(ref.tensor, structure, optimizer)
                for i, ref in enumerate(captured.state)
            ),
            tuple((_place_of(t, structure, optimizer), required) for t, required in captured.required),
            tuple(_groups(scalars.cohorts, optimizer)),
            tuple(replace(cohort, optimizer=None, params=()) for cohort in scalars.cohorts),
            tuple((replace(leaf, cohort=None), numbers[leaf.cohort]) for leaf in scalars.leaves),
        )

    def on(self, structure: Structure, optimizer: Any) -> Captured:
        """Return the step with the tensors of another task of the same structure.

        Raises _Odd where the optimiser groups its parameters differently.
        """
        for index, group in enumerate(self.groups):
            _set_up(optimizer, index, group)
        cohorts = [
            replace(cohort, optimizer=optimizer, params=_picked(optimizer, cohort.index, members))
            for cohort, members in zip(self.cohorts, self._members(), strict=True)
        ]
        leaves = [ScalarLeaf(leaf.leaf, cohorts[i], leaf.kind, leaf.name) for leaf, i in self.leaves]
        refs = {place: _ref(place, structure, optimizer) for place in self.state}
        return replace(
            self.captured,
            state=tuple(refs[place] for place in self.state),
            scalars=HostScalars(leaves, cohorts, [(optimizer, 1)]),
            required=tuple(
                ((refs.get(place) or _ref(place, structure, optimizer)).tensor, required)
                for place, required in self.required
            ),
        )

    def _members(self) -> Iterator[tuple[int, ...]]:
        for group in self.groups:
            yield from group.cohorts


def _emptied(captured: Captured) -> Captured:
    return replace(
        captured,
        state=(),
        scalars=HostScalars((), (), ()),
        known=frozenset(),
        grads=(),
        had_grads=(),
        required=(),
        guards=Guards((), ()),
    )


def _place_of(tensor: Any, structure: Structure, optimizer: Any) -> Any:
    """Return the name of a tensor, or (name of the parameter, name of the state) of one of an optimiser's state."""
    for parameter, held in optimizer.state.items():
        for name, value in held.items():
            if value is tensor:
                return structure.name_of(parameter), name
    return structure.name_of(tensor)


def _ref(place: Any, structure: Structure, optimizer: Any) -> StateRef:
    if place is None:
        return StateRef(wrap(np.zeros(2, np.uint64)))
    if isinstance(place, str):
        return StateRef(structure.named[place])
    parameter = structure.named[place[0]]
    return StateRef(optimizer.state[parameter][place[1]], None, (optimizer, parameter, place[1]))


def _groups(cohorts: Any, optimizer: Any) -> Iterator[_Group]:
    for index, group in enumerate(optimizer.param_groups):
        numbers = {id(p): i for i, p in enumerate(group["params"])}
        memory = optimizer._plans.get(index)
        if type(memory) is not Memory or any(cohort.nth for cohort in cohorts):
            raise _Odd
        yield _Group(
            tuple(numbers[id(p)] for p in memory.active),
            tuple(tuple(numbers[id(p)] for p in cohort.params) for cohort in cohorts if cohort.index == index),
        )


def _picked(optimizer: Any, index: int, members: tuple[int, ...]) -> tuple[Any, ...]:
    params = optimizer.param_groups[index]["params"]
    return tuple(params[i] for i in members)


def _set_up(optimizer: Any, index: int, group: _Group) -> None:
    """Lay out the memory of an optimiser's state, as the capture of a step does."""
    options = optimizer.param_groups[index]
    active, memory = list(_picked(optimizer, index, group.active)), optimizer._plans.get(index)
    if type(memory) is not Memory or list(map(id, memory.active)) != list(map(id, active)):
        memory = Memory(optimizer, options, active, memory)
        optimizer._plans[index] = memory
    found = [tuple(block.params[i] for i in members) for block, members in memory.alike()]
    wanted = [_picked(optimizer, index, members) for members in group.cohorts]
    if [list(map(id, params)) for params in found] != [list(map(id, params)) for params in wanted]:
        raise _Odd


def _fits(captured: Captured) -> bool:
    """Say whether the tensors of the state are what the code takes them for."""
    arrays = [ref.tensor._array for ref in captured.state]
    return all(
        array.shape == leaf.shape and array.dtype == leaf.dtype
        for array, leaf in zip(arrays, captured.graph.state, strict=True)
    )


class Known:
    """The steps of the structures seen last."""

    def __init__(self) -> None:
        self._steps: dict[Hashable, Step] = {}
        self.used = 0

    def find(self, structure: Structure, task: Task) -> Captured | None:
        """Return the step of a structure with the task's own tensors; None where it has to be captured."""
        step = None if structure.key is None else self._steps.get(structure.key)
        if step is None:
            return None
        try:
            captured = step.on(structure, task.optimizer)
        except _Odd:
            return None
        if captured.scalars.row() is None or not _fits(captured):  # a flag is another one, or the memory
            return None
        self.used += 1
        return captured

    def keep(self, captured: Captured, structure: Structure, task: Task) -> None:
        """Remember a step, if it can be used again."""
        if structure.key is None:
            return
        try:
            step = Step.of(captured, structure, task.optimizer)
        except _Odd:
            return
        while len(self._steps) >= MOST:
            self._steps.pop(next(iter(self._steps)))
        self._steps[structure.key] = step


known = Known()
