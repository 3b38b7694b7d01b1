"""Gamma draws, one by one in float64."""

from __future__ import annotations

import math

import numpy as np

from fanin.random.draws import _unit
from fanin.random.generator import Generator
from fanin.random.normals import scalar_normals
from fanin.random.unit import Array, check_floating

# PyTorch writes these two in float32, and computes with them in float64.
_THIRD = float(np.float32(1.0) / np.float32(3.0))
_SQUEEZE = float(np.float32(0.0331))


def gamma(generator: Generator, concentrations: Array) -> Array:
    """Return draws of density x^(a - 1) exp(-x) / Gamma(a), one by one in C order, in float64.

    Args:
        generator: the stream that is drawn from. How many words are used depends on the draws.
        concentrations: a, greater than 0; an array of floats.

    Raises:
        UnsupportedDtypeError: when the concentrations are not of floats.

    >>> import numpy as np
    >>> from fanin.random import Generator, gamma
    >>> gamma(Generator().manual_seed(0), np.array([2.0, 5.0])).round(4)
    array([4.5526, 4.0611])

    Reference: G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables", 2000.
    """
    check_floating(concentrations.dtype, '"gamma_cpu"')
    drawn = [_gamma(generator, a) for a in concentrations.ravel().tolist()]
    return np.array(drawn, np.float64).reshape(concentrations.shape)


def _gamma(generator: Generator, a: float) -> float:
    if a == 0.0:
        return 0.0
    scale = 1.0
    if a < 1.0:  # section 6 of the paper: a draw for a + 1, times u^(1/a)
        scale, a = (1.0 - _unit(generator)) ** (1.0 / a), a + 1.0
    d = a - _THIRD
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x, v = 0.0, 0.0
        while v <= 0.0:
            x = float(scalar_normals(generator, 1)[0])
            v = 1.0 + c * x
        v = v * v * v
        u = 1.0 - _unit(generator)
        if u < 1.0 - _SQUEEZE * x**4 or math.log(u) < 0.5 * x * x + d * (1.0 - v + math.log(v)):
            return scale * d * v
