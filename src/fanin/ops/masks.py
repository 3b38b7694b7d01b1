"""Letting gradients through where a value lies in a range, and choosing between two arrays.

A mask of all ones or all zeros is laid over the bits of the numbers. NumPy's `where` takes three to nine times as long,
for it branches at every element; a product with a mask of bools takes as long as the bits, but makes NaN of an infinite
gradient that should not pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin.ops.arithmetic import zeros_like
from fanin.ops.op import Op, Spec, define

_INTEGERS = {2: np.int16, 4: np.int32, 8: np.int64}
# Below this many elements the calls cost more than the branches.
_FEW = 1024


def keep(g: Any, dropped: Any) -> Any:
    """Return the array g with zeros where the mask `dropped` is set."""
    bits = _INTEGERS[g.dtype.itemsize]
    mask = dropped.astype(bits)
    mask -= bits(1)
    mask &= g.view(bits)
    return mask.view(g.dtype)


def choose(condition: Any, a: Any, b: Any) -> Any:
    """Return a where the condition holds, else b, for arrays of one shape and one floating dtype."""
    if a.size < _FEW:
        return np.where(condition, a, b)
    bits = _INTEGERS[a.dtype.itemsize]
    mask = np.negative(condition.astype(bits))
    b_bits = b.view(bits)
    mask &= a.view(bits) ^ b_bits
    mask ^= b_bits
    return mask.view(a.dtype)


def _gradient_spec(g: Spec, x: Spec, **_: Any) -> Spec:
    return g


def _gate(name: str, dropped: Any) -> Op:
    """Define the operation that passes g where x is not dropped. It is linear in g; in x it is flat."""
    op: Op = define(
        name,
        lambda g, x, **range_: keep(g, dropped(x, **range_)),
        _gradient_spec,
        vjps=(
            lambda gg, out, g, x, **range_: op(gg, x, **range_),
            lambda gg, out, g, x, **range_: zeros_like(gg),
        ),
        reads=(1,),
    )
    return op


# Written as what is dropped, so that NaN is not: as in PyTorch, a gradient passes there.
above = _gate("above", lambda x, *, threshold: np.less_equal(x, threshold))
between = _gate("between", lambda x, *, low, high: np.less_equal(x, low) | np.greater_equal(x, high))
outside = _gate("outside", lambda x, *, low, high: np.greater_equal(x, low) & np.less_equal(x, high))
