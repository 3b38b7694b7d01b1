"""Dropout: what is set to zero is drawn from the default generator, two words for each decision."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.dtypes import from_numpy
from fanin._core.errors import ArgumentError, DtypeError, OperationError
from fanin.nn.functional.checks import require_tensor
from fanin.ops import arithmetic
from fanin.ops.elementwise import cast
from fanin.random.draws import bernoulli
from fanin.random.generator import default_generator
from fanin.tensor.grad_mode import mode
from fanin.tensor.tape import apply, apply_in_place, wrap

# Minus the limit of SELU at minus infinity: scale * alpha.
_ALPHA = 1.7580993408473766


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Set each element to zero with probability p, and divide the others by 1 - p.

    Args:
        input: any shape.
        p: the probability of a zero, in [0, 1].
        training: when False, return the input.
        inplace: write the result into the input.

    Raises ValueError when p is outside [0, 1].

    Reference: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.

    >>> import fanin as torch
    >>> torch.nn.functional.dropout(torch.ones(3), training=False)
    tensor([1., 1., 1.])
    """
    _check_probability(p)
    require_tensor("dropout", input)
    array = input._array
    if p == 0 or not training or not array.size:
        return input
    if p == 1:
        return _multiply(input, np.zeros((), array.dtype), inplace)
    noise = _kept(array, p)
    noise *= _scale(noise.dtype, p)
    return _multiply(input, noise, inplace)


def dropout1d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Set whole channels to zero with probability p, and divide the others by 1 - p.

    Args:
        input: (N, C, L) or (C, L).
        p: the probability of a zero, in [0, 1].
        training: when False, return the input.
        inplace: write the result into the input.

    Raises ValueError when p is outside [0, 1], RuntimeError for other numbers of dimensions.

    >>> import fanin as torch
    >>> torch.nn.functional.dropout1d(torch.ones(1, 2, 2), p=0.0)
    tensor([[[1., 1.],
             [1., 1.]]])
    """
    _check_probability(p)
    require_tensor("dropout1d", input)
    shape = input._array.shape
    if len(shape) not in (2, 3):
        raise OperationError(
            f"dropout1d: Expected 2D or 3D input, but received a {len(shape)}D input. Note that dropout1d exists to "
            "provide channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional "
            "batch dimension (i.e. 2D or 3D inputs)."
        )
    if p == 0 or not training or not input._array.size:
        return input
    if p == 1:
        return _multiply(input, np.zeros((), input._array.dtype), inplace)
    noise = _drawn(p, (*shape[:-1], 1), _floating(input._array))
    noise *= _scale(noise.dtype, p)
    return _multiply(input, noise, inplace)


def alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """Set each element to SELU's lower limit with probability p; scale and shift so that mean and variance stay.

    Args:
        input: any shape.
        p: the probability, in [0, 1].
        training: when False, return the input.
        inplace: write the result into the input.

    Raises ValueError when p is outside [0, 1].

    Reference: G. Klambauer et al., "Self-normalizing neural networks", 2017, section "Alpha dropout".

    >>> import fanin as torch
    >>> torch.nn.functional.alpha_dropout(torch.ones(3), p=0.5, training=False)
    tensor([1., 1., 1.])
    """
    require_tensor("alpha_dropout", input)
    return _alpha_dropout(input, p, training, inplace, lambda array: _kept(array, p))


def feature_alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """Do what `alpha_dropout` does, with one draw for each channel.

    Args:
        input: (N, C, *).
        p: the probability, in [0, 1].
        training: when False, return the input.
        inplace: write the result into the input.

    Raises ValueError when p is outside [0, 1], RuntimeError for fewer than two dimensions.

    >>> import fanin as torch
    >>> torch.nn.functional.feature_alpha_dropout(torch.ones(1, 2, 2), p=0.5, training=False)
    tensor([[[1., 1.],
             [1., 1.]]])
    """
    require_tensor("feature_alpha_dropout", input)
    return _alpha_dropout(input, p, training, inplace, lambda array: _kept_channels(array, p))


def _alpha_dropout(input: Any, p: float, training: bool, inplace: bool, draw: Any) -> Any:
    _check_probability(p)
    array = input._array
    if p == 0 or not training or not array.size:
        return input
    if p == 1:
        return _multiply(input, np.zeros((), array.dtype), inplace)
    kept = draw(array)
    a = 1.0 / np.sqrt((_ALPHA * _ALPHA * p + 1) * (1 - p))
    shift = kept + kept.dtype.type(-1)
    shift *= kept.dtype.type(_ALPHA * a)
    shift += kept.dtype.type(_ALPHA * a * p)
    kept *= kept.dtype.type(a)
    scaled = _multiply(input, kept, inplace)
    return (apply_in_place if inplace else apply)(arithmetic.add, (scaled, wrap(shift)), {})


def _check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"dropout probability has to be between 0 and 1, but got {p}")


def _scale(dtype: Any, p: float) -> Any:
    """Return 1 / (1 - p), divided in single precision at least."""
    wide = np.promote_types(dtype, np.float32).type
    return dtype.type(wide(1) / wide(1 - p))


def _floating(array: Any) -> Any:
    if array.dtype.kind != "f":
        name = from_numpy(array.dtype).legacy_name
        raise DtypeError(
            f"result type Float can't be cast to the desired output type {name}",
            remedy="Dropout needs a floating input; convert with .float() first.",
        )
    return array.dtype


def _kept(array: Any, p: float) -> Any:
    """Return ones and zeros for the elements, drawn in the order in which the input lies in memory."""
    dtype = _floating(array)
    if mode.capture is not None or array.flags.c_contiguous:
        return _drawn(p, array.shape, dtype)
    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    drawn = bernoulli(default_generator, 1 - p, tuple(array.shape[axis] for axis in order), dtype)
    return drawn.transpose(np.argsort(order))


def _kept_channels(array: Any, p: float) -> Any:
    if array.ndim < 2:
        raise OperationError("Feature dropout requires at least 2 dimensions in the input")
    return _drawn(p, array.shape[:2] + (1,) * (array.ndim - 2), _floating(array))


def _drawn(p: float, shape: tuple[int, ...], dtype: Any) -> Any:
    """Return ones and zeros, zeros with probability p; in a captured step, a mask that is drawn at each call."""
    if mode.capture is not None:
        return cast(mode.capture.keep(shape, 1 - p), dtype=dtype)
    return bernoulli(default_generator, 1 - p, shape, dtype)


def _multiply(input: Any, noise: Any, inplace: bool) -> Any:
    return (apply_in_place if inplace else apply)(arithmetic.multiply, (input, wrap(noise)), {})
