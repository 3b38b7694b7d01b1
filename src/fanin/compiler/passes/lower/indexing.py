"""Reading and writing elements by position, with positions that are known beforehand, and rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin.compiler.graph import constant
from fanin.compiler.passes.lower.common import PLAIN_ROWS, add_up, full, numbers_of, take
from fanin.compiler.passes.lower.rules import lowers
from fanin.ops.arithmetic import equal, expand, where
from fanin.ops.index import Index, is_basic, put_zeros, take_rows
from fanin.ops.index import add_rows as add_rows_op
from fanin.ops.shape import reshape


def _is_known(index: Index) -> bool:
    """Say whether an index consists of slices, numbers and arrays, and of no values."""
    return all(i is None or i is Ellipsis or isinstance(i, (slice, int, np.integer, np.ndarray, list)) for i in index)


@lowers("getitem")
def getitem(x: Any, *, index: Index) -> Any:
    """Read the elements that arrays of positions, or masks, select."""
    if is_basic(index) or not _is_known(index):
        return None
    return take(x, numbers_of(x.shape)[index])


@lowers("put_zeros")
def put(g: Any, *, shape: tuple[int, ...], index: Index) -> Any:
    """Add up what belongs to the same position."""
    if is_basic(index) or not _is_known(index):
        return None
    positions = numbers_of(shape)[index]
    return add_up(expand(g, positions.shape), positions, shape)


@lowers("index_put")
def index_put(x: Any, values: Any, *, index: Index, accumulate: bool = False) -> Any:
    """Write values to positions, or add them there."""
    if not _is_known(index):
        return None
    positions = numbers_of(x.shape)[index]
    spread = expand(values, positions.shape)
    if accumulate:
        return x + (
            put_zeros(spread, shape=x.shape, index=index) if is_basic(index) else add_up(spread, positions, x.shape)
        )
    return _written(x, spread, positions)


def _written(x: Any, values: Any, positions: Any) -> Any:
    """Return x with values at their positions; the last of several at one position stays."""
    source = np.full(x.size, -1)
    source[positions.reshape(-1)] = np.arange(positions.size)
    source = source.reshape(x.shape)
    if not values.size:
        return x
    return where(constant(source >= 0), take(values, np.maximum(source, 0)), x)


@lowers("read_view")
def read_view(base: Any, *, positions: Any) -> Any:
    """Read the elements of a view."""
    return take(base, positions)


@lowers("write_view")
def write_view(base: Any, values: Any, *, positions: Any) -> Any:
    """Write through a view."""
    return _written(base, expand(values, positions.shape), positions)


# Rows of a table ------------------------------------------------------------------------------------------------------


def _shares(index: Any, rows: int, dtype: Any, padding_idx: int | None, by_frequency: bool) -> Any:
    """Return the factor of each read row, (*index, 1); None when all are 1."""
    share = None
    if by_frequency:
        ones = full((*index.shape, 1), 1, dtype)
        share = 1 / take_rows(add_rows_op(ones, index, rows=rows, **PLAIN_ROWS), index, **PLAIN_ROWS)
    if padding_idx is not None:
        padding = reshape(equal(index, padding_idx), (*index.shape, 1))
        share = where(padding, 0.0, full((), 1, dtype) if share is None else share)
    return share


@lowers("embedding")
def embedding(weight: Any, index: Any, *, padding_idx: int | None = None, by_frequency: bool = False) -> Any:
    """Read rows: padding and frequency matter to the derivative alone."""
    return None if padding_idx is None and not by_frequency else take_rows(weight, index, **PLAIN_ROWS)


@lowers("read_rows")
def read_rows(x: Any, index: Any, *, padding_idx: int | None, by_frequency: bool) -> Any:
    """Read rows, each with its factor."""
    share = _shares(index, x.shape[0], x.dtype, padding_idx, by_frequency)
    rows = take_rows(x, index, **PLAIN_ROWS)
    return rows if share is None else rows * share


@lowers("add_rows")
def add_rows(g: Any, index: Any, *, rows: int, padding_idx: int | None, by_frequency: bool) -> Any:
    """Add rows up, each with its factor."""
    share = _shares(index, rows, g.dtype, padding_idx, by_frequency)
    return None if share is None else add_rows_op(g * share, index, rows=rows, **PLAIN_ROWS)
