"""Losses of numbers and of class numbers, and the slopes of the latter.

Class numbers come with the data and cannot be refused here: `class_counts` notes one that does not exist when it is
carried out, and every loss and slope reads its result, so that none can do without it. Nothing is read outside of the
arrays; a row of such a class gets a loss of inf.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin.compiler.graph import constant
from fanin.compiler.passes.lower.activations import log1p_exp_of_minus_size
from fanin.compiler.passes.lower.common import astype, reduced, total, zero_unless
from fanin.compiler.passes.lower.reductions import exp_of_shifted
from fanin.compiler.passes.lower.rules import lowers
from fanin.ops.arithmetic import equal, logical_and, maximum, minimum, not_equal, where
from fanin.ops.class_loss import class_counts
from fanin.ops.elementwise import absolute, log, log1p
from fanin.ops.reduce import amax
from fanin.ops.shape import reshape

# Numbers --------------------------------------------------------------------------------------------------------------


@lowers("mse_loss")
def mse(a: Any, b: Any, *, reduction: str) -> Any:
    """Return (a - b)^2."""
    difference = a - b
    return reduced(difference * difference, reduction)


@lowers("l1_loss")
def l1(a: Any, b: Any, *, reduction: str) -> Any:
    """Return |a - b|."""
    return reduced(absolute(a - b), reduction)


@lowers("huber_loss")
def huber(a: Any, b: Any, *, reduction: str, delta: float) -> Any:
    """Return m (|a - b| - m / 2) with m = min(|a - b|, delta)."""
    size = absolute(a - b)
    least = minimum(size, delta)
    return reduced((size - least * 0.5) * least, reduction)


@lowers("binary_cross_entropy")
def bce(p: Any, t: Any, *, reduction: str) -> Any:
    """Return -t log p - (1 - t) log(1 - p), the logarithms stopped at -100."""
    return reduced((t - 1) * maximum(log1p(-p), -100) - t * maximum(log(p), -100), reduction)


@lowers("binary_cross_entropy_with_logits")
def bce_with_logits(x: Any, t: Any, positive: Any = None, *, reduction: str) -> Any:
    """Return (1 - t) x - (1 + (w - 1) t) log s(x), s the sigmoid."""
    rest = log1p_exp_of_minus_size(x)
    if positive is None:
        return reduced(maximum(x, 0) - x * t + rest, reduction)
    return reduced((1 - t) * x + ((positive - 1) * t + 1) * (rest - minimum(x, 0)), reduction)


# Class numbers --------------------------------------------------------------------------------------------------------


# Everything of a row is kept as a column, (N, 1), so that forward and derivative share what they have in common.


def _column(x: Any) -> Any:
    return reshape(x, (x.size, 1))


def _counting(target: Any, classes: int, ignore_index: int) -> Any:
    """Return which rows count, (N, 1); the class of such a row has to exist."""
    return class_counts(_column(target), classes=classes, ignore_index=ignore_index)


def _hot(target: Any, classes: int, ignore_index: int) -> Any:
    """Return the one-hot rows as bools, (N, C), none of it in a row that does not count."""
    hot = equal(_column(target), constant(np.arange(classes)))
    if 0 <= ignore_index < classes:
        hot = logical_and(hot, not_equal(_column(target), ignore_index))
    return hot


def _row_weight(hot: Any, weight: Any) -> Any:
    """Return the weight of each row's class, (N, 1); 0 of a row that does not count."""
    return total(zero_unless(hot, weight), (1,), keepdim=True)


def _divisor(target: Any, weight: Any, classes: int, ignore_index: int, dtype: Any) -> Any:
    """Return the number of rows that count, or the sum of their classes' weights."""
    if weight is None:
        return total(astype(_counting(target, classes, ignore_index), dtype), (0, 1))
    return total(_row_weight(_hot(target, classes, ignore_index), weight), (0, 1))


def _unless_none_counts(divisor: Any, target: Any, classes: int, ignore_index: int) -> Any:
    """Return 1 where no row counts: the mean of nothing is nan, but its gradient is 0."""
    rows = total(astype(_counting(target, classes, ignore_index), divisor.dtype), (0, 1))
    return where(equal(rows, 0), 1.0, divisor)


@lowers("class_total")
def class_total(target: Any, weight: Any = None, *, ignore_index: int, dtype: Any) -> Any:
    """Return what a mean divides by, and 1 where no row counts."""
    # Without a weight nobody says here how many classes there are; the loss itself looks at them.
    classes = int(np.iinfo(np.int64).max) if weight is None else weight.size
    divisor = astype(_divisor(target, weight, classes, ignore_index, dtype), dtype)
    return _unless_none_counts(divisor, target, classes, ignore_index)


