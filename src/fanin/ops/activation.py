"""Activations: what stands between the layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin.ops.arithmetic import float_broadcast, greater, sum_to, where, zeros_like
from fanin.ops.elementwise import exp, float_spec
from fanin.ops.op import define
from fanin.ops.rules import same, shape_of, to_float


def _sigmoid(x: Any) -> Any:
    one = x.dtype.type(1)
    return one / (one + np.exp(-x))


sigmoid = define(
    "sigmoid", _sigmoid, float_spec, vjps=(lambda g, out, x: g * (out * (1 - out)),), reads_out=True, promote=to_float
)
tanh = define(
    "tanh", np.tanh, float_spec, vjps=(lambda g, out, x: g * (1 - out * out),), reads_out=True, promote=to_float
)
relu = define(
    "relu",
    lambda x: np.maximum(x, x.dtype.type(0)),
    same,
    vjps=(lambda g, out, x: where(greater(out, 0), g, zeros_like(g)),),
    reads_out=True,
)


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
