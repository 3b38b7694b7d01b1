"""Losses that compare predictions with numbers, or with the probability of one event."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin._core import advice
from fanin._core.errors import ArgumentError, DtypeError, OperationError, UnsupportedDtypeError
from fanin.nn.functional.checks import require_tensor
from fanin.nn.functional.reduction import (
    CHOICES,
    REDUCTIONS,
    in_dtype_of,
    legacy_reduction,
    named_by_reduction,
    reduced,
    reduction_of,
    require_tensors,
    require_within,
    size_text,
)
from fanin.ops import loss as ops
from fanin.ops.arithmetic import maximum, multiply, subtract, where
from fanin.ops.elementwise import exp, log
from fanin.ops.power import xlogy
from fanin.ops.rules import broadcast_shape
from fanin.ops.shape import reshape
from fanin.tensor.base import TensorBase, known
from fanin.tensor.tape import apply, label, wrap

# Numbers --------------------------------------------------------------------------------------------------------------


def _look_at_shapes(name: str, input: Any, target: Any) -> None:
    """Warn of shapes that differ and broadcast; one number for all is a number on purpose."""
    broadcast_shape(input._array.shape, target._array.shape)
    if not (input._array.ndim and target._array.ndim):
        return
    advice.give(
        advice.BroadcastLoss,
        f"{name}: using a target size ({size_text(target)}) that is different to the input size ({size_text(input)}). "
        "Broadcasting compares every prediction with every target, which is hardly what is meant: bring both to one "
        "shape, e.g. target.unsqueeze(1), output.squeeze(1) or target.view_as(output).",
    )


def _both_count(input: Any, target: Any) -> tuple[Any, Any]:
    """Return both with a dimension at least, where one is a single number: so its dtype counts as that of the other."""
    if input._array.dtype == target._array.dtype or (input._array.ndim and target._array.ndim):
        return input, target
    return (input if input._array.ndim else input.reshape(1)), (target if target._array.ndim else target.reshape(1))


def _compared(name: str, op: Any, input: Any, target: Any, attrs: dict[str, Any]) -> Any:
    """Apply a record that compares two tensors."""
    try:
        if input._array.shape != target._array.shape:
            _look_at_shapes(name, input, target)
            input, target = _both_count(input, target)
    except AttributeError:
        require_tensors(name, input, target)
        raise
    return apply(op, (input, target), attrs)


def _weighted(name: str, op: Any, input: Any, target: Any, weight: Any, attrs: dict[str, Any]) -> Any:
    """Return the losses of every element times their weights."""
    if weight._array.shape != input._array.shape:
        raise ArgumentError(
            "Weights and input must have the same size.",
            remedy=f"{name} got weights of {size_text(weight)} for an input of {size_text(input)}.",
        )
    return _compared(name, op, input, target, {**attrs, "reduction": "none"}) * weight


def _weighted_mean(values: Any, weight: Any, reduction: str) -> Any:
    """Return weighted losses, their sum, or their mean by weight."""
    if reduction == "none":
        return values
    total = reduced(values, "sum")
    return total / reduced(weight, "sum") if reduction == "mean" else total


def mse_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Any:
    """Return the squared error (x - t)^2, its mean or its sum.

    Args:
        input: x, any shape.
        target: t, of the input's shape.
        size_average, reduce: of old programs; use reduction.
        reduction: "none", "mean" or "sum".
        weight: a factor for each element; a mean divides by their sum.

    Raises:
        RuntimeError: for shapes that do not broadcast, or whole numbers.
        ValueError: for another reduction, or weights of another shape.

    Warns where the shapes differ and broadcast, unless one is a scalar.

    >>> import fanin as torch
    >>> torch.nn.functional.mse_loss(torch.tensor([2.5, 5.0, 3.0]), torch.tensor([3.0, 5.0, 2.5]))
    tensor(0.1667)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if weight is None:
        return _compared("mse_loss", ops.mse, input, target, {"reduction": reduction})
    return _weighted_mean(_weighted("mse_loss", ops.mse, input, target, weight, {}), weight, reduction)


