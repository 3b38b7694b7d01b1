"""Modules that hold parameters: in a list, in a dictionary. Other values may stand beside them."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fanin._core.errors import ArgumentTypeError, IndexRangeError, MissingKeyError, OperationError
from fanin.nn.containers import pairs
from fanin.nn.module import Module
from fanin.nn.parameter import Parameter, type_name
from fanin.tensor.base import TensorBase


def _as_parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, TensorBase) and not isinstance(value, Parameter) else value


def _described(value: Any, kind: str) -> str:
    if not isinstance(value, TensorBase):
        return f"Object of type: {type(value).__name__}"
    size = "x".join(map(str, value._array.shape))
    name = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return f"{name} containing: [{kind} of size {size}]"


class _Holder(Module):
    """What the two containers share: how they print, and that they are not called."""

    def _lines(self) -> list[str]:
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Return one line for each value."""
        return "\n".join(self._lines())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise OperationError(f"{type(self).__name__} should not be called.")


class ParameterList(_Holder):
    """A list of parameters; a tensor becomes a parameter, and other values stay as they are.

    Args:
        values: what the list starts with.

    >>> import fanin as torch
    >>> torch.nn.ParameterList([torch.ones(2, 3), torch.ones(1)])
    ParameterList(
        (0): Parameter containing: [torch.float32 of size 2x3]
        (1): Parameter containing: [torch.float32 of size 1]
    )
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _key(self, index: Any) -> str:
        position = operator.index(index)
        if not -self._size <= position < self._size:
            raise IndexRangeError(f"index {position} is out of range")
        return str(position % self._size)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(getattr(self, str(i)) for i in range(*index.indices(self._size)))
        return getattr(self, self._key(index))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, self._key(index), _as_parameter(value))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(self._size)])

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]

    def append(self, value: Any) -> ParameterList:
        """Add a value at the end; return the list."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Add values at the end; return the list. Raises TypeError for what is no container of values."""
        if not isinstance(values, Iterable) or isinstance(values, TensorBase):
            raise ArgumentTypeError(
                f"ParameterList.extend should be called with an iterable, but got {type(values).__name__}"
            )
        for value in list(values):
            self.append(value)
        return self

    def _lines(self) -> list[str]:
        return [f"  ({i}): {_described(value, str(getattr(value, 'dtype', '')))}" for i, value in enumerate(self)]


class ParameterDict(_Holder):
    """A dictionary of parameters; a tensor becomes a parameter, and other values stay as they are.

    Args:
        parameters: what the dictionary starts with: a mapping, or pairs of a name and a value. A plain dictionary is
            taken in the order of its sorted keys.

    >>> import fanin as torch
    >>> torch.nn.ParameterDict({"left": torch.ones(2)})
    ParameterDict(  (left): Parameter containing: [torch.FloatTensor of size 2])
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def _name(self, key: Any) -> str:
        if not isinstance(key, str):
            raise ArgumentTypeError(
                "Index given to ParameterDict cannot be used as a key as it is not a string "
                f"(type is '{type(key).__name__}')."
            )
        # Names of attributes of the class cannot name a parameter.
        if hasattr(self, key) and key not in self:
            raise MissingKeyError(f"attribute '{key}' already exists")
        return key

    def __getitem__(self, key: str) -> Any:
        return getattr(self, self._name(key))

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, self._name(key), _as_parameter(value))
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        name = self._name(key)
        del self._keys[name]
        delattr(self, name)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self._keys))

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def copy(self) -> ParameterDict:
        """Return a new dictionary with the same parameters."""
        return ParameterDict(OrderedDict((key, self[key]) for key in self._keys))

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, which is first set to the default when it is not there."""
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self) -> None:
        """Take all values out."""
        for key in list(self._keys):
            del self[key]

    def pop(self, key: str) -> Any:
        """Take a value out and return it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take the last pair of a key and a value out and return it."""
        key, _ = self._keys.popitem()
        self._keys[key] = None
        return key, self.pop(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default when it is not there."""
        return self[key] if key in self else default  # noqa: SIM401  (get is this very method)

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """Return a new dictionary with these keys, each with the default."""
        return ParameterDict((key, default) for key in keys)

    def keys(self) -> Any:
        """Return the names."""
        return self._keys.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return pairs of a name and a value."""
        return ((key, self[key]) for key in self._keys)

    def values(self) -> Iterable[Any]:
        """Return the values."""
        return (self[key] for key in self._keys)

    def update(self, parameters: Any) -> None:
        """Add values, or put them in the place of those with the same name.

        Raises TypeError unless parameters is a mapping or an iterable of pairs.
        """
        plain = isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict)
        for key, value in sorted(parameters.items()) if plain else pairs("ParameterDict.update", parameters):
            self[key] = value

    def __or__(self, other: ParameterDict) -> ParameterDict:
        copied = self.copy()
        copied.update(other)
        return copied

    def __ror__(self, other: ParameterDict) -> ParameterDict:
        copied = other.copy()
        copied.update(self)
        return copied

    def __ior__(self, other: ParameterDict) -> ParameterDict:
        self.update(other)
        return self

    def _lines(self) -> list[str]:
        return [f"  ({key}): {_described(value, type_name(value))}" for key, value in self.items()]


__all__ = ["ParameterDict", "ParameterList"]
