"""The exponential moving average of a series: a noisy curve made smooth."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core import dtypes
from fanin._core.errors import ArgumentError, ArgumentTypeError, ShapeError
from fanin.tensor.base import TensorBase
from fanin.tensor.tape import wrap

Array = np.ndarray[Any, np.dtype[Any]]


def ema(series: Any, beta: float, bias_correction: bool = False) -> Any:
    r"""Return the exponential moving average of a series, which starts at the series' first value.

    .. math:: s_0 = x_0, \qquad s_t = \beta s_{t-1} + (1 - \beta) x_t

    The first value keeps the weight :math:`\beta^t` at step t. With `bias_correction` it has no such privilege: the
    average starts at zero and is divided by the sum of its weights, which is what Adam does with its moments. Steps
    are then counted from 1:

    .. math:: v_0 = 0, \qquad v_t = \beta v_{t-1} + (1 - \beta) x_t, \qquad s_t = \frac{v_t}{1 - \beta^t}

    Both give a constant series back unchanged, and both agree once :math:`\beta^t` is small.

    Args:
        series: T numbers, or T rows of the same shape, which are averaged along the first axis; a list or tuple, a
            NumPy array, or a tensor
        beta: how much of the past is kept, in [0, 1); about the last 1 / (1 - beta) values count
        bias_correction: whether to start at zero and to divide by the sum of the weights

    Returns:
        as many values as came in, of the kind that came in: a list of floats for a list or tuple (nested as it was), an
        array for an array, a tensor for a tensor. float32 and float64 stay what they are; integers become float64 in
        an array and the default dtype in a tensor. The sums are made in float64. No gradient flows back.

    Raises:
        ValueError: beta outside [0, 1), an empty series, a value that is infinite or not a number, or a shape that is
            not one series (a single number, rows of different lengths)
        TypeError: beta or the series is not made of numbers

    Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, section 3, for the correction.

    >>> import fanin as torch
    >>> [round(s, 4) for s in torch.ema([1, 2, 3, 4, 5], beta=0.1)]
    [1.0, 1.9, 2.89, 3.889, 4.8889]
    >>> torch.ema(torch.tensor([1.0, 2.0, 3.0]), beta=0.5, bias_correction=True)
    tensor([1.0000, 1.6667, 2.4286])
    """
    _check_beta(beta)
    values = _numbers(series)
    averages = _corrected(values, beta) if bias_correction else _from_first(values, beta)
    return _like(series, averages, values.dtype)


def _from_first(values: Array, beta: float) -> Array:
    averages = values.astype(np.float64)
    for t in range(1, len(averages)):
        averages[t] = beta * averages[t - 1] + (1 - beta) * averages[t]
    return averages


def _corrected(values: Array, beta: float) -> Array:
    averages = values.astype(np.float64)
    averages[0] *= 1 - beta
    for t in range(1, len(averages)):
        averages[t] = beta * averages[t - 1] + (1 - beta) * averages[t]
    steps = np.arange(1, len(averages) + 1).reshape(-1, *[1] * (averages.ndim - 1))
    return averages / (1 - beta**steps)


def _check_beta(beta: float) -> None:
    if not isinstance(beta, (int, float, np.integer, np.floating)):
        raise ArgumentTypeError(f"ema: beta is a number in [0, 1), not a {type(beta).__name__}")
    if not 0 <= beta < 1:
        raise ArgumentError(f"ema: beta must be in [0, 1), and is {beta}; 0.9 keeps nine tenths of the past")


def _numbers(series: Any) -> Array:
    """Return the values as an array that may be averaged, or say what is wrong with them."""
    values = _as_array(series)
    if values.dtype.kind not in "buif":
        raise ArgumentTypeError(f"ema: a series is made of real numbers, not of {values.dtype}")
    if values.ndim == 0:
        raise ShapeError("ema: a series has at least one dimension; this is a single number")
    if values.size == 0:
        raise ArgumentError(f"ema: the series is empty (shape {values.shape})")
    finite = np.isfinite(values)
    if not finite.all():
        position = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ArgumentError(f"ema: series{list(position)} is {values[position]}; every average after it would be lost")
    return values


def _as_array(series: Any) -> Array:
    if isinstance(series, TensorBase):
        return np.asarray(series._array)
    if isinstance(series, (list, tuple)):
        # Losses are often collected as tensors, which are still on their tapes.
        series = [item._array if isinstance(item, TensorBase) else item for item in series]
    try:
        return np.asarray(series)
    except ValueError as error:
        raise ShapeError(f"ema: the rows of a series have one shape ({error})") from None


def _like(series: Any, averages: Array, kind: np.dtype[Any]) -> Any:
    """Return the averages as what the series was."""
    if isinstance(series, (list, tuple)):
        return averages.tolist()
    if isinstance(series, TensorBase):
        return wrap(averages.astype(kind if kind.kind == "f" else dtypes.default_numpy()))
    return averages.astype(kind) if kind.kind == "f" else averages
