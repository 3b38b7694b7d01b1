"""Elementary functions as vector code: every one works on floats and doubles, scalars and vectors of any width.

`FUNCTIONS` and `BINARY` are keyed by the names of the table of operations; an entry is called with the Code and values
of one type, and returns the value of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanin.compiler.native.math import exponential, hyperbolic, logarithm
from fanin.compiler.native.vector import Code

FUNCTIONS: dict[str, Callable[[Code, Any], Any]] = {
    "exp": exponential.exp,
    "exp2": exponential.exp2,
    "expm1": exponential.expm1,
    "log": logarithm.log,
    "tanh": hyperbolic.tanh,
    "sigmoid": exponential.sigmoid,
}
BINARY: dict[str, Callable[[Code, Any, Any], Any]] = {}

__all__ = ["BINARY", "FUNCTIONS"]
