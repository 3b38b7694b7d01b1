"""Tensors that share memory: which elements of another tensor a tensor shows, and how a change comes back to it.

Values are immutable, so a change in place gives a tensor another value. A tensor that shows a part of another one (a
view, `.data`, `.detach()`) is computed again from that one when it has another value by then; and a change of the part
is written into a new value of the whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fanin.compiler import graph
from fanin.compiler.capture.fields import LIFTED
from fanin.compiler.graph import Value
from fanin.ops import arithmetic, index
from fanin.ops.op import Op
from fanin.tensor.in_place import write_view

KEY = "_alias"  # key of a tensor's dictionary


@dataclass
class Alias:
    """What a tensor shows of another: op(parent), all of it where op is None; made from the parent's value `seen`."""

    capture: int
    parent: Any
    op: Op | None
    attrs: dict[str, Any]
    seen: Any

    def shown(self, whole: Any) -> Any:
        """Return the part of a value that this shows."""
        if self.op is None:
            return whole
        return graph.apply(self.op, (whole,), self.attrs) if isinstance(whole, Value) else self.numbered(whole)

    def numbered(self, whole: Any) -> Any:
        """Return the part of an array."""
        return whole if self.op is None else self.op.evaluate(whole, **self.attrs)

    def put(self, whole: Any, part: Any) -> Any:
        """Return a value like whole, with part where this shows it."""
        if self.op is None:
            return part
        name = self.op.name
        if name == "reshape":
            return _applied("reshape", part, shape=whole.shape)
        if name == "permute":
            return _applied("permute", part, dims=tuple(np.argsort(self.attrs["dims"]).tolist()))
        if name == "transpose":
            return _applied("transpose", part, **self.attrs)
        if name == "getitem" and index.is_basic(self.attrs["index"]):
            return self._put_at(whole, part)
        positions = self.numbered(np.arange(math.prod(whole.shape)).reshape(whole.shape))
        return graph.apply(write_view, (whole, part), {"positions": positions})

    def _put_at(self, whole: Any, part: Any) -> Any:
        where = np.zeros(whole.shape, np.bool_)
        where[self.attrs["index"]] = True
        if where.all():
            return _applied("reshape", part, shape=whole.shape)
        attrs = {"shape": whole.shape, "index": self.attrs["index"]}
        spread = graph.apply(index.put_zeros, (part,), attrs)
        return graph.apply(arithmetic.where, (where, spread, whole), {})


def _applied(name: str, part: Any, **attrs: Any) -> Any:
    from fanin.ops import op

    return graph.apply(op.get(name), (part,), attrs)


def numbers(view: Any, base: Any = None) -> Any:
    """Return the place of each element of a view in the tensor that it shows in the end (or in `base`)."""
    chain = []
    while view is not base:
        alias = view.__dict__.get(KEY)
        if alias is None:
            break
        chain.append(alias)
        view = alias.parent
    shape = view._array.shape
    found = np.arange(math.prod(shape)).reshape(shape)
    for alias in reversed(chain):
        found = alias.numbered(found)
    return found


def layout(tensor: Any) -> tuple[Any, Any]:
    """Return an array that lies in memory as a tensor does in eager code, and one for all that it shows a part of."""
    chain = []
    while (alias := tensor.__dict__.get(KEY)) is not None:
        chain.append(alias)
        tensor = alias.parent
    record = tensor.__dict__.get(LIFTED)
    whole = tensor._array if record is None else record.array
    if isinstance(whole, Value):
        whole = np.empty(whole.shape, whole.dtype)  # memory that nobody touches
    part = whole
    for alias in reversed(chain):
        part = alias.numbered(part)
    return part, whole
