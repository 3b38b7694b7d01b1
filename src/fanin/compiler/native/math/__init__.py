"""Elementary functions as vector code: every one works on floats and doubles, scalars and vectors of any width.

`FUNCTIONS` and `BINARY` are keyed by the names of the table of operations; an entry is called with the Code and values
of one type, and returns the value of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanin.compiler.native.math import (
    error_function,
    exponential,
    hyperbolic,
    inverse,
    logarithm,
    power,
    rounding,
    trigonometric,
)
from fanin.compiler.native.vector import Code

FUNCTIONS: dict[str, Callable[[Code, Any], Any]] = {
    "abs": rounding.absolute,
    "neg": rounding.negative,
    "sign": rounding.sign,
    "floor": rounding.floor,
    "ceil": rounding.ceil,
    "trunc": rounding.trunc,
    "round": rounding.round_even,
    "square": rounding.square,
    "sqrt": rounding.sqrt,
    "rsqrt": rounding.rsqrt,
    "reciprocal": rounding.reciprocal,
    "exp": exponential.exp,
    "exp2": exponential.exp2,
    "expm1": exponential.expm1,
    "sigmoid": exponential.sigmoid,
    "log": logarithm.log,
    "log2": logarithm.log2,
    "log10": logarithm.log10,
    "log1p": logarithm.log1p,
    "sin": trigonometric.sin,
    "cos": trigonometric.cos,
    "tan": trigonometric.tan,
    "asin": inverse.asin,
    "acos": inverse.acos,
    "atan": inverse.atan,
    "tanh": hyperbolic.tanh,
    "sinh": hyperbolic.sinh,
    "cosh": hyperbolic.cosh,
    "asinh": inverse.asinh,
    "acosh": inverse.acosh,
    "atanh": inverse.atanh,
    "erf": error_function.erf,
    "erfc": error_function.erfc,
    "erfcx": error_function.erfcx,
}
BINARY: dict[str, Callable[[Code, Any, Any], Any]] = {
    "pow": power.power,
    "fmod": power.fmod,
    "remainder": power.remainder,
    "floor_divide": power.floor_divide,
    "trunc_divide": power.trunc_divide,
    "atan2": inverse.atan2,
    "copysign": rounding.copysign,
    "maximum": rounding.maximum,
    "minimum": rounding.minimum,
    "fmax": rounding.fmax,
    "fmin": rounding.fmin,
}

__all__ = ["BINARY", "FUNCTIONS"]
