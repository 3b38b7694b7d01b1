"""Cross-entropy and negative log-likelihood: predictions against one class of many."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core import advice
from fanin._core.dtypes import from_numpy
from fanin._core.errors import (
    ArgumentError,
    DimensionError,
    DtypeError,
    OperationError,
    ShapeError,
    UnsupportedDtypeError,
)
from fanin.nn.functional.checks import require_tensor
from fanin.nn.functional.reduction import reduced, reduction_of
from fanin.ops import class_loss as ops
from fanin.ops.reduce import log_softmax, sum_
from fanin.ops.shape import permute, reshape
from fanin.tensor.base import TensorBase
from fanin.tensor.tape import apply, label

_NO_CLASSES = "The input needs a dimension of classes: (C), (N, C) or (N, C, d1, ...)."


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Return the cross-entropy -sum_c q_c log softmax(x)_c of logits against classes or probabilities.

    Args:
        input: x, logits, (C), (N, C) or (N, C, d1, ...).
        target: class numbers, int64, of the input's shape without C; or probabilities q of the input's shape.
        weight: (C), a factor for each class; a mean over class numbers divides by the sum of the targets' factors.
        size_average, reduce: of old programs; use reduction.
        ignore_index: a class number that does not count.
        reduction: "none", "mean" or "sum".
        label_smoothing: the share of q that is spread evenly over all classes.

    Raises:
        IndexError: for a class that does not exist.
        RuntimeError: for shapes and dtypes that do not fit, or a share outside [0, 1].
        ValueError: for another batch size, or another reduction.

    Warns of an input that has gone through softmax already.

    >>> import fanin as torch
    >>> logits = torch.tensor([[1.5, 2.0, 0.5], [0.5, 1.0, 1.5]])
    >>> torch.nn.functional.cross_entropy(logits, torch.tensor([1, 2]), reduction="none")
    tensor([0.6041, 0.6803])

    Reference: C. Szegedy et al., "Rethinking the Inception architecture", 2016, arXiv 1512.00567, sec. 7, for the
    smoothing of labels.
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if not (isinstance(input, TensorBase) and isinstance(target, TensorBase)):
        require_tensor("cross_entropy_loss", input)
        require_tensor("cross_entropy_loss", target, "target", 2)
    if not 0 <= label_smoothing <= 1:
        raise OperationError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if input._node is not None and advice.wanted(advice.SoftmaxBeforeCrossEntropy):
        _check_logits(input)
    if input._array.shape == target._array.shape:
        return _of_probabilities(input, target, weight, ignore_index, reduction, label_smoothing)
    attrs = {"reduction": reduction, "ignore_index": ignore_index, "label_smoothing": float(label_smoothing)}
    loss = _by_class(ops.cross_entropy, input, target, weight, attrs)
    return label(loss, "AddBackward0") if label_smoothing else loss


def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Return minus the log-probability of the target class, -w_t x_t.

    Args:
        input: x, log-probabilities, (C), (N, C) or (N, C, d1, ...).
        target: class numbers, int64, of the input's shape without C.
        weight: (C), a factor for each class; a mean divides by the sum of the targets' factors.
        size_average, reduce: of old programs; use reduction.
        ignore_index: a class number that does not count.
        reduction: "none", "mean" or "sum".

    Raises:
        IndexError: for a class that does not exist.
        RuntimeError: for shapes and dtypes that do not fit.
        ValueError: for another batch size, or another reduction.

    >>> import fanin as torch
    >>> x = torch.log(torch.tensor([[0.25, 0.75]]))
    >>> torch.nn.functional.nll_loss(x, torch.tensor([1]))
    tensor(0.2877)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if not (isinstance(input, TensorBase) and isinstance(target, TensorBase)):
        require_tensor("nll_loss_nd", input)
        require_tensor("nll_loss_nd", target, "target", 2)
    return _by_class(ops.nll, input, target, weight, {"reduction": reduction, "ignore_index": ignore_index})


def _origin(input: Any) -> str:
    """Return the name of the operation that made a tensor, seen through changes of shape."""
    node = input._node
    while node is not None and node.op.view and node.edges and node.edges[0] is not None:
        node = node.edges[0] if not isinstance(node.edges[0], TensorBase) else None
    return "" if node is None else node.op.name


def _check_logits(input: Any) -> None:
    if _origin(input) == "softmax":
        advice.give(
            advice.SoftmaxBeforeCrossEntropy,
            "cross_entropy takes logits, but its input has already gone through softmax: it would be applied twice, "
            "the loss could not get near 0 and training would be slow. Leave the Softmax layer out of the model "
            "while it trains (or use log_softmax with NLLLoss).",
        )


_KERNELS = {"cross_entropy": "log_softmax_lastdim_kernel_impl", "nll_loss": "nll_loss_out_frame"}


def _by_class(op: Any, input: Any, target: Any, weight: Any, attrs: dict[str, Any]) -> Any:
    x, t = input._array, target._array
    _check_class_arguments(op.name, x, t, weight)
    inputs = () if weight is None else (weight,)
    if x.ndim == 2:
        return apply(op, (input, target, *inputs), attrs)
    if x.ndim == 1:
        loss = apply(op, (reshape(input, (1, *x.shape)), reshape(target, (1,)), *inputs), attrs)
        return label(reshape(loss, ()), "NllLossBackward0")
    rows = reshape(permute(input, dims=(0, *range(2, x.ndim), 1)), (t.size, x.shape[1]))
    loss = apply(op, (rows, reshape(target, (t.size,)), *inputs), attrs)
    if attrs["reduction"] != "none":
        return label(loss, "NllLoss2DBackward0")
    return label(reshape(loss, t.shape), "ViewBackward0" if x.ndim == 3 else "NllLoss2DBackward0")


def _check_class_arguments(name: str, x: Any, t: Any, weight: Any) -> None:
    if not x.ndim:
        raise ArgumentError("Expected 1 or more dimensions (got 0)", remedy=_NO_CLASSES)
    wanted = () if x.ndim == 1 else (x.shape[0], *x.shape[2:])
    if t.shape != wanted and not (x.ndim == 1 and t.shape == (1,)):
        _refuse_shapes(x, t, wanted)
    if t.dtype not in (np.int64, np.uint8):
        raise DtypeError(
            f"expected target dtype to be Long or Byte, but got {from_numpy(t.dtype).legacy_name}",
            remedy="Convert the class numbers with .long(); probabilities need the shape of the input.",
        )
    if x.dtype.kind != "f":
        raise UnsupportedDtypeError(
            f"\"{_KERNELS[name]}\" not implemented for '{from_numpy(x.dtype).legacy_name}'",
            remedy="Convert the input with .float().",
        )
    if weight is not None:
        _check_class_weight(x, weight._array)
        if weight._array.dtype != x.dtype:
            given, wanted_type = from_numpy(weight._array.dtype), from_numpy(x.dtype)
            raise DtypeError(
                f"expected scalar type {wanted_type.legacy_name} but found {given.legacy_name}",
                remedy="Convert the weight to the dtype of the input.",
            )


def _refuse_shapes(x: Any, t: Any, wanted: tuple[int, ...]) -> None:
    if x.ndim > 1 and (not t.ndim or t.shape[0] != x.shape[0]):
        rows = t.shape[0] if t.ndim else 0
        raise ArgumentError(
            f"Expected input batch_size ({x.shape[0]}) to match target batch_size ({rows}).",
            remedy=f"The target has shape {list(t.shape)}, expected {list(wanted)}.",
        )
    if x.ndim == 2 and t.ndim > 1:
        raise ShapeError(
            "0D or 1D target tensor expected, multi-target not supported",
            remedy=f"The target has shape {list(t.shape)}, expected {list(wanted)}. Drop the extra dimension with "
            "target.squeeze(1), or take the class numbers of rows of zeros and a one with target.argmax(1).",
        )
    if x.ndim == 1:
        raise ShapeError(f"For 1D input, 1D target must have size 1, but got target size: {t.size}")
    raise ShapeError(f"Expected target size {list(wanted)}, got {list(t.shape)}")


def _check_class_weight(x: Any, weight: Any) -> None:
    classes = x.shape[min(1, x.ndim - 1)]
    if weight.shape != (classes,):
        raise ShapeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}"
        )


def _of_probabilities(input: Any, target: Any, weight: Any, ignore: int, reduction: str, smoothing: float) -> Any:
    if target._array.dtype.kind != "f":
        raise DtypeError(
            "Expected floating point type for target with class probabilities, got "
            f"{from_numpy(target._array.dtype).legacy_name}",
            remedy="A target of the input's shape holds probabilities; class numbers have one dimension less: "
            "target.argmax(1).",
        )
    if not input._array.ndim:
        raise DimensionError("Dimension specified as 1 but tensor has no dimensions", remedy=_NO_CLASSES)
    if ignore >= 0:
        raise OperationError("ignore_index is not supported for floating point target")
    classes_at = min(1, input._array.ndim - 1)
    classes = input._array.shape[classes_at]
    if weight is not None:
        _check_class_weight(input._array, weight._array)
        weight = reshape(weight, (classes,) + (1,) * (input._array.ndim - 1 - classes_at))
    if smoothing and classes:
        target = target * (1 - smoothing) + smoothing / classes
    values = log_softmax(input, dim=classes_at) * target
    if weight is not None:
        values = values * weight
    if reduction == "none":
        return -sum_(values, dim=(classes_at,), keepdim=False)
    total = -reduced(values, "sum")
    if reduction == "sum" or not classes:
        return total
    return label(total / (values._array.size / classes), "DivBackward1")
