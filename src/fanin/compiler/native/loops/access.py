"""How a nest reads and writes its operands: an offset, and a step for each dimension."""

from __future__ import annotations

from dataclasses import dataclass

from fanin.compiler.graph import Value
from fanin.compiler.passes.views import Ref

Strides = tuple[int, ...]


@dataclass
class Access:
    """One operand, as steps along the dimensions of the nest.

    index: where the positions of gathered rows are read.
    """

    base: Value
    offset: int
    strides: Strides
    index: Access | None = None
    index_step: int = 0
    index_limit: int = 0


def aligned(ref: Ref, extent: tuple[int, ...]) -> Access:
    """Return how an operand is read when it is broadcast to an extent."""
    lead = len(extent) - len(ref.shape)
    return Access(ref.base, ref.offset, (0,) * lead + ref.strides)


def gathered(value: Value, refs: dict[Value, Ref]) -> Access:
    """Return how the rows, or elements, that an index names are read."""
    assert value.op is not None
    source, index = value.inputs[:2]
    ref, where = refs[source], refs[index]
    if value.op.name == "embedding":
        trailing = value.ndim - index.ndim
        position = Access(where.base, where.offset, where.strides + (0,) * trailing)
        strides = (0,) * index.ndim + ref.strides[1:]
        return Access(ref.base, ref.offset, strides, position, ref.strides[0], ref.shape[0])
    dim = value.attrs["dim"]
    strides = tuple(0 if d == dim else s for d, s in enumerate(ref.strides))
    position = Access(where.base, where.offset, where.strides)
    return Access(ref.base, ref.offset, strides, position, ref.strides[dim], ref.shape[dim])
