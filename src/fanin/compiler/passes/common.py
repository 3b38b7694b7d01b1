"""Common subexpressions: what is computed twice from the same inputs is computed once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from fanin.compiler.graph import CONSTANT, Graph, Value
from fanin.compiler.passes.rewriting import once

# The order of two inputs does not change a bit of the result.
_COMMUTATIVE = frozenset("add mul eq ne logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor".split())
# What an attribute is when it is not given.
_DEFAULTS: Mapping[str, Any] = {"keepdim": False, "decimals": 0}
# Larger constants are the same only when they are one object.
_MOST_BYTES = 1 << 16


def merge_common(graph: Graph) -> Graph:
    """Return the graph in which equal operations on the same inputs, and equal constants, are one value."""
    return once(graph, Merger())


class Merger:
    """Returns for each value the first one that was seen and is the same."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, Value] = {}

    def __call__(self, value: Value) -> Value:
        """Return the first value that is the same as this one."""
        key = _key(value)
        return value if key is None else self._seen.setdefault(key, value)


def _key(value: Value) -> Hashable | None:
    """Return what two values share only when they are the same; None where that cannot be said."""
    if value.op is None:
        return _constant_key(value) if value.role == CONSTANT else None
    inputs: Any = tuple([id(x) if isinstance(x, Value) else number_key(x) for x in value.inputs])
    if value.op.name in _COMMUTATIVE:
        inputs = frozenset(inputs)
    attrs: Any = ()
    if value.attrs:
        attrs = attrs_key(value.attrs)
        if attrs is None:
            return None
    return (value.op.name, inputs, attrs, value.dtype.char, value.weak)


def _constant_key(value: Value) -> Hashable | None:
    if value.array.nbytes > _MOST_BYTES:
        return None
    return (CONSTANT, value.shape, value.dtype.char, value.weak, value.array.tobytes())


def number_key(x: Any) -> Hashable:
    """Return a key of a number: 1, 1.0 and True differ, 0.0 and -0.0 differ, nan is nan."""
    return (x.__class__, repr(x))


def attrs_key(attrs: Mapping[str, Any]) -> Hashable | None:
    """Return a key of attributes, in which those that have their default are left out; None where there is none."""
    found = []
    for name in sorted(attrs):
        if name in _DEFAULTS and attrs[name] == _DEFAULTS[name]:
            continue
        key = _attr_key(attrs[name])
        if key is None:
            return None
        found.append((name, key))
    return tuple(found)


def _attr_key(x: Any) -> Hashable | None:
    if isinstance(x, np.dtype):
        return x.str
    if x is None or x is Ellipsis or isinstance(x, (bool, int, float, str, np.generic)):
        return number_key(x)
    if isinstance(x, slice):
        return ("slice", x.start, x.stop, x.step)
    if isinstance(x, (tuple, list)):
        keys = tuple([_attr_key(item) for item in x])
        return None if None in keys else keys
    if isinstance(x, np.ndarray) and x.nbytes <= _MOST_BYTES:
        return (x.shape, x.dtype.str, x.tobytes())
    return None
