"""The activations of a network, each with its derivative, in few passes over the array.

Where a function has a corner, the derivative there is PyTorch's choice, which the comments name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin.ops.arithmetic import float_broadcast, sum_to, zeros_like
from fanin.ops.elementwise import exp, float_spec
from fanin.ops.op import define
from fanin.ops.rules import same, shape_of, to_float

identity = define(
    "identity",
    lambda x: x[...],
    same,
    vjps=(lambda g, out, x: g,),
    view=True,
    grad_name="BackwardHookFunctionBackward",
)


# S-shaped -------------------------------------------------------------------------------------------------------------


def _sigmoid(x: Any) -> Any:
    # e^-x may be infinite, and then the result is 0 as it should be. Through tanh(x / 2) it took twice as long in
    # float64, and lost all digits of small results.
    out = np.exp(np.negative(x))
    out += 1
    return np.reciprocal(out, out=out) if out.ndim else 1 / out


sigmoid = define(
    "sigmoid",
    _sigmoid,
    float_spec,
    vjps=(lambda g, out, x: g * (out * (1 - out)),),
    reads_out=True,
    promote=to_float,
)
tanh = define(
    "tanh",
    np.tanh,
    float_spec,
    vjps=(lambda g, out, x: g * (1 - out * out),),
    reads_out=True,
    promote=to_float,
)

# Straight pieces ------------------------------------------------------------------------------------------------------

_INTEGERS = {2: np.int16, 4: np.int32, 8: np.int64}


def _gate(g: Any, x: Any, *, threshold: float) -> Any:
    # A mask of all ones or all zeros is laid over the bits. np.where takes three to nine times as long, for it cannot
    # foresee the branches; g * (x > threshold) takes as long, but makes NaN of an infinite g.
    bits = _INTEGERS[g.dtype.itemsize]
    mask = np.less_equal(x, threshold).astype(bits)
    mask -= bits(1)
    mask &= g.view(bits)
    return mask.view(g.dtype)


gate = define(
    "gate",
    _gate,
    lambda g, x, *, threshold: g,
    vjps=(
        lambda gg, out, g, x, *, threshold: gate(gg, x, threshold=threshold),
        lambda gg, out, g, x, *, threshold: zeros_like(gg),
    ),
    reads=(1,),
    grad_name="ThresholdBackwardBackward0",
)
relu = define(
    "relu",
    lambda x: np.maximum(x, 0),
    same,
    vjps=(lambda g, out, x: gate(g, out, threshold=0),),
    reads_out=True,
)

# Sums of exponentials -------------------------------------------------------------------------------------------------


def _share(g: Any, out: Any, term: Any) -> Any:
    # exp(a - out) is a's part of the sum exp(a) + exp(b).
    return sum_to(g * exp(term - out), shape_of(term))


logaddexp = define(
    "logaddexp",
    np.logaddexp,
    float_broadcast,
    vjps=(lambda g, out, a, b: _share(g, out, a), lambda g, out, a, b: _share(g, out, b)),
    reads=None,
    reads_out=True,
    promote=to_float,
)
