"""What a capture can see of a task, written down as a key, and the tensors that it can see, in the order of the key."""

from __future__ import annotations

import types
from collections.abc import Hashable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from fanin._core.dtypes import get_default_dtype
from fanin.nn.calling import GlobalHooks
from fanin.nn.module import Module
from fanin.optim.engine.memory import overlap
from fanin.tensor.base import Changes
from fanin.tensor.grad_mode import mode
from fanin.training.engines.engine import Task
from fanin.training.source import Batch

_PLAIN = (bool, int, float, str, bytes, type(None), complex)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, type)
# Attributes of a module that have to be empty, and those that are told in another way, or decide nothing.
_HOOKS = frozenset(name for name in Module().__dict__ if "_hooks" in name)
_MEMBERS = frozenset(("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"))
# Kinds of values that are the same when they are equal.
_SURE = frozenset((bool, int, str, type(None)))
# Attributes of a tensor that say nothing about what is done with it.
_PRIVATE = ("_array", "_counter")
# Attributes of an optimiser that are told in another way, or that decide nothing.
_APART = frozenset(("param_groups", "state", "defaults", "_plans", "_programs", "_step_count"))


class Odd(Exception):
    """Something that the key of a structure cannot express."""


class Structure:
    """What a capture can see of a task, besides its batch.

    tensors: those of the model and the loss, each once, in the order in which they are found.
    key:     equal for two tasks only if their steps have the same graph, on the same kind of batch; None where that
             cannot be said.
    """

    def __init__(self, task: Task) -> None:
        self.tensors: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._modules: dict[int, int] = {}
        self.family: Any = None  # the steps of this structure that are known
        self.found: dict[int, Any] = {}  # of those that were asked for, the numbers and tensors in this task
        self._task, self._seen = task, Changes.count
        self._parts: Hashable = None
        self.key: Hashable = None
        with suppress(Odd):
            self.key = self._told()

    def with_batch(self, batch: Batch) -> Hashable:
        """Return what, besides the key, tells the task's step on a batch from others; None where there is no key."""
        if self.key is None:
            return None
        try:
            return self._data(batch)
        except Odd:
            return None

    def names_hold(self) -> bool:
        """Return True: no code of a user's is run, which could read a variable."""
        return True

    def modules_hold(self) -> bool:
        """Say whether model and loss are as they were."""
        if self._seen == Changes.count:
            return True
        now = Structure(self._task)
        same = now.key is not None and now._parts == self._parts and len(now.tensors) == len(self.tensors)
        if same and all(a is b for a, b in zip(now.tensors, self.tensors, strict=True)):
            self._seen = now._seen
            return True
        return False

    def number_of(self, tensor: Any) -> int:
        """Return which of the tensors one is.

        Raises Odd for one that is neither in the model nor in the loss.
        """
        found = self._numbers.get(id(tensor))
        if found is None:
            raise Odd
        return found

    def _told(self) -> Hashable:
        if GlobalHooks.in_use:
            raise Odd
        task, loss = self._task, self._task.loss
        loss_told = self._module(loss) if isinstance(loss, Module) else function_of_ours(loss)
        self._parts = (self._module(task.model), loss_told)
        if overlap([tensor._array for tensor in self.tensors]):
            raise Odd
        around = (repr(task.clip), get_default_dtype(), mode.enabled, mode.inference)
        return (self._parts, self._optimizer(task.optimizer), around)

    def _module(self, module: Any) -> Hashable:
        if id(module) in self._modules:
            return ("again", self._modules[id(module)])
        self._modules[id(module)] = len(self._modules)
        kind: Any = type(module)
        held = module.__dict__
        hooks, names = _attributes_of(tuple(held))
        if any(map(held.__getitem__, hooks)):
            raise Odd
        return (
            _code_of(kind, kind.forward),
            names,
            _attributes(tuple(map(held.__getitem__, names))),
            tuple([(key, self._tensor(t)) for key, t in held["_parameters"].items()]),
            tuple([(key, self._tensor(t)) for key, t in held["_buffers"].items()]),
            tuple([(key, self._module(part)) for key, part in held["_modules"].items() if part is not None]),
        )

    def _tensor(self, tensor: Any) -> Hashable:
        if tensor is None:
            return None
        if id(tensor) in self._numbers:
            return ("again", self._numbers[id(tensor)])
        self._numbers[id(tensor)] = len(self.tensors)
        self.tensors.append(tensor)
        array = tensor._array
        fields = [(k, plain(v)) for k, v in tensor.__dict__.items() if v is not None and k not in _PRIVATE]
        return (_ours(tensor), array.shape, array.dtype, array.flags.c_contiguous, *fields)

    def _optimizer(self, optimizer: Any) -> Hashable:
        attributes = [(name, _attribute(value)) for name, value in optimizer.__dict__.items() if name not in _APART]
        groups = []
        for group in optimizer.param_groups:
            options = [(name, _kind(value)) for name, value in group.items() if name not in ("params", "param_names")]
            groups.append((*map(self.number_of, group["params"]), *options))
        state = [
            (self.number_of(p), *((name, _kind_of_state(value)) for name, value in held.items()))
            for p, held in optimizer.state.items()
        ]
        return (_ours(optimizer), tuple(attributes), tuple(groups), tuple(state))

    def _data(self, batch: Batch) -> Hashable:
        paired = isinstance(batch.target, tuple)
        tensors = [*batch.inputs, *(batch.target if paired else (batch.target,))]
        seen: dict[int, int] = {}
        told = []
        for i, tensor in enumerate(tensors):
            if id(tensor) in self._numbers:
                raise Odd
            same = seen.setdefault(id(tensor), i)
            array = tensor._array
            told.append((_ours(tensor), array.shape, array.dtype, tensor._requires_grad, same))
        return (len(batch.inputs), paired, tuple(told))


