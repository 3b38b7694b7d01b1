"""Draws from the named distributions and from tables of weights.

Each takes the generator first, and returns a new array in C order.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fanin._core.errors import OperationError
from fanin.random import libm
from fanin.random.fma import fma64
from fanin.random.generator import Generator
from fanin.random.unit import Array, Shape, check_floating, in_passes, integers53, unit24, unit53


def bernoulli(generator: Generator, p: float, shape: Shape, dtype: npt.DTypeLike = np.float32) -> Array:
    """Return ones with probability p, else zeros; two words an element, whatever the dtype.

    Args:
        generator: the stream that is drawn from.
        p: the probability of a one, in [0, 1].
        shape: of the result.
        dtype: of the result; bool gives a mask.

    Raises:
        OperationError: when p is outside [0, 1].

    >>> from fanin.random import Generator, bernoulli
    >>> bernoulli(Generator().manual_seed(0), 0.5, (4,))
    array([0., 0., 1., 0.], dtype=float32)
    """
    if not 0.0 <= p <= 1.0:
        raise OperationError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
    # m * 2**-53 < p as whole numbers: m < ceil(p * 2**53). The product is exact, and no element is converted.
    threshold = np.uint64(math.ceil(math.ldexp(p, 53)))
    return in_passes(shape, dtype, lambda count: integers53(generator, count) < threshold)


def bernoulli_array(generator: Generator, p: Array, dtype: npt.DTypeLike | None = None) -> Array:
    """Return ones where a uniform number is below the entry of p, else zeros.

    Args:
        generator: the stream that is drawn from, one word an element, or two when p is float64.
        p: the probabilities, each in [0, 1].
        dtype: of the result, that of p when left out.

    Raises:
        OperationError: when an entry is outside [0, 1].
        UnsupportedDtypeError: when p is not of floats.

    >>> import numpy as np
    >>> from fanin.random import Generator, bernoulli_array
    >>> bernoulli_array(Generator().manual_seed(0), np.array([0.0, 1.0, 0.5], np.float32))
    array([0., 1., 1.], dtype=float32)
    """
    check_floating(p.dtype, '"bernoulli_tensor_cpu_p_"')
    if not bool(np.all((p >= 0.0) & (p <= 1.0))):
        raise OperationError(
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.",
            remedy="Every probability must lie in [0, 1].",
        )
    units = unit53 if p.dtype.char == "d" else unit24
    below = units(generator, p.size) < p.reshape(-1)
    return below.astype(p.dtype if dtype is None else dtype, copy=False).reshape(p.shape)


def exponential(generator: Generator, rate: float, shape: Shape, dtype: npt.DTypeLike = np.float32) -> Array:
    """Return numbers of density `rate * exp(-rate * x)`, x >= 0: `-log(1 - u) / rate`.

    Args:
        generator: the stream that is drawn from, two words an element.
        rate: lambda, greater than 0.
        shape: of the result.
        dtype: a float.

    Raises:
        OperationError: when the rate is not positive.
        UnsupportedDtypeError: when dtype is not a float.
    """
    dtype = check_floating(dtype, '"exponential_cpu"')
    if not rate > 0.0:
        raise OperationError(f"exponential_ expects lambda > 0.0, but found lambda={rate}")
    return in_passes(shape, dtype, lambda count: -1.0 / rate * libm.log1p(-unit53(generator, count)))


def geometric(generator: Generator, p: float, shape: Shape, dtype: npt.DTypeLike = np.float32) -> Array:
    """Return the number of trials up to the first success, 1, 2, ...: `ceil(log(u) / log(1 - p))`.

    Args:
        generator: the stream that is drawn from, two words an element.
        p: the probability of success, in (0, 1).
        shape: of the result.
        dtype: any but bool.

    Raises:
        OperationError: when p is outside (0, 1).
    """
    if not 0.0 < p < 1.0:
        raise OperationError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    log_failure = math.log1p(-p)
    with np.errstate(divide="ignore"):
        return in_passes(shape, dtype, lambda count: np.ceil(libm.log(unit53(generator, count)) / log_failure))


def cauchy(generator: Generator, median: float, sigma: float, shape: Shape, dtype: npt.DTypeLike = np.float32) -> Array:
    """Return numbers of density `sigma / (pi * (sigma**2 + (x - median)**2))`: `median + sigma tan(pi (u - 1/2))`.

    Args:
        generator: the stream that is drawn from, two words an element.
        median: the centre.
        sigma: the half width at half the height, greater than 0.
        shape: of the result.
        dtype: a float.

    Raises:
        OperationError: when sigma is not positive.
        UnsupportedDtypeError: when dtype is not a float.
    """
    dtype = check_floating(dtype, '"cauchy_cpu"')
    if not sigma > 0.0:
        raise OperationError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")

    def draw(count: int) -> Array:
        return fma64(libm.tan(math.pi * (unit53(generator, count) - 0.5)), sigma, median)

    return in_passes(shape, dtype, draw)


def poisson(generator: Generator, rates: Array) -> Array:
    """Return counts with the expected values `rates`, one by one in C order; an array of rates' shape and dtype.

    Args:
        generator: the stream that is drawn from. How many words are used depends on the draws.
        rates: the expected values, at least 0.

    Raises:
        OperationError: when a rate is negative.
        UnsupportedDtypeError: when rates is not of floats.

    >>> import numpy as np
    >>> from fanin.random import Generator, poisson
    >>> poisson(Generator().manual_seed(0), np.array([0.5, 5.0, 50.0]))
    array([ 2.,  6., 49.])

    Reference: W. Hoermann, "The transformed rejection method for generating Poisson random variables", 1993, for
    rates of 10 and more.
    """
    check_floating(rates.dtype, '"poisson_cpu"')
    if not bool(np.all(rates >= 0)):
        raise OperationError("invalid Poisson rate, expected rate to be non-negative")
    counts = [_poisson(generator, rate) for rate in rates.ravel().tolist()]
    return np.array(counts, rates.dtype).reshape(rates.shape)


def _unit(generator: Generator) -> float:
    return (generator.double_word() & (2**53 - 1)) * 2.0**-53


def _poisson(generator: Generator, rate: float) -> int:
    if rate >= 10.0:
        return _poisson_by_rejection(generator, rate)
    if rate == 0.0:
        return 0
    floor, product, count = math.exp(-rate), _unit(generator), 0
    while product > floor:
        product *= _unit(generator)
        count += 1
    return count


def _poisson_by_rejection(generator: Generator, rate: float) -> int:
    log_rate = math.log(rate)
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = _unit(generator) - 0.5
        v = _unit(generator)
        u_s = 0.5 - abs(u)
        if u_s <= 0.0:
            continue
        k = math.floor((2.0 * a / u_s + b) * u + rate + 0.43)
        if u_s >= 0.07 and v <= v_r:
            return k
        if k < 0 or v == 0.0 or (u_s < 0.013 and v > u_s):
            continue
        log_accept = math.log(v) + math.log(inverse_alpha) - math.log(a / (u_s * u_s) + b)
        if log_accept <= -rate + k * log_rate - math.lgamma(k + 1.0):
            return k