def l1_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Any:
    """Return the absolute error |x - t|, its mean or its sum; its derivative at x = t is 0.

    Args:
        input: x, any shape.
        target: t, of the input's shape.
        size_average, reduce: of old programs; use reduction.
        reduction: "none", "mean" or "sum".
        weight: a factor for each element; a mean divides by their sum.

    Raises:
        RuntimeError: for shapes that do not broadcast.
        ValueError: for another reduction, or weights of another shape.

    Warns where the shapes differ and broadcast, unless one is a scalar.

    >>> import fanin as torch
    >>> torch.nn.functional.l1_loss(torch.tensor([2.5, 5.0, 3.0]), torch.tensor([3.0, 5.0, 2.5]))
    tensor(0.3333)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if weight is None:
        loss = _compared("l1_loss", ops.l1, input, target, {"reduction": reduction})
        return named_by_reduction(loss, reduction, "AbsBackward0")
    return _weighted_mean(_weighted("l1_loss", ops.l1, input, target, weight, {}), weight, reduction)


def smooth_l1_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Any:
    """Return (x - t)^2 / (2 beta) where |x - t| < beta, else |x - t| - beta / 2.

    Args:
        input: x, any shape.
        target: t, of the input's shape.
        size_average, reduce: of old programs; use reduction.
        reduction: "none", "mean" or "sum".
        beta: where the parabola becomes a line; 0 gives the absolute error.

    Raises:
        RuntimeError: for a negative beta, shapes that do not broadcast, or whole numbers.
        ValueError: for another reduction.

    Warns where the shapes differ and broadcast, unless one is a scalar.

    >>> import fanin as torch
    >>> torch.nn.functional.smooth_l1_loss(torch.tensor([0.5, 3.0]), torch.zeros(2), reduction="none")
    tensor([0.1250, 2.5000])

    Reference: R. Girshick, "Fast R-CNN", 2015, arXiv 1504.08083, eq. 3.
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if beta < 0:
        raise OperationError("smooth_l1_loss does not support negative values for beta.", remedy=f"Got beta={beta}.")
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    attrs = {"reduction": reduction, "delta": float(beta)}
    loss = _compared("smooth_l1_loss", ops.huber, input, target, attrs)
    return label(loss if beta == 1 else loss / beta, "SmoothL1LossBackward0")


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Any:
    """Return (x - t)^2 / 2 where |x - t| < delta, else delta (|x - t| - delta / 2).

    Args:
        input: x, any shape.
        target: t, of the input's shape.
        reduction: "none", "mean" or "sum".
        delta: where the parabola becomes a line, greater than 0.
        weight: a factor for each element; a mean divides by the number of elements.

    Raises:
        RuntimeError: for a delta that is not positive, shapes that do not broadcast, or whole numbers.
        ValueError: for another reduction, or weights of another shape.

    Warns where the shapes differ and broadcast, unless one is a scalar.

    >>> import fanin as torch
    >>> torch.nn.functional.huber_loss(torch.tensor([1.0, 3.0]), torch.zeros(2), reduction="none", delta=2.0)
    tensor([0.5000, 4.0000])

    Reference: P. Huber, "Robust estimation of a location parameter", 1964, sec. 3.
    """
    reduction = reduction_of(reduction)
    if delta <= 0:
        raise OperationError("huber_loss does not support non-positive values for delta.", remedy=f"Got delta={delta}.")
    attrs = {"delta": float(delta)}
    if weight is not None:
        return in_dtype_of(reduced(_weighted("huber_loss", ops.huber, input, target, weight, attrs), reduction), input)
    return in_dtype_of(_compared("huber_loss", ops.huber, input, target, {**attrs, "reduction": reduction}), input)


# The probability of one event -----------------------------------------------------------------------------------------


