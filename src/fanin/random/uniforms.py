"""Uniform draws: real numbers from an interval, and whole numbers from a range."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fanin._core.errors import OperationError
from fanin.random.fma import fma32, fma64
from fanin.random.generator import Generator
from fanin.random.unit import Array, Shape, check_floating, in_passes, unit24, unit53

# From this many values on a number takes two words, so that the remainder's bias stays below 5 %.
_WIDE_RANGE = 2**28


def uniform(generator: Generator, low: float, high: float, shape: Shape, dtype: npt.DTypeLike = np.float32) -> Array:
    """Return numbers from the uniform distribution on [low, high).

    Args:
        generator: the stream that is drawn from.
        low: the lower bound, included.
        high: the upper bound, not included; at least `low`.
        shape: of the result.
        dtype: float16, float32 (one word an element) or float64 (two words).

    Raises:
        OperationError: when the bounds do not fit the dtype, or low is greater than high.
        UnsupportedDtypeError: when dtype is not a float.

    >>> from fanin.random import Generator, uniform
    >>> uniform(Generator().manual_seed(0), -1.0, 1.0, (3,))
    array([-0.00748682,  0.5364436 , -0.82304513], dtype=float32)
    """
    dtype = check_floating(dtype, '"check_uniform_bounds"')
    _check_bounds(low, high, dtype)
    start, end = dtype.type(low), dtype.type(high)
    if dtype.char == "d":
        width = high - low
    else:
        low = float(np.float32(low))
        width = float(np.float32(high) - np.float32(low))

    def draw(count: int) -> Array:
        if dtype.char == "d":
            values: Array = fma64(unit53(generator, count), width, low)
        else:
            values = fma32(unit24(generator, count), width, low).astype(dtype, copy=False)
        # Rounding can reach the upper bound, which does not belong to the interval.
        values[values == end] = start
        return values

    return in_passes(shape, dtype, draw)


def _check_bounds(low: float, high: float, dtype: np.dtype[Any]) -> None:
    largest = float(np.finfo(dtype).max)
    for name, bound in (("from", low), ("to", high)):
        if not -largest <= bound <= largest:
            raise OperationError(f"{name} is out of bounds for {dtype}: uniform_ got {name}={bound}")
    if low > high:
        raise OperationError(f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}")
    if high - low > largest:
        raise OperationError(
            f"uniform_ expects to-from <= std::numeric_limits<{dtype}>::max(), but found to={high} and from={low}"
        )


def randint(generator: Generator, low: int, high: int, shape: Shape, dtype: npt.DTypeLike = np.int64) -> Array:
    """Return whole numbers, each value of [low, high) equally often: `low + word % (high - low)`.

    Args:
        generator: the stream that is drawn from, one word an element, or two from a range of 2**28 on.
        low: the smallest value.
        high: one more than the largest value.
        shape: of the result.
        dtype: any but complex.

    Raises:
        OperationError: when low is not less than high, or a bound does not fit the dtype.

    >>> from fanin.random import Generator, randint
    >>> randint(Generator().manual_seed(0), 0, 10, (5,))
    array([4, 9, 3, 0, 3])
    """
    dtype = np.dtype(dtype)
    if low >= high:
        raise OperationError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    low, high = _fitting_bounds(low, high, dtype)
    return _whole_numbers(generator, low, high - low, shape, dtype)


def random(
    generator: Generator, shape: Shape, dtype: npt.DTypeLike = np.int64, low: int | None = None, high: int | None = None
) -> Array:
    """Return whole numbers over everything that a dtype holds (the draws of `Tensor.random_`).

    Args:
        generator: the stream that is drawn from.
        shape: of the result.
        dtype: integers give [0, largest], floats [0, 2**digits], bool both values.
        low: with a lower bound alone, [low, largest].
        high: with bounds, [low, high), low being 0 when only high is given.

    >>> from fanin.random import Generator, random
    >>> random(Generator().manual_seed(0), (2,))
    array([ 900450186894289455, 3969543146641149120])
    """
    dtype = np.dtype(dtype)
    if high is not None:
        return randint(generator, 0 if low is None else low, high, shape, dtype)
    largest = _largest_whole(dtype)
    if low is not None:
        if low > largest:
            raise OperationError(f"random_ expects 'from' to be at most {largest} for {dtype}, but got from={low}")
        return _whole_numbers(generator, low, largest + 1 - low, shape, dtype)
    words = generator.double_words if dtype.char in "dlq" else generator.words
    return in_passes(shape, dtype, lambda count: _modulo(words(count), largest + 1))


def _largest_whole(dtype: np.dtype[Any]) -> int:
    if dtype.kind == "b":
        return 1
    if dtype.kind == "f":
        return int(2 ** (np.finfo(dtype).nmant + 1))
    return int(np.iinfo(dtype).max)


def _whole_numbers(generator: Generator, low: int, values: int, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Return `low + word % values`; all 2**64 values are the two words as they come."""
    words = generator.double_words if values >= _WIDE_RANGE else generator.words
    offset = np.uint64(low & 0xFFFFFFFFFFFFFFFF)

    def draw(count: int) -> Array:
        numbers = words(count)
        if values < 2**64:
            _modulo(numbers, values)
            numbers += offset
        return numbers.view(np.int64)

    return in_passes(shape, dtype, draw)


def _modulo(words: npt.NDArray[np.uint64], divisor: int) -> npt.NDArray[np.uint64]:
    """Return the remainders in place; NumPy has a fast division by one number, but no fast remainder."""
    divisor_ = np.uint64(divisor)
    words -= words // divisor_ * divisor_
    return words


def _fitting_bounds(low: int, high: int, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Refuse bounds outside the dtype; move one that a float dtype rounds out of the range to the float inside."""
    smallest, largest = _range(dtype)
    for name, bound in (("from", low), ("to - 1", high - 1)):
        if not smallest <= bound <= largest:
            raise OperationError(f"{name} is out of bounds for {dtype}: got from={low}, to={high}")
    if dtype.kind != "f":
        return low, high
    first, last = dtype.type(low + 1), dtype.type(high - 1)
    if int(first) < low:
        low = int(np.nextafter(first, dtype.type(np.inf)))
    if int(last) >= high:
        high = int(np.nextafter(last, dtype.type(-np.inf)))
    return low, high


def _range(dtype: np.dtype[Any]) -> tuple[int, int]:
    if dtype.kind == "b":
        return 0, 1
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return int(info.min), int(info.max)
