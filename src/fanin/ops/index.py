"""Reading and writing elements by position: slices, masks, index arrays, gather and scatter.

Row numbers and gathered positions are inputs: they come with the data. The index of square brackets is an attribute,
normalised before it comes here: a tuple of slices, ints, None, Ellipsis and index or mask arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin._core.errors import IndexRangeError, OperationError, ShapeError
from fanin.ops.arithmetic import equal, sum_to, where, zeros_like
from fanin.ops.elementwise import cast_like
from fanin.ops.op import Op, Spec, define
from fanin.ops.rules import broadcast_shape, shape_of

Index = tuple[Any, ...]


_WHOLE = slice(None)


def _is_whole(item: Any) -> bool:
    return item.__class__ is slice and item == _WHOLE


def is_basic(index: Index) -> bool:
    """Say whether an index selects by slices and ints alone, so that NumPy returns a view."""
    return not any(i.__class__ is np.ndarray or i.__class__ is list for i in index)


def _indexed_spec(x: Spec, *, index: Index) -> Spec:
    return Spec(np.empty(x.shape, np.bool_)[index].shape, x.dtype)


def _getitem(x: Any, *, index: Index) -> Any:
    if is_basic(index):
        part = x[index]
        # One element alone would come as a number, without its place in the memory.
        return part if part.__class__ is np.ndarray else x[(*index, Ellipsis)]
    last = index[-1]
    if last.__class__ is np.ndarray and last.dtype.kind != "b" and all(_is_whole(i) for i in index[:-1]):
        return np.take(x, last, axis=len(index) - 1)  # half the time of an index
    return np.ascontiguousarray(x[index])


getitem: Op = define(
    "getitem",
    _getitem,
    _indexed_spec,
    vjps=(lambda g, out, x, *, index: put_zeros(g, shape=shape_of(x), index=index),),
    view=True,
    grad_name="IndexBackward0",
)


def _put_zeros(g: Any, *, shape: tuple[int, ...], index: Index) -> Any:
    result = np.zeros(shape, g.dtype)
    if is_basic(index) or all(getattr(i, "dtype", None) == np.bool_ for i in index if isinstance(i, np.ndarray)):
        result[index] = g
    else:
        np.add.at(result, index, g)
    return result


put_zeros: Op = define(
    "put_zeros",
    _put_zeros,
    lambda g, *, shape, index: Spec(shape, g.dtype),
    vjps=(lambda gg, out, g, *, shape, index: getitem(gg, index=index),),
    grad_name="IndexPutBackward0",
)


def _index_put_spec(x: Spec, values: Spec, *, index: Index, accumulate: bool = False) -> Spec:
    target = _indexed_spec(x, index=index).shape
    try:
        np.broadcast_to(np.empty(values.shape, np.bool_), target)
    except ValueError:
        raise ShapeError(
            f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast to indexing result of "
            f"shape {list(target)}"
        ) from None
    return x


def _index_put(x: Any, values: Any, *, index: Index, accumulate: bool = False) -> Any:
    result = np.array(x)
    if accumulate:
        np.add.at(result, index, values)
    else:
        result[index] = values
    return result


def _index_put_vjp(g: Any, out: Any, x: Any, values: Any, *, index: Index, accumulate: bool = False) -> Any:
    if accumulate:
        return g
    zero = getitem(g, index=index) * 0
    return index_put(g, zero, index=index)


index_put: Op = define(
    "index_put",
    _index_put,
    _index_put_spec,
    vjps=(
        _index_put_vjp,
        lambda g, out, x, values, *, index, accumulate=False: sum_to(getitem(g, index=index), shape_of(values)),
    ),
)


# Writing over everything: what copy_, fill_ and zero_ do to the history of their target. ------------------------------


def _overwrite(x: Any, values: Any) -> Any:
    return np.broadcast_to(np.asarray(values).astype(x.dtype, copy=False), x.shape)


def _overwrite_spec(x: Spec, values: Any) -> Spec:
    if broadcast_shape(x.shape, shape_of(values)) != x.shape:
        raise ShapeError(f"The expanded size {list(x.shape)} must match the existing size {list(shape_of(values))}")
    return x


overwrite: Op = define(
    "overwrite",
    _overwrite,
    _overwrite_spec,
    vjps=(lambda g, out, x, values: zeros_like(g), lambda g, out, x, values: sum_to(g, shape_of(values))),
    grad_name="CopyBackwards",
)


# gather and scatter: the index array has as many dimensions as the input; `dim` is the one it walks along. ------------


def along(index: Any, dim: int) -> Index:
    """Return the open-mesh index that reads `index` along `dim` and its own position along every other dimension."""
    grids = [np.arange(n).reshape((-1,) + (1,) * (index.ndim - 1 - axis)) for axis, n in enumerate(index.shape)]
    grids[dim] = index
    return tuple(grids)


def _gather_spec(x: Spec, index: Spec, *, dim: int) -> Spec:
    if x.ndim != index.ndim:
        raise ShapeError("Index tensor must have the same number of dimensions as input tensor")
    for axis, (n, m) in enumerate(zip(index.shape, x.shape, strict=True)):
        if axis != dim and n > m:
            raise ShapeError(
                f"Size does not match at dimension {axis} expected index {list(index.shape)} to be no larger than "
                f"self {list(x.shape)} apart from dimension {dim}"
            )
    return Spec(index.shape, x.dtype)


gather: Op = define(
    "gather",
    lambda x, index, *, dim: x[along(index, dim)] if x.ndim else x.copy(),
    _gather_spec,
    vjps=(lambda g, out, x, index, *, dim: scatter_add_zeros(g, index, shape=shape_of(x), dim=dim),),
    reads=(1,),
)


def _scatter_add_zeros(g: Any, index: Any, *, shape: tuple[int, ...], dim: int) -> Any:
    result = np.zeros(shape, g.dtype)
    np.add.at(result, along(index, dim) if shape else (), g)
    return result


scatter_add_zeros: Op = define(
    "scatter_add_zeros",
    _scatter_add_zeros,
    lambda g, index, *, shape, dim: Spec(shape, g.dtype),
    vjps=(lambda gg, out, g, index, *, shape, dim: gather(gg, index, dim=dim),),
    reads=(1,),
    grad_name="ScatterAddBackward0",
)


def _within(positions: Any, *, size: int, message: str = "", runtime: bool = False, remedy: str = "") -> Any:
    wrong = (positions < 0) | (positions >= size)
    if wrong.any():
        found = positions[wrong].flat[0] if positions.ndim else positions
        message = (message or f"index {{index}} is out of range for a dimension of size {size}").format(index=found)
        raise (OperationError if runtime else IndexRangeError)(message, remedy=remedy.format(index=found))
    return positions


# Positions as they are. When it is carried out and one of them does not exist, it raises IndexError, or RuntimeError
# where that is PyTorch's; {index} in the message is the first such. For positions that come later: where they are known
# already, they are looked at before.
within: Op = define("within", _within, lambda positions, **_: positions)

_COMBINE = {"amax": np.maximum, "amin": np.minimum, "prod": np.multiply}


def _scatter_combine(x: Any, source: Any, *, index: Index, how: str) -> Any:
    result = np.array(x)
    _COMBINE[how].at(result, index, source)
    return result


def _scatter_shares(g: Any, out: Any, x: Any, source: Any, index: Index) -> tuple[Any, Any, Any]:
    """Return the gradient of a place divided by how many of its values reached the extreme, and who did."""
    ours = cast_like(equal(x, out), g)
    theirs = cast_like(equal(source, getitem(out, index=index)), g)
    return g / index_put(ours, theirs, index=index, accumulate=True), ours, theirs


def without_zeros(x: Any) -> Any:
    """Return x with ones in place of zeros: products of the others are divided by it."""
    return where(equal(x, 0), x + 1, x)


def product_vjp(g: Any, out: Any, source: Any, combined: Any, read: Any, added: Any) -> Any:
    """Return the gradient of the sources of products, exact where one of the factors is 0.

    combined: returns the products with other sources.
    read:     returns what lies where the sources come to.
    added:    returns the sums of values that come to one place.
    """
    rest = read(g * out) / without_zeros(source)
    only = equal(read(added(cast_like(equal(source, 0), g))), 1)
    others = combined(where(only, without_zeros(source), source))
    return where(equal(source, 0), where(only, read(g * others), rest), rest)


def _scatter_vjp_x(g: Any, out: Any, x: Any, source: Any, *, index: Index, how: str) -> Any:
    if how == "prod":
        return g * scatter_combine(without_zeros(x), source, index=index, how=how) / without_zeros(x)
    share, ours, _ = _scatter_shares(g, out, x, source, index)
    return share * ours


def _scatter_vjp_source(g: Any, out: Any, x: Any, source: Any, *, index: Index, how: str) -> Any:
    if how == "prod":
        return product_vjp(
            g,
            out,
            source,
            lambda other: scatter_combine(x, other, index=index, how=how),
            lambda values: getitem(values, index=index),
            lambda values: index_put(zeros_like(g), values, index=index, accumulate=True),
        )
    share, _, theirs = _scatter_shares(g, out, x, source, index)
    return getitem(share, index=index) * theirs


scatter_combine: Op = define(
    "scatter_combine",
    _scatter_combine,
    lambda x, source, *, index, how: x,
    vjps=(_scatter_vjp_x, _scatter_vjp_source),
    reads=None,
    reads_out=True,
)

# Rows of a matrix by number: what an embedding does. ------------------------------------------------------------------
# `padding_idx` is a row that gets no gradient; `by_frequency` divides a row's gradient by how often the row is read.


def _shares(index: Any, dtype: Any, padding_idx: int | None, by_frequency: bool) -> Any:
    """Return the factor of each read row's gradient, or None when all are 1."""
    if padding_idx is None and not by_frequency:
        return None
    share = np.ones(index.shape, dtype)
    if by_frequency and index.size:
        share /= np.bincount(index.reshape(-1))[index]
    if padding_idx is not None:
        share[index == padding_idx] = 0
    return share[..., None]


