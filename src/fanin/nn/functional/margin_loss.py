"""Losses that ask for a margin between a right and a wrong answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fanin._core.errors import ArgumentError, IndexRangeError, OperationError, ShapeError
from fanin.nn.functional.loss import reduced
from fanin.ops.arithmetic import minimum, where, zeros_like
from fanin.ops.elementwise import clamp, exp, log1p, sqrt
from fanin.ops.linalg import norm
from fanin.ops.loss import softplus_of_minus
from fanin.ops.reduce import mean, sum_
from fanin.ops.shape import reshape
from fanin.tensor.tape import wrap


def _at_least_zero(x: Any) -> Any:
    return clamp(x, 0, None)


def margin_ranking_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0, *_: Any, reduction: str = "mean"
) -> Any:
    """Return max(0, -t (x1 - x2) + margin): t = 1 wants x1 above x2, t = -1 below.

    Raises RuntimeError when the inputs have different numbers of dimensions.
    """
    if not input1._array.ndim == input2._array.ndim == target._array.ndim:
        raise ShapeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {tuple(input1.shape)}, input2: {tuple(input2.shape)}, target: {tuple(target.shape)} "
        )
    return reduced(_at_least_zero(-target * (input1 - input2) + margin), reduction)


def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, *_: Any, reduction: str = "mean") -> Any:
    """Return x where t = 1, max(0, margin - x) where t = -1."""
    far = _at_least_zero(margin - input)
    far = where(target != 1, far, zeros_like(far))
    near = where(target != -1, input, zeros_like(input))
    return reduced(far + near, reduction)


def soft_margin_loss(input: Any, target: Any, *_: Any, reduction: str = "mean") -> Any:
    """Return log(1 + e^(-t x)), t = 1 or -1."""
    return reduced(log1p(exp(-target * input)), reduction)


_TINY = 1e-12


def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0, *_: Any, reduction: str = "mean"
) -> Any:
    """Return 1 - cos(x1, x2) where t = 1, max(0, cos(x1, x2) - margin) where t = -1.

    input1, input2: (N, D) with target (N), or (D) with a scalar target.

    Raises RuntimeError for other shapes.
    """
    dims = (input1._array.ndim, input2._array.ndim)
    if target._array.ndim not in (0, 1) or dims != (target._array.ndim + 1,) * 2:
        raise ShapeError(
            f"{target._array.ndim}D target tensor expects {target._array.ndim + 1}D input tensors, but found inputs with "
            f"sizes {list(input1.shape)} and {list(input2.shape)}."
        )
    last = (target._array.ndim,)
    product = sum_(input1 * input2, dim=last)
    sizes = (sum_(input1 * input1, dim=last) + _TINY) * (sum_(input2 * input2, dim=last) + _TINY)
    cosine = product / sqrt(sizes)
    zero = zeros_like(cosine)
    near = where(target == 1, 1 - cosine, zero)
    far = where(target == -1, _at_least_zero(cosine - margin), zero)
    return reduced(near + far, reduction)


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    *_: Any,
    reduction: str = "mean",
) -> Any:
    """Return max(0, d(a, p) - d(a, n) + margin) with d the p-norm of the difference (+ eps).

    swap: take the smaller of d(a, n) and d(p, n) (Balntas et al. 2016, "Learning shallow convolutional feature
    descriptors with triplet losses").

    Raises ValueError unless margin > 0, RuntimeError when numbers of dimensions differ.
    """
    if margin <= 0:
        raise ArgumentError(f"margin must be greater than 0, got {margin}")
    if not anchor._array.ndim == positive._array.ndim == negative._array.ndim:
        raise ShapeError("The anchor, positive, and negative tensors are expected to have the same number of dimensions")

    def distance(a: Any, b: Any) -> Any:
        return norm(a - b + eps, p=float(p), dim=(a._array.ndim - 1,))

    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *_: Any,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """Return the triplet loss with a distance of your own; the Euclidean one when None."""
    if margin <= 0:
        raise ArgumentError(f"margin must be greater than 0, got {margin}")
    if not anchor._array.ndim == positive._array.ndim == negative._array.ndim:
        raise ShapeError("The anchor, positive, and negative tensors are expected to have the same number of dimensions")

    def euclidean(a: Any, b: Any) -> Any:
        return norm(a - b + 1e-6, p=2.0, dim=(a._array.ndim - 1,))

    return _triplet(anchor, positive, negative, distance_function or euclidean, margin, swap, reduction)


def _triplet(anchor: Any, positive: Any, negative: Any, distance: Any, margin: float, swap: bool, reduction: str) -> Any:
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced(_at_least_zero(near - far + margin), reduction)


# Several classes ------------------------------------------------------------------------------------------------------


def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    *_: Any,
    reduction: str = "mean",
) -> Any:
    """Return sum over c != t of w_t max(0, margin - x_t + x_c)^p / C; input (N, C) or (C), target (N) or a scalar.

    Raises ValueError unless p is 1 or 2, RuntimeError for shapes that do not fit.
    """
    if p not in (1, 2):
        raise ArgumentError("only p == 1 and p == 2 supported")
    x, t = input, target._array
    single = x._array.ndim < 2
    x = reshape(x, (1, x._array.size)) if single else x
    rows, classes = x._array.shape
    if t.size != rows or t.ndim > 1:
        raise ShapeError(f"inconsistent target size, expected {rows} but got {list(t.shape)}")
    if weight is not None and weight._array.shape != (classes,):
        raise ShapeError(f"inconsistent weight size, expected {classes} but got {list(weight._array.shape)}")
    t = t.reshape(-1)
    if ((t < 0) | (t >= classes)).any():
        raise OperationError(f"target out of range: the classes are 0 to {classes - 1}")
    chosen = wrap(np.eye(classes, dtype=x._array.dtype)[t])
    right = sum_(x * chosen, dim=(1,), keepdim=True)
    lag = _at_least_zero(margin - right + x)
    lag = (lag if p == 1 else lag * lag) * (1 - chosen)
    if weight is not None:
        lag = lag * sum_(weight * chosen, dim=(1,), keepdim=True)
    loss = mean(lag, dim=(1,))
    return reduced(reshape(loss, ()) if single else loss, reduction)


def multilabel_margin_loss(input: Any, target: Any, *_: Any, reduction: str = "mean") -> Any:
    """Return sum over targets t and other classes c of max(0, 1 - (x_t - x_c)) / C.

    target: of the input's shape, (N, C) or (C): class numbers, ended by -1.

    Raises RuntimeError for shapes that differ.
    """
    x, t = input, target._array
    if x._array.shape != t.shape:
        raise ShapeError(f"inconsistent target size: {list(t.shape)} for input of size: {list(x._array.shape)}")
    single = x._array.ndim < 2
    classes = x._array.shape[-1] if x._array.ndim else 1
    x, t = reshape(x, (-1 if x._array.size else t.shape[0], classes)) if not single else reshape(x, (1, classes)), t.reshape(-1, classes)
    if ((t < -1) | (t >= classes)).any():
        raise IndexRangeError(f"target out of range: the classes are 0 to {classes - 1}, and -1 ends a list")
    listed = np.logical_and.accumulate(t >= 0, axis=1)
    is_target = np.zeros(t.shape, bool)
    is_target[np.nonzero(listed)[0], t[listed]] = True
    pairs = listed[:, :, None] & ~is_target[:, None, :]
    right = x[np.arange(len(t))[:, None], np.where(listed, t, 0)]
    lag = _at_least_zero(1 - reshape(right, (*t.shape, 1)) + reshape(x, (t.shape[0], 1, classes)))
    loss = sum_(lag * wrap(pairs.astype(x._array.dtype)), dim=(1, 2)) / classes
    return reduced(reshape(loss, ()) if single else loss, reduction)


def multilabel_soft_margin_loss(
    input: Any, target: Any, weight: Any = None, *_: Any, reduction: str = "mean"
) -> Any:
    """Return -mean over classes of t log s(x) + (1 - t) log(1 - s(x)), s the sigmoid; input and target (N, C)."""
    loss = target * softplus_of_minus(input) + (1 - target) * softplus_of_minus(-input)
    if weight is not None:
        loss = loss * weight
    return reduced(mean(loss, dim=(input._array.ndim - 1,)), reduction)
