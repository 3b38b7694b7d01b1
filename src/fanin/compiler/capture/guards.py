"""What a capture took for granted, and a later call has to find unchanged: modules, names, numbers.

Names: the globals and enclosing variables that the captured code reads, in the function and in the functions of the
user's that it calls. Modules: which parameters they hold, whether they train, and their plain attributes. A capture
runs the code once, so what that run itself changed there would not be changed again by later calls: that is an error.
"""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fanin._core.errors import CaptureError
from fanin.nn.module import Module
from fanin.optim.optimizer import Optimizer
from fanin.tensor.base import TensorBase

_PLAIN = (bool, int, float, str, bytes, type(None), complex)
_PACKAGE = str(Path(__file__).resolve().parents[2])
_MISSING = object()


class Changed(BaseException):
    """The captured run has changed a variable or an attribute; another one shows whether it does so each time."""

    def __init__(self, before: Surroundings) -> None:
        super().__init__()
        self.before = before


@dataclass(frozen=True)
class Name:
    """A name that the code reads: an entry of a dictionary, or an enclosing variable."""

    holder: Any
    key: str
    value: Any

    def now(self) -> Any:
        """Return what the name stands for now."""
        if isinstance(self.holder, types.CellType):
            try:
                return self.holder.cell_contents
            except ValueError:
                return _MISSING
        return self.holder.get(self.key, _MISSING)

    def put_back(self) -> None:
        """Let it stand for what it stood for."""
        if isinstance(self.holder, types.CellType):
            self.holder.cell_contents = self.value
        else:
            self.holder[self.key] = self.value

    def holds(self) -> bool:
        """Say whether it stands for the same object, or for an equal number or text."""
        now = self.now()
        return now is self.value or (
            type(now) is type(self.value) and isinstance(now, _PLAIN) and _same(now, self.value)
        )


def _same(a: Any, b: Any) -> bool:
    return bool(a == b or (a != a and b != b))  # nan is like nan


def names_in(function: Any) -> tuple[list[Name], set[str]]:
    """Return the names that a function reads, and those that the user's functions among their values read.

    The second result are the names of all attributes that these functions read.
    """
    found: dict[tuple[int, str], Name] = {}
    attributes: set[str] = set()
    seen: set[int] = set()
    waiting = list(_functions_of(function))
    while waiting:
        reader = waiting.pop()
        if id(reader) in seen:
            continue
        seen.add(id(reader))
        attributes |= _read_in(reader.__code__, _ATTRIBUTES)
        for name in _names_of(reader):
            if (id(name.holder), name.key) not in found:
                found[id(name.holder), name.key] = name
                waiting += _functions_of(name.value)
    return list(found.values()), attributes


def _functions_of(value: Any) -> Iterator[types.FunctionType]:
    """Return the functions of the user's behind a callable."""
    value = getattr(value, "__wrapped__", value)
    if isinstance(value, types.MethodType):
        value = value.__func__
    if isinstance(value, Module):
        for module in value.modules():
            for kind in type(module).__mro__:
                if not kind.__module__.startswith(("fanin.", "builtins")):
                    yield from (f for name, f in vars(kind).items() if name != "__init__" and _is_users_function(f))
        return
    if _is_users_function(value):
        yield value


def _is_users_function(value: Any) -> bool:
    return isinstance(value, types.FunctionType) and not value.__code__.co_filename.startswith(_PACKAGE)


def _names_of(function: types.FunctionType) -> Iterator[Name]:
    code = function.__code__
    for key, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
        name = Name(cell, key, None)
        if name.now() is not _MISSING:
            yield Name(cell, key, name.now())
    space = function.__globals__
    for key in sorted(_read_in(code, _GLOBALS)):
        if key in space and not isinstance(space[key], types.ModuleType):
            yield Name(space, key, space[key])


_GLOBALS = ("LOAD_GLOBAL", "LOAD_NAME")
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")


@functools.lru_cache(maxsize=4096)  # to take a function apart takes as long as to capture twenty operations
def _read_in(code: types.CodeType, instructions: tuple[str, ...]) -> frozenset[str]:
    found = {i.argval for i in dis.get_instructions(code) if i.opname in instructions}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _read_in(constant, instructions)
    return frozenset(found)


# Modules --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """What a module looks like: the objects it holds, and its plain attributes."""

    module: Any
    held: tuple[Any, ...]
    plain: dict[str, Any]

    def holds(self) -> bool:
        """Say whether it still looks so."""
        now = look_at(self.module)
        return (
            len(now.held) == len(self.held)
            and all(a is b for a, b in zip(now.held, self.held, strict=True))
            and (now.plain == self.plain)
        )


def look_at(module: Any) -> Look:
    """Return what a module looks like."""
    fields = module.__dict__
    held: list[Any] = []
    for kind in ("_parameters", "_buffers", "_modules"):
        held += fields.get(kind, {}).values()
    for kind in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
        held += fields.get(kind, {}).values()
    return Look(module, tuple(held), plain_in(fields))


