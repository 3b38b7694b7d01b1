"""Derivatives of a function that is known at points, by differences of its values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fanin._core.errors import OperationError
from fanin.ops.index import getitem
from fanin.ops.rules import wrap_dim
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.joining import cat
from fanin.tensor.functions.operands import require_tensor
from fanin.tensor.functions.selecting import along_dim
from fanin.tensor.tape import apply, wrap


def gradient(input: Any, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> tuple[Any, ...]:
    """Return the derivative of the values along each dimension, estimated to second order inside.

    spacing:    the distance of neighbours: a number, one for each dimension, or a list of the points of each.
    dim:        a dimension or several; all of them where left out.
    edge_order: 1 or 2, the order at both ends.

    Raises RuntimeError when a dimension has fewer than edge_order + 1 values.

    >>> import fanin as torch
    >>> torch.gradient(torch.tensor([0.0, 1.0, 4.0, 9.0]))
    (tensor([1., 2., 4., 5.]),)
    """
    shape = require_tensor("gradient", input)._array.shape
    dims = _dims(dim, len(shape))
    if edge_order not in (1, 2):
        raise OperationError("torch.gradient only supports edge_order=1 and edge_order=2.")
    if any(shape[d] <= edge_order for d in dims):
        raise OperationError("torch.gradient expected each dimension size to be at least edge_order+1")
    steps = _steps(spacing, dims, dim is None)
    return tuple(_along(input, d, step, edge_order) for d, step in zip(dims, steps, strict=True))


def _dims(dim: Any, ndim: int) -> list[int]:
    wanted = range(ndim) if dim is None else dim if isinstance(dim, Sequence) else (dim,)
    dims = [wrap_dim(int(d), ndim) for d in wanted]
    twice = next((d for d in dims if dims.count(d) > 1), None)
    if twice is not None:
        raise OperationError(f"dim {twice} appears multiple times in the list of dims")
    return dims


def _steps(spacing: Any, dims: list[int], is_all: bool) -> list[Any]:
    """Return for each dimension the distance of neighbours, or an array of the distances."""
    if not isinstance(spacing, Sequence):
        step = 1.0 if spacing is None else float(spacing)
        return [step] * len(dims)
    if len(spacing) != len(dims):
        among = f"'self.dim() = {len(dims)}', since dim argument was not given" if is_all else "dim"
        raise OperationError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to "
            f"{among}, but got a list of length {len(spacing)}"
        )
    return [np.diff(s._array) if isinstance(s, TensorBase) and s._array.ndim else float(s) for s in spacing]


def _along(x: Any, dim: int, step: Any, edge_order: int) -> Any:
    count = x._array.shape[dim]
    if isinstance(step, np.ndarray) and len(step) != count - 1:
        raise OperationError(
            f"torch.gradient expected as many points along dimension {dim} as values, {count}, got {len(step) + 1}"
        )
    kind = x._array.dtype if x._array.dtype.kind == "f" else np.dtype(np.float32)
    ends = [_edge(x, dim, step, edge_order, at_end) for at_end in (False, True)]
    if count == 2:
        return cat(ends, dim)
    return cat([ends[0], _inside(x, dim, step, kind), ends[1]], dim)


def _inside(x: Any, dim: int, step: Any, kind: Any) -> Any:
    before, here, after = (_part(x, dim, slice(i, i - 2 or None)) for i in range(3))
    if not isinstance(step, np.ndarray):
        return (after - before) / (2.0 * step)
    left, right = step[:-1], step[1:]
    shape = (-1,) + (1,) * (x._array.ndim - 1 - dim)
    a, b, c = (
        wrap(np.asarray(w, kind).reshape(shape))
        for w in (-right / (left * (left + right)), (right - left) / (left * right), left / (right * (left + right)))
    )
    return a * before + b * here + c * after


def _edge(x: Any, dim: int, step: Any, order: int, at_end: bool) -> Any:
    """Return the derivative at one end, from the two or three values there."""
    sign, places = (-1.0, (-1, -2, -3)) if at_end else (1.0, (0, 1, 2))
    values = [_part(x, dim, slice(i, i + 1 or None)) for i in places[: order + 1]]
    gaps = [step, step]
    if isinstance(step, np.ndarray):
        gaps = [float(gap) for gap in (step[::-1] if at_end else step)[:2]]
    if order == 1:
        return (values[1] - values[0]) / (sign * gaps[0])
    near, far = gaps
    both = near + far
    weights = (-(near + both) / (near * both), both / (near * far), -near / (far * both))
    return sum(sign * weight * value for weight, value in zip(weights, values, strict=True))


def _part(x: Any, dim: int, part: slice) -> Any:
    return apply(getitem, (x,), {"index": along_dim(dim, part)})