@lowers("class_target")
def class_target(
    target: Any, weight: Any = None, *, classes: int, ignore_index: int, label_smoothing: float, dtype: Any
) -> Any:
    """Return the one-hot rows, smoothed and weighted; 0 in rows that do not count."""
    hot = astype(_hot(target, classes, ignore_index), dtype)
    q = hot * (1 - label_smoothing) + label_smoothing / (classes or 1) if label_smoothing else hot
    return zero_unless(_counting(target, classes, ignore_index), q if weight is None else q * weight)


def _loss_reduced(loss: Any, target: Any, weight: Any, classes: int, reduction: str, ignore_index: int) -> Any:
    loss = zero_unless(_counting(target, classes, ignore_index), loss)
    if reduction == "none":
        return reshape(loss, target.shape)
    summed = total(loss, (0, 1))
    return summed if reduction == "sum" else summed / _divisor(target, weight, classes, ignore_index, loss.dtype)


def _picked(hot: Any, x: Any) -> Any:
    """Return the element of each row that is hot; -inf where none is."""
    return amax(where(hot, x, -math.inf), dim=(1,), keepdim=True)


@lowers("cross_entropy")
def cross_entropy(
    x: Any, target: Any, weight: Any = None, *, reduction: str, ignore_index: int, label_smoothing: float
) -> Any:
    """Return -sum_c q_c log softmax(x)_c of every row, x shifted by its maximum."""
    classes = x.shape[1]
    hot = _hot(target, classes, ignore_index)
    shifted, e = exp_of_shifted(x, (1,))
    log_total = log(total(e, (1,), keepdim=True))
    loss = log_total - _picked(hot, shifted)
    if weight is not None:
        loss = loss * _row_weight(hot, weight)
    if label_smoothing:
        spread = log_total - shifted
        spread = total(spread if weight is None else spread * weight, (1,), keepdim=True)
        loss = loss * (1 - label_smoothing) + spread * (label_smoothing / classes)
    return _loss_reduced(loss, target, weight, classes, reduction, ignore_index)


def _share(g: Any, target: Any, weight: Any, classes: int, reduction: str, ignore_index: int) -> Any:
    """Return the incoming gradient, divided where the loss was: (N, 1), or one number."""
    if reduction == "none":
        return _column(g)
    if reduction == "sum":
        return g
    divisor = _divisor(target, weight, classes, ignore_index, g.dtype)
    return g / _unless_none_counts(divisor, target, classes, ignore_index)


@lowers("cross_entropy_slope")
def cross_entropy_slope(
    g: Any, x: Any, target: Any, weight: Any = None, *, reduction: str, ignore_index: int, label_smoothing: float
) -> Any:
    """Return ((sum_c q_c) softmax(x) - q) g."""
    classes = x.shape[1]
    _, e = exp_of_shifted(x, (1,))
    p = e / total(e, (1,), keepdim=True)
    share = _share(g, target, weight, classes, reduction, ignore_index)
    if label_smoothing:
        options = {"ignore_index": ignore_index, "label_smoothing": label_smoothing, "dtype": x.dtype}
        q = class_target(target, weight, classes=classes, **options)
        return (p * total(q, (1,), keepdim=True) - q) * share
    hot = _hot(target, classes, ignore_index)
    if weight is not None:
        share = share * _row_weight(hot, weight)
    return (p - astype(hot, x.dtype)) * zero_unless(_counting(target, classes, ignore_index), share)


@lowers("nll_loss")
def nll(x: Any, target: Any, weight: Any = None, *, reduction: str, ignore_index: int) -> Any:
    """Return minus the element of every row that belongs to its class."""
    classes = x.shape[1]
    hot = _hot(target, classes, ignore_index)
    loss = -_picked(hot, x)
    if weight is not None:
        loss = loss * _row_weight(hot, weight)
    return _loss_reduced(loss, target, weight, classes, reduction, ignore_index)


@lowers("nll_loss_slope")
def nll_slope(g: Any, target: Any, weight: Any = None, *, classes: int, reduction: str, ignore_index: int) -> Any:
    """Return -g in every row at its class, else 0."""
    share = -_share(g, target, weight, classes, reduction, ignore_index)
    share = zero_unless(_counting(target, classes, ignore_index), share)
    hot = _hot(target, classes, ignore_index)
    return zero_unless(hot, share if weight is None else share * weight)
