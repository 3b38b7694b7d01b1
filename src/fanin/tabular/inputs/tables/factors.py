"""Factor columns: a column becomes indices into its different values, without a step of Python per cell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.tabular.inputs.tables.base import Levels


def factor_objects(values: list[Any]) -> Levels:
    """Factor Python objects; those that cannot be hashed (lists, dictionaries) go by their text.

    >>> factor_objects(["b", "a", "b"]).codes, factor_objects(["b", "a", "b"]).values
    (array([0, 1, 0]), ['b', 'a'])
    """
    try:
        different = dict.fromkeys(values)
    except TypeError:
        return factor_objects([value if _hashable(value) else str(value) for value in values])
    for index, value in enumerate(different):
        different[value] = index
    # Both walks, fromkeys and map, run inside of the interpreter: 0.1 s per million cells.
    codes = np.fromiter(map(different.__getitem__, values), np.int64, len(values))
    return Levels(codes, list(different))


def factor_array(values: NDArray[Any]) -> Levels:
    """Factor an array of numbers, flags or dates."""
    different, codes = np.unique(values, return_inverse=True)
    return Levels(codes.reshape(-1).astype(np.int64), different.tolist())


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
