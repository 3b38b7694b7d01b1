"""Special functions that NumPy lacks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def _by_element(function: Any) -> Any:
    vectorised = np.frompyfunc(function, 1, 1)

    def evaluate(x: Any) -> Any:
        return np.asarray(vectorised(x), dtype=x.dtype)

    return evaluate


erf = _by_element(math.erf)
erfc = _by_element(math.erfc)
lgamma = _by_element(math.lgamma)


def erfinv(x: Any) -> Any:
    raise NotImplementedError


def digamma(x: Any) -> Any:
    raise NotImplementedError
