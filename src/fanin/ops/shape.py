"""Operations that move elements and change none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin._core.errors import ShapeError
from fanin.ops.op import Op, Spec, define
from fanin.ops.rules import result_dtype, shape_of


def _reshape_spec(x: Spec, *, shape: tuple[int, ...]) -> Spec:
    return Spec(resolve_shape(x.shape, shape), x.dtype)


def resolve_shape(old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...]:
    """Return new with its one -1 filled in, so that it holds as many elements as old; raise ShapeError otherwise."""
    total = math.prod(old)
    if new == (-1,) and total:
        return (total,)
    if new.count(-1) > 1:
        raise ShapeError("only one dimension can be inferred")
    if any(n < -1 for n in new):
        raise ShapeError(f"invalid shape dimension {min(new)}")
    known = math.prod(n for n in new if n != -1)
    if -1 in new:
        if known == 0 and total == 0:
            raise ShapeError(
                f"cannot reshape tensor of 0 elements into shape {list(new)} because the unspecified dimension size -1 "
                "can be any value and is ambiguous"
            )
        if known == 0 or total % known:
            raise ShapeError(f"shape '{list(new)}' is invalid for input of size {total}")
        return tuple(total // known if n == -1 else n for n in new)
    if known != total:
        raise ShapeError(f"shape '{list(new)}' is invalid for input of size {total}")
    return new


reshape_op: Op = define(
    "reshape",
    lambda x, *, shape: x.reshape(shape),
    _reshape_spec,
    vjps=(lambda g, out, x, *, shape: reshape(g, shape_of(x)),),
    view=True,
    grad_name="ViewBackward0",
)


def reshape(x: Any, shape: tuple[int, ...]) -> Any:
    """Return x with another shape of as many elements."""
    return x if x.shape == shape else reshape_op(x, shape=shape)


transpose: Op = define(
    "transpose",
    lambda x, *, dim0, dim1: x.swapaxes(dim0, dim1) if x.ndim else x,
    lambda x, *, dim0, dim1: Spec(np.empty(x.shape, np.bool_).swapaxes(dim0, dim1).shape if x.shape else (), x.dtype),
    vjps=(lambda g, out, x, *, dim0, dim1: transpose(g, dim0=dim0, dim1=dim1),),
    view=True,
)
permute: Op = define(
    "permute",
    lambda x, *, dims: x.transpose(dims),
    lambda x, *, dims: Spec(tuple(x.shape[d] for d in dims), x.dtype),
    vjps=(lambda g, out, x, *, dims: permute(g, dims=tuple(int(i) for i in np.argsort(dims))),),
    view=True,
)
flip: Op = define(
    "flip",
    lambda x, *, dims: np.flip(x, dims).copy(),
    lambda x, *, dims: x,
    vjps=(lambda g, out, x, *, dims: flip(g, dims=dims),),
)
roll: Op = define(
    "roll",
    lambda x, *, shifts, dims: np.roll(x, shifts, dims),
    lambda x, *, shifts, dims: x,
    vjps=(lambda g, out, x, *, shifts, dims: roll(g, shifts=_negated(shifts), dims=dims),),
)


def _negated(shifts: int | tuple[int, ...]) -> int | tuple[int, ...]:
    return -shifts if isinstance(shifts, int) else tuple(-s for s in shifts)


# cat ------------------------------------------------------------------------------------------------------------------


def _is_legacy_empty(x: Any) -> bool:
    # PyTorch lets a one-dimensional empty tensor stand beside any shape.
    return tuple(x.shape) == (0,)


def _cat_spec(*xs: Spec, dim: int) -> Spec:
    present = [x for x in xs if not _is_legacy_empty(x)] or list(xs)
    first = present[0]
    for i, x in enumerate(present):
        if x.ndim != first.ndim:
            raise ShapeError(f"Tensors must have same number of dimensions: got {first.ndim} and {x.ndim}")
        for axis in range(x.ndim):
            if axis != dim and x.shape[axis] != first.shape[axis]:
                raise ShapeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected size {first.shape[axis]} but got "
                    f"size {x.shape[axis]} for tensor number {i} in the list."
                )
    shape = list(first.shape)
    if shape:
        shape[dim] = sum(x.shape[dim] for x in present)
    return Spec(tuple(shape), result_dtype(tuple(np.empty((1,) * x.ndim, x.dtype) for x in xs)))


def _cat(*xs: Any, dim: int) -> Any:
    present = [x for x in xs if not _is_legacy_empty(x)] or list(xs)
    if len({x.dtype for x in xs}) > 1:
        kind = result_dtype(xs)
        present = [x.astype(kind) for x in present]
    return np.concatenate(present, axis=dim)


def _cat_vjp(i: int, g: Any, out: Any, *xs: Any, dim: int) -> Any:
    from fanin.ops.elementwise import cast_like
    from fanin.ops.index import getitem

    if _is_legacy_empty(xs[i]):
        return xs[i] * 0
    start = sum(x.shape[dim] for x in xs[:i] if not _is_legacy_empty(x))
    index = (slice(None),) * dim + (slice(start, start + xs[i].shape[dim]),)
    return cast_like(getitem(g, index=index), xs[i])


cat: Op = define("cat", _cat, _cat_spec, vjp_each=_cat_vjp)

# Triangles and diagonals ----------------------------------------------------------------------------------------------

tril: Op = define(
    "tril",
    lambda x, *, diagonal: np.tril(x, diagonal),
    lambda x, *, diagonal: x,
    vjps=(lambda g, out, x, *, diagonal: tril(g, diagonal=diagonal),),
)
triu: Op = define(
    "triu",
    lambda x, *, diagonal: np.triu(x, diagonal),
    lambda x, *, diagonal: x,
    vjps=(lambda g, out, x, *, diagonal: triu(g, diagonal=diagonal),),
)


def _diagonal_spec(x: Spec, *, offset: int, dim1: int, dim2: int) -> Spec:
    view = np.broadcast_to(np.bool_(), x.shape)
    return Spec(np.diagonal(view, offset, dim1, dim2).shape, x.dtype)


def _diagonal(x: Any, *, offset: int, dim1: int, dim2: int) -> Any:
    # NumPy's own is read-only; the strides are all there is to a diagonal.
    found = np.diagonal(x, offset, dim1, dim2)
    if x.flags.writeable:
        found.flags.writeable = True
    return found


def _diagonal_zeros(g: Any, *, shape: tuple[int, ...], offset: int, dim1: int, dim2: int) -> Any:
    result = np.zeros(shape, g.dtype)
    _diagonal(result, offset=offset, dim1=dim1, dim2=dim2)[...] = g
    return result


diagonal: Op = define(
    "diagonal",
    _diagonal,
    _diagonal_spec,
    vjps=(lambda g, out, x, **where: diagonal_zeros(g, shape=shape_of(x), **where),),
    view=True,
)
diagonal_zeros: Op = define(
    "diagonal_zeros",
    _diagonal_zeros,
    lambda g, *, shape, offset, dim1, dim2: Spec(shape, g.dtype),
    vjps=(lambda gg, out, g, *, shape, **where: diagonal(gg, **where),),
    grad_name="DiagEmbedBackward0",
)


def _windows(x: Any, *, dim: int, size: int, step: int) -> Any:
    found = np.lib.stride_tricks.sliding_window_view(x, size, axis=dim, writeable=x.flags.writeable)
    return found[(slice(None),) * dim + (slice(None, None, step),)]


def _windows_sum(g: Any, *, shape: tuple[int, ...], dim: int, size: int, step: int) -> Any:
    result = np.zeros(shape, g.dtype)
    lead = (slice(None),) * dim
    for i in range(g.shape[dim]):
        result[(*lead, slice(i * step, i * step + size))] += np.moveaxis(g[(*lead, i)], -1, dim)
    return result


windows: Op = define(
    "unfold",
    _windows,
    lambda x, *, dim, size, step: Spec(
        (*x.shape[:dim], (x.shape[dim] - size) // step + 1, *x.shape[dim + 1 :], size), x.dtype
    ),
    vjps=(lambda g, out, x, **how: windows_sum(g, shape=shape_of(x), **how),),
    view=True,
)
windows_sum: Op = define(
    "unfold_sum",
    _windows_sum,
    lambda g, *, shape, dim, size, step: Spec(shape, g.dtype),
    vjps=(lambda gg, out, g, *, shape, **how: windows(gg, **how),),
)