def _read_rows(x: Any, index: Any, *, padding_idx: int | None, by_frequency: bool) -> Any:
    share = _shares(index, x.dtype, padding_idx, by_frequency)
    return x[index] if share is None else x[index] * share


def _add_rows(g: Any, index: Any, *, rows: int, padding_idx: int | None, by_frequency: bool) -> Any:
    share = _shares(index, g.dtype, padding_idx, by_frequency)
    result = np.zeros((rows, g.shape[-1]), g.dtype)
    np.add.at(result, index, g if share is None else g * share)
    return result


def _rows_spec(x: Spec, index: Spec, **_: Any) -> Spec:
    return Spec(index.shape + x.shape[1:], x.dtype)


def _rows_vjp(g: Any, out: Any, x: Any, index: Any, **how: Any) -> Any:
    return add_rows(g, index, rows=shape_of(x)[0], **how)


take_rows: Op = define("embedding", lambda weight, index, **_: weight[index], _rows_spec, vjps=(_rows_vjp,), reads=(1,))
# The two are each other's derivative.
read_rows: Op = define("read_rows", _read_rows, _rows_spec, vjps=(_rows_vjp,), reads=(1,))
add_rows: Op = define(
    "add_rows",
    _add_rows,
    lambda g, index, *, rows, **_: Spec((rows, g.shape[-1]), g.dtype),
    vjps=(lambda gg, out, g, index, *, rows, **how: read_rows(gg, index, **how),),
    reads=(1,),
    grad_name="EmbeddingDenseBackwardBackward0",
)
