"""Functions of probabilities, and of the normal distribution, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin.ops import special
from fanin.ops.arithmetic import greater, less, logical_or, where
from fanin.ops.elementwise import exp, float_op, log
from fanin.ops.op import Op

_ROOT_HALF = math.sqrt(0.5)
_ROOT_TWO_PI = math.sqrt(2 * math.pi)
_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


def _logit_vjp(g: Any, out: Any, x: Any) -> Any:
    return where(logical_or(less(x, 0), greater(x, 1)), math.nan, g / (x * (1 - x)))


def _entr(x: Any) -> Any:
    inside = np.where(x == 0, x.dtype.type(0), -x * np.log(x))
    return np.where(x < 0, x.dtype.type(-np.inf), inside)


logit: Op = float_op("logit", lambda x: np.log(x / (1 - x)), _logit_vjp, reads=(0,))
entr: Op = float_op("entr", _entr, lambda g, out, x: -g * (log(x) + 1), reads=(0,), grad_name="SpecialEntrBackward0")
erfcx: Op = float_op(
    "erfcx",
    special.erfcx,
    lambda g, out, x: g * (x * out * 2 - _TWO_OVER_ROOT_PI),
    reads=(0,),
    reads_out=True,
    grad_name="SpecialErfcxBackward0",
)
log_ndtr: Op = float_op(
    "log_ndtr",
    special.log_ndtr,
    lambda g, out, x: g * (_ROOT_HALF * _TWO_OVER_ROOT_PI) / erfcx(x * -_ROOT_HALF),
    reads=(0,),
    grad_name="SpecialLogNdtrBackward0",
)
ndtri: Op = float_op(
    "ndtri",
    special.ndtri,
    lambda g, out, x: g * (exp(out * out * 0.5) * _ROOT_TWO_PI),
    reads_out=True,
    grad_name="SpecialNdtriBackward0",
)
