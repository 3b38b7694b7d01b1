"""Python's and NumPy's values as JSON has them, and back, of the same types."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import ArgumentTypeError

Plain = Any  # None, bool, int, float, str, and lists and dictionaries of them


def to_plain(value: Any) -> Plain:
    """Return a value as JSON has it; what JSON has no word for is a dictionary of one entry, the type's name.

    Raises TypeError for what is none of the types of Python's and NumPy's numbers, texts, lists, tuples, dictionaries.

    >>> to_plain((1, float("inf"), {"a": np.float32(0.5)}))
    {'tuple': [1, {'float': 'inf'}, {'dict': [['a', {'numpy': ['<f4', 0.5]}]]}]}
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, np.ndarray):
        return {"array": array_to_plain(value)}
    if isinstance(value, np.generic):
        return {"numpy": [value.dtype.str, to_plain(value.item())]}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": str(float(value))}
    if isinstance(value, tuple | list):
        listed = [to_plain(each) for each in value]
        return {"tuple": listed} if isinstance(value, tuple) else listed
    if isinstance(value, dict):
        return {"dict": [[to_plain(key), to_plain(each)] for key, each in value.items()]}
    raise ArgumentTypeError(f"a value of type {type(value).__name__} cannot be saved")


def from_plain(plain: Plain) -> Any:
    """Return the value that `to_plain` was given.

    Raises ValueError for a type that it does not know.

    >>> from_plain(to_plain((1, float("inf"), {"a": [None]})))
    (1, inf, {'a': [None]})
    """
    if isinstance(plain, list):
        return [from_plain(each) for each in plain]
    if not isinstance(plain, dict):
        return plain
    ((name, held),) = plain.items()
    if name not in _READERS:
        raise ValueError(f"no type {name!r} of saved values is known")
    return _READERS[name](held)


def array_to_plain(array: NDArray[Any]) -> Plain:
    """Return an array of one dimension, of numbers, flags, texts, dates or objects, as dtype and values."""
    kind = array.dtype.kind
    if kind in "mM":
        return {"dtype": array.dtype.str, "values": array.astype(np.int64).tolist()}
    dtype = "T" if kind == "T" else array.dtype.str
    return {"dtype": dtype, "values": [to_plain(value) for value in array.tolist()]}


def array_from_plain(plain: Plain) -> NDArray[Any]:
    """Return the array that `array_to_plain` was given."""
    values = [from_plain(value) for value in plain["values"]]
    if plain["dtype"] == "T":
        return np.array(values, np.dtypes.StringDType())
    dtype = np.dtype(plain["dtype"])
    if dtype.kind != "O":
        return np.array(values, np.int64 if dtype.kind in "mM" else dtype).astype(dtype)
    array = np.empty(len(values), object)
    array[:] = values
    return array


_READERS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "tuple": lambda held: tuple(from_plain(each) for each in held),
    "dict": lambda held: {from_plain(key): from_plain(each) for key, each in held},
    "numpy": lambda held: np.dtype(held[0]).type(from_plain(held[1])),
    "array": array_from_plain,
}
