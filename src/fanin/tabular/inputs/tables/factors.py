"""Factor columns: a column becomes indices into its different values, without a step of Python per cell."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.tabular.inputs.summary import Floats
from fanin.tabular.inputs.tables.base import Levels

REALS = (int, float, np.integer, np.floating)


def factor_objects(values: list[Any]) -> Levels:
    """Factor Python objects; those that cannot be hashed, as lists and dictionaries, are each a `Container`.

    >>> factor_objects(["b", "a", "b"]).codes, factor_objects(["b", "a", "b"]).values
    (array([0, 1, 0]), ['b', 'a'])
    """
    try:
        different = dict.fromkeys(values)
    except TypeError:
        return factor_objects([value if _hashable(value) else _contained(value) for value in values])
    for index, value in enumerate(different):
        different[value] = index
    # Both walks, fromkeys and map, run inside of the interpreter: 0.1 s per million cells.
    codes = np.fromiter(map(different.__getitem__, values), np.int64, len(values))
    return Levels(codes, list(different))


def factor_array(values: NDArray[Any]) -> Levels:
    """Factor an array of numbers, flags or dates."""
    different, codes = np.unique(values, return_inverse=True)
    return Levels(codes.reshape(-1).astype(np.int64), different.tolist())


class Container:
    """A value that is none: a list, a dictionary, an array. Whoever looks at it can say in which row it stands."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _contained(value: Any) -> Any:
    # A signalling NaN is a missing value, but cannot be hashed.
    return None if isinstance(value, Decimal) and value.is_nan() else Container(value)


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def are_numbers(values: Iterable[Any]) -> bool:
    """Whether Python objects are numbers and None alone, so that they can be read without a look at each.

    >>> are_numbers([1, 2.5, None]), are_numbers([None]), are_numbers([1, True]), are_numbers([1, "1"])
    (True, False, False, False)
    """
    return all_numbers(set(map(type, values)))


def all_numbers(types: set[type]) -> bool:
    """Whether these are types of numbers, at least one, and perhaps None's."""
    types = types - {type(None)}
    # np.timedelta64 counts as an integer among NumPy's types, and bool among Python's.
    return bool(types) and all(issubclass(each, REALS) and each not in (bool, np.timedelta64) for each in types)


def floats_of(values: NDArray[Any]) -> Floats:
    """Return numbers and None as float64; whole numbers beyond it become infinite.

    >>> print(floats_of(np.array([1, None, 10**400], object)))
    [ 1. nan inf]
    """
    try:
        return values.astype(np.float64)
    except OverflowError:
        flat = [np.nan if value is None else float_of(value) for value in values.ravel().tolist()]
        return np.array(flat).reshape(values.shape)


def float_of(value: Any) -> float:
    """Return a number as a float, infinite when it is beyond float64."""
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf
