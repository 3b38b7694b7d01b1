"""Numbers and flags in columns of categories, which one file writes as 1 or true and another as 1.0 or True."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from fanin.tabular.inputs.cells import NUMBER
from fanin.tabular.inputs.summary import Floats

TRUTHS = {"true": 1.0, "false": 0.0}


def are_truths(levels: Collection[str]) -> bool:
    """Say whether levels are true and false, however they are written.

    >>> are_truths(["TRUE", "False"]), are_truths(["true", "maybe"]), are_truths([])
    (True, False, False)
    """
    return bool(levels) and all(level.strip().lower() in TRUTHS for level in levels)


def by_meaning(levels: Sequence[str]) -> Callable[[str], int]:
    """Return what finds the level that a key means, as its index from 1; 0 for none, and for one of several.

    >>> find = by_meaning(["1.0", "2.0", "two"])
    >>> find("2"), find("3"), find("Two")
    (2, 0, 0)
    >>> find = by_meaning(["False", "True"])
    >>> find("true"), find("0"), find("2")
    (2, 1, 0)
    >>> by_meaning(["1.1", "1.10"])("1.100")  # versions
    0
    """
    read = _truth if are_truths(levels) else _number
    index: dict[float | None, int] = {}
    for place, level in enumerate(levels, 1):
        value = read(level)
        index[value] = 0 if value in index else place
    index[None] = 0
    return lambda key: index.get(read(key), 0)


def with_truths(numbers: Floats, keys: Sequence[str]) -> Floats:
    """Return the numbers of keys, with 1 and 0 for those that are none but are written as true and false.

    >>> print(with_truths(np.array([2.0, np.nan, np.nan, np.nan]), ["2", "True", "false ", "yes"]))
    [ 2.  1.  0. nan]
    """
    return np.where(np.isnan(numbers), [TRUTHS.get(key.strip().lower(), np.nan) for key in keys], numbers)


def _number(key: str) -> float | None:
    return float(key) if NUMBER.fullmatch(key) else None


def _truth(key: str) -> float | None:
    return TRUTHS.get(key.strip().lower(), _number(key))
