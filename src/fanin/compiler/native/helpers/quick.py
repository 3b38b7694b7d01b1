"""The text of the entry that takes NumPy's own objects: see `fanin.compiler.native.quick`."""

from __future__ import annotations

from typing import Any

from fanin._core.addresses import ELEMENTS
from fanin.compiler.graph import Graph
from fanin.compiler.native.abi import EXTRA
from fanin.compiler.native.memory import Layout
from fanin.compiler.native.quick import FLAGS, IN_C_ORDER, NDIM, QUICK, SHAPE
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import I8, I32, I64, POINTER, Code, function


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
    context = _field(code, holder, ELEMENTS, POINTER)
    sources = b.load(context, typ=POINTER)
    for source, held in ((("data", 0), array), (("output", 0), out)):
        if source in layout.sources:
            place = b.gep(sources, [I64(layout.sources.index(source))], source_etype=I64)
            b.store(_field(code, held, ELEMENTS, I64), place)
    b.call(run, [context, I64(0), I64(1)])
    number = I64(len(layout.sources) + EXTRA.index("notes"))
    fault = b.load(b.load(b.gep(sources, [number], source_etype=I64), typ=POINTER), typ=I64)
    _return(code, b.select(b.icmp_signed("==", fault, I64(0)), out, array))


def _leave_unless_it_fits(code: Code, array: Any, shape: tuple[int, ...]) -> None:
    """Return the array at once unless it has this shape, and lies in C order."""
    b = code.b
    flag = b.and_(_field(code, array, FLAGS, I32), I32(IN_C_ORDER))
    dimensions = _field(code, array, NDIM, I32)
    with b.if_then(b.or_(b.icmp_signed("==", flag, I32(0)), b.icmp_signed("!=", dimensions, I32(len(shape))))):
        _return(code, array)
    sizes = _field(code, array, SHAPE, POINTER)
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
