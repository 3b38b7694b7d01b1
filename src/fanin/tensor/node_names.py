"""PyTorch's names of backward nodes, where they depend on more than the operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_NUMBERS = (int, float, bool)


def name_of(node: Any) -> str:
    """Return the name that PyTorch prints in `grad_fn=<...>`."""
    rule = RULES.get(node.op.name)
    if rule is None or node.arrays is None:
        name: str = node.op.grad_name
        return name
    return rule(node)


_classes: dict[tuple[type, str], type] = {}


def typed(node: Any) -> Any:
    """Return a node, whose class from now on has the node's name, as each kind of node is a class in PyTorch.

    Programs that show the tape ask for `type(x.grad_fn).__name__`. Nobody else does, so nodes are not born that way.
    """
    plain = type(node)
    if plain.is_named:
        return node
    key = plain, node.name()
    cls = _classes.get(key)
    if cls is None:
        members = {"__slots__": (), "__module__": plain.home, "is_named": True}
        cls = _classes[key] = type(key[1], (plain,), members)
    node.__class__ = cls
    return node


def _matmul(node: Any) -> str:
    ndims = tuple(x.ndim for x in node.arrays)
    known = {(1, 1): "DotBackward0", (2, 1): "MvBackward0", (2, 2): "MmBackward0", (1, 2): "SqueezeBackward4"}
    return known.get(ndims, "UnsafeViewBackward0")


def _getitem(node: Any) -> str:
    """Name the last step in which PyTorch would take the index apart."""
    index = node.attrs["index"]
    if any(isinstance(i, np.ndarray) for i in index):
        return "IndexBackward0"
    steps = [i for i in index if i is not Ellipsis and i != slice(None)]
    if not steps:
        return "AliasBackward0" if Ellipsis in index else "SliceBackward0"
    if steps[-1] is None:
        return "UnsqueezeBackward0"
    return "SliceBackward0" if isinstance(steps[-1], slice) else "SelectBackward0"


def _power(node: Any) -> str:
    base, exponent = node.arrays
    if isinstance(exponent, _NUMBERS):
        return "PowBackward0"
    return "PowBackward2" if isinstance(base, _NUMBERS) else "PowBackward1"


def _subtract(node: Any) -> str:
    return "RsubBackward1" if isinstance(node.arrays[0], _NUMBERS) else "SubBackward0"


def _divide(node: Any) -> str:
    return "MulBackward0" if isinstance(node.arrays[0], _NUMBERS) else "DivBackward0"


def _clamp(node: Any) -> str:
    return "ClampBackward0" if any(isinstance(x, np.ndarray) for x in node.arrays[1:]) else "ClampBackward1"


def _reshape(node: Any) -> str:
    return "ViewBackward0" if np.may_share_memory(node.out, node.arrays[0]) else "UnsafeViewBackward0"


def _by_second(number: str, tensor: str) -> Callable[[Any], str]:
    return lambda node: number if isinstance(node.arrays[-1], _NUMBERS) else tensor


RULES: dict[str, Callable[[Any], str]] = {
    "matmul": _matmul,
    "getitem": _getitem,
    "pow": _power,
    "sub": _subtract,
    "div": _divide,
    "clamp": _clamp,
    "reshape": _reshape,
    "remainder": _by_second("RemainderBackward0", "RemainderBackward1"),
    "fmod": _by_second("FmodBackward0", "FmodBackward1"),
    "lerp": _by_second("LerpBackward0", "LerpBackward1"),
}
