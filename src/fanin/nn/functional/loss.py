"""Losses that compare predictions with numbers, probabilities or classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin._core import advice
from fanin._core.errors import ArgumentError, DtypeError, OperationError, ShapeError
from fanin.ops import loss as ops
from fanin.ops.arithmetic import multiply, subtract, where
from fanin.ops.elementwise import exp, log
from fanin.ops.power import xlogy
from fanin.ops.reduce import log_softmax
from fanin.ops.reduce import mean as mean_op
from fanin.ops.reduce import sum_ as sum_op
from fanin.ops.shape import permute, reshape
from fanin.tensor.base import TensorBase
from fanin.tensor.tape import apply, wrap

_REDUCTIONS = ("none", "mean", "sum")


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless reduction is "none", "mean" or "sum"."""
    if reduction not in _REDUCTIONS:
        raise ArgumentError(f"{reduction} is not a valid value for reduction; choose from {', '.join(_REDUCTIONS)}")


def reduced(values: Any, reduction: str) -> Any:
    """Return the values, their mean or their sum."""
    check_reduction(reduction)
    if reduction == "none":
        return values
    dims = tuple(range(values._array.ndim))
    return apply(mean_op if reduction == "mean" else sum_op, (values,), {"dim": dims, "keepdim": False})


def _check_equal_shapes(name: str, input: Any, target: Any) -> None:
    a, b = input._array.shape, target._array.shape
    if a == b:
        return
    advice.give(
        advice.BroadcastLoss,
        f"{name}: using a target size (torch.Size({list(b)})) that is different to the input size (torch.Size({list(a)})). "
        "Broadcasting compares every prediction with every target, which is hardly what is meant: bring both to one shape, "
        "e.g. target.unsqueeze(1), output.squeeze(1) or target.view_as(output).",
    )


def _compared(name: str, op: Any, input: Any, target: Any, reduction: str, weight: Any, **attrs: Any) -> Any:
    check_reduction(reduction)
    if input._array.shape != target._array.shape:
        _check_equal_shapes(name, input, target)
    if weight is None:
        return apply(op, (input, target), {"reduction": reduction, **attrs})
    values = apply(op, (input, target), {"reduction": "none", **attrs})
    total = reduced(values * weight, "none" if reduction == "none" else "sum")
    return total / weight.sum() if reduction == "mean" else total


def mse_loss(input: Any, target: Any, *_: Any, reduction: str = "mean", weight: Any = None) -> Any:
    """Return the squared error (x - t)^2, its mean or its sum.

    >>> import fanin as torch
    >>> torch.nn.functional.mse_loss(torch.tensor([2.5, 5.0, 3.0]), torch.tensor([3.0, 5.0, 2.5]))
    tensor(0.1667)
    """
    return _compared("mse_loss", ops.mse, input, target, reduction, weight)


def l1_loss(input: Any, target: Any, *_: Any, reduction: str = "mean", weight: Any = None) -> Any:
    """Return the absolute error |x - t|, its mean or its sum.

    >>> import fanin as torch
    >>> torch.nn.functional.l1_loss(torch.tensor([2.5, 5.0, 3.0]), torch.tensor([3.0, 5.0, 2.5]))
    tensor(0.3333)
    """
    return _compared("l1_loss", ops.l1, input, target, reduction, weight)


def smooth_l1_loss(input: Any, target: Any, *_: Any, reduction: str = "mean", beta: float = 1.0) -> Any:
    """Return (x - t)^2 / (2 beta) where |x - t| < beta, else |x - t| - beta / 2 (Girshick 2015, arXiv 1504.08083, eq. 3).

    Raises RuntimeError for a negative beta.
    """
    if beta < 0:
        raise OperationError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    loss = _compared("smooth_l1_loss", ops.huber, input, target, reduction, None, delta=float(beta))
    return loss if beta == 1 else loss / beta


