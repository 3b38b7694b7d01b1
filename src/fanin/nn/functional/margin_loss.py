"""Losses that ask for a margin between a right and a wrong answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanin._core.errors import ArgumentError, ShapeError
from fanin.nn.functional.checks import require_tensor
from fanin.nn.functional.distance import pairwise_distance
from fanin.nn.functional.reduction import in_dtype_of, reduced, reduction_of, require_within
from fanin.ops.activation import log_sigmoid
from fanin.ops.arithmetic import minimum, where, zeros_like
from fanin.ops.elementwise import clamp, sqrt
from fanin.ops.reduce import sum_
from fanin.tensor.tape import label


def at_least_zero(x: Any) -> Any:
    """Return max(0, x)."""
    return clamp(x, 0, None)


def _finished(lag: Any, reduction: str) -> Any:
    """Return what is missing to a margin, reduced."""
    return reduced(label(at_least_zero(lag), "ClampMinBackward0"), reduction)


def _require(function: str, **tensors: Any) -> None:
    for position, (name, value) in enumerate(tensors.items(), 1):
        require_tensor(function, value, name, position)


def margin_ranking_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Return max(0, -t (x1 - x2) + margin): t = 1 wants x1 above x2, t = -1 below.

    Args:
        input1: x1, any shape.
        input2: x2, of x1's shape.
        target: t, 1 or -1, of x1's shape.
        margin: by how much.
        size_average, reduce: of old programs; use reduction.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: for different numbers of dimensions.
        ValueError: for another reduction.

    >>> import fanin as torch
    >>> a, b, t = torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([1.0])
    >>> torch.nn.functional.margin_ranking_loss(a, b, t)
    tensor(2.)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if not input1.dim() == input2.dim() == target.dim():
        raise ShapeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return _finished(-target * (input1 - input2) + float(margin), reduction)


def hinge_embedding_loss(
    input: Any,
    target: Any,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Return x where t = 1 and max(0, margin - x) where t = -1: x is a distance of what is alike, or not.

    Args:
        input: x, any shape.
        target: t, 1 or -1, of a shape that broadcasts with x's.
        margin: how far apart is far enough.
        size_average, reduce: of old programs; use reduction.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: for shapes that do not broadcast.
        ValueError: for another reduction.

    >>> import fanin as torch
    >>> x, t = torch.tensor([0.25, 0.25]), torch.tensor([1.0, -1.0])
    >>> torch.nn.functional.hinge_embedding_loss(x, t, reduction="none")
    tensor([0.2500, 0.7500])
    """
    reduction = reduction_of(reduction, size_average, reduce)
    _require("hinge_embedding_loss", input=input, target=target)
    far = where(target != 1, at_least_zero(float(margin) - input), 0.0)
    near = where(target != -1, input, 0.0)
    return reduced(far + near, reduction)


