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

from fanin.compiler.graph import Graph
from fanin.compiler.native.frame import EXTRA
from fanin.compiler.native.memory import Layout
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import I8, I32, I64, POINTER, Code, function

QUICK = "quick"
# Where the fields of an array's object lie, behind what all Python objects begin with, which begins with the count of
# references.
_HEAD = object.__basicsize__
_ELEMENTS, _NDIM, _SHAPE, _FLAGS = _HEAD, _HEAD + 8, _HEAD + 16, _HEAD + 48
_IN_C_ORDER = 1  # NPY_ARRAY_C_CONTIGUOUS
_FASTCALL = 0x80  # METH_FASTCALL: (self, arguments, how many) -> a new reference


# The code -------------------------------------------------------------------------------------------------------------


def emit_quick(module: Any, graph: Graph, layout: Layout, isa: Isa, run: Any) -> None:
    """Write `quick(context, (array, out), 2)`: one step, for a program from one array to one.

    The context is an array that holds what `run` is called with. The result is `out`; or `array`, which Python then has
    to look at: it has another shape, or is not in C order, or an index in it is out of range.
    """
    if len(graph.data) != 1 or len(graph.outputs) != 1:
        return
    made, code = function(module, QUICK, [POINTER, POINTER, I64], isa, internal=False, result=POINTER)
    b, (holder, given, _) = code.b, made.args
    array, out = (b.load(b.gep(given, [I64(i)], source_etype=I64), typ=POINTER) for i in (0, 1))
    _leave_unless_it_fits(code, array, graph.data[0].shape)
    context = _field(code, holder, _ELEMENTS, POINTER)
    sources = b.load(context, typ=POINTER)
    for source, held in ((("data", 0), array), (("output", 0), out)):
        if source in layout.sources:
            place = b.gep(sources, [I64(layout.sources.index(source))], source_etype=I64)
            b.store(_field(code, held, _ELEMENTS, I64), place)
    b.call(run, [context, I64(0), I64(1)])
    number = I64(len(layout.sources) + EXTRA.index("notes"))
    fault = b.load(b.load(b.gep(sources, [number], source_etype=I64), typ=POINTER), typ=I64)
    _return(code, b.select(b.icmp_signed("==", fault, I64(0)), out, array))


def _leave_unless_it_fits(code: Code, array: Any, shape: tuple[int, ...]) -> None:
    """Return the array at once unless it has this shape, and lies in C order."""
    b = code.b
    flag = b.and_(_field(code, array, _FLAGS, I32), I32(_IN_C_ORDER))
    dimensions = _field(code, array, _NDIM, I32)
    with b.if_then(b.or_(b.icmp_signed("==", flag, I32(0)), b.icmp_signed("!=", dimensions, I32(len(shape))))):
        _return(code, array)
    sizes = _field(code, array, _SHAPE, POINTER)
    for i, n in enumerate(shape):
        size = b.load(b.gep(sizes, [I64(i)], source_etype=I64), typ=I64)
        with b.if_then(b.icmp_signed("!=", size, I64(n))):
            _return(code, array)


def _field(code: Code, start: Any, offset: int, kind: Any) -> Any:
    return code.b.load(code.b.gep(start, [I64(offset)], source_etype=I8), typ=kind)


def _return(code: Code, result: Any) -> None:
    """Return an object, to which there is one more reference then."""
    b = code.b
    b.store(b.add(b.load(result, typ=I64), I64(1)), result)
    b.ret(result)


# The builtin ----------------------------------------------------------------------------------------------------------


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
    sizes = (ctypes.c_int64 * array.ndim).from_address(ctypes.c_int64.from_address(here + _SHAPE).value)
    return (
        references.value == before + len(more)
        and ctypes.c_int64.from_address(here + _ELEMENTS).value == array.ctypes.data
        and ctypes.c_int32.from_address(here + _NDIM).value == array.ndim
        and tuple(sizes) == array.shape
        and bool(ctypes.c_int32.from_address(here + _FLAGS).value & _IN_C_ORDER) == array.flags.c_contiguous
    )
