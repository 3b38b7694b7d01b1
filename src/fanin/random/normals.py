"""Normal draws and what is made of them: log-normal and truncated normal.

Both of PyTorch's algorithms are Box and Muller's ("A note on the generation of random normal deviates", 1958): from
u1, u2 uniform on [0, 1), r = sqrt(-2 log u1) and theta = 2 pi u2 give two normals, r cos theta and r sin theta. In
bulk (16 elements or more) they come in blocks of 16, eight cosines and then their eight sines; below that, one by one
in float64, the sine half kept for the next draw.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fanin._core.errors import OperationError
from fanin.random import libm
from fanin.random.cephes import log32, sincos32
from fanin.random.fma import fma32, fma64
from fanin.random.generator import Generator
from fanin.random.uniforms import uniform
from fanin.random.unit import Array, Shape, check_floating, in_passes, narrowed, unit24, unit53

_BLOCK = 16
_HALF = 8
_TWO_PI = 2.0 * math.pi


def normal(
    generator: Generator,
    mean: float,
    std: float,
    shape: Shape,
    dtype: npt.DTypeLike = np.float32,
    contiguous: bool = True,
) -> Array:
    """Return numbers from N(mean, std**2).

    Args:
        generator: the stream that is drawn from.
        mean: the centre.
        std: the standard deviation, at least 0.
        shape: of the result.
        dtype: float16, float32 or float64.
        contiguous: False when the numbers are for memory with gaps, which PyTorch always fills one by one.

    Raises:
        OperationError: when std is negative or not a number.
        UnsupportedDtypeError: when dtype is not a float.

    >>> from fanin.random import Generator, normal
    >>> normal(Generator().manual_seed(0), 0.0, 1.0, (3,))
    array([ 1.5409961, -0.2934289, -2.1787894], dtype=float32)
    """
    dtype = check_floating(dtype, '"normal_kernel_cpu"')
    if not std >= 0.0:
        raise OperationError(f"normal expects std >= 0.0, but found std {std:g}")
    count = math.prod(shape)
    if count < _BLOCK or not contiguous:
        return narrowed(fma64(scalar_normals(generator, count), std, mean), dtype).reshape(shape)
    return _bulk_normals(generator, mean, std, shape, dtype)


def normal_elementwise(generator: Generator, mean: Array | float, std: Array | float) -> Array:
    """Return numbers from N(mean, std**2) with a mean, a standard deviation, or both of their own for each element.

    Args:
        generator: the stream that is drawn from.
        mean: an array, or a number for all.
        std: an array, or a number for all; the two broadcast, and the first array's dtype is the result's.

    Raises:
        OperationError: when an entry of std is negative.
        UnsupportedDtypeError: when the array is not of floats.

    >>> import numpy as np
    >>> from fanin.random import Generator, normal_elementwise
    >>> normal_elementwise(Generator().manual_seed(0), np.array([0.0, 100.0], np.float32), 1.0)
    array([ 1.5409961, 99.70657  ], dtype=float32)
    """
    dtype = mean.dtype if isinstance(mean, np.ndarray) else np.asarray(std).dtype
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std))
    if not isinstance(std, np.ndarray):
        shifted = normal(generator, 0.0, std, shape, dtype)
        shifted += mean
        return shifted
    if not bool(np.all(std >= 0.0)):
        raise OperationError("normal expects all elements of std >= 0.0")
    values = normal(generator, 0.0, 1.0, shape, dtype)
    values *= std
    values += np.asarray(mean, dtype)
    return values


def log_normal(generator: Generator, mean: float, std: float, shape: Shape, dtype: npt.DTypeLike = np.float32) -> Array:
    """Return numbers whose logarithm is from N(mean, std**2), drawn one by one in float64.

    Args:
        generator: the stream that is drawn from.
        mean: the centre of the logarithm.
        std: the standard deviation of the logarithm, greater than 0.
        shape: of the result.
        dtype: a float.

    Raises:
        OperationError: when std is not positive.
        UnsupportedDtypeError: when dtype is not a float.
    """
    dtype = check_floating(dtype, '"log_normal_cpu"')
    if not std > 0.0:
        raise OperationError(f"log_normal_ expects std > 0.0, but found std={std}")
    logarithms = normal(generator, mean, std, shape, np.float64, contiguous=False)
    logarithms[...] = libm.exp(logarithms)
    return narrowed(logarithms, dtype)


def trunc_normal(
    generator: Generator,
    mean: float,
    std: float,
    low: float,
    high: float,
    shape: Shape,
    dtype: npt.DTypeLike = np.float32,
    contiguous: bool = True,
    redraw_contiguous: bool | None = None,
) -> Array:
    """Return numbers from N(mean, std**2) kept to [low, high], by rejection (PyTorch's rule since 2.12).

    Args:
        generator: the stream that is drawn from. How many words are used depends on the draws.
        mean: the centre of the normal.
        std: its standard deviation, greater than 0.
        low: the smallest number kept.
        high: the largest number kept.
        shape: of the result.
        dtype: a float.
        contiguous: False when the numbers are for memory that is not in C order, or has gaps.
        redraw_contiguous: False when that memory without its gaps is still not in C order, for PyTorch makes what it
            draws again in new memory; as `contiguous` when left out.

    >>> from fanin.random import Generator, trunc_normal
    >>> trunc_normal(Generator().manual_seed(0), 0.0, 1.0, -0.5, 2.0, (3,))
    array([ 1.5409961 , -0.2934289 ,  0.18203649], dtype=float32)
    """
    dtype = check_floating(dtype, '"normal_kernel_cpu"')
    mass = _normal_cdf((high - mean) / std) - _normal_cdf((low - mean) / std)
    if mass <= 0.3:
        return _trunc_by_uniforms(generator, mean, std, low, high, shape, dtype)
    smallest, largest = dtype.type(low), dtype.type(high)
    values = normal(generator, mean, std, shape, dtype, contiguous)
    again = contiguous if redraw_contiguous is None else redraw_contiguous
    while True:
        outside = (values < smallest) | (values > largest)
        if not outside.any():
            return values
        np.copyto(values, normal(generator, mean, std, shape, dtype, again), where=outside)


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _trunc_by_uniforms(
    generator: Generator, mean: float, std: float, low: float, high: float, shape: Shape, dtype: np.dtype[Any]
) -> Array:
    """Draw from the interval evenly and keep x with probability pdf(x) / pdf(mode): few normals would fall inside."""
    mode = max(low, min(mean, high))
    log_peak = dtype.type(-0.5 * ((mode - mean) / std) ** 2)
    values = np.empty(shape, dtype)
    pending = np.ones(shape, np.bool_)
    while True:
        candidates = uniform(generator, low, high, shape, dtype)
        np.copyto(values, candidates, where=pending)
        standard = (candidates - dtype.type(mean)) / dtype.type(std)
        log_ratio = standard * standard * dtype.type(-0.5) - log_peak
        with np.errstate(divide="ignore"):
            log_units = libm.log(uniform(generator, 0.0, 1.0, shape, dtype).astype(np.float64)).astype(dtype)
        pending &= log_units > log_ratio
        if not pending.any():
            return values


def scalar_normals(generator: Generator, count: int) -> npt.NDArray[np.float64]:
    """Return `count` standard normals of the one-by-one algorithm, the kept one first."""
    kept = generator.cached_normal
    start = 0 if kept is None or not count else 1
    pairs = (count - start + 1) // 2
    units = unit53(generator, 2 * pairs)
    radius = np.sqrt(-2.0 * libm.log1p(-units[1::2]))
    angle = units[0::2] * _TWO_PI
    out = np.empty(start + 2 * pairs)
    out[start::2] = radius * libm.cos(angle)
    out[start + 1 :: 2] = radius * libm.sin(angle)
    if start:
        out[0], generator.cached_normal = kept, None
    if out.size > count:
        generator.cached_normal = float(out[-1])
    return out[:count]


def _bulk_normals(generator: Generator, mean: float, std: float, shape: Shape, dtype: np.dtype[Any]) -> Array:
    transform, units = (_transform64, unit53) if dtype.char == "d" else (_transform32, unit24)

    def draw(count: int) -> Array:
        return transform(units(generator, count), mean, std)

    count = math.prod(shape)
    rest = count % _BLOCK
    if not rest:
        return in_passes(shape, dtype, draw)
    out = np.empty(count, dtype)
    out[:-rest] = in_passes((count - rest,), dtype, draw)
    # The last 16 elements are drawn again; float32 and float64 have spent words on the rest by then, float16 has not.
    if dtype.char != "e":
        units(generator, rest)
    out[-_BLOCK:] = draw(_BLOCK)
    return out.reshape(shape)


def _transform32(units: Array, mean: float, std: float) -> Array:
    """Turn blocks of 16 uniforms into 16 normals with the float32 polynomials."""
    source = units.reshape(-1, 2, _HALF)
    target = np.empty_like(source)
    radius = np.sqrt(-2.0 * log32(np.float32(1.0) - source[:, 0])).astype(np.float32).astype(np.float64)
    sine, cosine = sincos32((source[:, 1] * np.float32(_TWO_PI)).astype(np.float64))
    mean, std = float(np.float32(mean)), float(np.float32(std))
    target[:, 0] = fma32((radius * cosine).astype(np.float32), std, mean)
    target[:, 1] = fma32((radius * sine).astype(np.float32), std, mean)
    return target.reshape(-1)


def _transform64(units: Array, mean: float, std: float) -> Array:
    """Turn blocks of 16 uniforms into 16 normals with the platform's float64 functions."""
    source = units.reshape(-1, 2, _HALF)
    target = np.empty_like(source)
    radius = np.sqrt(-2.0 * libm.log(1.0 - source[:, 0]))
    angle = source[:, 1] * _TWO_PI
    target[:, 0] = fma64(radius * libm.cos(angle), std, mean)
    target[:, 1] = fma64(radius * libm.sin(angle), std, mean)
    return target.reshape(-1)
