"""Where the elements of an array lie in memory.

NumPy tells it by `__array_interface__`, which takes a microsecond, and a small network has forty arrays. CPython's
object of an array begins with what all objects begin with, and then has this address.

Reference: NumPy's C-API, PyArrayObject.
"""

from __future__ import annotations

import ctypes
import platform
from typing import Any

import numpy as np

ELEMENTS = object.__basicsize__  # where in an array's object the address lies
_read = ctypes.c_size_t.from_address


def told(array: Any) -> int:
    """Return the address of an array's first element as NumPy tells it.

    >>> array = np.zeros((3, 4))
    >>> told(array[1:]) - told(array)
    32
    """
    found: int = array.__array_interface__["data"][0]
    return found


def _seen(array: Any) -> int:
    return _read(id(array) + ELEMENTS).value


def _is_known() -> bool:
    """Say whether the objects of this Python and this NumPy lie in memory as `_seen` takes them to."""
    if platform.python_implementation() != "CPython":
        return False
    whole = np.zeros((3, 5))
    return all(_seen(array) == told(array) for array in (whole, whole[1:, 2:], whole.T, np.zeros(2, np.float32)))


address = _seen if _is_known() else told
