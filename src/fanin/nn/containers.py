"""Modules that hold modules: in a row, in a list, in a dictionary."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, TypeVar

from fanin._core.errors import ArgumentError, ArgumentTypeError, IndexRangeError
from fanin.nn.module import Module, framed, indented

Seq = TypeVar("Seq", bound="Sequential")
List_ = TypeVar("List_", bound="ModuleList")


class Sequential(Module):
    """Modules one after another: the output of each is the input of the next.

    Args:
        args: modules, or one OrderedDict of modules by name.

    Shape: whatever the first module takes, to what the last one gives.

    >>> import fanin as torch
    >>> torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
    )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for i, module in enumerate(args):
                self.add_module(str(i), module)

    def forward(self, input: Any) -> Any:
        """Return the output of the last module."""
        for module in self._modules.values():
            input = module(input)
        return input

    def _name_at(self, index: Any) -> str:
        position, size = operator.index(index), len(self)
        if not -size <= position < size:
            raise IndexRangeError(f"index {position} is out of range")
        return next(islice(self._modules, position % size, None))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.__class__(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._name_at(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name_at(index), module)

    def __delitem__(self, index: Any) -> None:
        names = list(self._modules)[index] if isinstance(index, slice) else [self._name_at(index)]
        for name in names:
            delattr(self, name)
        self._renumber()

    def _renumber(self) -> None:
        self._modules = {str(i): module for i, module in enumerate(self._modules.values())}

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]

    def __add__(self, other: Any) -> Sequential:
        if not isinstance(other, Sequential):
            raise ArgumentError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
        return Sequential(*self, *other)

    def __iadd__(self: Seq, other: Any) -> Seq:
        if not isinstance(other, Sequential):
            raise ArgumentError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
        return self.extend(list(other))

    def __mul__(self, other: Any) -> Sequential:
        return Sequential(*self._repeated(other))

    __rmul__ = __mul__

    def __imul__(self: Seq, other: Any) -> Seq:
        more = self._repeated(other)[len(self) :]
        return self.extend(more)

    def _repeated(self, times: Any) -> list[Any]:
        if not isinstance(times, int):
            raise ArgumentTypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ArgumentError(f"Non-positive multiplication factor {times} for {type(self)}")
        return list(self) * times

    def append(self: Seq, module: Module) -> Seq:
        """Add a module at the end; return the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self: Seq, sequential: Iterable[Any]) -> Seq:
        """Add modules at the end; return the container."""
        for module in sequential:
            self.append(module)
        return self

    def insert(self: Seq, index: int, module: Module) -> Seq:
        """Add a module before the one with this index; return the container.

        Raises AssertionError for what is no module, IndexError outside [-len, len].
        """
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        size = len(self)
        if not -size <= index <= size:
            raise IndexRangeError(f"Index out of range: {index}")
        modules = list(self)
        modules.insert(index + size if index < 0 else index, module)
        self._modules = {str(i): m for i, m in enumerate(modules)}
        return self

    def pop(self, index: Any) -> Any:
        """Take a module out and return it."""
        module = self[index]
        del self[index]
        return module


class ModuleList(Module):
    """A list of modules, registered under their numbers.

    Args:
        modules: what the list starts with.

    >>> import fanin as torch
    >>> torch.nn.ModuleList([torch.nn.Linear(2, 2) for _ in range(3)])
    ModuleList(
      (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
    )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def _name_at(self, index: Any) -> str:
        position, size = operator.index(index), len(self)
        if not -size <= position < size:
            raise IndexRangeError(f"index {position} is out of range")
        return str(position % size)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.__class__(list(self._modules.values())[index])
        return self._modules[self._name_at(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name_at(index), module)

    def __delitem__(self, index: Any) -> None:
        names = [str(i) for i in range(len(self))[index]] if isinstance(index, slice) else [self._name_at(index)]
        for name in names:
            delattr(self, name)
        self._modules = {str(i): module for i, module in enumerate(self._modules.values())}

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __iadd__(self: List_, modules: Iterable[Module]) -> List_:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList(chain(self, other))

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]

    def insert(self, index: int, module: Module) -> None:
        """Add a module before the one with this index."""
        modules = list(self)
        modules.insert(index, module)
        for i, held in enumerate(modules):
            self._modules[str(i)] = held

    def append(self: List_, module: Module) -> List_:
        """Add a module at the end; return the list."""
        self.add_module(str(len(self)), module)
        return self

    def pop(self, key: Any) -> Any:
        """Take a module out and return it."""
        module = self[key]
        del self[key]
        return module

    def extend(self: List_, modules: Iterable[Module]) -> List_:
        """Add modules at the end; return the list. Raises TypeError for what cannot be iterated over."""
        if not isinstance(modules, Iterable):
            raise ArgumentTypeError(
                f"ModuleList.extend should be called with an iterable, but got {type(modules).__name__}"
            )
        start = len(self)
        for i, module in enumerate(modules):
            self.add_module(str(start + i), module)
        return self

    def __repr__(self) -> str:
        return (
            framed(self._get_name(), "", _runs([repr(module) for module in self]))
            if len(self)
            else (self._get_name() + "()")
        )


def _runs(texts: list[str]) -> list[str]:
    """Return one line for each run of equal texts, with the numbers that it spans and its length."""
    lines: list[str] = []
    start = 0
    for end in range(1, len(texts) + 1):
        if end < len(texts) and texts[end] == texts[start]:
            continue
        count = end - start
        head = f"({start}): " if count == 1 else f"({start}-{end - 1}): {count} x "
        lines.append(indented(head + texts[start]))
        start = end
    return lines


class ModuleDict(Module):
    """A dictionary of modules, registered under their keys.

    Args:
        modules: what the dictionary starts with: a mapping, or pairs of a name and a module.

    >>> import fanin as torch
    >>> layers = torch.nn.ModuleDict({"act": torch.nn.ReLU()})
    >>> layers["act"]
    ReLU()
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        module: Module = self._modules[key]
        return module

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Take a module out and return it."""
        module = self[key]
        del self[key]
        return module

    def keys(self) -> Any:
        """Return the names."""
        return self._modules.keys()

    def items(self) -> Any:
        """Return pairs of a name and a module."""
        return self._modules.items()

    def values(self) -> Any:
        """Return the modules."""
        return self._modules.values()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules, or put them in the place of those with the same name.

        Raises TypeError unless modules is a mapping or an iterable of pairs.
        """
        for key, module in pairs("ModuleDict.update", modules):
            self[key] = module


def pairs(where: str, given: Any) -> Iterator[tuple[Any, Any]]:
    """Yield pairs of a key and a value from a mapping or an iterable of pairs; raise where it is neither."""
    if not isinstance(given, Iterable):
        raise ArgumentTypeError(
            f"{where} should be called with an iterable of key/value pairs, but got {type(given).__name__}"
        )
    if isinstance(given, Mapping) or hasattr(given, "items"):
        yield from given.items()
        return
    for i, pair in enumerate(given):
        if not isinstance(pair, Iterable):
            raise ArgumentTypeError(f"{where}: sequence element #{i} should be Iterable; is {type(pair).__name__}")
        pair = tuple(pair)
        if len(pair) != 2:
            raise ArgumentError(f"{where}: sequence element #{i} has length {len(pair)}; 2 is required")
        yield pair


__all__ = ["ModuleDict", "ModuleList", "Sequential", "pairs"]