def soft_margin_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Return log(1 + e^(-t x)), t = 1 or -1, finite for any x.

    Args:
        input: x, any shape.
        target: t, of a shape that broadcasts to x's.
        size_average, reduce: of old programs; use reduction.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: for a target that does not broadcast to the input's shape, or whole numbers as input.
        ValueError: for another reduction.

    PyTorch gives inf, and a gradient of nan, where e^(-t x) overflows; here the loss is -t x.

    >>> import fanin as torch
    >>> x, t = torch.tensor([0.0, -1000.0]), torch.tensor([1.0, 1.0])
    >>> torch.nn.functional.soft_margin_loss(x, t, reduction="none")
    tensor([6.9315e-01, 1.0000e+03])
    """
    reduction = reduction_of(reduction, size_average, reduce)
    _require("soft_margin_loss", input=input, target=target)
    require_within("target", target, input)
    product = input * target
    if product._array.dtype.kind != "f":
        product = product.float()
    loss = reduced(-log_sigmoid(product), reduction)
    return label(in_dtype_of(loss, input), "SoftMarginLossBackward0")


_TINY = 1e-12


def cosine_embedding_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Return 1 - cos(x1, x2) where t = 1 and max(0, cos(x1, x2) - margin) where t = -1.

    Args:
        input1: x1, (N, D) or (D).
        input2: x2, of x1's shape.
        target: t, 1 or -1, (N) or ().
        margin: the cosine that is small enough, between -1 and 1.
        size_average, reduce: of old programs; use reduction.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: for other shapes.
        ValueError: for another reduction.

    >>> import fanin as torch
    >>> a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    >>> torch.nn.functional.cosine_embedding_loss(a, b, torch.tensor([1]))
    tensor(1.)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    _require("cosine_embedding_loss", input1=input1, input2=input2, target=target)
    ndim = target.dim()
    if ndim > 1:
        raise ShapeError(
            "0D or 1D target tensor expected, multi-target not supported",
            remedy=f"The target has shape {list(target.shape)}.",
        )
    if (input1.dim(), input2.dim()) != (ndim + 1, ndim + 1):
        raise ShapeError(
            f"{ndim}D target tensor expects {ndim + 1}D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    product = sum_(input1 * input2, dim=(ndim,))
    sizes = (sum_(input1 * input1, dim=(ndim,)) + _TINY) * (sum_(input2 * input2, dim=(ndim,)) + _TINY)
    cosine = product / sqrt(sizes)
    zero = zeros_like(cosine)
    near = where(target == 1, 1 - cosine, zero)
    far = where(target == -1, at_least_zero(cosine - margin), zero)
    return reduced(near + far, reduction)


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Return max(0, d(a, p) - d(a, n) + margin), d(x, y) = |x - y + eps|_p: the positive nearer than the negative.

    Args:
        anchor: a, (N, D) or (D).
        positive: p, of a's shape.
        negative: n, of a's shape.
        margin: by how much, greater than 0.
        p: of the norm.
        eps: keeps the derivative of a distance of 0 finite.
        swap: whether the smaller of d(a, n) and d(p, n) counts.
        size_average, reduce: of old programs; use reduction.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: for different numbers of dimensions.
        ValueError: unless margin > 0, or for another reduction.

    >>> import fanin as torch
    >>> a, p, n = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0]])
    >>> torch.nn.functional.triplet_margin_loss(a, p, n)
    tensor(4.0000)

    Reference: V. Balntas et al., "Learning shallow convolutional feature descriptors with triplet losses", 2016, for
    the swap.
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if margin <= 0:
        raise ArgumentError(f"margin must be greater than 0, got {margin}")
    _require("triplet_margin_loss", anchor=anchor, positive=positive, negative=negative)

    def distance(a: Any, b: Any) -> Any:
        return pairwise_distance(a, b, p, eps)

    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """Return max(0, d(a, p) - d(a, n) + margin) with a distance of your own.

    Args:
        anchor: a, as the distance takes it; (N, D) for the default one.
        positive: p, of a's shape.
        negative: n, of a's shape.
        distance_function: d(x, y); `pairwise_distance` when left out.
        margin: by how much, greater than 0.
        swap: whether the smaller of d(a, n) and d(p, n) counts.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: for different numbers of dimensions.
        ValueError: unless margin > 0, or for another reduction.

    >>> import fanin as torch
    >>> a, p, n = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0]])
    >>> largest = lambda x, y: (x - y).abs().amax(-1)
    >>> torch.nn.functional.triplet_margin_with_distance_loss(a, p, n, distance_function=largest)
    tensor(3.)
    """
    reduction = reduction_of(reduction)
    if margin <= 0:
        raise ArgumentError(f"margin must be greater than 0, got {margin}")
    return _triplet(anchor, positive, negative, distance_function or pairwise_distance, margin, swap, reduction)


def _triplet(
    anchor: Any, positive: Any, negative: Any, distance: Any, margin: float, swap: bool, reduction: str
) -> Any:
    dims = (anchor.dim(), positive.dim(), negative.dim())
    if len(set(dims)) > 1:
        raise ShapeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {dims[0]}D, positive {dims[1]}D, and negative {dims[2]}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return _finished(near - far + margin, reduction)