# Kinds of things ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _checked(kind: Any) -> Any:
    """Return a class of this package; of a user's class nobody knows what its code reads."""
    if not kind.__module__.startswith("fanin."):
        raise Odd
    return kind


def _ours(value: Any) -> Any:
    """Return the class of a value, which is one of this package."""
    kind: Any = type(value)
    return _checked(kind)


@lru_cache(maxsize=256)
def _code_of(kind: Any, forward: Any) -> Hashable:
    """Return a class of modules with the method that computes, which somebody may have replaced."""
    return (_checked(kind), function_of_ours(forward))


def function_of_ours(value: Any) -> Hashable:
    """Return a function of this package."""
    if not isinstance(value, _FUNCTIONS) or not str(getattr(value, "__module__", "")).startswith("fanin."):
        raise Odd
    return value


@lru_cache(maxsize=256)
def _attributes_of(names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which attributes of a module are hooks, and which say what it is."""
    told = tuple(name for name in names if name not in _HOOKS and name not in _MEMBERS)
    return tuple(name for name in names if name in _HOOKS), told


def _attributes(values: tuple[Any, ...]) -> Hashable:
    """Return what the attributes of a module are: mostly numbers and text, which need no look at each."""
    kinds = tuple(map(type, values))
    return (kinds, values) if _SURE.issuperset(kinds) else tuple(map(_attribute, values))


def _attribute(value: Any) -> Hashable:
    """Return what an attribute is: a number or text, nothing yet (an empty list), or a function of this package."""
    kind = type(value)
    if value is None or kind is bool or kind is int or kind is str:
        return (kind, value)
    if isinstance(value, (dict, list, set)):
        if value:
            raise Odd
        return (kind,)
    return plain(value) if isinstance(value, (*_PLAIN, tuple)) else function_of_ours(value)


def plain(value: Any) -> Hashable:
    """Return a number or text so that only what is the same everywhere is equal: 1 is not True, and 0.0 not -0.0."""
    kind = type(value)
    if value is None or kind is bool or kind is int or kind is str:
        return (kind, value)
    if kind is tuple:
        return tuple(map(plain, value))
    if kind not in _PLAIN:
        raise Odd
    return (kind, repr(value))


def _kind(value: Any) -> Hashable:
    """Return what an option of an optimiser is; numbers are looked up at each step, and only have a kind."""
    kind = type(value)
    if kind is int or kind is float:
        return (kind,)
    return tuple(map(_kind, value)) if kind is tuple else plain(value)


def _kind_of_state(value: Any) -> Hashable:
    array = getattr(value, "_array", None)
    return _kind(value) if array is None else (type(value), array.shape, array.dtype)