def binary_cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Return -(t log p + (1 - t) log(1 - p)), with logarithms that end at -100.

    The derivative is (p - t) / max(p (1 - p), 1e-12).

    Args:
        input: p, probabilities in [0, 1], any shape.
        target: t, probabilities in [0, 1], of the input's shape and dtype.
        weight: a factor for each element, of a shape that broadcasts to the input's.
        size_average, reduce: of old programs; use reduction.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: for numbers outside [0, 1] or of different dtypes.
        ValueError: for shapes that differ, or another reduction.

    >>> import fanin as torch
    >>> p, t = torch.tensor([0.7, 0.2, 0.9, 0.7]), torch.tensor([1.0, 0.0, 1.0, 0.0])
    >>> torch.nn.functional.binary_cross_entropy(p, t, reduction="none")
    tensor([0.3567, 0.2231, 0.1054, 1.2040])
    """
    reduction = reduction_of(reduction, size_average, reduce)
    require_tensors("binary_cross_entropy", input, target)
    a, b = input._array, target._array
    if a.shape != b.shape:
        raise ArgumentError(
            f"Using a target size ({size_text(target)}) that is different to the input size ({size_text(input)}) is "
            "deprecated. Please ensure they have the same size.",
            remedy="For example with output.squeeze(1) or target.unsqueeze(1).",
        )
    if a.dtype != b.dtype:
        raise DtypeError(
            f"Found dtype {target.dtype.legacy_name} but expected {input.dtype.legacy_name}",
            remedy="Convert with target.to(input.dtype).",
        )
    return _times_weight(ops.bce, (input, target), weight, reduction, "BinaryCrossEntropyBackward0")


def _times_weight(op: Any, inputs: tuple[Any, ...], weight: Any, reduction: str, name: str) -> Any:
    """Apply a record, with a factor for each element before its results are reduced, in the target's dtype."""
    if weight is None:
        return in_dtype_of(apply(op, inputs, {"reduction": reduction}), inputs[1])
    require_within("weight", weight, inputs[0])
    values = apply(op, inputs, {"reduction": "none"}) * weight
    return in_dtype_of(label(reduced(values, reduction), name), inputs[1])


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Any:
    """Return -(w_p t log s(x) + (1 - t) log(1 - s(x))), s the sigmoid, computed so that nothing overflows for any x.

    Args:
        input: x, logits, any shape.
        target: t, probabilities, of the input's shape.
        weight: a factor for each element, of a shape that broadcasts to the input's.
        size_average, reduce: of old programs; use reduction.
        reduction: "none", "mean" or "sum".
        pos_weight: w_p, a factor for what is positive, of a shape that broadcasts to the input's.

    Raises:
        RuntimeError: for whole numbers, or factors of a larger shape.
        ValueError: for shapes that differ, or another reduction.

    Warns of targets outside [0, 1].

    >>> import fanin as torch
    >>> x, t = torch.tensor([0.0, 10000.0]), torch.tensor([1.0, 0.0])
    >>> torch.nn.functional.binary_cross_entropy_with_logits(x, t, reduction="none")
    tensor([6.9315e-01, 1.0000e+04])
    """
    reduction = reduction_of(reduction, size_average, reduce)
    require_tensors("binary_cross_entropy_with_logits", input, target)
    if input._array.shape != target._array.shape:
        raise ArgumentError(
            f"Target size ({size_text(target)}) must be the same as input size ({size_text(input)})",
            remedy="For example with output.squeeze(1) or target.unsqueeze(1).",
        )
    if input._array.dtype.kind != "f":
        raise UnsupportedDtypeError(
            f"\"log_sigmoid_cpu\" not implemented for '{input.dtype.legacy_name}'",
            remedy="Convert with .float() first.",
        )
    _check_targets(target._array)
    if pos_weight is not None:
        require_within("pos_weight", pos_weight, input)
    inputs = (input, target) if pos_weight is None else (input, target, pos_weight)
    return _times_weight(ops.bce_with_logits, inputs, weight, reduction, "BinaryCrossEntropyWithLogitsBackward0")


def _check_targets(t: Any) -> None:
    if t.size and advice.wanted(advice.TargetOutOfRange) and known(t) and (t.min() < 0 or t.max() > 1):
        advice.give(
            advice.TargetOutOfRange,
            f"binary_cross_entropy_with_logits: targets are probabilities, but these lie between {t.min():g} and "
            f"{t.max():g}; outside [0, 1] the loss has no minimum. Labels -1 and 1 become (target + 1) / 2; several "
            "classes need cross_entropy.",
        )


# Distributions --------------------------------------------------------------------------------------------------------


