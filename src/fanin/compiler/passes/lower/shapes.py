"""Elements moved: transposition, rolling, triangles, diagonals, windows, parts put together."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin.compiler.graph import constant
from fanin.compiler.passes.lower.common import add_up, astype, numbers_of, take, zero_unless
from fanin.compiler.passes.lower.rules import lowers
from fanin.ops.index import getitem
from fanin.ops.rules import result_dtype
from fanin.ops.shape import cat, permute, reshape


@lowers("transpose")
def transpose(x: Any, *, dim0: int, dim1: int) -> Any:
    """Exchange two dimensions."""
    if x.ndim < 2:
        return x
    order = list(range(x.ndim))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return permute(x, dims=tuple(order))


@lowers("roll")
def roll(x: Any, *, shifts: int | tuple[int, ...], dims: Any) -> Any:
    """Move elements on, and those that leave at the end to the start."""
    if dims is None:
        flat = reshape(x, (x.size,))
        return reshape(_rolled(flat, int(np.sum(shifts)), 0), x.shape)
    shifts = (shifts,) if isinstance(shifts, int) else shifts
    for shift, dim in zip(shifts, (dims,) if isinstance(dims, int) else dims, strict=True):
        x = _rolled(x, shift, dim)
    return x


def _rolled(x: Any, shift: int, dim: int) -> Any:
    n = x.shape[dim]
    cut = -shift % n if n else 0
    if not cut:
        return x
    lead = (slice(None),) * dim
    end, start = (getitem(x, index=(*lead, part)) for part in (slice(cut, n), slice(0, cut)))
    return cat(end, start, dim=dim)


@lowers("cat")
def parts_together(*xs: Any, dim: int) -> Any:
    """Leave out empty parts, and bring the others to one dtype."""
    present = [x for x in xs if x.shape[dim] and x.shape != (0,)] or list(xs[-1:])
    kind = result_dtype(tuple(np.empty((1,) * x.ndim, x.dtype) for x in xs))
    if len(present) == len(xs) and all(x.dtype == kind for x in xs):
        return None
    parts = [astype(x, kind) for x in present]
    return parts[0] if len(parts) == 1 else cat(*parts, dim=dim)


# Triangles, diagonals, windows: which elements is known beforehand. ---------------------------------------------------


@lowers("tril")
def tril(x: Any, *, diagonal: int) -> Any:
    """Return zeros above a diagonal."""
    return zero_unless(constant(_below(x.shape, diagonal)), x)


@lowers("triu")
def triu(x: Any, *, diagonal: int) -> Any:
    """Return zeros below a diagonal."""
    return zero_unless(constant(~_below(x.shape, diagonal - 1)), x)


def _below(shape: tuple[int, ...], diagonal: int) -> Any:
    """Return a mask of what lies on a diagonal and below."""
    rows, columns = shape[-2:]
    return np.tri(rows, columns, k=diagonal) == 1


@lowers("diagonal")
def diagonal(x: Any, *, offset: int, dim1: int, dim2: int) -> Any:
    """Read a diagonal."""
    return take(x, np.diagonal(numbers_of(x.shape), offset, dim1, dim2))


@lowers("diagonal_zeros")
def diagonal_zeros(g: Any, *, shape: tuple[int, ...], offset: int, dim1: int, dim2: int) -> Any:
    """Return zeros with g on a diagonal."""
    return add_up(g, np.diagonal(numbers_of(shape), offset, dim1, dim2), shape)


@lowers("unfold")
def unfold(x: Any, *, dim: int, size: int, step: int) -> Any:
    """Read windows along a dimension."""
    return take(x, _windows(x.shape, dim, size, step))


@lowers("unfold_sum")
def unfold_sum(g: Any, *, shape: tuple[int, ...], dim: int, size: int, step: int) -> Any:
    """Add up windows where they came from."""
    return add_up(g, _windows(shape, dim, size, step), shape)


def _windows(shape: tuple[int, ...], dim: int, size: int, step: int) -> Any:
    found = np.lib.stride_tricks.sliding_window_view(numbers_of(shape), size, axis=dim)
    return found[(slice(None),) * dim + (slice(None, None, step),)]