def huber_loss(
    input: Any, target: Any, *_: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None
) -> Any:
    """Return (x - t)^2 / 2 where |x - t| < delta, else delta (|x - t| - delta / 2) (Huber 1964, section 3).

    Raises RuntimeError for a delta that is not positive.
    """
    if delta <= 0:
        raise OperationError("huber_loss does not support non-positive values for delta.")
    return _compared("huber_loss", ops.huber, input, target, reduction, weight, delta=float(delta))


# Classes --------------------------------------------------------------------------------------------------------------


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    *_: Any,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Return the cross-entropy -sum_c q_c log softmax(x)_c of logits against classes or probabilities.

    input:  logits, (C), (N, C) or (N, C, d1, ...).
    target: class numbers (int64) of the input's shape without C, or probabilities of the input's shape.
    weight: (C), a factor for each class; a mean divides by the sum of the factors of the targets.
    ignore_index:    targets of this number do not count.
    label_smoothing: the share of q that is spread equally over all classes (Szegedy et al. 2016, arXiv 1512.00567, sec. 7).

    Raises ValueError or RuntimeError for shapes that do not fit, IndexError for a class that does not exist.

    >>> import fanin as torch
    >>> logits = torch.tensor([[1.5, 2.0, 0.5], [0.5, 1.0, 1.5]])
    >>> torch.nn.functional.cross_entropy(logits, torch.tensor([1, 2]), reduction="none")
    tensor([0.6041, 0.6803])
    """
    check_reduction(reduction)
    if not 0 <= label_smoothing <= 1:
        raise OperationError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    _check_logits(input)
    if target._array.dtype.kind == "f":
        return _soft_cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)
    attrs = {"reduction": reduction, "ignore_index": ignore_index, "label_smoothing": float(label_smoothing)}
    return _by_class(ops.cross_entropy, input, target, weight, attrs)


def nll_loss(
    input: Any, target: Any, weight: Any = None, *_: Any, ignore_index: int = -100, reduction: str = "mean"
) -> Any:
    """Return minus the log-probability of the target class; the arguments are those of `cross_entropy`, with log p as input."""
    check_reduction(reduction)
    return _by_class(ops.nll, input, target, weight, {"reduction": reduction, "ignore_index": ignore_index})


_SOFTMAX = ("softmax",)


def _origin(input: Any) -> str:
    """Return the name of the operation that made a tensor, seen through changes of shape."""
    node = input._node
    while node is not None and node.op.view and node.edges and node.edges[0] is not None:
        node = node.edges[0] if not isinstance(node.edges[0], TensorBase) else None
    return "" if node is None else node.op.name


def _check_logits(input: Any) -> None:
    if input._node is not None and advice.wanted(advice.SoftmaxBeforeCrossEntropy) and _origin(input) in _SOFTMAX:
        advice.give(
            advice.SoftmaxBeforeCrossEntropy,
            "cross_entropy takes logits, but its input has already gone through softmax: it would be applied twice, the "
            "loss could not get near 0 and training would be slow. Leave the Softmax layer out of the model while it "
            "trains (or use log_softmax with NLLLoss).",
        )


def _by_class(op: Any, input: Any, target: Any, weight: Any, attrs: dict[str, Any]) -> Any:
    x, t = input._array, target._array
    _check_class_arguments(x, t, weight)
    extra = () if weight is None else (weight,)
    if x.ndim == 2:
        return apply(op, (input, target, *extra), attrs)
    if x.ndim == 1:
        loss = apply(op, (reshape(input, (1, *x.shape)), reshape(target, (1,)), *extra), attrs)
        return reshape(loss, ())
    rows = reshape(permute(input, dims=(0, *range(2, x.ndim), 1)), (t.size, x.shape[1]))
    loss = apply(op, (rows, reshape(target, (t.size,)), *extra), attrs)
    return reshape(loss, t.shape) if attrs["reduction"] == "none" else loss


def _check_class_arguments(x: Any, t: Any, weight: Any) -> None:
    if x.ndim == 0:
        raise ShapeError("the input needs a dimension of classes: (C), (N, C) or (N, C, d1, ...), got a scalar")
    wanted = () if x.ndim == 1 else (x.shape[0], *x.shape[2:])
    if t.shape != wanted and not (x.ndim == 1 and t.shape == (1,)):
        if x.ndim == 2 and t.ndim > 1:
            raise ShapeError(
                f"0D or 1D target tensor expected, multi-target not supported: the target has shape {list(t.shape)}, "
                f"expected {list(wanted)}; drop the extra dimension with target.squeeze(1)"
            )
        if x.ndim > 1 and t.ndim and t.shape[0] != x.shape[0]:
            raise BatchSizeError(f"Expected input batch_size ({x.shape[0]}) to match target batch_size ({t.shape[0]}).")
        raise ShapeError(f"size mismatch: the target has shape {list(t.shape)}, expected {list(wanted)}")
    if t.dtype not in (np.int64, np.uint8):
        raise DtypeError(f"expected scalar type Long but found {t.dtype}; convert the classes with .long()")
    if weight is not None and weight._array.shape != (x.shape[min(1, x.ndim - 1)],):
        raise ShapeError(
            "weight tensor should be defined either for all classes or no classes: expected shape "
            f"[{x.shape[min(1, x.ndim - 1)]}], got {list(weight._array.shape)}"
        )
    if weight is not None and weight._array.dtype != x.dtype:
        raise DtypeError(f"expected scalar type {x.dtype} but found {weight._array.dtype} for weight")


class BatchSizeError(ArgumentError):
    """A target of another batch size than the input."""


def _soft_cross_entropy(input: Any, target: Any, weight: Any, ignore: int, reduction: str, smoothing: float) -> Any:
    if input._array.shape != target._array.shape:
        raise ShapeError(
            f"probabilities as target need the input's shape {list(input._array.shape)}, got {list(target._array.shape)}; "
            "class numbers must be int64 (use .long())"
        )
    if ignore >= 0:
        raise OperationError("ignore_index is not supported for floating point target")
    classes_at = min(1, input._array.ndim - 1)
    classes = input._array.shape[classes_at]
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    values = -log_softmax(input, dim=classes_at) * target
    if weight is not None:
        values = values * reshape(weight, (classes,) + (1,) * (input._array.ndim - 1 - classes_at))
    if reduction == "none":
        return sum_op(values, dim=(classes_at,), keepdim=False)
    total = reduced(values, "sum")
    return total / (values._array.size / classes) if reduction == "mean" and classes else total


# Probabilities --------------------------------------------------------------------------------------------------------


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, *_: Any, reduction: str = "mean") -> Any:
    """Return -(t log p + (1 - t) log(1 - p)), logarithms cut off at -100.

    Raises RuntimeError for probabilities outside [0, 1], ValueError for shapes that differ.

    >>> import fanin as torch
    >>> p, t = torch.tensor([0.7, 0.2, 0.9, 0.7]), torch.tensor([1.0, 0.0, 1.0, 0.0])
    >>> torch.nn.functional.binary_cross_entropy(p, t, reduction="none")
    tensor([0.3567, 0.2231, 0.1054, 1.2040])
    """
    check_reduction(reduction)
    a, b = input._array, target._array
    if a.shape != b.shape:
        raise ArgumentError(
            f"Using a target size (torch.Size({list(b.shape)})) that is different to the input size "
            f"(torch.Size({list(a.shape)})) is deprecated. Please ensure they have the same size."
        )
    if a.dtype != b.dtype:
        raise DtypeError(f"Found dtype {b.dtype} but expected {a.dtype}; convert the target with .to(input.dtype)")
    loss = apply(ops.bce, (input, target), {})
    return reduced(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, *_: Any, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """Return -(w_p t log s(x) + (1 - t) log(1 - s(x))) with s the sigmoid, stable for any x.

    weight:     a factor for each element (broadcast); pos_weight: w_p, a factor for the positive targets (broadcast).

    Raises ValueError for shapes that differ.
    """
    check_reduction(reduction)
    a, b = input._array, target._array
    if a.shape != b.shape:
        raise ArgumentError(f"Target size (torch.Size({list(b.shape)})) must be the same as input size (torch.Size({list(a.shape)}))")
    _check_targets(b)
    if pos_weight is None:
        loss = apply(ops.bce_with_logits, (input, target), {})
    else:
        # (1 - t) x + (1 + (w_p - 1) t) log(1 + e^-x)
        loss = (1 - target) * input + ((pos_weight - 1) * target + 1) * ops.softplus_of_minus(input)
    return reduced(loss if weight is None else loss * weight, reduction)


def _check_targets(t: Any) -> None:
    if t.size and advice.wanted(advice.TargetOutOfRange) and (t.min() < 0 or t.max() > 1):
        advice.give(
            advice.TargetOutOfRange,
            f"binary_cross_entropy_with_logits: targets are probabilities, but these lie between {t.min():g} and "
            f"{t.max():g}; outside [0, 1] the loss has no minimum. Labels -1 and 1 become (target + 1) / 2; several classes "
            "need cross_entropy.",
        )


def kl_div(input: Any, target: Any, *_: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    """Return t (log t - x) with x = log of the predicted distribution: KL(t || e^x) when summed (0 log 0 = 0).

    reduction:  "batchmean" divides the sum by the first dimension, which is the divergence's mean over a batch.
    log_target: the target holds logarithms, too.
    """
    if reduction not in (*_REDUCTIONS, "batchmean"):
        raise ArgumentError(f"{reduction} is not a valid value for reduction")
    if reduction == "mean":
        advice.give(
            UserWarning,
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
        )
    if log_target:
        values = multiply(exp(target), subtract(target, input))
    else:
        values = subtract(xlogy(target, target), multiply(target, input))
    if reduction == "batchmean":
        total = reduced(values, "sum")
        return total / input._array.shape[0] if input._array.ndim else total
    return reduced(values, reduction)


def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    *_: Any,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Any:
    """Return e^x - t x (log_input), or x - t log(x + eps): minus the log-likelihood of a count t without log t!.

    full: add Stirling's approximation t log t - t + log(2 pi t) / 2 of log t!, where t > 1.
    """
    check_reduction(reduction)
    loss = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        stirling = target * log(target) - target + 0.5 * log(2 * math.pi * target)
        loss = loss + where(target > 1, stirling, 0.0 * target)
    return reduced(loss, reduction)


def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Any:
    """Return (log v + (x - t)^2 / v) / 2, minus the log-likelihood of t under N(x, v) (Nix & Weigend 1994, eq. 5).

    var:  v of the input's shape, or with a last dimension of 1 or none; values below eps count as eps.
    full: add log(2 pi) / 2.

    Raises ValueError for negative variances or shapes that do not fit.
    """
    if not isinstance(var, TensorBase):
        if var < 0:
            raise ArgumentError("var has negative entry/entries")
        var = wrap(np.full(input._array.shape, var, input._array.dtype))
    var = _fitting_variance(input, var)
    check_reduction(reduction)
    if (var._array < 0).any():
        raise ArgumentError("var has negative entry/entries")
    # The limit must not cut the gradient of v off, so only the value is raised.
    var = var + wrap(np.maximum(var._array, var._array.dtype.type(eps)) - var._array)
    loss = 0.5 * (log(var) + (input - target) ** 2 / var)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def _fitting_variance(input: Any, var: Any) -> Any:
    shape, given = input._array.shape, var._array.shape
    if given == shape:
        return var
    if given == shape[:-1]:
        return reshape(var, (*given, 1))
    if len(given) == len(shape) and sum(a != b for a, b in zip(given, shape, strict=True)) == sum(
        a != b and a == 1 for a, b in zip(given, shape, strict=True)
    ):
        return var
    raise ArgumentError(f"var is of incorrect size: expected {list(shape)}, got {list(given)}")
