"""Losses over several classes that ask for a margin, or for the probability of every class by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import (
    ArgumentError,
    DimensionError,
    DtypeError,
    OperationError,
    ShapeError,
    UnsupportedDtypeError,
)
from fanin.nn.functional.checks import require_tensor
from fanin.nn.functional.embedding import rows_of_ones
from fanin.nn.functional.reduction import reduced, reduction_of
from fanin.ops.activation import log_sigmoid, relu
from fanin.ops.arithmetic import equal, less, logical_and, logical_not, where
from fanin.ops.elementwise import cast
from fanin.ops.index import gather, within
from fanin.ops.reduce import any_, cumsum, mean, sum_
from fanin.ops.shape import reshape
from fanin.tensor.base import known
from fanin.tensor.tape import apply, label, wrap


def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Return sum over c != t of w_t max(0, margin - x_t + x_c)^p / C: the hinge loss of several classes.

    Args:
        input: x, scores, (N, C) or (C).
        target: t, class numbers, int64, (N) or ().
        p: the power, 1 or 2.
        margin: by how much the right score is to exceed the others.
        weight: w, (C), a factor for each class.
        size_average, reduce: of old programs; use reduction.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: for shapes that do not fit, or a class that does not exist.
        ValueError: for another p, weights of more than one dimension, or another reduction.

    >>> import fanin as torch
    >>> x = torch.tensor([[0.1, 0.2, 0.4, 0.8]])
    >>> torch.nn.functional.multi_margin_loss(x, torch.tensor([3]))
    tensor(0.3250)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ArgumentError("only p == 1 and p == 2 supported", remedy=f"Got p={p}.")
    if weight is not None and weight.dim() != 1:
        raise ArgumentError(f"weight must be one-dimensional, got {list(weight.shape)}")
    require_tensor("multi_margin_loss", input)
    require_tensor("multi_margin_loss", target, "target", 2)
    _require_scores("multi_margin_loss_cpu_kernel", input)
    single = input.dim() < 2
    x, classes = _rows(input), _one_hot(input, target)
    if weight is not None and weight._array.shape != classes._array.shape[1:]:
        raise ShapeError(f"inconsistent weight size, expected {classes._array.shape[1]} but got {list(weight.shape)}")
    if weight is not None and weight._array.dtype != x._array.dtype:
        raise DtypeError(f"expected scalar type {x._array.dtype} but found {weight._array.dtype} for weight")
    lag = relu(margin - sum_(x * classes, dim=(1,), keepdim=True) + x)
    lag = (lag if p == 1 else lag * lag) * (1 - classes)
    if weight is not None:
        lag = lag * sum_(weight * classes, dim=(1,), keepdim=True)
    return _finished(mean(lag, dim=(1,)), single, reduction, "MultiMarginLossBackward0")


def _require_scores(kernel: str, input: Any) -> None:
    x = input._array
    if x.ndim > 2 or (x.ndim and not x.shape[-1]):
        raise ShapeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(x.shape)}"
        )
    if x.dtype.kind != "f":
        raise UnsupportedDtypeError(f'"{kernel}" not implemented for {x.dtype}; convert with .float() first')


def _rows(input: Any) -> Any:
    """Return scores as (N, C)."""
    return reshape(input, (1, input._array.size)) if input.dim() < 2 else input


def _finished(loss: Any, single: bool, reduction: str, name: str) -> Any:
    """Return the losses of the rows as they are asked for."""
    return label(reshape(loss, ()) if single else reduced(loss, reduction), name)


def _one_hot(input: Any, target: Any) -> Any:
    """Return the classes as rows of zeros and a one."""
    x, t = input._array, target._array
    rows, classes = (1, x.size) if x.ndim < 2 else x.shape
    if t.size != rows or t.ndim > 1:
        raise ShapeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch "
            f"size). Expected target size [{rows}], but got {list(t.shape)}. Input has shape {list(x.shape)}."
        )
    if t.dtype != np.int64:
        raise DtypeError(f"expected scalar type Long but found {t.dtype}; convert the classes with .long()")
    remedy = f"The classes are 0 to {classes - 1}."
    if not known(t):
        t = within(t, size=classes, message="target out of range", runtime=True, remedy=remedy)
    elif ((t < 0) | (t >= classes)).any():
        raise OperationError("target out of range", remedy=remedy)
    return wrap(rows_of_ones(t.reshape(-1), classes, x.dtype))


def multilabel_margin_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Return sum over targets t and classes c that are no targets of max(0, 1 - (x_t - x_c)) / C.

    Args:
        input: x, scores, (N, C) or (C).
        target: of the input's shape, int64: in every row the numbers of its classes, ended by -1.
        size_average, reduce: of old programs; use reduction.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: for shapes that differ, or a class that does not exist.
        ValueError: for another reduction.

    >>> import fanin as torch
    >>> x, t = torch.tensor([[0.1, 0.2, 0.4, 0.8]]), torch.tensor([[3, 0, -1, 1]])
    >>> torch.nn.functional.multilabel_margin_loss(x, t)
    tensor(0.8500)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    require_tensor("multilabel_margin_loss", input)
    require_tensor("multilabel_margin_loss", target, "target", 2)
    _require_scores("multilabel_margin_loss_forward_out_frame", input)
    if input._array.shape != target._array.shape:
        raise ShapeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    x = _rows(input)
    rows, classes = x._array.shape
    t = target._array.reshape(rows, classes)
    if t.dtype != np.int64:
        raise DtypeError(f"expected scalar type Long but found {t.dtype}; convert the classes with .long()")
    message, remedy = "argument #2 'target' is out of range", f"The classes are 0 to {classes - 1}, and -1 ends a list."
    if not known(t):
        t = within(t + 1, size=classes + 1, message=message, runtime=True, remedy=remedy) - 1
    elif ((t < -1) | (t >= classes)).any():
        raise OperationError(message, remedy=remedy)
    listed = equal(cumsum(cast(less(t, 0), dtype=t.dtype), dim=1), 0)  # -1 ends a list
    t = where(listed, t, 0)
    pairs = wrap(cast(_pairs(t, listed), dtype=x._array.dtype))
    right = apply(gather, (x, t), {"dim": 1})
    lag = relu(1 - reshape(right, (rows, classes, 1)) + reshape(x, (rows, 1, classes)))
    loss = sum_(lag * pairs, dim=(1, 2)) / classes
    return _finished(loss, input.dim() < 2, reduction, "MultilabelMarginLossBackward0")


def _pairs(target: Any, listed: Any) -> Any:
    """Return which entry of a row's list is compared with which class: (N, C, C) of bools."""
    rows, classes = target.shape
    listed = reshape(listed, (rows, classes, 1))
    named = logical_and(equal(reshape(target, (rows, classes, 1)), np.arange(classes)), listed)
    return logical_and(listed, logical_not(any_(named, dim=(1,), keepdim=True)))


def multilabel_soft_margin_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Return -mean over classes of t log s(x) + (1 - t) log(1 - s(x)), s the sigmoid.

    Args:
        input: x, scores, (N, C).
        target: t, probabilities, of the input's shape.
        weight: a factor for each class, (C).
        size_average, reduce: of old programs; use reduction.
        reduction: "none", "mean" or "sum".

    Raises:
        IndexError: for an input without dimensions.
        RuntimeError: for shapes that do not broadcast.
        ValueError: for another reduction.

    >>> import fanin as torch
    >>> torch.nn.functional.multilabel_soft_margin_loss(torch.zeros(1, 2), torch.ones(1, 2))
    tensor(0.6931)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if not input.dim():
        raise DimensionError(
            "Dimension specified as -1 but tensor has no dimensions", remedy="The input needs a dimension of classes."
        )
    loss = -(target * log_sigmoid(input) + (1 - target) * log_sigmoid(-input))
    if weight is not None:
        loss = loss * weight
    last = input.dim() - 1
    return reduced(sum_(loss, dim=(last,)) / input._array.shape[last], reduction)
