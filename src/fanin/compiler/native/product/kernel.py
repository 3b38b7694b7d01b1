"""What the micro-kernels have in common: arguments, epilogues, loops whose values stay in registers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fanin.compiler.native.vector import I1, I64, POINTER, Code

Epilogue = Callable[[Code, Any, Any, Any, Sequence[Any]], None]

KERNEL_ARGUMENTS = [POINTER, I64, I64, POINTER, I64, POINTER, I64, I64, I64, I1, I64, I64]


@dataclass(frozen=True)
class Arguments:
    """What a micro-kernel is called with; strides in elements.

    stride_a: the row stride of A. step_a: its stride over K.
    stride_b: B's stride over K (its column stride in the dot form).
    inner: K. count: how many tiles, one after the other. accumulate: add to what C holds.
    row, column: where the first tile begins.
    """

    a: Any
    stride_a: Any
    step_a: Any
    b: Any
    stride_b: Any
    c: Any
    c_row: Any
    inner: Any
    count: Any
    accumulate: Any
    row: Any
    column: Any

    @property
    def values(self) -> list[Any]:
        """The values in the order of the function's arguments."""
        return list(self.__dict__.values())


@dataclass(frozen=True)
class Finish:
    """What happens to the finished registers: an epilogue, or (None) a store to C. `types` are those of its context."""

    epilogue: Epilogue | None
    types: tuple[Any, ...]

    def key(self) -> tuple[Any, ...]:
        """Return what tells two apart."""
        return (self.epilogue, *map(str, self.types))


def finish_register(
    code: Code, finish: Finish, acc: Any, at: tuple[Any, Any], place: Any, context: Sequence[Any]
) -> None:
    """Hand a finished register over: `at` is its row and column, `place` its address in C."""
    if finish.epilogue is None:
        code.store(acc, place)
    else:
        finish.epilogue(code, acc, *at, context)


@contextmanager
def carried_loop(code: Code, stop: Any, step: int, values: list[Any], start: Any = None) -> Iterator[tuple[Any, ...]]:
    """Count to `stop`, carrying values: yields (counter, values), a list whose entries the body replaces.

    After the loop the list holds the last values.
    """
    before = code.b.block
    head, body, after = (code.b.append_basic_block(f"k.{part}") for part in ("head", "body", "end"))
    code.b.branch(head)
    code.b.position_at_end(head)
    counter = code.b.phi(I64)
    counter.add_incoming(I64(0) if start is None else start, before)
    phis = []
    for value in values:
        phi = code.b.phi(value.type)
        phi.add_incoming(value, before)
        phis.append(phi)
    code.b.cbranch(code.b.icmp_signed("<", counter, stop), body, after)
    code.b.position_at_end(body)
    carried = list(phis)
    yield counter, carried
    counter.add_incoming(code.b.add(counter, I64(step)), code.b.block)
    for phi, value in zip(phis, carried, strict=True):
        phi.add_incoming(value, code.b.block)
    code.b.branch(head)
    code.b.position_at_end(after)
    values[:] = phis


def started(code: Code, condition: Any, places: list[Any], element: Any, widths: list[int]) -> list[Any]:
    """Return what the places hold where the condition is true, else zeros."""
    zeros = [code.const(0, element, width) for width in widths]
    before = code.b.block
    with code.b.if_then(condition):
        held = [code.load(place, element, width) for place, width in zip(places, widths, strict=True)]
        inside = code.b.block
    out = []
    for zero, value in zip(zeros, held, strict=True):
        phi = code.b.phi(zero.type)
        phi.add_incoming(zero, before)
        phi.add_incoming(value, inside)
        out.append(phi)
    return out