def kl_div(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Any:
    """Return t (log t - x), x the logarithms of the predicted distribution: KL(t || e^x) when summed (0 log 0 = 0).

    Args:
        input: x, log-probabilities, any shape.
        target: t, probabilities, or their logarithms, of a shape that broadcasts with the input's.
        size_average, reduce: of old programs; use reduction.
        reduction: "none", "sum", "mean" over all elements, or "batchmean", the sum over the first dimension's size,
            which is the mean divergence of a batch.
        log_target: whether the target holds logarithms.

    Raises:
        RuntimeError: for whole numbers, or shapes that do not broadcast.
        ValueError: for another reduction.

    Warns, as PyTorch does, that "mean" is not the mean divergence.

    >>> import fanin as torch
    >>> x, t = torch.log(torch.tensor([[0.5, 0.5]])), torch.tensor([[1.0, 0.0]])
    >>> torch.nn.functional.kl_div(x, t, reduction="batchmean")
    tensor(0.6931)

    Reference: S. Kullback, R. Leibler, "On information and sufficiency", 1951, eq. 2.4.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce)
    elif reduction == "mean":
        advice.give(UserWarning, _MEAN_OF_DIVERGENCES)
    by_batch = reduction == "batchmean"
    reduction = "sum" if by_batch else reduction_of(reduction)
    require_tensor("kl_div", input)
    require_tensor("kl_div", target, "target", 2)
    if input._array.dtype.kind != "f" or target._array.dtype.kind != "f":
        raise DtypeError("kl_div: Integral inputs not supported.", remedy="Convert with .float() first.")
    if log_target:
        values = multiply(exp(target), subtract(target, input))
    else:
        values = subtract(xlogy(target, target), multiply(target, input))
    loss = reduced(values, reduction)
    return loss / input._array.shape[0] if by_batch and input._array.ndim else loss


_MEAN_OF_DIVERGENCES = (
    "reduction: 'mean' divides the total loss by both the batch size and the support size."
    "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
    "'mean' will be changed to behave the same as 'batchmean' in the next major release."
)


def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Return e^x - t x, or x - t log(x + eps): minus the log-likelihood of a count t at rate e^x or x, but for log t!.

    Args:
        input: x, logarithms of rates, or rates; any shape.
        target: t, counts, of a shape that broadcasts with the input's.
        log_input: whether the input holds logarithms.
        full: whether Stirling's approximation of log t!, t log t - t + log(2 pi t) / 2, is added where t > 1.
        size_average, reduce: of old programs; use reduction.
        eps: keeps the logarithm of a rate of 0 finite.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: for shapes that do not broadcast.
        ValueError: for another reduction.

    >>> import fanin as torch
    >>> torch.nn.functional.poisson_nll_loss(torch.tensor([0.0]), torch.tensor([3.0]))
    tensor(1.)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    require_tensor("poisson_nll_loss", input)
    require_tensor("poisson_nll_loss", target, "target", 2)
    loss = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        stirling = target * log(target) - target + 0.5 * log(2 * math.pi * target)
        loss = loss + where(target > 1, stirling, 0.0)
    return reduced(loss, reduction)


def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Any:
    """Return (log v + (x - t)^2 / v) / 2, minus the log-likelihood of t under N(x, v), but for a constant.

    Args:
        input: x, any shape.
        target: t, of the input's shape, or one that broadcasts with it.
        var: v, of the input's shape, without its last dimension or with 1 in its place, or a number. Values below eps
            count as eps, and still get a gradient.
        full: whether the constant log(2 pi) / 2 is added.
        eps: the smallest variance.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: for a negative variance, a shape of `var` that does not fit, or another reduction.

    >>> import fanin as torch
    >>> torch.nn.functional.gaussian_nll_loss(torch.tensor([0.0]), torch.tensor([2.0]), torch.tensor([4.0]))
    tensor(1.1931)

    Reference: D. Nix, A. Weigend, "Estimating the mean and variance of the target probability distribution", 1994,
    eq. 5.
    """
    if not isinstance(var, TensorBase):
        if var < 0:
            raise ArgumentError("var has negative entry/entries", remedy=f"Got {var}.")
        var = wrap(np.full(input._array.shape, var, input._array.dtype))
    elif known(var._array) and (var._array < 0).any():
        raise ArgumentError("var has negative entry/entries", remedy=f"The smallest is {var._array.min():g}.")
    var = _fitting_variance(input, var)
    if reduction not in REDUCTIONS:
        raise ArgumentError(f"{reduction} is not valid", remedy=CHOICES)
    # The limit must not cut the gradient of v off, so only the value is raised.
    values = var._array
    var = var + wrap(maximum(values, values.dtype.type(eps)) - values)
    loss = 0.5 * (log(var) + (input - target) ** 2 / var)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def _fitting_variance(input: Any, var: Any) -> Any:
    shape, given = input._array.shape, var._array.shape
    if given == shape:
        return var
    if given == shape[:-1]:
        return reshape(var, (*given, 1))
    if len(given) == len(shape) and sum(n for n, m in zip(given, shape, strict=True) if n != m) == 1:
        return var
    raise ArgumentError(
        "var is of incorrect size", remedy=f"Expected {list(shape)}, or 1 in one place of it, got {list(given)}."
    )
