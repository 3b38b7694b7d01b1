"""Which values need memory of their own, and which only show another's: reshaped, permuted, expanded, sliced, flipped.

A view is found by letting NumPy make it of a phantom array: one byte of memory, the shape and strides of the base.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from fanin.compiler.graph import Graph, Value
from fanin.ops.index import is_basic


def is_number(value: Any) -> bool:
    """Say whether a value is a number of the step, perhaps cast: it is computed where it is used, and has no memory."""
    if not isinstance(value, Value):
        return False
    return value.weak or (value.op is not None and value.op.name == "cast" and is_number(value.inputs[0]))


VIEWS = frozenset({"reshape", "permute", "expand", "getitem", "flip"})


@dataclass(frozen=True, eq=False)
class Ref:
    """Where the elements of a value lie: in the memory of `base`, from `offset` on, `strides` apart (in elements)."""

    base: Value
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie in row-major order without gaps."""
        return self.strides == dense(self.shape)


def dense(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of row-major order; 0 along dimensions of one element, which are never stepped along."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step if n != 1 else 0)
        step *= n
    return tuple(reversed(strides))


def own(value: Value) -> Ref:
    """Return the Ref of a value that has memory."""
    return Ref(value, 0, value.shape, dense(value.shape))


def views(graph: Graph) -> dict[Value, Ref]:
    """Return for every value of the graph where its elements lie."""
    refs: dict[Value, Ref] = {}
    for value in graph.values():
        seen = None
        if value.op is not None and value.op.name in VIEWS and not value.weak:
            seen = _view(value, refs[value.inputs[0]]) if isinstance(value.inputs[0], Value) else None
        refs[value] = seen or own(value)
    return refs


_BYTE = np.zeros(1, np.int8)


def whole_index(index: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a basic index of which NumPy makes a view even where it names one element."""
    return index if Ellipsis in index else (*index, Ellipsis)


def _view(value: Value, source: Ref) -> Ref | None:
    """Return what a view shows of its input's memory; None where it has to be copied."""
    if value.size == 0 or source.base.size == 0:
        return None
    phantom: Any = as_strided(_BYTE, source.shape, source.strides)
    attrs: Any = value.attrs
    name = value.op.name if value.op is not None else ""
    try:
        if name == "reshape":
            shown = np.reshape(phantom, value.shape, copy=False)
        elif name == "permute":
            shown = phantom.transpose(attrs["dims"])
        elif name == "expand":
            shown = np.broadcast_to(phantom, value.shape)
        elif name == "flip":
            shown = np.flip(phantom, attrs["dims"])
        elif is_basic(attrs["index"]):
            shown = phantom[whole_index(attrs["index"])]
        else:
            return None
    except ValueError:
        return None
    shift = shown.__array_interface__["data"][0] - phantom.__array_interface__["data"][0]
    strides = tuple(s if n != 1 else 0 for s, n in zip(shown.strides, shown.shape, strict=True))
    return Ref(source.base, source.offset + shift, shown.shape, strides)
