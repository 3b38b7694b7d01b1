"""A prediction of microseconds: native code that is a builtin function of Python's, and takes NumPy's own objects.

A call through ctypes, and what Python needs to look at an array, take as long as a small network. So the compiled code
has an entry in the calling convention of CPython's builtins, which reads the shape, the flags and the address of the
elements from the arrays themselves. A builtin holds Python's lock: nobody else comes in between.

References: Python/C API, "Common object structures" (PyMethodDef, METH_FASTCALL); NumPy's C-API, PyArrayObject.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fanin._core.addresses import ELEMENTS

QUICK = "quick"
# Where the fields of an array's object lie, behind its address, which comes after what all Python objects begin with;
# that begins with the count of references.
NDIM, SHAPE, FLAGS = ELEMENTS + 8, ELEMENTS + 16, ELEMENTS + 48
IN_C_ORDER = 1  # NPY_ARRAY_C_CONTIGUOUS
_FASTCALL = 0x80  # METH_FASTCALL: (self, arguments, how many) -> a new reference


class _Method(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def builtin(address: int, context: npt.NDArray[np.int64]) -> tuple[Callable[[Any, Any], Any], Any]:
    """Return the code at an address as a function (array, out) -> `out` or `array`, and what must live as long as it.

    The arrays' dtypes are for the caller to see to, and that `objects_are_known`.
    """
    method = _Method(QUICK.encode(), address, _FASTCALL, None)
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
        ("PyCFunction_NewEx", ctypes.pythonapi)
    )
    return make(ctypes.addressof(method), context, None), method


@lru_cache(maxsize=1)
def objects_are_known() -> bool:
    """Say whether the objects of this Python and this NumPy lie in memory as the code takes them to."""
    if platform.python_implementation() != "CPython" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    return all(_is_known(array) for array in (np.zeros(3), np.zeros((2, 5), np.float32), np.zeros((2, 3)).T))


def _is_known(array: npt.NDArray[Any]) -> bool:
    here = id(array)
    references = ctypes.c_ssize_t.from_address(here)
    before = references.value
    more = [array] * 5
    sizes = (ctypes.c_int64 * array.ndim).from_address(ctypes.c_int64.from_address(here + SHAPE).value)
    return (
        references.value == before + len(more)
        and ctypes.c_int64.from_address(here + ELEMENTS).value == array.ctypes.data
        and ctypes.c_int32.from_address(here + NDIM).value == array.ndim
        and tuple(sizes) == array.shape
        and bool(ctypes.c_int32.from_address(here + FLAGS).value & IN_C_ORDER) == array.flags.c_contiguous
    )
