"""What the micro-kernels have in common: arguments, epilogues, loops whose values stay in registers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from fanin.compiler.native import ir
from fanin.compiler.native.target import Isa
from fanin.compiler.native.vector import I1, I32, I64, POINTER, Code, function, width_of

Epilogue = Callable[[Code, Any, "Place", Sequence[Any]], None]


@dataclass(frozen=True)
class Arguments:
    """What a micro-kernel is called with; strides in elements.

    stride_a: the row stride of A. step_a: its stride over K. next_a: from one tile to the one below.
    step_b: B's stride over K. stride_b: from one panel (in the dot form: column) to the next.
    inner: K. down, across: how many tiles and panels. accumulate: add to what C holds.
    row, column: where the first tile begins.
    """

    a: Any
    stride_a: Any
    step_a: Any
    next_a: Any
    b: Any
    step_b: Any
    stride_b: Any
    c: Any
    c_row: Any
    inner: Any
    down: Any
    across: Any
    accumulate: Any
    row: Any
    column: Any

    @property
    def values(self) -> list[Any]:
        """The values in the order of the function's arguments."""
        return list(self.__dict__.values())


_TYPES = [POINTER, I64, I64, I64, POINTER, I64, I64, POINTER, I64, I64, I64, I64, I1, I64, I64]


@dataclass(frozen=True)
class Place:
    """Where a register of results lies: at row `row` + `down` and column `column` + `right` of C.

    known: addresses in the epilogue's operands; the registers of a tile share it, since each row lies behind another.
    """

    row: Any
    column: Any
    down: int = 0
    right: int = 0
    known: dict[tuple[int, int], Any] = field(default_factory=dict)

    def at(self, down: int, right: int) -> Place:
        """Return the place so many rows and columns further on in the same tile."""
        return replace(self, down=down, right=right)

    def turned(self) -> Place:
        """Return the same place where rows are called columns."""
        return Place(self.column, self.row, self.right, self.down, self.known)


@dataclass(frozen=True)
class Finish:
    """What happens to the finished registers: an epilogue, or (None) a store to C.

    types:  those of the epilogue's context.
    turned: whether the epilogue sees the one column of C as a row.
    """

    epilogue: Epilogue | None
    types: tuple[Any, ...]
    turned: bool = False

    def key(self) -> tuple[Any, ...]:
        """Return what tells two apart."""
        return (self.epilogue, self.turned, *map(str, self.types))


def begin(module: ir.Module, isa: Isa, name: str, finish: Finish) -> tuple[Any, Code, Arguments, list[Any]]:
    """Begin a micro-kernel; return the function, its code, its arguments, and the epilogue's context."""
    made, code = function(module, name, [*_TYPES, *finish.types], isa)
    # Inlined where there is one call, it would be compiled again for each layer, with the layer's code around it.
    made.attributes.add("noinline")
    return made, code, Arguments(*made.args[: len(_TYPES)]), list(made.args[len(_TYPES) :])


def finish_register(code: Code, finish: Finish, acc: Any, place: Place, c: Any, context: Sequence[Any]) -> None:
    """Hand a finished register over to the epilogue, or store it in C, at the address `c`."""
    if finish.epilogue is None:
        code.store(acc, c)
    else:
        finish.epilogue(code, acc, place.turned() if finish.turned else place, context)


def _not_unrolled(module: ir.Module) -> Any:
    """Return the mark of a loop that LLVM leaves as it is: its own unrolling triples the time to compile."""
    return module.own_metadata(module.metadata('!"llvm.loop.unroll.disable"'))


@contextmanager
def repeated(code: Code, stop: Any, step: int, values: list[Any], start: Any = None) -> Iterator[tuple[Any, list[Any]]]:
    """Count from start (0) to stop, at least once, carrying values.

    Yields the counter and the values, a list whose entries the body replaces; after the loop `values` holds the last.
    """
    before = code.b.block
    body, after = (code.b.append_basic_block(part) for part in ("loop", "after"))
    code.b.branch(body)
    code.b.position_at_end(body)
    counter = code.b.phi(I64)
    counter.add_incoming(I64(0) if start is None else start, before)
    phis = [code.b.phi(value.type) for value in values]
    carried = list(phis)
    yield counter, carried
    following = code.b.add(counter, I64(step))
    counter.add_incoming(following, code.b.block)
    for phi, first, last in zip(phis, values, carried, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(last, code.b.block)
    again = code.b.cbranch(code.b.icmp_signed("<", following, stop), body, after)
    again.set_metadata("llvm.loop", _not_unrolled(code.b.module))
    code.b.position_at_end(after)
    values[:] = carried


def held_or(code: Code, condition: Any, places: list[Any], otherwise: list[Any], combine: Any = None) -> list[Any]:
    """Return what the places hold (combined with `otherwise`) where the condition is true, else `otherwise`."""
    before = code.b.block
    with code.b.if_then(condition):
        held = []
        for place, value in zip(places, otherwise, strict=True):
            element = value.type.element if width_of(value) > 1 else value.type
            loaded = code.load(place, element, width_of(value))
            held.append(combine(value, loaded) if combine else loaded)
        inside = code.b.block
    out = []
    for value, other in zip(held, otherwise, strict=True):
        phi = code.b.phi(value.type)
        phi.add_incoming(other, before)
        phi.add_incoming(value, inside)
        out.append(phi)
    return out


def splat(code: Code, value: Any, width: int) -> Any:
    """Return a scalar in every lane, in the fewest words of LLVM's text."""
    if width == 1:
        return value
    return code.splat(value, width)


def prefetch(code: Code, place: Any) -> None:
    """Ask for a cache line that will be read. The address need not exist."""
    module = code.b.module
    name = "llvm.prefetch.p0"
    fetch = module.globals.get(name)
    if fetch is None:
        fetch = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, I32, I32, I32]), name)
    code.b.call(fetch, [place, I32(0), I32(3), I32(1)])
