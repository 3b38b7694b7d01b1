"""A pickle reader that builds data and calls nothing but the functions of one short table.

Python's own Unpickler imports what a file names and calls it, so a file can do whatever its author likes. This reader
walks the same instructions, but a name is looked up in the table of `names`, a call is made only to what stands there,
and attributes are set only on dictionaries of states and on tensors.
"""

from __future__ import annotations

import pickletools
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fanin._core.errors import CheckpointError, FaninError
from fanin.serialization.names import Key, functions, refuse_foreign_storage, set_attributes, values
from fanin.tensor.base import TensorBase

_trusted_by_user: dict[Key, Any] = {}
_DAMAGE = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, UnicodeError, RecursionError)
_LITERALS = (
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE "
    "SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8"
).split()


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Let `load` build further classes or call further functions of yours, given as a list.

    Each is a class or function, or a pair of one and the name under which files call it, such as
    `(Config, "old_module.Config")`.
    """
    for entry in safe_globals:
        trusted, name = entry if isinstance(entry, tuple) else (entry, f"{entry.__module__}.{entry.__qualname__}")
        module, _, attribute = name.rpartition(".")
        _trusted_by_user[module, attribute] = trusted


def get_safe_globals() -> list[Any]:
    """Return what `add_safe_globals` was given."""
    return list(_trusted_by_user.values())


def clear_safe_globals() -> None:
    """Forget what `add_safe_globals` was given."""
    _trusted_by_user.clear()


@contextmanager
def safe_globals(safe_globals: list[Any]) -> Iterator[None]:
    """Do as `add_safe_globals` for the length of a `with` block."""
    before = dict(_trusted_by_user)
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _trusted_by_user.clear()
        _trusted_by_user.update(before)


def read_restricted(data: bytes, persistent_load: Callable[[Any], Any], where: str) -> Any:
    """Return the object that a pickle describes.

    Args:
        data: the pickle.
        persistent_load: gives the storage for the tuple by which the pickle names it.
        where: what messages call the file.

    Raises:
        CheckpointError: the pickle is damaged, or names something that is not in the table.
    """
    machine = _Machine(persistent_load, where)
    try:
        for instruction, argument, _ in pickletools.genops(data):
            machine.do(instruction.name, argument)
    except FaninError:
        raise
    except _DAMAGE as problem:
        raise CheckpointError(f"Weights only load failed: {where} is damaged: {problem}") from problem
    return machine.result


class _Machine:
    """The stack and the memory of one run; each instruction is a method of its name."""

    def __init__(self, persistent_load: Callable[[Any], Any], where: str) -> None:
        self.result: Any = None
        self._persistent_load, self._where = persistent_load, where
        self._stack: list[Any] = []
        self._outer: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._trusted = list(_trusted_by_user.values())
        self._functions = {**functions(), **_trusted_by_user}
        self._names = {**values(), **self._functions}

    def do(self, name: str, argument: Any) -> None:
        """Carry out one instruction."""
        step = _STEPS.get(name)
        if step is None:
            raise CheckpointError(
                f"Weights only load failed: {self._where} uses the pickle instruction {name}, which only "
                "weights_only=False carries out; use that only on files that you trust"
            )
        step(self, argument)

    def _items(self) -> list[Any]:
        """Return what was pushed since the last mark, and go back to what lay below it."""
        items, self._stack = self._stack, self._outer.pop()
        return items

    def _global(self, module: str, name: str) -> Any:
        if (module, name) in self._names:
            return self._names[module, name]
        refuse_foreign_storage(module, name)
        raise CheckpointError(
            f"Weights only load failed: {self._where} holds a {module}.{name}, which is not allowed in a file of "
            "weights. If you trust whoever wrote it, load it with weights_only=False, which may run code from "
            f"it, or allow the class by torch.serialization.add_safe_globals([{name}])"
        )

    # Instructions. Those with an argument read it; the others ignore it.

    def skip(self, _: Any) -> None:
        pass

    def stop(self, _: Any) -> None:
        (self.result,) = self._stack

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def mark(self, _: Any) -> None:
        self._outer.append(self._stack)
        self._stack = []

    def pop(self, _: Any) -> None:
        self._stack.pop()

    def pop_mark(self, _: Any) -> None:
        self._items()

    def duplicate(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    def tuple_of(self, count: int) -> None:
        items = tuple(self._stack[-count:])
        if len(items) < count:
            raise IndexError("the stack is too short")
        self._stack[-count:] = [items]

    def tuple_since_mark(self, _: Any) -> None:
        items = self._items()
        self._stack.append(tuple(items))

    def list_since_mark(self, _: Any) -> None:
        items = self._items()
        self._stack.append(items)

    def frozenset_since_mark(self, _: Any) -> None:
        items = self._items()
        self._stack.append(frozenset(items))

    def dict_since_mark(self, _: Any) -> None:
        items = self._items()
        self._stack.append(dict(zip(items[::2], items[1::2], strict=True)))

    def append(self, _: Any) -> None:
        value = self._stack.pop()
        self._top(list).append(value)

    def extend(self, _: Any) -> None:
        items = self._items()
        self._top(list).extend(items)

    def add_to_set(self, _: Any) -> None:
        items = self._items()
        self._top(set).update(items)

    def set_item(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._top(dict, OrderedDict, Counter)[key] = value

    def set_items(self, _: Any) -> None:
        items = self._items()
        target = self._top(dict, OrderedDict, Counter)
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Not update(), which adds to the counts of a Counter.
            target[key] = value

    def _top(self, *kinds: type) -> Any:
        if type(self._stack[-1]) not in kinds:
            raise TypeError(f"items for a {type(self._stack[-1]).__name__}")
        return self._stack[-1]

    def remember(self, index: int | None) -> None:
        self._memo[len(self._memo) if index is None else index] = self._stack[-1]

    def recall(self, index: int) -> None:
        self._stack.append(self._memo[index])

    def name(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._stack.append(self._global(module, name))

    def name_from_stack(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._stack.append(self._global(module, name))

    def call(self, _: Any) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not any(function is allowed for allowed in self._functions.values()):
            raise TypeError(f"a call of {function!r}")
        self._stack.append(function(*arguments))

    def new_object(self, _: Any) -> None:
        arguments, kind = self._stack.pop(), self._stack.pop()
        if isinstance(kind, type) and any(kind is trusted for trusted in self._trusted):
            self._stack.append(kind.__new__(kind, *arguments))
        elif kind in (OrderedDict, Counter, set):
            self._stack.append(kind(*arguments))
        else:
            raise TypeError(f"a new {kind!r}")

    def set_state(self, _: Any) -> None:
        state, instance = self._stack.pop(), self._stack[-1]
        if any(type(instance) is trusted for trusted in self._trusted):
            _restore(instance, state)
        elif isinstance(instance, TensorBase) or type(instance) is OrderedDict:
            set_attributes(instance, state)
        else:
            raise TypeError(f"a state for a {type(instance).__name__}")

    def storage(self, _: Any) -> None:
        self._stack.append(self._persistent_load(self._stack.pop()))


def _restore(instance: Any, state: Any) -> None:
    """Give an object of a class that the user trusts its state, as Python's pickle would."""
    if hasattr(instance, "__setstate__"):
        instance.__setstate__(state)
        return
    fields, slots = state if isinstance(state, tuple) else (state, None)
    for name, value in {**(fields or {}), **(slots or {})}.items():
        object.__setattr__(instance, name, value)


def _pushes(make: Callable[[], Any]) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(make())


def _tuple_of(count: int) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.tuple_of(count)


_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), _Machine.skip),
    **dict.fromkeys(_LITERALS, _Machine.push),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.remember),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.recall),
    "STOP": _Machine.stop,
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.pop_mark,
    "DUP": _Machine.duplicate,
    "NONE": _pushes(lambda: None),
    "NEWTRUE": _pushes(lambda: True),
    "NEWFALSE": _pushes(lambda: False),
    "EMPTY_TUPLE": _pushes(tuple),
    "EMPTY_LIST": _pushes(list),
    "EMPTY_DICT": _pushes(dict),
    "EMPTY_SET": _pushes(set),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "TUPLE": _Machine.tuple_since_mark,
    "LIST": _Machine.list_since_mark,
    "DICT": _Machine.dict_since_mark,
    "FROZENSET": _Machine.frozenset_since_mark,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.extend,
    "ADDITEMS": _Machine.add_to_set,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.name_from_stack,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.new_object,
    "BUILD": _Machine.set_state,
    "BINPERSID": _Machine.storage,
}