def plain_in(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers, texts and tuples of these among the attributes of an object."""
    return {name: value for name, value in fields.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    return isinstance(value, _PLAIN) or (isinstance(value, tuple) and all(map(_is_plain, value)))


# All together ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Guards:
    """What has to be unchanged: names at each call, the rest when a counter says that something has changed."""

    names: tuple[Name, ...]
    looks: tuple[Look, ...]
    numbers: tuple[tuple[Any, Any], ...] = ()

    def names_hold(self) -> bool:
        """Say whether all names stand for what they stood for."""
        return all(name.holds() for name in self.names) and all(
            _numbers_of(optimizer) == numbers for optimizer, numbers in self.numbers
        )

    def modules_hold(self) -> bool:
        """Say whether the modules are as they were."""
        return all(look.holds() for look in self.looks)


class Surroundings:
    """What stands around a function before it is captured, to be compared with what stands there after."""

    def __init__(self, function: Callable[..., Any], arguments: Any) -> None:
        self.names, attributes = names_in(function)
        self.attributes = frozenset(attributes)
        objects = [name.value for name in self.names] + list(_parts(arguments))
        bound = getattr(function, "__self__", None)
        self.objects = [*objects, bound] if bound is not None else objects
        if isinstance(function, Module):
            self.objects.append(function)
        self.modules = list(dict.fromkeys(m for o in self.objects for m in _modules_of(o)))
        self.looks = [look_at(module) for module in self.modules]
        self.plain = [(o, plain_in(o.__dict__)) for o in self.objects if _is_users_object(o)]
        self.lengths = [(name, len(name.value)) for name in self.names if isinstance(name.value, (list, dict, set))]

    def guards(self, custom: list[Any], again: bool) -> Guards:
        """Return what later calls have to find.

        Raises Changed where the captured run changed something of it, and CaptureError when it does so `again`: what is
        set once is set, but what changes at each run cannot be captured.
        """
        change = self._change()
        if change is not None:
            if not again:
                raise Changed(self)
            raise CaptureError(
                f"{change} is changed by the captured function; later calls would not change it again",
                remedy="Count and collect outside of the compiled function: what it computes, it can return.",
            )
        return Guards(
            tuple(self.names) + tuple(n for n in _attributes(self.plain) if n.key in self.attributes),
            tuple(look_at(module) for module in self.modules),
            tuple((optimizer, _numbers_of(optimizer)) for optimizer in custom),
        )

    def _change(self) -> str | None:
        for name in self.names:
            if not name.holds():
                return f"the variable {name.key!r}"
        for name, length in self.lengths:
            if len(name.value) != length:
                return f"the {type(name.value).__name__} {name.key!r}"
        for held, before in self._attributes():
            now = plain_in(held.__dict__)
            for key in {**before, **now}:
                if key not in now or key not in before or not _same(now[key], before[key]):
                    return f"the attribute {key!r} of a {type(held).__name__}"
        return None

    def _attributes(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        yield from ((look.module, look.plain) for look in self.looks)
        yield from self.plain

    def restore(self) -> None:
        """Put variables, attributes and lengths of lists back."""
        for name in self.names:
            if not name.holds():
                name.put_back()
        for name, length in self.lengths:
            if isinstance(name.value, list):
                del name.value[length:]
        for held, before in self._attributes():
            for key in plain_in(held.__dict__).keys() - before.keys():
                del held.__dict__[key]
            held.__dict__.update(before)


def _attributes(plain: list[tuple[Any, dict[str, Any]]]) -> Iterator[Name]:
    for held, values in plain:
        for key, value in values.items():
            yield Name(held.__dict__, key, value)


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, (tuple, list)):
        for part in value:
            yield from _parts(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _parts(part)
    else:
        yield value


def _modules_of(value: Any) -> Iterator[Any]:
    if isinstance(value, Module):
        yield from value.modules()
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _modules_of(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _modules_of(part)
    elif _is_users_object(value):
        for part in value.__dict__.values():
            if isinstance(part, Module):
                yield from part.modules()


def _is_users_object(value: Any) -> bool:
    """Say whether a value is an object of a class of the user's, with attributes."""
    if isinstance(value, (Module, Optimizer, TensorBase, type, types.FunctionType, types.MethodType, types.ModuleType)):
        return False
    home = type(value).__module__
    return hasattr(value, "__dict__") and not home.startswith(("fanin", "builtins", "numpy"))


def _numbers_of(optimizer: Any) -> Any:
    """Return the numbers of all groups, which a step of the user's own reads while it is captured."""
    return tuple(
        tuple((name, _hashable(value)) for name, value in group.items() if name != "params")
        for group in optimizer.param_groups
    )


def _hashable(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(map(_hashable, value))
    return value if isinstance(value, (*_PLAIN, np.number)) else id(value)
