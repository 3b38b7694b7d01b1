"""What a plan is made of: groups of operations, each of which becomes one kernel, and where results go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from fanin.compiler.graph import Graph, Value
from fanin.compiler.passes.rows import REDUCTIONS
from fanin.compiler.passes.tiling import Tiling
from fanin.compiler.passes.views import VIEWS, Ref, is_number
from fanin.ops.op import Op, Spec

ROWS, SUM, WHOLE = "rows", "sum", "whole"


def _internal(name: str, evaluate: Any = lambda *_, **__: None) -> Op:
    """Return an operation of the compiler's own, which is not in the table."""
    return Op(name, evaluate, lambda *_, **__: Spec((), np.dtype(np.float32)))


# The right factor of a product, laid out in panels; and a value copied into other memory.
PACK = _internal("pack")

COPY = _internal("copy", lambda x: x)

# The sum over the batch, of the sums that the lanes have made.
TOTAL = _internal("total")

GATHERS = frozenset({"embedding", "gather"})

SCATTERS = frozenset({"scatter_add_zeros", "add_rows"})

PLACES = frozenset({"cat", "put_zeros"})

SUMMED = frozenset({"sum", "amax", "amin", "prod", "any", "all", "matmul", "scatter_add_zeros", "add_rows"})


@dataclass(eq=False)
class Group:
    """Operations that become one kernel.

    kind:    "loops", "product", "place", "scatter", "pack", "host".
    level:   when it runs.
    extent:  the shape that it goes over.
    members: its operations, in order.
    on:      ROWS, SUM or WHOLE.
    """

    kind: str
    level: int
    extent: tuple[int, ...]
    on: str
    members: list[Value] = field(default_factory=list)
    number: int = 0
    # What others read of it, and so has to be stored.
    stored: dict[Value, None] = field(default_factory=dict)
    # Where sums over the last dimensions are read again inside the group: how many dimensions they keep.
    kept: int | None = None


@dataclass
class Plan:
    """What is computed when.

    graph:   lowered; its products have packed factors as a third input.
    refs:    where each value's elements lie.
    factors: of the values that have rows.
    tiling:  into which lanes and blocks the rows are cut.
    on:      for each operation whether it works on rows, sums over them, or on whole values.
    groups:  the kernels, in the order in which they run.
    homes:   values that are computed right into the memory of a state ("state", i) or an output ("output", k).
    copies:  values that are copied to such memory at the end.
    """

    graph: Graph
    refs: dict[Value, Ref]
    factors: dict[Value, int]
    tiling: Tiling
    on: dict[Value, str]
    groups: list[Group]
    homes: dict[Value, tuple[str, int]]
    copies: list[tuple[Value, tuple[str, int]]]


class Machine(Protocol):
    """What the plan has to know of the code that will carry it out."""

    def packed_size(self, product: Value, a: Ref, b: Ref, rows: int) -> int:
        """Return the elements that a product's packed right factor takes; 0 where it is used as it lies."""

    def needs_partial_sums(self, product: Value) -> bool:
        """Say whether a product puts sums over a part of the inner dimension into memory."""

    def has_code(self, value: Value) -> bool:
        """Say whether there is native code for an elementwise operation, or a product, of these types."""


def inputs_of(value: Value, refs: dict[Value, Ref]) -> list[Value]:
    """Return the values with memory that an operation reads."""
    found: list[Value] = []
    for x in value.inputs:
        if isinstance(x, Value):
            found.extend(_bases(x, refs))
    return found


def _bases(x: Value, refs: dict[Value, Ref]) -> list[Value]:
    return [] if is_number(x) else [refs[x].base]


def extent_of(value: Value, machine: Machine) -> tuple[str, tuple[int, ...]]:
    """Return the kind of group that an operation begins, and the shape that it goes over."""
    assert value.op is not None
    name = value.op.name
    if name == "pack":
        return "pack", value.shape
    if not value.size or not machine.has_code(value):
        return "host", value.shape
    if name == "matmul":
        return "product", value.shape
    if name in REDUCTIONS or name in VIEWS:  # a view that has to be copied goes over the elements of its input
        return "loops", value.inputs[0].shape
    if name in SCATTERS:
        return "scatter", value.inputs[0].shape
    return ("place" if name in PLACES else "loops"), value.shape


def passes_of(group: Group, refs: dict[Value, Ref]) -> dict[Value, int]:
    """Return the number of each operation's pass over a row: what reads a row's sum comes one pass after it."""
    passes: dict[Value, int] = {}
    for value in group.members:
        at = 0
        for x in value.inputs:
            base = refs[x].base if isinstance(x, Value) and not is_number(x) else None
            if base in passes and is_reduction(base):
                at = max(at, passes[base] + 1)
            elif base in passes and base is x:
                at = max(at, passes[base])
        passes[value] = at
    return passes


def is_reduction(value: Value) -> bool:
    """Say whether an operation combines the elements along some dimensions."""
    return value.op is not None and value.op.name in REDUCTIONS
